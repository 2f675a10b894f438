/**
 * A link between two hosts with everything that can befall it: latency, stalls, cuts, small windows, half-open directions, resets,
 * ends, and garbage. Every byte that is written goes by the strict reader of its direction.
 */

import { MemoryTransport } from '../src/transport/memory.ts';
import type { Addresses, Transport, TransportSink } from '../src/transport/transport.ts';
import type { Host } from './hosts.ts';
import type { WireReader } from './wire.ts';

/** Sees all that is written, and says what is wrong with it. */
export interface ChunkReader {
  read(chunk: Uint8Array): string;
}

/** How a link is before anything befalls it. */
export interface LinkNature {
  /** Milliseconds a write takes at least and at most. */
  readonly latency: number;
  readonly jitter: number;
  /** The largest piece that arrives. */
  readonly piece: number;
  readonly window: number;
  /** Bytes are lent in a buffer that is used again. */
  readonly borrowed: boolean;
}

/** One end of a link: a transport for an endpoint, and the direction that leaves from here. */
export class LinkEnd<Reader extends ChunkReader = WireReader> implements Transport, TransportSink {
  readonly reader: Reader;
  /** Bytes that arrived here. */
  arrived = 0;
  private readonly host: Host;
  private readonly inner: MemoryTransport;
  private readonly chance: () => number;
  private readonly onObjection: (what: string) => void;
  private readonly onDelivery: () => void;
  private sink: TransportSink | null = null;
  private paused = false;
  private muted = false;
  private stalledUntil = 0;
  private byteWise = 0;
  private lastBytes: { left: number; readonly then: () => void } | null = null;
  private window: number;

  constructor(
    host: Host,
    name: string,
    nature: LinkNature,
    reader: Reader,
    chance: () => number,
    onObjection: (what: string) => void,
    onDelivery: () => void,
  ) {
    this.host = host;
    this.reader = reader;
    this.chance = chance;
    this.onObjection = onObjection;
    this.onDelivery = onDelivery;
    this.window = nature.window;
    const self = this;
    this.inner = new MemoryTransport(
      host.network,
      {
        latency: () =>
          Math.max(nature.latency + Math.floor(nature.jitter * chance()), self.stalledUntil - host.network.now()),
        cut: (available) => self.cut(Math.min(available, nature.piece)),
        borrowed: nature.borrowed,
        get window() {
          return self.window;
        },
      },
      name,
    );
  }

  join(other: LinkEnd<Reader>): void {
    this.inner.join(other.inner);
  }

  // ── faults; `this` is the end whose host is named ──────────────────────────────────────────────────────────────────

  /** What is written here from now on arrives no sooner than after `duration`. */
  stall(duration: number): void {
    this.stalledUntil = this.host.network.now() + Math.floor(duration);
  }

  /** The next bytes arrive here one by one. */
  shred(bytes: number): void {
    this.byteWise = bytes;
  }

  /** So few bytes count as written before they are read. */
  narrow(window: number): void {
    this.window = window;
  }

  /** What is written here goes nowhere from now on, and nobody is told. */
  deafen(): void {
    this.inner.silent = true;
  }

  /** The connection breaks on this side. */
  reset(): void {
    this.inner.break(new Error('the link was reset'));
  }

  /** The direction from here ends, as by a box in between. */
  finish(): void {
    this.inner.end();
  }

  /** Nothing arrives here any more, what is on its way included. */
  mute(): void {
    this.muted = true;
    this.inner.pause();
  }

  /** When so many further bytes have arrived here, `then` happens. */
  afterBytes(bytes: number, then: () => void): void {
    if (bytes === 0) then();
    else this.lastBytes = { left: bytes, then };
  }

  /** Bytes that nobody sent arrive here. */
  inject(bytes: Uint8Array): boolean {
    if (this.paused || this.muted || this.sink === null) return false;
    this.sink.received(bytes);
    return true;
  }

  private cut(available: number): number {
    this.onDelivery();
    let size = available;
    if (this.byteWise > 0) {
      this.byteWise--;
      size = 1;
    } else if (available > 1 && this.chance() < 0.5) {
      size = 1 + Math.floor(this.chance() * available);
    }
    const { lastBytes } = this;
    if (lastBytes !== null) {
      size = Math.min(size, lastBytes.left);
      lastBytes.left -= size;
      if (lastBytes.left === 0) {
        this.lastBytes = null;
        // The byte itself still arrives.
        this.host.network.defer(lastBytes.then, undefined);
      }
    }
    this.arrived += size;
    return size;
  }

  // ── the transport ──────────────────────────────────────────────────────────────────────────────────────────────────

  start(sink: TransportSink): void {
    this.sink = sink;
    this.inner.start(this);
  }

  write(chunks: readonly Uint8Array[]): number {
    for (const chunk of chunks) {
      const objection = this.reader.read(chunk);
      if (objection !== '') this.onObjection(objection);
    }
    return this.inner.write(chunks);
  }

  get unwritten(): number {
    return this.inner.unwritten;
  }

  get addresses(): Addresses {
    return this.inner.addresses;
  }

  end(): void {
    this.inner.end();
  }

  destroy(): void {
    this.inner.destroy();
  }

  pause(): void {
    this.paused = true;
    this.inner.pause();
  }

  resume(): void {
    this.paused = false;
    if (!this.muted) this.inner.resume();
  }

  ref(): void {}

  unref(): void {}

  // ── what the memory transport reports ──────────────────────────────────────────────────────────────────────────────

  received(bytes: Uint8Array): void {
    this.sink?.received(bytes);
  }

  receivedBorrowed(buffer: Uint8Array, length: number): void {
    this.sink?.receivedBorrowed(buffer, length);
  }

  written(): void {
    this.sink?.written();
  }

  ended(): void {
    this.sink?.ended();
  }

  closed(cause?: unknown): void {
    const { sink } = this;
    this.sink = null;
    sink?.closed(cause);
  }
}
