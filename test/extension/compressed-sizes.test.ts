/**
 * What the compressor makes of a fixed corpus, octet for octet: how hard a level tries, what it remembers and what it gives up shows in
 * nothing else. A search that is changed on purpose gets new rows, and the commit says what they gain.
 */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Deflate, IndependentDeflate } from '../../src/extension/permessage-deflate/deflate.ts';
import { concat } from '../support/bytes.ts';
import { options } from './deflate-suite.ts';
import { ALL_LEVELS, ALL_WINDOWS, json, kinds, noise } from './support.ts';

/** Matches of every length, some of which beat the one before, near and far. */
function echoes(size: number, seed: number): Uint8Array {
  const steps = noise(size, seed);
  const out = new Uint8Array(size);
  for (let at = 0, i = 0; at < size; i++) {
    const back = 1 + (((steps[i]! << 4) | (steps[i + 1]! & 15)) % (at + 1));
    const length = steps[i + 2]! % 5 === 0 ? 1 + (steps[i + 3]! >> 4) : 4 + (steps[i + 3]! >> (steps[i + 4]! & 7));
    if (back > at || length < 5) out[at++] = steps[i]! & 63;
    else for (let k = 0; k < length && at < size; k++, at++) out[at] = out[at - back]!;
  }
  return out;
}

const MESSAGES = [
  json(500, 9),
  json(520, 9),
  json(900, 9),
  json(3_000),
  echoes(20_000, 5),
  concat([json(9_000, 7), kinds.period!(2_000), new Uint8Array(700), kinds.digits!(1_500)]),
  json(600, 3),
  concat([echoes(9_000, 11), json(3_000)]),
  noise(300),
];

/** Bytes of each message, and a digest of all. */
function made(deflater: Deflate | IndependentDeflate): string {
  const digest = createHash('sha256');
  const sizes = MESSAGES.map((message) => {
    const out = deflater.deflate(message, true, Number.POSITIVE_INFINITY)!;
    digest.update(out);
    return out.length;
  });
  return `${sizes.join(' ')} ${digest.digest('hex').slice(0, 8)}`;
}

test('each level makes the same of the same messages, one after the other', () => {
  const table = ALL_LEVELS.map((level) => made(new Deflate(options({ level, windowBits: 15 }))));
  expect(table).toEqual([
    '227 22 119 663 2629 3279 162 1848 306 90c89768',
    '224 19 118 619 2264 3172 157 1673 306 1b9f121d',
    '222 19 117 612 2063 3138 155 1568 306 a4b3e21f',
    '222 18 112 606 1844 3129 155 1532 306 3e13c6af',
    '218 17 108 568 1656 2933 141 1350 306 7f80fcb7',
    '218 17 108 552 1448 2860 139 1230 306 791bb102',
    '218 17 108 534 1344 2816 140 1170 306 cea9debb',
    '218 17 108 534 1258 2811 137 1120 306 fc01320d',
    '218 17 108 534 1213 2811 137 1099 306 b8703654',
  ]);
});

test('and of each by itself', () => {
  const table = ALL_LEVELS.map((level) => made(new IndependentDeflate(options({ level, windowBits: 15 }))));
  expect(table).toEqual([
    '227 235 328 793 2629 3368 245 1954 306 83e30d46',
    '224 233 323 771 2264 3268 244 1785 306 1cea527c',
    '222 230 322 755 2063 3222 241 1686 306 d199d36a',
    '222 230 319 743 1844 3196 238 1652 306 9e751bd0',
    '218 226 313 714 1656 3047 235 1492 306 6dde3284',
    '218 226 313 708 1448 3019 235 1374 306 a32f902c',
    '218 226 313 696 1344 2954 235 1308 306 a59150a5',
    '218 226 313 696 1258 2948 235 1260 306 90bfa0c3',
    '218 226 313 696 1213 2948 235 1242 306 bfcc0a49',
  ]);
});

test('each window', () => {
  const table = ALL_WINDOWS.map((windowBits) => made(new Deflate(options({ windowBits }))));
  expect(table).toEqual([
    '218 186 285 840 2489 5614 252 1802 306 da2de2a3',
    '218 17 258 734 2316 3252 235 1604 306 576785f6',
    '218 17 108 619 2079 3033 237 1496 306 9948add1',
    '218 17 108 579 1913 2940 238 1438 306 3da375eb',
    '218 17 108 552 1578 2893 238 1381 306 491642a7',
    '218 17 108 552 1489 2957 140 1372 306 11a14c92',
    '218 17 108 552 1448 2976 139 1248 306 879b8e87',
    '218 17 108 552 1448 2860 139 1230 306 791bb102',
  ]);
});
