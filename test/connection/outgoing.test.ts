/** Output of many connections in shared slabs against a naive model, and its memory given back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
import { pureText } from '../../src/codec/utf8.ts';
import { MaskKeys } from '../../src/connection/mask-keys.ts';
import { Outgoing } from '../../src/connection/outgoing.ts';
import { SharedFrames } from '../../src/connection/shared-frames.ts';
import { bytesOf, join, pattern, readFrames, seeded, textOf } from '../rfc6455/support.ts';

type Command =
  | { readonly do: 'frame' | 'text' | 'pong'; readonly who: number; readonly size: number }
  | { readonly do: 'take'; readonly who: number; readonly most: number }
  | { readonly do: 'written'; readonly who: number; readonly share: number };

const COUNT = 6;
const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(10_922, 10_923, 32_767, 32_768, 32_769, 65_535, 65_536, 100_000) },
);
const who = fc.integer({ min: 0, max: COUNT - 1 });
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('frame', 'text', 'pong'), who, size: sizes }) as fc.Arbitrary<Command>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('take'),
      who,
      most: fc.constantFrom(Number.POSITIVE_INFINITY, 1, 1_000, 65_536, 70_000),
    }) as fc.Arbitrary<Command>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('written'),
      who,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }) as fc.Arbitrary<Command>,
  },
);

/** Counts the buffers that go back to the pool from now on. */
function countReturned(memory: Memory): () => number {
  let returned = 0;
  const { recycle } = memory;
  memory.recycle = (buffer) => {
    returned++;
    recycle.call(memory, buffer);
  };
  return () => returned;
}

/** One connection's output, and what it should be: frames as (first octet, payload), or whole chunks. */
class Side {
  readonly outgoing: Outgoing;
  readonly expected: { first: number; payload: Uint8Array }[] = [];
  /** Views that were taken and are not yet written. */
  flying: Uint8Array[] = [];
  offset = 0;
  readonly wire: Uint8Array[] = [];
  pong: Uint8Array | null = null;

  constructor(memory: Memory, keys: MaskKeys | null) {
    this.outgoing = new Outgoing(memory, pureText, keys);
  }

  take(most?: number): void {
    if (this.pong !== null) this.expected.push({ first: 0x8a, payload: this.pong });
    this.pong = null;
    const chunks = this.outgoing.take(most);
    // A slab is given out whole.
    expect(join(...chunks).length).toBeLessThanOrEqual(Math.max(most ?? Number.POSITIVE_INFINITY, 65_536));
    this.flying.push(...chunks);
  }

  /** The transport reads its views as late as it may. */
  write(share: number): void {
    const total = this.flying.reduce((sum, each) => sum + each.length, 0) - this.offset;
    let count = Math.floor(total * share);
    const done = count;
    while (count > 0) {
      const chunk = this.flying[0]!;
      const size = Math.min(count, chunk.length - this.offset);
      this.wire.push(chunk.slice(this.offset, this.offset + size));
      this.offset += size;
      count -= size;
      if (this.offset === chunk.length) {
        this.flying.shift();
        this.offset = 0;
      }
    }
    this.outgoing.written(done);
  }
}

