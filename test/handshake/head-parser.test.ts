import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeadParser } from '../../src/handshake/head-parser.ts';

const LIMITS = { maxHeadSize: 16_384, maxRequestLine: 8192, maxHeaders: 100 };
const OFF = { maxHeadSize: null, maxRequestLine: null, maxHeaders: null };
type Limits = ConstructorParameters<typeof HeadParser>[0];
type Kind = 'request' | 'response';

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

interface Outcome {
  fault: string | null;
  /** Where the head ended, or -1. */
  end: number;
  /** How many bytes were fed until the verdict. */
  firstLine: string;
  rawHeaders: string[];
}

/** Feeds `bytes` in pieces that end at `cuts`; `end` counts from the first byte. */
function read(bytes: Uint8Array, cuts: readonly number[], limits: Limits = LIMITS, kind: Kind = 'request'): Outcome {
  const parser = new HeadParser(limits, kind);
  let end = -1;
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // Each piece lies elsewhere in a buffer of its own, which is scribbled on afterwards.
    const piece = new Uint8Array(cut - from + 7);
    piece.set(bytes.subarray(from, cut), 3);
    const at = parser.push(piece, 3, 3 + cut - from);
    piece.fill(0x3f);
    if (at >= 0) {
      end = from + at - 3;
      break;
    }
    if (parser.fault !== null) break;
    from = cut;
  }
  return { fault: parser.fault, end, firstLine: parser.firstLine, rawHeaders: parser.rawHeaders };
}

const whole = (text: string, limits?: Limits, kind?: Kind) => read(latin1(text), [], limits, kind);

/** The verdict on `text`, which must be the same for every single cut and byte by byte. */
function everyCut(text: string, limits?: Limits, kind?: Kind): Outcome {
  const bytes = latin1(text);
  const outcome = read(bytes, [], limits, kind);
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(read(bytes, [cut], limits, kind), `cut at ${cut}`).toEqual(outcome);
  }
  const each = Array.from(bytes, (_, i) => i);
  expect(read(bytes, each, limits, kind), 'byte by byte').toEqual(outcome);
  return outcome;
}

const HEAD =
  'GET /chat?a=b HTTP/1.1\r\nHost: server.example.com\r\nUpgrade:websocket\r\nX-Empty:\r\nX-Space: \t a b\t \r\nx-empty: \r\nX-Text: caf\xe9\xff\r\n\r\n';
const RAW = [
  'Host',
  'server.example.com',
  'Upgrade',
  'websocket',
  'X-Empty',
  '',
  'X-Space',
  'a b',
  'x-empty',
  '',
  'X-Text',
  'caf\xe9\xff',
];

test('a head, wherever it is cut, with early data behind it', () => {
  for (const rest of ['', '\x81\x85\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
    expect(everyCut(HEAD + rest)).toEqual({
      fault: null,
      end: HEAD.length,
      firstLine: 'GET /chat?a=b HTTP/1.1',
      rawHeaders: RAW,
    });
  }
});

test('a head without fields', () => {
  expect(everyCut('GET / HTTP/1.1\r\n\r\n')).toEqual({
    fault: null,
    end: 18,
    firstLine: 'GET / HTTP/1.1',
    rawHeaders: [],
  });
});

test('an unfinished head has no verdict, at any length', () => {
  for (let length = 0; length < HEAD.length; length++) {
    expect(whole(HEAD.slice(0, length))).toEqual({ fault: null, end: -1, firstLine: '', rawHeaders: [] });
  }
});

test('any cutting gives the same', () => {
  const bytes = latin1(HEAD);
  const expected = read(bytes, []);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
      expect(
        read(
          bytes,
          cuts.sort((a, b) => a - b),
        ),
      ).toEqual(expected);
    }),
  );
});

