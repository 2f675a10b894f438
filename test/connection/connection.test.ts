/**
 * The state machine by itself, in both roles: what each phase takes, gives and waits for, with bytes of the peer by hand and
 * virtual time. What the RFC asks of it, section by section, is in test/rfc6455.
 */
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
import { pureText } from '../../src/codec/utf8.ts';
import { SharedFrames } from '../../src/connection/shared-frames.ts';
import { type ConnectionOptions, EstablishedConnection, UsageError } from '../../src/index.ts';
import { add } from '../rfc6455/extension.ts';
import {
  bytesOf,
  client,
  closePayload,
  join,
  OP,
  open,
  pattern,
  ROLES,
  readFrames,
  request,
  response,
  type Subject,
  seeded,
  server,
} from '../rfc6455/support.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** What can be asked of a connection at any time. */
function answers({ connection }: Subject) {
  const { readyState, phaseName, wantsInput, hasPendingInput, outgoingEnded, outgoingLength, closeQueued } = connection;
  return { readyState, phaseName, wantsInput, hasPendingInput, outgoingEnded, outgoingLength, closeQueued };
}

/** A transform of the agreement, as a server and a client would have settled on it. */
function transformOf() {
  return add.accept({ name: 'x-add', parameters: [{ name: 'key', value: '3' }] })!.transform;
}

