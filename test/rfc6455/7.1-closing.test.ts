/** RFC 6455 sections 7.1.1 to 7.1.7 and 7.2: the ways a connection ends, in all orders. */
import { describe, expect, it } from 'vitest';
import { type Input, type Phase, TRANSITIONS, transition } from '../../src/index.ts';
import { closePayload, cuts, join, OP, open, ROLES, server } from './support.ts';

for (const role of ROLES) {
  describe(`RFC 6455 section 7.1, ${role}`, () => {
    it('§7.1.1: the server ends the transport first; the client waits for it', () => {
      for (const ours of [true, false]) {
        const subject = open(role);
        if (ours) subject.connection.close(0, 1000);
        subject.feed(subject.peer(OP.close, closePayload(1000)));
        expect(subject.connection.readyState).toBe('closing');
        expect(subject.connection.outgoingEnded).toBe(role === 'server');
        subject.end();
        expect(subject.connection.readyState).toBe('closed');
        expect(subject.closed).toMatchObject({ clean: true, remote: !ours, code: 1000, error: null });
      }
    });

    it('§7.1.1: a peer that keeps the transport after both Closes is dropped after closeTimeout, cleanly', () => {
      const subject = open(role, { closeTimeout: 700 });
      subject.feed(subject.peer(OP.close, closePayload(3000, 'r')));
      subject.until(699);
      expect(subject.connection.readyState).toBe('closing');
      subject.until(700);
      expect(subject.closed).toMatchObject({ code: 3000, reason: 'r', clean: true, error: null });
    });

    it('§7.1.2: our Close is sent once, however often close() is called', () => {
      const subject = open(role);
      subject.connection.close(0, 1000, 'first');
      subject.connection.close(0, 1001, 'second');
      subject.flush().feed(subject.peer(OP.close));
      subject.connection.close(0, 1001, 'third');
      subject.flush();
      expect(subject.closeCode).toBe(1000);
      subject.end();
      subject.connection.close(0, 1000);
      subject.connection.terminate(0);
      expect(subject.pull().closed).toMatchObject({ code: 1005, clean: true });
    });

    it('§7.1.3: the closing handshake starts with either Close: the state is closing', () => {
      const one = open(role);
      one.connection.close(0);
      expect(one.connection.readyState).toBe('closing');
      const other = open(role);
      other.feed(other.peer(OP.close));
      expect(other.connection.readyState).toBe('closing');
    });

    it('§7.1.4: closed is told once, last, and nothing follows: no byte, no deadline, no event', () => {
      const subject = open(role);
      subject.connection.sendText('x');
      subject.end();
      const { connection } = subject;
      expect(subject.closed.clean).toBe(false);
      subject.feed(subject.peer(OP.text, 'x'), subject.peer(OP.close)).end(new Error('late'));
      connection.handleTimeout(1e9);
      connection.outgoingWritten(100, 1e9);
      connection.fail(1e9, new Error('late'));
      subject.pull();
      expect(subject.closed.code).toBe(1006);
      expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
      expect(connection.outgoingLength).toBe(0);
      expect(connection.takeOutgoing()).toEqual([]);
      expect(connection.wantsInput).toBe(false);
      expect(connection.hasPendingInput).toBe(false);
      expect(connection.retainedBytes).toBe(0);
      expect(connection.bufferedAmount).toBe(0);
    });

    it('§7.1.5: the close code is the peer Close, 1005 if empty, 1006 if none came, whatever we sent', () => {
      for (const [payload, code] of [
        [closePayload(4321), 4321],
        [new Uint8Array(0), 1005],
        [null, 1006],
      ] as const) {
        const subject = open(role);
        subject.connection.close(0, 3333);
        if (payload !== null) subject.feed(subject.peer(OP.close, payload));
        subject.end();
        expect(subject.closed).toMatchObject({ code, clean: payload !== null });
      }
    });

    it('§7.1.6: the reason is what followed the code, or empty', () => {
      for (const reason of ['', 'gräßlich', '😀'.repeat(30)]) {
        const subject = open(role);
        subject.feed(subject.peer(OP.close, closePayload(1000, reason))).end();
        expect(subject.closed.reason).toBe(reason);
      }
    });

    it('§7.1.7: failing sends at most one Close, also after our own, then ends, and reads nothing more', () => {
      const subject = open(role);
      subject.connection.close(0, 1000);
      subject.feed(subject.peer(OP.continuation, 'wrong'), subject.peer(OP.close));
      expect(subject.closeCode).toBe(1000);
      expect(subject.connection.outgoingEnded).toBe(true);
      subject.end();
      expect(subject.closed).toMatchObject({ code: 1006, clean: false });
      expect(subject.closed.error).toMatchObject({ code: 'CONTINUATION_UNEXPECTED' });
    });

    it('§7.1.7: a failed peer that never ends the transport is dropped after closeTimeout', () => {
      const subject = open(role, { closeTimeout: 300 });
      subject.feed(subject.peer(3, ''));
      subject.until(299);
      expect(subject.types).toEqual([]);
      subject.until(300);
      expect(subject.closed.error).toMatchObject({ code: 'RESERVED_OPCODE' });
    });

    it('§7.1.7: our application fails with 1011 and nothing of its error on the wire', () => {
      const subject = open(role);
      subject.connection.fail(0, new Error('secret'));
      subject.flush().end();
      expect(subject.closeCode).toBe(1011);
      expect(Buffer.from(subject.closeFrames[0]!.payload).toString()).not.toContain('secret');
      expect(subject.closed.error).toMatchObject({ name: 'ApplicationError', closeCode: 1011 });
    });

    it('§7.2.1: an end without a Close, a broken transport, an end in the middle of a frame: 1006 and why', () => {
      const cause = new Error('ECONNRESET');
      const ended = open(role).end();
      expect(ended.closed).toMatchObject({ code: 1006, error: { code: 'TRANSPORT_ENDED' } });
      const lost = open(role).end(cause);
      expect(lost.closed).toMatchObject({ code: 1006, error: { code: 'TRANSPORT_FAILED', cause } });
      const message = join(
        open(role).peer(OP.ping, 'p'),
        open(role).peer(OP.text, 'abc', { fin: false }),
        open(role).peer(OP.continuation, 'def'),
      );
      for (let at = 0; at < message.length; at++) {
        const subject = open(role).feed(message.subarray(0, at)).end();
        expect(subject.closed).toMatchObject({ code: 1006, clean: false, error: { code: 'TRANSPORT_ENDED' } });
        expect(subject.messages).toEqual([]);
      }
    });

    it('§7.2.1: what came before the end is delivered before it', () => {
      const subject = open(role);
      subject.connection.receive(join(subject.peer(OP.text, 'a'), subject.peer(OP.text, 'b')), 0);
      subject.connection.receiveEnd(0, new Error('reset'));
      expect(subject.pull().types).toEqual(['message', 'message', 'closed']);
    });

    it('§7.1.5: a Close that came before the reset counts', () => {
      for (const cut of cuts(open(role).peer(OP.close, closePayload(1001, 'bye')))) {
        const subject = open(role);
        for (const part of cut) subject.connection.receive(part.slice(), 0);
        subject.connection.receiveEnd(0, new Error('reset'));
        expect(subject.pull().closed).toMatchObject({ code: 1001, reason: 'bye' });
      }
    });

    it('§7.1.7: terminate() sends nothing and is told once', () => {
      const subject = open(role);
      subject.connection.sendText('unsent');
      subject.connection.terminate(5);
      subject.connection.terminate(6);
      expect(subject.pull().closed).toMatchObject({ code: 1006, error: { code: 'TERMINATED' } });
      expect(subject.wire.length).toBe(0);
    });
  });
}

