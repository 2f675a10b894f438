/**
 * A pair of web streams as a transport: what Deno, Workers, WebTransport and pages call a ReadableStream and a WritableStream
 * of bytes. It is written against their shape, so that it imports where there are none.
 */

import { Pieces } from './pieces.ts';
import type { Addresses, Transport, TransportSink } from './transport.ts';

/** What is used of a `ReadableStream`. It must give `Uint8Array`s, each with memory of its own. @opaque */
export interface ReadableBytes {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
    cancel(reason?: unknown): Promise<unknown>;
  };
}

/** What is used of a `WritableStream`. It must take `Uint8Array`s. @opaque */
export interface WritableBytes {
  getWriter(): {
    write(chunk: Uint8Array): Promise<unknown>;
    close(): Promise<unknown>;
    abort(reason?: unknown): Promise<unknown>;
    readonly closed: Promise<unknown>;
  };
}

/** What is known of a stream besides its bytes. */
export interface StreamTransportOptions {
  /** Who is connected to whom. What is absent is null, and `secure` false. */
  readonly addresses?: Partial<Addresses>;
  /**
   * Closes what is under the streams; called once, when both directions are over or to be dropped. Default: the streams are
   * cancelled and aborted when they are to be dropped, which not every runtime takes for a reason to close their socket.
   */
  readonly close?: () => void;
}

/** The two directions of a byte stream. */
export class WebStreamTransport implements Transport {
  readonly addresses: Addresses;
  /** Bytes that the stream has not taken yet. */
  unwritten = 0;
  private readonly reader: ReturnType<ReadableBytes['getReader']>;
  private readonly writer: ReturnType<WritableBytes['getWriter']>;
  private readonly close: (() => void) | null;
  private sink: TransportSink | null = null;
  private paused = false;
  private reading = false;
  private readOver = false;
  private writeOver = false;
  private readonly pieces = new Pieces();
  private writing = false;
  private ending = false;
  private closing = false;
  private over = false;

  /** Locks both streams. */
  constructor(
    streams: { readonly readable: ReadableBytes; readonly writable: WritableBytes },
    options: StreamTransportOptions = {},
  ) {
    this.addresses = { ...NOWHERE, ...options.addresses };
    this.close = options.close ?? null;
    this.reader = streams.readable.getReader();
    this.writer = streams.writable.getWriter();
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    this.writer.closed.then(this.onWriteOver, this.onError);
    this.read();
  }

  write(chunks: readonly Uint8Array[]): number {
    if (this.over || this.ending) return 0;
    this.unwritten += this.pieces.add(chunks);
    this.pump();
    return this.unwritten;
  }

  end(): void {
    if (this.over || this.ending) return;
    this.ending = true;
    this.pump();
  }

  destroy(): void {
    if (this.over) return;
    this.drop(new Error('the connection was dropped'));
    this.finish(undefined);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.read();
  }

  ref(): void {}

  unref(): void {}

  private read(): void {
    if (this.reading || this.paused || this.readOver || this.over || this.sink === null) return;
    this.reading = true;
    this.reader.read().then(this.onRead, this.onError);
  }

  private readonly onRead = ({ done, value }: { readonly done: boolean; readonly value?: unknown }): void => {
    this.reading = false;
    if (this.over) return;
    if (done) {
      this.readOver = true;
      this.sink?.ended();
      this.settle();
    } else if (value instanceof Uint8Array) {
      if (value.length > 0) this.sink?.received(value);
      this.read();
    } else {
      this.onError(new TypeError('the stream gave something that is no Uint8Array'));
    }
  };

  /** One piece at a time: a stream counts chunks, whatever their size, so that only small ones hold us back in time. */
  private pump(): void {
    if (this.writing || this.over) return;
    if (!this.pieces.isEmpty) {
      const piece = this.pieces.take();
      this.writing = true;
      this.writer.write(piece).then(() => this.wrote(piece.length), this.onError);
    } else if (this.ending && !this.closing) {
      this.closing = true;
      this.writer.close().then(this.onWriteOver, this.onError);
    }
  }

  private wrote(length: number): void {
    this.writing = false;
    this.unwritten -= length;
    if (this.over) return;
    this.sink?.written();
    this.pump();
  }

  private readonly onWriteOver = (): void => {
    this.writeOver = true;
    this.settle();
  };

  private readonly onError = (error: unknown): void => {
    if (this.over) return;
    this.drop(error);
    this.finish(error ?? new Error('the stream failed'));
  };

  private settle(): void {
    if (this.readOver && this.writeOver && !this.over) this.finish(undefined);
  }

  private drop(reason: unknown): void {
    if (this.close !== null) return;
    // What is over already says so by rejecting.
    this.reader.cancel(reason).catch(ignore);
    this.writer.abort(reason).catch(ignore);
  }

  private finish(cause: unknown): void {
    this.over = true;
    this.pieces.clear();
    this.close?.();
    // Later: whoever called us is in the middle of a turn.
    Promise.resolve().then(() => {
      const { sink } = this;
      this.sink = null;
      sink?.closed(cause);
    });
  }
}

/** Addresses of a stream that has none. */
export const NOWHERE: Addresses = {
  remoteAddress: null,
  remotePort: null,
  localAddress: null,
  localPort: null,
  secure: false,
};

function ignore(): void {}
