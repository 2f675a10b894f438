import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAULTS, type FaultCode, UsageError } from '../../src/errors.ts';
import { HeadParser } from '../../src/handshake/head-parser.ts';
import { Headers } from '../../src/handshake/headers.ts';
import {
  type AcceptParts,
  checkResponse,
  formatAccept,
  formatRejection,
  parseStatusLine,
  type RejectionParts,
  type ResponseParts,
  rejectionFor,
} from '../../src/handshake/response.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const LIMITS = { maxHeadSize: null, maxRequestLine: null, maxHeaders: null };
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** Reads a response back with our own parser. */
function parse(bytes: Uint8Array) {
  const parser = new HeadParser(LIMITS, 'response');
  const end = parser.push(bytes, 0, bytes.length);
  expect(parser.fault).toBeNull();
  return { ...parseStatusLine(parser.firstLine)!, headers: new Headers(parser.rawHeaders), body: bytes.slice(end) };
}

describe('RFC 6455 4.2.2: the 101', () => {
  const print = (changes: Partial<AcceptParts> = {}) =>
    formatAccept({ key: KEY, subprotocol: null, extensions: '', headers: [], ...changes });

  test('the sample of section 1.3', () => {
    expect(text(print({ subprotocol: 'chat' }))).toBe(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
    );
  });

  test('extensions and further fields', () => {
    const { headers } = parse(
      print({
        extensions: 'a; b',
        headers: [
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
        ],
      }),
    );
    expect(headers.get('sec-websocket-extensions')).toBe('a; b');
    expect(headers.getAll('set-cookie')).toEqual(['a=1', 'b=2']);
  });

  test.each<[string, Partial<AcceptParts>]>([
    ['a line break in extensions', { extensions: 'a\r\n\r\n' }],
    ['a line break in a value', { headers: [['X', 'a\nb']] }],
    ['another Sec-WebSocket-Accept', { headers: [['Sec-WebSocket-Accept', ACCEPT]] }],
    ['a body', { headers: [['Content-Length', '0']] }],
  ])('T59: %s is a UsageError', (_, changes) => {
    expect(() => print(changes)).toThrow(UsageError);
  });
});

