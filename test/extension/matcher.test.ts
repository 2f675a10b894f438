/** Finding repetitions (LZ77): where blocks end, how far back it looks, and what it remembers. */
import { describe, expect, test } from 'vitest';
import { Deflate, IndependentDeflate } from '../../src/extension/permessage-deflate/deflate.ts';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { concat, equal } from '../support/bytes.ts';
import { options } from './deflate-suite.ts';
import { ALL_LEVELS, inflate, inflateOnce, json, noise, zlibDeflate, zlibInflate } from './support.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;
const bytes = (text: string) => Uint8Array.from(text, (each) => each.charCodeAt(0));

describe('a block that is full', () => {
  test('has exactly the octets of its tokens, also where a match that was found is given up for a better one', () => {
    // Octets that are stored, then what is coded: an octet between them that both or none has would be seen.
    // The last of them repeat two others, the second of which is longer.
    const end = concat([bytes('abcdefghijkl'), new Uint8Array(3_000), json(500)]);
    for (let size = 16_384 - 12; size <= 16_384 + 4; size++) {
      const message = noise(size);
      message.set(bytes('abcdX'), 10);
      message.set(bytes('bcdefghY'), 20);
      message.set(bytes('cdefghijklZ'), 40);
      const whole = concat([message, end]);
      for (const level of [1, 4, 6, 9]) {
        const out = new IndependentDeflate(options({ level })).deflate(whole, true, NO_LIMIT)!;
        if (!equal(zlibInflate([out]), whole)) expect.fail(`${size} octets, level ${level}`);
        if (!equal(inflateOnce(out)!, whole)) expect.fail(`${size} octets, level ${level}, by us`);
      }
    }
  });
});

test('what does not compress is stored, block by block: five octets more for each', () => {
  const message = noise(40_000);
  for (const level of [1, 6]) {
    const out = new IndependentDeflate(options({ level })).deflate(message, true, NO_LIMIT)!;
    expect(out.length).toBeLessThanOrEqual(message.length + 3 * 5 + 1);
    expect(equal(zlibInflate([out]), message)).toBe(true);
  }
});

test('every level finds what is worth finding', () => {
  for (const message of [json(6_000), concat([noise(200), noise(200), new Uint8Array(400)])]) {
    for (const level of ALL_LEVELS) {
      const ours = new IndependentDeflate(options({ level })).deflate(message, true, NO_LIMIT)!.length;
      expect(ours, `level ${level}`).toBeLessThanOrEqual(1.05 * zlibDeflate(message, { level }).length + 2);
    }
  }
});

describe('context takeover', () => {
  test('what was sent lately is found again, also when the window has moved many times, and after a reset', () => {
    for (const [windowBits, size] of [
      [10, 300],
      [12, 1_500],
    ] as const) {
      const deflater = new Deflate(options({ windowBits }));
      const inflater = new Inflate(windowBits);
      const send = (message: Uint8Array): number => {
        const out = deflater.deflate(message, true, NO_LIMIT)!;
        expect(equal(inflate(inflater, [out])!, message)).toBe(true);
        return out.length;
      };
      for (let i = 1; i < 60; i++) {
        const message = noise(size, 2 * i + 1);
        if (i % 20 === 0) deflater.reset();
        expect(send(message)).toBeGreaterThan(size);
        expect(send(message)).toBeLessThan(size / 8);
      }
    }
  });
});

test('T76: nothing refers further back than the window, though the longest match is there', () => {
  const [long, other] = [noise(60), noise(800, 9)];
  // Twice the beginning of it within the window, and the whole of it beyond.
  const near = long.subarray(0, 20);
  const message = concat([long, other.subarray(0, 340), near, other.subarray(340, 720), long, json(2_000), long]);
  for (const level of ALL_LEVELS) {
    for (const deflater of [Deflate, IndependentDeflate]) {
      const out = new deflater(options({ level, windowBits: 9 })).deflate(message, true, NO_LIMIT)!;
      expect(equal(zlibInflate([out], 9), message)).toBe(true);
      expect(equal(inflate(new Inflate(9), [out])!, message)).toBe(true);
    }
  }
});
