/** The pure deflate: what every deflater must do, and what only this one promises: it is as small as zlib. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignCodes, codeLengths } from '../../src/extension/permessage-deflate/code-lengths.ts';
import { Deflate, IndependentDeflate } from '../../src/extension/permessage-deflate/deflate.ts';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { deflateSuite, options } from './deflate-suite.ts';
import { ALL_LEVELS, ALL_WINDOWS, inflate, json, noise, zlibDeflate, zlibInflate } from './support.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;

deflateSuite((given) => (given.contextTakeover ? new Deflate(given) : new IndependentDeflate(given)));
describe('one message', () => {
  test('each kind of block is chosen where it is the smallest', () => {
    const first = (message: Uint8Array) => new IndependentDeflate(options()).deflate(message, true, NO_LIMIT)![0]! & 7;
    expect(first(noise(1_000))).toBe(0);
    expect(first(json(40))).toBe(2);
    expect(first(json(4_000))).toBe(4);
  });

  test('what does not compress grows by five octets in 64 KiB', () => {
    for (const size of [1, 100, 10_000, 65_535, 65_536, 262_144]) {
      for (const deflater of [new Deflate(options()), new IndependentDeflate(options())]) {
        const out = deflater.deflate(noise(size), true, NO_LIMIT)!;
        expect(out.length).toBeLessThanOrEqual(size + 5 * Math.ceil(size / 15_000) + 1);
      }
    }
  });

  test('within 5 % of zlib at every level and window', () => {
    const rows: string[] = [];
    for (const size of [256, 1_024, 16_384, 65_536, 262_144]) {
      const message = json(size);
      for (const level of ALL_LEVELS) {
        for (const windowBits of [9, 12, 15]) {
          const ours = new IndependentDeflate(options({ level, windowBits })).deflate(message, true, NO_LIMIT)!.length;
          const theirs = zlibDeflate(message, { level, windowBits }).length;
          if (ours > 1.05 * theirs + 2)
            rows.push(`${size} bytes, level ${level}, ${windowBits} bits: ${ours} > ${theirs}`);
        }
      }
    }
    expect(rows).toEqual([]);
  });
});

describe('context takeover', () => {
  test('what was not sent costs nothing, short of moving the window', () => {
    const deflater = new Deflate(options());
    deflater.deflate(json(1_000), true, NO_LIMIT);
    expect(deflater.deflate(noise(500), true, 499)).toBeNull();
    expect(deflater.deflate(json(1_000), true, NO_LIMIT)!.length).toBeLessThan(40);
  });

  test('what turns out to be too long when the window has moved is taken back, too', () => {
    const deflater = new Deflate(options({ windowBits: 12 }));
    const inflater = new Inflate(12);
    for (let i = 1; i < 10; i++) {
      const message = json(1_000, i);
      expect(inflate(inflater, [deflater.deflate(message, true, NO_LIMIT)!])).toEqual(message);
      const lost = noise(7_000, 2 * i + 1);
      expect(deflater.deflate(lost, true, 6_999)).toBeNull();
      for (const part of [lost.subarray(2_000, 3_000), lost.subarray(5_500, 6_500)]) {
        expect(inflate(inflater, [deflater.deflate(part, true, NO_LIMIT)!])).toEqual(part);
      }
    }
  });

  test('what is as long as it may be is given out', () => {
    const size = new Deflate(options()).deflate(json(3_000), true, NO_LIMIT)!.length;
    expect(new Deflate(options()).deflate(json(3_000), true, size - 1)).toBeNull();
    expect(new Deflate(options()).deflate(json(3_000), true, size)).toHaveLength(size);
  });

  test('a repeated message costs next to nothing, and without takeover as much as before', () => {
    const dedicated = new Deflate(options());
    const independent = new IndependentDeflate(options());
    const message = json(1_000);
    const first = dedicated.deflate(message, true, NO_LIMIT)!;
    expect(dedicated.deflate(message, true, NO_LIMIT)!.length).toBeLessThan(first.length / 20);
    expect(independent.deflate(message, true, NO_LIMIT)).toEqual(first);
    expect(independent.deflate(noise(500), true, NO_LIMIT)).not.toEqual(first);
    expect(independent.deflate(message, true, NO_LIMIT)).toEqual(first);
    dedicated.reset();
    expect(dedicated.deflate(message, true, NO_LIMIT)).toEqual(first);
  });

  test('places are counted anew long before they overflow', () => {
    const deflater = new Deflate(options({ windowBits: 9 }));
    const independent = new IndependentDeflate(options());
    const far = 0x4000_0000 - 5_000;
    Object.assign(deflater, { base: far });
    Object.assign(independent, { place: far });
    const inflater = new Inflate(9);
    for (let i = 1; i < 20; i++) {
      const message = json(1_000, i);
      expect(inflate(inflater, [deflater.deflate(message, true, NO_LIMIT)!])).toEqual(message);
      expect(zlibInflate([independent.deflate(message, true, NO_LIMIT)!])).toEqual(message);
    }
    expect((deflater as unknown as { base: number }).base).toBeLessThan(20_000);
    expect((independent as unknown as { place: number }).place).toBeLessThan(20_000);
  });

  test('what is held in the end is what is documented', () => {
    for (const [windowBits, size] of [
      [15, 192],
      [12, 32],
    ] as const) {
      const deflater = new Deflate(options({ windowBits }));
      deflater.deflate(noise(70_000), true, NO_LIMIT);
      expect(deflater.retained).toBe(1_024 * size);
    }
  });

  test('memory grows with what was sent, up to what is documented', () => {
    const most = { 8: 10, 9: 10, 10: 10, 11: 16, 12: 32, 13: 64, 14: 128, 15: 192 };
    for (const windowBits of ALL_WINDOWS) {
      const deflater = new Deflate(options({ windowBits }));
      expect(deflater.retained).toBe(0);
      for (let i = 0; i < 50; i++) deflater.deflate(json(20, i + 1), true, NO_LIMIT);
      expect(deflater.retained).toBeLessThanOrEqual(8 * 1_024);
      for (let i = 0; i < 200; i++) deflater.deflate(json(1_000, i + 1), true, NO_LIMIT);
      expect(deflater.retained / 1_024, `${windowBits} bits`).toBeLessThanOrEqual(most[windowBits]);
      deflater.release();
      expect(deflater.retained).toBe(0);
    }
  });
});

describe('code lengths', () => {
  /** The lengths of an optimal code without a limit, by the book. */
  function huffmanCost(frequencies: readonly number[]): number {
    const heap = frequencies.filter((each) => each > 0).sort((a, b) => a - b);
    if (heap.length === 1) return heap[0]!;
    let cost = 0;
    while (heap.length > 1) {
      const sum = heap.shift()! + heap.shift()!;
      cost += sum;
      const at = heap.findIndex((each) => each >= sum);
      heap.splice(at < 0 ? heap.length : at, 0, sum);
    }
    return cost;
  }

  test('property: a full code, no code longer than allowed, optimal where the limit does not bind', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.constant(0),
            fc.nat(16_000),
            fc.nat(30).map((power) => Math.floor(1.5 ** power)),
          ),
          { minLength: 1, maxLength: 286 },
        ),
        fc.constantFrom(7, 15),
        (frequencies, most) => {
          const used = frequencies.filter((each) => each > 0).length;
          if (most === 7 && used > 100) return;
          const lengths = new Uint8Array(frequencies.length);
          codeLengths(Int32Array.from(frequencies), frequencies.length, most, lengths);
          let kraft = 0;
          let cost = 0;
          let longest = 0;
          lengths.forEach((length, symbol) => {
            if (length === 0) return;
            kraft += 2 ** -length;
            longest = Math.max(longest, length);
            cost += length * frequencies[symbol]!;
          });
          expect(longest).toBeLessThanOrEqual(most);
          if (used >= 2) {
            expect(kraft).toBe(1);
            lengths.forEach((length, symbol) => {
              if (length > 0 !== frequencies[symbol]! > 0) throw new Error(`symbol ${symbol}`);
            });
            if (longest < most) expect(cost).toBe(huffmanCost(frequencies));
          } else {
            expect(kraft).toBe(0.5);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('the longest code binds: Fibonacci’s frequencies', () => {
    for (const most of [7, 15]) {
      const frequencies = [1, 1];
      while (frequencies.length < 30) frequencies.push(Math.min(16_000, frequencies.at(-1)! + frequencies.at(-2)!));
      const lengths = new Uint8Array(30);
      codeLengths(Int32Array.from(frequencies), 30, most, lengths);
      expect(Math.max(...lengths)).toBe(most);
      expect(lengths.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1);
    }
  });

  test('RFC 1951 section 3.2.2: the codes of the example', () => {
    const codes = new Uint16Array(8);
    assignCodes(Uint8Array.of(3, 3, 3, 3, 3, 2, 4, 4), 8, codes);
    // 010 011 100 101 110 00 1110 1111, first bit lowest
    expect([...codes]).toEqual([0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111]);
  });
});

