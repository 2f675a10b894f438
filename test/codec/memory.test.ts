/** Where payloads live: what one that is kept pins, and what the pool gives out. */
import { describe, expect, it } from 'vitest';
import { Memory, Slab } from '../../src/codec/memory.ts';
import { sizeBehind, viewOf } from '../../src/codec/view.ts';

function filled(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + 7);
}

describe('a view', () => {
  it('is what subarray makes, from arrays in turn, small and large, at an offset', () => {
    const arrays = [filled(10), filled(3_000_000), new Uint8Array(filled(100).buffer, 3, 50), filled(10)];
    for (const bytes of [...arrays, ...arrays]) {
      const view = viewOf(bytes, 2, 9);
      expect([...view]).toEqual([...bytes.subarray(2, 9)]);
      expect(view.buffer).toBe(bytes.buffer);
      expect(view.byteOffset).toBe(bytes.byteOffset + 2);
      expect(sizeBehind(bytes)).toBe(bytes.buffer.byteLength);
    }
  });
});

describe('a payload for keeps', () => {
  const memory = new Memory((size) => new Uint8Array(size));

  /** How many bytes a payload of `size` may keep alive. */
  function bound(size: number): number {
    if (size <= 64) return 4_096;
    if (size <= 512) return 16_384;
    return Math.max(65_536, 2 * size);
  }

  it('pins no more than its slab, or twice itself, copied or not', () => {
    for (const chunk of [100, 4_096, 16_384, 16_385, 65_536, 65_537, 131_072, 1_000_000]) {
      const bytes = filled(chunk);
      for (const size of [1, 31, 32, 64, 65, 512, 513, 16_384, 16_385, 40_000, 500_000]) {
        if (size > chunk) continue;
        const start = chunk - size;
        for (const kept of [memory.keep(bytes, start, chunk), memory.copy(bytes, start, chunk)]) {
          expect(kept.length).toBe(size);
          expect(kept.every((octet, i) => octet === bytes[start + i])).toBe(true);
          expect(kept.buffer.byteLength).toBeLessThanOrEqual(bound(size));
        }
      }
    }
  });

  it('is copied out of a small part of a large buffer, which lengths of arrays do not show', () => {
    const bytes = new Uint8Array(new ArrayBuffer(1_000_000), 500, 600);
    expect(memory.keep(bytes, 0, 600).buffer.byteLength).toBeLessThanOrEqual(65_536);
  });

  it('does not overlap another', () => {
    const bytes = filled(3_000);
    const kept = Array.from({ length: 400 }, (_, i) => memory.copy(bytes, i, i + 1 + ((i * 37) % 2_000)));
    for (const each of kept) each.fill(0xaa);
    const last = memory.copy(bytes, 0, 700);
    for (const each of kept) each.fill(0xbb);
    expect([...last]).toEqual([...bytes.subarray(0, 700)]);
  });

  it('of no bytes is no view of anything', () => {
    memory.copy(filled(10), 0, 10);
    expect(memory.keep(filled(100), 50, 50).buffer.byteLength).toBe(0);
  });
});

