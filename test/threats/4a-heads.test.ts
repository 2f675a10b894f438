/** Threats to a server's opening handshake: rows T01 to T09, T13 to T16, T41 to T43. */
import { describe, expect, it } from 'vitest';
import { HeadParser } from '../../src/handshake/head-parser.ts';
import {
  answerOf,
  bytesOf,
  client,
  cuts,
  head,
  join,
  KEY,
  open,
  REQUEST_LINES,
  request,
  response,
  type Subject,
  server,
} from '../rfc6455/support.ts';

function refuses(bytes: Uint8Array, status: number, code: string): void {
  for (const cut of bytes.length > 2_000 ? [[bytes]] : cuts(bytes)) {
    const subject = server().feed(...cut);
    expect(answerOf(subject).status).toBe(status);
    expect(subject.connection.outgoingEnded).toBe(true);
    expect(subject.end().types).toEqual(['closed']);
    expect(subject.closed.error).toMatchObject({ name: 'HandshakeError', code });
  }
}

/** The largest buffer and the sum of all that a connection's parser keeps. */
function kept(subject: Subject): number {
  const { parser } = subject.connection as unknown as { parser: { buffer: Uint8Array | null } | null };
  return parser?.buffer?.length ?? 0;
}

describe('T01 to T03: a client that does not finish its request', () => {
  const drip = bytesOf(`GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ${'a'.repeat(100)}`);

  it('T01: a silent connection ends with handshakeTimeout', () => {
    const subject = server({ handshakeTimeout: 10_000 });
    subject.until(9_999);
    expect(subject.types).toEqual([]);
    subject.until(10_000);
    expect(subject.connection.outgoingEnded).toBe(true);
    expect(answerOf(subject).status).toBe(408);
    subject.end();
    expect(subject.closed).toMatchObject({ code: 1006, error: { name: 'TimeoutError', code: 'OPENING_TIMEOUT' } });
  });

  it('T01: and one that keeps the transport after the 408 is dropped', () => {
    const subject = server({ handshakeTimeout: 10_000, closeTimeout: 1_000 });
    subject.until(11_000);
    expect(subject.closed.error).toMatchObject({ code: 'OPENING_TIMEOUT' });
    expect(subject.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  it('T02: half a head is held to the same deadline, whatever its length', () => {
    for (let at = 1; at < request().length; at++) {
      const subject = server().feed(request().subarray(0, at));
      expect(subject.connection.nextTimeout()).toBe(10_000);
      subject.until(10_000);
      expect(answerOf(subject).status).toBe(408);
    }
  });

  it('T03: bytes do not move the deadline', () => {
    const subject = server();
    for (let i = 0; i < 10; i++) {
      subject.until(i * 1_000);
      subject.feed(drip.subarray(i, i + 1));
      expect(subject.connection.nextTimeout()).toBe(10_000);
    }
    subject.until(10_000).feed(drip);
    expect(answerOf(subject).status).toBe(408);
  });

  it('T01: the deadline counts from the start that is given, and an undecided request is held to it too', () => {
    const subject = server().feed(request());
    subject.until(10_000);
    expect(subject.types).toEqual(['request']);
    expect(subject.connection.accept(10_000)).toBe(false);
    expect(answerOf(subject).status).toBe(408);
  });
});

describe('T04 and T05: heads that are too big', () => {
  const line = 'GET / HTTP/1.1';

  it('T04: 431 above maxHeadSize, 414 above maxRequestLine; what is kept stays within', () => {
    refuses(head([line, `X: ${'a'.repeat(100_000)}`]), 431, 'HEAD_TOO_BIG');
    refuses(bytesOf(`GET /${'a'.repeat(1_000_000)}`), 414, 'REQUEST_LINE_TOO_LONG');
    const endless = server();
    const piece = bytesOf('a:b\r\n'.repeat(10));
    endless.feed(bytesOf(`${line}\r\n`));
    let most = 0;
    for (let i = 0; i < 5_000; i++) {
      endless.feed(piece);
      most = Math.max(most, kept(endless));
    }
    expect(answerOf(endless).status).toBe(431);
    // A hundred fields of five bytes are all that is ever kept of them.
    expect(most).toBeGreaterThan(400);
    expect(most).toBeLessThanOrEqual(16_384);
    expect(kept(endless)).toBe(0);
    expect(endless.connection.retainedBytes).toBe(0);
    const long = server().feed(bytesOf(`${line}\r\nX: `));
    for (most = 0; long.wire.length === 0; most = Math.max(most, kept(long))) long.feed(bytesOf('a'.repeat(50)));
    expect(answerOf(long).status).toBe(431);
    expect(most).toBe(16_384);
  });

  it('T04: the limits are exact', () => {
    const size = request().length;
    expect(server({ maxHeadSize: size }).feed(request()).types).toEqual(['request']);
    expect(answerOf(server({ maxHeadSize: size - 1 }).feed(request())).status).toBe(431);
    const first = REQUEST_LINES[0]!.length;
    expect(server({ maxRequestLine: first }).feed(request()).types).toEqual(['request']);
    expect(answerOf(server({ maxRequestLine: first - 1 }).feed(request())).status).toBe(414);
    expect(server({ maxHeaders: 5 }).feed(request()).types).toEqual(['request']);
    expect(answerOf(server({ maxHeaders: 4 }).feed(request())).status).toBe(431);
  });

  it('T05: too many headers are 431, those of the upgrade behind them are not dropped in silence', () => {
    for (const count of [96, 200, 1_200, 2_000]) {
      const filler = Array.from({ length: count }, (_, i) => `h${i}:1`);
      const [first, ...rest] = REQUEST_LINES;
      refuses(head([first!, ...filler, ...rest]), 431, 'TOO_MANY_HEADERS');
    }
  });
});

describe('T06 and T07: the work is linear', () => {
  it('T06: each byte of a head is looked at once, however it is cut, and the buffer grows by doubling', () => {
    const big = head([...REQUEST_LINES, ...Array.from({ length: 90 }, (_, i) => `x-${i}: ${'v'.repeat(150)}`)]);
    const parser = new HeadParser({ maxHeadSize: 16_384, maxRequestLine: 8_192, maxHeaders: 100 });
    let reads = 0;
    let buffers = 0;
    let last: unknown = null;
    let end = -1;
    for (let i = 0; i < big.length; i++) {
      const chunk = new Proxy([big[i]!], {
        get(target, key) {
          if (key === '0') reads++;
          return key === 'subarray' ? () => Uint8Array.of(target[0]!) : Reflect.get(target, key);
        },
      }) as unknown as Uint8Array;
      end = parser.push(chunk, 0, 1);
      const { buffer } = parser as unknown as { buffer: unknown };
      if (buffer !== last) buffers++;
      last = buffer;
    }
    expect(end).toBe(1);
    expect(reads / big.length).toBeLessThan(6);
    expect(buffers).toBeLessThan(12);
  });

  it('T06: the same header a thousand times is that many values', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `X-A: ${i}`);
    const subject = server({ maxHeaders: null }).feed(request({}, many));
    const [event] = subject.events;
    if (event?.type !== 'request') throw new Error('no request');
    expect(event.request.headers.getAll('x-a')).toEqual(many.map((_, i) => `${i}`));
    expect(event.request.headers.get('x-a')).toBe(many.map((_, i) => `${i}`).join(', '));
  });

  it('T07: the texts that made others backtrack are judged', () => {
    const probes: [string, number][] = [
      [`Sec-WebSocket-Protocol: b${' '.repeat(900)}x`, 400],
      [`Sec-WebSocket-Protocol: b${' '.repeat(15_000)}x`, 400],
      [`Sec-WebSocket-Extensions: a; b="${'\\"'.repeat(7_000)}`, 400],
      [`Sec-WebSocket-Extensions: ${Array.from({ length: 600 }, (_, i) => `x-${i}`).join(',')}`, 0],
      [`Sec-WebSocket-Extensions: a${' '.repeat(15_000)};`, 400],
      [`Connection: ${' ,'.repeat(7_000)}upgrade`, 0],
    ];
    for (const [header, status] of probes) {
      const subject = server().feed(request({}, [header]));
      if (status === 0) expect(subject.types).toEqual(['request']);
      else expect(answerOf(subject).status).toBe(status);
    }
  });
});

describe('T08: names of Object.prototype', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

  it('as headers, extensions, parameters, subprotocols and ping payloads are names like any other', () => {
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    for (const name of names) {
      const more = [`${name}: v`, `Sec-WebSocket-Extensions: ${name}; ${name}=1`, `Sec-WebSocket-Protocol: ${name}`];
      const subject = server().feed(request({}, more));
      const [event] = subject.events;
      if (event?.type !== 'request') throw new Error('no request');
      expect(event.request.headers.get(name)).toBe('v');
      expect(event.request.headers.get('not-there')).toBe(null);
      subject.connection.accept(0, { subprotocol: name });
      subject.pull().feed(subject.peer(10, name), subject.peer(9, name));
      expect(subject.types).toEqual(['request', 'open', 'pong', 'ping']);
      expect(subject.events[2]).toMatchObject({ latency: null });
      subject.connection.ping(0, bytesOf(name));
      expect(subject.feed(subject.peer(10, name)).events.at(-1)).toMatchObject({ latency: 0 });
    }
    const none = server().feed(request());
    const [event] = none.events;
    for (const name of names) expect(event?.type === 'request' && event.request.headers.get(name)).toBe(null);
    for (const name of names) {
      const asking = client({ subprotocols: [name] });
      const lines = [`${name}: v`, `Sec-WebSocket-Protocol: ${name}`];
      expect(asking.feed(response(asking.key, {}, lines)).events).toMatchObject([{ type: 'open', subprotocol: name }]);
      const [opened] = asking.events;
      expect(opened?.type === 'open' && [opened.headers.get(name), opened.headers.get('valueof')]).toEqual(
        name === 'valueOf' ? ['v', 'v'] : ['v', null],
      );
      const tricked = client();
      tricked.feed(response(tricked.key, {}, [`Sec-WebSocket-Extensions: ${name}`])).end();
      expect(tricked.closed.error).toMatchObject({ code: 'EXTENSION_UNREQUESTED' });
    }
    expect(Object.getOwnPropertyNames(Object.prototype).length).toBe(before);
    expect(({} as Record<string, unknown>)['v']).toBe(undefined);
  });
});

