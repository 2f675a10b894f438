/**
 * The blocks of a DEFLATE stream (RFC 1951), resumable at any octet: bits are taken in only as far as a step needs them.
 * Where input comes from and output goes to is set from outside; it knows no messages.
 */

import { CODE_LENGTH_ORDER } from './alphabets.ts';
import { copyMatch } from './copy-match.ts';
import { BASE, DecoderSet, END, LITERAL } from './prefix-decoder.ts';

/** Why `run` came back. */
export const Stop = { not: -1, needInput: 0, needRoom: 1, corrupt: 2 } as const;
export type Stop = (typeof Stop)[keyof typeof Stop];

/** What comes next in the input. */
const HEADER = 0;
const STORED_LENGTH = 1;
const STORED = 2;
const COUNTS = 3;
const ORDER = 4;
const LENGTHS = 5;
const SYMBOL = 6;
const DISTANCE = 7;
const DISTANCE_REST = 8;

/** The longest match. */
const LONGEST = 258;
const NONE = /* @__PURE__ */ new Uint8Array(0);

/** A cursor over the blocks of a stream that never ends: what follows a final block is the next block. */
export class BlockReader {
  /** `input[inputAt, …)` is unread. */
  input: Uint8Array = NONE;
  inputAt = 0;
  /** `out[0, at)` is what references may go back to; output is appended. */
  out: Uint8Array = NONE;
  at = 0;

  private readonly window: number;
  private bits = 0;
  private bitCount = 0;
  private state = HEADER;
  /** The block at hand, or the last one, is marked as the final one. */
  private final = false;
  /** The last block was stored and empty, as a flush ends, or there is none yet. */
  private flushed = true;
  /** Bytes of a stored block, lengths of codes read so far, or what a match has to copy. */
  private count = 0;
  private literalCount = 0;
  private distanceCount = 0;
  private lengthCount = 0;
  /** The distance, and while it is incomplete the number of bits that follow. */
  private distance = 0;
  private extra = 0;
  /** LEN of a stored block is here, NLEN is not. */
  private halfLength = false;
  private set: DecoderSet | null = null;

  /** @param window a reference further back is corrupt */
  constructor(window: number) {
    this.window = window;
  }

  /** Whether the input ended where a message may: behind a flush, behind a final block, or before anything. */
  get complete(): boolean {
    return this.state === HEADER && this.bitCount === 0 && (this.final || this.flushed);
  }

  /** Forgets all buffers. */
  release(): void {
    this.leaveSet();
    this.input = this.out = NONE;
  }

  /** Inflates until `out[0, limit)` has no room for another match, or the input is used up. `limit` never falls during a block. */
  run(limit: number): Stop {
    for (;;) {
      let why: Stop = Stop.not;
      switch (this.state) {
        case HEADER:
          why = this.header();
          break;
        case STORED_LENGTH:
          why = this.storedLength();
          break;
        case STORED:
          why = this.stored(limit);
          break;
        case COUNTS:
          why = this.counts();
          break;
        case ORDER:
          why = this.order();
          break;
        case LENGTHS:
          why = this.lengths();
          break;
        default:
          if (this.state === SYMBOL && this.input.length - this.inputAt >= 16 && !this.fast(limit)) return Stop.corrupt;
          if (this.state >= SYMBOL) why = this.symbol(limit);
      }
      if (why !== Stop.not) return why;
    }
  }

  /** Takes in octets until at least `count` bits (at most 24) are there; false if the input ends before. */
  private need(count: number): boolean {
    while (this.bitCount < count) {
      if (this.inputAt === this.input.length) return false;
      this.bits |= this.input[this.inputAt++]! << this.bitCount;
      this.bitCount += 8;
    }
    return true;
  }

  private drop(count: number): void {
    this.bits >>>= count;
    this.bitCount -= count;
  }

  /** §3.2.3 of RFC 1951: BFINAL and BTYPE. */
  private header(): Stop {
    // A message goes on behind a final block (RFC 7692 section 7.2.3.4), at the next octet; the window stays.
    if (this.final) this.drop(this.bitCount & 7);
    if (!this.need(3)) return Stop.needInput;
    this.final = (this.bits & 1) !== 0;
    this.flushed = false;
    const type = (this.bits >>> 1) & 3;
    this.drop(3);
    if (type === 0) {
      this.drop(this.bitCount & 7);
      this.state = STORED_LENGTH;
    } else if (type === 1) {
      this.set = DecoderSet.fixed();
      this.state = SYMBOL;
    } else if (type === 2) {
      this.state = COUNTS;
    } else {
      // RFC 1951 §3.2.3: "11 - reserved (error)".
      return Stop.corrupt;
    }
    return Stop.not;
  }

