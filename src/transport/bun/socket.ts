/** A socket of Bun as a transport. Bun calls one set of functions for all sockets; each finds its transport in `data`. */

import { BufferedTransport } from '../buffered.ts';
import type { Transport, TransportSink } from '../transport.ts';
import type { BunHandlers, BunSocket } from './api.ts';

/** What a socket keeps in `data`: its transport, once it is open. @opaque */
export interface BunSocketData {
  transport: BunSocketTransport | null;
}

/** One socket of Bun. */
export class BunSocketTransport extends BufferedTransport implements Transport {
  private readonly socket: BunSocket<BunSocketData>;
  private early: Uint8Array[] = [];
  private error: unknown = undefined;
  private gone = false;

  /** Takes the socket over; `secure`: it is one of TLS. */
  constructor(socket: BunSocket<BunSocketData>, secure = false) {
    super({
      remoteAddress: socket.remoteAddress,
      remotePort: socket.remotePort ?? null,
      localAddress: socket.localAddress ?? null,
      localPort: socket.localPort,
      secure,
    });
    this.socket = socket;
    socket.data.transport = this;
  }

  override start(sink: TransportSink): void {
    super.start(sink);
    for (const bytes of this.early.splice(0)) sink.received(bytes);
    if (this.readOver) sink.ended();
  }

  override pause(): void {
    this.socket.pause();
  }

  override resume(): void {
    this.socket.resume();
  }

  override ref(): void {
    this.socket.ref();
  }

  override unref(): void {
    this.socket.unref();
  }

  /** @internal */
  receive(bytes: Uint8Array): void {
    if (this.sink === null) this.early.push(bytes);
    else this.sink.received(bytes);
  }

  /** @internal The system takes more. */
  drain(): void {
    const before = this.unwritten;
    this.busy = false;
    this.pump();
    if (this.unwritten < before) this.wrote(0);
  }

  /** @internal */
  ended(): void {
    this.readEnded();
  }

  /** @internal */
  failed(error: unknown): void {
    this.error ??= error;
  }

  /** @internal */
  closed(error?: unknown): void {
    this.failed(error);
    this.gone = true;
    this.finish(this.error);
  }

  /** Bun reads by itself. */
  protected override fetch(): void {}

  protected override flush(): void {
    const bytes = this.queue.next();
    // Less than nothing: the socket is gone, and `close` follows.
    const taken = Math.max(0, this.socket.write(bytes));
    this.unwritten -= taken;
    this.busy = taken < bytes.length;
    if (this.busy) this.queue.back(bytes.subarray(taken));
    else this.pump();
  }

  protected override shut(): void {
    this.socket.shutdown();
    this.writeEnded();
  }

  protected override release(orderly: boolean): void {
    if (this.gone) return;
    if (orderly || this.socket.terminate === undefined) this.socket.end();
    else this.socket.terminate();
  }
}

/** The functions for all sockets of a listener or a client. */
export const bunHandlers: Omit<BunHandlers<BunSocketData>, 'open'> = {
  // As the engine wants it: no view of ours on every read.
  binaryType: 'uint8array',
  data: ({ data }, bytes) => data.transport?.receive(bytes),
  drain: ({ data }) => data.transport?.drain(),
  end: ({ data }) => data.transport?.ended(),
  close: ({ data }, error) => data?.transport?.closed(error),
  error: ({ data }, error) => data?.transport?.failed(error),
};
