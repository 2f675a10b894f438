/**
 * The opening handshake between HTTP/1.1, which the engine speaks, and HTTP/2 (RFC 8441 section 5): an extended CONNECT reads
 * as the request for an upgrade, a 200 as the 101, and the other way round. Whatever is decided is decided by the engine.
 */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { ParsedRequest } from '../../connection/server-connection.ts';
import { acceptKey } from '../../handshake/accept-key.ts';
import { HeadParser } from '../../handshake/head-parser.ts';
import { encodeLatin1 } from '../../handshake/text.ts';

/** RFC 8441 section 5: no key is sent, as nothing is proved by it over HTTP/2. The engine gets this one. */
const KEY = 'c2Fuc29ja2V0LCBodHRwMg==';
/** What HTTP/1.1 says of the connection and the key, and HTTP/2 must not (RFC 9113 section 8.2.2). */
const HTTP1_ONLY = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'sec-websocket-accept',
  'sec-websocket-key',
  'transfer-encoding',
  'upgrade',
]);
const UNLIMITED = { maxHeadSize: null, maxRequestLine: null, maxHeaders: null };

/** Whether a request asks for a WebSocket (RFC 8441 section 4). */
export function isWebSocketConnect(headers: IncomingHttpHeaders): boolean {
  return headers[':method'] === 'CONNECT' && headers[':protocol'] === 'websocket';
}

/** The request for an upgrade that an extended CONNECT stands for. `rawHeaders` are name and value alternately. */
export function readConnect(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): ParsedRequest {
  const authority = headers[':authority'] ?? headers.host ?? '';
  const fields = ['Host', authority, 'Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Key', KEY];
  const cookies: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name === 'cookie') cookies.push(rawHeaders[i + 1]!);
    else if (!name.startsWith(':') && !HTTP1_ONLY.has(name)) fields.push(name, rawHeaders[i + 1]!);
  }
  // RFC 9113 section 8.2.3: browsers send each cookie by itself; for HTTP/1.1 they "MUST be concatenated" so.
  if (cookies.length > 0) fields.push('cookie', cookies.join('; '));
  return { method: 'GET', target: headers[':path'] ?? '', version: '1.1', rawHeaders: fields };
}

/** A head that the engine wrote, and what it wrote behind it. */
export interface WrittenHead {
  /** The first line and the fields as HTTP/2 has them: names in lower case, repeated ones as lists. */
  readonly firstLine: string;
  readonly fields: OutgoingHttpHeaders;
  readonly host: string;
  readonly key: string;
  readonly rest: Uint8Array;
}

/** Reads a head of the engine's own. */
export function readHead(bytes: Uint8Array, kind: 'request' | 'response'): WrittenHead {
  const parser = new HeadParser(UNLIMITED, kind);
  const end = parser.push(bytes, 0, bytes.length);
  const { firstLine, rawHeaders } = parser;
  const fields: Map<string, string[]> = new Map();
  let host = '';
  let key = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const value = rawHeaders[i + 1]!;
    if (name === 'host') host = value;
    if (name === 'sec-websocket-key') key = value;
    if (!HTTP1_ONLY.has(name)) fields.set(name, [...(fields.get(name) ?? []), value]);
  }
  const flat = Array.from(fields, ([name, values]) => [name, values.length === 1 ? values[0] : values]);
  return { firstLine, fields: Object.fromEntries(flat) as OutgoingHttpHeaders, host, key, rest: bytes.subarray(end) };
}

/** The status that stands for that of a status line: 200 for 101. */
export function statusFor(statusLine: string): number {
  const status = Number(statusLine.split(' ', 2)[1]);
  return status === 101 ? 200 : status;
}

/** The head of HTTP/1.1 that the answer to an extended CONNECT stands for. */
export function writeResponse(headers: IncomingHttpHeaders, key: string): Uint8Array {
  const status = Number(headers[':status']);
  // RFC 8441 section 5: "a 2xx response" is success.
  let head =
    status >= 200 && status < 300
      ? `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n`
      : `HTTP/1.1 ${status} \r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || HTTP1_ONLY.has(name) || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) head += `${name}: ${each}\r\n`;
  }
  return encodeLatin1(`${head}\r\n`);
}
