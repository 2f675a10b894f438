/** Prefix codes (RFC 1951 section 3.2.2) in both directions: lengths for frequencies, codes for lengths, and reading them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignCodes, codeLengths } from '../../src/extension/permessage-deflate/code-lengths.ts';
import { DecoderSet, INVALID, PrefixDecoder } from '../../src/extension/permessage-deflate/prefix-decoder.ts';
import { seededNumbers } from '../support/random.ts';

/** The bits that a Huffman code takes in all, without a bound on its lengths. */
function optimum(frequencies: readonly number[]): number {
  const queue = frequencies.filter((each) => each > 0).sort((a, b) => a - b);
  if (queue.length < 2) return queue[0] ?? 0;
  let total = 0;
  while (queue.length > 1) {
    const sum = queue.shift()! + queue.shift()!;
    total += sum;
    const at = queue.findIndex((each) => each >= sum);
    queue.splice(at < 0 ? queue.length : at, 0, sum);
  }
  return total;
}

function lengthsOf(frequencies: readonly number[], longest: number): number[] {
  const lengths = new Uint8Array(frequencies.length).fill(99);
  codeLengths(Int32Array.from(frequencies), frequencies.length, longest, lengths);
  return [...lengths];
}

const cost = (frequencies: readonly number[], lengths: readonly number[]) =>
  frequencies.reduce((sum, each, i) => sum + each * lengths[i]!, 0);
const room = (lengths: readonly number[]) => lengths.reduce((sum, each) => sum + (each === 0 ? 0 : 2 ** -each), 0);

/** The codes of RFC 1951 section 3.2.2, by its own algorithm, as texts of bits. */
function codesOf(lengths: readonly number[]): (string | null)[] {
  const counts = Array.from({ length: 17 }, (_, bits) =>
    bits === 0 ? 0 : lengths.filter((each) => each === bits).length,
  );
  const next: number[] = [0];
  let code = 0;
  for (let bits = 1; bits <= 16; bits++) {
    code = (code + counts[bits - 1]!) * 2;
    next[bits] = code;
  }
  return lengths.map((each) => (each === 0 ? null : (next[each]!++).toString(2).padStart(each, '0')));
}

const next = seededNumbers(5);
/** Frequencies of many shapes: flat, steep, sparse, of the sizes of the three alphabets and of one to five symbols. */
const SAMPLES: readonly (readonly number[])[] = [1, 2, 3, 4, 5, 19, 30, 41, 121, 286].flatMap((size) => [
  Array.from({ length: size }, () => 1),
  Array.from({ length: size }, () => Math.floor(next() * 1_000)),
  Array.from({ length: size }, () => (next() < 0.3 ? 1 + Math.floor(next() * 50) : 0)),
  Array.from({ length: size }, (_, i) => Math.max(1, Math.floor(1e6 / 2 ** i))),
  Array.from({ length: size }, (_, i) => Math.min(2 ** i, 1e6)),
]);

describe('lengths for frequencies', () => {
  test('use all room, none is too long, and nobody who does not occur gets one', () => {
    for (const frequencies of SAMPLES) {
      for (const longest of [7, 9, 15]) {
        const used = frequencies.filter((each) => each > 0).length;
        if (used > 2 ** longest) continue;
        const lengths = lengthsOf(frequencies, longest);
        expect(Math.max(...lengths)).toBeLessThanOrEqual(longest);
        if (used > 1) {
          expect(lengths.map((each) => each > 0)).toEqual(frequencies.map((each) => each > 0));
          expect(room(lengths)).toBe(1);
        } else {
          expect(lengths.filter((each) => each > 0)).toEqual([1]);
        }
      }
    }
  });

  test('are as short as Huffman codes can be, where these are short enough', () => {
    for (const frequencies of SAMPLES) {
      if (frequencies.every((each) => each === 0)) continue;
      const lengths = lengthsOf(frequencies, 15);
      const best = optimum(frequencies);
      const total = cost(frequencies, lengths);
      if (Math.max(...lengths) < 15) expect(total).toBe(best);
      // A bound costs little.
      else expect(total).toBeLessThanOrEqual(1.1 * best);
      expect(total).toBeGreaterThanOrEqual(best);
    }
  });

  test('give the rarest the longest codes, and one symbol or none a code of one bit', () => {
    expect(lengthsOf([1, 1, 2, 4, 8], 15)).toEqual([4, 4, 3, 2, 1]);
    expect(lengthsOf([8, 0, 4, 2, 1, 1], 15)).toEqual([1, 0, 2, 3, 4, 4]);
    expect(lengthsOf([1, 2, 4, 8, 16, 32], 3).toSorted()).toEqual([2, 2, 3, 3, 3, 3]);
    expect(lengthsOf([0, 0, 7, 0], 15)).toEqual([0, 0, 1, 0]);
    expect(lengthsOf([0, 0, 0], 15)).toEqual([1, 0, 0]);
  });
});

describe('codes for lengths', () => {
  test('are those of the RFC: the sample, the fixed code, and any other', () => {
    expect(codesOf([3, 3, 3, 3, 3, 2, 4, 4])).toEqual(['010', '011', '100', '101', '110', '00', '1110', '1111']);
    for (const frequencies of SAMPLES) {
      const lengths = lengthsOf(frequencies, 15);
      const codes = new Uint16Array(lengths.length);
      assignCodes(Uint8Array.from(lengths), lengths.length, codes);
      for (const [symbol, bits] of codesOf(lengths).entries()) {
        if (bits === null) continue;
        // On the wire the first bit of a code is the lowest.
        expect(codes[symbol]).toBe(Number.parseInt([...bits].reverse().join(''), 2));
      }
    }
  });
});

