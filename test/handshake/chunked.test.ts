/** RFC 9112 section 7.1: the chunked transfer coding, of bodies that may be cut anywhere. */
import { describe, expect, test } from 'vitest';
import { decodeChunked } from '../../src/handshake/chunked.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

function decode(text: string): { body: string; complete: boolean } {
  const { body, next } = decodeChunked(bytesOf(text));
  return { body: Buffer.from(body).toString('latin1'), complete: next === -1 };
}

describe('decodeChunked', () => {
  test.each<[string, string]>([
    ['0\r\n\r\n', ''],
    ['3\r\nabc\r\n0\r\n\r\n', 'abc'],
    ['1\r\na\r\n2\r\nbc\r\n0\r\n', 'abc'],
    ['3;name=value\r\nabc\r\n0;last\r\nTrailer: x\r\n\r\n', 'abc'],
    ['000003\r\nabc\r\n000\r\n\r\n', 'abc'],
    [`${'0'.repeat(50)}3\r\nabc\r\n${'0'.repeat(50)}\r\n\r\n`, 'abc'],
    ['a\r\n0123456789\r\n0\r\n', '0123456789'],
    ['A\r\n0123456789\r\n0\r\n', '0123456789'],
    [`1f\r\n${'x'.repeat(31)}\r\n0\r\n`, 'x'.repeat(31)],
    [`C9\r\n${'y'.repeat(201)}\r\n0\r\n`, 'y'.repeat(201)],
    ['2\r\n\r\n\r\n0\r\n', '\r\n'],
  ])('%j is whole', (text, body) => {
    expect(decode(text)).toEqual({ body, complete: true });
  });

  test.each<[string, string]>([
    ['', ''],
    ['3', ''],
    ['3\r', ''],
    ['3\r\n', ''],
    ['3\r\nab', 'ab'],
    ['3\r\nabc', 'abc'],
    ['3\r\nabc\r', 'abc'],
    ['3\r\nabc\r\n', 'abc'],
    ['3\r\nabc\r\n0', 'abc'],
    ['3\r\nabc\r\n2\r\nd', 'abcd'],
    // What is malformed ends the body.
    ['3\r\nabc\r\n\r\n', 'abc'],
    ['\r\nabc', ''],
    ['g\r\nabc\r\n0\r\n', ''],
    ['G\r\nabc\r\n0\r\n', ''],
    ['`\r\nabc\r\n0\r\n', ''],
    ['@\r\nabc\r\n0\r\n', ''],
    ['/\r\nabc\r\n0\r\n', ''],
    [':\r\nabc\r\n0\r\n', ''],
    ['-1\r\nabc\r\n0\r\n', ''],
  ])('%j is not', (text, body) => {
    expect(decode(text)).toEqual({ body, complete: false });
  });

  test('T12: a size of any length is no more than what is there', () => {
    expect(decode(`fffffff\r\n${'x'.repeat(50)}`)).toEqual({ body: 'x'.repeat(50), complete: false });
    for (const digits of [100, 1_000]) {
      expect(decode(`${'f'.repeat(digits)}\r\nabc`)).toEqual({ body: 'abc', complete: false });
      expect(decode(`1\r\na\r\n${'f'.repeat(digits)}\r\nbc\r\n0\r\n`).complete).toBe(false);
    }
  });

  test('T06: what was seen to be whole need not be read again: at every cut it goes on at a later chunk', () => {
    for (const text of [
      '5\r\nhello\r\n1;x\r\n \r\n5\r\nworld\r\n0\r\n\r\n',
      `3\r\n\n\n\n\r\n${'f'.repeat(400)}\r\nabc`,
      '1\r\na\r\nnone\r\n',
    ]) {
      let from = 0;
      for (let end = 0; end <= text.length; end++) {
        const { next } = decodeChunked(bytesOf(text.slice(0, end)), from);
        expect([end, next]).toEqual([end, decodeChunked(bytesOf(text.slice(0, end))).next]);
        if (next === -1) break;
        expect(next).toBeGreaterThanOrEqual(from);
        from = next;
      }
      expect(from).toBeGreaterThan(0);
    }
  });

  test('at every cut the body is a beginning of the whole one, and only the last chunk completes it', () => {
    const text = '5\r\nhello\r\n1;x\r\n \r\n5\r\nworld\r\n0\r\n\r\n';
    const last = text.indexOf('0\r\n\r\n') + 3;
    let before = 0;
    for (let end = 0; end <= text.length; end++) {
      const { body, complete } = decode(text.slice(0, end));
      expect('hello world'.startsWith(body)).toBe(true);
      expect(body.length).toBeGreaterThanOrEqual(before);
      expect(complete).toBe(end >= last);
      before = body.length;
    }
    expect(before).toBe(11);
  });
});
