/**
 * A pair of web streams as a transport: what Deno, Workers, WebTransport and pages call a ReadableStream and a WritableStream
 * of bytes. It is written against their shape, so that it imports where there are none.
 */

import { BufferedTransport } from './buffered.ts';
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
export class WebStreamTransport extends BufferedTransport implements Transport {
  private readonly reader: ReturnType<ReadableBytes['getReader']>;
  private readonly writer: ReturnType<WritableBytes['getWriter']>;
  private readonly close: (() => void) | null;

  /** Locks both streams. */
  constructor(
    streams: { readonly readable: ReadableBytes; readonly writable: WritableBytes },
    options: StreamTransportOptions = {},
  ) {
    super(options.addresses);
    this.close = options.close ?? null;
    this.reader = streams.readable.getReader();
    this.writer = streams.writable.getWriter();
  }

  override start(sink: TransportSink): void {
    super.start(sink);
    this.writer.closed.then(this.onWriteOver, this.onError);
  }

  protected override fetch(): void {
    this.reader.read().then(this.onRead, this.onError);
  }

  private readonly onRead = ({ done, value }: { readonly done: boolean; readonly value?: unknown }): void => {
    if (!this.readDone()) return;
    if (done) {
      this.readEnded();
    } else if (value instanceof Uint8Array) {
      if (value.length > 0) this.sink?.received(value);
      this.read();
    } else {
      this.fail(new TypeError('the stream gave something that is no Uint8Array'));
    }
  };

  /** One piece at a time: a stream counts chunks, whatever their size, so that only small ones hold us back in time. */
  protected override flush(): void {
    const piece = this.queue.take();
    this.busy = true;
    this.writer.write(piece).then(() => {
      this.busy = false;
      this.wrote(piece.length);
    }, this.onError);
  }

  protected override shut(): void {
    this.writer.close().then(this.onWriteOver, this.onError);
  }

  protected override release(orderly: boolean, cause: unknown): void {
    try {
      this.close?.();
    } catch {
      // It is closed already.
    }
    if (orderly || this.close !== null) return;
    const reason = cause ?? new Error('the connection was dropped');
    // What is over already says so by rejecting.
    this.reader.cancel(reason).catch(ignore);
    this.writer.abort(reason).catch(ignore);
  }

  private readonly onWriteOver = (): void => this.writeEnded();

  private readonly onError = (error: unknown): void => this.fail(error);
}

function ignore(): void {}
