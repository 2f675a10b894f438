/**
 * DEFLATE by Node's own zlib (RFC 7692 over RFC 1951): half the time of the pure code to compress, a third to decompress
 * (measured). What is not public API is used only if a check at first use proves it on this Node; without that the pure code
 * serves.
 */

import type { DeflateCodec, DeflaterOptions, Inflater } from '../../extension/permessage-deflate/codec.ts';
import { pureDeflate } from '../../extension/permessage-deflate/permessage-deflate.ts';
import { NativeDeflate, SeatedDeflate } from './zlib-deflate.ts';
import { callsAsWeDo, concat, OUT_SIZE, TAIL } from './zlib-handle.ts';
import { NativeInflate } from './zlib-inflate.ts';

let proved: boolean | null = null;

/** Whether zlib is driven through its handles on this Node; the pure code serves otherwise. */
export function zlibAvailable(): boolean {
  proved ??= prove();
  return proved;
}

/**
 * DEFLATE by zlib where that is possible, and by the pure code elsewhere. Equal to the pure one but for speed and for how
 * small the output is; and a peer's reference further back than its window is refused only if zlib has forgotten what it
 * refers to.
 */
export const nodeDeflate: DeflateCodec = {
  deflater(options) {
    if (!zlibAvailable()) return pureDeflate.deflater(options);
    return options.contextTakeover ? new SeatedDeflate(options) : new NativeDeflate(options);
  },
  inflater: (windowBits) => (zlibAvailable() ? new NativeInflate(windowBits) : pureDeflate.inflater(windowBits)),
};

/** Bytes that compress, for the check. */
const SAMPLE = /* @__PURE__ */ Uint8Array.from({ length: 600 }, (_, i) => (i % 40) * 5);

/** Whether this Node calls its handles as we do, and they do what they should. */
function prove(): boolean {
  try {
    return callsAsWeDo() && roundTrips();
  } catch {
    return false;
  }
}

/** Two messages with context takeover and a final block are read back; what is corrupt is found, and so is a missing end. */
function roundTrips(): boolean {
  const options: DeflaterOptions = { windowBits: 9, level: 6, memoryLevel: 8, contextTakeover: true };
  const deflater = new NativeDeflate(options);
  const inflater = new NativeInflate(9);
  const first = deflater.deflate(SAMPLE, true, OUT_SIZE);
  const second = deflater.deflate(SAMPLE, true, OUT_SIZE);
  deflater.release();
  if (first === null || second === null || second.length >= first.length) return false;
  const final = Uint8Array.of(0x03, 0x00);
  const flushed = concat(first, TAIL);
  const good = [first, second, flushed, concat(flushed, final), concat(final, first)].every((each) =>
    isSample(inflater, each),
  );
  inflater.release();
  return (
    good &&
    [Uint8Array.of(0xff), first.subarray(0, -3)].every((each) => {
      const damaged = new NativeInflate(9);
      isSample(damaged, each);
      damaged.release();
      return damaged.corrupt;
    })
  );
}

function isSample(inflater: Inflater, message: Uint8Array): boolean {
  inflater.write(message, true);
  let same = true;
  let at = 0;
  for (let piece = inflater.read(); piece !== null; piece = inflater.read()) {
    same &&= piece.every((octet, i) => octet === SAMPLE[at + i]);
    at += piece.length;
  }
  return same && at === SAMPLE.length && !inflater.corrupt;
}
