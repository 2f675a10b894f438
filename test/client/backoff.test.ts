import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffWait, endingOf, endingOfClose, isOwnClose, isRetryable, retryAfter } from '../../src/client/backoff.ts';
import { parseHttpDate } from '../../src/client/http-date.ts';
import type { CloseEvent } from '../../src/endpoint/events.ts';
import { type FaultCode, failure, HandshakeError, ProtocolError, TransportError } from '../../src/errors.ts';

const RULE = { minWait: 0, maxWait: 30_000, firstWait: 5_000, growth: 1.6 };

describe('seed 38, 39: the wait before a retry', () => {
  test('is anywhere up to a longest one that grows to a cap', () => {
    const longest = [0, 1, 2, 3, 4, 5, 50].map((retries) => Math.round(backoffWait(RULE, retries, 1)));
    expect(longest).toEqual([5_000, 8_000, 12_800, 20_480, 30_000, 30_000, 30_000]);
    expect([0, 3, 50].map((retries) => backoffWait(RULE, retries, 0))).toEqual([0, 0, 0]);
    expect(backoffWait(RULE, 1, 0.25)).toBe(2_000);
    // A shortest wait leaves the jitter as it is.
    expect([0, 0.5, 1].map((chance) => backoffWait({ ...RULE, minWait: 8_000 }, 0, chance))).toEqual([
      8_000, 10_500, 13_000,
    ]);
  });

  test('has the numbers of the 4D plugin, if one wants them', () => {
    const rule = { minWait: 0, maxWait: 10_000, firstWait: 100, growth: 2 };
    expect([0, 1, 2, 6, 7].map((retries) => backoffWait(rule, retries, 1))).toEqual([100, 200, 400, 6_400, 10_000]);
  });

  test('T85: is finite and within its bounds after any number of failures', () => {
    const rules = fc.record({
      minWait: fc.double({ min: 0, max: 1e6, noNaN: true }),
      maxWait: fc.double({ min: 1, max: 1e9, noNaN: true }),
      firstWait: fc.double({ min: 1e-3, max: 1e9, noNaN: true }),
      growth: fc.double({ min: 1, max: 1e6, noNaN: true }),
    });
    const retries = fc.oneof(fc.nat(50), fc.constantFrom(26, 63, 1_024, 1_000_000, 2 ** 31, Number.MAX_SAFE_INTEGER));
    fc.assert(
      fc.property(rules, retries, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (rule, n, chance) => {
        fc.pre(rule.minWait <= rule.maxWait);
        const wait = backoffWait(rule, n, chance);
        expect(wait).toBeGreaterThanOrEqual(rule.minWait);
        expect(wait).toBeLessThanOrEqual(rule.maxWait * (1 + Number.EPSILON));
      }),
    );
  });
});

const ending = (code: number, httpStatus: number | null = null) => ({ code, httpStatus, reason: '', error: null });

describe('seed 40: whether another attempt may end better', () => {
  test.each([1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 3000, 4000])('yes after %i', (code) => {
    expect(isRetryable(ending(code))).toBe(true);
  });

  test.each([1002, 1003, 1007, 1008, 1009, 1010])('no after %i', (code) => {
    expect(isRetryable(ending(code))).toBe(false);
  });

  test.each([400, 401, 403, 404, 407, 410, 426, 431, 499])('no after a refusal with %i', (status) => {
    expect(isRetryable(ending(1006, status))).toBe(false);
  });

  test.each([408, 425, 429, 302, 500, 502, 503, 504])('yes after a refusal with %i', (status) => {
    expect(isRetryable(ending(1006, status))).toBe(true);
  });

  test('an ending has the verdict of whoever gave one', () => {
    expect(endingOf(new ProtocolError('UTF8_INVALID'))).toMatchObject({ code: 1007, httpStatus: null });
    expect(endingOf(new TransportError('CONNECT_FAILED'))).toMatchObject({ code: 1006, httpStatus: null });
    expect(endingOf(new HandshakeError('STATUS_UNEXPECTED', '', 503))).toMatchObject({ code: 1006, httpStatus: 503 });
    expect(endingOf(new HandshakeError('ACCEPT_MISMATCH', '', 0))).toMatchObject({ code: 1006, httpStatus: null });
    const lost: CloseEvent = { type: 'close', code: 1006, reason: '', clean: false, remote: false, error: null };
    expect(endingOfClose({ ...lost, error: new ProtocolError('RESERVED_OPCODE') })).toMatchObject({ code: 1002 });
    expect(endingOfClose({ ...lost, code: 4001, reason: 'go', error: failure('CLOSING_TIMEOUT') })).toMatchObject({
      code: 4001,
      reason: 'go',
    });
  });

  test('what we ended ourselves is told apart', () => {
    const close: CloseEvent = { type: 'close', code: 1000, reason: '', clean: true, remote: false, error: null };
    expect(isOwnClose(close, true)).toBe(true);
    expect(isOwnClose({ ...close, remote: true }, true)).toBe(false);
    const lost = (code: FaultCode) => ({ ...close, code: 1006, clean: false, error: failure(code) });
    expect(isOwnClose(lost('TERMINATED'), false)).toBe(true);
    for (const code of ['CLOSING_TIMEOUT', 'TRANSPORT_ENDED', 'TRANSPORT_FAILED'] as const) {
      expect(isOwnClose(lost(code), true)).toBe(true);
      expect(isOwnClose(lost(code), false)).toBe(false);
      expect(isOwnClose({ ...lost(code), remote: true }, true)).toBe(false);
    }
    // We sent a Close then as well, and did not mean to go.
    expect(isOwnClose(lost('PONG_TIMEOUT'), true)).toBe(false);
  });
});