describe('slabs', () => {
  it('are one until it is full, and used again when nobody holds them', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const first = memory.slabFor(100);
    expect(memory.slabFor(Slab.SIZE)).toBe(first);
    first.retain();
    first.used = 1;
    expect(memory.slabFor(Slab.SIZE - 1)).toBe(first);
    const second = memory.slabFor(Slab.SIZE);
    expect(second).not.toBe(first);
    expect(second.bytes.length).toBe(Slab.SIZE);
    first.retain();
    first.release();
    expect([first.used, first.holderCount]).toEqual([1, 1]);
    first.release();
    expect(first.used).toBe(0);
    second.used = Slab.SIZE;
    expect(memory.slabFor(1)).toBe(first);
  });

  it('that nobody holds are kept up to four; the one that is appended to is no spare', () => {
    const made: Uint8Array[] = [];
    const memory = new Memory((size) => {
      made.push(new Uint8Array(size));
      return made.at(-1)!;
    });
    const current = memory.slabFor(10);
    current.retain();
    current.release();
    const taken = Array.from({ length: 6 }, () => memory.takeSlab());
    expect(new Set([current, ...taken]).size).toBe(7);
    // Who takes a slab writes to it alone: nobody finds room in it.
    for (const slab of taken) expect(slab.used).toBe(Slab.SIZE);
    for (const slab of taken) slab.retain();
    for (const slab of taken) slab.release();
    const again = Array.from({ length: 5 }, () => memory.takeSlab());
    expect(again.filter((slab) => taken.includes(slab)).length).toBe(4);
    expect(again).not.toContain(current);
    expect(made.length).toBe(8);
  });

  it('are as large as they should be, whatever an allocator gives', () => {
    const memory = new Memory((size) => new Uint8Array(new ArrayBuffer(2 * size + 100), 50, size + 50));
    for (const bytes of [memory.slabFor(10).bytes, memory.takeSlab().bytes]) {
      expect([bytes.length, bytes.byteOffset]).toEqual([Slab.SIZE, 50]);
    }
    expect(memory.exact(1_000).length).toBe(1_000);
    expect(memory.pooled(4_000).bytes.length).toBe(4_096);
  });
});

it('says of what it allocates whether many payloads will lie in it', () => {
  const asked: [number, boolean][] = [];
  const memory = new Memory((size, shared) => {
    asked.push([size, shared]);
    return new Uint8Array(size);
  });
  memory.copy(filled(20_000), 0, 20_000);
  memory.exact(7);
  expect(asked).toEqual([
    [20_000, false],
    [7, false],
  ]);
  asked.length = 0;
  for (const size of [1, 100, 1_000]) memory.copy(filled(size), 0, size);
  memory.slabFor(1);
  memory.takeSlab();
  memory.pooled(1);
  expect(asked).toEqual([4_096, 16_384, 65_536, Slab.SIZE, Slab.SIZE, 4_096].map((size) => [size, true]));
});

describe('a lender', () => {
  it('is who must be asked before bytes are kept', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const buffer = memory.pooled(100);
    expect(memory.lender(buffer.bytes.buffer)).toBe(buffer);
    const [first, second] = [new ArrayBuffer(10), new ArrayBuffer(10)];
    expect(memory.lender(first)).toBeUndefined();
    for (const each of [first, second, first]) memory.markVolatile(each);
    expect([memory.lender(first), memory.lender(second)]).toEqual([null, null]);
  });

  it('is nobody where an allocator gives parts of one buffer: what is sent from there is copied, and nothing given out twice', () => {
    const arena = new ArrayBuffer(1_000_000);
    let used = 0;
    const memory = new Memory((size) => {
      used += size;
      return new Uint8Array(arena, used - size, size);
    });
    const buffer = memory.pooled(50_000);
    expect([buffer.bytes.length >= 50_000, memory.lender(arena)]).toEqual([true, null]);
    // One that gives more than it is asked for is no different.
    const generous = new Memory((size) => new Uint8Array(size + 1));
    expect(generous.lender(generous.pooled(100).bytes.buffer)).toBe(null);
  });

  it('keeps its memory as long as somebody retains it', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const buffer = memory.pooled(100).retain();
    buffer.release();
    expect(memory.pooled(100)).not.toBe(buffer);
    buffer.release();
    expect(memory.pooled(100)).toBe(buffer);
    buffer.release();
    expect(memory.pooled(100)).toBe(buffer);
  });
});

