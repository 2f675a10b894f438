/**
 * Output that the transport has not written yet: frames are encoded straight into shared slabs, large payloads wait by
 * reference, and one slot holds the pong (RFC 6455 section 5.5.3). It counts every byte from queueing until it is written.
 * It knows frames but no phases: who may send what is decided above.
 */

import { headerSize, writeHeader } from '../codec/frame-encoder.ts';
import { applyMask, copyMasked } from '../codec/mask.ts';
import type { Memory, Owner, Slab } from '../codec/memory.ts';
import { Opcode } from '../codec/opcode.ts';
import type { TextCodec } from '../codec/utf8.ts';
import type { MaskKeys } from './mask-keys.ts';
import type { SharedFrame } from './shared-frames.ts';

/** Up to here a payload is copied behind its header; above, it waits where it is (measured: 16 KiB copy in 0.3 us). */
const COPY_LIMIT = 32_768;
const NOTHING: readonly Uint8Array[] = [];

interface Piece {
  /** Without the part of them that was taken. */
  bytes: Uint8Array;
  readonly owner: Owner | null;
}

interface Flight {
  readonly owner: Owner;
  /** How many bytes must have been written in all until the owner gets its memory back. */
  readonly mark: number;
}

/** The outgoing side of a connection. */
export class Outgoing {
  /** Bytes queued and not yet taken, the pending pong included. */
  length = 0;
  /** Bytes taken since the beginning, and of these the ones written. */
  taken = 0;
  writtenTotal = 0;

  private readonly memory: Memory;
  private readonly text: TextCodec;
  /** Masking keys on a client, null on a server. */
  private readonly keys: MaskKeys | null;
  /** The open region: `slab.bytes[start, end)`, with room until `limit`. */
  private slab: Slab | null = null;
  private start = 0;
  private end = 0;
  private limit = 0;
  private pieces: Piece[] | null = null;
  /** A part of the first piece was taken. */
  private cut = false;
  private pong: Uint8Array | null = null;
  private firstFlight: Flight | null = null;
  private flights: Flight[] | null = null;

  constructor(memory: Memory, text: TextCodec, keys: MaskKeys | null) {
    this.memory = memory;
    this.text = text;
    this.keys = keys;
  }

  /** Bytes that have not been written: queued, or taken and still with the transport. */
  get unsent(): number {
    return this.length + this.taken - this.writtenTotal;
  }

  /** Queues a frame that other connections get too: it is referred to, not copied. */
  share(frame: SharedFrame): void {
    const { slab, start, bytes } = frame;
    // Where output piles up it is copied: a reference would keep all of the slab for each little frame.
    if (slab === null || this.taken > this.writtenTotal) {
      this.append(bytes);
      return;
    }
    const end = start + bytes.length;
    if (this.slab !== slab || this.end !== start) {
      this.closeRegion();
      slab.retain();
      this.slab = slab;
      this.start = start;
    }
    this.end = this.limit = end;
    this.length += bytes.length;
  }

  /** Queues bytes that are no frame (the opening handshake), or whole frames that were encoded before and never change. */
  append(bytes: Uint8Array): void {
    if (bytes.length > 4_096) {
      this.closeRegion();
      this.push(bytes, null);
    } else {
      this.reserve(bytes.length);
      this.slab!.bytes.set(bytes, this.end);
      this.end += bytes.length;
    }
    this.length += bytes.length;
  }

  /**
   * Queues a frame. Small and masked payloads are copied, others are referenced until they are written.
   *
   * @param first FIN, reserved bits and opcode
   * @returns the bytes that it takes on the wire
   */
  frame(first: number, payload: Uint8Array): number {
    const size = payload.length;
    const masked = this.keys !== null;
    const wireSize = headerSize(size, masked) + size;
    this.length += wireSize;
    if (size > COPY_LIMIT) {
      this.largeFrame(first, payload, wireSize);
      return wireSize;
    }
    this.reserve(wireSize);
    const into = this.slab!.bytes;
    if (this.keys !== null) {
      const key = this.keys.next();
      const at = writeHeader(into, this.end, first, size, true, key);
      copyMasked(payload, 0, size, into, at, key);
    } else {
      const at = writeHeader(into, this.end, first, size, false, 0);
      if (size < 32) for (let i = 0; i < size; i++) into[at + i] = payload[i]!;
      else into.set(payload, at);
    }
    this.end += wireSize;
    return wireSize;
  }

