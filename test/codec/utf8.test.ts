/** UTF-8 (RFC 6455 section 8.1, RFC 3629), with the platform's codec as the oracle. */

import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { pureText, Utf8Validator } from '../../src/codec/utf8.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

function oracleDecode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** What a validator says of bytes in these pieces: the index of the byte it rejects (-1: none), and whether it is complete. */
function verdict(
  bytes: Uint8Array,
  cuts: readonly number[] = [],
): { rejectedIn: [number, number] | null; complete: boolean } {
  const validator = new Utf8Validator();
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (!validator.push(bytes, from, to)) return { rejectedIn: [from, to], complete: validator.complete };
    from = to;
  }
  return { rejectedIn: null, complete: validator.complete };
}

/** The index of the byte at which a validator that is fed byte by byte rejects; -1 if it never does. */
function firstBadByte(bytes: Uint8Array): number {
  const validator = new Utf8Validator();
  for (let i = 0; i < bytes.length; i++) if (!validator.push(bytes, i, i + 1)) return i;
  return -1;
}

/**
 * The oracle for the earliest moment: a prefix is hopeless if no continuation makes it valid. Four continuations are
 * enough to try, because they cover every restricted range of RFC 3629 section 4.
 */
function hopeless(prefix: Uint8Array): boolean {
  for (const next of [0x80, 0x90, 0xa0, 0xbf]) {
    for (let more = 0; more <= 3; more++) {
      const tail = [next, 0x80, 0x80].slice(0, more);
      if (isUtf8(Uint8Array.of(...prefix, ...tail))) return false;
    }
  }
  return true;
}

function oracleFirstBadByte(bytes: Uint8Array): number {
  for (let length = 1; length <= bytes.length; length++) if (hopeless(bytes.subarray(0, length))) return length - 1;
  return -1;
}

/** Compares everything we say of these bytes with the oracle; returns a difference, or null (an `expect` a call is too slow). */
function difference(bytes: Uint8Array): string | null {
  const valid = isUtf8(bytes);
  if (pureText.isValid(bytes, 0, bytes.length) !== valid) return `isValid(${bytes})`;
  if (pureText.decode(bytes, 0, bytes.length) !== oracleDecode(bytes)) return `decode(${bytes})`;
  const whole = verdict(bytes);
  if ((whole.rejectedIn === null && whole.complete) !== valid) return `push(${bytes})`;
  return null;
}

/** Bytes that are likely to be almost UTF-8. */
const nearlyUtf8 = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }).map((text) => [...encoder.encode(text)]),
      fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).map((text) => [...encoder.encode(text)]),
      fc.array(fc.constantFrom(0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf), {
        maxLength: 3,
      }),
      fc.array(fc.constantFrom(0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff), { maxLength: 1 }),
      fc.array(fc.nat(255), { maxLength: 4 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));

const anyText = fc.string({ unit: 'binary', maxLength: 300 });

