/** Tokens to blocks (RFC 1951 section 3.2): the one buffer that all compressors write into. */
import { describe, expect, test } from 'vitest';
import {
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  LENGTH_BASE,
  LENGTH_EXTRA,
} from '../../src/extension/permessage-deflate/alphabets.ts';
import { BlockWriter } from '../../src/extension/permessage-deflate/block-writer.ts';
import { equal } from '../support/bytes.ts';
import { seededNumbers } from '../support/random.ts';
import { inflateOnce, noise, zlibInflate } from './support.ts';

/** Writes literals as one block, and the end of a message. */
function write(writer: BlockWriter, bytes: Uint8Array): Uint8Array {
  writer.begin();
  for (let at = 0; at < bytes.length; at += 16_000) {
    const to = Math.min(bytes.length, at + 16_000);
    writer.tokens.set(bytes.subarray(at, to));
    writer.block(to - at, bytes, at, to);
  }
  writer.flush(false);
  return writer.take();
}

const reserved = (writer: BlockWriter) => (writer as unknown as { out: Uint8Array }).out.length;

test('keeps the buffer of a large output, and lets go of that of a huge one when the next begins', () => {
  const writer = new BlockWriter();
  const [small, large, huge] = [noise(100), noise(300_000), noise(1_500_000)];
  for (const message of [small, large, small]) expect(equal(zlibInflate([write(writer, message)]), message)).toBe(true);
  const kept = reserved(writer);
  expect(kept).toBeGreaterThan(300_000);
  const out = write(writer, huge);
  expect(reserved(writer)).toBeGreaterThan(1_500_000);
  expect(equal(zlibInflate([write(writer, small)]), small)).toBe(true);
  expect(reserved(writer)).toBeLessThan(kept);
  // What was given out before is a copy.
  expect(equal(zlibInflate([out]), huge)).toBe(true);
});

test('there is room for all of a block, whatever its tokens are', () => {
  // A bit a token, and two: the first literal, and the first length with the first distance.
  for (const [token, size] of [
    [0, 1],
    [(3 << 16) | 1, 3],
  ] as const) {
    const writer = new BlockWriter();
    const count = 16_384;
    const bytes = new Uint8Array(1 + 4 * count * size);
    writer.begin();
    writer.tokens[0] = 0;
    writer.block(1, bytes, 0, 1);
    writer.tokens.fill(token, 0, count);
    for (let at = 1; at < bytes.length; at += count * size) writer.block(count, bytes, at, at + count * size);
    writer.flush(false);
    expect(equal(zlibInflate([writer.take()]), bytes)).toBe(true);
  }
  // Literals that are not beside each other take a long description.
  for (const apart of [3, 4]) {
    const writer = new BlockWriter();
    const bytes = noise(12_000).map((octet) => octet - (octet % apart));
    expect(equal(zlibInflate([write(writer, bytes)]), bytes)).toBe(true);
    expect(writer.length).toBeGreaterThan(2 * 4_096);
  }
});