describe('the transition table', () => {
  const phases = Object.keys(TRANSITIONS) as Phase[];
  const inputs: Input[] = ['established', 'refused', 'close-out', 'close-in', 'fail', 'transport-gone', 'deadline'];

  it('gives every cell: a phase, "ignored", or a defect', () => {
    for (const phase of phases) {
      for (const input of inputs) {
        const cell = TRANSITIONS[phase][input];
        if (cell === undefined) expect(() => transition(phase, input)).toThrow(/defect/);
        else expect(transition(phase, input)).toBe(cell === 'ignored' ? phase : cell);
      }
    }
  });

  it('is the table of the design', () => {
    const row = (phase: Phase) => inputs.map((input) => TRANSITIONS[phase][input] ?? '');
    expect(phases.map((phase) => [phase, ...row(phase)])).toEqual([
      ['connecting', 'open', 'failing', 'failing', '', 'failing', 'closed', 'closed'],
      ['open', '', '', 'close-sent', 'close-received', 'failing', 'closed', ''],
      ['close-sent', '', '', 'ignored', 'draining', 'failing', 'closed', 'closed'],
      ['close-received', '', '', 'draining', 'ignored', 'failing', 'closed', 'closed'],
      ['draining', '', '', 'ignored', 'ignored', 'ignored', 'closed', 'closed'],
      ['failing', '', '', 'ignored', 'ignored', 'ignored', 'closed', 'closed'],
      ['closed', '', '', 'ignored', 'ignored', 'ignored', 'ignored', 'ignored'],
    ]);
  });

  it('closed cannot be left, and is reached from everywhere', () => {
    expect(Object.values(TRANSITIONS.closed).every((cell) => cell === 'ignored')).toBe(true);
    for (const phase of phases.slice(0, -1)) expect(TRANSITIONS[phase]['transport-gone']).toBe('closed');
  });

  it('close() during connecting is told as 503 by a server, and ends', () => {
    const subject = server();
    subject.connection.close(0);
    subject.flush();
    expect(Buffer.from(subject.wire).toString()).toContain('HTTP/1.1 503');
    expect(subject.end().closed).toMatchObject({ code: 1006, clean: false });
  });
});
