/** RFC 6455 section 10.4: limits of ours, each at its border, for both roles. */
import { describe, expect, it } from 'vitest';
import type { ConnectionOptions } from '../../src/index.ts';
import { join, OP, open, pattern, ROLES, type Subject } from './support.ts';

interface Limit {
  readonly title: string;
  readonly options: ConnectionOptions;
  readonly legal: (s: Subject) => Uint8Array;
  readonly wrong: (s: Subject) => Uint8Array;
  readonly code: string;
  readonly option: string;
  readonly closeCode: number;
}

const many = (s: Subject, count: number, opcode: number, fin = false) =>
  join(...Array.from({ length: count }, () => s.peer(opcode, '', { fin })));

const LIMITS: Limit[] = [
  {
    title: 'maxMessageSize in one frame',
    options: { maxMessageSize: 100, maxFrameSize: null },
    legal: (s) => s.peer(OP.binary, pattern(100)),
    wrong: (s) => s.peer(OP.binary, pattern(101)),
    code: 'MESSAGE_TOO_BIG',
    option: 'maxMessageSize',
    closeCode: 1009,
  },
  {
    title: 'maxMessageSize over fragments',
    options: { maxMessageSize: 100 },
    legal: (s) => join(s.peer(OP.text, 'x'.repeat(60), { fin: false }), s.peer(OP.continuation, 'x'.repeat(40))),
    wrong: (s) => join(s.peer(OP.text, 'x'.repeat(60), { fin: false }), s.peer(OP.continuation, 'x'.repeat(41))),
    code: 'MESSAGE_TOO_BIG',
    option: 'maxMessageSize',
    closeCode: 1009,
  },
  {
    title: 'maxFrameSize',
    options: { maxFrameSize: 50 },
    legal: (s) => join(s.peer(OP.binary, pattern(50), { fin: false }), s.peer(OP.continuation, pattern(50))),
    wrong: (s) => s.peer(OP.binary, pattern(51)),
    code: 'FRAME_TOO_BIG',
    option: 'maxFrameSize',
    closeCode: 1009,
  },
  {
    title: 'maxFragments, empty ones included',
    options: { maxFragments: 5 },
    legal: (s) => join(s.peer(OP.text, '', { fin: false }), many(s, 3, 0), s.peer(OP.continuation, 'x')),
    wrong: (s) => join(s.peer(OP.text, '', { fin: false }), many(s, 5, 0)),
    code: 'TOO_MANY_FRAGMENTS',
    option: 'maxFragments',
    closeCode: 1008,
  },
  {
    title: 'maxControlFrames without a data message',
    options: { maxControlFrames: 5 },
    legal: (s) => join(many(s, 5, OP.ping, true), s.peer(OP.text, 'x'), many(s, 5, OP.pong, true)),
    wrong: (s) => many(s, 6, OP.pong, true),
    code: 'TOO_MANY_CONTROL_FRAMES',
    option: 'maxControlFrames',
    closeCode: 1008,
  },
];

for (const role of ROLES) {
  describe(`RFC 6455 section 10.4, ${role}`, () => {
    for (const { title, options, legal, wrong, code, option, closeCode } of LIMITS) {
      it(`§10.4: ${title}: at the limit legal, above it ${closeCode}`, () => {
        for (const delivery of ['message', 'fragment'] as const) {
          const all = { maxMessageSize: 1_000, maxFrameSize: 1_000, ...options, delivery };
          const fine = open(role, all);
          fine.feed(legal(fine));
          expect(fine.connection.readyState).toBe('open');
          const bad = open(role, all);
          for (const octet of wrong(bad)) bad.feed(Uint8Array.of(octet));
          expect(bad.closeCode).toBe(closeCode);
          expect(bad.messages).toEqual([]);
          bad.end();
          expect(bad.closed.error).toMatchObject({ name: 'LimitError', code, option, closeCode });
        }
      });
    }

    it('§10.4: sizes are judged by the header: not a byte of the payload is waited for', () => {
      for (const announced of [
        101n,
        65_536n,
        1n << 31n,
        (1n << 32n) + 2n,
        (1n << 53n) - 1n,
        1n << 53n,
        (1n << 63n) - 1n,
      ]) {
        const subject = open(role, { maxMessageSize: 100 });
        subject.feed(subject.peer(OP.binary, '', { announced }));
        expect(subject.closeCode).toBe(1009);
      }
    });

    it('§10.4: with all limits off lengths up to 2^53 - 1 are exact, and more is refused', () => {
      const off = { maxMessageSize: null, maxFrameSize: null };
      const subject = open(role, off);
      subject.feed(subject.peer(OP.binary, '', { announced: (1n << 53n) - 1n }), pattern(100));
      expect(subject.connection.readyState).toBe('open');
      const above = open(role, off);
      above.feed(above.peer(OP.binary, '', { announced: 1n << 53n }));
      expect(above.closeCode).toBe(1009);
      const sum = open(role, off);
      sum.feed(sum.peer(OP.binary, pattern(1), { fin: false }), sum.peer(0, '', { announced: (1n << 53n) - 1n }));
      expect(sum.closeCode).toBe(1009);
    });

    it('§10.4: the window of maxControlFrames is 10 s', () => {
      const subject = open(role, { maxControlFrames: 3 });
      for (let i = 0; i < 20; i++) {
        subject.feed(many(subject, 3, OP.ping, true));
        subject.now += 10_000;
      }
      expect(subject.connection.readyState).toBe('open');
    });

    it('§10.4: maxBufferedAmount: a message is taken below it whatever its size; above it 1008, or refused', () => {
      const subject = open(role, { maxBufferedAmount: 1_000 });
      expect(subject.connection.sendBinary(pattern(50_000))).toBeGreaterThan(50_000);
      expect(subject.connection.sendText('x')).toBe(0);
      expect(subject.connection.readyState).toBe('closing');
      subject.flush().end();
      expect(subject.closeCode).toBe(1008);
      expect(subject.closed.error).toMatchObject({ code: 'OUTGOING_OVERFLOW', option: 'maxBufferedAmount' });
      const refusing = open(role, { maxBufferedAmount: 1_000, overflow: 'refuse' });
      refusing.connection.sendBinary(pattern(999));
      for (const options of [undefined, { fragmentSize: 2 }]) {
        expect(refusing.connection.sendText('abc', options)).toBe(0);
        expect(refusing.connection.sendBinary(pattern(3), options)).toBe(0);
      }
      expect(refusing.flush().frames.length).toBe(1);
      expect(refusing.connection.sendText('again')).toBeGreaterThan(0);
    });
  });
}
