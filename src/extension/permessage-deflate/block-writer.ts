/**
 * Tokens to blocks (RFC 1951 section 3.2): each block is stored, in the fixed code or in a code of its own, whichever takes
 * the fewest bits. One writer serves all compressors, for each of their calls is complete when it returns. It knows neither
 * messages nor how the tokens were found.
 */

import {
  CODE_LENGTH_ORDER,
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCE_SYMBOLS,
  distanceSymbol,
  END_OF_BLOCK,
  fixedLiteralLengths,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LENGTH_SYMBOL,
  LITERAL_SYMBOLS,
} from './alphabets.ts';
import { assignCodes, codeLengths } from './code-lengths.ts';

/** A block has at most so many tokens. */
export const MOST_TOKENS = 16_384;
/** With fewer tokens a code of one's own never pays for its description (measured). */
const FEW_TOKENS = 20;
/** The buffer for output: what it has at first, and what it may keep. */
const SMALLEST = 4_096;
const MOST_KEPT = 1_048_576;

/** A code: bits in the order of the wire, and how many. */
class Code {
  readonly codes: Uint16Array;
  readonly lengths: Uint8Array;

  constructor(lengths: Uint8Array) {
    this.lengths = lengths;
    this.codes = new Uint16Array(lengths.length);
  }

  assign(size: number): this {
    assignCodes(this.lengths, size, this.codes);
    return this;
  }
}

/** Writes blocks into a buffer of its own. */
export class BlockWriter {
  /**
   * The tokens of the next block: a literal as it is, a match as `length << 16 | distance`. Whoever finds them writes them
   * here and calls `block` before there are more than `MOST_TOKENS`.
   */
  readonly tokens: Int32Array = new Int32Array(MOST_TOKENS);

  private out = new Uint8Array(SMALLEST);
  private at = 0;
  private bits = 0;
  private bitCount = 0;

  private readonly literals = new Code(new Uint8Array(LITERAL_SYMBOLS));
  private readonly distances = new Code(new Uint8Array(DISTANCE_SYMBOLS));
  private readonly runs = new Code(new Uint8Array(19));
  private readonly fixedLiterals = new Code(fixedLiteralLengths()).assign(288);
  private readonly fixedDistances = new Code(new Uint8Array(DISTANCE_SYMBOLS).fill(5)).assign(DISTANCE_SYMBOLS);
  private readonly literalFrequencies = new Int32Array(LITERAL_SYMBOLS);
  private readonly distanceFrequencies = new Int32Array(DISTANCE_SYMBOLS);
  private readonly runFrequencies = new Int32Array(19);
  /** The description of a code: `symbol | extra value << 8`. */
  private readonly description = new Uint16Array(LITERAL_SYMBOLS + DISTANCE_SYMBOLS);
  private described = 0;

  private static one: BlockWriter | null = null;

  /** The writer that all compressors share. */
  static get shared(): BlockWriter {
    BlockWriter.one ??= new BlockWriter();
    return BlockWriter.one;
  }

  /** Starts a new output. */
  begin(): void {
    if (this.out.length > MOST_KEPT) this.out = new Uint8Array(SMALLEST);
    this.at = this.bits = this.bitCount = 0;
  }

  /** Octets so far; not less than what the output has in the end. */
  get length(): number {
    return this.at;
  }

  /** Writes the first `count` tokens, which stand for `bytes[from, to)`, as a block. */
  block(count: number, bytes: Uint8Array, from: number, to: number): void {
    const extraBits = this.countFrequencies(count);
    const { literalFrequencies, distanceFrequencies } = this;
    const fixedBits = extraBits + this.sizeIn(this.fixedLiterals, this.fixedDistances);
    let ownBits = Number.POSITIVE_INFINITY;
    let literalCount = 0;
    let distanceCount = 0;
    let runCount = 0;
    if (count >= FEW_TOKENS) {
      codeLengths(literalFrequencies, LITERAL_SYMBOLS, 15, this.literals.lengths);
      codeLengths(distanceFrequencies, DISTANCE_SYMBOLS, 15, this.distances.lengths);
      literalCount = lastUsed(this.literals.lengths, LITERAL_SYMBOLS);
      distanceCount = lastUsed(this.distances.lengths, DISTANCE_SYMBOLS);
      ownBits = extraBits + this.sizeIn(this.literals, this.distances) + this.describe(literalCount, distanceCount);
      runCount = 19;
      // Some length is not 0, and comes behind the four that are always told.
      while (this.runs.lengths[CODE_LENGTH_ORDER[runCount - 1]!] === 0) runCount--;
      ownBits += 14 + 3 * runCount;
    }
    const size = to - from;
    const storedBits = 8 * size + 37;
    if (storedBits <= fixedBits && storedBits <= ownBits) {
      this.stored(bytes, from, to);
    } else if (fixedBits <= ownBits) {
      this.reserve(fixedBits);
      this.put(2, 3);
      this.writeTokens(count, this.fixedLiterals, this.fixedDistances);
    } else {
      this.reserve(ownBits);
      this.put(4, 3);
      this.put(literalCount - 257, 5);
      this.put(distanceCount - 1, 5);
      this.put(runCount - 4, 4);
      for (let i = 0; i < runCount; i++) this.put(this.runs.lengths[CODE_LENGTH_ORDER[i]!]!, 3);
      this.writeDescription();
      this.writeTokens(count, this.literals.assign(literalCount), this.distances.assign(distanceCount));
    }
  }

