import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.ts';
import { HeadParser } from '../../src/handshake/head-parser.ts';
import {
  checkRequest,
  formatRequest,
  parseRequestLine,
  ReceivedRequest,
  type RequestParts,
  versionAt,
} from '../../src/handshake/request.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const BASE: readonly (readonly [string, string])[] = [
  ['Host', 'server.example.com'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Key', KEY],
  ['Sec-WebSocket-Version', '13'],
];

/** The sample request with fields replaced by any number of values, or with more of them. */
function check(changes: Record<string, readonly string[]> = {}, method = 'GET', target = '/chat', version = '1.1') {
  const names = Object.keys(changes);
  const kept = BASE.filter(([name]) => !names.includes(name));
  const added = names.flatMap((name) => changes[name]!.map((value) => [name, value]));
  return checkRequest(method, target, version, [...kept, ...added].flat());
}
const faultOf = (...args: Parameters<typeof check>) => check(...args).fault;

describe('RFC 9112 3: the request line', () => {
  test('three parts', () => {
    expect(parseRequestLine('GET /a?b HTTP/1.1')).toEqual({ method: 'GET', target: '/a?b', version: '1.1' });
    expect(parseRequestLine('M-SEARCH * HTTP/1.0')).toEqual({ method: 'M-SEARCH', target: '*', version: '1.0' });
    expect(parseRequestLine('PRI * HTTP/2.0')?.version).toBe('2.0');
  });

  test.each([
    [''],
    ['GET'],
    ['GET /'],
    ['GET / '],
    ['GET  / HTTP/1.1'],
    ['GET /  HTTP/1.1'],
    [' GET / HTTP/1.1'],
    ['GET / HTTP/1.1 '],
    ['GET  HTTP/1.1'],
    ['GET /a b HTTP/1.1'],
    ['GET / http/1.1'],
    ['GET / HTTP/11'],
    ['GET / HTTP/1.10'],
    ['GET / HTTP/1.'],
    ['GET / HTTP/x.1'],
    ['GET / HTTPS/1.1'],
    ['G(T / HTTP/1.1'],
    ['GET / HTTP/:.1'],
    ['GET / HTTP/1.:'],
  ])('T14: %j is none', (line) => {
    expect(parseRequestLine(line)).toBeNull();
  });

  test('versionAt reads exactly two digits', () => {
    expect(versionAt('xHTTP/0.9y', 1)).toBe('0.9');
    expect(versionAt('HTTP/1,1', 0)).toBeNull();
  });
});

describe('RFC 6455 4.2.1: fields are told by their whole names', () => {
  /** A name of the same length that is not it, nor its beginning or end. */
  const other = (name: string) => `Y${name.slice(1, -1)}z`;

  test.each<[string, string]>([
    ['Host', 'HOST_INVALID'],
    ['Upgrade', 'UPGRADE_REQUIRED'],
    ['Connection', 'UPGRADE_INVALID'],
    ['Sec-WebSocket-Key', 'KEY_INVALID'],
    ['Sec-WebSocket-Version', 'VERSION_UNSUPPORTED'],
  ])('a field as long as %s is no %s', (name, fault) => {
    const [, value] = BASE.find(([each]) => each === name)!;
    expect(check({ [name]: [], [other(name)]: [value] })).toMatchObject({
      fault,
      ...(name === 'Upgrade' || name === 'Connection' ? {} : { detail: 'there is none' }),
    });
    // And it is none beside it either.
    expect(faultOf({ [other(name)]: ['anything', 'else'] })).toBeNull();
  });

  test.each<[string, string]>([
    ['Content-Length', '5'],
    ['Transfer-Encoding', 'chunked'],
    ['Sec-WebSocket-Protocol', '"'],
    ['Sec-WebSocket-Extensions', '"'],
  ])('%s: %s is wrong, and right in a field that is as long', (name, value) => {
    expect(faultOf({ [name]: [value] })).not.toBeNull();
    expect(faultOf({ [other(name)]: [value] })).toBeNull();
  });

  test.each<[string, string]>([
    ['Host', 'HOST_INVALID'],
    ['Sec-WebSocket-Key', 'KEY_INVALID'],
    ['Sec-WebSocket-Version', 'VERSION_UNSUPPORTED'],
  ])('%s twice is counted', (name, fault) => {
    const [, value] = BASE.find(([each]) => each === name)!;
    expect(check({ [name]: [value, value] })).toMatchObject({ fault, detail: 'there are 2' });
    expect(check({ [name]: [value, value, value] })).toMatchObject({ fault, detail: 'there are 3' });
  });
});

