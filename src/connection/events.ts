/**
 * What a connection tells the application: plain readonly objects, `type` first, so that they print, compare, clone and
 * serialize. They never share memory with a buffer that will be used again (unless `borrow` asks for it).
 */

import type { FailureError } from '../errors.ts';
import type { Headers } from '../handshake/headers.ts';
import type { Request } from '../handshake/request.ts';

/** Server: a client asks to open; answer with `accept()` or `reject()`. Nothing past the head is read until then. */
export interface RequestEvent {
  readonly type: 'request';
  /** The request, checked by RFC 6455 section 4.2.1. */
  readonly request: Request;
}

/** The opening handshake succeeded (RFC 6455 section 4). */
export interface OpenEvent {
  readonly type: 'open';
  /** The subprotocol in use, or `''`. */
  readonly subprotocol: string;
  /** The agreed Sec-WebSocket-Extensions value, or `''`. */
  readonly extensions: string;
  /** The peer's headers: the request's on a server, the response's on a client. */
  readonly headers: Headers;
}

/** A whole text message. `data` is a string, or validated UTF-8 bytes with the option `text: 'bytes'`. */
export interface TextMessageEvent {
  readonly type: 'message';
  readonly kind: 'text';
  /** The text. */
  readonly data: string;
  /** Bytes on the wire: headers and payload of the message's data frames, as they came. */
  readonly wireSize: number;
}

/** A whole binary message. */
export interface BinaryMessageEvent {
  readonly type: 'message';
  readonly kind: 'binary';
  /** The bytes; they are the receiver's to keep, unless `borrow` is on. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Bytes on the wire: headers and payload of the message's data frames, as they came. */
  readonly wireSize: number;
}

/** A whole message (RFC 6455 section 5.6). */
export type MessageEvent = TextMessageEvent | BinaryMessageEvent;

/** With `delivery: 'fragment'`: payload as it arrives; validated UTF-8 when text. Cutting follows the network's. */
export interface FragmentEvent {
  readonly type: 'fragment';
  /** What the message is. */
  readonly kind: 'text' | 'binary';
  /** A piece of the payload; may be empty. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The message begins here. */
  readonly first: boolean;
  /** The message ends here. */
  readonly last: boolean;
}

/** With `progress: true`: a non-final fragment of a message was received. `total` is null while it is unknown. */
export interface ProgressEvent {
  readonly type: 'progress';
  /** What the message is. */
  readonly kind: 'text' | 'binary';
  /** Bytes of the message so far. */
  readonly received: number;
  /** Bytes of the whole message, or null while it is not known. */
  readonly total: number | null;
}

/** A ping came; it is already answered unless `autoPong` is off. */
export interface PingEvent {
  readonly type: 'ping';
  /** At most 125 bytes, to be echoed by the pong. */
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** A pong came. `latency` is set (milliseconds) when it answers a ping of ours. */
export interface PongEvent {
  readonly type: 'pong';
  /** At most 125 bytes; those of the ping it answers. */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** The round-trip time in milliseconds, or null if it answers no ping of ours. */
  readonly latency: number | null;
}

/** The peer's Close frame came (RFC 6455 section 5.5.1); 1005 if it was empty. */
export interface ClosingEvent {
  readonly type: 'closing';
  /** The peer's close code; 1005 if its Close was empty. */
  readonly code: number;
  /** The peer's reason, or `''`. */
  readonly reason: string;
}

/** The end, exactly once, and last. */
export interface ClosedEvent {
  readonly type: 'closed';
  /** The peer's close code; 1005 if its Close was empty, 1006 if none came (RFC 6455 section 7.1.5). */
  readonly code: number;
  /** The peer's reason, or `''`. */
  readonly reason: string;
  /** Both Close frames were exchanged (RFC 6455 section 7.1.4). */
  readonly clean: boolean;
  /** The peer's Close was processed before ours was queued. */
  readonly remote: boolean;
  /** Why the connection failed, or null if it did not. */
  readonly error: FailureError | null;
}

/** Everything `nextEvent()` can return. */
export type ConnectionEvent =
  | RequestEvent
  | OpenEvent
  | MessageEvent
  | FragmentEvent
  | ProgressEvent
  | PingEvent
  | PongEvent
  | ClosingEvent
  | ClosedEvent;
