import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLatin1, encodeLatin1, equalsIgnoreCase } from '../../src/handshake/text.ts';

test('latin1 both ways agrees with the platform, for any part of a buffer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
      const start = Math.min(a, b, bytes.length);
      const end = Math.min(Math.max(a, b), bytes.length);
      const text = decodeLatin1(bytes, start, end);
      expect(text).toBe(Buffer.from(bytes).toString('latin1', start, end));
      expect(encodeLatin1(text)).toEqual(bytes.slice(start, end));
    }),
  );
});

test('case folding is that of ASCII letters and of nothing else', () => {
  for (let a = 0; a < 0x180; a++) {
    for (let b = 0; b < 0x180; b++) {
      const fold = (unit: number) => (unit >= 0x41 && unit <= 0x5a ? unit + 32 : unit);
      if (equalsIgnoreCase(String.fromCharCode(a), String.fromCharCode(b)) !== (fold(a) === fold(b))) {
        expect.fail(`${a} ${b}`);
      }
    }
  }
  expect(equalsIgnoreCase('webso\u212Aet', 'websoket')).toBe(false);
  expect(equalsIgnoreCase('a', 'ab')).toBe(false);
  expect(equalsIgnoreCase('', '')).toBe(true);
});
