import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha1 } from '../../src/handshake/sha1.ts';

const oracle = (bytes: Uint8Array) => new Uint8Array(createHash('sha1').update(bytes).digest());
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test.each([
  ['', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ['abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '84983e441c3bd26ebaae4aa1f95129e5e54670f1'],
])('FIPS 180-4 example %j', (text, digest) => {
  expect(hex(sha1(Buffer.from(text)))).toBe(digest);
});

test('every length around the block boundaries agrees with the platform', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) & 0xff);
  for (let length = 0; length <= bytes.length; length++) {
    const part = bytes.subarray(0, length);
    expect(hex(sha1(part)), `length ${length}`).toBe(hex(oracle(part)));
  }
});

test('any bytes, at any offset of their buffer, agree with the platform', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1000 }), fc.nat(70), (bytes, offset) => {
      const part = bytes.subarray(Math.min(offset, bytes.length));
      const before = part.slice();
      expect(sha1(part)).toEqual(oracle(part));
      expect(part).toEqual(before);
    }),
  );
});

test('a million times "a" (FIPS 180-4)', () => {
  expect(hex(sha1(new Uint8Array(1_000_000).fill(0x61)))).toBe('34aa973cd4c4daa4f61eeb2bdbad27316534016f');
});
