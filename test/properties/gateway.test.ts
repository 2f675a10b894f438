/** What a backend sends to the gateway, around every bound that there is, in any cuts: the oracle of the fuzzer's target agrees. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { gatewayFraming } from '../../fuzz/targets/gateway.ts';

/** In an input: KiB of an octet. */
const RUN = 0x1b;

/** A message below, at or above the limits of the target, as the stream is written in its input. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map((bytes) => [...bytes]),
  fc.constantFrom(0, 1, 2, 8, 9, 10, 199, 200, 201).map((size) => new Array<number>(size).fill(0x61)),
  fc.tuple(fc.constantFrom(1, 63, 64, 65), fc.constantFrom(0, 1)).map(([kib, more]) => {
    return [RUN, kib, 0x61, ...new Array<number>(more).fill(0x61)];
  }),
  fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => [...Buffer.from(text)]),
);

function sizeOf(written: readonly number[]): number {
  return written[0] === RUN ? 1_024 * written[1]! + written.length - 3 : written.length;
}

/** As one of the framings: nul, line, length-prefixed, chunk. */
function framed(framing: number, written: readonly number[]): number[] {
  if (framing === 3) return [...written];
  if (framing < 2) return [...written, framing === 0 ? 0 : 10];
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(sizeOf(written));
  return [...prefix, ...written];
}

it('T93: messages around the limits, in every framing, cut anywhere', { timeout: 60_000 }, () => {
  let runs = 0;
  fc.assert(
    fc.property(
      fc.nat({ max: 3 }),
      fc.nat({ max: 15 }),
      fc.nat({ max: 7 }),
      fc.uint8Array({ minLength: 1, maxLength: 7 }),
      fc.array(content, { maxLength: 5 }),
      fc.nat({ max: 3 }),
      (framing, mode, limit, cuts, messages, missing) => {
        const stream = messages.flatMap((each) => framed(framing, each));
        const head = [framing | (mode << 2) | ((mode & 3) << 6), limit, cuts.length, ...cuts];
        gatewayFraming(Uint8Array.from([...head, ...stream.slice(0, stream.length - missing)]));
        runs++;
      },
    ),
    { numRuns: 300 },
  );
  expect(runs).toBe(300);
});