describe('many connections that share slabs', () => {
  for (const role of ['server', 'client'] as const) {
    it(`${role}: any interleaving of sends, takes and partial writes leaves exactly the frames that were sent`, () => {
      fc.assert(
        fc.property(fc.array(command, { minLength: 1, maxLength: 150 }), (commands) => {
          const memory = new Memory((size) => new Uint8Array(size));
          const keys = role === 'client' ? new MaskKeys(seeded()) : null;
          const sides = Array.from({ length: COUNT }, () => new Side(memory, keys));
          commands.forEach((each, i) => {
            const side = sides[each.who]!;
            const { outgoing, expected } = side;
            if (each.do === 'frame') {
              const payload = pattern(each.size, i);
              expected.push({ first: 0x82, payload });
              outgoing.frame(0x82, payload);
            } else if (each.do === 'text') {
              const text = (i % 2 === 0 ? 'a' : 'é').repeat(each.size);
              expected.push({ first: 0x81, payload: bytesOf(text) });
              outgoing.textFrame(0x81, text);
            } else if (each.do === 'pong') {
              side.pong = pattern(each.size % 126, i);
              outgoing.setPong(side.pong);
            } else if (each.do === 'take') {
              side.take(each.most);
            } else if (each.do === 'written') {
              side.write(each.share);
            }
          });
          for (const side of sides) {
            side.take();
            side.write(1);
            const frames = readFrames(join(...side.wire));
            expect(frames.length).toBe(side.expected.length);
            frames.forEach((found, i) => {
              const wanted = side.expected[i]!;
              if ((found.opcode | 0x80) !== wanted.first || Buffer.compare(found.payload, wanted.payload) !== 0) {
                throw new Error(`frame ${i} differs`);
              }
            });
            expect([side.outgoing.unsent, side.outgoing.length]).toEqual([0, 0]);
            expect(side.outgoing.writtenTotal).toBe(side.outgoing.taken);
          }
        }),
        { numRuns: 120, seed: 5 },
      );
    });
  }

  it('the count of unsent bytes is exact at every step', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const outgoing = new Outgoing(memory, pureText, null);
    let queued = 0;
    for (const size of [0, 5, 200, 70_000, 40_000, 1]) {
      queued += outgoing.frame(0x82, pattern(size));
      queued += outgoing.textFrame(0x81, 'ü'.repeat(size));
      expect(outgoing.length).toBe(queued);
    }
    expect(outgoing.textFrame(0x81, '\ud800')).toBe(-1);
    expect(outgoing.textFrame(0x81, `${'x'.repeat(50_000)}\ud800`)).toBe(-1);
    expect(outgoing.length).toBe(queued);
    const total = outgoing.take().reduce((sum, each) => sum + each.length, 0);
    expect([total, outgoing.length, outgoing.unsent]).toEqual([queued, 0, queued]);
    outgoing.written(100);
    expect(outgoing.unsent).toBe(queued - 100);
    outgoing.dispose();
    expect(outgoing.unsent).toBe(0);
  });

  it('is given out in portions, and memory is used again when the last of its bytes are written', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const returned = countReturned(memory);
    const outgoing = new Outgoing(memory, pureText, new MaskKeys(seeded()));
    const size = outgoing.frame(0x82, pattern(100_000)) + outgoing.textFrame(0x81, 'behind');
    const portions: Uint8Array[][] = [];
    for (let left = size; left > 0; left -= 30_000) {
      expect([outgoing.length, outgoing.unsent]).toEqual([left, size]);
      portions.push([...outgoing.take(30_000)]);
      expect(join(...portions.at(-1)!).length).toBe(Math.min(left, 30_000));
    }
    expect([outgoing.length, outgoing.unsent, outgoing.take(30_000)]).toEqual([0, size, []]);
    const frames = readFrames(join(...portions.flat()));
    expect(frames.map(({ payload }) => payload)).toEqual([pattern(100_000), bytesOf('behind')]);
    outgoing.written(100_000);
    expect(returned()).toBe(0);
    outgoing.written(14);
    expect([returned(), outgoing.unsent]).toEqual([1, size - 100_014]);
  });

  it('a portion ends where a piece does, or a byte behind it', () => {
    for (const [most, sizes] of [
      [100_014, [100_014]],
      [100_015, [100_014, 1]],
    ] as const) {
      const outgoing = new Outgoing(new Memory((size) => new Uint8Array(size)), pureText, new MaskKeys(seeded()));
      for (let i = 0; i < 2; i++) outgoing.frame(0x82, pattern(100_000));
      expect(outgoing.take(most).map(({ length }) => length)).toEqual(sizes);
      expect(outgoing.length).toBe(200_028 - most);
    }
  });

  it('a piece of which a part is on its way is not used again when the rest is dropped', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const returned = countReturned(memory);
    const outgoing = new Outgoing(memory, pureText, new MaskKeys(seeded()));
    for (let i = 0; i < 3; i++) outgoing.frame(0x82, pattern(100_000));
    outgoing.take(10);
    outgoing.dispose();
    expect([returned(), outgoing.length, outgoing.unsent]).toEqual([2, 0, 0]);
    outgoing.frame(0x82, pattern(100_000));
    outgoing.dispose();
    expect(returned()).toBe(3);
  });

  it('memory is used again: a million bytes of small messages through a few slabs', () => {
    let allocated = 0;
    const memory = new Memory((size) => {
      allocated += size;
      return new Uint8Array(size);
    });
    const all = Array.from({ length: 50 }, () => new Outgoing(memory, pureText, null));
    for (let round = 0; round < 200; round++) {
      for (const each of all) each.frame(0x82, pattern(100));
      for (const each of all) each.written(each.take().reduce((sum, chunk) => sum + chunk.length, 0));
    }
    expect(allocated).toBeLessThan(4 * 65_536);
    const masked = new Outgoing(memory, pureText, new MaskKeys(seeded()));
    const before = allocated;
    for (let i = 0; i < 100; i++) {
      masked.frame(0x82, pattern(100_000));
      masked.written(masked.take().reduce((sum, chunk) => sum + chunk.length, 0));
    }
    expect(allocated - before).toBeLessThan(600_000);
  });

  it('frames leave in the order in which they came, copied or referred to', () => {
    for (const keys of [null, new MaskKeys(seeded())]) {
      const outgoing = new Outgoing(new Memory((size) => new Uint8Array(size)), pureText, keys);
      const sizes = [1, 40_000, 2, 3, 40_001, 40_002, 4];
      for (const size of sizes) {
        outgoing.frame(0x82, pattern(size));
        outgoing.textFrame(0x81, 'x'.repeat(size));
      }
      const lengths = readFrames(join(...outgoing.take())).map(({ payload }) => payload.length);
      expect(lengths).toEqual(sizes.flatMap((size) => [size, size]));
    }
  });

  it('§5.5.3: the one pong that waits counts as what it takes on the wire', () => {
    for (const keys of [null, new MaskKeys(seeded())]) {
      const outgoing = new Outgoing(new Memory((size) => new Uint8Array(size)), pureText, keys);
      const header = keys === null ? 2 : 6;
      for (const size of [7, 0, 125, 3]) {
        outgoing.setPong(pattern(size));
        expect([outgoing.length, outgoing.unsent]).toEqual([header + size, header + size]);
      }
      outgoing.flushPong();
      outgoing.flushPong();
      expect(outgoing.length).toBe(header + 3);
      outgoing.setPong(pattern(5));
      expect(outgoing.length).toBe(2 * header + 8);
      expect(join(...outgoing.take()).length).toBe(2 * header + 8);
      expect(outgoing.unsent).toBe(2 * header + 8);
    }
  });

  it('frames encoded elsewhere go through unchanged, in order with the rest', () => {
    const outgoing = new Outgoing(new Memory((size) => new Uint8Array(size)), pureText, null);
    const parts = [pattern(10), pattern(4_096), pattern(4_097), pattern(1)];
    for (const part of parts) outgoing.append(part);
    expect(join(...outgoing.take())).toEqual(join(...parts));
  });
});