for (const role of ROLES) {
  describe(`in each phase, ${role}`, () => {
    /** A connection in each phase, with its events forgotten. */
    const phases: Readonly<Record<string, () => Subject>> = {
      connecting: () => (role === 'server' ? server() : client()),
      open: () => open(role),
      'close-sent': () => {
        const subject = open(role);
        subject.connection.close(0, 1000);
        return subject.flush();
      },
      draining: () => {
        const subject = open(role);
        subject.connection.close(0, 1000);
        return subject.flush().feed(subject.peer(OP.close, closePayload(1000)));
      },
      failing: () => {
        const subject = open(role);
        return subject.feed(subject.peer(3));
      },
      closed: () => {
        const subject = open(role);
        subject.connection.terminate(0);
        return subject.pull();
      },
    };

    it('says what it is, and what it waits for', () => {
      const quiet = { hasPendingInput: false, outgoingLength: 0 };
      const wanted: Record<string, object> = {
        connecting: { readyState: 'connecting', wantsInput: true, outgoingEnded: false, closeQueued: false, ...quiet },
        open: { readyState: 'open', wantsInput: true, outgoingEnded: false, closeQueued: false, ...quiet },
        'close-sent': { readyState: 'closing', wantsInput: true, outgoingEnded: false, closeQueued: true, ...quiet },
        // §7.1.1: the server ends first.
        draining: {
          readyState: 'closing',
          wantsInput: true,
          outgoingEnded: role === 'server',
          closeQueued: true,
          ...quiet,
        },
        failing: { readyState: 'closing', wantsInput: true, outgoingEnded: true, closeQueued: true, ...quiet },
        closed: { readyState: 'closed', wantsInput: false, outgoingEnded: true, closeQueued: false, ...quiet },
      };
      for (const [name, make] of Object.entries(phases)) {
        expect(answers(make()), name).toEqual({ phaseName: name, ...wanted[name] });
      }
    });

    it('sends only while it is open; otherwise a UsageError that names the state', () => {
      for (const [name, make] of Object.entries(phases)) {
        if (name === 'open') continue;
        const { connection } = make();
        const { bytes } = new SharedFrames(Memory.shared, pureText).encode(OP.text, 'x', 1, false);
        for (const command of [
          () => connection.sendText('x'),
          () => connection.sendBinary(bytes),
          () => connection.sendFragment('text', bytesOf('x'), true),
          () => connection.sendAccepted('text', bytesOf('x')),
          () => connection.sendEncoded({ bytes, slab: null, start: 0 }),
          () => connection.ping(0),
          () => connection.pong(),
        ]) {
          expect(command, name).toThrow(UsageError);
          expect(command, name).toThrow(`the connection is ${connection.readyState}, not open`);
        }
        expect([connection.outgoingLength, connection.midMessage]).toEqual([0, false]);
      }
    });

    it('closes once, whatever is asked of it afterwards', () => {
      for (const [name, make] of Object.entries(phases)) {
        const subject = make();
        const { connection } = subject;
        const before = subject.events.length;
        connection.close(5, 1001, 'later');
        connection.fail(6, new Error('ours'));
        connection.terminate(7);
        connection.terminate(8);
        connection.close(9);
        subject.now = 9;
        subject.pull().end(new Error('lost')).until(100_000);
        expect(
          subject.events.slice(before).map(({ type }) => type),
          name,
        ).toEqual(name === 'closed' ? [] : ['closed']);
        expect(answers(subject), name).toMatchObject({
          phaseName: 'closed',
          outgoingLength: 0,
          hasPendingInput: false,
        });
        expect([connection.nextTimeout(), connection.bufferedAmount, connection.retainedBytes]).toEqual([NEVER, 0, 0]);
      }
    });

    it('takes bytes, an end and time without a word, however late', () => {
      for (const [name, make] of Object.entries(phases)) {
        const subject = make();
        const { connection } = subject;
        const received = connection.traffic.received;
        for (const now of [10, 5, 20]) {
          connection.receive(bytesOf('\u0000\u0001'), now);
          connection.receiveBorrowed(bytesOf('xyz'), now, 2);
          connection.keepBorrowed();
          connection.outgoingWritten(0, now);
          connection.handleTimeout(now);
          connection.suspendInput();
          connection.resumeInput(now);
          connection.receiveEnd(now);
        }
        subject.now = 20;
        // What a failure still says leaves first.
        subject.pull().pull();
        expect(connection.traffic.received - received, name).toBe(12);
        expect(subject.closed.clean, name).toBe(name === 'draining');
      }
    });

    it('the transport that breaks is told with its cause, one that ends without', () => {
      for (const [name, make] of Object.entries(phases)) {
        if (name === 'draining' || name === 'failing' || name === 'closed') continue;
        expect(make().end(new Error('reset')).closed.error, name).toMatchObject({ code: 'TRANSPORT_FAILED' });
        expect(make().end().closed, name).toMatchObject({ code: 1006, error: { code: 'TRANSPORT_ENDED' } });
      }
    });
  });

  describe(`events, ${role}`, () => {
    it('that came together are given out one by one, the last one last', () => {
      const connection = new EstablishedConnection({ role }, { platform: { random: seeded() } }, 0);
      connection.terminate(0);
      expect(connection.hasPendingInput).toBe(true);
      expect(connection.nextEvent()).toMatchObject({ type: 'open' });
      expect(connection.hasPendingInput).toBe(true);
      expect(connection.nextEvent()).toMatchObject({ type: 'closed', code: 1006, error: { code: 'TERMINATED' } });
      expect([connection.nextEvent(), connection.hasPendingInput]).toEqual([null, false]);
    });

    it('are pending while a frame is unread, and none is wanted meanwhile', () => {
      const subject = open(role);
      const { connection } = subject;
      connection.receive(join(subject.peer(OP.text, 'a'), subject.peer(OP.text, 'b')), 0);
      expect([connection.hasPendingInput, connection.wantsInput]).toEqual([true, false]);
      expect(connection.nextEvent()).toMatchObject({ data: 'a' });
      expect([connection.hasPendingInput, connection.wantsInput]).toEqual([true, false]);
      expect(connection.nextEvent()).toMatchObject({ data: 'b' });
      expect(connection.nextEvent()).toBe(null);
      expect([connection.hasPendingInput, connection.wantsInput, connection.retainedBytes]).toEqual([false, true, 0]);
    });

    it('half a frame is retained, and an end behind it is pending', () => {
      const subject = open(role);
      const { connection } = subject;
      subject.feed(subject.peer(OP.binary, pattern(500)).subarray(0, 300));
      expect([connection.hasPendingInput, connection.wantsInput]).toEqual([false, true]);
      expect(connection.retainedBytes).toBeGreaterThan(250);
      connection.receiveEnd(0);
      expect(connection.hasPendingInput).toBe(true);
      expect(subject.pull().closed.error).toMatchObject({ code: 'TRANSPORT_ENDED' });
      expect(connection.retainedBytes).toBe(0);
    });

    it('stop after a budget of expanded bytes, and say that more will come', () => {
      const subject = open(role, {}, { transforms: [transformOf()] });
      const { connection } = subject;
      expect([connection.sendsWhole, open(role).connection.sendsWhole]).toEqual([false, true]);
      const first = subject.peer(OP.binary, new Uint8Array(600), { rsv: 0x40, fin: false });
      const last = subject.peer(OP.continuation, new Uint8Array(600));
      connection.receive(join(first, last), 0);
      expect(connection.nextEvent(500)).toBe(null);
      expect([connection.expanding, connection.hasPendingInput, connection.wantsInput]).toEqual([true, true, false]);
      expect([connection.nextEvent(500), connection.expanding]).toEqual([null, true]);
      expect(connection.nextEvent(500)).toMatchObject({ type: 'message', kind: 'binary' });
      expect([connection.nextEvent(500), connection.expanding, connection.wantsInput]).toEqual([null, false, true]);
    });

    it('§10.4: a data message renews the budget of control frames, whole or as its last fragment; a fragment does not', () => {
      const ping = (subject: Subject) => subject.peer(OP.ping);
      for (const options of [{}, { delivery: 'fragment' }] as const) {
        const made = () => open(role, { maxControlFrames: 2, ...options });
        const renewed = made();
        renewed.feed(ping(renewed), ping(renewed), renewed.peer(OP.text, 'a'), ping(renewed), ping(renewed));
        expect(renewed.connection.readyState).toBe('open');
        renewed.feed(ping(renewed));
        expect([renewed.connection.readyState, renewed.closeCode]).toEqual(['closing', 1008]);
        const begun = made();
        begun.feed(ping(begun), begun.peer(OP.text, 'a', { fin: false }), ping(begun), ping(begun));
        expect(begun.connection.readyState).toBe('closing');
        expect(begun.end().closed.error).toMatchObject({ code: 'TOO_MANY_CONTROL_FRAMES' });
      }
    });
  });

  describe(`pings and pongs, ${role}`, () => {
    it('§5.5.2: are answered while it is open, not after our Close, and not with autoPong off', () => {
      const answered = open(role);
      expect(answered.feed(answered.peer(OP.ping, 'p')).frames).toMatchObject([
        { opcode: OP.pong, payload: bytesOf('p') },
      ]);
      const closing = open(role);
      closing.connection.close(0);
      closing.flush().feed(closing.peer(OP.ping, 'p'));
      expect(closing.frames.map(({ opcode }) => opcode)).toEqual([OP.close]);
      expect(closing.types).toEqual(['ping']);
      const silent = open(role, { autoPong: false });
      expect(silent.feed(silent.peer(OP.ping, 'p')).frames).toEqual([]);
      silent.connection.pong(bytesOf('1'));
      silent.connection.pong(bytesOf('2'));
      // With autoPong off pongs are answers: the latest takes the one place.
      expect(silent.flush().frames).toMatchObject([{ opcode: OP.pong, payload: bytesOf('2') }]);
    });

    it('pongs of our own go in order with the rest, and may be empty', () => {
      const { connection } = open(role);
      connection.pong();
      connection.pong(bytesOf('1'));
      connection.sendText('x');
      const wire = join(...connection.takeOutgoing());
      expect(readFrames(wire).map(({ opcode, payload }) => [opcode, payload.length])).toEqual([
        [OP.pong, 0],
        [OP.pong, 1],
        [OP.text, 1],
      ]);
    });

    it('a ping is measured by the pong that answers it, whoever chose its payload', () => {
      const subject = open(role);
      const { connection } = subject;
      const own = connection.nextPingPayload();
      connection.ping(10, own);
      connection.ping(20);
      subject.now = 20;
      const sent = subject.flush().frames.map(({ payload }) => payload);
      expect([sent[0], sent[1]?.length]).toEqual([own, 4]);
      expect(sent[1]).not.toEqual(own);
      subject.now = 25;
      subject.feed(subject.peer(OP.pong, sent[1]), subject.peer(OP.pong, sent[0]));
      // One that is answered settles those before it.
      expect(subject.events).toMatchObject([
        { type: 'pong', latency: 5 },
        { type: 'pong', latency: null },
      ]);
      const early = role === 'server' ? server() : client();
      expect(early.connection.nextPingPayload()).toHaveLength(0);
    });

    it('a ping that is not answered in silence fails the connection, with 1011 and a moment for the peer', () => {
      for (const [closeTimeout, moment] of [
        [5_000, 1_000],
        [300, 300],
      ] as const) {
        const subject = open(role, { pingInterval: 100, pongTimeout: 50, closeTimeout });
        subject.until(149);
        expect(subject.connection.readyState).toBe('open');
        subject.until(150);
        expect([subject.connection.phaseName, subject.closeCode]).toEqual(['failing', 1011]);
        expect(subject.connection.nextTimeout()).toBe(150 + moment);
        subject.until(150 + moment);
        expect(subject.closed).toMatchObject({ code: 1006, error: { code: 'PONG_TIMEOUT' } });
      }
    });

    it('a ping that is not answered in silence is found, however often we ping', () => {
      const subject = open(role, { pingInterval: 25_000, pongTimeout: 20_000 });
      for (let now = 250; now < 20_250; now += 250) {
        subject.connection.ping(now);
        subject.connection.handleTimeout(now);
        expect(subject.connection.readyState).toBe('open');
      }
      subject.connection.handleTimeout(20_250);
      expect(subject.flush().closeCode).toBe(1011);
    });

    it('silence proves nothing while we do not read', () => {
      const subject = open(role, { pingInterval: 100, pongTimeout: 50 });
      const { connection } = subject;
      subject.until(100);
      connection.suspendInput();
      expect(connection.nextTimeout()).toBe(NEVER);
      subject.until(10_000);
      connection.resumeInput(10_000);
      expect(connection.nextTimeout()).toBe(10_050);
      subject.feed(subject.peer(OP.text, 'x'));
      expect(connection.nextTimeout()).toBe(10_050);
    });
  });

  describe(`the closing handshake, ${role}`, () => {
    it('a Close that is malformed fails the connection, and is told by what is wrong with it', () => {
      const cases = [
        [Uint8Array.of(3), 1002, 'CLOSE_PAYLOAD_TRUNCATED'],
        [closePayload(1005), 1002, 'CLOSE_CODE_INVALID'],
        [closePayload(1000, Uint8Array.of(0xff)), 1007, 'UTF8_INVALID'],
      ] as const;
      for (const [payload, sent, code] of cases) {
        const subject = open(role);
        subject.feed(subject.peer(OP.close, payload));
        expect([subject.types, subject.closeCode]).toEqual([[], sent]);
        expect(subject.end().closed).toMatchObject({ code: 1006, clean: false, error: { code } });
      }
    });

    it('ends cleanly once both Closes have left and come, whoever was first', () => {
      const theirs = open(role);
      theirs.feed(theirs.peer(OP.close, closePayload(4000, 'bye')));
      expect([theirs.types, theirs.closeCode]).toEqual([['closing'], 4000]);
      expect(theirs.end().closed).toMatchObject({ code: 4000, reason: 'bye', clean: true, remote: true, error: null });
      const ours = open(role);
      ours.connection.close(0, 4001, 'ours');
      ours.flush().feed(ours.peer(OP.close, closePayload(4002)));
      expect(ours.end().closed).toMatchObject({ code: 4002, clean: true, remote: false, error: null });
    });

    it('an end of the peer waits for what is still to be written; a broken transport does not', () => {
      for (const cause of [undefined, new Error('reset')]) {
        const subject = open(role);
        const { connection } = subject;
        connection.receive(subject.peer(OP.close), 0);
        expect(connection.nextEvent()).toMatchObject({ type: 'closing', code: 1005 });
        connection.receiveEnd(0, cause);
        expect(connection.hasPendingInput).toBe(cause !== undefined);
        const event = connection.nextEvent();
        if (cause !== undefined) {
          expect(event).toMatchObject({ type: 'closed', clean: false, error: { code: 'TRANSPORT_FAILED' } });
          continue;
        }
        expect(event).toBe(null);
        expect(subject.flush().pull().closed).toMatchObject({ clean: true });
      }
    });

    it('a failure says nothing twice: after our Close there is none, and one of the transport has none', () => {
      const subject = open(role);
      subject.connection.close(0, 1000);
      subject.flush().feed(subject.peer(3));
      expect([subject.connection.phaseName, subject.closeCode]).toEqual(['failing', 1000]);
      expect(subject.end().closed.error).toMatchObject({ code: 'RESERVED_OPCODE' });
    });

    it('ends the transport only when everything was taken, also what was said last', () => {
      const subject = open(role);
      const { connection } = subject;
      connection.receive(subject.peer(3), 0);
      expect(connection.nextEvent()).toBe(null);
      expect([connection.phaseName, connection.outgoingEnded]).toEqual(['failing', false]);
      connection.takeOutgoing();
      expect(connection.outgoingEnded).toBe(true);
    });

    it('is not prolonged by reports of nothing written', () => {
      const subject = open(role, { closeTimeout: 100 });
      subject.connection.close(0, 1000);
      subject.connection.outgoingWritten(0, 50);
      expect(subject.connection.nextTimeout()).toBe(100);
      subject.connection.outgoingWritten(1, 60);
      expect(subject.connection.nextTimeout()).toBe(160);
    });

    it('an application that failed is a Close with 1011, and an error with its cause', () => {
      const cause = new Error('ours');
      const subject = open(role);
      subject.connection.fail(0, cause);
      expect(subject.flush().closeCode).toBe(1011);
      expect(subject.end().closed.error).toMatchObject({ code: 'APPLICATION_FAILED', cause });
      const opening = role === 'server' ? server() : client();
      opening.connection.fail(0, cause);
      expect(opening.pull().end().closed.error).toMatchObject({ code: 'APPLICATION_FAILED', cause });
    });
  });

  describe(`sending, ${role}`, () => {
    const over = (options: ConnectionOptions) => open(role, { maxBufferedAmount: 10, ...options });
    const sends: readonly ((subject: Subject) => number)[] = [
      ({ connection }) => connection.sendText('text'),
      ({ connection }) => connection.sendBinary(pattern(4)),
      ({ connection }) => connection.sendFragment('binary', pattern(4), true),
      ({ connection }) => connection.sendEncoded({ bytes: pattern(6), slab: null, start: 0 }),
    ];

    it('a message is taken below the cap; beyond it the connection fails, or the message is refused', () => {
      for (const send of sends) {
        const failing = over({});
        for (let i = 0; failing.connection.bufferedAmount < 10 && i < 10; i++) expect(send(failing)).toBeGreaterThan(0);
        expect([send(failing), failing.connection.phaseName]).toEqual([0, 'failing']);
        expect(failing.pull().end().closed.error).toMatchObject({ code: 'OUTGOING_OVERFLOW' });
        const refusing = over({ overflow: 'refuse' });
        for (let i = 0; refusing.connection.bufferedAmount < 10 && i < 10; i++) send(refusing);
        expect([send(refusing), refusing.connection.phaseName]).toEqual([0, 'open']);
        refusing.flush();
        expect(send(refusing)).toBeGreaterThan(0);
      }
    });

    it('what was accepted before is sent beyond the cap, too', () => {
      const subject = over({ overflow: 'refuse' });
      for (let i = 0; i < 5; i++) expect(subject.connection.sendAccepted('text', bytesOf('abcdef'))).toBeGreaterThan(0);
      expect(subject.flush().frames).toHaveLength(5);
    });

    it('a fragmented message is under way until its last fragment, or our Close', () => {
      const { connection } = open(role);
      const seen = [connection.midMessage];
      connection.sendFragment('text', bytesOf('a'), false);
      seen.push(connection.midMessage);
      connection.sendFragment('text', bytesOf('b'), true);
      seen.push(connection.midMessage);
      connection.sendFragment('text', bytesOf('c'), false, false);
      connection.close(0);
      expect([...seen, connection.midMessage]).toEqual([false, true, false, false]);
    });

    it('counts what came and what was written', () => {
      const subject = open(role);
      const frame = subject.peer(OP.text, 'abc');
      subject.feed(frame);
      subject.connection.sendText('abc');
      expect(subject.connection.traffic).toEqual({ received: frame.length, written: 0 });
      expect(subject.connection.bufferedAmount).toBe(subject.connection.outgoingLength);
      subject.flush();
      expect(subject.connection.traffic).toEqual({ received: frame.length, written: subject.wire.length });
      expect(subject.connection.bufferedAmount).toBe(0);
    });
  });

  describe(`deadlines, ${role}`, () => {
    it('calls that come too early are harmless, late ones act once', () => {
      const subject = open(role, { pingInterval: 100, pongTimeout: 50, closeTimeout: 30 });
      for (let now = 0; now < 100; now += 10) {
        subject.connection.handleTimeout(now);
        expect(subject.connection.outgoingLength).toBe(0);
      }
      subject.connection.handleTimeout(1_000);
      subject.connection.handleTimeout(1_000);
      expect(subject.flush().frames.map((each) => each.opcode)).toEqual([OP.ping]);
    });

    it('each phase has its deadline, and closed has none', () => {
      const subject = open(role, { pingInterval: 100, closeTimeout: 30 });
      const { connection } = subject;
      expect(connection.nextTimeout()).toBe(100);
      subject.now = 40;
      connection.close(40);
      expect(connection.nextTimeout()).toBe(70);
      subject.now = 60;
      subject.flush();
      expect(connection.nextTimeout()).toBe(90);
      subject.feed(subject.peer(OP.close));
      expect(connection.nextTimeout()).toBe(90);
      subject.until(90);
      expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
    });

    it('what an open connection failed with is not waited for: a peer that reads slowly does not live longer', () => {
      const subject = open(role, { closeTimeout: 100 });
      const { connection } = subject;
      connection.sendBinary(new Uint8Array(60_000));
      connection.fail(0, new Error('ours'));
      connection.takeOutgoing();
      connection.outgoingWritten(1_000, 50);
      expect([connection.phaseName, connection.nextTimeout()]).toEqual(['failing', 100]);
    });

    it('a Close waits for what is before it: the deadline moves as long as bytes leave', () => {
      const subject = open(role, { closeTimeout: 100 });
      const { connection } = subject;
      connection.sendBinary(new Uint8Array(60_000));
      connection.close(0, 1000);
      connection.takeOutgoing();
      for (let now = 50; now <= 500; now += 50) {
        connection.outgoingWritten(1_000, now);
        connection.handleTimeout(now);
        expect(connection.nextTimeout()).toBe(now + 100);
      }
      subject.now = 500;
      subject.until(600);
      expect(subject.closed.error).toMatchObject({ code: 'CLOSING_TIMEOUT' });
    });
  });
}