  private largeFrame(first: number, payload: Uint8Array, wireSize: number): void {
    const size = payload.length;
    if (this.keys !== null) {
      // §5.3: a client masks; the caller's bytes stay as they are.
      this.closeRegion();
      const buffer = this.memory.pooled(wireSize);
      const key = this.keys.next();
      const at = writeHeader(buffer.bytes, 0, first, size, true, key);
      copyMasked(payload, 0, size, buffer.bytes, at, key);
      this.push(buffer.bytes.subarray(0, wireSize), buffer);
      return;
    }
    this.reserve(wireSize - size);
    this.end = writeHeader(this.slab!.bytes, this.end, first, size, false, 0);
    this.closeRegion();
    const lender = this.memory.lender(payload.buffer);
    if (lender === undefined) {
      this.push(payload, null);
    } else if (lender !== null) {
      this.push(payload, lender.retain());
    } else {
      const buffer = this.memory.pooled(size);
      buffer.bytes.set(payload);
      this.push(buffer.bytes.subarray(0, size), buffer);
    }
  }

  /**
   * Queues a frame whose payload is text, encoded in place.
   *
   * @returns the bytes that it takes on the wire, or -1 if the text has a lone surrogate; then nothing is queued
   */
  textFrame(first: number, text: string): number {
    const masked = this.keys !== null;
    const most = 3 * text.length;
    if (most > COPY_LIMIT) return this.largeText(first, text);
    this.reserve(most + 14);
    const into = this.slab!.bytes;
    const from = this.end;
    // The header's size is that of an ASCII text; where the guess was short the payload moves up.
    const guess = headerSize(text.length, masked);
    const size = this.text.encodeInto(text, into, from + guess);
    if (size < 0) return -1;
    const header = headerSize(size, masked);
    if (header !== guess) into.copyWithin(from + header, from + guess, from + guess + size);
    const key = this.keys === null ? 0 : this.keys.next();
    const at = writeHeader(into, from, first, size, masked, key);
    if (masked) applyMask(into, at, at + size, key, 0);
    this.end = at + size;
    this.length += header + size;
    return header + size;
  }

  private largeText(first: number, text: string): number {
    const masked = this.keys !== null;
    const size = this.text.byteLength(text);
    if (size < 0) return -1;
    const wireSize = headerSize(size, masked) + size;
    const buffer = this.memory.pooled(wireSize);
    const key = this.keys === null ? 0 : this.keys.next();
    const at = writeHeader(buffer.bytes, 0, first, size, masked, key);
    this.text.encodeInto(text, buffer.bytes, at);
    if (masked) applyMask(buffer.bytes, at, at + size, key, 0);
    this.closeRegion();
    this.push(buffer.bytes.subarray(0, wireSize), buffer);
    this.length += wireSize;
    return wireSize;
  }

  /** Puts a pong into the one slot. §5.5.3: "it MAY elect to send a Pong frame for only the most recently processed Ping". */
  setPong(payload: Uint8Array): void {
    const overhead = this.keys === null ? 2 : 6;
    if (this.pong !== null) this.length -= overhead + this.pong.length;
    this.pong = payload;
    this.length += overhead + payload.length;
  }

  /** Moves the pending pong into the queue, so that what follows stays behind it. */
  flushPong(): void {
    const { pong } = this;
    if (pong === null) return;
    this.pong = null;
    this.length -= (this.keys === null ? 2 : 6) + pong.length;
    this.frame(0x80 | Opcode.pong, pong);
  }