describe('refusals', () => {
  const print = (changes: Partial<RejectionParts>) =>
    formatRejection({ status: 400, headers: [], body: null, ...changes });

  test('a refusal to the letter', () => {
    expect(text(print({ status: 403, body: 'no\n' }))).toBe(
      'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nno\n',
    );
    expect(text(print({ status: 404 }))).toBe(
      'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
  });

  test('T13, RFC 9110 15.5.22: a 426 names the protocol and its version', () => {
    const { headers } = parse(print({ status: 426 }));
    expect(headers.get('upgrade')).toBe('websocket');
    expect(headers.get('connection')).toBe('close, Upgrade');
    expect(headers.get('sec-websocket-version')).toBe('13');
  });

  test('RFC 6455 4.4: the version is told once, and only with a 426', () => {
    expect(parse(print({ status: 426 })).headers.getAll('sec-websocket-version')).toEqual(['13']);
    expect(parse(print({})).headers.has('sec-websocket-version')).toBe(false);
  });

  test('RFC 9110 15.5.6: a 405 says what is allowed', () => {
    expect(parse(print({ status: 405 })).headers.getAll('allow')).toEqual(['GET']);
    expect(parse(print({ status: 405, headers: [['allow', 'GET, HEAD']] })).headers.getAll('allow')).toEqual([
      'GET, HEAD',
    ]);
  });

  test('a body of text goes as UTF-8, one of bytes as it is, and the type may be given', () => {
    const message = parse(print({ body: 'é€😀' }));
    expect(Buffer.from(message.body).toString()).toBe('é€😀');
    expect(message.headers.get('content-length')).toBe('9');
    const json = parse(print({ body: Uint8Array.of(0, 255), headers: [['content-type', 'a/b']] }));
    expect(json.body).toEqual(Uint8Array.of(0, 255));
    expect(json.headers.getAll('content-type')).toEqual(['a/b']);
    expect(parse(print({ body: 'x' })).headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(parse(print({ body: '' })).headers.has('content-type')).toBe(false);
    expect(() => print({ body: '\ud800' })).toThrow(UsageError);
    expect(() => print({ body: 1 as unknown as string })).toThrow(UsageError);
  });

  test('RFC 9110 8.6: statuses without a body', () => {
    for (const status of [204, 205, 304]) expect(() => print({ status, body: 'x' })).toThrow(UsageError);
    expect(parse(print({ status: 204 })).headers.has('content-length')).toBe(false);
    expect(parse(print({ status: 205 })).headers.get('content-length')).toBe('0');
    expect(parse(print({ status: 304 })).headers.has('content-length')).toBe(false);
  });

  test.each([[200], [599]])('%j is one', (status) => {
    expect(parse(formatRejection({ status, headers: [], body: null })).status).toBe(status);
  });

  test('a 503 says when to come again, unless the caller does', () => {
    const retryAfter = (status: number, headers: RejectionParts['headers'] = []) =>
      parse(formatRejection({ status, headers, body: null })).headers.getAll('retry-after');
    expect(retryAfter(503)).toEqual(['5']);
    expect(retryAfter(503, [['Retry-After', '60']])).toEqual(['60']);
    expect(retryAfter(500)).toEqual([]);
  });

  test.each([[101], [100], [199], [600], [0], [-1], [404.5], [Number.NaN], ['404']])('%j is no status', (status) => {
    expect(() => print({ status: status as number })).toThrow(UsageError);
  });

  test('a status without a phrase is printed so that it parses', () => {
    expect(parse(print({ status: 299 }))).toMatchObject({ status: 299, statusText: '' });
  });

  test.each<[string, RejectionParts['headers']]>([
    ['injection', [['X', 'a\r\n\r\n<script>']]],
    ['a length', [['Content-Length', '1']]],
    ['Connection', [['Connection', 'keep-alive']]],
    [
      'two types',
      [
        ['Content-Type', 'a/b'],
        ['content-type', 'a/c'],
      ],
    ],
  ])('T59: %s is a UsageError', (_, headers) => {
    expect(() => print({ headers })).toThrow(UsageError);
  });

  test('T16: any refusal is one response that ends where it says, and the last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.string({ unit: 'grapheme' }), (status, given) => {
        const body = [204, 205, 304].includes(status) ? null : given;
        const message = parse(print({ status, body }));
        expect(message.status).toBe(status);
        expect(Buffer.from(message.body).toString()).toBe(body ?? '');
        expect(message.headers.get('connection')).toContain('close');
        if (message.headers.has('content-length')) {
          expect(message.headers.get('content-length')).toBe(String(message.body.length));
        }
      }),
    );
  });

  test('each fault with a status has an answer that reads like help', () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      const row: { status?: number; text: string } = FAULTS[code];
      const message = parse(rejectionFor(code, ''));
      expect(message.status, code).toBe(row.status ?? 403);
      expect(Buffer.from(message.body).toString()).toBe(`${row.text}\n`);
    }
    expect(text(rejectionFor('ORIGIN_REFUSED', ''))).toContain('(option allowedOrigins)');
    expect(parse(rejectionFor('VERSION_UNSUPPORTED', '')).headers.get('sec-websocket-version')).toBe('13');
  });

  test('the answer to a HEAD has the length of its text, and no text', () => {
    const whole = text(rejectionFor('METHOD_NOT_GET', ''));
    const bare = text(rejectionFor('METHOD_NOT_GET', '', true));
    expect(bare.endsWith('\r\n\r\n')).toBe(true);
    expect(whole.startsWith(bare)).toBe(true);
    expect(bare).toContain(`Content-Length: ${whole.length - bare.length}\r\n`);
  });

  test('a detail is made printable', () => {
    const message = rejectionFor('HEADER_INVALID', '\r\n\x1b\xff');
    expect(text(message)).toContain('a header line is malformed: \\x0d\\x0a\\x1b\\xff\n');
  });
});

