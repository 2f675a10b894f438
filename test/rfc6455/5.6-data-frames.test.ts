/** RFC 6455 section 5.6 and sections 6.1 and 6.2: messages, in and out. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { bytesOf, cuts, join, OP, open, pattern, ROLES, textOf } from './support.ts';

const SIZES = [0, 1, 2, 125, 126, 127, 1_000, 65_535, 65_536, 70_000, 1_048_576];

for (const role of ROLES) {
  describe(`RFC 6455 sections 5.6, 6.1 and 6.2, ${role}`, () => {
    it('§5.6: text is UTF-8 both ways, a byte order mark is part of it', () => {
      for (const text of ['', 'ascii', 'Grüße', '\ufeffmark', '\u0000nul', '😀'.repeat(50), '\uffff\ufffe']) {
        for (const cut of cuts(open(role).peer(OP.text, text))) {
          expect(open(role).feed(...cut).messages).toEqual([text]);
        }
        const subject = open(role);
        subject.connection.sendText(text);
        subject.flush();
        expect(subject.frames[0]!.payload).toEqual(bytesOf(text));
      }
    });

    it('§5.6: binary is any bytes, of any size up to the limit', () => {
      for (const size of SIZES) {
        const subject = open(role);
        subject.feed(subject.peer(OP.binary, pattern(size)));
        const [message] = subject.messages;
        expect((message as Uint8Array).length).toBe(size);
        expect(Buffer.compare(message as Uint8Array, pattern(size))).toBe(0);
      }
    });

    it('§6.1: the state must be open: before and after, sending is refused and nothing is written', () => {
      const subject = open(role);
      subject.connection.terminate(0);
      subject.pull();
      for (const send of [
        () => subject.connection.sendText('x'),
        () => subject.connection.sendBinary(pattern(1)),
        () => subject.connection.sendFragment('binary', pattern(1), true),
        () => subject.connection.ping(0),
        () => subject.connection.pong(),
      ]) {
        expect(send).toThrow(UsageError);
      }
      expect(subject.connection.takeOutgoing()).toEqual([]);
    });

    it('§6.1: a lone surrogate is no text and bytes that are not UTF-8 are none either: refused, nothing written', () => {
      const { connection } = open(role);
      for (const text of ['\ud800', 'a\udc00', 'x'.repeat(100_000).concat('\ud83d'), '\udc00\ud800']) {
        expect(() => connection.sendText(text)).toThrow(UsageError);
        expect(() => connection.sendText(text, { fragmentSize: 5 })).toThrow(UsageError);
      }
      expect(() => connection.sendText(Uint8Array.of(0xff))).toThrow(UsageError);
      expect(connection.outgoingLength).toBe(0);
      connection.sendText('fine');
      expect(connection.outgoingLength).toBeGreaterThan(0);
    });

    it('§6.1: a streamed text that turns out not to be UTF-8 is refused and nothing changes', () => {
      const subject = open(role);
      const { connection } = subject;
      connection.sendFragment('text', Uint8Array.of(0xe2, 0x82), false);
      const before = connection.outgoingLength;
      expect(() => connection.sendFragment('text', Uint8Array.of(0x41), false)).toThrow(UsageError);
      expect(connection.outgoingLength).toBe(before);
      expect(connection.readyState).toBe('open');
      connection.sendFragment('text', Uint8Array.of(0xac), true);
      subject.flush();
      expect(textOf(join(...subject.frames.map((each) => each.payload)))).toBe('€');
    });

    it('§6.2: many messages in one chunk come one by one, in order', () => {
      const subject = open(role);
      const texts = Array.from({ length: 500 }, (_, i) => `message ${i}`);
      subject.feed(join(...texts.map((text) => subject.peer(OP.text, text))));
      expect(subject.messages).toEqual(texts);
    });

    it('§6.2: messages of our own leave in order, whole, for every mixture of sizes', () => {
      const subject = open(role, { maxBufferedAmount: null });
      const sizes = [...SIZES, ...SIZES.toReversed()];
      for (const size of sizes) {
        subject.connection.sendBinary(pattern(size));
        subject.connection.sendText('é'.repeat(size >> 1));
      }
      subject.flush();
      const { frames } = subject;
      expect(frames.length).toBe(2 * sizes.length);
      sizes.forEach((size, i) => {
        expect(Buffer.compare(frames[2 * i]!.payload, pattern(size))).toBe(0);
        expect(frames[2 * i + 1]!.payload.length).toBe(2 * (size >> 1));
      });
    });
  });
}
