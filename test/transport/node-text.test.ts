/** Node's text codec, as the engine uses it, against `TextDecoder` and `TextEncoder`: same strings, same refusals, whatever the way taken. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodePlatform, publicPlatform } from '../../src/transport/node/index.ts';

const oracle = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const text = nodePlatform.text!;

function expected(bytes: Uint8Array): string | null {
  try {
    return oracle.decode(bytes);
  } catch {
    return null;
  }
}

/** `bytes` somewhere inside of a larger array, as they lie in a read buffer. */
function decodeInside(bytes: Uint8Array, before: number): string | null {
  const around = new Uint8Array(before + bytes.length + 3).fill(0x41);
  around.set(bytes, before);
  return text.decode(around, before, before + bytes.length);
}

describe('text that Node decodes', () => {
  it('is what TextDecoder makes of it', () => {
    const any = fc.string({ unit: 'binary', maxLength: 200 });
    fc.assert(
      fc.property(any, fc.nat(9), (value, before) => {
        const bytes = encoder.encode(value);
        expect(decodeInside(bytes, before)).toBe(expected(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('is refused where TextDecoder refuses it', () => {
    const octet = fc.oneof(fc.nat(255), fc.constantFrom(0x41, 0x80, 0xbf, 0xc3, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xff));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 17, maxLength: 60 }), fc.array(octet, { maxLength: 40 }), (all, some) => {
        const bytes = Uint8Array.from([...some, ...all]);
        expect(text.decode(bytes, 0, bytes.length)).toBe(expected(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  it('may be cut wrongly by one octet anywhere', () => {
    const bytes = encoder.encode('Grüße, мир, 你好, \u{1f600}\u{10ffff}\ufeff and a little more ASCII behind it');
    for (let end = 0; end <= bytes.length; end++) {
      const part = bytes.slice(0, end);
      expect(text.decode(part, 0, end)).toBe(expected(part));
    }
  });

  it('keeps a byte order mark, and the two halves of a surrogate pair', () => {
    const value = `\ufeff${'\u{1f600}'.repeat(10)}`;
    expect(text.decode(encoder.encode(value), 0, encoder.encode(value).length)).toBe(value);
  });

  it('may be long: the room for code units that all share is not the limit', () => {
    for (const size of [65_535, 65_536, 65_537, 200_000]) {
      const value = `${'ж'.repeat(size >> 1)}${size % 2 === 1 ? 'x' : ''}`;
      const bytes = encoder.encode(value);
      expect(bytes.length).toBe(size);
      expect(text.decode(bytes, 0, size) === value).toBe(true);
    }
  });

  it('does not share memory with the text before it', () => {
    const first = text.decode(encoder.encode('первое сообщение из двух'), 0, 45);
    text.decode(encoder.encode('и ещё одно, совсем другое'), 0, 45);
    expect(first).toBe('первое сообщение из двух');
  });

  it('is judged as Node judges it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(text.isValid(bytes, 0, bytes.length)).toBe(expected(bytes) !== null);
        expect(publicPlatform.text!.isValid(bytes, 0, bytes.length)).toBe(expected(bytes) !== null);
      }),
    );
  });
});