describe('a request that was read by somebody else', () => {
  test('is shown as it came, whatever its method and version are', () => {
    expect(check({}, 'POST', '/a?b', '1.0').request).toMatchObject({ method: 'POST', target: '/a?b', version: '1.0' });
    expect(check({}, 'GET').request).toMatchObject({ method: 'GET', version: '1.1' });
  });

  test('has the target that it has, also an empty one or one that is none of ours', () => {
    const empty = check({}, 'GET', '');
    expect(empty.fault).toBe('REQUEST_LINE_INVALID');
    expect(empty.request).toMatchObject({ target: '', path: '/', query: '', host: 'server.example.com' });
    expect(check({}, 'GET', '?a').request).toMatchObject({ target: '?a', path: '/', query: '?a' });
  });

  test('may end with a name that has no value, which is no field', () => {
    expect(checkRequest('GET', '/', '1.1', [...BASE.flat(), 'Host']).fault).toBeNull();
  });

  test('T41: a line feed in its fields is none of ours, in a name or a value', () => {
    for (const field of [
      ['X', 'a\nHost: evil'],
      ['X\n', 'a'],
    ]) {
      expect(checkRequest('GET', '/', '1.1', [...BASE.flat(), ...field]).fault).toBe('HEADER_INVALID');
    }
  });

  test('without any field has a target, no host and no headers', () => {
    const { request, fault } = checkRequest('GET', '/only', '1.1', []);
    expect(fault).toBe('HOST_INVALID');
    expect(request).toMatchObject({ target: '/only', path: '/only', host: '', origin: null, upgrade: false });
    expect([...request.headers]).toEqual([]);
    expect(request.subprotocols).toEqual([]);
  });
});

describe('RFC 6455 4.2.1: a request that is right', () => {
  test('the sample of section 1.3', () => {
    const { request, fault, detail } = checkRequest('GET', '/chat', '1.1', [
      ...BASE.flat(),
      'Origin',
      'http://example.com',
      'Sec-WebSocket-Protocol',
      'chat, superchat',
    ]);
    expect({ fault, detail }).toEqual({ fault: null, detail: '' });
    expect(request.method).toBe('GET');
    expect(request.path).toBe('/chat');
    expect(request.query).toBe('');
    expect(request.host).toBe('server.example.com');
    expect(request.origin).toBe('http://example.com');
    expect(request.subprotocols).toEqual(['chat', 'superchat']);
    expect(request.upgrade).toBe(true);
    expect(request.headers.get('host')).toBe('server.example.com');
    expect(JSON.parse(JSON.stringify(request))).toMatchObject({ method: 'GET', target: '/chat', version: '1.1' });
  });

  test('no origin and no subprotocols', () => {
    const { request } = check();
    expect(request.origin).toBeNull();
    expect(request.subprotocols).toEqual([]);
  });

  test('a repeated Origin is seen to be none', () => {
    expect(check({ Origin: ['http://a', 'http://b'] }).request.origin).toBe('http://a, http://b');
  });

  test.each<[Record<string, readonly string[]>]>([
    [{ Connection: ['keep-alive, Upgrade'] }],
    [{ Connection: ['keep-alive', 'UPGRADE'] }],
    [{ Upgrade: ['WebSocket'] }],
    [{ Upgrade: ['h2c, websocket'] }],
    [{ Upgrade: ['h2c', 'websocket'] }],
    [{ Host: ['[::1]:8080'] }],
    [{ 'Content-Length': ['0'] }],
    [{ 'Sec-WebSocket-Protocol': ['a', 'b, c'] }],
    [{ 'Sec-WebSocket-Extensions': ['permessage-deflate; client_max_window_bits', 'x'] }],
    [{ 'sec-websocket-foo': ['x'] }],
  ])('T42: %j', (changes) => {
    expect(faultOf(changes)).toBeNull();
  });

  test('names are compared without regard to case', () => {
    const lower = BASE.flatMap(([name, value]) => [name.toLowerCase(), value]);
    expect(checkRequest('GET', '/', '1.1', lower).fault).toBeNull();
    const upper = BASE.flatMap(([name, value]) => [name.toUpperCase(), value]);
    expect(checkRequest('GET', '/', '1.1', upper).fault).toBeNull();
  });
});

