/**
 * What transports have in common that keep their output themselves: a queue, one write under way, an end behind the last of
 * them, one report when all is over. Each adds how its stream reads, writes, shuts and is let go.
 */

import { Pieces } from './pieces.ts';
import type { Addresses, Transport, TransportSink } from './transport.ts';

/** Addresses of a stream that has none. */
export const NOWHERE: Addresses = {
  remoteAddress: null,
  remotePort: null,
  localAddress: null,
  localPort: null,
  secure: false,
};

/** A transport over a stream that takes one write at a time. */
export abstract class BufferedTransport implements Transport {
  readonly addresses: Addresses;
  /** Bytes that the stream has not taken yet. */
  unwritten = 0;
  /** @hidden */
  protected sink: TransportSink | null = null;
  /** @hidden */
  protected readonly queue: Pieces = new Pieces();
  /** @hidden A write is under way, or the stream takes none now. */
  protected busy = false;
  /** @hidden */
  protected paused = false;
  /** @hidden The peer has ended its direction, and that was told. */
  protected readOver = false;
  /** @hidden */
  protected over = false;
  private reading = false;
  private ending = false;
  private shutting = false;
  private writeOver = false;
  private cause: unknown = undefined;

  /** What is absent is null, and `secure` false. */
  constructor(addresses: Partial<Addresses> = {}) {
    this.addresses = { ...NOWHERE, ...addresses };
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    if (this.over) Promise.resolve().then(() => this.tell());
    else this.read();
  }

  write(chunks: readonly Uint8Array[]): number {
    if (this.over || this.ending) return 0;
    this.unwritten += this.queue.add(chunks);
    this.pump();
    return this.unwritten;
  }

  end(): void {
    this.ending = true;
    this.pump();
  }

  destroy(): void {
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

  /** @hidden Asks for bytes; `readDone` comes before the next call. */
  protected abstract fetch(): void;

  /** @hidden Writes the next of the queue, which is not empty; `wrote` follows. */
  protected abstract flush(): void;

  /** @hidden Ends the outgoing direction, once; `writeEnded` follows. */
  protected abstract shut(): void;

  /** @hidden Lets go of what is under it, once; `orderly`: both directions have ended. */
  protected abstract release(orderly: boolean, cause: unknown): void;

  /** @hidden */
  protected read(): void {
    if (this.reading || this.paused || this.readOver || this.over || this.sink === null) return;
    this.reading = true;
    this.fetch();
  }

  /** @hidden What was asked for has come; false if nobody wants it any more. */
  protected readDone(): boolean {
    this.reading = false;
    return !this.over;
  }

  /** @hidden */
  protected readEnded(): void {
    if (this.readOver || this.over) return;
    this.readOver = true;
    this.sink?.ended();
    this.settle();
  }

  /** @hidden */
  protected pump(): void {
    if (this.busy || this.over) return;
    if (!this.queue.isEmpty) {
      this.flush();
    } else if (this.ending && !this.shutting) {
      this.shutting = true;
      this.shut();
    }
  }

  /** @hidden */
  protected wrote(length: number): void {
    this.unwritten -= length;
    if (this.over) return;
    this.sink?.written();
    this.pump();
  }

  /** @hidden */
  protected writeEnded(): void {
    this.writeOver = true;
    this.settle();
  }

  /** @hidden The stream broke. */
  protected fail(error: unknown): void {
    this.finish(error ?? new Error('the stream failed'));
  }

  /** @hidden The end, in order if there is no cause. */
  protected finish(cause: unknown): void {
    if (this.over) return;
    this.over = true;
    this.cause = cause;
    this.queue.clear();
    // Later: whoever called us is in the middle of a turn.
    Promise.resolve().then(() => {
      this.release(this.readOver && this.writeOver, cause);
      this.tell();
    });
  }

  private settle(): void {
    if (this.readOver && this.writeOver) this.finish(undefined);
  }

  private tell(): void {
    const { sink } = this;
    this.sink = null;
    sink?.closed(this.cause);
  }
}
