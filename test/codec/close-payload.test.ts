/** The payload of a Close frame (RFC 6455 section 5.5.1). */

import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { CloseCode, isReceivableCloseCode, isSendableCloseCode } from '../../src/codec/close-code.ts';
import { checkClose, encodeClosePayload, parseClosePayload } from '../../src/codec/close-payload.ts';
import { UsageError } from '../../src/errors.ts';

function parse(...bytes: number[]): ReturnType<typeof parseClosePayload> {
  return parseClosePayload(Uint8Array.from(bytes), 0, bytes.length);
}

const sendable = fc.oneof(
  fc.constantFrom(...Object.values(CloseCode).filter(isSendableCloseCode)),
  fc.integer({ min: 3000, max: 4999 }),
);
const shortText = fc
  .string({ unit: 'binary', maxLength: 123 })
  .filter((text) => new TextEncoder().encode(text).length <= 123);

describe('parseClosePayload', () => {
  it('reads the empty payload as 1005', () => {
    expect(parse()).toEqual({ code: 1005, reason: '', fault: null });
  });

  it('T32 refuses a payload of one byte', () => {
    for (let byte = 0; byte < 256; byte++) expect(parse(byte).fault).toBe('CLOSE_PAYLOAD_TRUNCATED');
  });

  it('T32 takes every code from 0 to 65535 as §7.4 says', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const { code: read, reason, fault } = parse(code >> 8, code & 0xff);
      const expected = isReceivableCloseCode(code) ? null : 'CLOSE_CODE_INVALID';
      if (read !== code || reason !== '' || fault !== expected) expect.fail(`code ${code}`);
    }
  });

  test.each([
    ['overlong', [0xc0, 0x80]],
    ['surrogate', [0xed, 0xa0, 0x80]],
    ['truncated', [0x61, 0xe2, 0x82]],
    ['above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('T30 refuses a reason that is not UTF-8: %s', (_name, reason) => {
    expect(parse(0x03, 0xe8, ...reason)).toEqual({ code: 1000, reason: '', fault: 'UTF8_INVALID' });
  });

  it('names the code first when both are wrong', () => {
    expect(parse(0x03, 0xed, 0xff).fault).toBe('CLOSE_CODE_INVALID');
  });

  it('keeps a byte order mark in the reason', () => {
    expect(parse(0x03, 0xe8, 0xef, 0xbb, 0xbf, 0x78)).toEqual({ code: 1000, reason: '\ufeffx', fault: null });
  });

  it('never throws, and looks only at the range it is given', () => {
    const bytes = fc.uint8Array({ maxLength: 125 });
    fc.assert(
      fc.property(bytes, bytes, bytes, (before, payload, after) => {
        const all = Uint8Array.from([...before, ...payload, ...after]);
        const inside = parseClosePayload(all, before.length, before.length + payload.length);
        expect(inside).toEqual(parse(...payload));
        if (inside.fault !== null) expect(inside.reason).toBe('');
      }),
    );
  });
});

describe('encodeClosePayload', () => {
  it('is empty without a code', () => {
    expect(encodeClosePayload(null, '')).toEqual(new Uint8Array(0));
  });

  it('puts the code first, highest byte first', () => {
    expect(encodeClosePayload(1000, '')).toEqual(Uint8Array.of(0x03, 0xe8));
    expect(encodeClosePayload(4999, 'né')).toEqual(Uint8Array.of(0x13, 0x87, 0x6e, 0xc3, 0xa9));
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(sendable, shortText, (code, reason) => {
        const payload = encodeClosePayload(code, reason);
        expect(payload.length).toBeLessThanOrEqual(125);
        expect(payload.buffer.byteLength).toBe(payload.length);
        expect(parseClosePayload(payload, 0, payload.length)).toEqual({ code, reason, fault: null });
      }),
    );
  });

  it('T32 throws for every code that may not be sent', () => {
    for (let code = 0; code <= 0xffff; code++) {
      let thrown = false;
      try {
        encodeClosePayload(code, '');
      } catch (error) {
        thrown = error instanceof UsageError && error.code === 'INVALID_ARGUMENT';
      }
      if (thrown === isSendableCloseCode(code)) expect.fail(`code ${code}`);
    }
  });

  it('takes exactly 123 bytes of reason', () => {
    expect(encodeClosePayload(1000, 'x'.repeat(123)).length).toBe(125);
    expect(encodeClosePayload(1000, '€'.repeat(41)).length).toBe(125);
  });

  test.each([
    ['a reason of 124 ASCII characters', 1000, 'x'.repeat(124), /longer than 123 bytes/],
    ['a reason of 124 bytes in 42 characters', 1000, `${'€'.repeat(41)}x`, /longer than 123 bytes/],
    ['a huge reason', 1000, 'x'.repeat(1 << 20), /longer than 123 bytes/],
    ['a lone surrogate', 1000, 'x\ud800', /lone surrogate/],
    ['a reason without a code', null, 'bye', /needs a close code/],
    ['1005', 1005, '', /close code 1005 may not be sent/],
    ['a fraction', 1000.5, '', /may not be sent/],
    ['a code that is a string', '1000' as unknown as number, '', /may not be sent/],
    ['no code at all', undefined as unknown as number, '', /may not be sent/],
    ['a reason that is no string', 1000, 7 as unknown as string, /not a string/],
  ])('throws UsageError for %s', (_name, code, reason, text) => {
    expect(() => encodeClosePayload(code, reason)).toThrow(UsageError);
    expect(() => encodeClosePayload(code, reason)).toThrow(text);
  });
});

test('callers who close name a code: null is for the engine alone', () => {
  expect(checkClose(1000, 'bye')).toBeUndefined();
  for (const code of [null, undefined, '1000', 1000n, Symbol('x'), Object.create(null)] as never[]) {
    expect(() => checkClose(code, '')).toThrow(UsageError);
    expect(() => checkClose(code, '')).toThrow('a close code is a number, not ');
  }
  expect(() => checkClose(null as never, '')).toThrow('not null');
  expect(() => checkClose('1000' as never, '')).toThrow('not string');
  expect(() => checkClose(1005, '')).toThrow('1005');
  expect(() => checkClose(1000, null as never)).toThrow('not a string');
  expect(() => checkClose(1000, 'x'.repeat(124))).toThrow('123');
});

test('a reason is measured in octets of UTF-8, not in characters', () => {
  expect(encodeClosePayload(1000, 'x'.repeat(123)).length).toBe(125);
  for (const reason of ['x'.repeat(124), 'é'.repeat(62), 'é'.repeat(123), '€'.repeat(42)]) {
    expect(() => encodeClosePayload(1000, reason)).toThrow(UsageError);
  }
});
