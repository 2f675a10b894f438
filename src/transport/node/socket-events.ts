/**
 * From a stream of Node to whoever uses it: one function each for all sockets, since a closure a socket would be memory of every
 * idle connection.
 */

import type { Duplex } from 'node:stream';
import type { OnRead } from './static-read.ts';

/** Who uses a stream. */
export interface SocketUser {
  /** The first `length` bytes of the shared buffer came. */
  readBorrowed(buffer: Uint8Array, length: number): void;
  /** A chunk came. */
  readOwned(chunk: Uint8Array): void;
  /** The peer ended its direction. */
  ended(): void;
  /** What it failed with; `closed` follows. */
  failed(error: unknown): void;
  /** It is over. */
  closed(): void;
}

const USER = Symbol('sansocket transport');

type Used = Duplex & { [USER]?: SocketUser };

/** Makes errors and the end known: an error that nobody listens to would end the process. */
export function take(stream: Duplex, user: SocketUser): void {
  (stream as Used)[USER] = user;
  stream.on('error', onError);
  stream.on('close', tellClosed);
}

/** The callback for sockets that read into the shared buffer. */
export const onRead: OnRead = function read(length, buffer) {
  (this as Used)[USER]?.readBorrowed(buffer, length);
  return true;
};

export function onData(this: Duplex, chunk: Uint8Array): void {
  (this as Used)[USER]?.readOwned(chunk);
}

export function onEnd(this: Duplex): void {
  (this as Used)[USER]?.ended();
}

function onError(this: Duplex, error: Error): void {
  (this as Used)[USER]?.failed(error);
}

function tellClosed(this: Duplex): void {
  (this as Used)[USER]?.closed();
}
