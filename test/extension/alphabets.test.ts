/** The tables of RFC 1951 sections 3.2.5 to 3.2.7, as the RFC prints them. */
import { expect, test } from 'vitest';
import * as alphabets from '../../src/extension/permessage-deflate/alphabets.ts';

/** Extra bits of a run of codes, and the first value of each. */
type Rows = readonly (readonly [extra: number, ...first: number[]])[];

const LENGTHS: Rows = [
  [0, 3, 4, 5, 6, 7, 8, 9, 10],
  [1, 11, 13, 15, 17],
  [2, 19, 23, 27, 31],
  [3, 35, 43, 51, 59],
  [4, 67, 83, 99, 115],
  [5, 131, 163, 195, 227],
  [0, 258],
];
const DISTANCES: Rows = [
  [0, 1, 2, 3, 4],
  [1, 5, 7],
  [2, 9, 13],
  [3, 17, 25],
  [4, 33, 49],
  [5, 65, 97],
  [6, 129, 193],
  [7, 257, 385],
  [8, 513, 769],
  [9, 1025, 1537],
  [10, 2049, 3073],
  [11, 4097, 6145],
  [12, 8193, 12289],
  [13, 16385, 24577],
];

const bases = (rows: Rows) => rows.flatMap(([, ...first]) => first);
const extras = (rows: Rows) => rows.flatMap(([extra, ...first]) => first.map(() => extra));

test('lengths: 29 symbols from 257 on', () => {
  expect([...alphabets.LENGTH_BASE]).toEqual(bases(LENGTHS));
  expect([...alphabets.LENGTH_EXTRA]).toEqual(extras(LENGTHS));
  const base = bases(LENGTHS);
  for (let length = 3; length <= 258; length++) {
    expect(alphabets.LENGTH_SYMBOL[length - 3], `length ${length}`).toBe(base.findLastIndex((each) => each <= length));
  }
  expect(alphabets.LENGTH_SYMBOL.length).toBe(256);
});

test('distances: 30 symbols', () => {
  expect([...alphabets.DISTANCE_BASE]).toEqual(bases(DISTANCES));
  expect([...alphabets.DISTANCE_EXTRA]).toEqual(extras(DISTANCES));
  const base = bases(DISTANCES);
  for (let distance = 1; distance <= 32_768; distance++) {
    if (alphabets.distanceSymbol(distance) !== base.findLastIndex((each) => each <= distance)) {
      expect.fail(`distance ${distance}`);
    }
  }
});

test('the order of code lengths, and the fixed code', () => {
  const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  expect([...alphabets.CODE_LENGTH_ORDER]).toEqual(order);
  const fixed = [Array(144).fill(8), Array(112).fill(9), Array(24).fill(7), Array(8).fill(8)].flat();
  expect([...alphabets.fixedLiteralLengths()]).toEqual(fixed);
});
