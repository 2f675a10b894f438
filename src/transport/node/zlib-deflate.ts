/**
 * Compressing with zlib. A connection's own compressor costs zlib 100 KiB and more whatever the window, so that only the
 * busiest connections have one; the others compress with the pure code, whose memory follows the window.
 */

import { createDeflateRaw } from 'node:zlib';
import type { Deflater, DeflaterOptions } from '../../extension/permessage-deflate/codec.ts';
import { Deflate } from '../../extension/permessage-deflate/deflate.ts';
import { concat, Native, NONE, OUT_SIZE, out, TAIL, Z_SYNC_FLUSH } from './zlib-handle.ts';

/** So many compressors of zlib have contexts of connections: 13 to 28 MiB in all, by the window. */
const MOST_SEATS = 128;
/** A connection asks for one when it has compressed so many bytes: what its context was worth is little against that. */
const BUSY = 65_536;

/** Compresses the messages of one direction; without context takeover those of any number of connections. */
export class NativeDeflate implements Deflater {
  private readonly native: Native;
  private readonly forgets: boolean;

  constructor({ level, windowBits, memoryLevel, contextTakeover }: DeflaterOptions) {
    // What is kept between messages is small where the window is; a shared compressor may take what it likes.
    const memLevel = contextTakeover ? Math.max(memoryLevel - 15 + windowBits, Math.min(memoryLevel, 5)) : memoryLevel;
    this.native = new Native(createDeflateRaw({ chunkSize: 64, level, windowBits, memLevel }));
    this.forgets = !contextTakeover;
  }

  deflate(piece: Uint8Array, last: boolean, atMost: number): Uint8Array | null {
    if (piece.length === 0) return emptyBlock(last, atMost);
    const { native } = this;
    let whole: Uint8Array = NONE;
    let at = 0;
    do {
      native.run(Z_SYNC_FLUSH, piece, at, piece.length);
      if (native.failed) {
        native.reset();
        throw new Error('zlib could not compress');
      }
      at = piece.length - native.left;
      whole = joined(whole, native.made);
    } while (native.made === OUT_SIZE && whole.length <= atMost + TAIL.length);
    const size = last ? whole.length - TAIL.length : whole.length;
    if (size > atMost) {
      // zlib cannot take one message back; all of the history goes.
      native.reset();
      return null;
    }
    if (this.forgets) native.reset();
    return whole.subarray(0, size);
  }

  reset(): void {
    this.native.reset();
  }

  release(): void {
    this.native.close();
  }
}

/** Compresses the messages of one connection: with the pure code until it has proved busy, and again when others are busier. */
export class SeatedDeflate implements Deflater {
  /** Used since the last look for a free seat. */
  used = false;
  private readonly options: DeflaterOptions;
  private current: Deflater;
  private seated = false;
  private done = 0;

  constructor(options: DeflaterOptions) {
    this.options = options;
    this.current = new Deflate(options);
  }

  deflate(piece: Uint8Array, last: boolean, atMost: number): Uint8Array | null {
    this.used = true;
    this.done += piece.length;
    if (this.done >= BUSY && !this.seated && seats.take(this)) {
      this.seated = true;
      this.change(new NativeDeflate(this.options));
    }
    return this.current.deflate(piece, last, atMost);
  }

  /** The seat goes to another; a compressor may forget its context at any time. */
  rise(): void {
    this.seated = false;
    this.done = 0;
    this.change(new Deflate(this.options));
  }

  reset(): void {
    this.current.reset();
  }

  release(): void {
    if (this.seated) seats.leave(this);
    this.seated = false;
    this.current.release();
  }

  private change(next: Deflater): void {
    this.current.release();
    this.current = next;
  }
}

/** Who has a compressor of zlib: those who compressed of late. */
class Seats {
  private readonly holders: SeatedDeflate[] = [];
  private hand = 0;

  take(who: SeatedDeflate): boolean {
    const { holders } = this;
    if (holders.length < MOST_SEATS) {
      holders.push(who);
      return true;
    }
    // Each look at a holder costs it its mark; one without has been idle for as long as all the others were looked at.
    const { hand } = this;
    const holder = holders[hand]!;
    const free = !holder.used;
    holder.used = false;
    this.hand = (hand + 1) % MOST_SEATS;
    if (!free) return false;
    holder.rise();
    holders[hand] = who;
    return true;
  }

  leave(who: SeatedDeflate): void {
    const { holders } = this;
    const at = holders.indexOf(who);
    const last = holders.pop()!;
    if (last !== who) holders[at] = last;
    if (this.hand >= holders.length) this.hand = 0;
  }
}

const seats = /* @__PURE__ */ new Seats();

/** `whole`, and the first `made` bytes of `out` behind it. */
function joined(whole: Uint8Array, made: number): Uint8Array {
  return whole.length === 0 ? out.slice(0, made) : concat(whole, out.subarray(0, made));
}

/** zlib has nothing to flush without input: this is what it would write. */
function emptyBlock(last: boolean, atMost: number): Uint8Array | null {
  const block = Uint8Array.of(0, 0, 0, 0xff, 0xff).subarray(0, last ? 1 : 5);
  return block.length > atMost ? null : block;
}