describe('the pool', () => {
  it('gives at most a quarter and a page more than what is asked for', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    for (let size = 1; size < 3_000_000; size = Math.ceil(size * 1.09)) {
      for (const asked of [size, 4_096 * Math.ceil(size / 4_096), 4_096 * Math.ceil(size / 4_096) + 1]) {
        const { length } = memory.pooled(asked).bytes;
        expect(length).toBeGreaterThanOrEqual(asked);
        expect(length).toBeLessThanOrEqual(1.25 * asked + 4_096);
      }
    }
  });

  it('gives the same memory again, and never to two', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const first = memory.pooled(65_550);
    const second = memory.pooled(65_550);
    expect(second.bytes.buffer).not.toBe(first.bytes.buffer);
    first.release();
    expect(memory.pooled(65_540).bytes.buffer).toBe(first.bytes.buffer);
    expect(memory.pooled(65_540).bytes.buffer).not.toBe(first.bytes.buffer);
  });

  it('never gives out again what is too small, whatever came back before', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    for (let pages = 1; pages <= 200; pages++) {
      for (const given of [pages - 1, pages, pages + 1].map((each) => memory.pooled(4_096 * each + 1))) given.release();
      const { bytes } = memory.pooled(4_096 * pages + 1);
      expect(bytes.length).toBeGreaterThan(4_096 * pages);
    }
  });

  it('counts what lies in it, not what ever came back', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const first = memory.pooled(10_000_000);
    first.release();
    for (let i = 0; i < 20; i++) {
      const again = memory.pooled(10_000_000);
      expect(again).toBe(first);
      again.release();
    }
  });

  it('keeps a bounded amount, and forgets sizes that nobody asks for any more', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const old = Array.from({ length: 60 }, () => memory.pooled(1_000_000));
    for (const buffer of old) buffer.release();
    const buffers = Array.from({ length: 20 }, () => memory.pooled(2_000_000));
    for (const buffer of buffers) buffer.release();
    expect(memory.pooled(2_000_000)).toBe(buffers.at(-1));
    expect(old).not.toContain(memory.pooled(1_000_000));
    // 64 MiB to the byte: not a byte more, and not one less.
    const whole = new Memory((size) => new Uint8Array(size));
    const [most, more] = [whole.pooled(67_108_864), whole.pooled(4_096)];
    most.release();
    expect(whole.pooled(67_108_864)).toBe(most);
    most.release();
    more.release();
    expect(whole.pooled(67_108_864)).not.toBe(most);
    expect(whole.pooled(4_096)).toBe(more);
    // Larger than all of the pool: given out, and not kept.
    const huge = memory.pooled(70_000_000);
    huge.release();
    expect(memory.pooled(70_000_000)).not.toBe(huge);
  });
});

describe('the memory of a process', () => {
  it('is one for each allocator', () => {
    const allocate = (size: number) => new Uint8Array(size);
    expect(Memory.of(allocate)).toBe(Memory.of(allocate));
    expect(Memory.of(allocate)).not.toBe(Memory.of((size) => new Uint8Array(size)));
    expect(Memory.shared).not.toBe(Memory.of(allocate));
    expect([...Memory.shared.copy(filled(20), 3, 9)]).toEqual([...filled(20).subarray(3, 9)]);
  });

  it('knows whom to ask for a buffer: its pooled one, nobody for a volatile one, and none of the others', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const pooled = memory.pooled(100);
    const volatile = [new ArrayBuffer(8), new ArrayBuffer(8)];
    for (const buffer of [...volatile, ...volatile, volatile[1]!]) memory.markVolatile(buffer);
    expect(memory.lender(pooled.bytes.buffer)).toBe(pooled);
    expect(volatile.map((buffer) => memory.lender(buffer))).toEqual([null, null]);
    expect(memory.lender(new ArrayBuffer(8))).toBe(undefined);
    // Whoever sends on what another lent asks its own memory.
    const other = new Memory((size) => new Uint8Array(size));
    expect([other.lender(pooled.bytes.buffer), other.lender(volatile[0]!)]).toEqual([pooled, null]);
  });
});

