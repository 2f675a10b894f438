/**
 * A MessagePort as a transport, so that endpoints talk within a page or between threads, frames and all; a BroadcastChannel
 * that only two have opened serves as well. A port has no flow control, so it is put on top: each side tells how many bytes
 * it has taken. It is written against the shape of a port and imports where there is none.
 */

import { Pieces } from './pieces.ts';
import type { Addresses, Transport, TransportSink } from './transport.ts';
import { NOWHERE } from './web-streams.ts';

/** What is used of a `MessagePort` or a `BroadcastChannel`. @opaque */
export interface PortLike {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  addEventListener(
    type: 'message' | 'messageerror' | 'close',
    listener: (event: { readonly data?: unknown }) => void,
  ): void;
  start?(): void;
  close(): void;
  ref?(): void;
  unref?(): void;
}

/** What goes over the port besides bytes; a number says how many bytes were taken. */
const END = 'end';
const DROP = 'drop';

/** The most bytes that wait at the other side, but for one piece. */
const WINDOW = 262_144;

/** One end of a channel. */
export class MessagePortTransport implements Transport {
  readonly addresses: Addresses = NOWHERE;
  /** Bytes that the other side has not taken yet. */
  unwritten = 0;
  private readonly port: PortLike;
  private sink: TransportSink | null = null;
  /** What came while reading was paused. */
  private waiting: (Uint8Array | typeof END)[] = [];
  private delivering = false;
  private paused = false;
  private readonly pieces = new Pieces();
  /** Bytes that were posted, of which the other side has not said that it took them. */
  private posted = 0;
  private ending = false;
  private endSent = false;
  private endReceived = false;
  private over = false;

  /** Takes the port over. Nobody else may post to it or listen to it. */
  constructor(port: PortLike) {
    this.port = port;
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    const { port } = this;
    port.addEventListener('message', ({ data }) => this.take(data));
    port.addEventListener('messageerror', () => this.fail(new Error('a message could not be read')));
    // Only some runtimes tell it.
    port.addEventListener('close', () => this.fail(new Error('the port was closed')));
    port.start?.();
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
    this.settle();
  }

  destroy(): void {
    if (this.over) return;
    this.port.postMessage(DROP);
    this.finish(undefined);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.deliver();
  }

  ref(): void {
    this.port.ref?.();
  }

  unref(): void {
    this.port.unref?.();
  }

  private pump(): void {
    while (this.posted < WINDOW && !this.pieces.isEmpty && !this.over) {
      const piece = this.pieces.take();
      this.posted += piece.length;
      this.port.postMessage(piece, [piece.buffer]);
    }
    if (!this.ending || this.endSent || this.over || !this.pieces.isEmpty) return;
    this.endSent = true;
    this.port.postMessage(END);
  }

  private take(message: unknown): void {
    if (this.over) return;
    if (typeof message === 'number' && message > 0 && message <= this.posted) {
      this.posted -= message;
      this.unwritten -= message;
      this.sink?.written();
      this.pump();
      // The last word of a side that has ended is how much it took.
      this.settle();
    } else if (message === DROP) {
      this.finish(new Error('the other side dropped the connection'));
    } else if ((message === END || message instanceof Uint8Array) && !this.endReceived) {
      if (message === END) this.endReceived = true;
      this.waiting.push(message);
      this.deliver();
    } else {
      this.port.postMessage(DROP);
      this.finish(new Error('a message came that is none of ours'));
    }
  }

  private deliver(): void {
    if (this.delivering) return;
    this.delivering = true;
    while (!this.paused && !this.over) {
      const message = this.waiting.shift();
      if (message === undefined) break;
      if (message === END) {
        this.sink?.ended();
      } else {
        const { length } = message;
        this.sink?.received(message);
        if (!this.over) this.port.postMessage(length);
      }
    }
    this.delivering = false;
    this.settle();
  }

  private settle(): void {
    const done = this.endSent && this.endReceived && this.waiting.length === 0 && this.unwritten === 0;
    if (done && !this.delivering && !this.over) this.finish(undefined);
  }

  private fail(error: Error): void {
    if (!this.over) this.finish(error);
  }

  private finish(cause: Error | undefined): void {
    this.over = true;
    this.waiting = [];
    this.pieces.clear();
    // Later: whoever called us is in the middle of a turn.
    Promise.resolve().then(() => {
      const { sink } = this;
      this.sink = null;
      this.port.close();
      sink?.closed(cause);
    });
  }
}