describe('targets', () => {
  test.each([
    ['/', '/', ''],
    ['/a/b?c?d', '/a/b', '?c?d'],
    ['/!~', '/!~', ''],
    ['/?', '/', '?'],
    ['//evil/x', '//evil/x', ''],
    ['/%2e%2e/%00', '/%2e%2e/%00', ''],
    ['/a://b', '/a://b', ''],
    ['http://evil.test/a?b', '/a', '?b'],
    ['HTTPS://evil.test', '/', ''],
    ['ws://evil.test?b', '/', '?b'],
    ['wss://u:p@[::1]:1/a', '/a', ''],
  ])('%j has the path %j and the query %j', (target, path, query) => {
    const { request, fault } = check({}, 'GET', target);
    expect(fault).toBeNull();
    expect(request.path).toBe(path);
    expect(request.query).toBe(query);
  });

  test('T64: the authority of an absolute target is not the host', () => {
    expect(check({}, 'GET', 'http://evil.test/').request.host).toBe('server.example.com');
  });

  test.each([
    [''],
    ['*'],
    ['a'],
    ['example.test:80'],
    ['httpx'],
    ['wsx'],
    ['ftp://a/'],
    ['http:/a'],
    ['http://'],
    ['http:///a'],
    ['://a'],
    ['/a#b'],
    ['/a b'],
    ['/\xe9'],
    ['/\0'],
    ['/\x7f'],
  ])('%j is refused', (target) => {
    expect(faultOf({}, 'GET', target)).toBe('REQUEST_LINE_INVALID');
  });
});