describe('§8.1: bytes that are not UTF-8', () => {
  // T30: name, bytes, index of the byte at which it must be refused.
  const rows: readonly (readonly [string, readonly number[], number])[] = [
    ['overlong NUL c0 80', [0xc0, 0x80], 0],
    ['overlong c1 bf', [0xc1, 0xbf], 0],
    ['overlong e0 80 80', [0xe0, 0x80, 0x80], 1],
    ['overlong e0 9f bf', [0xe0, 0x9f, 0xbf], 1],
    ['overlong f0 80 80 80', [0xf0, 0x80, 0x80, 0x80], 1],
    ['overlong f0 8f bf bf', [0xf0, 0x8f, 0xbf, 0xbf], 1],
    ['high surrogate ed a0 80', [0xed, 0xa0, 0x80], 1],
    ['low surrogate ed bf bf', [0xed, 0xbf, 0xbf], 1],
    ['surrogate pair in CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], 1],
    ['U+110000 f4 90 80 80', [0xf4, 0x90, 0x80, 0x80], 1],
    ['lead f5', [0xf5, 0x80, 0x80, 0x80], 0],
    ['five-byte form f8', [0xf8, 0x88, 0x80, 0x80, 0x80], 0],
    ['fe', [0xfe], 0],
    ['ff', [0xff], 0],
    ['continuation alone', [0x80], 0],
    ['continuation after ASCII', [0x41, 0x42, 0x80, 0x43], 2],
    ['two-byte lead, then ASCII', [0xc3, 0x28], 1],
    ['third byte is ASCII', [0xe2, 0x82, 0x28], 2],
    ['third byte of four is a lead', [0xf0, 0x9f, 0xc3, 0xa9], 2],
    ['fourth byte is ASCII', [0xf0, 0x9f, 0x98, 0x28], 3],
    ['bad byte late, after long ASCII', [...new Array<number>(100).fill(0x61), 0xff, 0x61], 100],
    ['RFC test text κόσμε with an encoded surrogate', [0xce, 0xba, 0xcf, 0x8c, 0xed, 0xa0, 0x80, 0x65], 5],
  ];

  test.each(rows)('T30 %s', (_name, numbers, bad) => {
    const bytes = Uint8Array.from(numbers);
    expect(pureText.isValid(bytes, 0, bytes.length)).toBe(false);
    expect(pureText.decode(bytes, 0, bytes.length)).toBeNull();
    expect(firstBadByte(bytes)).toBe(bad);
    expect(oracleFirstBadByte(bytes)).toBe(bad);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const piece = cut <= bad ? [cut, bytes.length] : [0, cut];
      expect(verdict(bytes, [cut]), `cut at ${cut}`).toEqual({ rejectedIn: piece, complete: false });
    }
  });

  test.each([
    ['c3', [0xc3]],
    ['e2 82', [0xe2, 0x82]],
    ['f0', [0xf0]],
    ['f0 9f', [0xf0, 0x9f]],
    ['f0 9f 98', [0xf0, 0x9f, 0x98]],
    ['ASCII, then e0 a0', [0x61, 0x62, 0xe0, 0xa0]],
  ])('T30 truncated at the end: %s is no fault before the end, and none at it can be complete', (_name, numbers) => {
    const bytes = Uint8Array.from(numbers);
    expect(verdict(bytes)).toEqual({ rejectedIn: null, complete: false });
    expect(pureText.isValid(bytes, 0, bytes.length)).toBe(false);
    expect(pureText.decode(bytes, 0, bytes.length)).toBeNull();
  });

  it('T30 refuses everything after a bad byte, until reset', () => {
    const validator = new Utf8Validator();
    expect(validator.push(Uint8Array.of(0x61, 0xff), 0, 2)).toBe(false);
    expect(validator.push(Uint8Array.of(0x61), 0, 1)).toBe(false);
    expect(validator.push(new Uint8Array(0), 0, 0)).toBe(false);
    expect(validator.complete).toBe(false);
    validator.reset();
    expect(validator.complete).toBe(true);
    expect(validator.push(Uint8Array.of(0x61), 0, 1)).toBe(true);
  });
});

