/** RFC 7692 sections 6 and 7.2: messages as they are on the wire, received and sent. */

import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Role } from '../../src/index.ts';
import { inflateOnce, json, noise, TAIL, zlibDeflate, zlibDeflateAll } from '../extension/support.ts';
import { concat, equal, fromHex, hex, utf8 } from '../support/bytes.ts';
import { EXAMPLE_KEY, frame, readFrames } from '../support/frames.ts';
import { drain } from '../support/peers.ts';
import { CORRUPT, openPair, Subject } from './support.ts';

const RSV1 = 0x40;
const HELLO = fromHex('f2 48 cd c9 c9 07 00');
const ROLES: readonly Role[] = ['server', 'client'];

describe('section 7.2.3: the examples', () => {
  test.each(ROLES)('7.2.3.1: one compressed block, in one frame and in two (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1, payload: HELLO });
    subject.receive({ opcode: 1, rsv: RSV1, fin: false, payload: HELLO.subarray(0, 3) });
    subject.receive({ opcode: 0, payload: HELLO.subarray(3) });
    expect(subject.messages).toEqual(['Hello', 'Hello']);
  });

  test.each(ROLES)('7.2.3.2: the window of the message before (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1, payload: HELLO });
    subject.receive({ opcode: 1, rsv: RSV1, payload: fromHex('f2 00 11 00 00') });
    expect(subject.messages).toEqual(['Hello', 'Hello']);
    expect(subject.receive({ opcode: 1, rsv: RSV1, payload: HELLO }).messages).toEqual(['Hello']);

    const forgetful = new Subject(role, { memory: 'shared' });
    forgetful.receive({ opcode: 1, rsv: RSV1, payload: HELLO });
    forgetful.receive({ opcode: 1, rsv: RSV1, payload: fromHex('f2 00 11 00 00') });
    expect(forgetful.closeCode).toBe(1007);
    expect(forgetful.fault).toBe(CORRUPT);
  });

  test.each(ROLES)('7.2.3.3: a block without compression (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1, payload: fromHex('00 05 00 fa ff 48 65 6c 6c 6f 00') });
    expect(subject.messages).toEqual(['Hello']);
  });

  test.each(ROLES)('T73, 7.2.3.4: a final block, and the messages after it (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1, payload: fromHex('f3 48 cd c9 c9 07 00 00') });
    subject.receive({ opcode: 1, rsv: RSV1, payload: HELLO });
    // The window goes on behind the final block, too.
    subject.receive({ opcode: 1, rsv: RSV1, payload: fromHex('f2 00 11 00 00') });
    subject.receive({ opcode: 1, rsv: RSV1, payload: zlibDeflate(utf8('another')) });
    expect(subject.messages).toEqual(['Hello', 'Hello', 'Hello', 'another']);
    // Without the empty block behind it, and twice in one message.
    const final = new Uint8Array(deflateRawSync('Hello'));
    subject.receive({ opcode: 1, rsv: RSV1, payload: final });
    subject.receive({ opcode: 1, rsv: RSV1, payload: concat([final, final, Uint8Array.of(0)]) });
    subject.receive({ opcode: 1, rsv: RSV1, payload: HELLO });
    expect(subject.messages).toEqual(['Hello', 'HelloHello', 'Hello']);
  });

  test.each(ROLES)('7.2.3.5: two blocks in one message (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1, payload: fromHex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00') });
    expect(subject.messages).toEqual(['Hello']);
  });

  test.each(ROLES)('7.2.3.6: an empty message (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1, payload: Uint8Array.of(0) });
    expect(subject.messages).toEqual(['']);
  });
});

