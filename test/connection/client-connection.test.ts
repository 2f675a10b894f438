/** The client's side of an opening handshake: refusals with their bodies, however they come. */
import { describe, expect, it } from 'vitest';
import { ClientConnection, HandshakeError, UsageError } from '../../src/index.ts';
import { add } from '../rfc6455/extension.ts';
import { bytesOf, client, head, join, response, seeded, textOf } from '../rfc6455/support.ts';

/** What a client makes of a refusal that comes in these pieces, before the transport ends and after it. */
function refused(pieces: readonly Uint8Array[]): { early: boolean; status: number; body: string; length: number } {
  const subject = client();
  const { connection } = subject;
  for (const piece of pieces) subject.feed(piece);
  const early = connection.outgoingEnded;
  const { error } = subject.end().closed;
  expect(error).toBeInstanceOf(HandshakeError);
  expect(error?.code).toBe('STATUS_UNEXPECTED');
  const { status, response: answer } = error as HandshakeError;
  const body = answer?.body ?? new Uint8Array(0);
  return { early, status, body: textOf(body), length: body.length };
}

const lines = (...more: readonly string[]) => head(['HTTP/1.1 403 Forbidden', ...more]);

describe('the body of a refusal', () => {
  it('is as long as it says, and no longer', () => {
    const whole = join(lines('Content-Length: 5'), bytesOf('helloXYZ'));
    expect(refused([whole])).toEqual({ early: true, status: 403, body: 'hello', length: 5 });
    for (let cut = 1; cut < whole.length; cut++) {
      expect(refused([whole.subarray(0, cut), whole.subarray(cut)])).toMatchObject({ early: true, body: 'hello' });
    }
    expect(refused(Array.from(whole, (octet) => Uint8Array.of(octet))).body).toBe('hello');
  });

  it('that is cut off is what came', () => {
    expect(refused([lines('Content-Length: 5'), bytesOf('he')])).toMatchObject({ early: false, body: 'he' });
  });

  it('without a length lasts until the transport ends', () => {
    for (const length of ['', 'Content-Length:', 'Content-Length: x', 'Content-Length: -3', 'Content-Length: 1.5']) {
      const parts = [lines(...(length === '' ? [] : [length])), bytesOf('hel'), bytesOf('lo')];
      expect(refused(parts)).toEqual({ early: false, status: 403, body: 'hello', length: 5 });
    }
  });

  it('is none with 204 and 304, and with a length of 0', () => {
    for (const first of ['HTTP/1.1 204 No Content', 'HTTP/1.1 304 Not Modified']) {
      expect(refused([join(head([first, 'Content-Length: 5']), bytesOf('hello'))])).toMatchObject({
        early: true,
        body: '',
      });
    }
    expect(refused([join(lines('Content-Length: 0'), bytesOf('hello'))])).toMatchObject({ early: true, body: '' });
    // Known with the head alone.
    expect(refused([head(['HTTP/1.1 204 No Content'])])).toMatchObject({ early: true, body: '' });
    expect(refused([lines('Content-Length: 0')])).toMatchObject({ early: true, body: '' });
    expect(refused([lines('Content-Length: 1')])).toMatchObject({ early: false, body: '' });
  });

  it('in chunks is decoded, and whole with its last chunk, wherever it is cut', () => {
    const whole = join(lines('Transfer-Encoding: Chunked'), bytesOf('3\r\nhel\r\n2;x\r\nlo\r\n0\r\n\r\n'));
    expect(refused([whole])).toEqual({ early: true, status: 403, body: 'hello', length: 5 });
    for (let cut = 1; cut < whole.length; cut++) {
      expect(refused([whole.subarray(0, cut), whole.subarray(cut)])).toMatchObject({ early: true, body: 'hello' });
    }
    const cutOff = join(lines('Transfer-Encoding: chunked'), bytesOf('3\r\nhel\r\n2\r\nl'));
    expect(refused([cutOff])).toMatchObject({ early: false, body: 'hell' });
  });

  it('of HTTP/1.0 is read as well, as proxies and balancers send it: a 101 alone must be of HTTP/1.1', () => {
    for (const [line, status] of [
      ['HTTP/1.0 503 Service Unavailable', 503],
      ['HTTP/1.0 302 Found', 302],
    ] as const) {
      const subject = client().feed(join(head([line, 'Retry-After: 30']), bytesOf('later')));
      const { error } = subject.end().closed;
      expect(error).toMatchObject({ code: 'STATUS_UNEXPECTED', status });
      const { rawHeaders, body } = (error as HandshakeError).response!;
      expect([rawHeaders, textOf(body)]).toEqual([['Retry-After', '30'], 'later']);
    }
  });

  it('that only looks like chunks is as long as it says', () => {
    const body = '0\r\n\r\nmore';
    const pieces = [lines(`Content-Length: ${body.length}`), bytesOf(body.slice(0, 5)), bytesOf(body.slice(5))];
    expect(refused(pieces.slice(0, 2)).early).toBe(false);
    expect(refused(pieces)).toMatchObject({ early: true, body });
  });

  it('is no reason any more once the application has closed', () => {
    const subject = client().feed(lines('Content-Length: 5'), bytesOf('he'));
    subject.connection.close(0);
    expect(subject.end().closed.error).toMatchObject({ code: 'TERMINATED' });
  });

  it('T50: is kept up to 64 KiB, whatever is announced', () => {
    for (const announced of ['Content-Length: 9007199254740991', 'Content-Length: 65537', 'X: y']) {
      const pieces = [lines(announced), ...Array.from({ length: 70 }, () => new Uint8Array(1_000).fill(0x61))];
      expect(refused(pieces)).toMatchObject({ early: true, length: 65_536 });
    }
  });

  it('T06: in chunks that dribble in costs a constant amount of work for each piece', () => {
    const count = 400;
    const body = bytesOf(`${'1\r\na\r\n'.repeat(count)}0\r\n\r\n`);
    const pieces = [lines('Transfer-Encoding: chunked'), ...Array.from(body, (octet) => Uint8Array.of(octet))];
    const prototype = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
    const { set } = prototype;
    let copies = 0;
    prototype.set = function counting(this: Uint8Array, ...given) {
      copies++;
      set.apply(this, given);
    };
    try {
      expect(refused(pieces)).toMatchObject({ early: true, body: 'a'.repeat(count) });
    } finally {
      prototype.set = set;
    }
    // Each chunk is looked at once as it comes, and once more in the end.
    expect(copies).toBeLessThan(4 * pieces.length);
  });

  it('belongs to the error when time runs out in the middle of it', () => {
    const subject = client({}, { handshakeTimeout: 100 }).feed(lines('Content-Length: 5'), bytesOf('he'));
    const { error } = subject.until(100).closed;
    expect(error).toMatchObject({ code: 'STATUS_UNEXPECTED', status: 403 });
    expect(textOf((error as HandshakeError).response!.body)).toBe('he');
  });
});

