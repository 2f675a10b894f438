/** A socket of Bun as a transport. Bun calls one set of functions for all sockets; each finds its transport in `data`. */

import { joinChunks } from '../pieces.ts';
import type { Addresses, Transport, TransportSink } from '../transport.ts';
import type { BunHandlers, BunSocket } from './api.ts';

/** What a socket keeps in `data`: its transport, once it is open. @opaque */
export interface BunSocketData {
  transport: BunSocketTransport | null;
}

/** One socket of Bun. */
export class BunSocketTransport implements Transport {
  readonly addresses: Addresses;
  /** Bytes that the system has not taken yet. */
  unwritten = 0;
  private readonly socket: BunSocket<BunSocketData>;
  private sink: TransportSink | null = null;
  private queued: Uint8Array[] = [];
  private early: Uint8Array[] = [];
  private error: unknown = undefined;
  private ending = false;
  private shut = false;
  private readOver = false;
  private over = false;

  /** Takes the socket over; `secure`: it is one of TLS. */
  constructor(socket: BunSocket<BunSocketData>, secure = false) {
    this.socket = socket;
    socket.data.transport = this;
    this.addresses = {
      remoteAddress: socket.remoteAddress,
      remotePort: socket.remotePort ?? null,
      localAddress: socket.localAddress ?? null,
      localPort: socket.localPort,
      secure,
    };
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    for (const bytes of this.early.splice(0)) sink.received(bytes);
    if (this.readOver) sink.ended();
    if (this.over) queueMicrotask(() => this.tell());
  }

  write(chunks: readonly Uint8Array[]): number {
    if (this.over || this.ending) return 0;
    if (this.queued.length > 0) {
      for (const chunk of chunks) this.unwritten += chunk.length;
      this.queued.push(...chunks);
      return this.unwritten;
    }
    const bytes = chunks.length === 1 ? chunks[0]! : joinChunks(chunks);
    // Less than nothing: the socket is gone, and `close` follows.
    const taken = Math.max(0, this.socket.write(bytes));
    if (taken < bytes.length) this.queued.push(bytes.subarray(taken));
    this.unwritten = bytes.length - taken;
    return this.unwritten;
  }

  end(): void {
    if (this.over || this.ending) return;
    this.ending = true;
    this.shutWhenWritten();
  }

  destroy(): void {
    if (this.over) return;
    if (this.socket.terminate === undefined) this.socket.end();
    else this.socket.terminate();
    this.close();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  ref(): void {
    this.socket.ref();
  }

  unref(): void {
    this.socket.unref();
  }

  /** @internal */
  receive(bytes: Uint8Array): void {
    const own = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.sink === null) this.early.push(own);
    else this.sink.received(own);
  }

  /** @internal The system takes more. */
  drain(): void {
    const before = this.unwritten;
    while (this.queued.length > 0) {
      const [bytes = EMPTY] = this.queued;
      const taken = Math.max(0, this.socket.write(bytes));
      this.unwritten -= taken;
      if (taken < bytes.length) {
        this.queued[0] = bytes.subarray(taken);
        break;
      }
      this.queued.shift();
    }
    this.shutWhenWritten();
    if (this.unwritten < before) this.sink?.written();
  }

  /** @internal */
  ended(): void {
    if (this.readOver) return;
    this.readOver = true;
    this.sink?.ended();
    this.finishWhenBothOver();
  }

  /** @internal */
  failed(error: unknown): void {
    this.error ??= error;
  }

  /** @internal */
  closed(error?: unknown): void {
    this.failed(error);
    this.close();
  }

  private shutWhenWritten(): void {
    if (!this.ending || this.shut || this.queued.length > 0 || this.over) return;
    this.shut = true;
    this.socket.shutdown();
    this.finishWhenBothOver();
  }

  private finishWhenBothOver(): void {
    if (this.shut && this.readOver) this.socket.end();
  }

  private close(): void {
    if (this.over) return;
    this.over = true;
    this.queued = [];
    // Later: whoever called us may be in the middle of a turn.
    if (this.sink !== null) queueMicrotask(() => this.tell());
  }

  private tell(): void {
    const { sink } = this;
    this.sink = null;
    sink?.closed(this.error);
  }
}

const EMPTY = new Uint8Array(0);

/** The functions for all sockets of a listener or a client. */
export const bunHandlers: Omit<BunHandlers<BunSocketData>, 'open'> = {
  data: ({ data }, bytes) => data.transport?.receive(bytes),
  drain: ({ data }) => data.transport?.drain(),
  end: ({ data }) => data.transport?.ended(),
  close: ({ data }, error) => data?.transport?.closed(error),
  error: ({ data }, error) => data?.transport?.failed(error),
};
