/**
 * Decompressing with zlib (measured: a third of the time of the pure code). It holds what zlib cannot tell: whether a message
 * ended inside a block, and the window behind a final block.
 */

import { createInflateRaw } from 'node:zlib';
import type { Inflater } from '../../extension/permessage-deflate/codec.ts';
import { Inflate } from '../../extension/permessage-deflate/inflate.ts';
import { concat, Native, NONE, OUT_SIZE, out, TAIL, Z_BLOCK, Z_SYNC_FLUSH } from './zlib-handle.ts';

const TAIL_SIZE = 4;
/** The tail, and an octet that no block begins with: zlib leaves it if the tail ended a block. */
const TAIL_AND_STOP = /* @__PURE__ */ Uint8Array.of(0, 0, 0xff, 0xff, 0xff);
/** What is left of it then; all of it is left behind a final block. */
const STOP_SIZE = 1;

/**
 * Decompresses the messages of one direction. zlib forgets its window at a final block, where RFC 7692 section 7.2.3.4 goes
 * on: then the pure code takes over for good, with the window that is kept here.
 */
export class NativeInflate implements Inflater {
  corrupt = false;

  private readonly windowBits: number;
  private readonly history: History;
  private native: Native | null = null;
  private pure: Inflate | null = null;
  /** `input[inputAt, inputEnd)` is to be read. */
  private input: Uint8Array = NONE;
  private inputAt = 0;
  private inputEnd = 0;
  /** The end of what came before the last piece: if it is the tail, a peer has sent that in full. */
  private held: Uint8Array = NONE;
  private owned = true;
  private last = false;
  /** The message has had an octet. */
  private begun = false;
  /** It ends with the tail, which zlib is given once. */
  private tailed = false;
  /** Output waits in zlib: there was no room for it. */
  private full = false;

  constructor(windowBits: number) {
    this.windowBits = windowBits;
    this.history = new History(1 << windowBits);
  }

  write(piece: Uint8Array, last: boolean): void {
    if (this.pure !== null) {
      this.pure.write(piece, last);
      return;
    }
    const { held } = this;
    this.owned = held.length > 0;
    const input = this.owned ? concat(held, piece) : piece;
    this.tailed = last && endsWithTail(input);
    const kept = this.tailed ? TAIL_SIZE : last ? 0 : Math.min(TAIL_SIZE, input.length);
    this.inputEnd = input.length - kept;
    this.held = last || kept === 0 ? NONE : input.slice(this.inputEnd);
    this.input = input;
    this.inputAt = 0;
    this.last = last;
    if (piece.length > 0) this.begun = true;
  }

  read(): Uint8Array | null {
    if (this.pure !== null) return this.readPure(this.pure);
    if (this.corrupt) return null;
    while (this.full || this.inputAt < this.inputEnd) {
      const made = this.run();
      if (made === null) return this.read();
      if (made.length > 0) return made;
    }
    this.input = NONE;
    this.inputAt = this.inputEnd = 0;
    if (this.last) this.end();
    return this.pure === null ? null : this.readPure(this.pure);
  }

  reset(): void {
    this.pure?.release();
    this.pure = null;
    this.history.clear();
    this.native?.reset();
  }

  release(): void {
    this.native?.close();
    this.native = null;
    this.pure?.release();
    this.input = NONE;
  }

  private readPure(pure: Inflate): Uint8Array | null {
    const made = pure.read();
    this.corrupt = pure.corrupt;
    return made;
  }

  /** One call; null if another way must be tried. */
  private run(): Uint8Array | null {
    const { input, inputEnd } = this;
    const native = this.started();
    native.run(Z_SYNC_FLUSH, input, this.inputAt, inputEnd);
    if (native.failed) {
      this.fail();
      return null;
    }
    const { made, left } = native;
    this.inputAt = inputEnd - left;
    this.full = made === OUT_SIZE;
    if (made > 0) this.history.add(made);
    if (left > 0 && !this.full) {
      // There is room, and yet input is left: a final block ended before it.
      this.leave(input.slice(this.inputAt), this.last);
      if (made === 0) return null;
    }
    if (this.pure === null) this.keepInput();
    return out.subarray(0, made);
  }