  /**
   * Gives out what is queued; of more than a slab the first `most` bytes at the most. It stays unchanged until `written` has
   * covered it.
   */
  take(most: number = Number.POSITIVE_INFINITY): readonly Uint8Array[] {
    if (this.length === 0) return NOTHING;
    this.flushPong();
    const { pieces } = this;
    if (pieces === null) {
      const { slab, start, end } = this;
      const chunk = slab!.view(start, end);
      this.taken += this.length;
      this.length = 0;
      this.leaveRegion();
      this.fly(slab!);
      return [chunk];
    }
    this.closeRegion();
    const chunks: Uint8Array[] = [];
    let room = most;
    let done = 0;
    while (done < pieces.length && room > 0) {
      const piece = pieces[done]!;
      const { bytes, owner } = piece;
      const size = Math.min(bytes.length, room);
      room -= size;
      this.length -= size;
      this.taken += size;
      this.cut = size < bytes.length;
      if (this.cut) {
        chunks.push(bytes.subarray(0, size));
        piece.bytes = bytes.subarray(size);
        break;
      }
      chunks.push(bytes);
      done++;
      if (owner !== null) this.fly(owner);
    }
    this.pieces = pieces.length > done ? pieces.slice(done) : null;
    return chunks;
  }

  /** Says that `count` more bytes were written; their memory may be used again. */
  written(count: number): void {
    this.writtenTotal += count;
    // What was taken before `dispose` may still be written after it.
    if (this.taken < this.writtenTotal) this.taken = this.writtenTotal;
    const first = this.firstFlight;
    if (first === null || first.mark > this.writtenTotal) return;
    first.owner.release();
    this.firstFlight = null;
    const { flights } = this;
    if (flights === null) return;
    let done = 0;
    while (done < flights.length && flights[done]!.mark <= this.writtenTotal) flights[done++]!.owner.release();
    if (done === flights.length) {
      this.flights = null;
    } else {
      this.firstFlight = flights[done]!;
      flights.splice(0, done + 1);
    }
  }

  /** Forgets everything. Memory that a transport may still read, a part of a piece too, is left to the garbage collector. */
  dispose(): void {
    if (this.slab !== null) {
      const { slab } = this;
      this.slab = null;
      slab.release();
    }
    for (const piece of this.pieces ?? []) {
      if (!this.cut) piece.owner?.release();
      this.cut = false;
    }
    this.pieces = null;
    this.pong = null;
    this.length = 0;
    this.taken = this.writtenTotal;
    this.firstFlight = null;
    this.flights = null;
  }

  private fly(owner: Owner): void {
    const flight: Flight = { owner, mark: this.taken };
    if (this.firstFlight === null) {
      this.firstFlight = flight;
    } else {
      this.flights ??= [];
      this.flights.push(flight);
    }
  }

  /** Makes room for `size` bytes at `end`. */
  private reserve(size: number): void {
    const { slab } = this;
    const end = this.end + size;
    if (slab !== null) {
      if (end <= this.limit) return;
      // The region is the last one of its slab: it grows in place.
      if (this.limit === slab.used && end <= slab.bytes.length) {
        this.limit = slab.used = end;
        return;
      }
    }
    // A connection that takes turns with others gets regions of growing size, so that its output stays in few chunks.
    const previous = this.end - this.start;
    this.closeRegion();
    const wish = slab === null ? size : Math.max(size, Math.min(2 * previous, 16_384));
    const next = this.memory.slabFor(wish);
    next.retain();
    this.slab = next;
    this.start = this.end = next.used;
    this.limit = next.used = next.used + wish;
  }

  /** Closes the open region and queues it as a piece. */
  private closeRegion(): void {
    const { slab, start, end } = this;
    if (slab === null) return;
    this.leaveRegion();
    if (end === start) slab.release();
    else this.push(slab.view(start, end), slab);
  }

  /** Leaves the open region, giving room that was not used back to the slab. */
  private leaveRegion(): void {
    const { slab } = this;
    if (slab !== null && slab.used === this.limit) slab.used = this.end;
    this.slab = null;
  }

  private push(bytes: Uint8Array, owner: Owner | null): void {
    this.pieces ??= [];
    this.pieces.push({ bytes, owner });
  }
}
