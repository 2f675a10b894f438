/** What every inflater must do, against zlib: whatever it compresses is read, in any pieces; whatever it refuses is refused. */

import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Inflater } from '../../src/extension/permessage-deflate/codec.ts';
import { concat, equal, fromHex } from '../support/bytes.ts';
import {
  ALL_WINDOWS,
  cutEvery,
  inflate,
  json,
  kinds,
  noise,
  payloads,
  TAIL,
  zlibDeflate,
  zlibDeflateAll,
  zlibInflate,
} from './support.ts';

const STRATEGIES = {
  default: constants.Z_DEFAULT_STRATEGY,
  filtered: constants.Z_FILTERED,
  huffman: constants.Z_HUFFMAN_ONLY,
  rle: constants.Z_RLE,
  fixed: constants.Z_FIXED,
};

/** Bits in the order of the stream, as octets. */
function bits(...groups: readonly (readonly [value: number, size: number])[]): Uint8Array {
  const out: number[] = [];
  let at = 0;
  for (const [value, size] of groups) {
    for (let i = 0; i < size; i++, at++) out[at >> 3] = (out[at >> 3] ?? 0) | (((value >>> i) & 1) << (at & 7));
  }
  return Uint8Array.from(out);
}

/** A dynamic block whose header says these code lengths of code lengths (in the order of section 3.2.7), and then goes on. */
function dynamic(
  literals: number,
  distances: number,
  order: readonly number[],
  ...rest: [number, number][]
): Uint8Array {
  return bits(
    [4, 3],
    [literals - 257, 5],
    [distances - 1, 5],
    [order.length - 4, 4],
    ...order.map((length) => [length, 3] as [number, number]),
    ...rest,
  );
}

