/** What commands may be given, one check at a time; what they do in a connection is in misuse.test.ts. */
import { describe, expect, it } from 'vitest';
import { pureText } from '../../src/codec/utf8.ts';
import {
  checkBytes,
  checkCount,
  checkFlag,
  checkFragmentSize,
  checkKind,
  checkText,
  checkTime,
  controlPayload,
  encodeText,
  loneSurrogate,
  notOpen,
} from '../../src/connection/checks.ts';
import { UsageError } from '../../src/errors.ts';

/** The text of the UsageError, or what was returned. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).code).toBe('INVALID_ARGUMENT');
    return (error as UsageError).message;
  }
}

/** Foreign bytes say their name by the getter of their prototype. */
const foreign = {
  get [Symbol.toStringTag]() {
    return 'Uint8Array';
  },
};

describe('T57: arguments', () => {
  it('a number of bytes is whole, not below 0 and not above what there is', () => {
    for (const good of [0, 1, 10]) expect(outcome(() => checkCount(good, 10))).toBe(undefined);
    expect(outcome(() => checkCount(Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY))).toBe(undefined);
    for (const bad of [-1, 11, 0.5, Number.NaN, Number.POSITIVE_INFINITY, undefined, null, '1', Symbol('a')]) {
      expect(
        outcome(() => checkCount(bad as never, 10)),
        String(bad),
      ).toBe(`a number of bytes must be from 0 to 10, not ${String(bad)}`);
    }
  });

  it('bytes are a Uint8Array, of any realm and any subclass', () => {
    for (const good of [new Uint8Array(2), Buffer.from('a'), foreign]) {
      expect(outcome(() => checkBytes(good as never))).toBe(undefined);
    }
    for (const wrong of [null, undefined, 'text', 5, {}, [1], new Int8Array(1), new ArrayBuffer(1)]) {
      expect(outcome(() => checkBytes(wrong as never))).toBe('bytes must be a Uint8Array');
    }
  });

  it('a time is a finite number', () => {
    for (const good of [0, -1, 1.5, 1e300]) expect(outcome(() => checkTime(good))).toBe(undefined);
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined]) {
      expect(outcome(() => checkTime(wrong as never))).toBe('a time must be a number of milliseconds');
    }
  });

  it('§5.5: the payload of a control frame is at most 125 bytes, and is copied', () => {
    const payload = new Uint8Array(125).fill(7);
    const copy = controlPayload(payload);
    payload.fill(9);
    expect([copy.length, copy[0], copy[124]]).toEqual([125, 7, 7]);
    expect(outcome(() => controlPayload(new Uint8Array(126)))).toContain('at most 125 bytes, not 126');
    expect(outcome(() => controlPayload('abc' as never))).toBe('bytes must be a Uint8Array');
  });

  it('a fragment size is absent or a whole number above 0', () => {
    for (const good of [undefined, 1, 2 ** 53 - 1]) expect(outcome(() => checkFragmentSize(good))).toBe(undefined);
    for (const wrong of [0, -1, 1.5, 2 ** 53, Number.NaN, null, '3']) {
      expect(outcome(() => checkFragmentSize(wrong as never))).toContain(`above 0, not ${wrong}`);
    }
  });

  it('a flag is true or false, and is named', () => {
    expect([outcome(() => checkFlag('last', true)), outcome(() => checkFlag('last', false))]).toEqual([
      undefined,
      undefined,
    ]);
    for (const wrong of [undefined, null, 0, 'true']) {
      expect(outcome(() => checkFlag('last', wrong))).toBe('last must be true or false');
    }
  });

  it('a kind is text or binary', () => {
    for (const good of ['text', 'binary'] as const) expect(outcome(() => checkKind(good))).toBe(undefined);
    for (const wrong of ['ping', '', null, 1]) expect(outcome(() => checkKind(wrong as never))).toContain("'binary'");
  });

  it('§5.6: text is UTF-8, and a string has no lone surrogate', () => {
    expect(outcome(() => checkText(pureText, Uint8Array.of(0xc3, 0xbc)))).toBe(undefined);
    expect(outcome(() => checkText(pureText, Uint8Array.of(0xc3)))).toContain('send binary');
    expect(outcome(() => encodeText(pureText, 'aü€😀'))).toEqual(new Uint8Array(Buffer.from('aü€😀')));
    expect(outcome(() => encodeText(pureText, 'a\ud800b'))).toBe(loneSurrogate().message);
  });
});

it('notOpen() names the state that the connection is in', () => {
  expect(notOpen('closing')).toMatchObject({ code: 'INVALID_STATE', message: 'the connection is closing, not open' });
});
