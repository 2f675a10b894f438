/**
 * Reading a prefix code of DEFLATE (RFC 1951 section 3.2.2): short codes by one look into a table, long ones by comparing
 * with the limits of each length. It knows code lengths and entries, but nothing of blocks.
 */

import {
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  fixedLiteralLengths,
  LENGTH_BASE,
  LENGTH_EXTRA,
} from './alphabets.ts';

/**
 * An entry says all about a symbol: `value << 16 | kind | extra bits << 4 | length of the code`. The value is the literal, the
 * shortest length or the shortest distance.
 */
export const LITERAL = 0x100;
export const END = 0x200;
/** A length or distance. */
export const BASE = 0x400;
/** A symbol that exists in the alphabet but may not occur. */
export const INVALID = 0x800;

const REVERSED: Uint8Array = /* @__PURE__ */ reversedBytes();

/** One code. It is built again for every block that brings its own. */
export class PrefixDecoder {
  /** Entries by the next bits of the input; 0 where a code is longer than the table looks, or where there is none. */
  readonly table: Int32Array;
  /** The bits of the input that are looked at. */
  mask = 0;

  private readonly rootBits: number;
  private readonly entries: Int32Array;
  /** Symbols in the order of their codes. */
  private readonly sorted: Uint16Array;
  private readonly counts = new Uint16Array(16);
  /** For each length: the first code beyond it, as 15 bits; and where its symbols begin, less its first code. */
  private readonly limits = new Int32Array(16);
  private readonly offsets = new Int32Array(16);

  /**
   * @param entries what each symbol means, without the length of its code
   * @param rootBits the codes up to this length are read by one look
   */
  constructor(entries: Int32Array, rootBits: number) {
    this.entries = entries;
    this.rootBits = rootBits;
    this.table = new Int32Array(1 << rootBits);
    this.sorted = new Uint16Array(entries.length);
  }

  /**
   * Builds the code of `lengths[from, to)`.
   *
   * @param sparse a single code of one bit, and no code at all, are allowed; otherwise the code must use all bit patterns
   * @returns false if the lengths are no prefix code
   */
  build(lengths: Uint8Array, from: number, to: number, sparse: boolean): boolean {
    const { counts, limits, offsets, sorted, table } = this;
    counts.fill(0);
    for (let i = from; i < to; i++) counts[lengths[i]!]!++;
    let longest = 15;
    while (longest > 0 && counts[longest] === 0) longest--;
    let code = 0;
    let before = 0;
    for (let length = 1; length <= 15; length++) {
      const count = counts[length]!;
      code <<= 1;
      offsets[length] = before - code;
      code += count;
      before += count;
      if (code > 1 << length) return false;
      limits[length] = code << (15 - length);
    }
    if (code !== 1 << 15 && !(sparse && longest <= 1)) return false;

    const bits = longest < this.rootBits ? longest : this.rootBits;
    const size = 1 << bits;
    this.mask = size - 1;
    if (code !== 1 << 15 || longest > bits) table.fill(0, 0, size);
    const { entries } = this;
    // Symbols sorted by length, then by value: `counts` becomes the place of the next symbol of each length.
    let place = 0;
    for (let length = 1; length <= longest; length++) {
      const count = counts[length]!;
      counts[length] = place;
      place += count;
    }
    for (let i = from; i < to; i++) {
      const length = lengths[i]!;
      if (length === 0) continue;
      const symbol = i - from;
      const at = counts[length]!++;
      sorted[at] = symbol;
      if (length > bits) continue;
      const canonical = at - offsets[length]!;
      const reversed = reverse15(canonical << (15 - length));
      const entry = entries[symbol]! | length;
      for (let slot = reversed; slot < size; slot += 1 << length) table[slot] = entry;
    }
    return true;
  }

  /** The entry of a code that the table does not hold, or `INVALID` if the bits begin no code. Bits that are missing count as 0. */
  long(bits: number): number {
    const wanted = reverse15(bits & 0x7fff);
    const { limits } = this;
    for (let length = this.rootBits + 1; length <= 15; length++) {
      if (wanted >= limits[length]!) continue;
      const symbol = this.sorted[this.offsets[length]! + (wanted >>> (15 - length))]!;
      return this.entries[symbol]! | length;
    }
    return INVALID;
  }
}

/** What a block with its own codes needs: the three codes and the lengths that they are built from. */
export class DecoderSet {
  readonly codeLengths: PrefixDecoder = new PrefixDecoder(CODE_LENGTH_ENTRIES, 7);
  readonly literals: PrefixDecoder = new PrefixDecoder(LITERAL_ENTRIES, 10);
  readonly distances: PrefixDecoder = new PrefixDecoder(DISTANCE_ENTRIES, 9);
  readonly lengths: Uint8Array = new Uint8Array(LITERAL_ENTRIES.length + DISTANCE_ENTRIES.length);

  private static readonly free: DecoderSet[] = [];
  private static fixedSet: DecoderSet | null = null;

  /** A set out of the pool: blocks end soon, so that few are in use at once. */
  static take(): DecoderSet {
    return DecoderSet.free.pop() ?? new DecoderSet();
  }

  giveBack(): void {
    if (this !== DecoderSet.fixedSet && DecoderSet.free.length < 8) DecoderSet.free.push(this);
  }

  /** The set of the fixed codes (RFC 1951 section 3.2.6). */
  static fixed(): DecoderSet {
    if (DecoderSet.fixedSet === null) {
      const set = new DecoderSet();
      set.literals.build(fixedLiteralLengths(), 0, 288, false);
      set.distances.build(new Uint8Array(32).fill(5), 0, 32, false);
      DecoderSet.fixedSet = set;
    }
    return DecoderSet.fixedSet;
  }
}

const LITERAL_ENTRIES: Int32Array = /* @__PURE__ */ literalEntries();
const DISTANCE_ENTRIES: Int32Array = /* @__PURE__ */ distanceEntries();
const CODE_LENGTH_ENTRIES: Int32Array = /* @__PURE__ */ codeLengthEntries();

function literalEntries(): Int32Array {
  // §3.2.6: "Literal/length values 286-287 will never actually occur in the compressed data".
  const entries = new Int32Array(288).fill(INVALID);
  for (let literal = 0; literal < 256; literal++) entries[literal] = (literal << 16) | LITERAL;
  entries[END_OF_BLOCK] = END;
  for (let i = 0; i < 29; i++) entries[257 + i] = (LENGTH_BASE[i]! << 16) | BASE | (LENGTH_EXTRA[i]! << 4);
  return entries;
}

function distanceEntries(): Int32Array {
  const entries = new Int32Array(32).fill(INVALID);
  for (let i = 0; i < DISTANCE_SYMBOLS; i++) entries[i] = (DISTANCE_BASE[i]! << 16) | BASE | (DISTANCE_EXTRA[i]! << 4);
  return entries;
}

function codeLengthEntries(): Int32Array {
  return Int32Array.from({ length: 19 }, (_, length) => (length << 16) | LITERAL);
}

function reversedBytes(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) table[byte]! |= 0x80 >> bit;
  }
  return table;
}

/** The 15 bits the other way round: codes are packed starting with their most significant bit (RFC 1951 section 3.1.1). */
function reverse15(bits: number): number {
  return ((REVERSED[bits & 0xff]! << 8) | REVERSED[bits >>> 8]!) >>> 1;
}