describe('the opening handshake', () => {
  it('is waited for as long as handshakeTimeout says, and ends what does not come', () => {
    for (const subject of [server({ handshakeTimeout: 50 }), client({}, { handshakeTimeout: 50 })]) {
      expect(subject.connection.nextTimeout()).toBe(50);
      subject.connection.handleTimeout(49);
      expect(subject.connection.phaseName).toBe('connecting');
      subject.until(50);
      const { phaseName } = subject.connection;
      // The server still says 408.
      expect(phaseName).toBe(subject.role === 'server' ? 'failing' : 'closed');
      expect(subject.end().closed.error).toMatchObject({ code: 'OPENING_TIMEOUT' });
    }
  });

  it('T40: a server wants early data up to its bound while the application decides; it is read when it is open', () => {
    const subject = server({ maxEarlyData: 20, borrow: true }).feed(request());
    const { connection } = subject;
    expect([connection.hasPendingInput, connection.wantsInput]).toEqual([false, true]);
    const early = subject.peer(OP.text, 'a');
    connection.receiveBorrowed(early, 0);
    expect(connection.nextEvent()).toBe(null);
    early.fill(0);
    subject.feed(subject.peer(OP.text, 'b'), subject.peer(OP.text, 'c'));
    expect([connection.wantsInput, connection.hasPendingInput, connection.retainedBytes]).toEqual([false, false, 21]);
    connection.accept(0);
    expect(subject.pull().messages).toEqual(['a', 'b', 'c']);
  });

  it('bytes that nobody has looked at are pending, and an end behind them too', () => {
    const subject = server();
    const { connection } = subject;
    connection.receive(request().subarray(0, 10), 0);
    expect(connection.hasPendingInput).toBe(true);
    expect([connection.nextEvent(), connection.hasPendingInput]).toEqual([null, false]);
    connection.receiveEnd(0);
    expect(connection.hasPendingInput).toBe(true);
    expect(subject.pull().closed.error).toMatchObject({ code: 'TRANSPORT_ENDED' });
  });

  it('what came with the answer passes through the extensions that it agreed on', () => {
    const subject = client({}, { extensions: [add] });
    const frame = subject.peer(
      OP.text,
      bytesOf('early').map((octet) => octet + 3),
      { rsv: 0x40 },
    );
    subject.feed(join(response(subject.key, {}, ['Sec-WebSocket-Extensions: x-add; key=3']), frame));
    expect([subject.types, subject.messages]).toEqual([['open', 'message'], ['early']]);
    // And without an early byte there is nothing to take along.
    const quiet = open('server', {}, { transforms: [transformOf()] });
    expect(quiet.connection.retainedBytes).toBe(0);
  });
});

