/** What a client says of itself: how its first attempt ended, and what it has carried over all of its connections. */

import type { Endpoint, Statistics } from '../endpoint/endpoint.ts';
import { type FailureError, HandshakeError } from '../errors.ts';
import { Headers } from '../handshake/headers.ts';
import type { StartStatus } from './reconnect-events.ts';

const NO_HEADERS = /* @__PURE__ */ new Headers([]);

/** It is open. */
export function openedStatus(url: string, { headers, subprotocol, extensions }: Endpoint): StartStatus {
  return { success: true, url, httpStatus: 101, headers, subprotocol, extensions, error: null, waitTime: null };
}

/** It failed; another attempt follows after `waitTime`, or none. */
export function failedStatus(url: string, error: FailureError, waitTime: number | null): StartStatus {
  const response = error instanceof HandshakeError ? error.response : null;
  return {
    success: false,
    url,
    httpStatus: response?.status ?? null,
    headers: response === null ? NO_HEADERS : new Headers(response.rawHeaders),
    subprotocol: '',
    extensions: '',
    error,
    waitTime,
  };
}

/** The counters of a client that never was open. */
export const NO_TRAFFIC: Statistics = { bytesReceived: 0, bytesSent: 0, messagesReceived: 0, messagesSent: 0 };

/** Both together. */
export function sumOf(a: Statistics, b: Statistics): Statistics {
  return {
    bytesReceived: a.bytesReceived + b.bytesReceived,
    bytesSent: a.bytesSent + b.bytesSent,
    messagesReceived: a.messagesReceived + b.messagesReceived,
    messagesSent: a.messagesSent + b.messagesSent,
  };
}
