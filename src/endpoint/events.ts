/**
 * What `on` can listen to, and all that its listeners get to see. The engine's own event objects are passed through unchanged.
 */

import type {
  FragmentEvent,
  MessageEvent,
  OpenEvent,
  PingEvent,
  PongEvent,
  ProgressEvent,
} from '../connection/events.ts';
import type { FailureError } from '../errors.ts';

export type {
  BinaryMessageEvent,
  FragmentEvent,
  MessageEvent,
  OpenEvent,
  PingEvent,
  PongEvent,
  ProgressEvent,
  TextMessageEvent,
} from '../connection/events.ts';
export type { ReadyState } from '../connection/state.ts';

/** How a connection ended. */
export interface CloseEvent {
  readonly type: 'close';
  /** The peer's close code; 1005 if its Close was empty, 1006 if none came (RFC 6455 section 7.1.5). */
  readonly code: number;
  /** The peer's reason, or `''`. */
  readonly reason: string;
  /** Both Close frames were exchanged. */
  readonly clean: boolean;
  /** The peer began. */
  readonly remote: boolean;
  /** Why the connection failed, or null if it did not. */
  readonly error: FailureError | null;
}

/** Everything that was sent has been written. */
export interface DrainEvent {
  readonly type: 'drain';
}

/**
 * The events of an endpoint by name. Order: `open`, then the others as they came, then at most one `error`, then one `close`.
 * Promises of methods may resolve ahead of events that are held back.
 */
export interface EndpointEvents {
  /** The opening handshake succeeded. */
  open: OpenEvent;
  /** A whole message. */
  message: MessageEvent;
  /** A piece of a message, with `delivery: 'fragment'`. */
  fragment: FragmentEvent;
  /** A non-final fragment came, with `progress: true`. */
  progress: ProgressEvent;
  /** A ping came. */
  ping: PingEvent;
  /** A pong came. */
  pong: PongEvent;
  /** Everything that was sent has been written, after `writable` was false. */
  drain: DrainEvent;
  /** The connection failed; `close` follows. */
  error: FailureError;
  /** The end, once and last. */
  close: CloseEvent;
}

/** The name of an event. */
export type EventName = keyof EndpointEvents;

/**
 * Runs synchronously; a promise that it returns holds further events back until it settles. Pings are answered meanwhile, and
 * `ping()` and `drained()` may be awaited in it.
 */
export type Listener<Name extends EventName> = (event: EndpointEvents[Name]) => unknown;

/** A listener for each event that is of interest. */
export type Listeners = { readonly [Name in EventName]?: Listener<Name> };
