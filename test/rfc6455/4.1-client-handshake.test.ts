/** RFC 6455 section 4.1: the client's opening handshake, what it writes and what it must refuse. */
import { describe, expect, it } from 'vitest';
import { ClientConnection, type HandshakeError, UsageError } from '../../src/index.ts';
import { acceptFor, client, cuts, head, join, open, response, seeded, textOf } from './support.ts';

describe('RFC 6455 section 4.1: the request', () => {
  const lines = textOf(client().wire).split('\r\n');

  it('§4.1 point 2: the method MUST be GET and the version at least 1.1, point 3: the target is the resource name', () => {
    expect(lines[0]).toBe('GET /chat HTTP/1.1');
  });

  it('§4.1 point 4: the request MUST contain a Host header', () => {
    expect(lines.filter((line) => line.startsWith('Host:'))).toEqual(['Host: server.example.com']);
  });

  it('§4.1 points 5 and 6: it MUST contain Upgrade: websocket and Connection: Upgrade', () => {
    expect(lines).toContain('Upgrade: websocket');
    expect(lines).toContain('Connection: Upgrade');
  });

  it('§4.1 point 7: the key is a fresh nonce of 16 bytes in base64, chosen at random for each connection', () => {
    const keys = new Set<string>();
    const random = seeded(99);
    for (let i = 0; i < 500; i++) {
      const { key } = client({}, { platform: { random } });
      expect(Buffer.from(key, 'base64').length).toBe(16);
      expect(key.length).toBe(24);
      keys.add(key);
    }
    expect(keys.size).toBe(500);
  });

  it('§4.1 point 8: Origin is sent when given; point 9: the version is 13', () => {
    expect(lines.some((line) => line.startsWith('Origin'))).toBe(false);
    expect(lines).toContain('Sec-WebSocket-Version: 13');
    expect(textOf(client({ origin: 'https://a.test' }).wire)).toContain('\r\nOrigin: https://a.test\r\n');
  });

  it('§4.1 point 10: subprotocols in order of preference; elements MUST be tokens and unique', () => {
    expect(textOf(client({ subprotocols: ['b.2', 'a'] }).wire)).toContain('Sec-WebSocket-Protocol: b.2, a\r\n');
    for (const subprotocols of [['a', 'a'], ['a b'], [''], ['é'], ['a,b'], ['a\r\nX: 1']]) {
      expect(() => client({ subprotocols })).toThrow(UsageError);
    }
  });

  it('§4.1: without randomness there is no client', () => {
    expect(() => new ClientConnection({ host: 'a', target: '/' }, {}, 0)).toThrow(/random/);
  });

  it('§4.1: nothing more is sent until the server has answered', () => {
    const subject = client();
    expect(() => subject.connection.sendText('x')).toThrow(UsageError);
    expect(() => subject.connection.ping(0)).toThrow(UsageError);
    expect(subject.connection.outgoingLength).toBe(0);
    expect(subject.connection.readyState).toBe('connecting');
  });
});

