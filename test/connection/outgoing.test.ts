/** Output of many connections in shared slabs against a naive model, and its memory given back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
import { pureText } from '../../src/codec/utf8.ts';
import { MaskKeys } from '../../src/connection/mask-keys.ts';
import { Outgoing } from '../../src/connection/outgoing.ts';
import { bytesOf, join, pattern, readFrames, seeded } from '../rfc6455/support.ts';

type Command =
  | { readonly do: 'frame' | 'text' | 'pong'; readonly who: number; readonly size: number }
  | { readonly do: 'take'; readonly who: number }
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
  { weight: 3, arbitrary: fc.record({ do: fc.constant('take'), who }) as fc.Arbitrary<Command> },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('written'),
      who,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }) as fc.Arbitrary<Command>,
  },
);

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

  take(): void {
    if (this.pong !== null) this.expected.push({ first: 0x8a, payload: this.pong });
    this.pong = null;
    this.flying.push(...this.outgoing.take());
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
              side.take();
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

  it('frames encoded elsewhere go through unchanged, in order with the rest', () => {
    const outgoing = new Outgoing(new Memory((size) => new Uint8Array(size)), pureText, null);
    const parts = [pattern(10), pattern(4_096), pattern(4_097), pattern(1)];
    for (const part of parts) outgoing.append(part);
    expect(join(...outgoing.take())).toEqual(join(...parts));
  });
});