describe('RFC 9112 4: the status line', () => {
  test.each([
    ['HTTP/1.1 101 Switching Protocols', '1.1', 101, 'Switching Protocols'],
    ['HTTP/1.0 200 OK', '1.0', 200, 'OK'],
    ['HTTP/1.1 100 Continue', '1.1', 100, 'Continue'],
    ['HTTP/1.1 404 ', '1.1', 404, ''],
    ['HTTP/1.1 404', '1.1', 404, ''],
    ['HTTP/1.1 599  caf\xe9', '1.1', 599, ' caf\xe9'],
  ])('%j', (line, version, status, statusText) => {
    expect(parseStatusLine(line)).toEqual({ version, status, statusText });
  });

  test.each([
    [''],
    ['HTTP/1.1'],
    ['HTTP/1.1 '],
    ['HTTP/1.1  101 x'],
    ['HTTP/1.1 10 x'],
    ['HTTP/1.1 1011 x'],
    ['HTTP/1.1 1x1 x'],
    ['HTTP/1.1 1:1 x'],
    ['HTTP/1.1 099 x'],
    ['http/1.1 101 x'],
    ['HTTP/11 101 x'],
    ['ICY 200 OK'],
    ['HTTP/1.1\t101 x'],
    ['HTTP/1.1 101x'],
  ])('%j is none', (line) => {
    expect(parseStatusLine(line)).toBeNull();
  });
});

