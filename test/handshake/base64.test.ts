import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base64Digit, decodeBase64, encodeBase64 } from '../../src/handshake/base64.ts';

test.each([
  ['', ''],
  ['f', 'Zg=='],
  ['fo', 'Zm8='],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg=='],
  ['fooba', 'Zm9vYmE='],
  ['foobar', 'Zm9vYmFy'],
])('RFC 4648 10: %j is %j', (plain, encoded) => {
  expect(encodeBase64(Buffer.from(plain))).toBe(encoded);
  expect(decodeBase64(encoded)).toEqual(new Uint8Array(Buffer.from(plain)));
});

test('encoding agrees with the platform, and decoding gives the bytes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = encodeBase64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(decodeBase64(text)).toEqual(bytes);
    }),
  );
});

test('whatever is decoded is the only text of its bytes', () => {
  const character = fc.constantFrom(...'AQgwB+/z9=_- \n');
  fc.assert(
    fc.property(fc.string({ unit: character, maxLength: 8 }), (text) => {
      const bytes = decodeBase64(text);
      if (bytes !== null) expect(encodeBase64(bytes)).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['a length that is no multiple of four', 'Zg'],
  ['one digit', 'Z'],
  ['too little padding', 'Zg='],
  ['too much padding', 'Z==='],
  ['nothing but padding', '===='],
  ['padding inside', 'Zg==Zg=='],
  ['padding between digits', 'Z=g='],
  ['bits left over after one byte', 'Zh=='],
  ['bits left over after two bytes', 'Zm9='],
  ['the URL alphabet', 'Zm9-'],
  ['whitespace', 'Zm 9'],
  ['a line break', 'Zm9\n'],
  ['a character beyond ASCII', 'Zm9é'],
  ['a character beyond latin1', 'Zm9\u{ff41}'],
])('refused: %s', (_, text) => {
  expect(decodeBase64(text)).toBeNull();
});

test('the digits are those of RFC 4648 table 1, and nothing else is one', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  for (let unit = 0; unit < 0x300; unit++) {
    expect(base64Digit(unit)).toBe(alphabet.indexOf(String.fromCharCode(unit)));
  }
});
