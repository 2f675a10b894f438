/** The codec against the book: decode(encode) is the identity, and a frame has one encoding only. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../src/codec/byte-queue.ts';
import { type DecoderRules, FrameDecoder, Step } from '../../src/codec/frame-decoder.ts';
import { headerSize, writeHeader } from '../../src/codec/frame-encoder.ts';
import { copyMasked } from '../../src/codec/mask.ts';
import { concat, equal } from '../support/bytes.ts';
import { frame, readFrames } from '../support/frames.ts';
import { cutAt } from '../support/observe.ts';

const LENGTHS = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 32_768, 32_769, 65_534, 65_535, 65_536, 65_537, 100_000];
const anyKey = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const length = fc.oneof(fc.constantFrom(...LENGTHS), fc.nat(400));

function rules(masked: boolean): DecoderRules {
  const none = Number.POSITIVE_INFINITY;
  return { masked, rsvBits: 0x70, maxFrameSize: none, maxMessageSize: none, maxFragments: none };
}

function encode(first: number, payload: Uint8Array, key: number | null): Uint8Array {
  const size = headerSize(payload.length, key !== null);
  const out = new Uint8Array(size + payload.length);
  expect(writeHeader(out, 0, first, payload.length, key !== null, key ?? 0)).toBe(size);
  if (key === null) out.set(payload, size);
  else copyMasked(payload, 0, payload.length, out, size, key);
  return out;
}

function octets(key: number): number[] {
  return [key & 0xff, (key >>> 8) & 0xff, (key >>> 16) & 0xff, (key >>> 24) & 0xff];
}

/** Decodes one data frame out of pieces. */
function decode(pieces: readonly Uint8Array[], masked: boolean): { first: number; payload: Uint8Array } | string {
  const decoder = new FrameDecoder(rules(masked));
  const queue = new ByteQueue();
  for (const piece of pieces) queue.push(piece.slice(), piece.length, false);
  const parts: Uint8Array[] = [];
  for (;;) {
    const step = decoder.next(queue);
    if (step === Step.fault) return decoder.fault!;
    if (step === Step.needBytes) return 'cut';
    parts.push(decoder.bytes.slice(decoder.start, decoder.end));
    if (decoder.lastPiece) {
      return { first: (decoder.fin ? 0x80 : 0) | decoder.messageRsv | decoder.opcode, payload: concat(parts) };
    }
  }
}

describe('decode(encode)', () => {
  it('is the identity for each role, masking key and length class', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x81, 0x82, 0x01, 0x02, 0xc1, 0xf2),
        length,
        fc.option(anyKey),
        fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 4 }),
        fc.nat(255),
        (first, size, key, sizes, salt) => {
          const payload = Uint8Array.from({ length: size }, (_, i) => (i * 31 + salt) & 0xff);
          const wire = encode(first, payload, key);
          const found = decode(cutAt(sizes)(wire), key !== null);
          if (typeof found === 'string') throw new Error(found);
          expect(found.first).toBe(first);
          expect(Buffer.compare(found.payload, payload)).toBe(0);
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each(LENGTHS)('writes the bytes of the book at length %i', (size) => {
    const payload = new Uint8Array(size).fill(0x5a);
    expect(equal(encode(0x82, payload, null), frame({ opcode: 2, payload }))).toBe(true);
    const key = 0x3d21fa37;
    expect(equal(encode(0x82, payload, key), frame({ opcode: 2, payload, key: octets(key) }))).toBe(true);
    expect(equal(readFrames(encode(0x82, payload, key))[0]!.payload, payload)).toBe(true);
  });
});

describe('only one encoding of a frame is accepted', () => {
  it('refuses every length that is not in its shortest form, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<[16 | 64, number]>([16, 125], [64, 125], [64, 65_535], [64, 126]),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        ([lengthBits, most], masked, sizes, part) => {
          const payload = new Uint8Array(Math.floor(part * most));
          const wire = frame({ opcode: 2, payload, lengthBits, key: masked ? [1, 2, 3, 4] : null });
          expect(decode(cutAt(sizes)(wire), masked)).toBe('LENGTH_NOT_MINIMAL');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('so that what was decoded encodes to the same bytes again', () => {
    const head = fc.uint8Array({ minLength: 2, maxLength: 14 });
    fc.assert(
      fc.property(head, fc.boolean(), (start, masked) => {
        const decoder = new FrameDecoder(rules(masked));
        const queue = new ByteQueue();
        const wire = concat([start, new Uint8Array(70_000)]);
        queue.push(wire.slice(), wire.length, false);
        if (decoder.next(queue) !== Step.data) return;
        const size = decoder.end - decoder.start;
        if (!decoder.lastPiece) return;
        const header = decoder.start;
        const key = masked ? new DataView(wire.buffer).getInt32(header - 4, true) : null;
        const first = (decoder.fin ? 0x80 : 0) | decoder.messageRsv | decoder.opcode;
        const again = encode(first, decoder.bytes.slice(decoder.start, decoder.end), key);
        expect(Buffer.compare(again, wire.subarray(0, header + size))).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});