describe('T09: malformed subprotocol lists', () => {
  for (const value of ['a, a', 'a,,b', 'a\xff', 'a b', '', ',', 'a;b', '"a"', `a${'b'.repeat(1_100)}`]) {
    it(`${JSON.stringify(value.slice(0, 20))} is 400`, () => {
      refuses(request({}, [`Sec-WebSocket-Protocol: ${value}`]), 400, 'SUBPROTOCOL_INVALID');
    });
  }

  it('two lines are one list: a duplicate over both is 400, else both are on offer', () => {
    refuses(request({}, ['Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: a']), 400, 'SUBPROTOCOL_INVALID');
    const subject = server().feed(request({}, ['Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: b']));
    expect(subject.events).toMatchObject([{ request: { subprotocols: ['a', 'b'] } }]);
    subject.connection.accept(0);
    expect(Buffer.from(subject.pull().wire).toString()).not.toContain('Protocol:');
  });
});

describe('T13: versions other than exactly 13', () => {
  for (const value of [null, '8', '99', '13, 8', '+13', '013', '13.0', '']) {
    it(`${value ?? 'none'} is 426 with the version that is spoken`, () => {
      const line = value === null ? null : `Sec-WebSocket-Version: ${value}`;
      refuses(request({ 'Sec-WebSocket-Version': line }), 426, 'VERSION_UNSUPPORTED');
      const { text } = answerOf(server().feed(request({ 'Sec-WebSocket-Version': line })));
      expect(text).toContain('\r\nSec-WebSocket-Version: 13\r\n');
      expect(text).toContain('\r\nConnection: close');
    });
  }

  it('two lines are 426', () => refuses(request({}, ['Sec-WebSocket-Version: 13']), 426, 'VERSION_UNSUPPORTED'));
});

