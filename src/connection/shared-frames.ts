/**
 * Messages that are encoded once for many connections: one frame each, one behind the other in memory that all of them refer to.
 * A connection that gets several in a turn writes them as one piece, and none is copied.
 */

import { headerSize, writeHeader } from '../codec/frame-encoder.ts';
import type { Memory, Slab } from '../codec/memory.ts';
import type { Opcode } from '../codec/opcode.ts';
import type { TextCodec } from '../codec/utf8.ts';

/** A larger frame has memory of its own. */
const LARGE = 4_096;

/** An unmasked frame for any number of connections. */
export interface SharedFrame {
  /** The whole frame. */
  readonly bytes: Uint8Array;
  /** Where it lies from `start` on; whoever refers to it retains it. Null: in memory of its own. */
  readonly slab: Slab | null;
  readonly start: number;
}

/** Encodes frames for many connections of a server. */
export class SharedFrames {
  private readonly memory: Memory;
  private readonly text: TextCodec;
  /** Held by us as long as it is written to. */
  private slab: Slab | null = null;
  private end = 0;

  constructor(memory: Memory, text: TextCodec) {
    this.memory = memory;
    this.text = text;
  }

  /**
   * A whole message of `size` bytes; text must be well-formed. What one connection gets alone goes among its own output. The
   * slab is retained for the caller: release it when everybody has the frame.
   */
  encode(opcode: Opcode, data: string | Uint8Array, size: number, shared: boolean): SharedFrame {
    const wireSize = headerSize(size, false) + size;
    const slab = shared && wireSize <= LARGE ? this.room(wireSize) : null;
    const into = slab === null ? new Uint8Array(wireSize) : slab.bytes;
    const start = slab === null ? 0 : this.end;
    const at = writeHeader(into, start, 0x80 | opcode, size, false, 0);
    if (typeof data === 'string') this.text.encodeInto(data, into, at);
    else into.set(data, at);
    if (slab !== null) {
      this.end += wireSize;
      slab.retain();
    }
    return { bytes: into.subarray(start, start + wireSize), slab, start };
  }

  private room(size: number): Slab {
    const { slab } = this;
    // Everything in it was written, or forgotten: it is used again from its beginning.
    if (slab?.holderCount === 1) this.end = 0;
    if (slab !== null && this.end + size <= slab.bytes.length) return slab;
    slab?.release();
    const next = this.memory.takeSlab();
    next.retain();
    this.slab = next;
    this.end = 0;
    return next;
  }
}