for (const role of ROLES) {
  describe(`time and memory, ${role}`, () => {
    it('time never goes back: a smaller now is the last one', () => {
      const { connection } = open(role, { closeTimeout: 100 });
      connection.advance(1_000);
      connection.close(500, 1000);
      expect(connection.nextTimeout()).toBe(1_100);
    });

    it('the end has closeTimeout from the moment that decides it, whatever decided before', () => {
      const options = { closeTimeout: 100 };
      const failed = open(role, options);
      failed.now = 10;
      failed.feed(failed.peer(3));
      expect(failed.connection.nextTimeout()).toBe(110);
      const answered = open(role, options);
      answered.now = 20;
      answered.feed(answered.peer(OP.close));
      expect(answered.connection.nextTimeout()).toBe(120);
      const ours = open(role, options);
      ours.connection.close(0, 1000);
      ours.flush();
      ours.now = 30;
      ours.feed(ours.peer(OP.close));
      expect(ours.connection.nextTimeout()).toBe(130);
      // We failed after our Close: there is nothing more to be said, but the time is new.
      const both = open(role, options);
      both.connection.close(0, 1000);
      both.flush();
      both.now = 40;
      both.feed(both.peer(3));
      expect(both.connection.nextTimeout()).toBe(140);
    });

    it('nothing is held of what comes behind the end, or was half read there', () => {
      const ends: readonly ((subject: Subject) => void)[] = [
        ({ connection }) => connection.terminate(0),
        ({ connection }) => connection.fail(0, new Error('ours')),
        (subject) => subject.feed(join(subject.peer(OP.close), pattern(100))),
        (subject) => subject.feed(join(subject.peer(3), pattern(100))),
      ];
      for (const end of ends) {
        const subject = open(role);
        subject.feed(subject.peer(OP.binary, pattern(600), { fin: false }));
        expect(subject.connection.retainedBytes).toBeGreaterThan(500);
        end(subject);
        expect(subject.connection.retainedBytes).toBe(0);
        expect(subject.pull().end().closed.type).toBe('closed');
      }
    });

    it('a text that was begun gives its memory back to the pool when the connection ends', () => {
      const memory = Memory.of(allocate);
      const asked: number[] = [];
      function allocate(size: number): Uint8Array {
        asked.push(size);
        return new Uint8Array(size);
      }
      for (let i = 0; i < 5; i++) {
        const subject = open(role, { platform: { allocate } });
        subject.feed(subject.peer(OP.text, 'x'.repeat(50_000), { fin: false }));
        subject.connection.terminate(0);
        subject.pull();
      }
      expect(asked.filter((size) => size >= 50_000)).toHaveLength(1);
      expect(memory.pooled(50_000).bytes.length).toBe(asked.find((size) => size >= 50_000));
    });

    it('what is lent and sent on is copied: the read buffer is used again before it is written', () => {
      const subject = open(role, { borrow: true });
      const { connection } = subject;
      const buffer = join(subject.peer(OP.binary, pattern(40_000)));
      connection.receiveBorrowed(buffer, 0);
      const event = connection.nextEvent();
      connection.sendBinary((event as unknown as { data: Uint8Array }).data);
      expect(connection.nextEvent()).toBe(null);
      buffer.fill(0xee);
      expect(subject.flush().frames).toMatchObject([{ payload: pattern(40_000) }]);
    });
  });
}