describe('T14: malformed request lines and hosts', () => {
  const rows: [string, Uint8Array, number, string][] = [
    ['no Host', request({ Host: null }), 400, 'HOST_INVALID'],
    ['two Hosts', request({}, ['host: a']), 400, 'HOST_INVALID'],
    ...['[::1', 'a b', '', 'a@b', 'a:b', 'a:65536', '[::1]x', 'a/b', '[fe80::1%25eth0]'].map(
      (value): [string, Uint8Array, number, string] => [
        `Host ${value}`,
        request({ Host: `Host: ${value}` }),
        400,
        'HOST_INVALID',
      ],
    ),
    ['HTTP/1.0', request({ line: 'GET / HTTP/1.0' }), 505, 'HTTP_VERSION_UNSUPPORTED'],
    ['HTTP/2.0', request({ line: 'GET / HTTP/2.0' }), 505, 'HTTP_VERSION_UNSUPPORTED'],
    ['HTTP/1.2', request({ line: 'GET / HTTP/1.2' }), 505, 'HTTP_VERSION_UNSUPPORTED'],
    ['POST', request({ line: 'POST / HTTP/1.1' }), 405, 'METHOD_NOT_GET'],
    ['get', request({ line: 'get / HTTP/1.1' }), 405, 'METHOD_NOT_GET'],
    ['two spaces', request({ line: 'GET  / HTTP/1.1' }), 400, 'REQUEST_LINE_INVALID'],
    ['no version', request({ line: 'GET /' }), 400, 'REQUEST_LINE_INVALID'],
    ['http/1.1', request({ line: 'GET / http/1.1' }), 400, 'REQUEST_LINE_INVALID'],
    ['a byte above ASCII', request({ line: 'GET /\xe9 HTTP/1.1' }), 400, 'REQUEST_LINE_INVALID'],
  ];
  for (const [title, bytes, status, code] of rows) it(`${title}: ${status}`, () => refuses(bytes, status, code));
});