describe('without context takeover', () => {
  test('reset() and release() change nothing: there is no history, and others are served still', () => {
    const deflater = new IndependentDeflate(options({ contextTakeover: false }));
    const first = deflater.deflate(json(1_000), true, NO_LIMIT)!;
    deflater.reset();
    expect(deflater.deflate(json(1_000), true, NO_LIMIT)).toEqual(first);
    deflater.release();
    expect(deflater.deflate(json(1_000), true, NO_LIMIT)).toEqual(first);
    expect(inflate(new Inflate(15), [first])).toEqual(json(1_000));
  });

  test('RFC 7692 section 7.2.3.6: an empty message is one octet', () => {
    const deflater = new IndependentDeflate(options({ contextTakeover: false }));
    expect(deflater.deflate(new Uint8Array(0), true, NO_LIMIT)).toEqual(Uint8Array.of(0));
  });

  test('what is sent tells nothing of what others sent before', () => {
    const shared = new IndependentDeflate(options({ contextTakeover: false, windowBits: 10 }));
    for (let i = 1; i < 40; i++) {
      // Much alike, and now and then the same.
      const message = json(200 * (i % 7), 1 + (i % 5));
      const alone = new IndependentDeflate(options({ contextTakeover: false, windowBits: 10 }));
      expect(shared.deflate(message, true, NO_LIMIT)).toEqual(alone.deflate(message, true, NO_LIMIT));
    }
  });

  test('what would be longer than it may be is not given out, and what follows is the same', () => {
    const deflater = new IndependentDeflate(options({ contextTakeover: false }));
    const first = deflater.deflate(json(1_000), true, NO_LIMIT)!;
    expect(deflater.deflate(json(1_000), true, first.length - 1)).toBeNull();
    expect(deflater.deflate(json(1_000), true, first.length)).toEqual(first);
  });
});
