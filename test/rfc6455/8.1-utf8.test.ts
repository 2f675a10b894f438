/** RFC 6455 section 8.1: text that is not UTF-8, found at its first wrong byte. */
import { describe, expect, it } from 'vitest';
import { bytesOf, closePayload, cuts, join, OP, open, ROLES } from './support.ts';

/** A wrong sequence, and at which of its bytes that is certain. */
const WRONG: [title: string, bytes: number[], certainAt: number][] = [
  ['a continuation byte alone', [0x80], 1],
  ['an overlong slash, C0', [0xc0, 0xaf], 1],
  ['an overlong slash, C1', [0xc1, 0xbf], 1],
  ['an overlong slash, E0', [0xe0, 0x9f, 0xbf], 2],
  ['an overlong slash, F0', [0xf0, 0x8f, 0xbf, 0xbf], 2],
  ['the first surrogate', [0xed, 0xa0, 0x80], 2],
  ['the last surrogate', [0xed, 0xbf, 0xbf], 2],
  ['above U+10FFFF', [0xf4, 0x90, 0x80, 0x80], 2],
  ['F5', [0xf5, 0x80, 0x80, 0x80], 1],
  ['FE', [0xfe], 1],
  ['FF', [0xff], 1],
  ['a lead byte followed by ASCII', [0xe2, 0x82, 0x41], 3],
  ['a lead byte followed by a lead byte', [0xc3, 0xc3], 2],
];
const TRUNCATED: number[][] = [[0xc3], [0xe2], [0xe2, 0x82], [0xf0], [0xf0, 0x9f], [0xf0, 0x9f, 0x98]];
const FILL = bytesOf('Grüße und mehr, lang genug für das schnelle Stück: 0123456789');

for (const role of ROLES) {
  describe(`RFC 6455 section 8.1, ${role}`, () => {
    for (const [title, wrong, certainAt] of WRONG) {
      it(`§8.1: ${title} MUST fail the connection with 1007, at the byte that makes it certain`, () => {
        const payload = join(FILL, Uint8Array.from(wrong), FILL);
        const header = open(role).peer(OP.text, payload).length - payload.length;
        const bytes = open(role).peer(OP.text, payload);
        const certain = header + FILL.length + certainAt;
        for (const cut of cuts(bytes)) {
          const subject = open(role).feed(...cut);
          expect(subject.types).toEqual([]);
          expect(subject.closeCode).toBe(1007);
        }
        const early = open(role);
        early.feed(bytes.subarray(0, certain - 1));
        expect(early.connection.readyState).toBe('open');
        early.feed(bytes.subarray(certain - 1, certain));
        expect(early.connection.readyState).toBe('closing');
        early.end();
        expect(early.closed.error).toMatchObject({ code: 'UTF8_INVALID', closeCode: 1007 });
      });

      it(`§8.1: ${title}, in a fragment that is not the last, fails at once, also with delivery by fragment`, () => {
        for (const delivery of ['message', 'fragment'] as const) {
          const subject = open(role, { delivery });
          subject.feed(subject.peer(OP.text, FILL, { fin: false }));
          subject.feed(subject.peer(OP.continuation, Uint8Array.from(wrong), { fin: false }));
          expect(subject.closeCode).toBe(1007);
        }
      });
    }

    it('§8.1: a code point cut off by the end of the message fails, one cut by a fragment does not', () => {
      for (const tail of TRUNCATED) {
        for (const cut of cuts(open(role).peer(OP.text, Uint8Array.from(tail)))) {
          expect(open(role).feed(...cut).closeCode).toBe(1007);
        }
        for (const delivery of ['message', 'fragment'] as const) {
          const subject = open(role, { delivery });
          subject.feed(subject.peer(OP.text, Uint8Array.from(tail), { fin: false }), subject.peer(OP.continuation));
          expect(subject.closeCode).toBe(1007);
        }
      }
      const text = 'aü€😀z';
      const payload = bytesOf(text);
      for (let at = 0; at <= payload.length; at++) {
        const subject = open(role);
        subject.feed(subject.peer(OP.text, payload.subarray(0, at), { fin: false }), subject.peer(OP.ping, 'p'));
        subject.feed(subject.peer(OP.continuation, payload.subarray(at)));
        expect(subject.messages).toEqual([text]);
      }
    });

    it('§8.1: the state of one message does not reach the next, and binary is not looked at', () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.binary, Uint8Array.of(0xe2, 0x82)), subject.peer(OP.text, 'ok'));
      subject.feed(
        subject.peer(OP.binary, Uint8Array.of(0xff), { fin: false }),
        subject.peer(OP.continuation, '\u0001'),
      );
      subject.feed(subject.peer(OP.text, 'ok', { fin: false }), subject.peer(OP.continuation, '€'));
      expect(subject.messages.filter((each) => typeof each === 'string')).toEqual(['ok', 'ok€']);
    });

    it('§8.1: a close reason that is not UTF-8 fails with 1007', () => {
      for (const wrong of [...WRONG.map(([, bytes]) => bytes), ...TRUNCATED]) {
        const subject = open(role);
        subject.feed(subject.peer(OP.close, closePayload(1000, Uint8Array.from(wrong))));
        expect(subject.closeCode).toBe(1007);
        expect(subject.end().closed).toMatchObject({ code: 1006, error: { code: 'UTF8_INVALID' } });
      }
    });

    it('§8.1: text as bytes is validated all the same', () => {
      const subject = open(role, { text: 'bytes' });
      subject.feed(subject.peer(OP.text, 'fein'));
      expect(subject.events).toMatchObject([{ kind: 'text', data: bytesOf('fein') }]);
      subject.feed(subject.peer(OP.text, Uint8Array.of(0xff)));
      expect(subject.closeCode).toBe(1007);
    });
  });
}