  private storedLength(): Stop {
    if (!this.halfLength) {
      if (!this.need(16)) return Stop.needInput;
      this.count = this.bits & 0xffff;
      this.drop(16);
      this.halfLength = true;
    }
    if (!this.need(16)) return Stop.needInput;
    this.halfLength = false;
    // RFC 1951 §3.2.4: NLEN "is the one's complement of LEN".
    if ((this.bits & 0xffff) !== (~this.count & 0xffff)) return Stop.corrupt;
    this.drop(16);
    this.flushed = this.count === 0;
    this.state = STORED;
    return Stop.not;
  }

  /** Behind LEN and NLEN, which are whole octets, no bit waits: what follows lies in the input. */
  private stored(limit: number): Stop {
    while (this.count > 0) {
      if (this.at === limit) return Stop.needRoom;
      const size = Math.min(this.count, limit - this.at, this.input.length - this.inputAt);
      if (size === 0) return Stop.needInput;
      this.out.set(this.input.subarray(this.inputAt, this.inputAt + size), this.at);
      this.inputAt += size;
      this.at += size;
      this.count -= size;
    }
    this.state = HEADER;
    return Stop.not;
  }

  private counts(): Stop {
    if (!this.need(14)) return Stop.needInput;
    this.literalCount = (this.bits & 31) + 257;
    this.distanceCount = ((this.bits >>> 5) & 31) + 1;
    this.lengthCount = ((this.bits >>> 10) & 15) + 4;
    this.drop(14);
    if (this.literalCount > 286 || this.distanceCount > 30) return Stop.corrupt;
    this.set = DecoderSet.take();
    this.set.lengths.fill(0, 0, 19);
    this.count = 0;
    this.state = ORDER;
    return Stop.not;
  }

  private order(): Stop {
    const { codeLengths, lengths } = this.set!;
    while (this.count < this.lengthCount) {
      if (!this.need(3)) return Stop.needInput;
      lengths[CODE_LENGTH_ORDER[this.count++]!] = this.bits & 7;
      this.drop(3);
    }
    if (!codeLengths.build(lengths, 0, 19, false)) return Stop.corrupt;
    this.count = 0;
    this.state = LENGTHS;
    return Stop.not;
  }

  /** RFC 1951 section 3.2.7: the lengths of both codes are one sequence, with runs. */
  private lengths(): Stop {
    const { codeLengths, literals, distances, lengths } = this.set!;
    const total = this.literalCount + this.distanceCount;
    while (this.count < total) {
      this.need(14);
      const entry = codeLengths.table[this.bits & codeLengths.mask]!;
      const codeSize = entry & 15;
      const value = entry >>> 16;
      const extra = value < 16 ? 0 : value === 16 ? 2 : value === 17 ? 3 : 7;
      if (codeSize + extra > this.bitCount) return Stop.needInput;
      this.drop(codeSize);
      if (value < 16) {
        lengths[this.count++] = value;
        continue;
      }
      const repeat = (value === 18 ? 11 : 3) + (this.bits & ((1 << extra) - 1));
      this.drop(extra);
      if (this.count + repeat > total || (value === 16 && this.count === 0)) return Stop.corrupt;
      lengths.fill(value === 16 ? lengths[this.count - 1]! : 0, this.count, this.count + repeat);
      this.count += repeat;
    }
    // A block that cannot end is none.
    if (lengths[256] === 0) return Stop.corrupt;
    if (!literals.build(lengths, 0, this.literalCount, true)) return Stop.corrupt;
    // §3.2.7: one distance code of one bit is an incomplete code that is allowed.
    if (!distances.build(lengths, this.literalCount, total, true)) return Stop.corrupt;
    this.state = SYMBOL;
    return Stop.not;
  }

  private leaveSet(): void {
    this.set?.giveBack();
    this.set = null;
  }