describe('section 7.2.2: receiving', () => {
  test.each(ROLES)('T77: empty messages and empty fragments (%s)', (role) => {
    const subject = new Subject(role);
    subject.receive({ opcode: 1, rsv: RSV1 });
    subject.receive({ opcode: 2, rsv: RSV1, payload: Uint8Array.of(0) });
    subject.receive({ opcode: 1, rsv: RSV1, fin: false });
    subject.receive({ opcode: 0, fin: false });
    subject.receive({ opcode: 0, payload: Uint8Array.of(0) });
    subject.receive({ opcode: 1, rsv: RSV1, fin: false });
    subject.receive({ opcode: 0 });
    subject.receive({ opcode: 1, rsv: RSV1, fin: false, payload: HELLO });
    subject.receive({ opcode: 0 });
    subject.receive({ opcode: 1 });
    expect(subject.messages).toEqual(['', new Uint8Array(0), '', '', 'Hello', '']);
    expect(subject.closeCode).toBeNull();
  });

  test('every cut of a compressed message, with the bytes and without', async () => {
    const messages = [json(300), json(280, 2), json(300)];
    const wire = await zlibDeflateAll(messages, {});
    for (const delivery of ['message', 'fragment'] as const) {
      for (let at = 1; at < wire[1]!.length; at++) {
        const subject = new Subject('server', { windowBits: 15 }, { delivery });
        const out: Uint8Array[] = [];
        wire.forEach((payload) => {
          subject.receive({ opcode: 2, rsv: RSV1, fin: false, payload: payload.subarray(0, at) });
          subject.receive({ opcode: 0, payload: payload.subarray(at) });
        });
        for (const event of subject.events) {
          if (event.type === 'message' && event.kind === 'binary') out.push(event.data);
          if (event.type === 'fragment') out.push(event.data);
        }
        expect(equal(concat(out), concat(messages)), `${delivery}, cut at ${at}`).toBe(true);
      }
    }
  });

  test.each(ROLES)(
    'T23: behind a compressed message a continuation is stray, and one inside of another is wrong (%s)',
    (role) => {
      for (const delivery of ['message', 'fragment'] as const) {
        for (const cut of [0, 3, HELLO.length]) {
          const compressed = (subject: Subject) => {
            if (cut > 0) subject.receive({ opcode: 1, rsv: RSV1, fin: false, payload: HELLO.subarray(0, cut) });
            subject.receive({ opcode: cut > 0 ? 0 : 1, rsv: cut > 0 ? 0 : RSV1, payload: HELLO.subarray(cut) });
            return subject.events.length;
          };
          for (const payload of [new Uint8Array(0), HELLO]) {
            const stray = new Subject(role, {}, { delivery });
            const told = compressed(stray);
            expect(told).toBeGreaterThan(0);
            stray.receive({ opcode: 0, payload });
            expect([stray.closeCode, stray.events.length]).toEqual([1002, told]);
            expect(stray.fault).toBe('CONTINUATION_UNEXPECTED');
          }
          const inside = new Subject(role, {}, { delivery });
          compressed(inside);
          inside.receive({ opcode: 2, rsv: RSV1, fin: false, payload: HELLO.subarray(0, 3) });
          const told = inside.events.length;
          inside.receive({ opcode: 1, rsv: RSV1, payload: HELLO });
          expect([inside.closeCode, inside.events.length]).toEqual([1002, told]);
          expect(inside.fault).toBe('CONTINUATION_EXPECTED');
        }
      }
    },
  );

  test.each(ROLES)('T75: control frames between compressed fragments (%s)', (role) => {
    const subject = new Subject(role);
    const payload = zlibDeflate(json(1_000));
    subject.receive({ opcode: 1, rsv: RSV1, fin: false, payload: payload.subarray(0, 100) });
    subject.receive({ opcode: 9, payload: utf8('are you there?') });
    subject.receive({ opcode: 0, fin: false, payload: payload.subarray(100, 101) });
    subject.receive({ opcode: 10 });
    subject.receive({ opcode: 0, payload: payload.subarray(101) });
    expect(subject.events.map(({ type }) => type)).toEqual(['ping', 'pong', 'message']);
    expect(subject.messages).toEqual([Buffer.from(json(1_000)).toString()]);
    expect(subject.frames.map(({ opcode, rsv }) => [opcode, rsv])).toEqual([[10, 0]]);
  });

  test.each(ROLES)('T74: RSV1 on a continuation or on a control frame is 1002 (%s)', (role) => {
    const bad: ((subject: Subject) => void)[] = [
      (subject) => subject.receive({ opcode: 9, rsv: RSV1 }),
      (subject) => subject.receive({ opcode: 10, rsv: RSV1 }),
      (subject) => subject.receive({ opcode: 8, rsv: RSV1, payload: fromHex('03 e8') }),
      (subject) => {
        subject.receive({ opcode: 1, rsv: RSV1, fin: false, payload: HELLO.subarray(0, 3) });
        subject.receive({ opcode: 0, rsv: RSV1, payload: HELLO.subarray(3) });
      },
      (subject) => {
        subject.receive({ opcode: 1, fin: false, payload: utf8('plain') });
        subject.receive({ opcode: 0, rsv: RSV1, payload: HELLO });
      },
      (subject) => subject.receive({ opcode: 1, rsv: 0x20, payload: HELLO }),
      (subject) => subject.receive({ opcode: 1, rsv: 0x60, payload: HELLO }),
    ];
    for (const make of bad) {
      const subject = new Subject(role);
      make(subject);
      expect(subject.closeCode).toBe(1002);
      expect(subject.messages).toEqual([]);
      expect(subject.fault).toBe('RESERVED_BITS_SET');
    }
  });

  test.each(ROLES)('T76: corrupt data, a reference before the window, a message cut off: 1007 (%s)', (role) => {
    const cut = zlibDeflate(json(700)).subarray(0, 150);
    for (const delivery of ['message', 'fragment'] as const) {
      for (const payload of ['ff ff ff ff', '03 02 00', '00 05 00 fb ff 48', hex(cut)].map(fromHex)) {
        const subject = new Subject(role, {}, { delivery });
        subject.receive({ opcode: 2, rsv: RSV1, payload });
        expect(subject.closeCode).toBe(1007);
        // Nothing after it is looked at.
        subject.receive({ opcode: 2, payload: utf8('late') });
        expect(subject.messages).toEqual([]);
        expect(subject.fault).toBe(CORRUPT);
      }
    }
  });

  test('text is validated as it is inflated', () => {
    for (const delivery of ['message', 'fragment'] as const) {
      const subject = new Subject('server', {}, { delivery });
      const payload = zlibDeflate(concat([json(200), Uint8Array.of(0xff), json(200)]));
      subject.receive({ opcode: 1, rsv: RSV1, fin: false, payload });
      expect(subject.closeCode).toBe(1007);
      expect(subject.fault).toBe('UTF8_INVALID');
    }
  });
});