describe('memory of output', () => {
  const fresh = () => new Memory((size) => new Uint8Array(size));
  const size = (chunks: readonly Uint8Array[]) => chunks.reduce((sum, { length }) => sum + length, 0);

  it('a region in which nothing came to lie leaves no piece, and holds no slab', () => {
    for (const keys of [null, new MaskKeys(seeded())]) {
      const memory = fresh();
      const outgoing = new Outgoing(memory, pureText, keys);
      expect(outgoing.textFrame(0x81, '\ud800')).toBe(-1);
      const slab = memory.slabFor(1);
      expect(slab.holderCount).toBe(1);
      outgoing.append(pattern(5_000));
      expect(slab.holderCount).toBe(0);
      expect(outgoing.take()).toEqual([pattern(5_000)]);
      expect(outgoing.unsent).toBe(5_000);
    }
  });

  it('what is written late is given back late: each piece with the last of its bytes', () => {
    const memory = fresh();
    const outgoing = new Outgoing(memory, pureText, new MaskKeys(seeded()));
    const returned: number[] = [];
    const { recycle } = memory;
    memory.recycle = (buffer) => {
      returned.push(outgoing.writtenTotal);
      recycle.call(memory, buffer);
    };
    const ends: number[] = [];
    for (let i = 0; i < 4; i++) {
      outgoing.frame(0x82, pattern(40_000, i));
      outgoing.take();
      ends.push(outgoing.taken);
    }
    outgoing.written(ends[0]! - 1);
    expect(returned).toEqual([]);
    outgoing.written(1);
    expect(returned).toEqual([ends[0]]);
    // Two more and a part, and then the rest.
    outgoing.written(ends[2]! + 100 - ends[0]!);
    expect(returned.length).toBe(3);
    outgoing.written(ends[3]! - ends[2]! - 100);
    expect([returned.length, outgoing.unsent]).toEqual([4, 0]);
  });

  it('dispose() gives back what was not taken; a late report of what was is no matter', () => {
    const memory = fresh();
    const outgoing = new Outgoing(memory, pureText, null);
    outgoing.frame(0x82, pattern(10));
    const taken = size(outgoing.take());
    const lent = memory.pooled(50_000);
    outgoing.frame(0x82, lent.bytes.subarray(0, 40_000));
    outgoing.frame(0x82, pattern(10));
    outgoing.setPong(pattern(3));
    outgoing.dispose();
    expect([outgoing.length, outgoing.unsent, outgoing.take()]).toEqual([0, 0, []]);
    lent.release();
    // Nobody else holds it: it is the next of its size.
    expect(memory.pooled(50_000)).toBe(lent);
    outgoing.written(taken);
    expect(outgoing.unsent).toBe(0);
    outgoing.dispose();
  });

  it('a large payload of the pool is held until it is written, one of a read buffer is copied, others are referred to', () => {
    const memory = fresh();
    const outgoing = new Outgoing(memory, pureText, null);
    const lent = memory.pooled(40_000);
    lent.bytes.set(pattern(40_000, 1));
    const volatile = pattern(40_000, 2);
    memory.markVolatile(volatile.buffer);
    const plain = pattern(40_000, 3);
    for (const payload of [lent.bytes.subarray(0, 40_000), volatile, plain]) outgoing.frame(0x82, payload);
    lent.release();
    // Still held: another one is given out.
    expect(memory.pooled(40_000)).not.toBe(lent);
    volatile.fill(0xee);
    const chunks = outgoing.take();
    expect(chunks.map(({ buffer }) => buffer).includes(plain.buffer)).toBe(true);
    expect(readFrames(join(...chunks)).map(({ payload }) => payload)).toEqual([1, 2, 3].map((i) => pattern(40_000, i)));
    outgoing.written(size(chunks));
    expect([memory.pooled(40_000), memory.pooled(40_000)]).toContain(lent);
  });

  it('a frame for many is referred to, one behind the other; it is copied where output waits, or has no slab', () => {
    const memory = fresh();
    const frames = new SharedFrames(memory, pureText);
    const outgoing = new Outgoing(memory, pureText, null);
    /** Encodes a text, shares it unless it is for others only, and returns its buffer. */
    const share = (text: string, { shared = true, ours = true } = {}) => {
      const frame = frames.encode(1, text, text.length, shared);
      if (ours) outgoing.share(frame);
      frame.slab?.release();
      return frame.bytes.buffer;
    };
    const texts = (chunks: readonly Uint8Array[]) => readFrames(join(...chunks)).map(({ payload }) => textOf(payload));
    const buffers = [share('a'), share('b')];
    expect([outgoing.length, outgoing.unsent]).toEqual([6, 6]);
    const first = outgoing.take();
    expect([texts(first), first.length]).toEqual([['a', 'b'], 1]);
    for (const buffer of buffers) expect(first[0]!.buffer === buffer).toBe(true);
    // It has not been written yet.
    const waiting = share('c');
    const second = outgoing.take();
    expect([texts(second), second[0]!.buffer === waiting]).toEqual([['c'], false]);
    outgoing.written(size(first) + size(second));
    share('d');
    outgoing.frame(0x81, bytesOf('e'));
    share('f', { shared: false });
    share('g');
    // What others get lies in between.
    share('x', { ours: false });
    share('h');
    expect(texts(outgoing.take())).toEqual(['d', 'e', 'f', 'g', 'h']);
  });
});

