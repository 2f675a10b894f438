/**
 * Diagnostics channels of `node:diagnostics_channel`: what happens to connections, for whoever observes the process. Every
 * message carries the connection. A channel without subscribers costs a look at one field, and `sansocket:frame` nothing: it is
 * asked once, when a connection begins.
 */

import { type Channel, channel } from 'node:diagnostics_channel';
import type { DebugRecord } from '../../debug/options.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import type { CloseEvent } from '../../endpoint/events.ts';

/** Published on `sansocket:open`: the opening handshake succeeded; no listener was called yet. */
export interface OpenMessage {
  /** Which side of the connection is ours. */
  readonly role: 'client' | 'server';
  /** The connection. */
  readonly socket: Endpoint;
}

/** Published on `sansocket:close`: a connection that was open has ended. All listeners were called. */
export interface CloseMessage {
  /** Which side of the connection is ours. */
  readonly role: 'client' | 'server';
  /** The connection. */
  readonly socket: Endpoint;
  /** How it ended. */
  readonly event: CloseEvent;
}

/** Published on `sansocket:refused`: an attempt to connect ended before it was open. */
export interface RefusedMessage {
  /** Which side of the connection is ours. */
  readonly role: 'client' | 'server';
  /** Null where it did not come to a connection. */
  readonly socket: Endpoint | null;
  /** Why. */
  readonly error: unknown;
}

/** Published on `sansocket:frame`, for connections that began while there was a subscriber. */
export interface FrameMessage {
  /** Null as long as it is being made. */
  readonly socket: Endpoint | null;
  /** What was seen. */
  readonly record: DebugRecord;
}

/** @hidden */
export const openChannel: Channel = channel('sansocket:open');
/** @hidden */
export const closeChannel: Channel = channel('sansocket:close');
/** @hidden */
export const refusedChannel: Channel = channel('sansocket:refused');
/** @hidden */
export const frameChannel: Channel = channel('sansocket:frame');

/** @hidden Tells of a connection that has opened. */
export function publishOpen(role: 'client' | 'server', socket: Endpoint): void {
  if (openChannel.hasSubscribers) openChannel.publish({ role, socket });
}

/** @hidden Tells of a connection that was open, and has ended. */
export function publishClose(role: 'client' | 'server', socket: Endpoint, event: CloseEvent): void {
  if (closeChannel.hasSubscribers) closeChannel.publish({ role, socket, event });
}

/** @hidden Tells of an attempt that failed. */
export function publishRefused(role: 'client' | 'server', socket: Endpoint | null, error: unknown): void {
  if (refusedChannel.hasSubscribers) refusedChannel.publish({ role, socket, error });
}
