/** The server's side of an opening handshake: requests that others have parsed, and what may be asked at every moment. */
import { describe, expect, it } from 'vitest';
import { type ConnectionOptions, Headers, ServerConnection, UsageError } from '../../src/index.ts';
import { add, transforms } from '../rfc6455/extension.ts';
import { acceptFor, answerOf, bytesOf, head, join, KEY, OP, request, Subject, server } from '../rfc6455/support.ts';

const FIELDS = [
  ['Host', 'server.example.com'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Key', KEY],
  ['Sec-WebSocket-Version', '13'],
].flat();

function fromRequest(
  rest: { method?: string; fields?: readonly string[]; head?: Uint8Array; options?: ConnectionOptions } = {},
): Subject<ServerConnection> {
  const { method = 'GET', fields = FIELDS, options = {} } = rest;
  const parsed = { method, target: '/chat', version: '1.1', rawHeaders: fields };
  return new Subject(ServerConnection.fromRequest(parsed, rest.head ?? new Uint8Array(0), options, 0));
}

describe('fromRequest', () => {
  it('RFC 9110 section 9.3.2: a HEAD gets its 405 without the text', () => {
    for (const method of ['HEAD', 'POST']) {
      const { status, text } = answerOf(fromRequest({ method }).flush());
      expect([method, status, text.endsWith('\r\n\r\n')]).toEqual([method, 405, method === 'HEAD']);
      expect(text).toContain('Content-Length: 42\r\n');
    }
  });

  it('is judged like a request of bytes, and opens', () => {
    const subject = fromRequest().pull();
    expect(subject.types).toEqual(['request']);
    expect(subject.connection.accept(0)).toBe(true);
    expect(subject.pull().types).toEqual(['request', 'open']);
    expect(answerOf(subject)).toMatchObject({ status: 101 });
    expect(answerOf(subject).text).toContain(`Sec-WebSocket-Accept: ${acceptFor(KEY)}`);
  });

  it('T40: what came behind the head is the first to be read once it is open', () => {
    const early = fromRequest({ head: bytesOf('') });
    const frame = early.peer(OP.text, 'early');
    for (const cut of [0, 1, frame.length - 1, frame.length]) {
      const subject = fromRequest({ head: frame.slice(0, cut) }).pull();
      subject.feed(frame.slice(cut));
      expect(subject.connection.retainedBytes).toBe(frame.length);
      expect(subject.types).toEqual(['request']);
      subject.connection.accept(0);
      expect(subject.pull().messages).toEqual(['early']);
    }
  });

  it('T40: early data passes through the extensions that are agreed on afterwards', () => {
    const fields = [...FIELDS, 'Sec-WebSocket-Extensions', 'x-add; key=3'];
    const early = fromRequest().peer(
      OP.text,
      bytesOf('early').map((octet) => octet + 3),
      { rsv: 0x40 },
    );
    const subject = fromRequest({ fields, head: early, options: { extensions: [add] } }).pull();
    subject.connection.accept(0);
    expect(subject.pull().messages).toEqual(['early']);
  });

  it('T40: a single octet of early data is refused where none is wanted', () => {
    for (const size of [0, 1]) {
      const subject = fromRequest({ head: new Uint8Array(size), options: { earlyData: 'refuse' } }).pull();
      expect(subject.connection.accept(0)).toBe(true);
      expect(answerOf(subject.flush()).status).toBe(size === 0 ? 101 : 400);
    }
  });

  it('counts from the moment of accept()', () => {
    const subject = fromRequest({ options: { pingInterval: 100, handshakeTimeout: 1_000 } }).pull();
    expect(subject.connection.nextTimeout()).toBe(1_000);
    subject.connection.accept(500);
    expect(subject.connection.nextTimeout()).toBe(600);
    const late = fromRequest({ options: { closeTimeout: 100 } }).pull();
    late.connection.reject(500, 403);
    expect(late.connection.nextTimeout()).toBe(600);
  });

  it('a long answer has its time: the deadline moves as long as bytes leave, and then waits for the peer', () => {
    const options = { closeTimeout: 100, plainRequests: 'ask' } as const;
    const { connection } = fromRequest({ fields: ['Host', 'a'], options }).pull();
    connection.reject(0, 200, { body: new Uint8Array(60_000) });
    connection.takeOutgoing();
    for (let now = 50; now <= 2_000; now += 50) {
      connection.outgoingWritten(1_000, now);
      connection.handleTimeout(now);
      expect([connection.phaseName, connection.nextTimeout()]).toEqual(['failing', now + 100]);
    }
    connection.outgoingWritten(0, 2_099);
    expect(connection.nextTimeout()).toBe(2_100);
    connection.handleTimeout(2_100);
    expect(connection.nextEvent()).toMatchObject({ type: 'closed', error: { code: 'UPGRADE_REQUIRED', status: 200 } });
  });

  it('refuses what the checks refuse, with the same answer', () => {
    const subject = fromRequest({ method: 'POST' }).pull();
    expect(answerOf(subject).status).toBe(405);
    expect(subject.end().closed.error).toMatchObject({ code: 'METHOD_NOT_GET' });
  });

  it('negotiates extensions, and only those that it has', () => {
    const fields = [...FIELDS, 'Sec-WebSocket-Extensions', 'x-add; key=7, x-other'];
    const [plain, adding] = [fromRequest({ fields }), fromRequest({ fields, options: { extensions: [add] } })];
    for (const subject of [plain, adding]) {
      subject.pull().connection.accept(0);
      subject.pull();
    }
    expect(answerOf(plain).text).not.toContain('Sec-WebSocket-Extensions');
    expect(plain.events.at(-1)).toMatchObject({ type: 'open', extensions: '', subprotocol: '' });
    expect(answerOf(adding).text).toContain('Sec-WebSocket-Extensions: x-add');
    expect(adding.connection.sendsWhole).toBe(false);
    expect(plain.connection.sendsWhole).toBe(true);
  });
});

describe('a request that is no upgrade', () => {
  const plain = () => server({ plainRequests: 'ask' }).feed(head(['GET / HTTP/1.1', 'Host: a']));

  it('may be answered, and not accepted', () => {
    const subject = plain();
    expect(subject.types).toEqual(['request']);
    expect(() => subject.connection.accept(0)).toThrow(UsageError);
    expect(subject.connection.reject(0, 200, { body: 'hello', headers: [['X-A', 'b']] })).toBe(true);
    expect(answerOf(subject.flush())).toMatchObject({ status: 200, text: expect.stringContaining('X-A: b') });
    expect(subject.end().closed.error).toMatchObject({ code: 'UPGRADE_REQUIRED', status: 200 });
  });

  it('is answered with 426 unless somebody asks', () => {
    const subject = server().feed(head(['GET / HTTP/1.1', 'Host: a']));
    expect(answerOf(subject).status).toBe(426);
  });
});

describe('an application that decides', () => {
  it('decides once, and only when it was asked', () => {
    const subject = server();
    expect(() => subject.connection.accept(0)).toThrow(UsageError);
    expect(() => subject.connection.reject(0, 403)).toThrow(UsageError);
    subject.feed(request());
    subject.connection.accept(0);
    expect(subject.connection.accept(0)).toBe(false);
    expect(subject.connection.reject(0, 403)).toBe(false);
  });

  it('is told that it is too late when the connection ended meanwhile', () => {
    const subject = server().feed(request());
    subject.connection.terminate(0);
    expect(subject.connection.accept(0)).toBe(false);
    expect(subject.connection.reject(0, 403)).toBe(false);
    expect(subject.pull().closed).toMatchObject({ code: 1006, error: { code: 'TERMINATED' } });
  });

  it('that refuses an upgrade has refused it', () => {
    const subject = server().feed(request());
    expect(subject.connection.reject(0, 403, { body: 'no' })).toBe(true);
    expect(answerOf(subject.flush())).toMatchObject({ status: 403, text: expect.stringMatching(/\r\n\r\nno$/) });
    expect(subject.end().closed.error).toMatchObject({ code: 'REQUEST_REFUSED', status: 403 });
  });

  it('that fails is a 500', () => {
    const subject = server().feed(request());
    subject.connection.fail(0, new Error('no database'));
    expect(answerOf(subject.flush()).status).toBe(500);
    expect(subject.end().closed.error).toMatchObject({ code: 'APPLICATION_FAILED' });
  });

  it('that throws while it accepts may accept again', () => {
    const subject = server().feed(request());
    expect(() => subject.connection.accept(0, { subprotocol: 'chat' })).toThrow(UsageError);
    expect(() => subject.connection.accept(0, { headers: [['a b', 'c']] })).toThrow(UsageError);
    expect(subject.connection.accept(0)).toBe(true);
  });
});

describe('hasPendingInput', () => {
  it('while connecting: bytes that may be read, not those that wait for the application; and the end', () => {
    const { connection } = server();
    expect(connection.hasPendingInput).toBe(false);
    const bytes = request();
    connection.receive(bytes.slice(0, 20), 0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toBe(null);
    expect(connection.hasPendingInput).toBe(false);
    connection.receive(join(bytes.subarray(20), Uint8Array.of(0x81)), 0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toMatchObject({ type: 'request' });
    expect(connection.hasPendingInput).toBe(false);
    connection.receiveEnd(0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toMatchObject({ type: 'closed' });
    expect(connection.hasPendingInput).toBe(false);
  });

  it('events that wait are pending, in every state', () => {
    const { connection } = server().feed(request());
    connection.accept(0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toMatchObject({ type: 'open' });
    expect(connection.hasPendingInput).toBe(false);
    connection.terminate(0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toMatchObject({ type: 'closed' });
    expect(connection.hasPendingInput).toBe(false);
  });

  it('while failing: once the transport ended and everything was written', () => {
    const subject = server().feed(bytesOf('nonsense\n'));
    const { connection } = subject;
    expect(connection.hasPendingInput).toBe(false);
    connection.receiveEnd(0);
    expect(connection.hasPendingInput).toBe(true);
    expect(connection.nextEvent()).toMatchObject({ type: 'closed' });
  });
});

describe('a request in a lent buffer', () => {
  it('is kept when the buffer is used again', () => {
    const bytes = request({}, ['X-Last: value']);
    for (let cut = 1; cut < bytes.length; cut += 7) {
      const subject = server();
      const buffer = new Uint8Array(bytes.length);
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        buffer.set(part);
        subject.connection.receiveBorrowed(buffer, 0, part.length);
        subject.pull();
        buffer.fill(0);
      }
      expect(subject.events).toMatchObject([{ type: 'request' }]);
      const event = subject.events[0]!;
      if (event.type === 'request') expect(new Headers([...event.request.headers].flat()).get('x-last')).toBe('value');
    }
  });

  it('T40: early data too, while the application decides', () => {
    const subject = server();
    const buffer = join(request(), subject.peer(OP.text, 'early'));
    subject.connection.receiveBorrowed(buffer, 0);
    subject.pull();
    buffer.fill(0);
    subject.connection.accept(0);
    expect(subject.pull().messages).toEqual(['early']);
  });
});

describe('a request of bytes', () => {
  it('is shown, and opened with the subprotocol that was chosen of those that were offered', () => {
    const subject = server().feed(request({}, ['Sec-WebSocket-Protocol: chat, superchat']));
    expect(() => subject.connection.accept(0, { subprotocol: 'other' })).toThrow(UsageError);
    expect(() => subject.connection.accept(0, { subprotocol: 'chat, superchat' })).toThrow(UsageError);
    expect(subject.connection.accept(0, { subprotocol: 'superchat' })).toBe(true);
    expect(subject.pull().types).toEqual(['request', 'open']);
    expect(subject.events[1]).toMatchObject({ subprotocol: 'superchat' });
    expect(answerOf(subject).text).toContain('\r\nSec-WebSocket-Protocol: superchat\r\n');
  });

  it('whose first line is none is answered with 400', () => {
    for (const line of ['GET /chat', 'GET  / HTTP/1.1', 'nonsense']) {
      const subject = server().feed(request({ line }));
      expect([subject.types, answerOf(subject).status]).toEqual([[], 400]);
      expect(subject.end().closed.error).toMatchObject({ code: 'REQUEST_LINE_INVALID' });
    }
  });

  it('whose head breaks is answered at once, and told what is wrong: its method is not known yet', () => {
    for (const line of ['GET /chat HTTP/1.1', 'HEAD /chat HTTP/1.1']) {
      const subject = server().feed(bytesOf(`${line}\r\nHost a\r\n`));
      const { status, text } = answerOf(subject.flush());
      expect([status, text.endsWith('\r\n\r\n')]).toEqual([400, false]);
      expect(subject.end().closed.error).toMatchObject({ code: 'HEADER_INVALID' });
    }
  });

  it('that never comes is answered with 408, and one that is closed meanwhile with 503', () => {
    for (const sent of [new Uint8Array(0), request().subarray(0, 30), request()]) {
      const late = server({ handshakeTimeout: 50 }).feed(sent).until(50);
      expect(answerOf(late).status).toBe(408);
      expect(late.end().closed.error).toMatchObject({ code: 'OPENING_TIMEOUT' });
      const closed = server().feed(sent);
      closed.connection.close(0, 1001);
      expect(answerOf(closed.flush()).status).toBe(503);
      expect(closed.connection.accept(0)).toBe(false);
      expect(closed.end().closed.error).toMatchObject({ code: 'SERVER_BUSY' });
    }
  });
});

it('an answer that cannot be given gives back what was agreed on, and may be given again', () => {
  const subject = server({ extensions: [add] }).feed(request({}, ['Sec-WebSocket-Extensions: x-add; key=3']));
  const { connection } = subject;
  expect(() => connection.accept(0, { headers: [['X', 'a\nb']] })).toThrow(UsageError);
  expect(transforms.at(-1)?.released).toBe(1);
  expect([connection.accept(0), subject.flush().pull().types]).toEqual([true, ['request', 'open']]);
  expect(transforms.at(-1)?.released).toBe(0);
});
