/** Node's zlib behind the codec: all that the pure code must do, it must do too. */

import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { Deflater } from '../../src/extension/permessage-deflate/codec.ts';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { nodeDeflate, zlibAvailable } from '../../src/transport/node/zlib.ts';
import { NativeDeflate, type SeatedDeflate } from '../../src/transport/node/zlib-deflate.ts';
import { deflateSuite, options } from '../extension/deflate-suite.ts';
import { inflateSuite } from '../extension/inflate-suite.ts';
import { ALL_WINDOWS, cutEvery, inflate, json, kinds, noise, TAIL, zlibDeflate } from '../extension/support.ts';
import { concat, equal, fromHex } from '../support/bytes.ts';

test('is proved on this Node', () => {
  expect(zlibAvailable()).toBe(true);
});

deflateSuite((given) => new NativeDeflate(given));
describe('for a connection', () => {
  const made: Deflater[] = [];
  deflateSuite((given) => {
    const one = nodeDeflate.deflater(given);
    made.push(one);
    return one;
  });
  afterAll(() => {
    for (const one of made) one.release();
  });
});
inflateSuite((windowBits) => nodeDeflate.inflater(windowBits));

describe('inflate', () => {
  test('output comes in pieces of at most 64 KiB, made one at a time', () => {
    const message = new Uint8Array(3_000_000);
    for (const windowBits of ALL_WINDOWS) {
      const inflater = nodeDeflate.inflater(windowBits);
      inflater.write(zlibDeflate(message, { windowBits }), true);
      let total = 0;
      for (let out = inflater.read(); out !== null; out = inflater.read()) {
        expect(out.length).toBeLessThanOrEqual(65_536);
        expect(out.length).toBeGreaterThan(0);
        total += out.length;
      }
      expect(total).toBe(message.length);
      inflater.release();
    }
  });

  test('a reference further back than the window is refused, or it was still there', () => {
    const message = kinds['far']!(60_000);
    const compressed = zlibDeflate(message);
    for (const windowBits of ALL_WINDOWS) {
      const inflater = nodeDeflate.inflater(windowBits);
      const out = inflate(inflater, [compressed]);
      expect(out === null || equal(out, message)).toBe(true);
      inflater.release();
    }
  });

  test('property: messages in a row, sound or not, are read as the pure code reads them', () => {
    const octet = fc.constantFrom(0, 0, 1, 2, 3, 4, 5, 0x48, 0x4b, 0xcb, 0xf3, 0xff, 0xff);
    const sound = fc
      .record({ size: fc.nat(700), level: fc.nat(9), final: fc.boolean(), cut: fc.constantFrom(0, 4) })
      .map(({ size, level, final, cut }) => {
        const finishFlush = final ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
        const out = new Uint8Array(deflateRawSync(json(size), { level, finishFlush, windowBits: 9 }));
        return out.subarray(0, out.length - cut);
      });
    const message = fc.oneof(
      sound,
      fc.array(octet, { maxLength: 9 }).map((octets) => Uint8Array.from(octets)),
      fc.constantFrom(...['', '03 00', '03 00 00', '03 00 00 00 ff ff', '00 00 ff ff'].map(fromHex)),
    );
    const cut = fc.tuple(message, fc.integer({ min: 1, max: 40 })).map(([bytes, size]) => cutEvery(bytes, size));
    fc.assert(
      fc.property(fc.array(cut, { minLength: 1, maxLength: 6 }), fc.constantFrom(9, 15), (messages, windowBits) => {
        const [ours, pure] = [nodeDeflate.inflater(windowBits), new Inflate(windowBits)];
        for (const pieces of messages) {
          const expected = inflate(pure, pieces);
          expect(inflate(ours, pieces)).toEqual(expected);
          if (expected === null) break;
        }
        ours.release();
      }),
      { numRuns: 1_000 },
    );
  });

  test('T73: behind a final block the window goes on, whatever was in it', () => {
    for (const windowBits of ALL_WINDOWS) {
      for (const before of [
        [json(3)],
        [json(300)],
        [noise(70_000), json(200)],
        [json(5_000, 3), noise(300), json(40_000)],
      ]) {
        for (const size of [1, 50, 100_000]) {
          const [ours, zlib] = [nodeDeflate.deflater(options({ windowBits })), nodeDeflate.inflater(windowBits)];
          const pieces = (bytes: Uint8Array) =>
            Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
          for (const message of before) {
            expect(equal(inflate(zlib, pieces(ours.deflate(message, true, 1e9)!))!, message)).toBe(true);
          }
          // An empty final block ends the stream for zlib; what is behind it refers to what was before it.
          for (const end of [fromHex('03 00'), fromHex('01 00 00 ff ff')]) {
            const out = ours.deflate(before.at(-1)!, true, 1e9)!;
            const whole = inflate(zlib, pieces(concat([end, out])));
            expect(whole !== null && equal(whole, before.at(-1)!)).toBe(true);
          }
          ours.release();
          zlib.release();
        }
      }
    }
  });

  test('T33: many final blocks in one message cost what they are', () => {
    const inflater = nodeDeflate.inflater(15);
    expect(inflate(inflater, [zlibDeflate(json(40_000))])).toHaveLength(40_000);
    const blocks = new Uint8Array(200_000);
    for (let i = 0; i < blocks.length; i += 2) blocks[i] = 3;
    expect(inflate(inflater, [blocks])).toHaveLength(0);
    expect(inflate(inflater, [zlibDeflate(json(400))])).toEqual(json(400));
  });

  test('the tail in full, in any pieces', () => {
    const whole = concat([zlibDeflate(json(300)), TAIL]);
    for (let at = 0; at <= whole.length; at++) {
      const inflater = nodeDeflate.inflater(15);
      for (let i = 0; i < 2; i++) {
        expect(inflate(inflater, [whole.subarray(0, at), whole.subarray(at)])).toEqual(json(300));
        expect(inflate(inflater, [whole.subarray(0, at), whole.subarray(at), new Uint8Array(0)])).toEqual(json(300));
      }
      inflater.release();
    }
  });

  test('what is corrupt stays so, and may be released twice', () => {
    const inflater = nodeDeflate.inflater(15);
    expect(inflate(inflater, [fromHex('ff')])).toBeNull();
    inflater.write(zlibDeflate(json(100)), true);
    expect(inflater.read()).toBeNull();
    expect(inflater.corrupt).toBe(true);
    inflater.release();
    inflater.release();
  });
});