test('any bytes and any cutting: no throw, one verdict', () => {
  const piece = fc.constantFrom(
    'GET / HTTP/1.1',
    '\r\n',
    '\r',
    '\n',
    'A: b',
    'A',
    ':',
    ' ',
    '\t',
    '\0',
    '\xff',
    '\r\n\r\n',
    'x'.repeat(9),
  );
  const limits = { maxHeadSize: 60, maxRequestLine: 20, maxHeaders: 2 };
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 14 }),
      fc.array(fc.nat(100), { maxLength: 6 }),
      fc.boolean(),
      (parts, at, line) => {
        const bytes = latin1((line ? 'GET / HTTP/1.1\r\n' : '') + parts.join(''));
        const cuts = at.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b);
        expect(read(bytes, cuts, limits)).toEqual(read(bytes, [], limits));
      },
    ),
    { numRuns: 3000 },
  );
});

describe('T41: header grammar (RFC 9112 section 5)', () => {
  const first = 'GET / HTTP/1.1\r\n';
  test.each([
    ['a bare LF after a field', 'A: b\nC: d\r\n\r\n'],
    ['a bare LF for the blank line', 'A: b\r\n\n'],
    ['a bare CR in a value', 'A: b\rc\r\n\r\n'],
    ['a bare CR for the blank line', 'A: b\r\n\rX\r\n\r\n'],
    ['CR CR LF', 'A: b\r\r\n\r\n'],
    ['LF LF', 'A: b\n\nC: d\r\n\r\n'],
    ['NUL LF', 'A: b\0\nC: d\r\n\r\n'],
    ['a folded line (obs-fold)', 'A: b\r\n c\r\n\r\n'],
    ['a line folded with a tab', 'A: b\r\n\tc\r\n\r\n'],
    ['space before the first field', ' A: b\r\n\r\n'],
    ['space before the colon', 'A : b\r\n\r\n'],
    ['a tab before the colon', 'A\t: b\r\n\r\n'],
    ['an empty name', ': b\r\n\r\n'],
    ['no colon', 'A b\r\n\r\n'],
    ['a name and nothing else', 'A\r\n\r\n'],
    ['NUL in a name', 'A\0: b\r\n\r\n'],
    ['NUL in a value', 'A: b\0\r\n\r\n'],
    ['ESC in a value', 'A: b\x1b[1m\r\n\r\n'],
    ['DEL in a value', 'A: b\x7f\r\n\r\n'],
    ['a vertical tab in a value', 'A: b\x0bc\r\n\r\n'],
    ['obs-text in a name', '\xc4: b\r\n\r\n'],
    ['a parenthesis in a name', 'A(b): c\r\n\r\n'],
  ])('%s', (_, rest) => {
    expect(everyCut(first + rest).fault).toBe('HEADER_INVALID');
  });

  test('the class of each byte in a name, a value and the request line', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      const name = whole(`${first}A${character}B: c\r\n\r\n`).fault;
      expect(name, `name ${byte}`).toBe(/^[!#$%&'*+\-.^_`|~0-9A-Za-z:]$/.test(character) ? null : 'HEADER_INVALID');
      const value = whole(`${first}A: b${character}c\r\n\r\n`).fault;
      expect(value, `value ${byte}`).toBe(byte === 9 || (byte >= 32 && byte !== 127) ? null : 'HEADER_INVALID');
      const line = whole(`GET /${character} HTTP/1.1\r\n\r\n`).fault;
      expect(line, `line ${byte}`).toBe(byte >= 32 && byte < 127 ? null : 'REQUEST_LINE_INVALID');
      const status = whole(`HTTP/1.1 101 ${character}\r\n\r\n`, LIMITS, 'response').fault;
      expect(status, `status ${byte}`).toBe(byte === 9 || (byte >= 32 && byte !== 127) ? null : 'STATUS_LINE_INVALID');
    }
  });
});