  /** Symbols one at a time, each step only when all its bits are there. */
  private symbol(limit: number): Stop {
    const { literals, distances } = this.set!;
    for (;;) {
      if (this.state === SYMBOL) {
        if (limit - this.at < LONGEST) return Stop.needRoom;
        this.need(20);
        let entry = literals.table[this.bits & literals.mask]!;
        if (entry === 0) entry = literals.long(this.bits);
        const size = (entry & 15) + ((entry >>> 4) & 15);
        if (size > this.bitCount) return Stop.needInput;
        this.drop(entry & 15);
        if ((entry & LITERAL) !== 0) {
          this.out[this.at++] = entry >>> 16;
          // With plenty of input at hand there is a faster way.
          if (this.input.length - this.inputAt >= 16) return Stop.not;
          continue;
        }
        if ((entry & END) !== 0) {
          this.leaveSet();
          this.state = HEADER;
          return Stop.not;
        }
        if ((entry & BASE) === 0) return Stop.corrupt;
        const extra = (entry >>> 4) & 15;
        this.count = (entry >>> 16) + (this.bits & ((1 << extra) - 1));
        this.drop(extra);
        this.state = DISTANCE;
      }
      if (this.state === DISTANCE) {
        this.need(15);
        let entry = distances.table[this.bits & distances.mask]!;
        if (entry === 0) entry = distances.long(this.bits);
        if ((entry & 15) > this.bitCount) return Stop.needInput;
        if ((entry & BASE) === 0) return Stop.corrupt;
        this.drop(entry & 15);
        this.extra = (entry >>> 4) & 15;
        this.distance = entry >>> 16;
        this.state = DISTANCE_REST;
      }
      const { extra } = this;
      if (!this.need(extra)) return Stop.needInput;
      const distance = this.distance + (this.bits & ((1 << extra) - 1));
      this.drop(extra);
      // A reference goes back to what is there, and no further than the window that was agreed on.
      if (distance > this.at || distance > this.window) return Stop.corrupt;
      copyMatch(this.out, this.at, distance, this.count);
      this.at += this.count;
      this.state = SYMBOL;
    }
  }

  /**
   * Symbols while there are 16 octets of input and room for two of them. The input is read four octets at a time: as many
   * as fit are counted, and what was taken in beyond that is the same when it is taken in again. Then there are 24 bits or
   * more. False if the input is corrupt.
   */
  private fast(limit: number): boolean {
    const { input, out, window } = this;
    const { literals, distances } = this.set!;
    const { table: literalTable, mask: literalMask } = literals;
    const { table: distanceTable, mask: distanceMask } = distances;
    const inputEnd = input.length - 16;
    // A literal and a match go out in one turn.
    const outEnd = limit - LONGEST - 1;
    const words = new DataView(input.buffer, input.byteOffset, input.length);
    let { inputAt, at, bits, bitCount } = this;
    let good = true;
    while (inputAt <= inputEnd && at <= outEnd) {
      bits |= words.getUint32(inputAt, true) << bitCount;
      inputAt += (31 - bitCount) >> 3;
      bitCount |= 24;
      let entry = literalTable[bits & literalMask]!;
      if (entry === 0) entry = literals.long(bits);
      bits >>>= entry & 15;
      bitCount -= entry & 15;
      if ((entry & LITERAL) !== 0) {
        out[at++] = entry >>> 16;
        if (bitCount < 15) continue;
        entry = literalTable[bits & literalMask]!;
        if (entry === 0) entry = literals.long(bits);
        bits >>>= entry & 15;
        bitCount -= entry & 15;
        if ((entry & LITERAL) !== 0) {
          out[at++] = entry >>> 16;
          continue;
        }
      }
      if ((entry & BASE) === 0) {
        if ((entry & END) === 0) good = false;
        else this.state = HEADER;
        break;
      }
      let extra = (entry >>> 4) & 15;
      if (bitCount < extra) {
        bits |= words.getUint32(inputAt, true) << bitCount;
        inputAt += (31 - bitCount) >> 3;
        bitCount |= 24;
      }
      const length = (entry >>> 16) + (bits & ((1 << extra) - 1));
      bits >>>= extra;
      bitCount -= extra;
      bits |= words.getUint32(inputAt, true) << bitCount;
      inputAt += (31 - bitCount) >> 3;
      bitCount |= 24;
      entry = distanceTable[bits & distanceMask]!;
      if (entry === 0) entry = distances.long(bits);
      if ((entry & BASE) === 0) {
        good = false;
        break;
      }
      bits >>>= entry & 15;
      bitCount -= entry & 15;
      extra = (entry >>> 4) & 15;
      if (bitCount < extra) {
        bits |= words.getUint32(inputAt, true) << bitCount;
        inputAt += (31 - bitCount) >> 3;
        bitCount |= 24;
      }
      const distance = (entry >>> 16) + (bits & ((1 << extra) - 1));
      bits >>>= extra;
      bitCount -= extra;
      if (distance > at || distance > window) {
        good = false;
        break;
      }
      copyMatch(out, at, distance, length);
      at += length;
    }
    // Elsewhere only bits that are counted may be set.
    bits &= (1 << bitCount) - 1;
    this.inputAt = inputAt;
    this.at = at;
    this.bits = bits;
    this.bitCount = bitCount;
    if (this.state === HEADER) this.leaveSet();
    return good;
  }
}