describe('what was reserved and what is counted', () => {
  const fresh = () => new Memory((size) => new Uint8Array(size));

  it('room that a text was given and did not need goes back: sixty share a slab', () => {
    const memory = fresh();
    const all = Array.from({ length: 60 }, () => new Outgoing(memory, pureText, null));
    const buffers = new Set(
      all.flatMap((each) => {
        each.textFrame(0x81, 'x'.repeat(1_000));
        return each.take().map(({ buffer }) => buffer);
      }),
    );
    expect(buffers.size).toBe(1);
  });

  it('what was taken is unsent until it is written, in one piece or in several', () => {
    for (const sizes of [[10], [10, 40_000], [40_000]]) {
      const outgoing = new Outgoing(fresh(), pureText, null);
      let queued = 0;
      for (const size of sizes) queued += outgoing.frame(0x82, pattern(size));
      outgoing.take();
      expect([outgoing.unsent, outgoing.taken]).toEqual([queued, queued]);
      outgoing.written(queued - 1);
      expect(outgoing.unsent).toBe(1);
      outgoing.written(1);
      expect([outgoing.unsent, outgoing.writtenTotal]).toEqual([0, queued]);
    }
  });
});

describe('beside others in a slab', () => {
  const fresh = () => new Memory((size) => new Uint8Array(size));

  it('a frame that fills its region to the end leaves the next one alone', () => {
    const memory = fresh();
    const [ours, others] = [new Outgoing(memory, pureText, null), new Outgoing(memory, pureText, null)];
    // Five octets of the 23 that are reserved.
    ours.textFrame(0x81, 'abc');
    others.frame(0x82, pattern(10));
    ours.frame(0x82, pattern(16));
    expect(readFrames(join(...others.take()))).toMatchObject([{ opcode: 2, payload: pattern(10) }]);
    expect(readFrames(join(...ours.take())).map(({ payload }) => payload.length)).toEqual([3, 16]);
  });

  it('dispose() twice gives back once', () => {
    const memory = fresh();
    const [ours, others] = [new Outgoing(memory, pureText, null), new Outgoing(memory, pureText, null)];
    others.frame(0x82, pattern(10));
    for (const large of [0, 40_000]) {
      ours.frame(0x82, pattern(10));
      ours.frame(0x82, pattern(large));
      const slab = memory.slabFor(1);
      expect(slab.holderCount).toBeGreaterThan(1);
      ours.dispose();
      ours.dispose();
      expect(slab.holderCount).toBe(1);
    }
  });

  it('however takes and reports interleave, memory goes back with the last octet of its piece', () => {
    const memory = fresh();
    const outgoing = new Outgoing(memory, pureText, new MaskKeys(seeded()));
    const returned = countReturned(memory);
    const ends: number[] = [];
    let turn = 0;
    for (const count of [1, 3, 2, 5, 1, 4]) {
      for (let i = 0; i < count; i++) {
        outgoing.frame(0x82, pattern(33_000 + turn++));
        outgoing.take();
        ends.push(outgoing.taken);
      }
      // Exactly to the end of the last but one, one octet less than all, and all.
      for (const to of [ends.at(-2) ?? 0, ends.at(-1)! - 1, count === 2 ? 0 : ends.at(-1)!]) {
        outgoing.written(Math.max(0, to - outgoing.writtenTotal));
        expect(returned()).toBe(ends.filter((end) => end <= outgoing.writtenTotal).length);
      }
    }
  });

  it('§5.3: each text of a client has a key of its own, small and large, and its octets are those of the text', () => {
    for (const keys of [null, new MaskKeys(seeded())]) {
      const outgoing = new Outgoing(fresh(), pureText, keys);
      const texts = ['a', 'é'.repeat(63), 'é'.repeat(100), 'é'.repeat(125), '€'.repeat(40_000), 'x'.repeat(70_000)];
      for (const text of texts) outgoing.textFrame(0x81, text);
      const frames = readFrames(join(...outgoing.take()));
      expect(frames.map(({ payload }) => textOf(payload) === texts.shift())).toEqual(frames.map(() => true));
      const masks = new Set(frames.map(({ mask }) => String(mask)));
      expect([masks.size, masks.has('0,0,0,0')]).toEqual([keys === null ? 1 : 6, false]);
    }
  });
});

