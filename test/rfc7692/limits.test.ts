/** T33, T34, T78: a bomb stops at the limit, fragments stay bounded, an idle connection holds little. Work is counted, not timed. */

import { describe, expect, test } from 'vitest';
import type { DeflateCodec, Inflater } from '../../src/extension/permessage-deflate/codec.ts';
import type { PermessageDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import { pureDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import type { ConnectionOptions } from '../../src/index.ts';
import { nodeDeflate } from '../../src/transport/node/zlib.ts';
import { json, zlibDeflate, zlibDeflateAll } from '../extension/support.ts';
import { concat, equal, fromHex } from '../support/bytes.ts';
import { EXAMPLE_KEY, frame } from '../support/frames.ts';
import { CORRUPT, openPair, Subject } from './support.ts';

const RSV1 = 0x40;
const MIB = 1_048_576;
/** 200 MiB of zeros in 203,842 bytes. */
const BOMB = zlibDeflate(new Uint8Array(200 * MIB), { level: 9 });

/** Both ways to inflate, and the largest piece that each makes at once. */
const CODECS = [
  ['pure', pureDeflate, 32_768],
  ['zlib', nodeDeflate, 65_536],
] as const;

/** A codec; `work.inflated` counts the bytes that it made, `work.largest` the largest piece. */
function counted(base: DeflateCodec): {
  codec: DeflateCodec;
  work: { inflated: number; largest: number; open: Set<Inflater> };
} {
  const work = { inflated: 0, largest: 0, open: new Set<Inflater>() };
  const inflater = (windowBits: number): Inflater => {
    const one = base.inflater(windowBits);
    const two: Inflater = {
      get corrupt() {
        return one.corrupt;
      },
      write: (piece, last) => one.write(piece, last),
      read() {
        const out = one.read();
        work.inflated += out?.length ?? 0;
        work.largest = Math.max(work.largest, out?.length ?? 0);
        return out;
      },
      reset: () => one.reset(),
      release() {
        one.release();
        work.open.delete(two);
      },
    };
    work.open.add(two);
    return two;
  };
  return { codec: { deflater: base.deflater, inflater }, work };
}

function bombed(
  options: PermessageDeflateOptions,
  connection: ConnectionOptions = {},
  base: DeflateCodec = pureDeflate,
) {
  const { codec, work } = counted(base);
  return { subject: new Subject('server', { ...options, codec }, connection), work };
}

test('the size of the bomb', () => {
  expect(BOMB.length).toBeGreaterThan(200_000);
  expect(BOMB.length).toBeLessThan(210_000);
});

describe.each(CODECS)('T33: a bomb (%s)', (_, base, largest) => {
  for (const windowBits of [9, 12, 15]) {
    test(`in one frame: 1009 at the limit, ${windowBits} bits`, () => {
      const { subject, work } = bombed({ windowBits }, {}, base);
      // zlib's distances for zeros are all 1: the window does not matter.
      subject.receive({ opcode: 2, rsv: RSV1, payload: BOMB });
      expect(subject.closeCode).toBe(1009);
      expect(subject.messages).toEqual([]);
      expect(work.inflated).toBeGreaterThanOrEqual(MIB);
      expect(work.inflated).toBeLessThanOrEqual(MIB + 65_536);
      expect(work.largest).toBeLessThanOrEqual(largest);
      expect(subject.connection.retainedBytes).toBe(0);
      expect(subject.fault).toBe('MESSAGE_TOO_BIG');
      expect(work.open.size).toBe(0);
    });
  }

  test.each([
    ['of size', {}, 1009],
    ['of fragments', { maxFragments: 50 }, 1008],
  ])('one byte in each frame: the limit %s ends it', (_name, limits, code) => {
    const { subject, work } = bombed({}, { maxMessageSize: 100_000, ...limits }, base);
    let most = 0;
    for (let at = 0; at < BOMB.length && subject.closeCode === null; at++) {
      subject.receive({
        opcode: at === 0 ? 2 : 0,
        rsv: at === 0 ? RSV1 : 0,
        fin: false,
        payload: BOMB.subarray(at, at + 1),
      });
      most = Math.max(most, subject.connection.retainedBytes);
    }
    expect(subject.closeCode).toBe(code);
    expect(work.inflated).toBeLessThanOrEqual(100_000 + 65_536);
    expect(most).toBeLessThanOrEqual(100_000 + 65_536);
    expect(subject.connection.retainedBytes).toBe(0);
    expect(subject.fault).toBe(code === 1009 ? 'MESSAGE_TOO_BIG' : 'TOO_MANY_FRAGMENTS');
    expect(work.open.size).toBe(0);
  });

  test('many messages just under the limit, with context takeover: each is delivered, none is kept', async () => {
    const { subject, work } = bombed({ windowBits: 15 }, { maxMessageSize: 100_000 }, base);
    const message = new Uint8Array(100_000);
    const wire = await zlibDeflateAll(Array(50).fill(message), {});
    for (const payload of wire) {
      expect(subject.receive({ opcode: 2, rsv: RSV1, payload }).messages.length).toBe(1);
      expect(subject.connection.retainedBytes).toBe(0);
    }
    expect(work.inflated).toBe(50 * 100_000);
    subject.receive({ opcode: 2, rsv: RSV1, payload: zlibDeflate(new Uint8Array(100_001)) });
    expect(subject.closeCode).toBe(1009);
  });

  test('the limit is exact, whatever the pieces are', () => {
    for (const size of [1, 1_000, 32_768, 65_536, 65_537, 99_999]) {
      for (const more of [0, 1]) {
        const { subject } = bombed({ windowBits: 15 }, { maxMessageSize: size, maxFrameSize: null }, base);
        subject.receive({ opcode: 2, rsv: RSV1, payload: zlibDeflate(json(size + more)) });
        expect(subject.closeCode).toBe(more === 0 ? null : 1009);
      }
    }
  });

  test('a compressed payload may be longer than the message that is in it', () => {
    // Sixty empty blocks before the message.
    const payload = concat([...Array(60).fill(fromHex('00 00 00 ff ff')), zlibDeflate(json(5))]);
    const { subject } = bombed({}, { maxMessageSize: 5, maxFrameSize: null }, base);
    subject.receive({ opcode: 2, rsv: RSV1, payload });
    expect(subject.messages).toEqual([json(5)]);
  });
});

describe("delivery: 'fragment'", () => {
  test('inflates one piece an event: 200 MiB pass through, never more than 64 KiB ahead', () => {
    const { subject, work } = bombed({ windowBits: 15 }, { delivery: 'fragment' });
    subject.connection.receive(frame({ opcode: 2, rsv: RSV1, key: EXAMPLE_KEY, payload: BOMB }), 0);
    let total = 0;
    let events = 0;
    let last = false;
    for (let event = subject.connection.nextEvent(); event !== null; event = subject.connection.nextEvent()) {
      if (event.type !== 'fragment') throw new Error(event.type);
      events++;
      expect(event.first).toBe(events === 1);
      total += event.data.length;
      last = event.last;
      if (work.inflated - total > 65_536) expect.fail(`${work.inflated - total} bytes ahead`);
      // Thousands of events are enough to see it.
      if (total > 60 * MIB) break;
      if (!event.last) expect(subject.connection.hasPendingInput).toBe(true);
    }
    expect(total).toBeGreaterThan(60 * MIB);
    expect(last).toBe(false);
    expect(work.largest).toBeLessThanOrEqual(32_768);
    subject.connection.terminate(0);
    expect(work.open.size).toBe(0);
  });

  test('a lent chunk may be spoilt before everything was pulled', () => {
    const message = json(900_000);
    const { subject } = bombed({ windowBits: 15 }, { delivery: 'fragment' });
    const { connection } = subject;
    const wire = frame({ opcode: 2, rsv: RSV1, key: EXAMPLE_KEY, payload: zlibDeflate(message) });
    const loan = new Uint8Array(65_536);
    const out: Uint8Array[] = [];
    for (let at = 0; at < wire.length; at += loan.length) {
      const piece = wire.subarray(at, at + loan.length);
      loan.set(piece);
      connection.receiveBorrowed(loan, 0, piece.length);
      // One event, and the shell takes its buffer back.
      const event = connection.nextEvent();
      if (event?.type === 'fragment') out.push(event.data);
      connection.keepBorrowed();
      loan.fill(0xee);
      for (let more = connection.nextEvent(); more !== null; more = connection.nextEvent()) {
        if (more.type === 'fragment') out.push(more.data);
      }
    }
    expect(equal(Buffer.concat(out), message)).toBe(true);
  });
});

describe.each(CODECS)('T34: the end of a connection is the end of its work (%s)', (_, base) => {
  test('at every octet of a message: nothing is inflated afterwards, and all memory is given back', () => {
    const wire = frame({ opcode: 2, rsv: RSV1, key: EXAMPLE_KEY, payload: zlibDeflate(json(400)) });
    for (let at = 0; at <= wire.length; at++) {
      for (const how of ['terminate', 'end', 'close'] as const) {
        const { subject, work } = bombed({}, {}, base);
        const { connection } = subject;
        connection.receive(wire.slice(0, at), 0);
        subject.pull();
        if (how === 'terminate') connection.terminate(0);
        else if (how === 'end') connection.receiveEnd(0);
        else connection.close(0, 1000);
        subject.pull();
        const { inflated } = work;
        if (how !== 'close') {
          connection.receive(wire.slice(at), 0);
          subject.pull();
          expect(work.inflated).toBe(inflated);
        }
        connection.receiveEnd(0);
        subject.pull();
        expect(work.open.size).toBe(0);
        expect(subject.events.filter(({ type }) => type === 'closed').length).toBe(1);
      }
    }
  });

  test('after corrupt data there is one error, not two', () => {
    const { subject, work } = bombed({}, {}, base);
    subject.receive({ opcode: 2, rsv: RSV1, payload: Uint8Array.of(0xff, 0xff) });
    subject.receive({ opcode: 2, rsv: RSV1, payload: zlibDeflate(json(400)) });
    expect(subject.fault).toBe(CORRUPT);
    expect(subject.events.filter(({ type }) => type === 'closed').length).toBe(1);
    expect(work.open.size).toBe(0);
  });
});

describe('T78: what an idle connection holds', () => {
  /** Bytes in typed arrays and array buffers that live behind `value`, shared ones left out. */
  function held(value: unknown, seen = new Set<unknown>()): number {
    if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      if (seen.has(value.buffer)) return 0;
      seen.add(value.buffer);
      return value.buffer.byteLength;
    }
    return Reflect.ownKeys(value).reduce(
      (sum, key) => sum + held((value as Record<PropertyKey, unknown>)[key], seen),
      0,
    );
  }

  function transformsOf(connection: unknown): unknown {
    const { chain } = connection as { chain: { transforms: { deflater: unknown; inflater: unknown }[] } };
    return chain.transforms.map(({ deflater, inflater }) => [deflater, inflater]);
  }

  test('dedicated: at most 32 KiB after a first message each way; ever, 42 KiB with the default window, 258 KiB with the largest', () => {
    for (const windowBits of [12, 15]) {
      const pair = openPair({ server: { windowBits } });
      pair.left.sendBinary(json(1_024));
      pair.right.sendBinary(json(1_024));
      pair.rest();
      expect(held(transformsOf(pair.left)) / 1_024).toBeLessThanOrEqual(32);
      for (let i = 1; i < 100; i++) {
        pair.left.sendBinary(json(4_000, i));
        pair.right.sendBinary(json(4_000, i));
        pair.rest();
      }
      expect(held(transformsOf(pair.left)) / 1_024).toBeLessThanOrEqual(windowBits === 12 ? 42 : 258);
    }
  });

  test('shared: nothing', () => {
    const pair = openPair({ server: { memory: 'shared' } });
    for (let i = 1; i < 10; i++) {
      pair.left.sendBinary(json(4_000, i));
      pair.right.sendBinary(json(4_000, i));
      pair.rest();
    }
    const [[, inflater]] = transformsOf(pair.left) as [[unknown, unknown]];
    expect(inflater).toBeNull();
  });
});