describe('a payload for keeps, at the borders', () => {
  it('is a view where it pins no more than a copy would, or twice itself, and a copy beyond', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    for (const [size, most] of [
      [64, 4_096],
      [65, 16_384],
      [512, 16_384],
      [513, 65_536],
      [16_384, 65_536],
      [40_000, 80_000],
    ] as const) {
      for (const [length, isView] of [
        [most, true],
        [most + 1, false],
      ] as const) {
        const bytes = filled(length);
        expect(memory.keep(bytes, 1, 1 + size).buffer === bytes.buffer, `${size} of ${length}`).toBe(isView);
        // The array may be short: what is behind it counts.
        const part = new Uint8Array(bytes.buffer, 0, size);
        expect(memory.keep(part, 0, size).buffer === bytes.buffer).toBe(isView);
      }
    }
  });

  it('copied, lies in the slab of its size; a large one by itself', () => {
    for (const [size, slab] of [
      [1, 4_096],
      [64, 4_096],
      [65, 16_384],
      [512, 16_384],
      [513, 65_536],
      [16_384, 65_536],
      [16_385, 16_385],
    ] as const) {
      const memory = new Memory((size) => new Uint8Array(size));
      expect(memory.copy(filled(size), 0, size).buffer.byteLength).toBe(slab);
    }
  });

  it('fills its slab to the last octet before there is another, where an allocator puts it', () => {
    let made = 0;
    const memory = new Memory((size) => {
      made++;
      return new Uint8Array(new ArrayBuffer(size + 30), 20, size);
    });
    const bytes = filled(64);
    const kept = Array.from({ length: 3 * 64 }, () => memory.copy(bytes, 0, 64));
    expect(made).toBe(3);
    for (const { byteOffset } of kept) expect(byteOffset).toBeGreaterThanOrEqual(20);
    kept[0]!.fill(0);
    for (const each of kept.slice(1)) expect(each).toEqual(bytes);
  });
});

describe('the pool, to the octet', () => {
  const ground = new ArrayBuffer(33_554_432);
  const pool = () => new Memory((size) => new Uint8Array(ground, 0, size));

  it('never gives out what is too small, whichever came back last', () => {
    for (let there = 1; there <= 40; there++) {
      for (let asked = 1; asked <= 40; asked++) {
        const memory = pool();
        memory.pooled(4_096 * there).release();
        const { length } = memory.pooled(4_096 * asked).bytes;
        if (length < 4_096 * asked) expect.fail(`${length} for ${asked} pages, where ${there} came back`);
      }
    }
  });

  // Buffers are compared by `===`: to print the difference of two takes minutes.
  it('forgets nothing while it is not full, however often a buffer comes and goes', () => {
    const memory = pool();
    const [rare, often] = [memory.pooled(8_192), memory.pooled(16_777_216)];
    rare.release();
    for (let i = 0; i < 10; i++) {
      often.release();
      expect(memory.pooled(16_777_216) === often).toBe(true);
    }
    expect(memory.pooled(8_192) === rare).toBe(true);
  });

  it('is full with 64 MiB, not before; then it forgets all, and fills anew', () => {
    const HALF = 33_554_432;
    const memory = pool();
    for (let round = 0; round < 3; round++) {
      const [first, second, page] = [memory.pooled(HALF), memory.pooled(HALF), memory.pooled(4_096)];
      first.release();
      second.release();
      expect([memory.pooled(HALF) === second, memory.pooled(HALF) === first]).toEqual([true, true]);
      page.release();
      first.release();
      // The page makes it one too many: what is there is forgotten.
      second.release();
      expect([memory.pooled(HALF) === second, memory.pooled(HALF) === first]).toEqual([true, false]);
      const [other, more] = [memory.pooled(4_096), memory.pooled(8_192)];
      expect(other === page).toBe(false);
      other.release();
      more.release();
      expect([memory.pooled(8_192) === more, memory.pooled(4_096) === other]).toEqual([true, true]);
    }
  });
});