describe('RFC 6455 4.2.1: a request that is wrong', () => {
  test.each(['1.0', '0.9', '1.2', '2.0', '3.0'])('T14: HTTP/%s is not spoken', (version) => {
    expect(faultOf({}, 'GET', '/', version)).toBe('HTTP_VERSION_UNSUPPORTED');
  });

  test.each(['POST', 'HEAD', 'get', 'OPTIONS', 'CONNECT'])('T14: the method %s', (method) => {
    expect(faultOf({}, method)).toBe('METHOD_NOT_GET');
  });

  test.each<[string, readonly string[]]>([
    ['none', []],
    ['two', ['a', 'b']],
    ['two alike', ['a', 'a']],
    ['empty', ['']],
    ['an open bracket', ['[::1']],
    ['a space', ['a b']],
    ['userinfo', ['u@a']],
    ['a list', ['a, b']],
  ])('T14: Host: %s', (_, values) => {
    expect(faultOf({ Host: values })).toBe('HOST_INVALID');
  });

  test.each<[string, Record<string, readonly string[]>]>([
    ['a length', { 'Content-Length': ['4'] }],
    ['a length with a sign', { 'Content-Length': ['+0'] }],
    ['a length of two zeros', { 'Content-Length': ['00'] }],
    ['an empty length', { 'Content-Length': [''] }],
    ['two lengths', { 'Content-Length': ['0', '0'] }],
    ['two lengths, the first wrong', { 'Content-Length': ['4', '0'] }],
    ['a list of lengths', { 'Content-Length': ['0, 0'] }],
    ['chunks', { 'Transfer-Encoding': ['chunked'] }],
    ['identity', { 'transfer-encoding': ['identity'] }],
    ['an empty coding', { 'Transfer-Encoding': [''] }],
    ['both', { 'Content-Length': ['0'], 'Transfer-Encoding': ['chunked'] }],
  ])('T15: %s', (_, changes) => {
    expect(faultOf(changes)).toBe('BODY_PRESENT');
    expect(faultOf({ ...changes, Upgrade: [] })).toBe('BODY_PRESENT');
  });

  test.each<[readonly string[]]>([
    [[]],
    [['']],
    [['h2c']],
    [['websocketx']],
    [['xwebsocket']],
    [['web socket']],
    [['websocket/13']],
  ])('T42: Upgrade: %j is an ordinary request', (values) => {
    const { request, fault } = check({ Upgrade: values });
    expect(fault).toBe('UPGRADE_REQUIRED');
    expect(request.upgrade).toBe(false);
    expect(request.path).toBe('/chat');
  });

  test.each<[readonly string[]]>([
    [[]],
    [['']],
    [['keep-alive']],
    [['xupgrade']],
    [['upgradex, close']],
    [['Upg', 'rade']],
  ])('T42: Connection: %j', (values) => {
    expect(faultOf({ Connection: values })).toBe('UPGRADE_INVALID');
  });

  test.each<[readonly string[]]>([
    [[]],
    [['']],
    [['8']],
    [['99']],
    [['13, 8']],
    [['+13']],
    [['013']],
    [['13.0']],
    [['13', '13']],
    [['8', '13']],
  ])('T13: Sec-WebSocket-Version: %j', (values) => {
    expect(faultOf({ 'Sec-WebSocket-Version': values })).toBe('VERSION_UNSUPPORTED');
  });

  test.each<[readonly string[]]>([
    [[]],
    [['']],
    [['????']],
    [['AAAAAAAAAAAAAAAAAAAA']],
    [['AAAAAAAAAAAAAAAAAAAAAAAA']],
    [[KEY, KEY]],
    [[`${KEY}, ${KEY}`]],
  ])('T43: Sec-WebSocket-Key: %j', (values) => {
    expect(faultOf({ 'Sec-WebSocket-Key': values })).toBe('KEY_INVALID');
  });

  test.each<[readonly string[]]>([
    [['']],
    [['a, a']],
    [['a', 'a']],
    [['a,,b']],
    [['a,']],
    [['a', '']],
    [['a\xff']],
    [['a b']],
    [['a;b']],
    [[Array.from({ length: 300 }, (_, i) => `p${i}`).join(',')]],
    [['x'.repeat(1025)]],
    [['x'.repeat(512), 'y'.repeat(513)]],
  ])('T09: Sec-WebSocket-Protocol: %j', (values) => {
    const { request, fault } = check({ 'Sec-WebSocket-Protocol': values });
    expect(fault).toBe('SUBPROTOCOL_INVALID');
    expect(() => request.subprotocols).not.toThrow();
  });

  test('T09: subprotocols are compared to the letter, and 1 KiB of them is no fault', () => {
    expect(check({ 'Sec-WebSocket-Protocol': ['a, A'] }).request.subprotocols).toEqual(['a', 'A']);
    expect(faultOf({ 'Sec-WebSocket-Protocol': ['x'.repeat(1024)] })).toBeNull();
  });

  test.each<[readonly string[]]>([[['']], [[',']], [['a;']], [['a;b=""']], [['a b']], [['a', ';']], [['a; b="\\"']]])(
    'RFC 6455 9.1: Sec-WebSocket-Extensions: %j',
    (values) => {
      expect(faultOf({ 'Sec-WebSocket-Extensions': values })).toBe('EXTENSIONS_INVALID');
    },
  );

  test('T13: a version that is not ours needs no word more', () => {
    expect(check({ 'Sec-WebSocket-Version': ['8'] })).toMatchObject({ fault: 'VERSION_UNSUPPORTED', detail: '' });
  });

  test('the first fault in the documented order wins', () => {
    const order: [string, Record<string, readonly string[]>][] = [
      ['HOST_INVALID', { Host: [] }],
      ['BODY_PRESENT', { 'Content-Length': ['1'] }],
      ['UPGRADE_REQUIRED', { Upgrade: [] }],
      ['UPGRADE_INVALID', { Connection: [] }],
      ['VERSION_UNSUPPORTED', { 'Sec-WebSocket-Version': ['8'] }],
      ['KEY_INVALID', { 'Sec-WebSocket-Key': [] }],
      ['SUBPROTOCOL_INVALID', { 'Sec-WebSocket-Protocol': [''] }],
      ['EXTENSIONS_INVALID', { 'Sec-WebSocket-Extensions': [''] }],
    ];
    let changes: Record<string, readonly string[]> = {};
    for (const [fault, change] of order.reverse()) {
      changes = { ...changes, ...change };
      expect(faultOf(changes)).toBe(fault);
    }
    expect(faultOf(changes, 'GET', '*')).toBe('REQUEST_LINE_INVALID');
    expect(faultOf(changes, 'PUT', '*')).toBe('METHOD_NOT_GET');
    expect(faultOf(changes, 'PUT', '*', '1.0')).toBe('HTTP_VERSION_UNSUPPORTED');
  });

  test('a detail holds no bytes of the peer', () => {
    const evil = 'EVIL';
    for (const name of [
      'Host',
      'Content-Length',
      'Upgrade',
      'Connection',
      'Sec-WebSocket-Version',
      'Sec-WebSocket-Key',
    ]) {
      expect(check({ [name]: [`${evil} ${evil}`] }).detail).not.toContain(evil);
    }
    expect(check({}, evil).detail).not.toContain(evil);
    expect(check({}, 'GET', evil).detail).not.toContain(evil);
  });
});

