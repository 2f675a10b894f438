/**
 * A MessagePort as a transport, so that endpoints talk within a page or between threads, frames and all; a BroadcastChannel
 * that only two have opened serves as well. A port has no flow control, so it is put on top: each side tells how many bytes
 * it has taken. It is written against the shape of a port and imports where there is none.
 */

import { BufferedTransport } from './buffered.ts';
import type { Transport, TransportSink } from './transport.ts';

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
export class MessagePortTransport extends BufferedTransport implements Transport {
  private readonly port: PortLike;
  /** What came while reading was paused. */
  private waiting: (Uint8Array | typeof END)[] = [];
  private endReceived = false;
  private endSent = false;
  /** Bytes that were posted, of which the other side has not said that it took them. */
  private posted = 0;

  /** Takes the port over. Nobody else may post to it or listen to it. */
  constructor(port: PortLike) {
    super();
    this.port = port;
  }

  override start(sink: TransportSink): void {
    super.start(sink);
    const { port } = this;
    port.addEventListener('message', ({ data }) => this.take(data));
    port.addEventListener('messageerror', () => this.fail(new Error('a message could not be read')));
    // Only some runtimes tell it.
    port.addEventListener('close', () => this.fail(new Error('the port was closed')));
    port.start?.();
  }

  override destroy(): void {
    if (!this.over) this.port.postMessage(DROP);
    super.destroy();
  }

  override ref(): void {
    this.port.ref?.();
  }

  override unref(): void {
    this.port.unref?.();
  }

  protected override flush(): void {
    const piece = this.queue.take();
    this.posted += piece.length;
    this.port.postMessage(piece, [piece.buffer]);
    this.busy = this.posted >= WINDOW;
    this.pump();
  }

  protected override shut(): void {
    this.port.postMessage(END);
    this.endSent = true;
    this.endWhenTaken();
  }

  protected override fetch(): void {
    while (!this.paused && !this.over) {
      const message = this.waiting.shift();
      if (message === undefined) break;
      if (message === END) this.readEnded();
      else this.deliver(message);
    }
    this.readDone();
  }

  protected override release(): void {
    this.waiting = [];
    this.port.close();
  }

  private deliver(bytes: Uint8Array): void {
    const { length } = bytes;
    this.sink?.received(bytes);
    if (!this.over) this.port.postMessage(length);
  }

  private endWhenTaken(): void {
    if (this.endSent && this.unwritten === 0) this.writeEnded();
  }

  private take(message: unknown): void {
    if (this.over) return;
    if (typeof message === 'number' && message > 0 && message <= this.posted) {
      this.posted -= message;
      this.busy = this.posted >= WINDOW;
      this.wrote(message);
      // The last word of a side that has ended is how much it took.
      this.endWhenTaken();
    } else if (message === DROP) {
      this.fail(new Error('the other side dropped the connection'));
    } else if ((message === END || message instanceof Uint8Array) && !this.endReceived) {
      if (message === END) this.endReceived = true;
      this.waiting.push(message);
      this.read();
    } else {
      this.port.postMessage(DROP);
      this.fail(new Error('a message came that is none of ours'));
    }
  }
}
