/** What a client that connects again tells, over all of its connections. */

import type { OpenEvent } from '../connection/events.ts';
import type { CloseEvent, EndpointEvents } from '../endpoint/events.ts';
import type { FailureError } from '../errors.ts';
import type { Headers } from '../handshake/headers.ts';

/** A connection is open, the first or another. */
export interface ClientOpenEvent extends OpenEvent {
  /** What it connected to, before any redirect. */
  readonly url: string;
  /** Failures in a row before it. */
  readonly retries: number;
}

/** What follows an end. */
export interface RetryInfo {
  /** Failures in a row, this one included: the number of the retry that follows. */
  readonly retries: number;
  /** Milliseconds until the next attempt, or null if none follows. */
  readonly waitTime: number | null;
}

/** An attempt failed, or a connection did; `close` follows if it was open. */
export interface ClientErrorEvent extends RetryInfo {
  readonly type: 'error';
  /** Why it failed. */
  readonly error: FailureError;
  /** The error's stable name. */
  readonly code: FailureError['code'];
  /** The error's text. */
  readonly reason: string;
  /** The status of the refusal, or null if there was none. */
  readonly httpStatus: number | null;
  /** Whether a compressed message could not be read. */
  readonly decompressionError: boolean;
}

/** The end of a connection that was open. */
export interface ClientCloseEvent extends CloseEvent, RetryInfo {}

/**
 * A message that was queued is lost: it made room for others, the connection would not take it, or the client has stopped. It was
 * handed to no connection, and counts in `info.droppedMessages`.
 */
export interface ClientDropEvent {
  readonly type: 'drop';
  /** The message as it was queued. */
  readonly data: string | Uint8Array;
  /** Bytes of it. */
  readonly payloadSize: number;
}

/** No attempt follows. `start()` begins again. */
export interface StopEvent {
  readonly type: 'stop';
  /** The failure that was final, or the last that was allowed; null if it was stopped or closed from our side. */
  readonly error: FailureError | null;
}

/** The events of a client by name. For each connection they come as an endpoint's do. */
export interface ClientEvents extends Omit<EndpointEvents, 'open' | 'error' | 'close'> {
  /** A connection is open. What is sent by its listeners at once goes ahead of the queue. */
  open: ClientOpenEvent;
  /** An attempt or a connection failed. */
  error: ClientErrorEvent;
  /** A connection that was open ended. */
  close: ClientCloseEvent;
  /** A message that was queued is lost. */
  drop: ClientDropEvent;
  /** No attempt follows. */
  stop: StopEvent;
}

/** The name of an event of a client. */
export type ClientEventName = keyof ClientEvents;

/** Any event of a client. `type` tells which. */
export type AnyClientEvent = ClientEvents[ClientEventName];

/** Runs synchronously; as with endpoints, a promise from it holds further events of the connection back. */
export type ClientListener<Name extends ClientEventName> = (event: ClientEvents[Name]) => unknown;

/** A listener for each event that is of interest. */
export type ClientListeners = { readonly [Name in ClientEventName]?: ClientListener<Name> };

/** How the first attempt ended. */
export interface StartStatus {
  /** Whether it is open. */
  readonly success: boolean;
  /** What it connected to, before any redirect. */
  readonly url: string;
  /** 101, or the status of the refusal, or null if nobody answered. */
  readonly httpStatus: number | null;
  /** The headers of the answer. */
  readonly headers: Headers;
  /** The subprotocol in use, or `''`. */
  readonly subprotocol: string;
  /** The extensions in use, or `''`. */
  readonly extensions: string;
  /** Why it failed, or null. */
  readonly error: FailureError | null;
  /** Milliseconds until the next attempt; null if it is open, or none follows. */
  readonly waitTime: number | null;
}

/** What a client is and does just now. */
export interface ClientInfo {
  /** `'stopped'`, `'connecting'`, `'open'`, `'waiting'` for the next attempt, or `'stopping'`. */
  readonly state: ClientState;
  /** The same as the WebSocket API names it; while it waits, `'connecting'`. */
  readonly readyState: 'connecting' | 'open' | 'closing' | 'closed';
  /** What it connects to. */
  readonly url: string;
  /** Whether it connects again. */
  readonly reconnect: boolean;
  /** The longest wait in milliseconds; null if it never connects again. */
  readonly maxWait: number | null;
  /** The silence in milliseconds after which it pings; null if it does not. */
  readonly pingInterval: number | null;
  /** The agreed extensions, or `''`. */
  readonly extensions: string;
  /** Failures in a row. */
  readonly retries: number;
  /** Milliseconds until the next attempt, while it waits; else null. */
  readonly waitTime: number | null;
  /** Bytes handed to the connection and not yet written. */
  readonly bufferedAmount: number;
  /** Messages that wait for a connection. */
  readonly queuedMessages: number;
  /** Bytes of these. */
  readonly queuedBytes: number;
  /** Messages that were queued and never handed to a connection. */
  readonly droppedMessages: number;
}

/** What a client is doing. */
export type ClientState = 'stopped' | 'connecting' | 'open' | 'waiting' | 'stopping';
