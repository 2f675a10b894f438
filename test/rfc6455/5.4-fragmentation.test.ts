/** RFC 6455 section 5.4: fragmentation, received and sent. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { describeRefused, type Refused } from './refused.ts';
import { bytesOf, cuts, join, OP, open, pattern, ROLES, type Subject } from './support.ts';

const REFUSED: Refused[] = [
  {
    section: '5.4',
    title: 'a continuation needs a message to continue',
    code: 'CONTINUATION_UNEXPECTED',
    bytes: (s) => s.peer(OP.continuation, 'x'),
  },
  {
    section: '5.4',
    title: 'a continuation after a finished message has none',
    code: 'CONTINUATION_UNEXPECTED',
    before: (s) => join(s.peer(OP.text, 'a', { fin: false }), s.peer(OP.continuation, 'b')),
    bytes: (s) => s.peer(OP.continuation, 'x', { fin: false }),
  },
  ...[OP.text, OP.binary].map((opcode) => ({
    section: '5.4',
    title: `fragments of one message MUST NOT be interleaved with another message (opcode ${opcode})`,
    code: 'CONTINUATION_EXPECTED',
    before: (s: Subject) => s.peer(OP.text, '', { fin: false }),
    bytes: (s: Subject) => s.peer(opcode, 'x'),
  })),
];

describeRefused(REFUSED);

for (const role of ROLES) {
  describe(`RFC 6455 section 5.4, ${role}: receiving`, () => {
    it('§5.4: a fragmented message is its fragments joined in order, the kind is that of the first', () => {
      const probe = open(role);
      const text = bytesOf('ein Gruß 😀 aus Köln');
      const bytes = join(
        probe.peer(OP.text, text.subarray(0, 8), { fin: false }),
        probe.peer(OP.continuation, '', { fin: false }),
        probe.peer(OP.continuation, text.subarray(8, 12), { fin: false }),
        probe.peer(OP.continuation, text.subarray(12)),
        probe.peer(OP.binary, pattern(5), { fin: false }),
        probe.peer(OP.continuation, pattern(300)),
      );
      for (const cut of cuts(bytes)) {
        expect(open(role).feed(...cut).messages).toEqual(['ein Gruß 😀 aus Köln', join(pattern(5), pattern(300))]);
      }
    });

    it('§5.4: control frames MAY be injected in the middle of a fragmented message, and are handled at once', () => {
      const probe = open(role);
      const bytes = join(
        probe.peer(OP.text, 'a', { fin: false }),
        probe.peer(OP.ping, 'p'),
        probe.peer(OP.continuation, 'b', { fin: false }),
        probe.peer(OP.pong, 'q'),
        probe.peer(OP.continuation, 'c'),
      );
      for (const cut of cuts(bytes)) {
        const subject = open(role).feed(...cut);
        expect(subject.types).toEqual(['ping', 'pong', 'message']);
        expect(subject.messages).toEqual(['abc']);
        expect(subject.frames.map((each) => each.opcode)).toEqual([OP.pong]);
      }
    });

    it('§5.4: a Close inside a fragmented message ends it undelivered', () => {
      const subject = open(role);
      subject.feed(
        subject.peer(OP.text, 'a', { fin: false }),
        subject.peer(OP.close),
        subject.peer(OP.continuation, 'b'),
      );
      expect(subject.types).toEqual(['closing']);
      expect(subject.closeCode).toBe(null);
    });

    it('§5.4: an unfragmented message of no bytes, and one of empty fragments, are empty messages', () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.text), subject.peer(OP.binary));
      subject.feed(subject.peer(OP.text, '', { fin: false }), subject.peer(OP.continuation));
      expect(subject.messages).toEqual(['', new Uint8Array(0), '']);
    });

    it('§5.4: every message without a fragment boundary has its wire size, with every header counted', () => {
      const probe = open(role);
      const parts = [probe.peer(OP.binary, pattern(10), { fin: false }), probe.peer(OP.continuation, pattern(200))];
      for (const cut of cuts(join(...parts))) {
        expect(open(role).feed(...cut).events).toEqual([
          expect.objectContaining({ type: 'message', wireSize: parts[0]!.length + parts[1]!.length }),
        ]);
      }
    });
  });

  describe(`RFC 6455 section 5.4, ${role}: sending`, () => {
    it('§5.4: a fragmented message is a frame with an opcode, continuations, and FIN on the last only', () => {
      const subject = open(role);
      const wireSize = subject.connection.sendText('abcdefghij', { fragmentSize: 4 });
      subject.flush();
      expect(subject.frames.map((each) => [each.fin, each.opcode, String.fromCharCode(...each.payload)])).toEqual([
        [false, OP.text, 'abcd'],
        [false, OP.continuation, 'efgh'],
        [true, OP.continuation, 'ij'],
      ]);
      expect(subject.wire.length).toBe(wireSize);
    });

    it('§5.4: control frames go between our fragments, a Close ends the message', () => {
      const subject = open(role);
      const { connection } = subject;
      connection.sendFragment('binary', pattern(3), false);
      connection.ping(0, pattern(1));
      connection.sendFragment('binary', pattern(4), false);
      connection.close(0, 1000);
      subject.flush();
      expect(subject.frames.map((each) => each.opcode)).toEqual([OP.binary, OP.ping, OP.continuation, OP.close]);
    });

    it('§5.4: fragments of one message MUST NOT be interleaved with another: it is refused and nothing is written', () => {
      const subject = open(role);
      const { connection } = subject;
      connection.sendFragment('text', bytesOf('a'), false);
      subject.flush();
      const before = connection.outgoingLength;
      expect(() => connection.sendText('no')).toThrow(UsageError);
      expect(() => connection.sendBinary(pattern(1))).toThrow(UsageError);
      expect(() => connection.sendFragment('binary', pattern(1), true)).toThrow(UsageError);
      expect(connection.outgoingLength).toBe(before);
      connection.sendFragment('text', bytesOf('b'), true);
      connection.sendText('c');
      subject.flush();
      expect(subject.frames.map((each) => [each.opcode, each.fin])).toEqual([
        [OP.text, false],
        [OP.continuation, true],
        [OP.text, true],
      ]);
    });

    it('§5.4: a fragmentSize that is no whole number above 0 is refused', () => {
      const subject = open(role);
      for (const fragmentSize of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        expect(() => subject.connection.sendText('abc', { fragmentSize })).toThrow(/fragmentSize/);
      }
      expect(subject.connection.outgoingLength).toBe(0);
    });
  });
}