export function inflateSuite(make: (windowBits: number) => Inflater): void {
  /** One message, whole. */
  function once(compressed: Uint8Array, windowBits = 15): Uint8Array | null {
    const inflater = make(windowBits);
    const out = inflate(inflater, [compressed]);
    inflater.release();
    return out;
  }

  describe('what zlib compresses', () => {
    for (const [kind, make] of Object.entries(kinds)) {
      for (const [name, strategy] of Object.entries(STRATEGIES)) {
        test(`${kind}, strategy ${name}, all levels and sizes`, () => {
          for (const level of [0, 1, 6, 9]) {
            for (const size of [0, 1, 2, 3, 60, 1_000, 40_000, 90_000]) {
              const message = make(size);
              const out = once(zlibDeflate(message, { level, strategy }));
              if (out === null || !equal(out, message)) expect.fail(`level ${level}, ${size} bytes`);
            }
          }
        });
      }
    }

    test('every window and every memory level', () => {
      for (const make of [kinds['json']!, kinds['far']!]) {
        const message = make(50_000);
        for (const windowBits of ALL_WINDOWS) {
          for (let memLevel = 1; memLevel <= 9; memLevel++) {
            const compressed = zlibDeflate(message, { windowBits, memLevel });
            const out = once(compressed, windowBits);
            if (out === null || !equal(out, message)) expect.fail(`${windowBits} bits, memory level ${memLevel}`);
          }
        }
      }
    });

    test('streams that are flushed in every way in the middle', async () => {
      const { Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK } = constants;
      const parts = [json(3_000), noise(500), new Uint8Array(0), json(3_000, 5), new Uint8Array(70_000)];
      const { createDeflateRaw } = await import('node:zlib');
      for (const kind of [Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK]) {
        const stream = createDeflateRaw();
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        for (const part of parts) {
          stream.write(part);
          await new Promise<void>((resolve) => stream.flush(kind, () => resolve()));
        }
        await new Promise<void>((resolve) => stream.flush(Z_SYNC_FLUSH, () => resolve()));
        const compressed = new Uint8Array(Buffer.concat(chunks).subarray(0, -4));
        expect(equal(once(compressed)!, concat(parts)), `flush ${kind}`).toBe(true);
      }
    });

    test('messages with context takeover, at every window', async () => {
      const messages = [
        json(300),
        json(310, 2),
        new Uint8Array(0),
        noise(40_000),
        json(300),
        new Uint8Array(100_000),
        json(5),
      ];
      for (const windowBits of ALL_WINDOWS) {
        const inflater = make(windowBits);
        const compressed = await zlibDeflateAll(messages, { windowBits });
        compressed.forEach((each, i) => {
          expect(equal(inflate(inflater, [each])!, messages[i]!), `${windowBits} bits, message ${i}`).toBe(true);
        });
      }
    });

    test('property: any messages, any options, any pieces, any context', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(payloads(20_000), { minLength: 1, maxLength: 4 }),
          fc.record({
            windowBits: fc.constantFrom(...ALL_WINDOWS),
            level: fc.integer({ min: 0, max: 9 }),
            memLevel: fc.integer({ min: 1, max: 9 }),
            strategy: fc.constantFrom(...Object.values(STRATEGIES)),
          }),
          fc.integer({ min: 1, max: 2_000 }),
          async (messages, options, size) => {
            const compressed = await zlibDeflateAll(messages, options);
            const inflater = make(options.windowBits);
            compressed.forEach((each, i) => {
              const out = inflate(inflater, cutEvery(each, size));
              if (out === null || !equal(out, messages[i]!)) throw new Error(`message ${i}`);
            });
          },
        ),
        { numRuns: 150 },
      );
    });
  });

  describe('pieces', () => {
    test('every cut in two, and octet by octet, of every kind of block', () => {
      for (const [kind, payload] of Object.entries(kinds)) {
        for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY]) {
          const message = payload(400);
          const compressed = zlibDeflate(message, { strategy });
          for (let at = 0; at <= compressed.length; at++) {
            const out = inflate(make(15), [compressed.subarray(0, at), compressed.subarray(at)]);
            if (out === null || !equal(out, message)) expect.fail(`${kind}, cut at ${at}`);
          }
          expect(inflate(make(15), cutEvery(compressed, 1))).toEqual(message);
        }
      }
    });

    test('empty pieces anywhere change nothing', () => {
      const message = json(900);
      const pieces = cutEvery(zlibDeflate(message), 7).flatMap((piece) => [
        new Uint8Array(0),
        piece,
        new Uint8Array(0),
      ]);
      expect(inflate(make(15), pieces)).toEqual(message);
    });

    test('literals and longest matches in turn, ending everywhere in the buffer', () => {
      const known = noise(258);
      for (let lead = 0; lead < 260; lead++) {
        const parts = [noise(lead, 5), known];
        for (let i = 0; i < 40; i++) parts.push(Uint8Array.of((i * 7) ^ known[0]! ^ 0x55), known);
        const message = concat(parts);
        for (const windowBits of [9, 10, 12]) {
          const out = once(zlibDeflate(message, { windowBits, level: 9 }), windowBits);
          if (out === null || !equal(out, message)) expect.fail(`${lead} octets before, ${windowBits} bits`);
        }
      }
    });

    test('a reset forgets the window, and the next message needs none', () => {
      const inflater = make(15);
      const compressed = zlibDeflate(json(900));
      for (let i = 0; i < 5; i++) {
        inflater.reset();
        expect(inflate(inflater, [compressed])).toEqual(json(900));
      }
      // A distance of 1 at the very start: only without history is it corrupt.
      const back = fromHex('03 02 00');
      expect(inflate(inflater, [back])).not.toBeNull();
      inflater.reset();
      expect(inflate(inflater, [back])).toBeNull();
    });
  });

  describe('RFC 1951: what is corrupt', () => {
    const wrong: readonly (readonly [name: string, bytes: Uint8Array])[] = [
      ['T76: the reserved block type', fromHex('ff ff ff ff')],
      ['the reserved block type, not final', fromHex('06')],
      ['NLEN that is not the complement of LEN', fromHex('00 05 00 fb ff 48 65 6c 6c 6f 00')],
      ['T76: a reference before the window', fromHex('03 02 00')],
      ['a reference one octet too far', bits([2, 3], [0b00001110, 8], [0x40, 7], [0b10000, 5], [0, 7], [0, 3])],
      ['the literal symbol 286', bits([2, 3], [0b01100011, 8], [0, 7], [0, 3])],
      ['the distance symbol 30', bits([2, 3], [0b00001110, 8], [0x40, 7], [0b01111, 5], [0, 7], [0, 3])],
      ['287 literal codes', dynamic(287, 1, [0, 0, 0, 1])],
      ['31 distance codes', dynamic(257, 31, [0, 0, 0, 1])],
      ['an over-subscribed code of code lengths', dynamic(257, 1, [1, 1, 1, 0])],
      ['an incomplete code of code lengths', dynamic(257, 1, [0, 0, 2, 2])],
      ['no code of code lengths', dynamic(257, 1, [0, 0, 0, 0], ...(Array(30).fill([0, 16]) as [number, number][]))],
      ['a repetition with nothing before it', dynamic(257, 1, [1, 0, 1, 0], [0, 1], [0, 2], [0, 16])],
      // 18 twice: 138 + 138 > 258
      ['lengths that run over their end', dynamic(257, 1, [0, 0, 1, 1], [1, 1], [127, 7], [1, 1], [127, 7])],
      // 138 zeros, 120 zeros: no code for the end of the block
      ['no end of the block', dynamic(257, 1, [0, 0, 1, 1], [1, 1], [127, 7], [1, 1], [109, 7])],
    ];
    test.each(wrong)('%s', (_, bytes) => {
      expect(once(bytes)).toBeNull();
      expect(inflate(make(15), cutEvery(bytes, 1))).toBeNull();
      expect(() => zlibInflate([bytes])).toThrow();
    });

    test('a single distance code of one bit is allowed', () => {
      const ones = new Uint8Array(40).fill(97);
      const compressed = zlibDeflate(ones, { strategy: constants.Z_RLE });
      expect(once(compressed)).toEqual(ones);
    });

    test('T76: a message that ends inside a block', () => {
      for (const strategy of [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED]) {
        const compressed = zlibDeflate(json(700), { strategy });
        let refused = 0;
        for (let size = 1; size < compressed.length; size++) {
          if (once(compressed.subarray(0, size)) === null) refused++;
        }
        // A cut that leaves the tail to be read as the end of a block cannot be told.
        expect(refused).toBeGreaterThanOrEqual(compressed.length - 3);
      }
      expect(once(fromHex('00 05 00 fa ff 48 65'))).toBeNull();
      expect(once(fromHex('00 05 00 fa ff'))).toBeNull();
      // The tail would be the rest of the block, or the beginning of one.
      expect(once(fromHex('00 05 00 fa ff 48'))).toBeNull();
      expect(once(fromHex('00 05 00 fa ff 48 65 6c 6c 6f'))).toBeNull();
    });

    test('T76: a final stored block that lacks as many octets as the tail has', () => {
      const bytes = fromHex('01 05 00 fa ff 48 65 6c 6c 6f');
      expect(once(bytes)).toEqual(fromHex('48 65 6c 6c 6f'));
      for (const size of [9, 8, 7, 6]) {
        expect(once(bytes.subarray(0, size))).toBeNull();
        expect(inflate(make(15), cutEvery(bytes.subarray(0, size), 1))).toBeNull();
      }
    });

    test('T76: a message that is the tail and nothing else, as the first one and later', () => {
      for (const size of [1, 2, 4]) {
        expect(inflate(make(15), cutEvery(TAIL, size))).toBeNull();
        expect(inflate(make(15), [...cutEvery(TAIL, size), new Uint8Array(0)])).toBeNull();
        const inflater = make(15);
        expect(inflate(inflater, [zlibDeflate(json(300))])).toEqual(json(300));
        expect(inflate(inflater, cutEvery(TAIL, size))).toBeNull();
      }
    });

    test('property: damaged data is refused where zlib refuses it, and otherwise means the same', () => {
      let accepted = 0;
      fc.assert(
        fc.property(
          payloads(3_000),
          fc.constantFrom(...Object.values(STRATEGIES)),
          fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
          fc.integer({ min: 1, max: 64 }),
          (message, strategy, damage, size) => {
            const bytes = zlibDeflate(message, { strategy });
            for (const [at, flip] of damage) bytes[at % bytes.length]! ^= flip;
            const ours = once(bytes);
            const cut = inflate(make(15), cutEvery(bytes, size));
            if ((ours === null) !== (cut === null) || (ours !== null && !equal(ours, cut!)))
              throw new Error('cuts matter');
            let theirs: Uint8Array | null = null;
            try {
              theirs = zlibInflate([bytes]);
            } catch {}
            if (theirs === null && ours !== null) throw new Error('zlib refuses it');
            // zlib stops behind a final block; a message goes on.
            if (ours !== null && !equal(ours.subarray(0, theirs!.length), theirs!))
              throw new Error('zlib reads it differently');
            if (ours !== null) accepted++;
          },
        ),
        { numRuns: 2_000 },
      );
      expect(accepted).toBeGreaterThan(0);
    });

    test('property: arbitrary octets never throw and never loop', () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 }), (pieces) => {
          const whole = once(concat(pieces));
          const cut = inflate(make(15), pieces);
          expect(cut === null).toBe(whole === null);
          if (whole !== null) expect(equal(cut!, whole)).toBe(true);
        }),
        { numRuns: 2_000 },
      );
    });
  });

  describe('RFC 7692 section 7.2.3.4: final blocks inside a message', () => {
    const finished = new Uint8Array(deflateRawSync(json(500)));

    test('T73: twice in one message, the window going on', () => {
      const inflater = make(15);
      const twice = concat([finished, finished, Uint8Array.of(0)]);
      expect(inflate(inflater, [twice])).toEqual(concat([json(500), json(500)]));
      expect(inflate(inflater, cutEvery(twice, 1))).toEqual(concat([json(500), json(500)]));
      expect(inflate(inflater, [zlibDeflate(json(300))])).toEqual(json(300));
    });

    test('T73: without the empty block behind it', () => {
      const inflater = make(15);
      for (let i = 0; i < 3; i++) expect(inflate(inflater, [finished])).toEqual(json(500));
      expect(inflate(inflater, [zlibDeflate(json(300))])).toEqual(json(300));
    });

    test('a stored final block, and one that ends at the end of an octet', () => {
      const stored = new Uint8Array(deflateRawSync(json(300), { level: 0 }));
      const inflater = make(15);
      expect(inflate(inflater, [stored])).toEqual(json(300));
      expect(inflate(inflater, [concat([stored, Uint8Array.of(0)])])).toEqual(json(300));
      expect(inflate(inflater, [concat([stored, stored, zlibDeflate(json(300))])])).toHaveLength(900);
    });

    test('T77: an empty message behind one that ended with a final block', () => {
      for (const pieces of [[finished], cutEvery(finished, 1)]) {
        const inflater = make(15);
        expect(inflate(inflater, pieces)).toEqual(json(500));
        expect(inflate(inflater, [new Uint8Array(0)])).toHaveLength(0);
        expect(inflate(inflater, [zlibDeflate(json(300))])).toEqual(json(300));
      }
    });

    test('the tail may be sent in full, too, but only behind the first three bits of its block', () => {
      expect(once(concat([zlibDeflate(json(300)), TAIL]))).toEqual(json(300));
      expect(once(concat([finished, Uint8Array.of(0), TAIL]))).toEqual(json(500));
      expect(once(concat([finished, TAIL]))).toBeNull();
      expect(inflate(make(15), cutEvery(concat([finished, TAIL]), 1))).toBeNull();
    });
  });
}
