/**
 * Deflate for messages (RFC 7692 section 7.2.1). With context takeover a compressor keeps what was sent, up to twice the
 * window, in memory that grows with it; without, it keeps nothing and serves any number of connections.
 */

import { BlockWriter } from './block-writer.ts';
import type { Deflater, DeflaterOptions } from './codec.ts';
import { Matcher } from './matcher.ts';

const SMALLEST = 1_024;
const LEAST_MOST = 4_096;
/** Places are 32-bit numbers; long before they end the count begins again. */
const MOST_PLACES = 0x4000_0000;
const NONE = /* @__PURE__ */ new Uint8Array(0);

/** The table of last places has 2 to this power entries of four bytes. */
function hashBitsOf(memoryLevel: number, windowBits: number): number {
  return Math.min(memoryLevel + 6, windowBits);
}

/** Compresses the messages of one direction of a connection, each with regard to those before it. */
export class Deflate implements Deflater {
  private readonly level: number;
  private readonly window: number;
  private readonly memoryLevel: number;
  private readonly most: number;
  private matcher: Matcher | null = null;
  /** `buffer[0, end)` is what the peer's window ends with. */
  private buffer: Uint8Array = NONE;
  private end = 0;
  /** The place of `buffer[0]`, in all that was ever compressed. */
  private base = 0;
  /** The window moved during this call: what was there before cannot be brought back. */
  private slid = false;

  constructor(options: DeflaterOptions) {
    this.level = options.level;
    this.window = 1 << options.windowBits;
    this.memoryLevel = options.memoryLevel;
    this.most = Math.max(2 * this.window, LEAST_MOST);
  }

  /** Bytes of memory that are held between messages. */
  get retained(): number {
    return this.buffer.length + (this.matcher?.retained ?? 0);
  }

  deflate(piece: Uint8Array, last: boolean, atMost: number): Uint8Array | null {
    const writer = BlockWriter.shared;
    writer.begin();
    this.slid = false;
    const before = this.end;
    for (let at = 0; at < piece.length && writer.length <= atMost; ) {
      const size = this.makeRoom(piece.length - at);
      const { buffer, end } = this;
      buffer.set(piece.subarray(at, at + size), end);
      this.end = end + size;
      this.matcher!.run(buffer, end, this.end, this.base, writer);
      at += size;
    }
    writer.flush(!last);
    if (writer.length <= atMost) return writer.take();
    // The peer will not see it: history ends where it ended before, or is given up.
    if (this.slid) this.reset();
    else this.end = before;
    return null;
  }

  reset(): void {
    this.base += this.end;
    this.end = 0;
  }

  release(): void {
    this.buffer = NONE;
    this.matcher = null;
  }

  /** Makes room for `wish` bytes or fewer behind `end`; returns for how many. */
  private makeRoom(wish: number): number {
    if (this.end + wish > this.buffer.length) {
      if (this.buffer.length < this.most) this.grow(this.end + wish);
      if (this.end === this.buffer.length) this.slide();
    }
    return Math.min(wish, this.buffer.length - this.end);
  }

  private grow(wish: number): void {
    let capacity = Math.max(2 * this.buffer.length, SMALLEST);
    while (capacity < wish && capacity < this.most) capacity *= 2;
    const larger = new Uint8Array(Math.min(capacity, this.most));
    larger.set(this.buffer.subarray(0, this.end));
    this.buffer = larger;
    const window = Math.min(this.window, larger.length);
    this.matcher = new Matcher(this.level, window, hashBitsOf(this.memoryLevel, 31 - Math.clz32(window)));
    this.matcher.learn(larger, 0, this.end, this.base);
  }

  /** Moves the window to the front of the buffer. */
  private slide(): void {
    const from = this.end - this.window;
    this.buffer.copyWithin(0, from, this.end);
    this.base += from;
    this.end = this.window;
    this.slid = true;
    if (this.base < MOST_PLACES) return;
    this.base = 0;
    this.matcher!.clear();
    this.matcher!.learn(this.buffer, 0, this.end, 0);
  }
}

/** Compresses messages that have nothing to do with each other, where they lie. */
export class IndependentDeflate implements Deflater {
  private readonly matcher: Matcher;
  private place = 0;

  constructor({ level, windowBits, memoryLevel }: DeflaterOptions) {
    this.matcher = new Matcher(level, 1 << windowBits, hashBitsOf(memoryLevel, windowBits));
  }

  deflate(piece: Uint8Array, last: boolean, atMost: number): Uint8Array | null {
    const writer = BlockWriter.shared;
    writer.begin();
    if (this.place + piece.length >= MOST_PLACES) {
      this.matcher.clear();
      this.place = 0;
    }
    this.matcher.run(piece, 0, piece.length, this.place, writer);
    this.place += piece.length;
    writer.flush(!last);
    return writer.length <= atMost ? writer.take() : null;
  }

  reset(): void {}

  /** It holds nothing that the collector does not take. */
  release(): void {}
}
