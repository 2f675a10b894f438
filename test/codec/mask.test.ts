/** Masking (RFC 6455 section 5.3), with the RFC's own formula as the oracle. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyMask, copyMasked } from '../../src/codec/mask.ts';

/** §5.3, literally: transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4). */
function naive(bytes: Uint8Array, start: number, end: number, octets: readonly number[], phase: number): void {
  for (let i = start; i < end; i++) bytes[i] = bytes[i]! ^ octets[(i - start + phase) % 4]!;
}

function octetsOf(key: number): number[] {
  return [key & 0xff, (key >>> 8) & 0xff, (key >>> 16) & 0xff, (key >>> 24) & 0xff];
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 37 + 11) & 0xff);
}

const KEY = 0x89abcdef | 0; // Octets ef cd ab 89: negative as an int32.
const anyKey = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

// Resizable buffers are ES2024; every supported Node has them, the compiler's library here does not.
const Resizable = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(length: number): void };

describe('applyMask', () => {
  it('masks the example of §5.7', () => {
    const bytes = Uint8Array.of(0x48, 0x65, 0x6c, 0x6c, 0x6f);
    applyMask(bytes, 0, 5, 0x3d21fa37, 0);
    expect(bytes).toEqual(Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58));
  });

  it('equals the formula for every alignment, phase and length from 0 to 300', () => {
    const octets = octetsOf(KEY);
    const actual = new Uint8Array(330);
    const expected = new Uint8Array(330);
    const fresh = pattern(330);
    for (let start = 0; start < 8; start++) {
      for (let phase = 0; phase < 4; phase++) {
        for (let length = 0; length <= 300; length++) {
          actual.set(fresh);
          expected.set(fresh);
          applyMask(actual, start, start + length, KEY, phase);
          naive(expected, start, start + length, octets, phase);
          if (!same(actual, expected)) expect.fail(`start ${start}, phase ${phase}, length ${length}`);
        }
      }
    }
  });

  it('respects the byte offset of the array, in buffers whose length is no multiple of four', () => {
    const octets = octetsOf(KEY);
    for (let byteOffset = 0; byteOffset < 4; byteOffset++) {
      for (let total = 300; total < 304; total++) {
        for (const length of [47, 48, 49, 63, 64, 65, 200, total - byteOffset - 1]) {
          const actual = pattern(total);
          const expected = pattern(total);
          const view = new Uint8Array(actual.buffer, byteOffset);
          const start = view.length - length; // Up to the last byte of the buffer.
          applyMask(view, start, view.length, KEY, 3);
          naive(expected, byteOffset + start, total, octets, 3);
          if (!same(actual, expected)) expect.fail(`offset ${byteOffset}, buffer ${total}, length ${length}`);
        }
      }
    }
  });

  it('is its own inverse, for any key, range and phase', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), anyKey, fc.nat(3), fc.nat(10), (bytes, key, phase, skip) => {
        const start = Math.min(skip, bytes.length);
        const original = bytes.slice();
        const expected = bytes.slice();
        naive(expected, start, bytes.length, octetsOf(key), phase);
        applyMask(bytes, start, bytes.length, key, phase);
        expect(same(bytes, expected)).toBe(true);
        applyMask(bytes, start, bytes.length, key, phase);
        expect(same(bytes, original)).toBe(true);
      }),
    );
  });

  it('masks a payload in pieces as in one', () => {
    fc.assert(
      fc.property(fc.nat(600), anyKey, fc.array(fc.nat(600), { maxLength: 5 }), (length, key, marks) => {
        const cuts = [...marks.map((mark) => mark % (length + 1)), length].sort((a, b) => a - b);
        const whole = pattern(length);
        const pieces = pattern(length);
        applyMask(whole, 0, length, key, 0);
        let from = 0;
        for (const to of cuts) {
          applyMask(pieces, from, to, key, from & 3);
          from = to;
        }
        expect(same(pieces, whole)).toBe(true);
      }),
    );
  });

  it('does not take one buffer for another: many arrays, many views, by turns', () => {
    const octets = octetsOf(KEY);
    const buffers = Array.from({ length: 4 }, (_, i) => new ArrayBuffer(200 + i));
    for (let round = 0; round < 200; round++) {
      const buffer = buffers[(round * 7) % 4]!;
      const view = new Uint8Array(buffer, round % 3, 150);
      const expected = view.slice();
      naive(expected, round % 5, 150, octets, round & 3);
      applyMask(view, round % 5, 150, KEY, round & 3);
      if (!same(view, expected)) expect.fail(`round ${round}`);
    }
  });

  it('knows where each view lies in the buffer that it has seen before', () => {
    const buffer = new ArrayBuffer(400);
    const views = [1, 2, 3, 200, 0].map((offset) => new Uint8Array(buffer, offset, 170));
    const octets = octetsOf(KEY);
    for (const view of [...views, ...views, ...views.flatMap((each) => [each, each])]) {
      const expected = new Uint8Array(buffer.slice(0));
      naive(expected, view.byteOffset + 2, view.byteOffset + 169, octets, 1);
      applyMask(view, 2, 169, KEY, 1);
      expect(same(new Uint8Array(buffer), expected)).toBe(true);
    }
  });

  it('masks in a buffer that is too large to be remembered, and in the remembered one after it', () => {
    const small = new Uint8Array(100);
    const large = new Uint8Array((1 << 20) + 5);
    const octets = octetsOf(KEY);
    for (const bytes of [small, large, small, large]) {
      const expected = bytes.slice();
      naive(expected, 1, bytes.length, octets, 1);
      applyMask(bytes, 1, bytes.length, KEY, 1);
      expect(same(bytes, expected)).toBe(true);
    }
  });

  it('follows a resizable buffer that grows and shrinks', () => {
    const buffer = new Resizable(64, { maxByteLength: 400 });
    const bytes = new Uint8Array(buffer);
    const octets = octetsOf(KEY);
    for (const length of [64, 400, 200, 399]) {
      buffer.resize(length);
      const expected = bytes.slice();
      naive(expected, 0, length, octets, 0);
      applyMask(bytes, 0, length, KEY, 0);
      expect(same(bytes, expected)).toBe(true);
    }
  });

  it('masks in shared memory', () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(99));
    const expected = new Uint8Array(99);
    naive(expected, 0, 99, octetsOf(KEY), 2);
    applyMask(bytes, 0, 99, KEY, 2);
    expect(same(bytes, expected)).toBe(true);
  });
});