  /** RFC 7692 §7.2.2: appends the tail. The message has ended well if that ends a block. */
  private end(): void {
    this.last = false;
    const { begun, tailed } = this;
    this.begun = false;
    // An empty payload is an empty message.
    if (!begun) return;
    const native = this.started();
    native.run(Z_BLOCK, TAIL_AND_STOP, 0, TAIL_AND_STOP.length);
    const { failed, made, left } = native;
    if (failed || made > 0) this.fail();
    // Behind a final block a tail that was sent is the next block's beginning.
    else if (left === TAIL_AND_STOP.length) this.leave(tailed ? TAIL : NONE, tailed);
    else if (left !== STOP_SIZE) this.fail();
  }

  private started(): Native {
    this.native ??= new Native(createInflateRaw({ chunkSize: 64, windowBits: this.windowBits }));
    return this.native;
  }

  /** Goes on with the pure code, which needs no end of a stream. */
  private leave(rest: Uint8Array, last: boolean): void {
    const pure = new Inflate(this.windowBits);
    pure.write(this.history.asMessage(), true);
    while (pure.read() !== null);
    if (rest.length > 0) pure.write(rest, last);
    this.pure = pure;
    this.input = this.held = NONE;
    this.full = false;
    this.native!.close();
    this.native = null;
  }

  private fail(): void {
    this.corrupt = true;
    this.full = false;
    this.release();
  }

  /** What is left of the input is ours from now on: the caller's buffer may change before the next call. */
  private keepInput(): void {
    if (this.owned) return;
    this.input = this.input.slice(this.inputAt);
    this.inputEnd -= this.inputAt;
    this.inputAt = 0;
    this.owned = true;
  }
}

/** The last output, as much as a reference may go back to. It grows with what there is. */
class History {
  private readonly most: number;
  private bytes: Uint8Array = NONE;
  /** Where the next byte goes; behind it lies the oldest, once all is full. */
  private at = 0;
  private full = false;

  constructor(most: number) {
    this.most = most;
  }

  /** Adds the first `made` bytes of `out`. */
  add(made: number): void {
    const { most } = this;
    if (made >= most) {
      this.grow(most);
      this.bytes.set(out.subarray(made - most, made));
      this.at = 0;
      this.full = true;
      return;
    }
    if (!this.full) this.grow(this.at + made);
    const first = Math.min(made, most - this.at);
    this.bytes.set(out.subarray(0, first), this.at);
    this.bytes.set(out.subarray(first, made), 0);
    this.at += made;
    if (this.at < most) return;
    this.at -= most;
    this.full = true;
  }

  clear(): void {
    this.at = 0;
    this.full = false;
  }

  /** All of it as a stored block (RFC 1951 section 3.2.4) and a flush, as a message ends. */
  asMessage(): Uint8Array {
    const size = this.full ? this.most : this.at;
    const message = new Uint8Array(5 + size + 5);
    message.set([0, size & 0xff, size >>> 8, ~size & 0xff, (~size >>> 8) & 0xff]);
    const older = this.full ? this.bytes.subarray(this.at) : NONE;
    message.set(older, 5);
    message.set(this.bytes.subarray(0, this.at), 5 + older.length);
    message.set(TAIL, 5 + size + 1);
    return message;
  }

  private grow(wish: number): void {
    if (this.bytes.length >= Math.min(wish, this.most)) return;
    let capacity = Math.max(2 * this.bytes.length, 512);
    while (capacity < wish) capacity *= 2;
    const larger = new Uint8Array(Math.min(capacity, this.most));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

function endsWithTail(bytes: Uint8Array): boolean {
  const end = bytes.length;
  return end >= TAIL_SIZE && TAIL.every((octet, i) => bytes[end - TAIL_SIZE + i] === octet);
}