describe('Retry-After (RFC 9110 10.2.3)', () => {
  const now = Date.UTC(2026, 10, 21);
  const refused = (...rawHeaders: string[]) =>
    new HandshakeError('STATUS_UNEXPECTED', '', 503, {
      status: 503,
      statusText: '',
      rawHeaders,
      body: new Uint8Array(0),
    });

  test.each<[string, number, string[]]>([
    ['seconds', 120_000, ['Retry-After', '120']],
    ['no seconds at all', 0, ['retry-after', '0']],
    ['a date', 30_000, ['Retry-After', new Date(now + 30_000).toUTCString()]],
    ['a date that is past', 0, ['Retry-After', new Date(now - 30_000).toUTCString()]],
    [
      'a date, beside the clock of the server that names it',
      45_000,
      ['Date', new Date(now - 9e7).toUTCString(), 'Retry-After', new Date(now - 9e7 + 45_000).toUTCString()],
    ],
    ['nothing', 0, []],
    ['garbage', 0, ['Retry-After', 'soon']],
    ['a negative number', 0, ['Retry-After', '-5']],
    ['a fraction', 0, ['Retry-After', '1.5']],
    ['two of them', 0, ['Retry-After', '5', 'Retry-After', '6']],
    // It cannot be read as a number of anything, but it is no 0: `maxRetryAfter` holds.
    ['a number of eleven digits', 99_999_999_999_000, ['Retry-After', '9'.repeat(11)]],
    ['a number without end', Number.POSITIVE_INFINITY, ['Retry-After', '9'.repeat(400)]],
  ])('%s', (_, wait, headers) => {
    expect(retryAfter(refused(...headers), now)).toBe(wait);
  });

  test('of a failure without an answer there is none', () => {
    expect(retryAfter(new TransportError('CONNECT_FAILED'), now)).toBe(0);
    expect(retryAfter(new HandshakeError('ACCEPT_MISMATCH', '', 0), now)).toBe(0);
    expect(retryAfter(null, now)).toBe(0);
  });
});

describe('dates (RFC 9110 5.6.7)', () => {
  test('the three forms of the RFC are one time', () => {
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      expect(parseHttpDate(text), text).toBe(784_111_777_000);
    }
  });

  test('any date agrees with the platform', () => {
    const dates = fc.date({ min: new Date('1601-01-01'), max: new Date('9999-12-31T23:59:59'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(parseHttpDate(date.toUTCString())).toBe(Math.floor(date.getTime() / 1_000) * 1_000);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    '',
    'Sun, 31 Feb 2026 08:49:37 GMT',
    'Sun, 29 Feb 1900 08:49:37 GMT',
    'Sun, 00 Jan 2026 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:37 CET',
    'Sun, 06 Foo 1994 08:49:37 GMT',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT ',
    '1994-11-06T08:49:37Z',
    '__proto__',
  ])('%j is none', (text) => {
    expect(parseHttpDate(text)).toBeNull();
  });
});
