import { describe, expect, test } from 'vitest';
import { PORTION, Portions } from '../../src/endpoint/portions.ts';

describe('portions', () => {
  test('are small until a peer has taken many without a pause, and then larger', () => {
    const portions = new Portions();
    const sizes = Array.from({ length: 100 }, (_, i) => portions.next(1_000 + 10 * i));
    const small = sizes.indexOf(4 * PORTION);
    expect(new Set(sizes.slice(0, small))).toEqual(new Set([PORTION]));
    expect(new Set(sizes.slice(small))).toEqual(new Set([4 * PORTION]));
    // What a system buffers without anybody reading is no proof: some MiB.
    expect(small * PORTION).toBeGreaterThanOrEqual(8_388_608);
    expect(small).toBeLessThan(50);
  });

  test('are small again behind one that took long', () => {
    const portions = new Portions();
    let now = 0;
    for (let i = 0; i < 100; i++) portions.next(++now);
    expect(portions.next(++now)).toBe(4 * PORTION);
    now += 1_000;
    expect(portions.next(now)).toBe(PORTION);
    expect(portions.next(++now)).toBe(PORTION);
  });
});
