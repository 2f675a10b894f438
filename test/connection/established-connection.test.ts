/** A connection whose handshake took place elsewhere, and what can be asked of any connection that is open. */
import { describe, expect, it } from 'vitest';
import { Settings } from '../../src/connection/options.ts';
import { EstablishedConnection, Headers, UsageError } from '../../src/index.ts';
import { add } from '../rfc6455/extension.ts';
import { bytesOf, join, OP, open, pattern, ROLES, readFrames, Subject, seeded, textOf } from '../rfc6455/support.ts';

for (const role of ROLES) {
  describe(`established, ${role}`, () => {
    const made = (head?: Uint8Array) => {
      const agreed = { role, subprotocol: 'chat', extensions: 'x', headers: new Headers(['A', 'b']) };
      const more = head === undefined ? {} : { head };
      return new Subject(new EstablishedConnection({ ...agreed, ...more }, { platform: { random: seeded() } }, 0));
    };

    it('says what was agreed', () => {
      const { events } = made().pull();
      expect(events).toMatchObject([{ type: 'open', subprotocol: 'chat', extensions: 'x' }]);
      const [event] = events;
      expect(event?.type === 'open' && [...event.headers]).toEqual([['A', 'b']]);
    });

    it('without saying, nothing was', () => {
      const connection = new EstablishedConnection({ role }, { platform: { random: seeded() } }, 0);
      const event = connection.nextEvent();
      expect(event).toMatchObject({ type: 'open', subprotocol: '', extensions: '' });
      expect(event?.type === 'open' && [...event.headers]).toEqual([]);
    });

    it('reads first what was read with the handshake', () => {
      const frame = made().peer(OP.text, 'first');
      for (let cut = 0; cut <= frame.length; cut++) {
        const subject = made(frame.slice(0, cut));
        expect(subject.pull().types).toEqual(cut === frame.length ? ['open', 'message'] : ['open']);
        expect(subject.feed(frame.slice(cut)).messages).toEqual(['first']);
      }
    });

    it('names its phase, and tells whether its Close was queued', () => {
      const subject = open(role);
      const { connection } = subject;
      const seen = [[connection.phaseName, connection.closeQueued]];
      connection.close(0);
      seen.push([connection.phaseName, connection.closeQueued]);
      subject.flush().feed(subject.peer(OP.close));
      seen.push([connection.phaseName, connection.closeQueued]);
      subject.end();
      seen.push([connection.phaseName, connection.closeQueued]);
      expect(seen).toEqual([
        ['open', false],
        ['close-sent', true],
        ['draining', true],
        ['closed', true],
      ]);
    });

    it('commands of the wrong types change nothing', () => {
      const { connection } = open(role);
      for (const wrong of ['text', 5, null, new Uint16Array(3), [1, 2]] as never[]) {
        expect(() => connection.ping(0, wrong)).toThrow(UsageError);
        expect(() => connection.pong(wrong)).toThrow(UsageError);
        expect(() => connection.sendBinary(wrong)).toThrow(UsageError);
        expect(() => connection.sendFragment('binary', wrong, true)).toThrow(UsageError);
      }
      expect(() => connection.ping(0, new Uint8Array(126))).toThrow(UsageError);
      for (const fragmentSize of [0, -1, 1.5, Number.NaN, '5', null] as never[]) {
        expect(() => connection.sendText('a', { fragmentSize })).toThrow(UsageError);
      }
      for (const compress of [0, 'no', null] as never[]) {
        expect(() => connection.sendText('a', { compress })).toThrow(UsageError);
        expect(() => connection.sendFragment('text', bytesOf('a'), true, compress)).toThrow(UsageError);
      }
      expect(() => connection.sendText('\ud800')).toThrow(UsageError);
      expect(() => connection.sendText('\udc00', { fragmentSize: 5 })).toThrow(UsageError);
      expect(() => connection.sendText(Uint8Array.of(0xff))).toThrow(UsageError);
      expect(connection.outgoingLength).toBe(0);
    });

    it('sends whole messages or fragments of any size, and says what they take', () => {
      const subject = open(role);
      const payload = pattern(1_000);
      let total = 0;
      for (const fragmentSize of [1, 7, 999, 1_000, 1_001]) {
        total += subject.connection.sendBinary(payload, { fragmentSize });
        total += subject.connection.sendText('grüße', { fragmentSize });
      }
      expect(subject.flush().wire.length).toBe(total);
      const messages: Uint8Array[] = [];
      let parts: Uint8Array[] = [];
      for (const { opcode, fin, payload } of subject.frames) {
        expect(opcode === 0).toBe(parts.length > 0);
        parts.push(payload);
        if (!fin) continue;
        messages.push(join(...parts));
        parts = [];
      }
      expect(messages).toEqual(Array.from({ length: 5 }, () => [payload, bytesOf('grüße')]).flat());
    });

    it('overflow: what is unsent at the cap is refused, whichever way it is sent', () => {
      const { connection } = open(role, { maxBufferedAmount: 100, overflow: 'refuse' });
      expect(connection.sendBinary(pattern(92))).toBeGreaterThan(92);
      expect(connection.sendText('12345678')).toBeGreaterThan(8);
      const before = connection.bufferedAmount;
      expect(before).toBeGreaterThanOrEqual(100);
      expect(connection.sendText('b')).toBe(0);
      expect(connection.sendText(bytesOf('b'))).toBe(0);
      expect(connection.sendText('b', { fragmentSize: 1 })).toBe(0);
      expect(connection.sendBinary(pattern(1))).toBe(0);
      expect(connection.sendBinary(pattern(1), { compress: false })).toBe(0);
      expect(connection.sendEncoded({ bytes: pattern(3), slab: null, start: 0 })).toBe(0);
      expect(connection.bufferedAmount).toBe(before);
      // What was taken before is not asked again.
      expect(connection.sendAccepted('text', bytesOf('late'))).toBeGreaterThan(4);
      expect(connection.readyState).toBe('open');
      const frames = readFrames(join(...connection.takeOutgoing()));
      expect(frames.map(({ opcode }) => opcode)).toEqual([OP.binary, OP.text, OP.text]);
    });

    it('sends texts whose bytes need a longer header than their characters would', () => {
      const subject = open(role, { maxBufferedAmount: null });
      const counts = [62, 63, 125, 126, 32_767, 32_768];
      const texts = counts.flatMap((count) => ['é', '€', '🚀'].map((each) => each.repeat(count)));
      for (const text of texts) {
        const before = subject.wire.length;
        const wireSize = subject.connection.sendText(text);
        expect(subject.flush().wire.length - before).toBe(wireSize);
      }
      expect(subject.frames.map(({ payload }) => textOf(payload))).toEqual(texts);
    });

    it('a Close waits for what is before it as long as a byte leaves at a time', () => {
      const { connection } = open(role, { closeTimeout: 100 });
      connection.sendBinary(pattern(50));
      connection.close(0);
      connection.takeOutgoing();
      connection.outgoingWritten(1, 60);
      expect(connection.nextTimeout()).toBe(160);
      connection.outgoingWritten(0, 90);
      expect(connection.nextTimeout()).toBe(160);
    });

    it('§8.1: a text that an extension changes fails at its first bad byte, in the middle of the message', () => {
      const transform = add.accept(add.offer()[0]!)!.transform;
      const subject = open(role, {}, { transforms: [transform] });
      const encoded = (...octets: number[]) => Uint8Array.from(octets, (octet) => octet + 3);
      subject.feed(subject.peer(OP.text, encoded(0x41, 0xc3), { fin: false, rsv: 0x40 }));
      expect(subject.frames).toEqual([]);
      subject.feed(subject.peer(OP.continuation, encoded(0x41), { fin: false }));
      expect(subject.closeCode).toBe(1007);
    });

    it('overflow: or the connection fails with 1008', () => {
      const subject = open(role, { maxBufferedAmount: 100 });
      subject.connection.sendBinary(pattern(100));
      expect(subject.connection.sendText('b')).toBe(0);
      expect(subject.flush().closeCode).toBe(1008);
    });
  });
}