describe('RFC 1951: codes no longer than they can be told', () => {
  const next = seededNumbers(7);
  /** Each of the numbers as often as it says, without order. */
  function mixed(often: readonly (readonly [token: number, times: number])[]): number[] {
    const all = often.flatMap(([token, times]) => Array<number>(times).fill(token));
    for (let i = all.length - 1; i > 0; i--) {
      const k = Math.floor(next() * (i + 1));
      [all[i], all[k]] = [all[k]!, all[i]!];
    }
    return all;
  }

  /** Writes one block of such tokens, and reads it. */
  function roundTrip(writer: BlockWriter, tokens: readonly number[], history: Uint8Array): number {
    const wanted = [...history];
    for (const token of tokens) {
      const distance = token & 0xffff;
      if (token < 0x10000) wanted.push(token);
      else for (let i = 0; i < token >>> 16; i++) wanted.push(wanted.at(-distance)!);
    }
    const bytes = Uint8Array.from(wanted);
    writer.begin();
    writer.tokens.set(history);
    writer.block(history.length, bytes, 0, history.length);
    writer.tokens.set(tokens);
    const before = writer.length;
    writer.block(tokens.length, bytes, history.length, bytes.length);
    writer.flush(false);
    const out = writer.take();
    expect(equal(zlibInflate([out]), bytes)).toBe(true);
    expect(equal(inflateOnce(out)!, bytes)).toBe(true);
    return out.length - before;
  }

  // The steepest code of all, if nothing else is as rare as the first two.
  const fibonacci = [1, 1];
  while (fibonacci.length < 19) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);

  test('15 bits for literals and for distances, however steep they are', () => {
    const writer = new BlockWriter();
    // The end of the block comes once, too.
    const literals = mixed(fibonacci.slice(1).map((times, i) => [i * 3, times]));
    expect(roundTrip(writer, literals, noise(100))).toBeLessThan(literals.length / 2.5);
    const distances = mixed(fibonacci.map((times, i) => [(3 << 16) | DISTANCE_BASE[18 - i]!, times]));
    expect(roundTrip(writer, distances, noise(2_000))).toBeLessThan(distances.length);
    // Both at once, the rarest with the most bits behind them, and all of these are 1.
    const farthest = (base: Uint16Array, extra: Uint8Array, symbol: number) =>
      base[symbol]! + (1 << extra[symbol]!) - 1;
    for (let again = 0; again < 8; again++) {
      const both = mixed(
        fibonacci.map((times, i) => {
          const length = farthest(LENGTH_BASE, LENGTH_EXTRA, 27 - i) - (i === 0 ? 1 : 0);
          return [(length << 16) | farthest(DISTANCE_BASE, DISTANCE_EXTRA, 22 - i), times];
        }),
      );
      expect(roundTrip(writer, both, noise(4_096))).toBeLessThan(2 * both.length);
    }
  });

  test('15 bits for a length and 15 for its distance, with all the bits behind them, from every bit of an octet on', () => {
    const farthest = (base: Uint16Array, extra: Uint8Array, symbol: number) =>
      base[symbol]! + (1 << extra[symbol]!) - 1;
    const match = (length: number, distance: number) =>
      (farthest(LENGTH_BASE, LENGTH_EXTRA, length) << 16) | farthest(DISTANCE_BASE, DISTANCE_EXTRA, distance);
    // Each is more than all of those before the last one together: the tree has no choice.
    const lucas = [1, 1, 3, 4];
    while (lucas.length < 15) lucas.push(lucas.at(-1)! + lucas.at(-2)!);
    const often = match(12, 8);
    const rest = mixed([
      [match(12, 23), 1],
      ...lucas.map((times, i) => [match(26 - i, 22 - i), i === 1 ? 0 : times] as const),
    ]);
    const writer = new BlockWriter();
    for (let before = 0; before < 16; before++) {
      const tokens = [...Array<number>(before).fill(often), match(25, 21), ...rest];
      expect(roundTrip(writer, tokens, noise(4_096))).toBeLessThan(2 * tokens.length);
    }
  });

  test('the fixed code for a few tokens, with every length and distance', () => {
    const writer = new BlockWriter();
    for (let symbol = 0; symbol < 26; symbol++) {
      const tokens = [97, (LENGTH_BASE[symbol]! << 16) | DISTANCE_BASE[symbol]!, 98];
      expect(roundTrip(writer, tokens, noise(8_193))).toBeLessThan(12);
    }
  });

  test('runs of lengths of every size', () => {
    const writer = new BlockWriter();
    for (const gap of [1, 2, 3, 4, 9, 10, 11, 12, 137, 138, 139, 149, 150, 200]) {
      const tokens = mixed([
        [0, 500],
        [gap + 1, 400],
        [255, 100],
      ]);
      expect(roundTrip(writer, tokens, noise(50))).toBeLessThan(tokens.length / 4);
    }
    for (let same = 2; same < 24; same++) {
      const tokens = mixed(Array.from({ length: same }, (_, literal) => [literal, 64]));
      expect(roundTrip(writer, tokens, noise(50))).toBeLessThan(0.7 * tokens.length + 20);
    }
  });

  test('the length that is told last, 15, is told where most codes have it', () => {
    // 127 literals that come once, as the end of the block does: a tree of 7 levels, and 8 above it.
    const rare = Array.from({ length: 127 }, (_, i) => [i + Math.floor(i / 3), 1] as const);
    const often = [128, 129];
    while (often.length < 8) often.push(often.at(-1)! + often.at(-2)!);
    const tokens = mixed([...rare, ...often.map((times, i) => [200 + 2 * i, times] as const)]);
    expect(roundTrip(new BlockWriter(), tokens, noise(100))).toBeLessThan(0.5 * tokens.length);
    // The one before it, 1, has nobody: a tree of 13 levels and three as heavy, one of them a match with four distances.
    const deep = [1, 1, 3, 4];
    while (deep.length < 13) deep.push(deep.at(-1)! + deep.at(-2)!);
    const heavy = mixed([
      ...deep.map((times, literal) => [2 * literal, times] as const),
      ...[100, 101].map((literal) => [literal, 844] as const),
      ...[1, 2, 3, 4].map((distance) => [(3 << 16) | distance, 211] as const),
    ]);
    expect(roundTrip(new BlockWriter(), heavy, noise(100))).toBeLessThan(0.5 * heavy.length);
  });

  test('every length is told, also where no two beside each other are the same, and the last one is 1', () => {
    const writer = new BlockWriter();
    const uneven = mixed(Array.from({ length: 256 }, (_, literal) => [literal, literal % 2 === 0 ? 40 : 10] as const));
    expect(roundTrip(writer, uneven, noise(100))).toBeLessThan(0.99 * uneven.length);
    // The longest match is the last symbol of its code.
    const longest = mixed([
      [(258 << 16) | 1, 60],
      [97, 20],
      [98, 10],
    ]);
    expect(roundTrip(writer, longest, noise(100))).toBeLessThan(longest.length / 2);
  });

  test('7 bits for the lengths of codes', () => {
    // How many literals have codes of 2, 3, … 13 bits: most of them have long ones. The end of the block has 13.
    const counts = [1, 2, 1, 5, 7, 7, 7, 15, 20, 34, 50, 99];
    const others = mixed(counts.slice(0, -1).map((count, i) => [i + 2, count]));
    // Not many beside each other, which would be told as runs.
    const lengths = others.flatMap((length, i) => (i < 99 ? [13, length] : [length]));
    const tokens = mixed(lengths.map((length, literal) => [literal, 2 ** (13 - length)]));
    expect(tokens.length).toBe(2 ** 13 - 1);
    expect(roundTrip(new BlockWriter(), tokens, noise(100))).toBeLessThan(tokens.length);
  });
});