describe('text', () => {
  const [bad, cut] = [Uint8Array.of(0xff), Uint8Array.of(0xe2, 0x82)];

  test.each(['string', 'bytes'] as const)('that is not UTF-8 when it is complete, as %s', (text) => {
    for (const message of [concat([json(200), bad, json(200)]), concat([json(200), cut]), bad]) {
      for (const cuts of [1, 2, 30]) {
        const subject = new Subject('server', {}, { text });
        const payload = zlibDeflate(message);
        for (let i = 0; i < cuts; i++) {
          const [from, to] = [i, i + 1].map((part) => Math.floor((part * payload.length) / cuts));
          subject.receive({
            opcode: i === 0 ? 1 : 0,
            rsv: i === 0 ? RSV1 : 0,
            fin: i === cuts - 1,
            payload: payload.subarray(from, to),
          });
        }
        expect([subject.messages, subject.fault]).toEqual([[], 'UTF8_INVALID']);
      }
    }
  });

  test('that is UTF-8, as bytes', () => {
    const subject = new Subject('server', {}, { text: 'bytes' });
    subject.receive({ opcode: 1, rsv: RSV1, payload: zlibDeflate(json(3_000)) });
    expect(subject.messages).toEqual([json(3_000)]);
  });

  test('of two faults the first is told, however the frame was cut', () => {
    const corrupt = (message: Uint8Array) => concat([zlibDeflate(message), TAIL, Uint8Array.of(0xff)]);
    const long = concat([json(990), new Uint8Array(50).fill(97)]);
    for (const [payload, fault] of [
      [corrupt(json(500)), CORRUPT],
      [corrupt(concat([json(200), bad, json(200)])), 'UTF8_INVALID'],
      [corrupt(long), 'MESSAGE_TOO_BIG'],
      [zlibDeflate(concat([json(200), bad, long])), 'UTF8_INVALID'],
      [zlibDeflate(concat([long, bad])), 'MESSAGE_TOO_BIG'],
    ] as const) {
      for (const delivery of ['message', 'fragment'] as const) {
        for (const size of [1, 7, 1_000]) {
          const subject = new Subject('server', {}, { delivery, maxMessageSize: 1_000 });
          const wire = frame({ opcode: 1, rsv: RSV1, key: EXAMPLE_KEY, payload });
          for (let at = 0; at < wire.length; at += size) {
            subject.connection.receive(wire.slice(at, at + size), 0);
            subject.pull();
          }
          expect(subject.fault).toBe(fault);
        }
      }
    }
  });
});

