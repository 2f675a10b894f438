/** Where payloads live: what one that is kept pins, and what the pool gives out. */
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
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
    expect(memory.keep(filled(100), 50, 50).buffer.byteLength).toBe(0);
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

  it('keeps a bounded amount, and forgets sizes that nobody asks for any more', () => {
    const memory = new Memory((size) => new Uint8Array(size));
    const old = Array.from({ length: 60 }, () => memory.pooled(1_000_000));
    for (const buffer of old) buffer.release();
    const buffers = Array.from({ length: 20 }, () => memory.pooled(2_000_000));
    for (const buffer of buffers) buffer.release();
    expect(memory.pooled(2_000_000)).toBe(buffers.at(-1));
    expect(old).not.toContain(memory.pooled(1_000_000));
    // Larger than all of the pool: given out, and not kept.
    const huge = memory.pooled(70_000_000);
    huge.release();
    expect(memory.pooled(70_000_000)).not.toBe(huge);
  });
});
