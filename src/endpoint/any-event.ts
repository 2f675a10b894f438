/**
 * All events of an endpoint in one place: for bridges, logs, and systems that have one callback for everything, with the
 * numbers that some of those give their events and states.
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
import type { Endpoint } from './endpoint.ts';
import type { CloseEvent, DrainEvent, Listeners } from './events.ts';

/** The connection failed; `close` follows. What listeners of `error` get is in `error`. */
export interface ErrorEvent {
  readonly type: 'error';
  /** Why. */
  readonly error: FailureError;
}

/** Any event of an endpoint. `type` tells which. */
export type AnyEvent =
  | OpenEvent
  | MessageEvent
  | FragmentEvent
  | ProgressEvent
  | PingEvent
  | PongEvent
  | DrainEvent
  | ErrorEvent
  | CloseEvent;

/**
 * A number for each type of event: `EventNumber[event.type]`. 0 to 6 are those of IXWebSocket and of the 4D plugin over it,
 * whose "fragment" is both our `fragment` and our `progress`; 7 is ours.
 */
export const EventNumber = {
  message: 0,
  open: 1,
  close: 2,
  error: 3,
  ping: 4,
  pong: 5,
  fragment: 6,
  progress: 6,
  drain: 7,
} as const;

/** A number for each state, `ReadyStateNumber[socket.readyState]`: those of the WebSocket API, and of IXWebSocket. */
export const ReadyStateNumber = {
  connecting: 0,
  open: 1,
  closing: 2,
  closed: 3,
} as const;

/** One of the values of {@link EventNumber}. */
export type EventNumber = (typeof EventNumber)[keyof typeof EventNumber];

/**
 * Listens to every event of an endpoint. Messages, or with that `delivery` fragments, go to listeners then, and to no iterator.
 *
 * @throws UsageError when messages already go to an iterator
 */
export function onAnyEvent<Socket extends Endpoint>(
  socket: Socket,
  delivery: 'message' | 'fragment',
  listener: (socket: Socket, event: AnyEvent) => unknown,
): void {
  const other = delivery === 'message' ? 'fragment' : 'message';
  const listeners: Record<string, (event: never) => unknown> = {};
  for (const type of Object.keys(EventNumber)) {
    if (type !== other) listeners[type] = (event: AnyEvent) => listener(socket, event);
  }
  listeners['error'] = (error: FailureError) => listener(socket, { type: 'error', error });
  socket.listen(listeners as Listeners);
}
