/** Payloads of many kinds, and `node:zlib` as the oracle of RFC 1951. */

import { constants, createDeflateRaw, deflateRawSync, inflateRawSync, type ZlibOptions } from 'node:zlib';
import fc from 'fast-check';
import type { Inflater } from '../../src/extension/permessage-deflate/codec.ts';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { concat } from '../support/bytes.ts';

export const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);
export const ALL_WINDOWS = [8, 9, 10, 11, 12, 13, 14, 15] as const;
export const ALL_LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

/** JSON of about `size` bytes, the same for the same seed. */
export function json(size: number, seed = 1): Uint8Array {
  let state = seed;
  const next = (most: number) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % most;
  };
  const words = ['trade', 'order', 'price', 'cancel', 'update', 'status', 'alpha', 'naïve', '价格'];
  let text = '[';
  while (text.length < size) {
    const row = {
      id: next(1e9),
      type: words[next(9)],
      price: next(1e7) / 100,
      open: next(2) === 1,
      note: words[next(9)],
    };
    text += `${JSON.stringify(row)},`;
  }
  return new Uint8Array(Buffer.from(text).subarray(0, size));
}

/** Bytes that do not compress. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed | 1;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state >>> 11;
  }
  return bytes;
}

/** One kind of payload each: what the blocks and matches of DEFLATE are chosen by. */
export const kinds: Readonly<Record<string, (size: number) => Uint8Array>> = {
  json: (size) => json(size),
  noise: (size) => noise(size),
  zeros: (size) => new Uint8Array(size),
  period: (size) => Uint8Array.from({ length: size }, (_, i) => (i % 259) & 0xff),
  digits: (size) => noise(size).map((byte) => 48 + (byte % 10)),
  // Each symbol half as often as the one before: the longest codes.
  skewed: (size) => {
    const low = noise(size, 77);
    return noise(size).map((high, i) => 65 + Math.clz32((high << 8) | low[i]!));
  },
  // The same noise again, further back than small windows reach.
  far: (size) => noise(size).map((_, i, all) => (i < 20_000 ? all[i]! : all[i % 20_000]!)),
};

/** Payloads of up to `most` bytes in which things repeat. */
export function payloads(most: number): fc.Arbitrary<Uint8Array> {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.nat(255), fc.integer({ min: 1, max: 700 })).map(([byte, size]) => new Uint8Array(size).fill(byte)),
    fc.tuple(fc.nat(3_000), fc.nat(9)).map(([size, seed]) => json(size, seed + 1)),
    fc.tuple(fc.nat(3_000), fc.nat(3)).map(([size, seed]) => noise(size, seed + 1)),
  );
  return fc.array(part, { maxLength: 8 }).map((parts) => concat(parts).subarray(0, most));
}

/** A message as zlib compresses it, without the tail. */
export function zlibDeflate(message: Uint8Array, options: ZlibOptions = {}): Uint8Array {
  const out = deflateRawSync(message, { ...options, finishFlush: constants.Z_SYNC_FLUSH });
  return new Uint8Array(out.subarray(0, -4));
}

/** Messages as one zlib stream compresses them, each flushed and without its tail: context takeover. */
export async function zlibDeflateAll(messages: readonly Uint8Array[], options: ZlibOptions): Promise<Uint8Array[]> {
  const stream = createDeflateRaw(options);
  const out: Uint8Array[] = [];
  let parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  for (const message of messages) {
    stream.write(message);
    await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    // Nothing to flush gives no output.
    const all = Buffer.concat(parts);
    out.push(message.length === 0 && all.length === 0 ? Uint8Array.of(0) : new Uint8Array(all.subarray(0, -4)));
    parts = [];
  }
  stream.destroy();
  return out;
}

/** What zlib makes of messages that were compressed one after the other: all of them behind each other. */
export function zlibInflate(compressed: readonly Uint8Array[], windowBits = 15): Uint8Array {
  const input = concat(compressed.flatMap((each) => [each, TAIL]));
  return new Uint8Array(inflateRawSync(input, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }));
}

/** Inflates one message, in the given pieces; `null` if it is corrupt. Spoils each piece once it must have been read. */
export function inflate(inflater: Inflater, pieces: readonly Uint8Array[]): Uint8Array | null {
  const out: Uint8Array[] = [];
  pieces.forEach((piece, i) => {
    const lent = piece.slice();
    inflater.write(lent, i === pieces.length - 1);
    for (let read = inflater.read(); read !== null; read = inflater.read()) {
      out.push(read.slice());
      lent.fill(0xee);
    }
    lent.fill(0xee);
  });
  return inflater.corrupt ? null : concat(out);
}

/** One message, whole. */
export function inflateOnce(compressed: Uint8Array, windowBits = 15): Uint8Array | null {
  return inflate(new Inflate(windowBits), [compressed]);
}

export function cutEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length || at === 0; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}
