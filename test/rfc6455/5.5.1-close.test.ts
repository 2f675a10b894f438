/** RFC 6455 section 5.5.1: the Close frame. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { bytesOf, closePayload, cuts, join, OP, open, pattern, ROLES } from './support.ts';

for (const role of ROLES) {
  describe(`RFC 6455 section 5.5.1, ${role}`, () => {
    it('§5.5.1: a Close is answered with a Close that echoes its code and reason, at every cut', () => {
      const payload = closePayload(4001, 'genug für heute');
      for (const cut of cuts(open(role).peer(OP.close, payload))) {
        const subject = open(role).feed(...cut);
        expect(subject.events).toEqual([{ type: 'closing', code: 4001, reason: 'genug für heute' }]);
        expect(subject.frames).toEqual([expect.objectContaining({ opcode: OP.close, payload })]);
      }
    });

    it('§5.5.1: an empty Close is answered with an empty Close and told as 1005', () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.close)).end();
      expect(subject.closeCode).toBe(null);
      expect(subject.closed).toEqual({
        type: 'closed',
        code: 1005,
        reason: '',
        clean: true,
        remote: true,
        error: null,
      });
    });

    it('§5.5.1: the application MUST NOT send any more data frames after sending a Close', () => {
      const { connection } = open(role);
      connection.close(0, 1000, 'bye');
      const length = connection.outgoingLength;
      expect(() => connection.sendText('x')).toThrow(UsageError);
      expect(() => connection.sendBinary(pattern(1))).toThrow(UsageError);
      expect(() => connection.sendFragment('text', bytesOf('x'), true)).toThrow(UsageError);
      expect(() => connection.ping(0)).toThrow(UsageError);
      expect(() => connection.pong()).toThrow(UsageError);
      connection.close(0, 1001);
      expect(connection.outgoingLength).toBe(length);
    });

    it('§5.5.1: nor after a Close was received and answered', () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.close));
      expect(() => subject.connection.sendText('x')).toThrow(UsageError);
      subject.connection.close(0, 1000);
      subject.flush();
      expect(subject.closeFrames.length).toBe(1);
    });

    it('§5.5.1: having sent a Close, data is delivered until the peer Close, pings are not answered', () => {
      const subject = open(role);
      subject.connection.close(0, 1000);
      subject.feed(
        subject.peer(OP.text, 'still'),
        subject.peer(OP.ping, 'p'),
        subject.peer(OP.close, closePayload(1000)),
        subject.peer(OP.text, 'never'),
      );
      expect(subject.types).toEqual(['message', 'ping', 'closing']);
      expect(subject.frames.map((each) => each.opcode)).toEqual([OP.close]);
    });

    it('§5.5.1: what was queued before the Close leaves before it, the pending pong too', () => {
      const subject = open(role);
      subject.connection.sendText('last words');
      subject.connection.receive(subject.peer(OP.ping, 'p'), 0);
      expect(subject.connection.nextEvent()).toMatchObject({ type: 'ping' });
      subject.connection.close(0, 1000);
      subject.flush();
      expect(subject.frames.map((each) => each.opcode)).toEqual([OP.text, OP.pong, OP.close]);
    });

    it('§5.5.1: a Close received while our own data is queued does not overtake it', () => {
      const subject = open(role);
      subject.connection.sendText('queued');
      subject.feed(subject.peer(OP.close, closePayload(1001)));
      expect(subject.frames.map((each) => each.opcode)).toEqual([OP.text, OP.close]);
    });

    it('§5.5.1: both sent one at the same time: one Close each, clean, not remote', () => {
      const subject = open(role);
      subject.connection.close(0, 1000, 'ours');
      subject.feed(subject.peer(OP.close, closePayload(4000, 'theirs')));
      expect(subject.closeCode).toBe(1000);
      subject.end();
      expect(subject.closed).toMatchObject({ code: 4000, reason: 'theirs', clean: true, remote: false, error: null });
    });

    it('§5.5.1: frames behind a Close in the same chunk are not looked at, even invalid ones', () => {
      const subject = open(role);
      subject.feed(join(subject.peer(OP.close, closePayload(1000)), subject.peer(OP.text, 'x'), pattern(50)));
      expect(subject.types).toEqual(['closing']);
      subject.end();
      expect(subject.closed).toMatchObject({ code: 1000, clean: true, error: null });
    });
  });
}