test.each([
  ['an empty line first (RFC 9112 2.2 is not followed)', '\r\nGET / HTTP/1.1\r\n\r\n'],
  ['a bare LF', 'GET / HTTP/1.1\nA: b\r\n\r\n'],
  ['a bare CR', 'GET / HTTP/1.1\rA: b\r\n\r\n'],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00'],
  ['a tab', 'GET\t/ HTTP/1.1\r\n\r\n'],
])('T14: the request line: %s', (_, text) => {
  expect(everyCut(text).fault).toBe('REQUEST_LINE_INVALID');
});

describe('T04: sizes', () => {
  test('a head of exactly maxHeadSize is read, one byte more is not', () => {
    expect(everyCut(HEAD, { ...LIMITS, maxHeadSize: HEAD.length }).end).toBe(HEAD.length);
    expect(everyCut(HEAD, { ...LIMITS, maxHeadSize: HEAD.length - 1 })).toMatchObject({
      fault: 'HEAD_TOO_BIG',
      end: -1,
    });
    for (let size = 1; size < HEAD.length; size += 7) {
      expect(everyCut(HEAD, { ...LIMITS, maxHeadSize: size }).fault).toBe('HEAD_TOO_BIG');
    }
  });

  test('a first line of exactly maxRequestLine is read, one byte more is not', () => {
    const line = 'GET /chat?a=b HTTP/1.1'.length;
    expect(everyCut(HEAD, { ...LIMITS, maxRequestLine: line }).fault).toBeNull();
    expect(everyCut(HEAD, { ...LIMITS, maxRequestLine: line - 1 }).fault).toBe('REQUEST_LINE_TOO_LONG');
  });

  test('a line without an end is refused as soon as it is too long', () => {
    const parser = new HeadParser(LIMITS);
    expect(parser.push(new Uint8Array(8192).fill(0x41), 0, 8192)).toBe(-1);
    expect(parser.fault).toBeNull();
    expect(parser.push(latin1('A'), 0, 1)).toBe(-1);
    expect(parser.fault).toBe('REQUEST_LINE_TOO_LONG');
    expect(parser.push(latin1('\r\n\r\n'), 0, 4)).toBe(-1);
  });

  test('the first byte that decides, decides', () => {
    const long = `GET /${'x'.repeat(40)}`;
    expect(everyCut(`${long}\n`, { ...LIMITS, maxRequestLine: long.length }).fault).toBe('REQUEST_LINE_INVALID');
    expect(everyCut(`${long}y\n`, { ...LIMITS, maxRequestLine: long.length }).fault).toBe('REQUEST_LINE_TOO_LONG');
    expect(everyCut(`${long}\n`, { ...LIMITS, maxHeadSize: long.length }).fault).toBe('HEAD_TOO_BIG');
    expect(everyCut(`${long}\n`, { ...LIMITS, maxHeadSize: long.length + 1 }).fault).toBe('REQUEST_LINE_INVALID');
  });

  test('a megabyte without CRLF, and fields without end', () => {
    expect(whole('a'.repeat(1_000_000)).fault).toBe('REQUEST_LINE_TOO_LONG');
    expect(whole(`GET / HTTP/1.1\r\nA: ${'b'.repeat(1_000_000)}`).fault).toBe('HEAD_TOO_BIG');
    expect(whole(`GET / HTTP/1.1\r\n${'a'.repeat(1_000_000)}`).fault).toBe('HEAD_TOO_BIG');
    expect(whole(`GET / HTTP/1.1\r\n${'a:b\r\n'.repeat(200_000)}`).fault).toBe('TOO_MANY_HEADERS');
  });

  test('null is off', () => {
    const big = `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${'a:b\r\n'.repeat(2000)}\r\n`;
    expect(whole(big, OFF)).toMatchObject({ fault: null, end: big.length });
    expect(whole(big, OFF).rawHeaders).toHaveLength(4000);
    expect(read(latin1(big), [1, 700, 20_100], OFF)).toEqual(whole(big, OFF));
  });
});

