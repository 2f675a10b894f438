/**
 * Bytes on their way to a backend: small ones are joined, so that a turn's messages leave in one write, and the memory they are
 * joined in is used again. It knows no messages.
 */

import type { Socket } from 'node:net';
import type { Clock } from '../transport/transport.ts';
import { StallWatch } from './stall.ts';
import type { ByteSink } from './stream-framing.ts';

/** As much as one read of a client gives. */
const SIZE = 131_072;
/** Buffers that wait for the next writer: more would only be kept for the worst hour. */
const SPARE = 8;

const spare: Uint8Array[] = [];

/** Writes to one socket. */
export class BackendWriter implements ByteSink {
  /** What the kernel did not take at once. */
  readonly watch: StallWatch;
  private readonly socket: Socket;
  private readonly clock: Clock;
  private readonly drained: () => void;
  private buffer: Uint8Array | null = null;
  private length = 0;
  /** Buffers that the socket has not written yet. */
  private flying: Uint8Array[] | null = null;
  private scheduled = false;
  private ended = false;

  /**
   * @param drained called when everything that was written has left, more often than somebody may wait for it
   * @param stalled called when nothing of what waits has left for the time of the watch
   */
  constructor(socket: Socket, clock: Clock, drained: () => void, stalled: () => void) {
    this.socket = socket;
    this.clock = clock;
    this.drained = drained;
    this.watch = new StallWatch(clock, stalled);
  }

  /** Bytes that have not left. */
  get unsent(): number {
    return this.length + this.socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    let at = 0;
    const { length } = bytes;
    while (at < length) {
      this.buffer ??= spare.pop() ?? new Uint8Array(SIZE);
      const count = Math.min(length - at, SIZE - this.length);
      if (count < 16) for (let i = 0; i < count; i++) this.buffer[this.length + i] = bytes[at + i]!;
      else this.buffer.set(count === length ? bytes : bytes.subarray(at, at + count), this.length);
      this.length += count;
      at += count;
      if (this.length === SIZE) this.push();
    }
    if (this.length > 0 && !this.scheduled) {
      this.scheduled = true;
      this.clock.defer(flush, this);
    }
  }

  /** Writes what has come together, unless the kernel takes no more: then it goes on coming together. */
  flush(): void {
    this.scheduled = false;
    // Else a buffer would fly with the few bytes of every turn.
    if (this.socket.writableLength === 0) this.push();
  }

  /** Writes what is left, then ends this direction. */
  end(): void {
    if (this.ended) return;
    this.push();
    this.ended = true;
    if (!this.socket.destroyed) this.socket.end();
  }

  private push(): void {
    const { buffer, length, socket } = this;
    if (buffer === null || length === 0) return;
    this.length = 0;
    if (this.ended || socket.destroyed) return;
    const free = socket.writableLength === 0;
    socket.write(length === SIZE ? buffer : buffer.subarray(0, length), this.written);
    // Nearly always the kernel took it at once, and nothing refers to the buffer any more.
    if (socket.writableLength === 0) {
      this.reclaim();
    } else {
      if (free) this.watch.moved();
      this.flying ??= [];
      this.flying.push(buffer);
      this.buffer = null;
    }
  }

  private readonly written = (): void => {
    if (this.socket.destroyed) return;
    if (this.socket.writableLength > 0) {
      this.watch.moved();
      return;
    }
    this.watch.rest();
    this.reclaim();
    if (!this.scheduled) this.push();
    this.drained();
  };

  /** Everything was written: the memory is free again. */
  private reclaim(): void {
    const { flying } = this;
    this.flying = null;
    if (flying !== null) for (const buffer of flying) giveBack(buffer);
    if (this.buffer !== null && this.length === 0) {
      giveBack(this.buffer);
      this.buffer = null;
    }
  }
}

function giveBack(buffer: Uint8Array): void {
  if (spare.length < SPARE) spare.push(buffer);
}

function flush(writer: BackendWriter): void {
  writer.flush();
}