describe('RFC 6455 4.1: a request of ours', () => {
  const PARTS: RequestParts = {
    target: '/chat',
    host: 'server.example.com',
    key: KEY,
    origin: null,
    subprotocols: [],
    extensions: '',
    headers: [],
  };
  const print = (changes: Partial<RequestParts> = {}) =>
    Buffer.from(formatRequest({ ...PARTS, ...changes })).toString('latin1');

  test('the least there is to say', () => {
    expect(print()).toBe(
      `GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });

  test('all there is to say', () => {
    expect(
      print({
        origin: 'http://example.com',
        subprotocols: ['chat', 'superchat'],
        extensions: 'a; b',
        headers: [['User-Agent', 'caf\xe9']],
      }),
    ).toContain(
      'Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: a; b\r\nOrigin: http://example.com\r\nUser-Agent: caf\xe9\r\n\r\n',
    );
  });

  test('Host and Origin may be replaced, and go once', () => {
    const text = print({
      origin: 'http://a',
      headers: [
        ['host', 'b:1'],
        ['ORIGIN', 'http://c'],
      ],
    });
    expect(text.match(/^(host|origin):.*$/gim)).toEqual(['host: b:1', 'ORIGIN: http://c']);
  });

  test.each<[string, Partial<RequestParts>]>([
    ['no path', { target: 'chat' }],
    ['an absolute target', { target: 'http://a/' }],
    ['a fragment', { target: '/a#b' }],
    ['a line break in the target', { target: '/ HTTP/1.1\r\nX-Evil: 1' }],
    ['no string for a target', { target: undefined as unknown as string }],
    ['a line break in the host', { host: 'a\r\nX-Evil: 1' }],
    ['no host', { host: '' }],
    ['a line break in the origin', { origin: 'http://a\r\nX-Evil: 1' }],
    ['a subprotocol that is no token', { subprotocols: ['a b'] }],
    ['an empty subprotocol', { subprotocols: [''] }],
    ['two subprotocols in one', { subprotocols: ['a, b'] }],
    ['a line break in a subprotocol', { subprotocols: ['a\r\nX-Evil: 1'] }],
    ['a subprotocol twice', { subprotocols: ['a', 'b', 'a'] }],
    ['too many subprotocols', { subprotocols: ['x'.repeat(600), 'y'.repeat(600)] }],
    ['malformed extensions', { extensions: 'a;' }],
    ['a line break in extensions', { extensions: 'a\r\nX-Evil: 1' }],
    ['a line break in a value', { headers: [['X', 'a\r\nX-Evil: 1']] }],
    ['a line break in a name', { headers: [['X\r\nX-Evil', '1']] }],
    ['NUL', { headers: [['X', 'a\0']] }],
    ['a character that becomes a line break in latin1', { headers: [['X', '\u010d\u010aX-Evil: 1']] }],
    ['a field of the handshake', { headers: [['sec-websocket-key', KEY]] }],
    ['Connection', { headers: [['Connection', 'close']] }],
    ['a body', { headers: [['Content-Length', '4']] }],
    [
      'two Hosts',
      {
        headers: [
          ['Host', 'a'],
          ['host', 'b'],
        ],
      },
    ],
    ['a malformed Host', { headers: [['Host', 'a b']] }],
  ])('T59: %s is a UsageError', (_, changes) => {
    expect(() => print(changes)).toThrow(UsageError);
  });

  test('T59: whatever strings are given, either nothing is written or our own server takes it as it was meant', () => {
    const text = fc.oneof(
      fc.constantFrom('a', '/a', 'a.test:1', '/?', 'x-y', 'http://a', 'Host', 'Origin', 'a; b="c"'),
      fc.string({ unit: fc.constantFrom(...'aA/:?#@ \t\r\n\0,;="\\é\u010d\u{1f600}'), maxLength: 6 }),
    );
    fc.assert(
      fc.property(
        fc.record({
          target: text.map((t) => (t.startsWith('/') ? t : `/${t}`)),
          host: text,
          key: fc.constant(KEY),
          origin: fc.option(text),
          subprotocols: fc.array(text, { maxLength: 2 }),
          extensions: text,
          headers: fc.array(fc.tuple(text, text), { maxLength: 2 }),
        }),
        (parts) => {
          let bytes: Uint8Array;
          try {
            bytes = formatRequest(parts);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
            return;
          }
          const parser = new HeadParser({ maxHeadSize: null, maxRequestLine: null, maxHeaders: null });
          expect(parser.push(bytes, 0, bytes.length)).toBe(bytes.length);
          const line = parseRequestLine(parser.firstLine)!;
          const { request, fault } = checkRequest(line.method, line.target, line.version, parser.rawHeaders);
          expect(fault).toBeNull();
          expect(request.target).toBe(parts.target);
          expect(request.subprotocols).toEqual(parts.subprotocols);
          const own = 4 + Number(parts.subprotocols.length > 0) + Number(parts.extensions !== '');
          const given = parts.headers.map(([name]) => name.toLowerCase());
          const host = Number(!given.includes('host'));
          const origin = Number(parts.origin !== null && !given.includes('origin'));
          expect(parser.rawHeaders).toHaveLength(2 * (own + host + origin + given.length));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

test('the headers of a request are cut up once, and again after it was put to rest', () => {
  const { request } = checkRequest('GET', '/chat', '1.1', [...BASE.flat(), 'X-A', '1', 'x-a', '2']);
  const first = request!.headers;
  expect(request!.headers).toBe(first);
  request!.rest();
  const second = request!.headers;
  expect(second).not.toBe(first);
  expect([...second]).toEqual([...first]);
  expect(request!.readHeaders().getAll('X-A')).toEqual(['1', '2']);
});

test('a Host header that cannot be sent is shown', () => {
  const parts = { target: '/', host: 'a', key: KEY, origin: null, subprotocols: [], extensions: '' };
  expect(() => formatRequest({ ...parts, headers: [['Host', 'a b']] })).toThrow(/Host is malformed: 'a b'/);
});

test('what a request says is the same before it is put to rest and after, however often', () => {
  const { request } = checkRequest('GET', '/chat?a=1', '1.1', [...BASE.flat(), 'Origin', 'http://a']);
  const said = () => [request.target, request.path, request.query, request.host, request.origin, [...request.headers]];
  const before = said();
  expect(before.slice(0, 3)).toEqual(['/chat?a=1', '/chat', '?a=1']);
  for (let i = 0; i < 3; i++) {
    request.rest();
    expect(said()).toEqual(before);
  }
  const bare = new ReceivedRequest('GET', '/', '1.1', []);
  bare.rest();
  expect([bare.target, [...bare.headers]]).toEqual(['/', []]);
  const empty = new ReceivedRequest('GET', '', '1.1', ['A', 'b']);
  empty.rest();
  expect([empty.target, [...empty.headers]]).toEqual(['', [['A', 'b']]]);
  const short = new ReceivedRequest('GET', '/', '1.1', ['A', 'b']);
  short.rest();
  expect(short.target).toBe('/');
});