it('nothing is held of early data when the request is refused', () => {
  const subject = server().feed(join(request(), pattern(100)));
  expect(subject.connection.retainedBytes).toBe(100);
  subject.connection.reject(0, 403);
  expect(subject.connection.retainedBytes).toBe(0);
});

it('what is reported as written after the end does not count any more', () => {
  const { connection } = open('server');
  connection.sendText('abc');
  connection.takeOutgoing();
  connection.outgoingWritten(2, 0);
  connection.terminate(0);
  expect(connection.nextEvent()).toMatchObject({ type: 'closed' });
  connection.outgoingWritten(3, 0);
  expect([connection.traffic.written, connection.bufferedAmount]).toEqual([2, 0]);
});

it('a single octet of an opening handshake is pending until it is read', () => {
  for (const subject of [server(), client()]) {
    subject.connection.receive(bytesOf('H'), 0);
    expect(subject.connection.hasPendingInput).toBe(true);
  }
});

for (const role of ROLES) {
  describe(`what proves life, and what is over, ${role}`, () => {
    it('any octet that comes puts off the next ping', () => {
      const subject = open(role, { pingInterval: 100 });
      subject.now = 60;
      subject.feed(subject.peer(OP.text, 'abc').subarray(0, 1));
      expect(subject.connection.nextTimeout()).toBe(160);
    });

    it('reading again counts from the moment it begins', () => {
      const { connection } = open(role, { pingInterval: 100 });
      connection.suspendInput();
      connection.resumeInput(500);
      expect(connection.nextTimeout()).toBe(600);
    });

    it('a ping of ours has four octets that no other one has', () => {
      const { connection } = open(role);
      const payloads = [connection.nextPingPayload(), connection.nextPingPayload()];
      expect(payloads.map(({ length }) => length)).toEqual([4, 4]);
      expect(payloads[0]).not.toEqual(payloads[1]);
    });

    it('an application that fails later changes nothing more', () => {
      const ends: readonly ((subject: Subject) => unknown)[] = [
        (subject) => subject.feed(subject.peer(3)),
        (subject) => subject.feed(subject.peer(OP.close)),
        (subject) => {
          subject.connection.terminate(0);
          return subject.pull();
        },
      ];
      for (const end of ends) {
        const subject = open(role);
        end(subject);
        const before = [subject.connection.phaseName, subject.connection.nextTimeout()];
        subject.connection.fail(1, new Error('late'));
        expect([subject.connection.phaseName, subject.connection.nextTimeout()]).toEqual(before);
        expect(subject.connection.outgoingLength).toBe(0);
      }
    });
  });
}

describe('a request that comes with the end of the input', () => {
  it('can be answered', () => {
    for (const answer of ['accept', 'reject'] as const) {
      const { connection } = server();
      connection.receive(request(), 0);
      connection.receiveEnd(0);
      expect(connection.nextEvent()).toMatchObject({ type: 'request' });
      expect(answer === 'accept' ? connection.accept(0) : connection.reject(0, 403)).toBe(true);
      expect(connection.outgoingLength).toBeGreaterThan(0);
    }
  });

  it('and is malformed, is told so before all is over', () => {
    const { connection } = server();
    connection.receive(bytesOf('nonsense\r\n\r\n'), 0);
    connection.receiveEnd(0);
    expect(connection.nextEvent()).toBe(null);
    expect([connection.phaseName, connection.outgoingLength > 0]).toEqual(['failing', true]);
  });
});

it('T40: early data of exactly maxEarlyData is enough', () => {
  const { connection } = server({ maxEarlyData: 20 }).feed(request());
  connection.receive(pattern(19), 0);
  expect(connection.wantsInput).toBe(true);
  connection.receive(pattern(1), 0);
  expect(connection.wantsInput).toBe(false);
});