describe('T15: an upgrade with a body', () => {
  const frame = open('server').peer(1, 'smuggled');
  for (const lines of [
    ['Content-Length: 4'],
    ['Transfer-Encoding: chunked'],
    ['Transfer-Encoding: identity'],
    ['Content-Length: 0', 'Content-Length: 0'],
    ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    ['Content-Length: +0'],
    ['Content-Length: 00'],
    ['Content-Length: '],
  ]) {
    it(`${lines.join(' and ')} is 400, and the body is never read as frames`, () => {
      refuses(join(request({}, lines), bytesOf('abcd'), frame), 400, 'BODY_PRESENT');
    });
  }

  it('a length of 0 is no body', () => {
    expect(server().feed(request({}, ['Content-Length: 0'])).types).toEqual(['request']);
  });
});

describe('T16: bytes after a refused upgrade', () => {
  it('get no second answer: one response, the end, the rest is discarded and not kept', () => {
    const bad = request({ 'Sec-WebSocket-Version': 'Sec-WebSocket-Version: 8' });
    for (const cut of cuts(join(bad, request()))) {
      const subject = server().feed(...cut);
      expect(answerOf(subject).status).toBe(426);
      expect(subject.connection.retainedBytes).toBe(0);
      expect(subject.end().types).toEqual(['closed']);
    }
  });
});

describe('T41 to T43: grammar, tokens and keys', () => {
  const raw = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
  const rest = REQUEST_LINES.slice(1).join('\r\n');
  const rows: [string, Uint8Array, string][] = [
    ['T41: bare LF', raw(`${REQUEST_LINES.join('\n')}\n\n`), 'REQUEST_LINE_INVALID'],
    [
      'T41: bare LF in the headers',
      raw(`GET / HTTP/1.1\r\n${REQUEST_LINES.slice(1).join('\n')}\r\n\r\n`),
      'HEADER_INVALID',
    ],
    ['T41: a folded line', request({}, ['X: a', ' b']), 'HEADER_INVALID'],
    ['T41: a space before the colon', request({}, ['X : a']), 'HEADER_INVALID'],
    ['T41: a leading space', raw(`GET / HTTP/1.1\r\n ${rest}\r\n\r\n`), 'HEADER_INVALID'],
    ['T41: an empty name', request({}, [': a']), 'HEADER_INVALID'],
    ['T41: no colon', request({}, ['X']), 'HEADER_INVALID'],
    ['T41: NUL in a value', request({}, ['X: a\0b']), 'HEADER_INVALID'],
    ['T41: CR in a value', request({}, ['X: a\rb']), 'HEADER_INVALID'],
    ['T41: DEL in a value', request({}, ['X: a\x7f']), 'HEADER_INVALID'],
    ['T41: an empty first line', raw(`\r\n${REQUEST_LINES.join('\r\n')}\r\n\r\n`), 'REQUEST_LINE_INVALID'],
    ['T42: xupgrade', request({ Connection: 'Connection: xupgrade' }), 'UPGRADE_INVALID'],
    ['T43: no key', request({ 'Sec-WebSocket-Key': null }), 'KEY_INVALID'],
    ['T43: 15 bytes', request({ 'Sec-WebSocket-Key': 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA' }), 'KEY_INVALID'],
    ['T43: 17 bytes', request({ 'Sec-WebSocket-Key': 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=' }), 'KEY_INVALID'],
    ['T43: no base64', request({ 'Sec-WebSocket-Key': 'Sec-WebSocket-Key: ????' }), 'KEY_INVALID'],
    ['T43: two keys', request({}, [`Sec-WebSocket-Key: ${KEY}`]), 'KEY_INVALID'],
  ];
  for (const [title, bytes, code] of rows) it(`${title}: 400`, () => refuses(bytes, 400, code));

  it('T42: lists of tokens, ignoring case', () => {
    for (const changes of [
      { Connection: 'Connection: keep-alive, Upgrade' },
      { Upgrade: 'Upgrade: h2c, websocket' },
      { Upgrade: 'Upgrade: WEBSOCKET', Connection: 'Connection: UPGRADE' },
    ]) {
      expect(server().feed(request(changes)).types).toEqual(['request']);
    }
    refuses(request({ Upgrade: 'Upgrade: websocketx' }), 426, 'UPGRADE_REQUIRED');
  });
});
