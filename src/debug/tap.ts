/**
 * A transport that lets everything through and tells what passed: put between a driver and its transport, it shows a
 * connection from outside. The engine does not know of it, and without one nothing is paid.
 */

import type { Addresses, Clock, Transport, TransportSink } from '../transport/transport.ts';
import type { Debug } from './options.ts';
import type { Side, StateRecord, WireRecord } from './records.ts';
import { type SeenRequest, WireReader } from './wire-reader.ts';

/** What is looked at besides the bytes. */
export interface Watched {
  /** Which side of the connection is ours. */
  readonly role: Side;
  /** Names the state that the connection is in. */
  readonly state: () => string;
  /** Tells connections apart in a log. */
  readonly id: number;
}

/** A transport that reports to a debug sink. */
export class Tap implements Transport, TransportSink {
  /** What users hold of the connection; told with every record. */
  socket: unknown = null;
  private readonly inner: Transport;
  private readonly watched: Watched;
  private readonly clock: Clock;
  private readonly debug: Debug;
  private readonly reader: WireReader;
  private readonly startedAt: number;
  private readonly peer: Side;
  private sink: TransportSink | null = null;
  private state: string;
  private broken = false;

  /** `inner` carries the bytes; `request` was read by somebody else, and does not pass through it. */
  constructor(inner: Transport, watched: Watched, clock: Clock, debug: Debug, request?: SeenRequest) {
    this.inner = inner;
    this.watched = watched;
    this.clock = clock;
    this.debug = debug;
    this.startedAt = clock.now();
    this.peer = watched.role === 'client' ? 'server' : 'client';
    this.state = watched.state();
    this.reader = new WireReader((record) => this.tell(record), {
      bytes: debug.level === 2,
      previewSize: debug.previewSize,
      ...(request === undefined ? {} : { request }),
    });
  }

  // ── outgoing: what the driver calls ────────────────────────────────────────────────────────────────────────────────

  start(sink: TransportSink): void {
    this.sink = sink;
    this.inner.start(this);
  }

  write(chunks: readonly Uint8Array[]): number {
    this.look();
    for (const chunk of chunks) this.reader.read(this.watched.role, chunk, this.at());
    return this.inner.write(chunks);
  }

  get unwritten(): number {
    return this.inner.unwritten;
  }

  end(): void {
    this.look();
    this.reader.end(this.watched.role, this.at());
    this.inner.end();
  }

  destroy(): void {
    this.look();
    this.inner.destroy();
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  ref(): void {
    this.inner.ref();
  }

  unref(): void {
    this.inner.unref();
  }

  get addresses(): Addresses {
    return this.inner.addresses;
  }

  // ── incoming: what the transport reports ───────────────────────────────────────────────────────────────────────────

  received(bytes: Uint8Array): void {
    this.reader.read(this.peer, bytes, this.at());
    this.sink?.received(bytes);
    this.look();
  }

  receivedBorrowed(buffer: Uint8Array, length: number): void {
    this.reader.read(this.peer, buffer.subarray(0, length), this.at());
    this.sink?.receivedBorrowed(buffer, length);
    this.look();
  }

  written(): void {
    this.sink?.written();
    this.look();
  }

  ended(): void {
    this.reader.end(this.peer, this.at());
    this.sink?.ended();
    this.look();
  }

  closed(cause?: unknown): void {
    this.sink?.closed(cause);
    this.look();
  }

  private at(): number {
    return this.clock.now() - this.startedAt;
  }

  private look(): void {
    const before = this.state;
    const state = this.watched.state();
    if (state === before) return;
    this.state = state;
    this.tell({ type: 'state', at: this.at(), before, state });
  }

  private tell(record: WireRecord | StateRecord): void {
    if (this.broken || !this.debug.wants(record)) return;
    try {
      const { id: connection, role } = this.watched;
      const told = this.debug.tell({ connection, role, ...record }, this.socket) as Partial<
        PromiseLike<unknown>
      > | null;
      if (typeof told?.then === 'function') told.then(undefined, (error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
    }
  }

  /** A sink that fails is not asked again: what listens must never be what breaks the connection. */
  private fail(error: unknown): void {
    if (this.broken) return;
    this.broken = true;
    this.debug.failed(error);
  }
}