describe('against the oracle', () => {
  it('agrees on all sequences of one and two bytes', () => {
    for (let a = 0; a < 256; a++) {
      expect(difference(Uint8Array.of(a))).toBeNull();
      for (let b = 0; b < 256; b++) {
        const bytes = Uint8Array.of(a, b);
        const found = difference(bytes);
        if (found !== null || firstBadByte(bytes) !== oracleFirstBadByte(bytes))
          expect.fail(found ?? `byte of ${bytes}`);
      }
    }
  });

  it('agrees on three and four bytes at the edges of every range, alone and within ASCII', () => {
    const leads = [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef];
    leads.push(0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff);
    const rest = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff];
    for (const a of leads) {
      for (const b of rest) {
        for (const c of rest) {
          for (const bytes of [Uint8Array.of(a, b, c), ...rest.map((d) => Uint8Array.of(a, b, c, d))]) {
            const found = difference(bytes) ?? difference(Uint8Array.of(0x61, ...bytes, 0x62));
            if (found !== null || firstBadByte(bytes) !== oracleFirstBadByte(bytes)) {
              expect.fail(found ?? `byte of ${bytes}`);
            }
          }
        }
      }
    }
  });

  it('agrees on arbitrary and on nearly valid bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), nearlyUtf8), (bytes) => {
        expect(difference(bytes)).toBeNull();
        expect(firstBadByte(bytes)).toBe(oracleFirstBadByte(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives the same verdict at the same byte however the bytes are cut', () => {
    fc.assert(
      fc.property(nearlyUtf8, fc.array(fc.nat(100), { maxLength: 6 }), (bytes, marks) => {
        const cuts = marks.map((mark) => mark % (bytes.length + 1)).sort((a, b) => a - b);
        const bad = firstBadByte(bytes);
        const { rejectedIn, complete } = verdict(bytes, cuts);
        if (bad < 0) expect(rejectedIn).toBeNull();
        else expect((rejectedIn?.[0] as number) <= bad && bad < (rejectedIn?.[1] as number)).toBe(true);
        expect(complete).toBe(isUtf8(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('looks only at the range it is given', () => {
    fc.assert(
      fc.property(nearlyUtf8, nearlyUtf8, nearlyUtf8, (before, bytes, after) => {
        const all = Uint8Array.from([...before, ...bytes, ...after]);
        const start = before.length;
        const end = start + bytes.length;
        expect(pureText.isValid(all, start, end)).toBe(isUtf8(bytes));
        expect(pureText.decode(all, start, end)).toBe(oracleDecode(bytes));
        expect(new Utf8Validator().push(all, start, end)).toBe(firstBadByte(bytes) < 0);
      }),
    );
  });
});

describe('every code point', () => {
  const scalars = function* (): Generator<number> {
    for (let point = 0; point <= 0x10ffff; point++) if (point < 0xd800 || point > 0xdfff) yield point;
  };

  it('T30 is valid when split at each of its bytes', () => {
    const validator = new Utf8Validator();
    const bytes = new Uint8Array(4);
    for (const point of scalars()) {
      const length = encoder.encodeInto(String.fromCodePoint(point), bytes).written;
      for (let cut = 1; cut < Math.max(length, 2); cut++) {
        const ok = validator.push(bytes, 0, cut) && validator.complete === (cut === length);
        if (!ok || !validator.push(bytes, cut, length) || !validator.complete) {
          expect.fail(`U+${point.toString(16)} cut at ${cut}`);
        }
      }
    }
  });

  it('is encoded, measured and decoded as the platform does', () => {
    const bytes = new Uint8Array(4);
    const into = new Uint8Array(6);
    for (const point of scalars()) {
      const text = String.fromCodePoint(point);
      const length = encoder.encodeInto(text, bytes).written;
      let ok = pureText.encodeInto(text, into, 0) === length && pureText.byteLength(text) === length;
      for (let i = 0; i < length; i++) ok &&= into[i] === bytes[i];
      if (!ok || pureText.decode(into, 0, length) !== text) expect.fail(`U+${point.toString(16)}`);
    }
  });
});

describe('pureText', () => {
  it('T30 keeps a byte order mark', () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61);
    expect(pureText.decode(bytes, 0, 4)).toBe('\ufeffa');
    expect(pureText.decode(bytes, 0, 3)).toBe('\ufeff');
  });

  it('takes nothing for the empty text', () => {
    expect(pureText.decode(new Uint8Array(2), 1, 1)).toBe('');
    expect(pureText.isValid(new Uint8Array(2), 1, 1)).toBe(true);
    expect(pureText.encodeInto('', new Uint8Array(0), 0)).toBe(0);
    expect(pureText.byteLength('')).toBe(0);
  });

  it('encodes and decodes any text as the platform does, within the room it was promised', () => {
    fc.assert(
      fc.property(anyText, fc.nat(5), (text, at) => {
        const expected = encoder.encode(text);
        const into = new Uint8Array(at + 3 * text.length + 2).fill(0xee);
        expect(pureText.encodeInto(text, into, at)).toBe(expected.length);
        expect(into.subarray(at, at + expected.length)).toEqual(expected);
        expect(into.subarray(0, at).every((byte) => byte === 0xee)).toBe(true);
        expect(into.subarray(at + expected.length).every((byte) => byte === 0xee)).toBe(true);
        expect(pureText.byteLength(text)).toBe(expected.length);
        expect(pureText.decode(into, at, at + expected.length)).toBe(text);
      }),
    );
  });

  it.each(['a', 'é', '€', '😀', 'aé€😀', 'aaaaaaaaa😀', 'aaaaéaaaaa€'])(
    'decodes long texts of %s at every length around its batches',
    (unit) => {
      for (const length of [1015, 1018, 1019, 1020, 1021, 1022, 1023, 1024, 1025, 2047, 2048, 2049, 10_000]) {
        for (const prefix of ['', 'x', 'xy', 'xyz']) {
          const text = prefix + unit.repeat(Math.ceil(length / unit.length));
          const bytes = encoder.encode(text);
          if (pureText.decode(bytes, 0, bytes.length) !== text) expect.fail(`${prefix} ${length}`);
        }
      }
    },
  );

  it('refuses a bad byte in any batch', () => {
    const bytes = encoder.encode('é'.repeat(3000));
    for (const at of [0, 1, 2037, 2038, 2040, 4095, 5999]) {
      const broken = bytes.slice();
      broken[at] = 0xff;
      expect(pureText.decode(broken, 0, broken.length)).toBeNull();
    }
    expect(pureText.decode(bytes, 0, bytes.length)).toBe('é'.repeat(3000));
  });

  it.each([
    ['high alone', '\ud800'],
    ['high at the end', 'abc\udbff'],
    ['high before ASCII', '\ud83dx'],
    ['high before high', '\ud83d\ud83d\ude00'],
    ['low alone', '\udc00'],
    ['low first', '\ude00\ud83d'],
    ['low after a pair', '😀\ude00'],
  ])('refuses a lone surrogate: %s', (_name, text) => {
    expect(pureText.encodeInto(text, new Uint8Array(3 * text.length), 0)).toBe(-1);
    expect(pureText.byteLength(text)).toBe(-1);
  });

  it('refuses exactly the texts that are not well formed', () => {
    const units = fc.array(fc.oneof(fc.constantFrom(0xd800, 0xdbff, 0xdc00, 0xdfff), fc.nat(0xffff)), { maxLength: 8 });
    fc.assert(
      fc.property(units, (codes) => {
        const text = String.fromCharCode(...codes);
        const wellFormed = !/\p{Surrogate}/u.test(text);
        expect(pureText.byteLength(text) >= 0).toBe(wellFormed);
        expect(pureText.encodeInto(text, new Uint8Array(3 * text.length), 0) >= 0).toBe(wellFormed);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a validator', () => {
  it('begins anew after reset(), whatever it was in the middle of', () => {
    const validator = new Utf8Validator();
    for (const [bytes, good] of [
      [[0xe2, 0x82], true],
      [[0xff], false],
      [[0x61], true],
    ] as const) {
      expect(validator.push(Uint8Array.from(bytes), 0, bytes.length)).toBe(good);
      validator.reset();
      expect(validator.complete).toBe(true);
    }
    expect(validator.push(Uint8Array.of(0xac), 0, 1)).toBe(false);
  });

  it('is cloned with what it has seen, and each goes on by itself', () => {
    const validator = new Utf8Validator();
    validator.push(Uint8Array.of(0xe2, 0x82), 0, 2);
    const copy = validator.clone();
    expect([copy.complete, copy.push(Uint8Array.of(0xac), 0, 1), copy.complete]).toEqual([false, true, true]);
    expect([validator.complete, validator.push(Uint8Array.of(0x41), 0, 1)]).toEqual([false, false]);
  });
});

describe('at every place', () => {
  const verdicts = (bytes: Uint8Array, start: number, end: number) => {
    const validator = new Utf8Validator();
    const whole = validator.push(bytes, start, end) && validator.complete;
    return [pureText.isValid(bytes, start, end), pureText.decode(bytes, start, end) !== null, whole];
  };

  it('one bad octet among many good ones is found', () => {
    for (const filler of [0x00, 0x61]) {
      for (let length = 1; length <= 20; length++) {
        for (let at = 0; at < length; at++) {
          for (const bad of [0x80, 0xff]) {
            const bytes = new Uint8Array(length).fill(filler);
            bytes[at] = bad;
            expect(verdicts(bytes, 0, length), `${bad} at ${at} of ${length}`).toEqual([false, false, false]);
          }
        }
      }
    }
  });

  it('a code point that ends with the range is whole, and one that is cut there is not, whatever lies behind', () => {
    for (const text of ['é', '€', '\u{1f600}']) {
      for (const before of ['', 'a', 'abcdefghi', 'é']) {
        const bytes = new TextEncoder().encode(`${before}${text}${text}`);
        const size = new TextEncoder().encode(text).length;
        const start = new TextEncoder().encode(before).length;
        for (const from of [0, start]) {
          expect(verdicts(bytes, from, start + size)).toEqual([true, true, true]);
          for (let cut = 1; cut < size; cut++) {
            expect(verdicts(bytes, from, start + cut)).toEqual([false, false, false]);
          }
        }
      }
    }
  });
});
