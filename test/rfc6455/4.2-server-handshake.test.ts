/** RFC 6455 section 4.2: the server's opening handshake, what it must refuse and how it answers. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { acceptFor, answerOf, cuts, head, join, KEY, open, request, seeded, server, textOf } from './support.ts';

const REFUSED: [title: string, status: number, bytes: Uint8Array][] = [
  ['point 1: a method other than GET', 405, request({ line: 'POST / HTTP/1.1' })],
  ['point 1: HTTP/1.0', 505, request({ line: 'GET / HTTP/1.0' })],
  ['point 1: HTTP/2.0', 505, request({ line: 'GET / HTTP/2.0' })],
  ['point 1: no target', 400, request({ line: 'GET HTTP/1.1' })],
  ['point 1: authority-form', 400, request({ line: 'GET example.com:80 HTTP/1.1' })],
  ['point 1: a fragment in the target', 400, request({ line: 'GET /a#b HTTP/1.1' })],
  ['point 2: no Host', 400, request({ Host: null })],
  ['point 2: two Hosts', 400, request({}, ['Host: other.example'])],
  ['point 2: a malformed Host', 400, request({ Host: 'Host: a b' })],
  ['point 3: no Upgrade', 426, request({ Upgrade: null })],
  ['point 3: another Upgrade', 426, request({ Upgrade: 'Upgrade: h2c' })],
  ['point 4: no Connection', 400, request({ Connection: null })],
  ['point 4: another Connection', 400, request({ Connection: 'Connection: keep-alive' })],
  ['point 5: no key', 400, request({ 'Sec-WebSocket-Key': null })],
  ['point 5: a key of 15 bytes', 400, request({ 'Sec-WebSocket-Key': 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA' })],
  ['point 5: no base64', 400, request({ 'Sec-WebSocket-Key': 'Sec-WebSocket-Key: ????????????????????????' })],
  ['point 5: two keys', 400, request({}, [`Sec-WebSocket-Key: ${KEY}`])],
  ['point 6: no version', 426, request({ 'Sec-WebSocket-Version': null })],
  ['point 6: version 8', 426, request({ 'Sec-WebSocket-Version': 'Sec-WebSocket-Version: 8' })],
  ['point 8: a malformed subprotocol', 400, request({}, ['Sec-WebSocket-Protocol: a b'])],
  ['point 9: malformed extensions', 400, request({}, ['Sec-WebSocket-Extensions: ;;'])],
];

describe('RFC 6455 section 4.2.1: reading the request', () => {
  for (const [title, status, bytes] of REFUSED) {
    it(`§4.2.1 ${title}: ${status}, and the transport ends`, () => {
      for (const cut of cuts(bytes)) {
        const subject = server().feed(...cut, request());
        const answer = answerOf(subject);
        expect(answer.status).toBe(status);
        expect(answer.text).toMatch(/\r\nConnection: close/);
        expect(answer.text).toMatch(/\r\nContent-Length: \d+\r\n/);
        const [, body] = answer.text.split('\r\n\r\n');
        expect(Number(/Content-Length: (\d+)/.exec(answer.text)![1])).toBe(body!.length);
        expect(body!.length).toBeGreaterThan(0);
        if (status === 426) expect(answer.text).toContain('\r\nSec-WebSocket-Version: 13\r\n');
        expect(subject.connection.outgoingEnded).toBe(true);
        subject.end();
        expect(subject.types).toEqual(['closed']);
        expect(subject.closed).toMatchObject({ code: 1006, clean: false, error: { name: 'HandshakeError', status } });
      }
    });
  }

  it('§4.2.1: a valid request is shown once, at every cut, and nothing behind it is looked at', () => {
    const frames = join(open('server').peer(1, 'early'), open('server').peer(3, 'wrong'));
    for (const cut of cuts(join(request(), frames))) {
      const subject = server().feed(...cut);
      expect(subject.types).toEqual(['request']);
      expect(subject.wire.length).toBe(0);
      expect(subject.connection.readyState).toBe('connecting');
      expect(subject.connection.accept(0)).toBe(true);
      subject.pull();
      expect(subject.types).toEqual(['request', 'open', 'message']);
      expect(subject.messages).toEqual(['early']);
    }
  });

  it('§4.2.1: tokens ignore case, Connection and Upgrade are lists, the order of headers is free', () => {
    for (const changes of [
      { Upgrade: 'upgrade: h2c, WebSocket' },
      { Connection: 'CONNECTION: keep-alive ,  upgrade' },
      { line: 'GET http://server.example.com/chat HTTP/1.1' },
    ]) {
      expect(server().feed(request(changes)).types).toEqual(['request']);
    }
    const [line, ...rest] = textOf(request()).trimEnd().split('\r\n');
    expect(server().feed(head([line!, ...rest.toReversed()])).types).toEqual(['request']);
  });

  it('§4.2.1 point 7: the origin is shown as it came', () => {
    const subject = server().feed(request({}, ['Origin: https://a.test']));
    expect(subject.events).toMatchObject([{ request: { origin: 'https://a.test', path: '/chat', query: '?x=1' } }]);
  });
});

describe('RFC 6455 section 4.2.2: answering', () => {
  it('§4.2.2 point 5: 101, Upgrade, Connection, and the Accept that proves the key', () => {
    const subject = server().feed(request());
    subject.connection.accept(0);
    subject.pull();
    const lines = textOf(subject.wire).split('\r\n');
    expect(lines[0]).toBe('HTTP/1.1 101 Switching Protocols');
    expect(lines).toContain('Upgrade: websocket');
    expect(lines).toContain('Connection: Upgrade');
    expect(lines).toContain(`Sec-WebSocket-Accept: ${acceptFor(KEY)}`);
    expect(acceptFor(KEY)).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(lines.some((each) => /^Sec-WebSocket-(Protocol|Extensions|Version)/.test(each))).toBe(false);
  });

  it('§4.2.2 point 4: a subprotocol only if the client offered it', () => {
    const subject = server().feed(request({}, ['Sec-WebSocket-Protocol: a, b', 'Sec-WebSocket-Protocol: c']));
    for (const subprotocol of ['d', 'A', 'a, b', 'a\r\nX: 1']) {
      expect(() => subject.connection.accept(0, { subprotocol })).toThrow(UsageError);
    }
    expect(subject.connection.outgoingLength).toBe(0);
    expect(subject.connection.accept(0, { subprotocol: 'c' })).toBe(true);
    expect(textOf(subject.pull().wire)).toContain('\r\nSec-WebSocket-Protocol: c\r\n');
    expect(subject.events.at(-1)).toMatchObject({ type: 'open', subprotocol: 'c' });
  });

  it('§4.2.2: there is nothing to answer before the request and nothing after the answer', () => {
    const subject = server();
    expect(() => subject.connection.accept(0)).toThrow(UsageError);
    expect(() => subject.connection.reject(0, 403)).toThrow(UsageError);
    subject.feed(request());
    subject.connection.accept(0);
    expect(subject.connection.accept(0)).toBe(false);
    expect(subject.connection.reject(0, 403)).toBe(false);
    expect(answerOf(subject.pull()).status).toBe(101);
  });

  it('§4.2.2: a refusal is one whole response, and what follows is discarded', () => {
    const subject = server().feed(request());
    expect(subject.connection.reject(0, 403, { body: 'no', headers: [['X-Why', 'because']] })).toBe(true);
    subject.pull().feed(request());
    const { status, text } = answerOf(subject);
    expect([status, text.endsWith('\r\n\r\nno'), text.includes('X-Why: because')]).toEqual([403, true, true]);
    expect(subject.end().closed.error).toMatchObject({ code: 'REQUEST_REFUSED', status: 403 });
  });

  it('§4.2.2: an answer that cannot be sent is refused and changes nothing', () => {
    const subject = server().feed(request());
    const { connection } = subject;
    for (const headers of [
      [['X', 'a\r\nY: 1']],
      [['X Y', 'a']],
      [['Upgrade', 'h2c']],
      [['Sec-WebSocket-Accept', 'x']],
      [['X', '\u0000']],
    ] as [string, string][][]) {
      expect(() => connection.accept(0, { headers })).toThrow(UsageError);
      expect(() => connection.reject(0, 400, { headers })).toThrow(UsageError);
    }
    for (const status of [101, 99, 600, 200.5, Number.NaN]) {
      expect(() => connection.reject(0, status)).toThrow(UsageError);
    }
    expect(connection.outgoingLength).toBe(0);
    expect(connection.accept(0)).toBe(true);
  });

  it('an async decision may lose the race: accept and reject return false once the client is gone', () => {
    for (const cause of [undefined, new Error('reset')]) {
      const subject = server().feed(request()).end(cause);
      expect(subject.types).toEqual(['request', 'closed']);
      expect(subject.connection.accept(0)).toBe(false);
      expect(subject.connection.reject(0, 403)).toBe(false);
      expect(subject.pull().wire.length).toBe(0);
    }
  });

  it('both sides agree with each other', () => {
    const us = server();
    const platform = { random: seeded(3) };
    const them = open('client', { platform });
    us.feed(request());
    us.connection.accept(0);
    us.pull();
    us.connection.sendText('hello');
    us.flush();
    const [, frames] = Buffer.from(us.wire).toString('latin1').split('\r\n\r\n');
    expect(them.feed(new Uint8Array(Buffer.from(frames!, 'latin1'))).messages).toEqual(['hello']);
  });
});
