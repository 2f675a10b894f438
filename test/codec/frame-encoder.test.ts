/** Frame headers as bytes (RFC 6455 section 5.2), at every border of their lengths. */
import { expect, test } from 'vitest';
import { headerSize, writeHeader } from '../../src/codec/frame-encoder.ts';

const LENGTHS = [
  0,
  1,
  125,
  126,
  255,
  256,
  65_535,
  65_536,
  2 ** 24,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 1,
  2 ** 41,
  2 ** 53 - 1,
];

test('§5.2: each length in its shortest form, to the octet', () => {
  for (const length of LENGTHS) {
    for (const masked of [false, true]) {
      const into = new Uint8Array(20).fill(0xaa);
      const end = writeHeader(into, 3, 0x82, length, masked, 0x04030201);
      const view = new DataView(into.buffer);
      const bit = masked ? 0x80 : 0;
      let at = 5;
      if (length < 126) {
        expect(into[4]).toBe(bit | length);
      } else if (length < 65_536) {
        expect([into[4], view.getUint16(5)]).toEqual([bit | 126, length]);
        at = 7;
      } else {
        expect([into[4], view.getBigUint64(5)]).toEqual([bit | 127, BigInt(length)]);
        at = 13;
      }
      if (masked) {
        expect([...into.subarray(at, at + 4)]).toEqual([1, 2, 3, 4]);
        at += 4;
      }
      expect([into[3], end, headerSize(length, masked)]).toEqual([0x82, at, at - 3]);
      // Nothing before it, and nothing behind.
      expect([...into.subarray(0, 3), ...into.subarray(at)].every((octet) => octet === 0xaa)).toBe(true);
    }
  }
});