it('a role is client or server, and a client needs randomness', () => {
  const platform = { random: seeded() };
  expect(() => new EstablishedConnection({ role: 'peer' as never }, { platform }, 0)).toThrow(UsageError);
  expect(() => new EstablishedConnection({ role: 'client' }, {}, 0)).toThrow(UsageError);
  expect(new EstablishedConnection({ role: 'server' }, {}, 0).readyState).toBe('open');
});

describe('readers', () => {
  it('are shared by connections with the same settings, which know nothing of each other', () => {
    const settings = Settings.from({ pingInterval: null, platform: { random: seeded() } });
    const all = Array.from(
      { length: 80 },
      (_, i) => new Subject(new EstablishedConnection({ role: ROLES[i & 1]! }, settings, 0)),
    );
    for (const subject of all) subject.pull();
    for (let turn = 0; turn < 3; turn++) {
      const frames = all.map((subject, i) => subject.peer(OP.text, `${turn} of ${i}, `.repeat(20)));
      for (const [i, subject] of all.entries()) subject.feed(frames[i]!.slice(0, 3 + i));
      for (const [i, subject] of all.entries()) subject.feed(frames[i]!.slice(3 + i));
      for (const subject of all) expect(subject.connection.retainedBytes).toBe(0);
    }
    for (const [i, subject] of all.entries()) {
      expect(subject.messages).toEqual([0, 1, 2].map((turn) => `${turn} of ${i}, `.repeat(20)));
    }
  });

  it('of a server reads masked frames and that of a client bare ones, whoever read last', () => {
    const settings = Settings.from({ pingInterval: null, platform: { random: seeded() } });
    for (const role of ['server', 'client', 'server', 'client'] as const) {
      const subject = new Subject(new EstablishedConnection({ role }, settings, 0)).pull();
      expect(subject.feed(subject.peer(OP.text, role)).messages).toEqual([role]);
      const other = new Subject(new EstablishedConnection({ role }, settings, 0)).pull();
      const wrong = subject.peer(OP.text, role, { mask: role === 'server' ? null : [1, 2, 3, 4] });
      expect(other.feed(wrong).end().closed.error).toMatchObject({
        code: role === 'server' ? 'MASK_MISSING' : 'MASK_UNEXPECTED',
      });
    }
  });

  it('are given back by a connection that has nothing half read, and only by such a one', () => {
    const settings = Settings.from({ pingInterval: null });
    const reader = settings.takeReader(true, null);
    settings.putReader(reader);
    const subject = new Subject(new EstablishedConnection({ role: 'server' }, settings, 0)).pull();
    const [whole, begun] = [subject.peer(OP.text, 'hello'), subject.peer(OP.text, 'hel', { fin: false })];
    const rest = subject.peer(OP.continuation, 'lo');
    for (const [piece, idle] of [
      [whole, true],
      [whole.slice(0, 1), false],
      [whole.slice(1, 8), false],
      [whole.slice(8), true],
      [begun, false],
      [subject.peer(OP.ping, 'x'), false],
      [rest, true],
      [subject.peer(OP.ping, 'x'), true],
    ] as const) {
      subject.feed(piece);
      const spare = settings.takeReader(true, null);
      settings.putReader(spare);
      expect(spare === reader).toBe(idle);
    }
    expect(subject.messages).toEqual(['hello', 'hello', 'hello']);
  });

  it('are put back, at most sixteen of a role', () => {
    const settings = Settings.from({});
    for (const masked of [true, false]) {
      const taken = Array.from({ length: 20 }, () => settings.takeReader(masked, null));
      expect(new Set(taken).size).toBe(20);
      for (const reader of taken) settings.putReader(reader);
      const again = Array.from({ length: 20 }, () => settings.takeReader(masked, null));
      expect(again.filter((reader) => taken.includes(reader)).length).toBe(16);
      for (const reader of [...taken, ...again]) expect(reader.masked).toBe(masked);
    }
  });
});