describe('T05: many headers', () => {
  const head = (count: number) => `GET / HTTP/1.1\r\n${'a:b\r\n'.repeat(count)}\r\n`;
  test('maxHeaders are read, one more is refused, none is dropped', () => {
    expect(whole(head(100)).rawHeaders).toHaveLength(200);
    for (const count of [101, 200, 1200, 2000]) {
      expect(whole(head(count))).toMatchObject({ fault: 'TOO_MANY_HEADERS', rawHeaders: [] });
    }
    expect(everyCut(head(3), { ...LIMITS, maxHeaders: 3 }).fault).toBeNull();
    expect(everyCut(head(4), { ...LIMITS, maxHeaders: 3 }).fault).toBe('TOO_MANY_HEADERS');
    expect(everyCut(head(1), { ...LIMITS, maxHeaders: 0 }).fault).toBe('TOO_MANY_HEADERS');
    expect(everyCut(head(0), { ...LIMITS, maxHeaders: 0 }).fault).toBeNull();
  });
});

test('T06: byte by byte, each byte is looked at a fixed number of times', () => {
  const text = `GET / HTTP/1.1\r\n${`X-Name: ${'v'.repeat(150)}\r\n`.repeat(99)}\r\n`;
  const bytes = latin1(text);
  expect(bytes.length).toBeGreaterThan(15_000);
  let reads = 0;
  const counted = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && key >= '0' && key < ':') reads++;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const parser = new HeadParser(LIMITS);
  for (let i = 0; i < bytes.length; i++) {
    const at = parser.push(counted, i, i + 1);
    expect(at).toBe(i === bytes.length - 1 ? bytes.length : -1);
  }
  expect(parser.rawHeaders).toHaveLength(198);
  expect(reads).toBeLessThanOrEqual(3 * bytes.length);
});

test('T04: what is kept never exceeds maxHeadSize, and nothing is kept of a refused head', () => {
  const parser = new HeadParser({ ...LIMITS, maxHeadSize: 1000 });
  const kept = (of: HeadParser) => of as unknown as { buffer: Uint8Array | null; marks: number[] };
  const buffer = () => kept(parser).buffer;
  const bytes = latin1(`GET / HTTP/1.1\r\nA: ${'b'.repeat(5000)}`);
  for (let i = 0; i < bytes.length && parser.fault === null; i++) {
    parser.push(bytes, i, i + 1);
    expect(buffer()?.length ?? 0).toBeLessThanOrEqual(1000);
  }
  expect(parser.fault).toBe('HEAD_TOO_BIG');
  expect(kept(parser)).toMatchObject({ buffer: null, marks: [] });
  // Nor of one that is complete, but its text.
  const complete = new HeadParser(LIMITS);
  for (const octet of latin1(HEAD)) complete.push(Uint8Array.of(octet), 0, 1);
  expect(complete.rawHeaders).toEqual(RAW);
  expect(kept(complete)).toMatchObject({ buffer: null, marks: [] });
});

test('T06: what comes octet by octet is kept in buffers that grow by doubling, not in one a piece', () => {
  const parser = new HeadParser(LIMITS);
  const buffers = new Set<unknown>();
  for (const octet of latin1(`GET / HTTP/1.1\r\nA: ${'b'.repeat(10_000)}`)) {
    parser.push(Uint8Array.of(octet), 0, 1);
    buffers.add((parser as unknown as { buffer: unknown }).buffer);
  }
  expect(buffers.size).toBeLessThanOrEqual(7);
});

test('T08: names that an object would trip over are strings here', () => {
  expect(everyCut('GET / HTTP/1.1\r\n__proto__: a\r\nconstructor: b\r\n\r\n').rawHeaders).toEqual([
    '__proto__',
    'a',
    'constructor',
    'b',
  ]);
});

test('a complete parser takes nothing more', () => {
  const parser = new HeadParser(LIMITS);
  const bytes = latin1(`${HEAD}rest`);
  expect(parser.push(bytes, 0, bytes.length)).toBe(HEAD.length);
  expect(parser.push(bytes, HEAD.length, bytes.length)).toBe(HEAD.length);
  expect(parser.rawHeaders).toEqual(RAW);
});
