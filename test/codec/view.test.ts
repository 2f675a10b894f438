/** Views of a part of an array: they are what `subarray` makes, whatever is remembered between them. */
import { describe, expect, it } from 'vitest';
import { sizeBehind, viewOf } from '../../src/codec/view.ts';

function filled(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + 7);
}

describe('viewOf', () => {
  it('shows the range, from arrays by turns, small and too large to be remembered, at an offset and shared', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(80), 5, 60);
    shared.set(filled(60));
    const arrays = [filled(60), new Uint8Array(filled(2 << 20).buffer, 9), new Uint8Array(filled(100).buffer, 3, 60)];
    for (let round = 0; round < 24; round++) {
      const bytes = [...arrays, shared][(round * 3 + (round >> 2)) % 4]!;
      const [start, end] = [round, 60 - round];
      const view = viewOf(bytes, start, Math.max(start, end));
      expect([...view]).toEqual([...bytes.subarray(start, Math.max(start, end))]);
      expect([view.buffer === bytes.buffer, view.byteOffset]).toEqual([true, bytes.byteOffset + start]);
      view[0] = 0xee;
      if (view.length > 0) expect(bytes[start]).toBe(0xee);
    }
  });

  it('shows another range of the same array again', () => {
    const bytes = filled(10);
    expect([viewOf(bytes, 0, 3), viewOf(bytes, 3, 10), viewOf(bytes, 5, 5)].map((view) => [...view])).toEqual([
      [...bytes.subarray(0, 3)],
      [...bytes.subarray(3, 10)],
      [],
    ]);
  });
});

describe('sizeBehind', () => {
  it('is the size of the buffer, remembered or not', () => {
    const part = new Uint8Array(new ArrayBuffer(5_000), 100, 10);
    const large = new Uint8Array(new ArrayBuffer(3 << 20), 0, 10);
    for (const bytes of [part, large, filled(7)]) {
      expect(sizeBehind(bytes)).toBe(bytes.buffer.byteLength);
      viewOf(bytes, 1, 2);
      expect(sizeBehind(bytes)).toBe(bytes.buffer.byteLength);
    }
  });
});
