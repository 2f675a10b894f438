import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acceptKey, isValidKey } from '../../src/handshake/accept-key.ts';
import { encodeBase64 } from '../../src/handshake/base64.ts';

test('RFC 6455 1.3: the sample nonce', () => {
  expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('any 16 bytes make a valid key, whose answer is the platform’s', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (nonce) => {
      const key = encodeBase64(nonce);
      expect(isValidKey(key)).toBe(true);
      const oracle = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      expect(acceptKey(key)).toBe(oracle);
    }),
  );
});

test('T43: only 16 bytes are a key', () => {
  for (let length = 0; length <= 40; length++) {
    expect(isValidKey(encodeBase64(new Uint8Array(length))), `${length} bytes`).toBe(length === 16);
  }
});

test.each([
  ['????'],
  ['dGhlIHNhbXBsZSBub25jZQ='],
  ['dGhlIHNhbXBsZSBub25jZQ=A'],
  ['dGhlIHNhbXBsZSBub25jZQA='],
  ['dGhlIHNhbXBsZSBub25jZQAA'],
  ['dGhlIHNhbXBsZSBub25jZ==='],
  ['dGhlIHNhbXBs-SBub25jZQ=='],
  ['dGhlIHNhbXBs_SBub25jZQ=='],
  [' GhlIHNhbXBsZSBub25jZQ=='],
  ['dGhlIHNhbXBsZSBub25jé0=='],
  ['dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ=='],
])('T43: %j is no key', (key) => {
  expect(isValidKey(key)).toBe(false);
});

test('RFC 4648 3.5: unused bits of the last digit are ignored, and do not change what is hashed', () => {
  expect(isValidKey('dGhlIHNhbXBsZSBub25jZR==')).toBe(true);
  expect(acceptKey('dGhlIHNhbXBsZSBub25jZR==')).not.toBe(acceptKey('dGhlIHNhbXBsZSBub25jZQ=='));
});