describe('the end of an opening that is no refusal', () => {
  it('is what it is, without a response', () => {
    expect(client().end().closed.error).toMatchObject({ code: 'TRANSPORT_ENDED' });
    expect(client().end(new Error('reset')).closed.error).toMatchObject({ code: 'TRANSPORT_FAILED' });
    expect(client({}, { handshakeTimeout: 50 }).until(50).closed.error).toMatchObject({ code: 'OPENING_TIMEOUT' });
  });

  it('by close() or fail() leaves nothing to be sent', () => {
    for (const command of ['close', 'fail'] as const) {
      const connection = new ClientConnection(
        { host: 'a', target: '/' },
        { platform: { random: seeded() }, extensions: [add] },
        0,
      );
      expect(connection.outgoingLength).toBeGreaterThan(0);
      connection[command](0, null as never);
      expect(connection.outgoingLength).toBe(0);
      expect(connection.outgoingEnded).toBe(true);
      connection.receiveEnd(0);
      expect(connection.nextEvent()).toMatchObject({
        type: 'closed',
        code: 1006,
        error: { code: command === 'close' ? 'TERMINATED' : 'APPLICATION_FAILED' },
      });
    }
  });
});

describe('while a client is opening', () => {
  it('bytes that came are pending until they are read', () => {
    const { connection, key } = client();
    expect(connection.hasPendingInput).toBe(false);
    const bytes = response(key);
    connection.receive(bytes.slice(0, 30), 0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toBe(null);
    expect(connection.hasPendingInput).toBe(false);
    connection.receive(bytes.slice(30), 0);
    expect(connection.nextEvent()).toMatchObject({ type: 'open' });
  });

  it('interim responses are passed over, four of them', () => {
    const early = head(['HTTP/1.1 103 Early Hints', 'Link: x']);
    const [first, last] = [head(['HTTP/1.1 100 Continue']), head(['HTTP/1.1 199 Almost'])];
    const both = client();
    expect(both.feed(join(first, last, response(both.key))).types).toEqual(['open']);
    for (const count of [1, 4]) {
      const subject = client();
      subject.feed(join(...Array.from({ length: count }, () => early), response(subject.key)));
      expect(subject.types).toEqual(['open']);
    }
    const subject = client().feed(join(...Array.from({ length: 5 }, () => early)));
    expect(subject.end().closed.error).toMatchObject({ code: 'STATUS_UNEXPECTED' });
  });

  it('nothing can be sent, and there is no ping to number', () => {
    const { connection } = client();
    expect(() => connection.sendText('a')).toThrow(UsageError);
    expect(() => connection.ping(0)).toThrow(UsageError);
    expect(() => connection.pong()).toThrow(UsageError);
    expect(connection.nextPingPayload().length).toBe(0);
  });
});

describe('what a client cannot do with', () => {
  const target = { host: 'server.example.com', target: '/' };

  it('§5.3: no randomness', () => {
    expect(() => new ClientConnection(target, {}, 0)).toThrow(UsageError);
    expect(() => new ClientConnection(target, { platform: {} }, 0)).toThrow('give platform.random');
  });

  const wrong: readonly (readonly [name: string, answer: (key: string) => Uint8Array, code: string])[] = [
    ['a header line that is none', (key) => response(key, {}, ['no colon']), 'HEADER_INVALID'],
    ['another version', (key) => response(key, { line: 'HTTP/1.0 101 OK' }), 'STATUS_LINE_INVALID'],
    ['no status line', (key) => response(key, { line: 'SSH-2.0-OpenSSH_9.6' }), 'STATUS_LINE_INVALID'],
    ['an Upgrade to something else', (key) => response(key, { Upgrade: 'Upgrade: h2c' }), 'RESPONSE_UPGRADE_INVALID'],
    ['the accept of another key', () => response(`${'A'.repeat(22)}==`), 'ACCEPT_MISMATCH'],
    [
      'a subprotocol that was not offered',
      (key) => response(key, {}, ['Sec-WebSocket-Protocol: chat']),
      'SUBPROTOCOL_UNREQUESTED',
    ],
    [
      'an extension that was not offered',
      (key) => response(key, {}, ['Sec-WebSocket-Extensions: x-other']),
      'EXTENSION_UNREQUESTED',
    ],
    [
      'a parameter that was not offered',
      (key) => response(key, {}, ['Sec-WebSocket-Extensions: x-add; key=4']),
      'EXTENSION_UNREQUESTED',
    ],
  ];
  it.each(wrong)('§4.1: %s', (_, answer, code) => {
    for (const cut of [0, 20]) {
      const subject = client({}, { extensions: [add] });
      const bytes = answer(subject.key);
      const sent = subject.wire.length;
      subject.feed(bytes.subarray(0, cut), bytes.subarray(cut));
      expect([subject.types, subject.connection.outgoingEnded, subject.wire.length]).toEqual([[], true, sent]);
      const { error } = subject.end().closed;
      expect(error).toBeInstanceOf(HandshakeError);
      expect(error).toMatchObject({ code, status: 0 });
    }
  });
});

describe('a request that was not written yet', () => {
  it('does not keep a connection that failed, however late it is reported', () => {
    const settings = { platform: { random: seeded() } };
    const connection = new ClientConnection({ host: 'a', target: '/' }, settings, 0);
    const size = join(...connection.takeOutgoing()).length;
    connection.receive(head(['HTTP/1.0 101 Switching Protocols']), 0);
    expect(connection.nextEvent()).toBe(null);
    connection.outgoingWritten(size, 0);
    expect([connection.phaseName, connection.bufferedAmount]).toEqual(['failing', 0]);
    connection.receiveEnd(0);
    expect(connection.nextEvent()).toMatchObject({ type: 'closed', error: { code: 'STATUS_LINE_INVALID' } });
  });
});
