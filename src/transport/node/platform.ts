/**
 * Node's own text, memory and randomness for the engine. Each part equals the pure one in every result; the suite runs on
 * both. `utf8Write` is not documented for typed arrays, so a start-up check proves it and `TextEncoder` is the fallback.
 */

import { Buffer, isUtf8 } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import { markAsUntransferable } from 'node:worker_threads';
import { pureText, type TextCodec } from '../../codec/utf8.ts';
import { viewOf } from '../../codec/view.ts';
import type { Platform } from '../../connection/options.ts';
import { pureDeflate } from '../../extension/permessage-deflate/permessage-deflate.ts';
import { nodeDeflate } from './zlib.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

type Write = (this: Uint8Array, text: string, at: number, length: number) => number;

/** `buffer.utf8Write`, if it works on a plain typed array on this Node. */
function findWrite(): Write | null {
  const write = (Buffer.prototype as unknown as { utf8Write?: Write }).utf8Write;
  if (typeof write !== 'function') return null;
  try {
    const probe = new Uint8Array(16);
    const wrote = write.call(probe, 'aé€\u{1f600}', 2, 14);
    const expected = encoder.encode('aé€\u{1f600}');
    return wrote === 10 && expected.every((octet, i) => probe[i + 2] === octet) && probe[1] === 0 && probe[12] === 0
      ? write
      : null;
  } catch {
    return null;
  }
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
/** The code units of a text on their way into a string; a longer text gets some of its own. */
const SCRATCH = 65_536;
const scratch = new Uint16Array(SCRATCH);
const scratchBytes: Buffer = Buffer.from(scratch.buffer);

/** Whether one of sixteen octets of the text is not ASCII: this decides which way is the quicker one, and nothing else. */
function seemsForeign(bytes: Uint8Array, start: number, end: number): boolean {
  const step = (end - start) >>> 4;
  for (let i = start; i < end; i += step) if (bytes[i]! >= 0x80) return true;
  return false;
}

/** Valid UTF-8 to a string by way of UTF-16 (measured on Node 20: 1.0 us for 1 KiB of Cyrillic and Chinese, `TextDecoder` 2.8). */
function decodeForeign(bytes: Uint8Array, start: number, end: number): string {
  const size = end - start;
  const units = size <= SCRATCH ? scratch : new Uint16Array(size);
  let to = 0;
  for (let i = start; i < end; ) {
    const first = bytes[i]!;
    if (first < 0x80) {
      units[to++] = first;
      i++;
    } else if (first < 0xe0) {
      units[to++] = ((first & 0x1f) << 6) | (bytes[i + 1]! & 0x3f);
      i += 2;
    } else if (first < 0xf0) {
      units[to++] = ((first & 0x0f) << 12) | ((bytes[i + 1]! & 0x3f) << 6) | (bytes[i + 2]! & 0x3f);
      i += 3;
    } else {
      const rest = ((bytes[i + 1]! & 0x3f) << 12) | ((bytes[i + 2]! & 0x3f) << 6) | (bytes[i + 3]! & 0x3f);
      const point = ((first & 0x07) << 18) | rest;
      units[to++] = 0xd7c0 + (point >>> 10);
      units[to++] = 0xdc00 | (point & 0x3ff);
      i += 4;
    }
  }
  return (units === scratch ? scratchBytes : Buffer.from(units.buffer)).toString('utf16le', 0, 2 * to);
}

function textCodec(write: Write | null): TextCodec {
  return {
    decode(bytes, start, end) {
      // Short texts are not worth a call into native code (measured).
      if (end - start <= 16) return pureText.decode(bytes, start, end);
      const part = viewOf(bytes, start, end);
      // What is no UTF-8 is thrown, and so is what no string can hold.
      try {
        if (littleEndian && seemsForeign(bytes, start, end))
          return isUtf8(part) ? decodeForeign(bytes, start, end) : null;
        return decoder.decode(part);
      } catch {
        return null;
      }
    },
    encodeInto(text, into, at) {
      const { length } = text;
      if (length <= 16) return pureText.encodeInto(text, into, at);
      if (!text.isWellFormed()) return -1;
      if (write !== null) return write.call(into, text, at, into.length - at);
      return encoder.encodeInto(text, into.subarray(at)).written;
    },
    byteLength(text) {
      return text.isWellFormed() ? Buffer.byteLength(text) : -1;
    },
    isValid(bytes, start, end) {
      return isUtf8(viewOf(bytes, start, end));
    },
  };
}

const hasWellFormed = typeof (String.prototype as { isWellFormed?: unknown }).isWellFormed === 'function';

/** What Node lends every connection. */
export const nodePlatform: Platform = {
  random: (into) => {
    randomFillSync(into);
  },
  allocate: (size, shared) => {
    const { buffer } = Buffer.allocUnsafeSlow(size);
    if (shared) markAsUntransferable(buffer);
    return new Uint8Array(buffer);
  },
  deflate: nodeDeflate,
  ...(hasWellFormed ? { text: textCodec(findWrite()) } : {}),
};

/** The same without anything that is not public API. */
export const publicPlatform: Platform = {
  ...nodePlatform,
  deflate: pureDeflate,
  ...(hasWellFormed ? { text: textCodec(null) } : {}),
};