describe('reading codes', () => {
  const read = (decoder: PrefixDecoder, bits: number) => decoder.table[bits & decoder.mask]! || decoder.long(bits);

  /** Each code with anything behind it means its symbol; what begins no code means none. */
  function check(lengths: readonly number[], rootBits: number): void {
    const entries = Int32Array.from(lengths, (_, symbol) => (symbol << 16) | 0x100);
    const decoder = new PrefixDecoder(entries, rootBits);
    // Twice: what was built before leaves nothing behind.
    decoder.build(Uint8Array.from([1, 1]), 0, 2, false);
    expect(decoder.build(Uint8Array.from([9, ...lengths, 9]), 1, lengths.length + 1, true)).toBe(true);
    const meaning = new Map(
      codesOf(lengths).flatMap((bits, symbol) => (bits === null ? [] : [[bits, symbol] as const])),
    );
    for (let bits = 0; bits < 0x8000; bits++) {
      const wire = bits.toString(2).padStart(15, '0').split('').reverse().join('');
      let wanted = INVALID;
      for (let length = 1; length <= 15; length++) {
        const symbol = meaning.get(wire.slice(0, length));
        if (symbol === undefined) continue;
        wanted = (symbol << 16) | 0x100 | length;
        break;
      }
      if (read(decoder, bits) !== wanted) expect.fail(`${wire}: ${read(decoder, bits).toString(16)}`);
    }
  }

  test('gives the symbol for every pattern of bits, by table or not', () => {
    check([3, 3, 3, 3, 3, 2, 4, 4], 10);
    check([3, 3, 3, 3, 3, 2, 4, 4], 3);
    const steep = [...Array.from({ length: 15 }, (_, i) => i + 1), 15];
    for (const rootBits of [7, 9, 10]) check(steep, rootBits);
    check([0, 0, 1, 0], 9);
    check([0, 0, 0], 9);
    for (const frequencies of [SAMPLES[31]!, SAMPLES[46]!]) check(lengthsOf(frequencies, 15), 10);
  });

  test('the fixed codes are those of section 3.2.6', () => {
    const { literals, distances } = DecoderSet.fixed();
    expect(DecoderSet.fixed()).toBe(DecoderSet.fixed());
    expect(read(literals, 0b0000000)).toBe(0x200 | 7);
    // 00110000: the literal 0; on the wire its first bit is the lowest.
    expect(read(literals, 0b00001100)).toBe(0x100 | 8);
    expect(read(literals, 0b111111111)).toBe((255 << 16) | 0x100 | 9);
    expect(read(literals, 0b1000000)).toBe((3 << 16) | 0x400 | 7);
    expect(read(literals, 0b00100011)).toBe((227 << 16) | 0x400 | (5 << 4) | 8);
    expect(read(literals, 0b10100011)).toBe((258 << 16) | 0x400 | 8);
    // 286 and 287 have codes and no meaning, and so have distances 30 and 31.
    expect(read(literals, 0b01100011) & 0xf00).toBe(INVALID);
    expect(read(distances, 0b00000)).toBe((1 << 16) | 0x400 | 5);
    expect(read(distances, 0b10111)).toBe((24_577 << 16) | 0x400 | (13 << 4) | 5);
    expect(read(distances, 0b01111) & 0xf00).toBe(INVALID);
    expect(read(distances, 0b11111) & 0xf00).toBe(INVALID);
  });

  test('T76: lengths that are no prefix code are refused', () => {
    const decoder = new PrefixDecoder(new Int32Array(19), 7);
    const build = (lengths: readonly number[], sparse = false) =>
      decoder.build(Uint8Array.from(lengths), 0, lengths.length, sparse);
    for (const lengths of [
      [1, 1, 1],
      [1, 2, 2, 2],
      [2, 2, 2, 2, 15],
      [1, 2, 3, 4, 4, 4],
    ]) {
      expect([build(lengths), build(lengths, true)]).toEqual([false, false]);
    }
    for (const lengths of [[2], [2, 2, 2], [1, 2], [1, 2, 3], [15, 15]]) {
      expect([build(lengths), build(lengths, true)]).toEqual([false, false]);
    }
    for (const lengths of [[1], [0, 1], [0], []]) expect([build(lengths), build(lengths, true)]).toEqual([false, true]);
    for (const lengths of [
      [1, 1],
      [1, 2, 2],
      [2, 2, 2, 2],
    ])
      expect(build(lengths)).toBe(true);
  });

  test('property: what is written is read', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2_000), { minLength: 2, maxLength: 286 }), (frequencies) => {
        const lengths = Uint8Array.from(lengthsOf(frequencies, 15));
        const codes = new Uint16Array(lengths.length);
        assignCodes(lengths, lengths.length, codes);
        const decoder = new PrefixDecoder(
          Int32Array.from(lengths, (_, symbol) => (symbol << 16) | 0x100),
          10,
        );
        expect(decoder.build(lengths, 0, lengths.length, true)).toBe(true);
        for (const [symbol, length] of lengths.entries()) {
          if (length > 0) expect(read(decoder, codes[symbol]!)).toBe((symbol << 16) | 0x100 | length);
        }
      }),
    );
  });
});
