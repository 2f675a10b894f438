import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Memory, Slab } from '../../src/codec/memory.ts';
import { Opcode } from '../../src/codec/opcode.ts';
import { pureText } from '../../src/codec/utf8.ts';
import { Outgoing } from '../../src/connection/outgoing.ts';
import { type SharedFrame, SharedFrames } from '../../src/connection/shared-frames.ts';
import { join, pattern } from '../rfc6455/support.ts';

const memoryOf = () => {
  const made: number[] = [];
  const memory = new Memory((size) => {
    made.push(size);
    return new Uint8Array(size);
  });
  return { memory, made };
};
const frameOf = (opcode: number, payload: Uint8Array) => {
  const header =
    payload.length < 126
      ? [0x80 | opcode, payload.length]
      : payload.length < 65_536
        ? [0x80 | opcode, 126, payload.length >> 8, payload.length & 255]
        : [0x80 | opcode, 127, 0, 0, 0, 0, 0, payload.length >> 16, (payload.length >> 8) & 255, payload.length & 255];
  return join(Uint8Array.from(header), payload);
};

describe('seed 59: a message that is encoded once for many', () => {
  test('is referred to, and several in a turn leave as one piece', () => {
    const { memory, made } = memoryOf();
    const frames = new SharedFrames(memory, pureText);
    const all = Array.from({ length: 100 }, () => new Outgoing(memory, pureText, null));
    for (let turn = 0; turn < 50; turn++) {
      for (let i = 0; i < 16; i++) {
        const frame = frames.encode(Opcode.text, `message ${i}`, `message ${i}`.length, true);
        for (const outgoing of all) outgoing.share(frame);
        frame.slab?.release();
      }
      const expected = join(...Array.from({ length: 16 }, (_, i) => frameOf(1, Buffer.from(`message ${i}`))));
      for (const outgoing of all) {
        expect(outgoing.length).toBe(expected.length);
        const chunks = outgoing.take();
        expect(chunks).toHaveLength(1);
        expect(chunks[0]).toEqual(expected);
        outgoing.written(expected.length);
      }
    }
    // One slab for all connections and all turns: when everything was written it is used again from its beginning.
    expect(made).toEqual([Slab.SIZE]);
  });

  test('is copied where output waits: who does not read keeps no slab for each little frame', () => {
    const { memory, made } = memoryOf();
    const frames = new SharedFrames(memory, pureText);
    const [fast, stuck] = [new Outgoing(memory, pureText, null), new Outgoing(memory, pureText, null)];
    const payload = new Uint8Array(100).fill(7);
    const first = frames.encode(Opcode.binary, payload, 100, true);
    stuck.share(first);
    first.slab?.release();
    stuck.take();
    for (let i = 0; i < 5_000; i++) {
      const frame = frames.encode(Opcode.binary, payload, 100, true);
      for (const outgoing of [fast, stuck]) outgoing.share(frame);
      frame.slab?.release();
      fast.take();
      fast.written(frame.bytes.length);
    }
    expect(stuck.unsent).toBe(5_001 * 102);
    expect(made.reduce((sum, size) => sum + size, 0)).toBeLessThan(2 * stuck.unsent);
    const rest = stuck.take();
    expect(join(...rest)).toEqual(join(...Array.from({ length: 5_000 }, () => frameOf(2, payload))));
  });

  test('stays as it is while it is given out, whatever is encoded meanwhile', () => {
    const { memory } = memoryOf();
    const frames = new SharedFrames(memory, pureText);
    const outgoing = new Outgoing(memory, pureText, null);
    const frame = frames.encode(Opcode.text, 'first', 5, true);
    const nested = frames.encode(Opcode.text, 'other', 5, true);
    nested.slab?.release();
    outgoing.share(frame);
    frame.slab?.release();
    expect(outgoing.take()).toEqual([Uint8Array.from(frameOf(1, Buffer.from('first')))]);
  });

  test('that one connection gets alone goes among its own output', () => {
    const { memory } = memoryOf();
    const frames = new SharedFrames(memory, pureText);
    const outgoing = new Outgoing(memory, pureText, null);
    outgoing.frame(0x82, Uint8Array.of(1));
    outgoing.share(frames.encode(Opcode.text, 'x', 1, false));
    outgoing.frame(0x82, Uint8Array.of(2));
    const chunks = outgoing.take();
    expect(chunks).toEqual([Uint8Array.of(0x82, 1, 1, 0x81, 1, 0x78, 0x82, 1, 2)]);
  });

  test('arrives unchanged and in order, whatever else is sent, taken and written in between', () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('share' as const),
          size: fc.oneof(fc.nat(200), fc.nat(70_000)),
          mask: fc.nat(15),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('own' as const),
          size: fc.oneof(fc.nat(200), fc.nat(40_000)),
          who: fc.nat(3),
        }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const), who: fc.nat(3) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constant('write' as const),
          who: fc.nat(3),
          part: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('pong' as const), who: fc.nat(3) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { memory } = memoryOf();
        const frames = new SharedFrames(memory, pureText);
        const peers = Array.from({ length: 4 }, () => ({
          outgoing: new Outgoing(memory, pureText, null),
          wanted: [] as Uint8Array[],
          flying: [] as Uint8Array[],
          flown: 0,
          got: [] as Uint8Array[],
        }));
        let serial = 0;
        const payload = (size: number) => new Uint8Array(size).fill(++serial);
        const write = (peer: (typeof peers)[number], count: number) => {
          // Only now the bytes are looked at: they must still be what they were.
          for (let left = count; left > 0; ) {
            const [first] = peer.flying;
            const piece = first!.subarray(0, left);
            peer.got.push(piece.slice());
            if (piece.length === first!.length) peer.flying.shift();
            else peer.flying[0] = first!.subarray(piece.length);
            left -= piece.length;
          }
          peer.flown -= count;
          peer.outgoing.written(count);
        };
        for (const each of steps) {
          if (each.do === 'share') {
            const bytes = payload(each.size);
            const frame = frames.encode(Opcode.binary, bytes, each.size, true);
            peers.forEach((peer, i) => {
              if ((each.mask & (1 << i)) === 0) return;
              peer.outgoing.share(frame);
              peer.wanted.push(frameOf(2, bytes));
            });
            frame.slab?.release();
            continue;
          }
          const peer = peers[each.who]!;
          if (each.do === 'own') {
            const bytes = payload(each.size);
            peer.outgoing.frame(0x82, bytes);
            peer.wanted.push(frameOf(2, bytes));
          } else if (each.do === 'pong') {
            peer.outgoing.frame(0x8a, Uint8Array.of(1));
            peer.wanted.push(frameOf(10, Uint8Array.of(1)));
          } else if (each.do === 'take') {
            const chunks = peer.outgoing.take();
            peer.flying.push(...chunks);
            peer.flown += chunks.reduce((sum, { length }) => sum + length, 0);
          } else {
            write(peer, Math.floor(each.part * peer.flown));
          }
        }
        for (const peer of peers) {
          const chunks = peer.outgoing.take();
          peer.flying.push(...chunks);
          write(peer, peer.flown + chunks.reduce((sum, { length }) => sum + length, 0));
          expect(Buffer.compare(join(...peer.got), join(...peer.wanted))).toBe(0);
          expect([peer.outgoing.unsent, peer.outgoing.length]).toEqual([0, 0]);
          peer.outgoing.dispose();
        }
      }),
    );
  });
});

test('memory of frames that everybody has written is used again', () => {
  let allocated = 0;
  const memory = new Memory((size) => {
    allocated += size;
    return new Uint8Array(size);
  });
  const frames = new SharedFrames(memory, pureText);
  // Written at once, and later than the slab is full.
  for (const late of [0, 100]) {
    const held: SharedFrame[] = [];
    for (let i = 0; i < 1_000; i++) {
      held.push(frames.encode(Opcode.binary, pattern(1_000), 1_000, true));
      if (held.length > late) held.shift()!.slab!.release();
    }
    for (const { slab } of held) slab!.release();
  }
  expect(allocated).toBeLessThanOrEqual(5 * 65_536);
});
