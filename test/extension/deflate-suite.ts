/** What every deflater must do: what it compresses zlib reads and we do, within the window that was agreed on. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Deflater, DeflaterOptions } from '../../src/extension/permessage-deflate/codec.ts';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { concat, equal } from '../support/bytes.ts';
import { ALL_LEVELS, ALL_WINDOWS, inflate, json, kinds, payloads, TAIL, zlibInflate } from './support.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;

export function options(given: Partial<DeflaterOptions> = {}): DeflaterOptions {
  return { windowBits: 15, level: 6, memoryLevel: 8, contextTakeover: true, ...given };
}

export function deflateSuite(make: (options: DeflaterOptions) => Deflater): void {
  describe('one message', () => {
    for (const [kind, payload] of Object.entries(kinds)) {
      test(`${kind}: every level and window, read by zlib and by us within that window`, () => {
        for (const size of [0, 1, 2, 3, 4, 5, 70, 2_000, 70_000]) {
          const message = payload(size);
          for (const level of ALL_LEVELS) {
            for (const windowBits of ALL_WINDOWS) {
              if (level > 6 && windowBits % 3 !== 0 && size > 2_000) continue;
              for (const deflater of [
                make(options({ level, windowBits })),
                make(options({ level, windowBits, contextTakeover: false })),
              ]) {
                const out = deflater.deflate(message, true, NO_LIMIT)!;
                const what = `${size} bytes, level ${level}, ${windowBits} bits`;
                if (!equal(zlibInflate([out], windowBits), message)) expect.fail(what);
                const back = inflate(new Inflate(windowBits), [out]);
                if (back === null || !equal(back, message)) expect.fail(`${what}, by us`);
              }
            }
          }
        }
      });
    }

    test('RFC 7692 section 7.2.3.6: an empty message is one octet', () => {
      expect(make(options()).deflate(new Uint8Array(0), true, NO_LIMIT)).toEqual(Uint8Array.of(0));
      expect(make(options()).deflate(new Uint8Array(0), false, NO_LIMIT)).toEqual(Uint8Array.of(0, 0, 0, 0xff, 0xff));
    });

    test('every memory level', () => {
      for (let memoryLevel = 1; memoryLevel <= 9; memoryLevel++) {
        const out = make(options({ memoryLevel })).deflate(json(30_000), true, NO_LIMIT)!;
        expect(equal(zlibInflate([out]), json(30_000))).toBe(true);
      }
    });
  });

  describe('context takeover', () => {
    test('property: any messages, some of them taken back, leave both sides in step', () => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(payloads(12_000), fc.constantFrom('send', 'send', 'if smaller', 'never', 'reset')), {
            maxLength: 12,
          }),
          fc.constantFrom(...ALL_WINDOWS),
          fc.constantFrom(...ALL_LEVELS),
          fc.integer({ min: 1, max: 9 }),
          (steps, windowBits, level, memoryLevel) => {
            const deflater = make(options({ windowBits, level, memoryLevel }));
            const inflater = new Inflate(windowBits);
            const sent: Uint8Array[] = [];
            const wire: Uint8Array[] = [];
            for (const [message, how] of steps) {
              if (how === 'reset') deflater.reset();
              const most = how === 'if smaller' ? message.length - 1 : how === 'never' ? 0 : NO_LIMIT;
              const out = deflater.deflate(message, true, most);
              if (out === null) continue;
              if (out.length > most) throw new Error('larger than allowed');
              sent.push(message);
              wire.push(out);
              const back = inflate(inflater, [out]);
              if (back === null || !equal(back, message)) throw new Error(`message ${sent.length}`);
            }
            if (!equal(zlibInflate(wire, windowBits), concat(sent))) throw new Error('zlib');
          },
        ),
        { numRuns: 300 },
      );
    });

    test('property: a message in pieces, each readable once it arrived', () => {
      fc.assert(
        fc.property(
          fc.array(payloads(6_000), { minLength: 1, maxLength: 6 }),
          fc.constantFrom(...ALL_WINDOWS),
          fc.boolean(),
          (pieces, windowBits, contextTakeover) => {
            const given = options({ windowBits, contextTakeover });
            const deflater = make(given);
            const inflater = new Inflate(windowBits);
            pieces.forEach((piece, i) => {
              const last = i === pieces.length - 1;
              const out = deflater.deflate(piece, last, NO_LIMIT)!;
              if (!last && !equal(out.subarray(-4), TAIL)) throw new Error('not flushed');
              inflater.write(out, last);
              const parts: Uint8Array[] = [];
              for (let part = inflater.read(); part !== null; part = inflater.read()) parts.push(part.slice());
              if (!equal(concat(parts), piece)) throw new Error(`piece ${i}`);
            });
          },
        ),
        { numRuns: 200 },
      );
    });

    test('a message that was not sent is not referred to', () => {
      for (const size of [900, 5_000, 40_000, 200_000]) {
        const deflater = make(options({ windowBits: 13 }));
        const inflater = new Inflate(13);
        const known = json(3_000);
        expect(inflate(inflater, [deflater.deflate(known, true, NO_LIMIT)!])).toEqual(known);
        expect(deflater.deflate(json(size, 9), true, 10)).toBeNull();
        for (const next of [json(size, 9), known]) {
          expect(equal(inflate(inflater, [deflater.deflate(next, true, NO_LIMIT)!])!, next)).toBe(true);
        }
      }
    });
  });
}