describe('copyMasked', () => {
  it('writes the masked range and nothing else, and leaves the source alone', () => {
    const octets = octetsOf(KEY);
    const source = pattern(310);
    const original = source.slice();
    for (let start = 0; start < 5; start++) {
      for (let at = 0; at < 5; at++) {
        for (let length = 0; length <= 300; length++) {
          const target = new Uint8Array(310).fill(0xee);
          const expected = target.slice();
          expected.set(source.subarray(start, start + length), at);
          naive(expected, at, at + length, octets, 0);
          copyMasked(source, start, start + length, target, at, KEY);
          if (!same(target, expected)) expect.fail(`start ${start}, at ${at}, length ${length}`);
        }
      }
    }
    expect(same(source, original)).toBe(true);
  });

  it('copies a whole source', () => {
    for (const length of [0, 1, 63, 64, 65, 5000]) {
      const source = pattern(length);
      const target = new Uint8Array(length + 7);
      const expected = new Uint8Array(length + 7);
      expected.set(source, 7);
      naive(expected, 7, length + 7, octetsOf(KEY), 0);
      copyMasked(source, 0, length, target, 7, KEY);
      expect(same(target, expected)).toBe(true);
    }
  });
});

describe('many arrays over one buffer', () => {
  it('by turns: every one is masked where it lies, whichever was before it', () => {
    const buffer = new ArrayBuffer(1_003);
    const octets = octetsOf(KEY);
    const views = [0, 1, 2, 3, 7, 500].map((offset) => new Uint8Array(buffer, offset, 400));
    const whole = new Uint8Array(buffer);
    for (let round = 0; round < 60; round++) {
      const view = views[(round * 5) % 6]!;
      const from = view.byteOffset + (round % 9);
      whole.set(pattern(1_003));
      const expected = whole.slice();
      naive(expected, from, view.byteOffset + 400, octets, round & 3);
      applyMask(view, round % 9, 400, KEY, round & 3);
      if (!same(whole, expected)) expect.fail(`round ${round}`);
    }
  });

  it('and arrays of other buffers: one that comes again is not taken for the last one', () => {
    const [first, second] = [pattern(200), pattern(400)];
    for (const bytes of [first, first, second, first]) {
      const expected = bytes.slice();
      naive(expected, 0, bytes.length, octetsOf(KEY), 0);
      applyMask(bytes, 0, bytes.length, KEY, 0);
      expect(same(bytes, expected)).toBe(true);
    }
  });

  it('and the buffer has grown: the words that were remembered end too early', () => {
    const buffer = new Resizable(64, { maxByteLength: 400 });
    const octets = octetsOf(KEY);
    for (const length of [64, 64, 400, 400]) {
      buffer.resize(length);
      const bytes = new Uint8Array(buffer, 0, length);
      const expected = bytes.slice();
      naive(expected, 0, length, octets, 1);
      applyMask(bytes, 0, length, KEY, 1);
      expect(same(bytes, expected)).toBe(true);
    }
  });
});