  /**
   * Ends the output with an empty stored block, at an octet boundary (the sync flush of RFC 7692 section 7.2.1).
   *
   * @param withLengths whether the block's `00 00 ff ff` is written too
   */
  flush(withLengths: boolean): void {
    this.reserve(64);
    this.put(0, 3);
    this.align();
    if (!withLengths) return;
    this.put(0, 16);
    this.put(0xffff, 16);
  }

  /** A copy of the output, for keeps. */
  take(): Uint8Array {
    return this.out.slice(0, this.at);
  }

  /** Counts symbols; returns how many bits follow them. */
  private countFrequencies(count: number): number {
    const { tokens, literalFrequencies, distanceFrequencies } = this;
    literalFrequencies.fill(0);
    distanceFrequencies.fill(0);
    let extraBits = 0;
    for (let i = 0; i < count; i++) {
      const token = tokens[i]!;
      if (token < 0x10000) {
        literalFrequencies[token]!++;
        continue;
      }
      const length = LENGTH_SYMBOL[(token >>> 16) - 3]!;
      const distance = distanceSymbol(token & 0xffff);
      literalFrequencies[257 + length]!++;
      distanceFrequencies[distance]!++;
      extraBits += LENGTH_EXTRA[length]! + DISTANCE_EXTRA[distance]!;
    }
    literalFrequencies[END_OF_BLOCK] = 1;
    return extraBits;
  }

  /** The bits of the block in a code, less those that follow symbols. */
  private sizeIn(literals: Code, distances: Code): number {
    let bits = 3;
    const { literalFrequencies, distanceFrequencies } = this;
    for (let i = 0; i < LITERAL_SYMBOLS; i++) bits += literalFrequencies[i]! * literals.lengths[i]!;
    for (let i = 0; i < DISTANCE_SYMBOLS; i++) bits += distanceFrequencies[i]! * distances.lengths[i]!;
    return bits;
  }

  /** RFC 1951 section 3.2.7: the lengths of both codes as one sequence with runs. Returns its bits. */
  private describe(literalCount: number, distanceCount: number): number {
    const { description, runFrequencies, literals, distances } = this;
    runFrequencies.fill(0);
    const total = literalCount + distanceCount;
    let extraBits = 0;
    let used = 0;
    for (let i = 0; i < total; ) {
      const length = i < literalCount ? literals.lengths[i]! : distances.lengths[i - literalCount]!;
      let end = i + 1;
      while (
        end < total &&
        (end < literalCount ? literals.lengths[end]! : distances.lengths[end - literalCount]!) === length
      ) {
        end++;
      }
      let run = end - i;
      i = end;
      if (length !== 0) {
        description[used++] = length;
        runFrequencies[length]!++;
        run--;
      }
      while (run >= 3) {
        const most = length !== 0 ? 6 : 138;
        const size = run < most ? run : most;
        const symbol = length !== 0 ? 16 : size < 11 ? 17 : 18;
        description[used++] = symbol | ((size - (symbol === 18 ? 11 : 3)) << 8);
        runFrequencies[symbol]!++;
        extraBits += RUN_EXTRA[symbol - 16]!;
        run -= size;
      }
      for (; run > 0; run--) {
        description[used++] = length;
        runFrequencies[length]!++;
      }
    }
    this.described = used;
    codeLengths(runFrequencies, 19, 7, this.runs.lengths);
    let bits = extraBits;
    for (let symbol = 0; symbol < 19; symbol++) bits += runFrequencies[symbol]! * this.runs.lengths[symbol]!;
    return bits;
  }

