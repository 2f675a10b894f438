/**
 * Inflate for messages (RFC 7692 section 7.2.2): output in pieces of at most 32 KiB, made only as they are read. One buffer
 * holds the window and the piece at hand; it starts small and grows with what was really inflated, up to twice the window.
 */

import { BlockReader, Stop } from './block-reader.ts';
import type { Inflater } from './codec.ts';

const PIECE = 32_768;
const SMALLEST = 512;
const NONE = /* @__PURE__ */ new Uint8Array(0);
/** RFC 7692 §7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message." */
const TAIL = /* @__PURE__ */ Uint8Array.of(0, 0, 0xff, 0xff);

/** Inflates the messages of one direction of a connection. */
export class Inflate implements Inflater {
  corrupt = false;

  private readonly window: number;
  /** The buffer never grows beyond this. */
  private readonly most: number;
  private readonly reader: BlockReader;
  /** The input at hand is ours: nobody else writes into it. */
  private owned = true;
  private last = false;
  private inTail = false;
  /** The input cannot be read; what was made before has been handed out. */
  private broken = false;

  /** @param windowBits a reference further back than 2 to this power is corrupt */
  constructor(windowBits: number) {
    this.window = 1 << windowBits;
    this.most = Math.max(2 * this.window, 4_096);
    this.reader = new BlockReader(this.window);
  }

  /** Bytes of memory that are held for output. */
  get retained(): number {
    return this.reader.out.length;
  }

  write(piece: Uint8Array, last: boolean): void {
    const { reader } = this;
    reader.input = piece;
    this.owned = false;
    this.last = last;
    this.inTail = false;
    // JSON shrinks to a fourth or so; what is never inflated is never allocated.
    if (reader.out.length === 0 && !this.corrupt) this.grow(4 * piece.length);
  }

  read(): Uint8Array | null {
    const { reader } = this;
    let start = reader.at;
    if (this.broken) this.fail();
    while (!this.corrupt) {
      const limit = Math.min(reader.out.length, start + PIECE);
      const why = reader.run(limit);
      if (this.inTail && reader.at > start) {
        // A stored block took the tail for its own: the message ends inside it.
        this.fail();
      } else if (why === Stop.needRoom) {
        if (limit === reader.out.length && limit < this.most) {
          this.grow(2 * limit);
        } else if (reader.at > start) {
          this.keepInput();
          return reader.out.subarray(start, reader.at);
        } else {
          start = this.slide();
        }
      } else if (why === Stop.corrupt) {
        // However the input was cut: first what it means so far, then that it cannot be read.
        if (reader.at === start) this.fail();
        else return this.drained(start, true);
      } else if (!this.last) {
        return this.drained(start);
      } else if (reader.complete) {
        // One that ends with a final block, or is empty, needs no tail; and some send it in full.
        return this.drained(start);
      } else if (this.inTail) {
        // The message ends inside a block.
        this.fail();
      } else if (reader.at > start) {
        return this.drained(start);
      } else {
        this.inTail = true;
        this.owned = true;
        reader.input = TAIL;
        reader.inputAt = 0;
      }
    }
    return null;
  }

  reset(): void {
    this.reader.at = 0;
  }

  release(): void {
    this.reader.release();
  }

  /** All input is used up, or no use: the output that is left. */
  private drained(start: number, broken = false): Uint8Array | null {
    const { reader } = this;
    this.broken = broken;
    reader.input = NONE;
    reader.inputAt = 0;
    return reader.at > start ? reader.out.subarray(start, reader.at) : null;
  }

  private fail(): void {
    this.corrupt = true;
    this.release();
  }

  private grow(wish: number): void {
    const { reader } = this;
    let capacity = SMALLEST;
    while (capacity < wish && capacity < this.most) capacity *= 2;
    const larger = new Uint8Array(Math.min(capacity, this.most));
    larger.set(reader.out.subarray(0, reader.at));
    reader.out = larger;
  }

  /** Moves the window to the front of the buffer; returns where it ends. */
  private slide(): number {
    const { reader } = this;
    const from = reader.at - this.window;
    reader.out.copyWithin(0, from, reader.at);
    reader.at -= from;
    return reader.at;
  }

  /** What is left of the input is ours from now on: the caller's buffer may change before the next call. */
  private keepInput(): void {
    if (this.owned) return;
    const { reader } = this;
    reader.input = reader.input.slice(reader.inputAt);
    reader.inputAt = 0;
    this.owned = true;
  }
}