describe('RFC 6455 4.1: the answer to our request', () => {
  const BASE: Record<string, readonly string[]> = {
    Upgrade: ['websocket'],
    Connection: ['Upgrade'],
    'Sec-WebSocket-Accept': [ACCEPT],
  };
  function check(changes: Record<string, readonly string[]> = {}, parts: Partial<ResponseParts> = {}) {
    const fields = { ...BASE, ...changes };
    const raw = Object.keys(fields).flatMap((name) => fields[name]!.flatMap((value) => [name, value]));
    return checkResponse({
      version: '1.1',
      status: 101,
      statusText: 'Switching Protocols',
      headers: new Headers(raw),
      key: KEY,
      subprotocols: ['chat', 'chat.v2'],
      ...parts,
    });
  }

  test('what is missing or repeated is counted', () => {
    expect(check({ 'Sec-WebSocket-Accept': [] })).toMatchObject({ fault: 'ACCEPT_MISMATCH', detail: 'there is none' });
    expect(check({ 'Sec-WebSocket-Accept': [ACCEPT, ACCEPT] }).detail).toBe('there are 2');
    expect(check({ 'Sec-WebSocket-Accept': [KEY] })).toMatchObject({ fault: 'ACCEPT_MISMATCH', detail: KEY });
  });

  test('right answers', () => {
    expect(check()).toEqual({ fault: null, detail: '', subprotocol: '', answers: [] });
    expect(check({ 'Sec-WebSocket-Protocol': ['chat.v2'] }).subprotocol).toBe('chat.v2');
    expect(check({ 'Sec-WebSocket-Extensions': ['permessage-deflate; server_no_context_takeover'] }).answers).toEqual([
      { name: 'permessage-deflate', parameters: [{ name: 'server_no_context_takeover', value: null }] },
    ]);
    expect(check({ 'Content-Length': ['0'] }).fault).toBeNull();
  });

  test.each<[Record<string, readonly string[]>]>([
    [{ Upgrade: ['WebSocket'] }],
    [{ Connection: ['keep-alive, Upgrade'] }],
    [{ Connection: ['keep-alive', 'UPGRADE'] }],
  ])('T42: %j is right', (changes) => {
    expect(check(changes).fault).toBeNull();
  });

  test('T38: HTTP/1.0, and another status', () => {
    expect(check({}, { version: '1.0' }).fault).toBe('STATUS_LINE_INVALID');
    expect(check({}, { version: '2.0' }).fault).toBe('STATUS_LINE_INVALID');
    expect(check({}, { status: 200, statusText: 'OK' })).toMatchObject({
      fault: 'STATUS_UNEXPECTED',
      detail: '200 OK',
    });
    expect(check({}, { status: 404, statusText: '' }).detail).toBe('404');
  });

  test.each<[Record<string, readonly string[]>]>([
    [{ Upgrade: [] }],
    [{ Upgrade: [''] }],
    [{ Upgrade: ['h2c'] }],
    [{ Upgrade: ['websocket, h2c'] }],
    [{ Upgrade: ['websocketx'] }],
    [{ Upgrade: ['websocket', 'websocket'] }],
    [{ Connection: [] }],
    [{ Connection: ['close'] }],
    [{ Connection: ['xupgrade'] }],
  ])('T38: %j', (changes) => {
    expect(check(changes).fault).toBe('RESPONSE_UPGRADE_INVALID');
  });

  test.each<[readonly string[]]>([
    [[]],
    [['']],
    [[ACCEPT.toLowerCase()]],
    [[ACCEPT, ACCEPT]],
    [[`${ACCEPT}=`]],
    [[ACCEPT.slice(0, -1)]],
    [[KEY]],
  ])('T37: Sec-WebSocket-Accept: %j', (values) => {
    expect(check({ 'Sec-WebSocket-Accept': values }).fault).toBe('ACCEPT_MISMATCH');
  });

  test.each<[readonly string[]]>([
    [['evil']],
    [['CHAT']],
    [['chat, chat.v2']],
    [['chat', 'chat']],
    [['chat', 'chat.v2']],
    [['']],
    [['__proto__']],
  ])('T39: Sec-WebSocket-Protocol: %j', (values) => {
    expect(check({ 'Sec-WebSocket-Protocol': values })).toMatchObject({
      fault: 'SUBPROTOCOL_UNREQUESTED',
      subprotocol: '',
    });
  });

  test('T39: a subprotocol when none was offered', () => {
    expect(check({ 'Sec-WebSocket-Protocol': ['evil'] }, { subprotocols: [] }).fault).toBe('SUBPROTOCOL_UNREQUESTED');
    expect(check({ 'Sec-WebSocket-Protocol': [''] }, { subprotocols: [] }).fault).toBe('SUBPROTOCOL_UNREQUESTED');
  });

  test.each<[readonly string[]]>([
    [['']],
    [['a;']],
    [['permessage-deflate', 'a b']],
    [['permessage-deflate; server_max_window_bits=""']],
  ])('T36: Sec-WebSocket-Extensions: %j', (values) => {
    expect(check({ 'Sec-WebSocket-Extensions': values })).toMatchObject({
      fault: 'EXTENSION_UNREQUESTED',
      answers: [],
    });
  });

  test('whether an extension was offered is not judged here: its name is among the answers', () => {
    expect(check({ 'Sec-WebSocket-Extensions': ['x-foo, constructor'] })).toMatchObject({
      fault: null,
      answers: [
        { name: 'x-foo', parameters: [] },
        { name: 'constructor', parameters: [] },
      ],
    });
  });

  test.each<[Record<string, readonly string[]>]>([
    [{ 'Content-Length': ['5'] }],
    [{ 'Content-Length': ['0', '0'] }],
    [{ 'Content-Length': [''] }],
    [{ 'transfer-encoding': ['chunked'] }],
  ])('T50: a 101 with %j', (changes) => {
    expect(check(changes).fault).toBe('BODY_PRESENT');
  });

  test('our own 101 is right', () => {
    const bytes = formatAccept({ key: KEY, subprotocol: 'chat', extensions: 'x-bar', headers: [['X', 'y']] });
    expect(checkResponse({ ...parse(bytes), key: KEY, subprotocols: ['chat'] })).toMatchObject({
      fault: null,
      subprotocol: 'chat',
      answers: [{ name: 'x-bar', parameters: [] }],
    });
  });
});