describe('over a long time', () => {
  it('a pong goes once', () => {
    const outgoing = new Outgoing(new Memory((size) => new Uint8Array(size)), pureText, null);
    outgoing.setPong(pattern(3));
    outgoing.take();
    outgoing.frame(0x82, pattern(5));
    expect(readFrames(join(...outgoing.take())).map(({ opcode }) => opcode)).toEqual([2]);
    expect(outgoing.length).toBe(0);
  });

  it('a buffer goes back once, with its last octet, in whatever steps it is written', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const outgoing = new Outgoing(memory, pureText, new MaskKeys(seeded()));
    const returned = countReturned(memory);
    const ends: number[] = [];
    const random = seeded(5);
    const chance = new Uint8Array(2);
    for (let step = 0; step < 200; step++) {
      random(chance);
      for (let i = 0; i < chance[0]! % 4; i++) {
        outgoing.frame(0x82, new Uint8Array(33_000));
        outgoing.take();
        ends.push(outgoing.taken);
      }
      const open = ends.filter((end) => end > outgoing.writtenTotal);
      const to = open[chance[1]! % (open.length + 1)] ?? outgoing.writtenTotal;
      outgoing.written(Math.max(0, to - outgoing.writtenTotal - (step % 3 === 0 ? 1 : 0)));
      expect(returned()).toBe(ends.filter((end) => end <= outgoing.writtenTotal).length);
    }
  });
});
