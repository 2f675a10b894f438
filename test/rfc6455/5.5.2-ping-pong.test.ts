/** RFC 6455 sections 5.5.2 and 5.5.3: Ping and Pong. */
import { describe, expect, it } from 'vitest';
import { bytesOf, cuts, join, OP, open, pattern, ROLES, textOf } from './support.ts';

for (const role of ROLES) {
  describe(`RFC 6455 sections 5.5.2 and 5.5.3, ${role}`, () => {
    it('§5.5.2: a Ping MUST be answered with a Pong of identical application data, at every cut', () => {
      for (const size of [0, 1, 40, 125]) {
        for (const cut of cuts(open(role).peer(OP.ping, pattern(size)))) {
          const subject = open(role).feed(...cut);
          expect(subject.events).toEqual([{ type: 'ping', payload: pattern(size) }]);
          expect(subject.frames).toEqual([expect.objectContaining({ opcode: OP.pong, payload: pattern(size) })]);
        }
      }
    });

    it('§5.5.2: the pong carries what came, whatever the application does with the event', () => {
      const subject = open(role);
      subject.connection.receive(subject.peer(OP.ping, 'as it came'), 0);
      const event = subject.connection.nextEvent();
      if (event?.type !== 'ping') throw new Error('no ping');
      event.payload.fill(0);
      subject.flush();
      expect(textOf(subject.frames[0]!.payload)).toBe('as it came');
    });

    it('§5.5.3: a late run answers only the most recent Ping; each is told', () => {
      const subject = open(role);
      const { connection } = subject;
      connection.receive(join(subject.peer(OP.ping, '1'), subject.peer(OP.ping, '2'), subject.peer(OP.ping, '3')), 0);
      for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
        expect(event.type).toBe('ping');
      }
      subject.flush();
      expect(subject.frames.map((each) => [each.opcode, textOf(each.payload)])).toEqual([[OP.pong, '3']]);
    });

    it('§5.5.3: a Pong of our own does not take the place of one that is owed', () => {
      const subject = open(role);
      subject.connection.receive(subject.peer(OP.ping, 'owed'), 0);
      subject.connection.nextEvent();
      subject.connection.pong(bytesOf('unsolicited'));
      subject.flush();
      expect(subject.frames.map((each) => textOf(each.payload)).sort()).toEqual(['owed', 'unsolicited']);
    });

    it('§5.5.3: with autoPong off nothing is answered until the application does', () => {
      const subject = open(role, { autoPong: false });
      subject.feed(subject.peer(OP.ping, 'x'));
      expect(subject.wire.length).toBe(0);
      subject.connection.pong(bytesOf('x'));
      subject.flush();
      expect(subject.frames).toEqual([expect.objectContaining({ opcode: OP.pong, payload: bytesOf('x') })]);
    });

    it('§5.5.3: an unsolicited Pong is legal and needs no answer', () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.pong, 'hi'), subject.peer(OP.pong));
      expect(subject.events).toEqual([
        { type: 'pong', payload: bytesOf('hi'), latency: null },
        { type: 'pong', payload: new Uint8Array(0), latency: null },
      ]);
      expect(subject.wire.length).toBe(0);
    });

    it('§5.5.3: a Pong settles its Ping and all older ones, with the time between', () => {
      const subject = open(role);
      for (const text of ['a', 'b', 'c']) {
        subject.connection.ping(subject.now, bytesOf(text));
        subject.now += 100;
      }
      subject.now = 1_000;
      subject.feed(subject.peer(OP.pong, 'b'), subject.peer(OP.pong, 'a'), subject.peer(OP.pong, 'c'));
      expect(subject.events.map((event) => event.type === 'pong' && event.latency)).toEqual([900, null, 800]);
    });

    it('§5.5.2: the payload of a ping of ours is copied: the caller may change it', () => {
      const subject = open(role);
      const payload = bytesOf('mine');
      subject.connection.ping(0, payload);
      payload.fill(0);
      subject.flush();
      expect(textOf(subject.frames[0]!.payload)).toBe('mine');
      subject.feed(subject.peer(OP.pong, 'mine'));
      expect(subject.events).toEqual([{ type: 'pong', payload: bytesOf('mine'), latency: 0 }]);
    });
  });
}