describe('section 7.2.1: sending', () => {
  test('§6: RSV1 is on the first frame of a compressed message and on nothing else', () => {
    const { left: server, right: client } = openPair();
    for (const connection of [server, client]) {
      connection.sendText(Buffer.from(json(900)).toString());
      connection.sendBinary(json(900), { fragmentSize: 7 });
      connection.sendText('short');
      connection.ping(0);
      const frames = readFrames(drain(connection));
      expect(frames.map(({ opcode, rsv, fin }) => [opcode, rsv, fin])).toEqual([
        [1, RSV1, true],
        ...frames.slice(1, -2).map((_, i, all) => [i === 0 ? 2 : 0, i === 0 ? RSV1 : 0, i === all.length - 1]),
        [1, 0, true],
        [9, 0, true],
      ]);
      // "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end": with them, any inflater reads it.
      expect(inflateOnce(frames[0]!.payload)).toEqual(json(900));
      expect(hex(frames[0]!.payload.subarray(-4))).not.toBe(hex(TAIL));
    }
  });

  test('T79: a message marked compress: false goes as it is, and leaves the context alone', () => {
    const pair = openPair();
    const message = Buffer.from(json(900)).toString();
    const plain = pair.left.sendText(message, { compress: false });
    expect(plain).toBe(Buffer.byteLength(message) + 4);
    const first = pair.left.sendText(message);
    expect(first).toBeLessThan(plain / 2);
    expect(pair.left.sendText(message, { compress: false })).toBe(plain);
    expect(pair.left.sendText(message)).toBeLessThan(first / 4);
    pair.rest();
    expect(pair.events.right.map((event) => (event.type === 'message' ? event.data : event.type))).toEqual(
      Array(4).fill(message),
    );
  });

  test('T80: what does not shrink, and what is small, goes as it is', () => {
    const pair = openPair({ server: { threshold: 10 } });
    const messages = [noise(10), noise(125), noise(5_000), noise(100_000), utf8('123456789'), new Uint8Array(0)];
    for (const message of messages) pair.left.sendBinary(message);
    const size = messages.reduce((sum, { length }) => sum + length, 0);
    expect(pair.left.outgoingLength).toBeLessThanOrEqual(size + 10 * messages.length);
    for (const message of messages) pair.left.sendBinary(concat([message, message]));
    pair.rest();
    const got = pair.events.right.flatMap((event) =>
      event.type === 'message' && event.kind === 'binary' ? [event.data] : [],
    );
    const all = [...messages, ...messages.map((message) => concat([message, message]))];
    expect(got.map((each, i) => equal(each, all[i]!))).toEqual(all.map(() => true));
  });

  test('wireSize is what the message took, compressed', () => {
    const pair = openPair();
    const sizes = [json(100), json(2_000), json(50_000)].map((message) => pair.right.sendBinary(message));
    pair.rest();
    const events = pair.events.left.flatMap((event) => (event.type === 'message' ? [event.wireSize] : []));
    expect(events).toEqual(sizes);
  });

  test('payloads of every size, both ways, with every policy, cut anywhere', () => {
    const sizes = [0, 1, 63, 64, 125, 126, 1_000, 32_768, 65_535, 65_536, 200_000, 300_000];
    for (const memory of ['dedicated', 'shared', 'none'] as const) {
      for (const windowBits of [8, 12, 15]) {
        const pair = openPair({
          server: { memory, windowBits, threshold: 0 },
          client: { threshold: 0 },
          cut: (bytes) => [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)],
        });
        for (const size of sizes) {
          for (const message of [json(size), noise(size)]) {
            pair.left.sendBinary(message);
            pair.right.sendBinary(message);
          }
        }
        pair.rest();
        for (const side of ['left', 'right'] as const) {
          const got = pair.events[side].flatMap((event) =>
            event.type === 'message' && event.kind === 'binary' ? [event.data] : [],
          );
          const wanted = sizes.flatMap((size) => [json(size), noise(size)]);
          expect(got.map((each, i) => equal(each, wanted[i]!))).toEqual(wanted.map(() => true));
        }
      }
    }
  });
});