describe('RFC 6455 section 4.1: the response', () => {
  it('is taken at every cut, with frames behind it', () => {
    const frames = join(open('client').peer(1, 'first'), open('client').peer(2, Uint8Array.of(1)));
    const { key } = client();
    for (const cut of cuts(join(response(key), frames))) {
      const subject = client().feed(...cut);
      expect(subject.types).toEqual(['open', 'message', 'message']);
      expect(subject.messages).toEqual(['first', Uint8Array.of(1)]);
    }
  });

  it('header names and the tokens of Upgrade and Connection ignore case; Connection is a list', () => {
    for (const changes of [
      { Upgrade: 'UPGRADE: WebSocket' },
      { Connection: 'connection: keep-alive, uPGRADE' },
      { line: 'HTTP/1.1 101 ' },
      { line: 'HTTP/1.1 101' },
      { line: 'HTTP/1.1 101 Umschaltung l\u00e4uft' },
    ]) {
      const subject = client();
      expect(subject.feed(response(subject.key, changes)).types).toEqual(['open']);
    }
  });

  it('§4.1: the subprotocol that was chosen is told; with none, empty', () => {
    const subject = client({ subprotocols: ['a', 'b'] });
    subject.feed(response(subject.key, {}, ['Sec-WebSocket-Protocol: b']));
    expect(subject.events).toEqual([expect.objectContaining({ type: 'open', subprotocol: 'b', extensions: '' })]);
    const none = client({ subprotocols: ['a'] });
    expect(none.feed(response(none.key)).events).toEqual([expect.objectContaining({ subprotocol: '' })]);
  });

  const refused: [string, string, (key: string) => Uint8Array][] = [
    ['point 1: a status other than 101', 'STATUS_UNEXPECTED', () => head(['HTTP/1.1 200 OK', 'Content-Length: 0'])],
    ['point 1: HTTP/1.0', 'STATUS_LINE_INVALID', (k) => response(k, { line: 'HTTP/1.0 101 Switching Protocols' })],
    ['point 1: HTTP/2.0', 'STATUS_LINE_INVALID', (k) => response(k, { line: 'HTTP/2.0 101 Switching Protocols' })],
    ['point 1: no status line', 'STATUS_LINE_INVALID', (k) => response(k, { line: 'hello' })],
    ['point 2: Upgrade missing', 'RESPONSE_UPGRADE_INVALID', (k) => response(k, { Upgrade: null })],
    ['point 2: Upgrade other', 'RESPONSE_UPGRADE_INVALID', (k) => response(k, { Upgrade: 'Upgrade: h2c' })],
    ['point 2: Upgrade longer', 'RESPONSE_UPGRADE_INVALID', (k) => response(k, { Upgrade: 'Upgrade: websocketx' })],
    ['point 3: Connection missing', 'RESPONSE_UPGRADE_INVALID', (k) => response(k, { Connection: null })],
    ['point 3: Connection other', 'RESPONSE_UPGRADE_INVALID', (k) => response(k, { Connection: 'Connection: close' })],
    ['point 4: Accept missing', 'ACCEPT_MISMATCH', (k) => response(k, { 'Sec-WebSocket-Accept': null })],
    ['point 4: Accept of another key', 'ACCEPT_MISMATCH', () => response('AAAAAAAAAAAAAAAAAAAAAA==')],
    [
      'point 4: Accept in lower case',
      'ACCEPT_MISMATCH',
      (k) => response(k, { 'Sec-WebSocket-Accept': `Sec-WebSocket-Accept: ${acceptFor(k).toLowerCase()}` }),
    ],
    ['point 4: Accept twice', 'ACCEPT_MISMATCH', (k) => response(k, {}, [`Sec-WebSocket-Accept: ${acceptFor(k)}`])],
    ['point 5: an extension', 'EXTENSION_UNREQUESTED', (k) => response(k, {}, ['Sec-WebSocket-Extensions: x-foo'])],
    ['point 6: a subprotocol', 'SUBPROTOCOL_UNREQUESTED', (k) => response(k, {}, ['Sec-WebSocket-Protocol: evil'])],
    ['a body', 'BODY_PRESENT', (k) => response(k, {}, ['Content-Length: 1'])],
    ['a coded body', 'BODY_PRESENT', (k) => response(k, {}, ['Transfer-Encoding: chunked'])],
    ['a folded header', 'HEADER_INVALID', (k) => response(k, {}, ['X: a', ' b'])],
  ];
  for (const [title, code, bytes] of refused) {
    it(`§4.1 response ${title} MUST fail the connection`, () => {
      const { key } = client();
      const wrong = bytes(key);
      for (const cut of cuts(wrong)) {
        const subject = client();
        const sent = subject.wire.length;
        subject.feed(...cut, open('client').peer(1, 'never'));
        expect(subject.types).toEqual([]);
        expect(subject.connection.readyState).toBe('closing');
        expect(subject.connection.outgoingEnded).toBe(true);
        subject.end();
        expect(subject.types).toEqual(['closed']);
        expect(subject.closed).toMatchObject({ code: 1006, clean: false });
        expect(subject.closed.error).toMatchObject({ name: 'HandshakeError', code });
        expect(subject.wire.length).toBe(sent);
      }
    });
  }

  it('the error of a refusal has status, headers and body; other faults have status 0', () => {
    const subject = client();
    subject.feed(join(head(['HTTP/1.1 401 No', 'WWW-Authenticate: Basic', 'Content-Length: 4']), Buffer.from('nope')));
    const error = subject.end().closed.error as HandshakeError;
    expect(error).toMatchObject({ status: 401, response: { status: 401, statusText: 'No' } });
    expect(textOf(error.response!.body)).toBe('nope');
    const wrong = client();
    wrong.feed(response(wrong.key, {}, ['X y: 1']));
    expect(wrong.end().closed.error).toMatchObject({ code: 'HEADER_INVALID', status: 0 });
  });

  it('close() while connecting ends without a byte more', () => {
    const subject = client();
    const sent = subject.wire.length;
    subject.connection.close(0);
    expect(subject.connection.outgoingEnded).toBe(true);
    subject.feed(response(subject.key)).end();
    expect(subject.types).toEqual(['closed']);
    expect(subject.closed).toMatchObject({ code: 1006, clean: false, error: { code: 'TERMINATED' } });
    expect(subject.wire.length).toBe(sent);
  });

  it('close() before the request was written leaves nothing unsent', () => {
    const platform = { random: seeded() };
    const connection = new ClientConnection({ host: 'a', target: '/' }, { platform }, 0);
    const [chunk] = connection.takeOutgoing();
    connection.close(0);
    connection.outgoingWritten(chunk!.length, 1);
    expect(connection.bufferedAmount).toBe(0);
  });
});