describe('T78: who has a compressor of zlib', () => {
  const seated = (each: unknown) => (each as { seated: boolean }).seated;
  const make = () => nodeDeflate.deflater(options({ windowBits: 12 })) as SeatedDeflate;

  test('not an idle connection: its memory is that of the pure code', () => {
    const deflater = make();
    for (let i = 0; i < 60; i++) deflater.deflate(json(1_024, i + 1), true, 1e9);
    expect(seated(deflater)).toBe(false);
    for (let i = 0; i < 5; i++) deflater.deflate(json(1_024, i + 1), true, 1e9);
    expect(seated(deflater)).toBe(true);
    deflater.release();
    expect(seated(deflater)).toBe(false);
  });

  test('of three hundred that take turns at most 128, and each is read all the time', () => {
    const pairs = Array.from({ length: 300 }, () => ({ deflater: make(), inflater: nodeDeflate.inflater(12) }));
    const everSeated = new Set<number>();
    for (let round = 0; round < 30; round++) {
      pairs.forEach(({ deflater, inflater }, i) => {
        const message = json(8_000, round + 1);
        const out = inflate(inflater, [deflater.deflate(message, true, 1e9)!]);
        if (out === null || !equal(out, message)) expect.fail(`connection ${i}, round ${round}`);
        if (seated(deflater)) everSeated.add(i);
      });
      expect(pairs.filter(({ deflater }) => seated(deflater)).length).toBeLessThanOrEqual(128);
    }
    expect(everSeated.size).toBeGreaterThan(128);
    for (const { deflater, inflater } of pairs) {
      deflater.release();
      inflater.release();
    }
  });

  test('the busy ones keep it', () => {
    const busy = Array.from({ length: 100 }, make);
    for (let round = 0; round < 10; round++) for (const each of busy) each.deflate(json(8_000), true, 1e9);
    expect(busy.every(seated)).toBe(true);
    const idle = Array.from({ length: 28 }, make);
    for (const each of idle) each.deflate(json(70_000), true, 1e9);
    expect(idle.every(seated)).toBe(true);
    const late = make();
    for (let round = 0; round < 400; round++) {
      for (const each of busy) each.deflate(json(100), true, 1e9);
      late.deflate(json(8_000), true, 1e9);
    }
    expect(seated(late)).toBe(true);
    expect(busy.filter(seated).length).toBe(100);
    expect(idle.filter(seated).length).toBe(27);
    for (const each of [...busy, ...idle, late]) each.release();
    const fresh = Array.from({ length: 128 }, make);
    for (const each of fresh) each.deflate(json(70_000), true, 1e9);
    expect(fresh.every(seated)).toBe(true);
    for (const each of fresh) each.release();
  });
});

describe('deflate', () => {
  test('takes over its context, and without takeover none', () => {
    const dedicated = new NativeDeflate(options());
    const shared = nodeDeflate.deflater(options({ contextTakeover: false }));
    const first = dedicated.deflate(json(1_000), true, 1e9)!;
    expect(dedicated.deflate(json(1_000), true, 1e9)!.length).toBeLessThan(first.length / 20);
    expect(shared.deflate(json(1_000), true, 1e9)).toEqual(first);
    expect(shared.deflate(json(1_000), true, 1e9)).toEqual(first);
    shared.release();
    dedicated.release();
  });

  test('output of every size around the buffer', () => {
    const deflater = nodeDeflate.deflater(options({ contextTakeover: false }));
    const inflater = nodeDeflate.inflater(15);
    for (let size = 65_480; size < 65_560; size++) {
      const message = noise(size);
      for (const last of [true, false]) {
        const out = deflater.deflate(message, last, 1e9)!;
        inflater.write(out, last);
        let total = 0;
        for (let piece = inflater.read(); piece !== null; piece = inflater.read()) total += piece.length;
        expect(total).toBe(size);
        if (!last) {
          inflater.write(Uint8Array.of(0), true);
          expect(inflater.read()).toBeNull();
        }
        expect(inflater.corrupt).toBe(false);
      }
    }
  });
});