  private writeDescription(): void {
    const { description, runs, described } = this;
    runs.assign(19);
    for (let i = 0; i < described; i++) {
      const symbol = description[i]! & 0xff;
      this.put(runs.codes[symbol]!, runs.lengths[symbol]!);
      if (symbol >= 16) this.put(description[i]! >>> 8, RUN_EXTRA[symbol - 16]!);
    }
  }

  private writeTokens(count: number, literals: Code, distances: Code): void {
    const { tokens, out } = this;
    const { codes, lengths } = literals;
    let { at, bits, bitCount } = this;
    for (let i = 0; i < count; i++) {
      const token = tokens[i]!;
      // At most 15 bits wait, and at most 16 are added before they are looked at again.
      if (token < 0x10000) {
        bits |= codes[token]! << bitCount;
        bitCount += lengths[token]!;
      } else {
        const length = token >>> 16;
        const lengthSymbol = LENGTH_SYMBOL[length - 3]!;
        bits |= codes[257 + lengthSymbol]! << bitCount;
        bitCount += lengths[257 + lengthSymbol]!;
        if (bitCount >= 16) {
          out[at++] = bits;
          out[at++] = bits >>> 8;
          bits >>>= 16;
          bitCount -= 16;
        }
        bits |= (length - LENGTH_BASE[lengthSymbol]!) << bitCount;
        bitCount += LENGTH_EXTRA[lengthSymbol]!;
        if (bitCount >= 16) {
          out[at++] = bits;
          out[at++] = bits >>> 8;
          bits >>>= 16;
          bitCount -= 16;
        }
        const distance = token & 0xffff;
        const symbol = distanceSymbol(distance);
        bits |= distances.codes[symbol]! << bitCount;
        bitCount += distances.lengths[symbol]!;
        if (bitCount >= 16) {
          out[at++] = bits;
          out[at++] = bits >>> 8;
          bits >>>= 16;
          bitCount -= 16;
        }
        bits |= (distance - DISTANCE_BASE[symbol]!) << bitCount;
        bitCount += DISTANCE_EXTRA[symbol]!;
      }
      if (bitCount >= 16) {
        out[at++] = bits;
        out[at++] = bits >>> 8;
        bits >>>= 16;
        bitCount -= 16;
      }
    }
    this.at = at;
    this.bits = bits;
    this.bitCount = bitCount;
    this.put(codes[END_OF_BLOCK]!, lengths[END_OF_BLOCK]!);
  }

  /** One block is enough: in the fixed code no token takes more than 31 bits, and so all of a block fewer than 65,535 octets. */
  private stored(bytes: Uint8Array, from: number, to: number): void {
    const size = to - from;
    this.reserve(8 * size + 64);
    this.put(0, 3);
    this.align();
    this.put(size, 16);
    this.put(~size & 0xffff, 16);
    this.out.set(bytes.subarray(from, to), this.at);
    this.at += size;
  }

  /** Appends up to 16 bits; leaves fewer than 16 waiting. */
  private put(value: number, count: number): void {
    this.bits |= value << this.bitCount;
    this.bitCount += count;
    if (this.bitCount < 16) return;
    this.out[this.at++] = this.bits;
    this.out[this.at++] = this.bits >>> 8;
    this.bits >>>= 16;
    this.bitCount -= 16;
  }

  /** Goes on at the next octet. */
  private align(): void {
    for (; this.bitCount > 0; this.bitCount -= 8) {
      this.out[this.at++] = this.bits;
      this.bits >>>= 8;
    }
    this.bits = this.bitCount = 0;
  }

  /** Makes room for so many bits and a few octets. */
  private reserve(bits: number): void {
    const needed = this.at + (bits >>> 3) + 16;
    if (needed <= this.out.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.out.length));
    larger.set(this.out.subarray(0, this.at));
    this.out = larger;
  }
}

/** The bits that follow the symbols 16, 17 and 18 of a description. */
const RUN_EXTRA: Uint8Array = /* @__PURE__ */ Uint8Array.of(2, 3, 7);

/** How many lengths are told: up to the last one that is none 0; there always is one. */
function lastUsed(lengths: Uint8Array, size: number): number {
  let count = size;
  while (lengths[count - 1] === 0) count--;
  return count;
}
