/** Threats in frames, text and the closing handshake: rows T22, T23, T30, T32, T52 to T54, T71. */
import { describe, expect, it } from 'vitest';
import type { ServerConnection } from '../../src/index.ts';
import { pair } from '../../src/testing.ts';
import { script } from '../endpoint/script.ts';
import {
  bytesOf,
  client,
  closePayload,
  cuts,
  join,
  OP,
  open,
  pattern,
  ROLES,
  request,
  response,
  type Subject,
  server,
} from '../rfc6455/support.ts';

for (const role of ROLES) {
  describe(`T22, ${role}: lengths that are not minimal`, () => {
    it('1002 in data, control and continuation frames; the borders themselves are legal', () => {
      for (const opcode of [OP.text, OP.binary, OP.ping, OP.pong, OP.close, OP.continuation]) {
        for (const lengthBits of [16, 64] as const) {
          const subject = open(role);
          if (opcode === OP.continuation) subject.feed(subject.peer(OP.text, '', { fin: false }));
          subject.feed(subject.peer(opcode, 'ab', { lengthBits }));
          expect(subject.closeCode).toBe(1002);
          expect(subject.messages).toEqual([]);
        }
      }
      for (const size of [125, 126, 65_535, 65_536]) {
        const subject = open(role);
        expect(subject.feed(subject.peer(OP.binary, pattern(size))).messages).toEqual([pattern(size)]);
      }
      for (const [size, lengthBits] of [
        [125, 16],
        [65_535, 64],
      ] as const) {
        const subject = open(role);
        subject.feed(subject.peer(OP.binary, pattern(size), { lengthBits }));
        expect(subject.closeCode).toBe(1002);
      }
    });
  });

  describe(`T23, ${role}: continuations`, () => {
    it('a stray one fails, a new message inside one fails, control frames between are legal; after an empty start too', () => {
      for (const start of ['', 'a']) {
        for (const cut of cuts(
          join(
            open(role).peer(OP.text, start, { fin: false }),
            open(role).peer(OP.ping, 'p'),
            open(role).peer(OP.continuation, 'b'),
          ),
        )) {
          const subject = open(role).feed(...cut);
          expect(subject.types).toEqual(['ping', 'message']);
          expect(subject.messages).toEqual([`${start}b`]);
          subject.feed(subject.peer(OP.continuation, 'x'));
          expect(subject.closeCode).toBe(1002);
        }
        const inside = open(role);
        inside.feed(inside.peer(OP.text, start, { fin: false }), inside.peer(OP.binary, 'x'));
        expect(inside.closeCode).toBe(1002);
      }
    });
  });

  describe(`T30, ${role}: UTF-8`, () => {
    it('a bad byte fails at once, in a fragment without FIN, before the rest of its frame arrived', () => {
      for (const bad of [
        [0xc0, 0x80],
        [0xe0, 0x80, 0x80],
        [0xf0, 0x80, 0x80, 0x80],
        [0xed, 0xa0, 0x80],
        [0xf4, 0x90, 0x80, 0x80],
      ]) {
        const subject = open(role);
        const bytes = subject.peer(OP.text, join(bytesOf('good so far '), Uint8Array.from(bad), pattern(200)), {
          fin: false,
        });
        subject.feed(bytes.subarray(0, bytes.length - 200));
        expect(subject.closeCode).toBe(1007);
      }
    });

    it('a valid text passes when it is split at every byte, between chunks and between fragments; a BOM is kept', () => {
      const text = '\ufeffκόσμε 😀 \u{10ffff}';
      const payload = bytesOf(text);
      for (let at = 0; at <= payload.length; at++) {
        const a = open(role).peer(OP.text, payload.subarray(0, at), { fin: false });
        const b = open(role).peer(OP.continuation, payload.subarray(at));
        for (const cut of [[join(a, b)], [a, b], Array.from(join(a, b), (octet) => Uint8Array.of(octet))]) {
          expect(open(role).feed(...cut).messages).toEqual([text]);
        }
      }
    });

    it('a reason of ours has at most 123 bytes, and one of theirs is validated', () => {
      expect(() => open(role).connection.close(0, 1000, 'ä'.repeat(62))).toThrow(/123/);
      const subject = open(role);
      subject.feed(subject.peer(OP.close, closePayload(1000, Uint8Array.of(0xc3))));
      expect(subject.closeCode).toBe(1007);
    });
  });

  describe(`T32, ${role}: close payloads`, () => {
    it('1 byte: 1002; above 125: 1002; bad UTF-8: 1007; a bad code: 1002 (all codes are in section 7.4)', () => {
      const rows: [Uint8Array, number][] = [
        [Uint8Array.of(3), 1002],
        [closePayload(1000, 'x'.repeat(124)), 1002],
        [closePayload(1000, Uint8Array.of(0xff)), 1007],
        [closePayload(1005), 1002],
        [closePayload(1006), 1002],
        [closePayload(1015), 1002],
        [closePayload(999), 1002],
        [closePayload(5000), 1002],
      ];
      for (const [payload, code] of rows) {
        for (const cut of cuts(open(role).peer(OP.close, payload))) {
          const subject = open(role).feed(...cut);
          expect(subject.closeCode).toBe(code);
          expect(subject.end().closed).toMatchObject({ code: 1006, clean: false });
        }
      }
    });
  });

  describe(`T52, ${role}: data and pings around a Close`, () => {
    it('close, text, ping in one chunk: nothing after the Close, no pong', () => {
      const probe = open(role);
      const bytes = join(probe.peer(OP.close, closePayload(1000)), probe.peer(OP.text, 'x'), probe.peer(OP.ping, 'p'));
      for (const cut of cuts(bytes)) {
        const subject = open(role).feed(...cut);
        expect(subject.types).toEqual(['closing']);
        expect(subject.frames.map((each) => each.opcode)).toEqual([OP.close]);
      }
    });

    it('after our own Close data is delivered until theirs, then nothing', () => {
      const subject = open(role);
      subject.connection.close(0, 1000);
      const bytes = join(
        subject.peer(OP.text, 'a'),
        subject.peer(OP.ping, 'p'),
        subject.peer(OP.close),
        subject.peer(OP.text, 'b'),
      );
      for (const octet of bytes) subject.feed(Uint8Array.of(octet));
      expect(subject.types).toEqual(['message', 'ping', 'closing']);
      expect(subject.frames.length).toBe(1);
    });
  });

  describe(`T53, ${role}: a closing handshake that hangs`, () => {
    it('a peer that is silent, or talks about other things, is dropped after closeTimeout: 1006, TimeoutError', () => {
      for (const talking of [false, true]) {
        const subject = open(role, { closeTimeout: 5_000 });
        subject.connection.close(0, 1000);
        subject.flush();
        for (let at = 500; at < 5_000; at += 500) {
          subject.until(at);
          if (talking) subject.feed(subject.peer(OP.text, 'blah'));
        }
        expect(subject.types).not.toContain('closed');
        subject.until(5_000);
        expect(subject.closed).toMatchObject({ code: 1006, clean: false });
        expect(subject.closed.error).toMatchObject({
          name: 'TimeoutError',
          code: 'CLOSING_TIMEOUT',
          option: 'closeTimeout',
        });
      }
    });

    it('a peer that sent its Close and keeps the transport is dropped with the received code, clean', () => {
      const subject = open(role);
      subject.feed(subject.peer(OP.close, closePayload(4000, 'r')));
      subject.until(4_999);
      expect(subject.types).toEqual(['closing']);
      subject.until(5_000);
      expect(subject.closed).toMatchObject({ code: 4000, reason: 'r', clean: true, error: null });
    });

    it('with the link silenced, both sides of a pair come to rest', async () => {
      const { client: ours, server: theirs, clock, link } = pair();
      ours.resume();
      theirs.resume();
      await clock.settle();
      link.silence();
      const ends = [ours.close(), theirs.close(1001)];
      await clock.run(5_000);
      for (const end of ends) expect(await end).toMatchObject({ code: 1006, error: { code: 'CLOSING_TIMEOUT' } });
      expect(clock.pendingAlarms).toBe(0);
    });
  });

  describe(`T54, ${role}: all orders of two closes and the link`, () => {
    type Step = 'ours' | 'theirs' | 'end' | 'reset' | 'text' | 'timeout' | 'terminate';
    const steps: Step[] = ['ours', 'theirs', 'end', 'reset', 'text', 'timeout', 'terminate'];

    const act = (subject: Subject, step: Step) => {
      const { connection } = subject;
      if (step === 'ours') connection.close(subject.now, 1001);
      else if (step === 'theirs') subject.feed(subject.peer(OP.close, closePayload(4000)));
      else if (step === 'end') subject.end();
      else if (step === 'reset') subject.end(new Error('reset'));
      else if (step === 'text') subject.feed(subject.peer(OP.text, 'x'));
      else if (step === 'timeout') subject.until(subject.now + 6_000);
      else connection.terminate(subject.now);
      subject.pull();
    };

    it('every sequence of four ends with one closed event, at most one Close, and agrees with what came first', () => {
      const walk = (prefix: Step[]) => {
        if (prefix.length < 4) {
          for (const step of steps) walk([...prefix, step]);
          return;
        }
        const subject = open(role);
        for (const step of prefix) act(subject, step);
        subject.until(subject.now + 100_000).end();
        const { closed } = subject;
        expect(subject.closeFrames.length).toBeLessThanOrEqual(1);
        expect(closed.code).toBe(subject.types.includes('closing') ? 4000 : 1006);
        expect(closed.clean).toBe(closed.error === null);
        const [first] = prefix.filter((step) => step === 'ours' || step === 'theirs');
        if (closed.clean) expect(closed.remote).toBe(first === 'theirs');
        expect(subject.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
        expect(subject.connection.takeOutgoing()).toEqual([]);
      };
      walk([]);
    });

    it('every sequence of four from before the opening ends with one closed event, and nothing is left', () => {
      const all = ['opens', ...steps] as const;
      const walk = (prefix: (typeof all)[number][]) => {
        if (prefix.length < 4) {
          for (const step of all) walk([...prefix, step]);
          return;
        }
        const asked: Subject<ServerConnection> | null = role === 'server' ? server() : null;
        const asking = role === 'client' ? client() : null;
        const subject: Subject = asked ?? asking!;
        for (const step of prefix) {
          if (step !== 'opens') act(subject, step);
          else if (asking !== null) asking.feed(response(asking.key));
          else if (asked!.feed(request()).types.at(-1) === 'request') asked!.connection.accept(asked!.now);
          subject.pull();
        }
        subject.until(subject.now + 100_000).end();
        const { closed } = subject;
        expect(closed.code, prefix.join()).toBe(subject.types.includes('closing') ? 4000 : 1006);
        expect(closed.clean).toBe(closed.error === null);
        if (!prefix.includes('opens')) expect(subject.types).toEqual(['closed']);
        expect(subject.types.filter((type) => type === 'open').length).toBeLessThanOrEqual(1);
        expect(subject.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
        expect(subject.connection.takeOutgoing()).toEqual([]);
        expect(subject.connection.retainedBytes).toBe(0);
      };
      walk([]);
    });

    it('FIN or RST at every byte of a conversation: one end, never two, all before it delivered', () => {
      const opening = role === 'server' ? request() : response(client().key);
      const probe = open(role);
      const frames = [probe.peer(OP.text, 'hi'), probe.peer(OP.ping, 'p'), probe.peer(OP.close, closePayload(1000))];
      const all = join(opening, ...frames);
      for (let at = 0; at <= all.length; at++) {
        for (const cause of [undefined, new Error('reset')]) {
          const subject: Subject = role === 'server' ? server() : client();
          const bytes = all.subarray(0, at);
          subject.feed(bytes.subarray(0, Math.min(at, opening.length)));
          if (role === 'server' && at >= opening.length && 'accept' in subject.connection) {
            (subject.connection as unknown as { accept(now: number): boolean }).accept(0);
            subject.pull();
          }
          subject.feed(bytes.subarray(Math.min(at, opening.length))).end(cause);
          expect(subject.closed).toMatchObject({ clean: at === all.length, code: at === all.length ? 1000 : 1006 });
          expect(subject.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
          // Each is told when its last byte is there.
          const told = frames.filter((_, i) => at >= opening.length + join(...frames.slice(0, i + 1)).length);
          const opened = at < opening.length ? [] : role === 'server' ? ['request', 'open'] : ['open'];
          const names = ['message', 'ping', 'closing'].slice(0, told.length);
          expect(subject.types).toEqual([...opened, ...names, 'closed']);
        }
      }
    });
  });

  describe(`T71, ${role}: events after a fatal error`, () => {
    it('none: valid frames behind each invalid one, in the same chunk and in the next, are dead', () => {
      const wrong = (s: Subject) => [
        s.peer(OP.text, 'x', { rsv: 0x40 }),
        s.peer(4, 'x'),
        s.peer(OP.continuation, 'x'),
        s.peer(OP.text, Uint8Array.of(0xff)),
        s.peer(OP.close, Uint8Array.of(1)),
        s.peer(OP.ping, '', { fin: false }),
        s.peer(OP.binary, '', { announced: 1n << 40n }),
        s.peer(OP.binary, 'ab', { lengthBits: 64 }),
      ];
      for (const bytes of wrong(open(role))) {
        for (const delivery of ['message', 'fragment'] as const) {
          const subject = open(role, { delivery, maxFrameSize: 1_000 });
          const valid = join(subject.peer(OP.text, 'ok'), subject.peer(OP.ping, 'p'), subject.peer(OP.close));
          subject.feed(join(bytes, valid), valid, valid);
          expect(subject.types).toEqual([]);
          expect(subject.frames.length).toBe(1);
          expect(subject.connection.retainedBytes).toBe(0);
        }
      }
    });

    it('at an endpoint: error and close, nothing between or after', async () => {
      const { endpoint, feed, peer, clock, transport } = script({}, undefined, { role });
      const seen: string[] = [];
      for (const type of ['message', 'ping', 'pong', 'error', 'close'] as const)
        endpoint.on(type, () => seen.push(type));
      feed(join(peer(OP.text, 'a'), peer(5, ''), peer(OP.text, 'b'), peer(OP.ping, 'p')));
      feed(peer(OP.text, 'c'));
      await clock.run(10_000);
      expect(seen).toEqual(['message', 'error', 'close']);
      expect(transport.frames.map((each) => each.opcode)).toEqual([OP.close]);
      expect(transport.destroyed).toBe(true);
    });
  });
}
