/** Threats to a client's opening handshake: rows T36 to T39, T44, T48 to T50, T59. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { add } from '../rfc6455/extension.ts';
import {
  acceptFor,
  bytesOf,
  client,
  cuts,
  head,
  join,
  OP,
  open,
  request,
  response,
  server,
} from '../rfc6455/support.ts';

type Lines = readonly string[];

function fails(code: string, bytes: (key: string) => Uint8Array, options = {}, target = {}): void {
  const wrong = bytes(client(target, options).key);
  for (const cut of wrong.length > 5_000 ? [[wrong]] : cuts(wrong)) {
    const subject = client(target, options)
      .feed(...cut, open('client').peer(OP.text, 'never'))
      .end();
    expect(subject.types).toEqual(['closed']);
    expect(subject.closed).toMatchObject({ code: 1006, clean: false, error: { name: 'HandshakeError', code } });
  }
}

describe('T36: extensions that were not offered, twice, or with other parameters', () => {
  for (const value of ['x-foo', 'x-add; key=3, x-add; key=3', 'x-add; foo=1', 'x-add', 'x-add; key', 'x-add; key=""']) {
    it(`${value} fails`, () => {
      fails('EXTENSION_UNREQUESTED', (key) => response(key, {}, [`Sec-WebSocket-Extensions: ${value}`]), {
        extensions: [add],
      });
    });
  }
});

describe('T37: Sec-WebSocket-Accept', () => {
  const rows: [string, (key: string) => Uint8Array][] = [
    ['absent', (key) => response(key, { 'Sec-WebSocket-Accept': null })],
    ['wrong', (key) => response(key, { 'Sec-WebSocket-Accept': `Sec-WebSocket-Accept: ${acceptFor('x')}` })],
    [
      'lower case',
      (key) => response(key, { 'Sec-WebSocket-Accept': `Sec-WebSocket-Accept: ${acceptFor(key).toLowerCase()}` }),
    ],
    ['twice', (key) => response(key, {}, [`Sec-WebSocket-Accept: ${acceptFor(key)}`])],
    ['the key itself', (key) => response(key, { 'Sec-WebSocket-Accept': `Sec-WebSocket-Accept: ${key}` })],
  ];
  for (const [title, bytes] of rows) it(`${title} fails`, () => fails('ACCEPT_MISMATCH', bytes));
});

describe('T38: answers that are no proper 101', () => {
  const rows: [string, string, Readonly<Record<string, string | null>>][] = [
    ['no Upgrade', 'RESPONSE_UPGRADE_INVALID', { Upgrade: null }],
    ['a wrong Upgrade', 'RESPONSE_UPGRADE_INVALID', { Upgrade: 'Upgrade: websockets' }],
    ['no Connection', 'RESPONSE_UPGRADE_INVALID', { Connection: null }],
    ['a wrong Connection', 'RESPONSE_UPGRADE_INVALID', { Connection: 'Connection: keep-alive' }],
    ['HTTP/1.0', 'STATUS_LINE_INVALID', { line: 'HTTP/1.0 101 Switching Protocols' }],
    ['four digits', 'STATUS_LINE_INVALID', { line: 'HTTP/1.1 1010 x' }],
    ['no space', 'STATUS_LINE_INVALID', { line: 'HTTP/1.1101' }],
  ];
  for (const [title, code, changes] of rows) it(`${title} fails`, () => fails(code, (key) => response(key, changes)));

  it('200 fails', () =>
    fails('STATUS_UNEXPECTED', (key) => response(key, { line: 'HTTP/1.1 200 OK' }, ['Content-Length: 0'])));
});

describe('T39: subprotocols', () => {
  const rows: [string, Lines, Lines][] = [
    ['none requested', [], ['Sec-WebSocket-Protocol: evil']],
    ['another case', ['chat'], ['Sec-WebSocket-Protocol: CHAT']],
    ['two at once', ['a', 'b'], ['Sec-WebSocket-Protocol: a, b']],
    ['two lines', ['a', 'b'], ['Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: b']],
    ['an empty one', ['a'], ['Sec-WebSocket-Protocol: ']],
  ];
  for (const [title, subprotocols, lines] of rows) {
    it(`${title} fails`, () =>
      fails('SUBPROTOCOL_UNREQUESTED', (key) => response(key, {}, lines), {}, { subprotocols }));
  }
});

describe('T44: a server that never answers, or drips', () => {
  it('ends at handshakeTimeout, from the start of the attempt, bytes or none', () => {
    for (const dripping of [false, true]) {
      const subject = client();
      const bytes = response(subject.key);
      for (let i = 0; i < 9; i++) {
        subject.until(i * 1_000);
        if (dripping) subject.feed(bytes.subarray(i, i + 1));
        expect(subject.connection.nextTimeout()).toBe(10_000);
      }
      subject.until(10_000);
      expect(subject.closed).toMatchObject({ code: 1006, error: { name: 'TimeoutError', code: 'OPENING_TIMEOUT' } });
      expect(subject.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
    }
  });

  it('a refusal whose body never ends is told at the deadline, with what came', () => {
    const subject = client().feed(join(head(['HTTP/1.1 503 Busy', 'Content-Length: 100']), bytesOf('part')));
    subject.until(10_000);
    expect(subject.closed.error).toMatchObject({
      code: 'STATUS_UNEXPECTED',
      status: 503,
      response: { body: bytesOf('part') },
    });
  });
});

describe('T48: frames in the same segment as the 101', () => {
  it('come after open, in order, at every cut', () => {
    const { key } = client();
    const probe = open('client');
    const all = join(response(key), probe.peer(OP.text, 'one'), probe.peer(OP.ping, 'p'), probe.peer(OP.text, 'two'));
    for (const cut of cuts(all)) {
      const subject = client().feed(...cut);
      expect(subject.types).toEqual(['open', 'message', 'ping', 'message']);
      expect(subject.messages).toEqual(['one', 'two']);
    }
  });
});

describe('T49 and T50: interim responses and heads that are too big', () => {
  it('T49: four interim responses are passed over, a fifth is not', () => {
    const interim = join(head(['HTTP/1.1 100 Continue']), head(['HTTP/1.1 103 Early Hints', 'Link: </a>']));
    const subject = client();
    subject.feed(interim, interim, response(subject.key));
    expect(subject.types).toEqual(['open']);
    fails('STATUS_UNEXPECTED', (key) => join(interim, interim, interim, response(key)));
  });

  it('T50: 101 with a body, a head of 300 KB, 5,000 headers', () => {
    fails('BODY_PRESENT', (key) => response(key, {}, ['Content-Length: 5']));
    fails('BODY_PRESENT', (key) => response(key, {}, ['Transfer-Encoding: chunked']));
    fails('HEAD_TOO_BIG', (key) => response(key, {}, [`X: ${'a'.repeat(300_000)}`]));
    fails('TOO_MANY_HEADERS', (key) =>
      response(
        key,
        {},
        Array.from({ length: 5_000 }, (_, i) => `h${i}:1`),
      ),
    );
  });
});

describe('T59: line breaks and other control characters in strings of the caller', () => {
  const evil = fc
    .tuple(fc.string(), fc.constantFrom('\r\nX-Evil: 1', '\n', '\r', '\0', '\u{1f600}'), fc.string())
    .map((p) => p.join(''));

  it('client: host, target, origin, subprotocols and headers are refused and nothing is written', () => {
    fc.assert(
      fc.property(evil, (text) => {
        for (const target of [
          { host: text },
          { target: `/${text}` },
          { origin: text },
          { subprotocols: [text] },
          { headers: [['X', text]] as const },
          { headers: [[text, 'x']] as const },
        ]) {
          expect(() => client(target)).toThrow(UsageError);
        }
      }),
      { numRuns: 150, seed: 59 },
    );
  });

  it('server: subprotocol and headers of an answer are refused and nothing is written, a body is only a body', () => {
    fc.assert(
      fc.property(evil, (text) => {
        const subject = server().feed(request({}, ['Sec-WebSocket-Protocol: a']));
        const { connection } = subject;
        expect(() => connection.accept(0, { subprotocol: text })).toThrow(UsageError);
        expect(() => connection.accept(0, { headers: [['X', text]] })).toThrow(UsageError);
        expect(() => connection.accept(0, { headers: [[text, 'x']] })).toThrow(UsageError);
        expect(() => connection.reject(0, 400, { headers: [['X', text]] })).toThrow(UsageError);
        expect(() => connection.reject(0, 400, { headers: [[text, 'x']] })).toThrow(UsageError);
        expect(connection.outgoingLength).toBe(0);
        // A body is as long as the head says: nothing of it can be taken for another answer.
        connection.reject(0, 400, { body: text });
        const answer = Buffer.from(subject.pull().wire);
        const [top] = answer.toString('latin1').split('\r\n\r\n', 1);
        const body = answer.subarray(top!.length + 4);
        expect(top).not.toContain('X-Evil');
        expect(top).toContain(`Content-Length: ${body.length}`);
        expect(body.toString('utf8')).toBe(text);
      }),
      { numRuns: 150, seed: 60 },
    );
  });

  it('the handshake own headers are not for the caller to set', () => {
    for (const name of [
      'Upgrade',
      'connection',
      'Sec-WebSocket-Key',
      'sec-websocket-extensions',
      'Content-Length',
      'Transfer-Encoding',
    ]) {
      expect(() => client({ headers: [[name, 'x']] })).toThrow(UsageError);
    }
  });
});
