/** The pure inflate: what every inflater must do, and what only this one promises. */

import { expect, test } from 'vitest';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { concat, fromHex } from '../support/bytes.ts';
import { inflateSuite } from './inflate-suite.ts';
import { ALL_WINDOWS, cutEvery, inflate, inflateOnce, json, kinds, TAIL, zlibDeflate } from './support.ts';

inflateSuite((windowBits) => new Inflate(windowBits));

test.each([
  new Uint8Array(3_000_000),
  // Stored, so that a piece may be as large as it ever is.
  kinds['noise']!(100_000),
])('output comes in pieces of at most 32 KiB, made one at a time', (message) => {
  for (const windowBits of ALL_WINDOWS) {
    const inflater = new Inflate(windowBits);
    inflater.write(zlibDeflate(message, { windowBits }), true);
    let total = 0;
    for (let out = inflater.read(); out !== null; out = inflater.read()) {
      expect(out.length).toBeLessThanOrEqual(32_768);
      expect(out.length).toBeGreaterThan(0);
      expect(inflater.retained).toBeLessThanOrEqual(Math.max(4_096, 2 << windowBits));
      total += out.length;
    }
    expect(total).toBe(message.length);
  }
});

test('memory grows with what was inflated, not with what might be', () => {
  const inflater = new Inflate(15);
  expect(inflater.retained).toBe(0);
  expect(inflate(inflater, [zlibDeflate(json(100))])).toHaveLength(100);
  expect(inflater.retained).toBeLessThanOrEqual(1_024);
  expect(inflate(inflater, [zlibDeflate(json(1_024))])).toHaveLength(1_024);
  expect(inflater.retained).toBeLessThanOrEqual(4_096);
  for (let i = 0; i < 100; i++) inflate(inflater, [zlibDeflate(json(4_000))]);
  expect(inflater.retained).toBe(65_536);
});

test('a reference further back than the negotiated window, though it was sent', () => {
  const message = kinds['far']!(60_000);
  const compressed = zlibDeflate(message);
  expect(inflateOnce(compressed, 15)).toEqual(message);
  expect(inflateOnce(compressed, 14)).toBeNull();
});

test('what can be read before corrupt data is handed out, however the input was cut', () => {
  const good = zlibDeflate(json(900));
  const bytes = concat([good, TAIL, Uint8Array.of(0xff)]);
  for (const size of [1, 7, bytes.length]) {
    const inflater = new Inflate(15);
    let total = 0;
    for (const piece of cutEvery(bytes, size)) {
      inflater.write(piece, false);
      for (let out = inflater.read(); out !== null; out = inflater.read()) total += out.length;
    }
    expect([total, inflater.corrupt]).toEqual([900, true]);
  }
});

test('what is corrupt stays so', () => {
  const inflater = new Inflate(15);
  expect(inflate(inflater, [fromHex('ff')])).toBeNull();
  inflater.write(zlibDeflate(json(100)), true);
  expect(inflater.read()).toBeNull();
  expect(inflater.corrupt).toBe(true);
  expect(inflater.retained).toBe(0);
});

test('RFC 1951 §3.2.7: counts of codes that no alphabet has are refused at once', () => {
  const corruptAfter = (literals: number, distances: number): boolean => {
    const inflater = new Inflate(15);
    // BFINAL 0, BTYPE 2, HLIT, HDIST, HCLEN 0.
    const bits = (2 << 1) | ((literals - 257) << 3) | ((distances - 1) << 8);
    inflater.write(Uint8Array.of(bits & 0xff, bits >> 8, 0), false);
    expect(inflater.read()).toBe(null);
    return inflater.corrupt;
  };
  expect([corruptAfter(257, 1), corruptAfter(286, 1), corruptAfter(286, 30)]).toEqual([false, false, false]);
  expect([corruptAfter(287, 1), corruptAfter(288, 30)]).toEqual([true, true]);
  expect([corruptAfter(257, 31), corruptAfter(286, 32)]).toEqual([true, true]);
});
