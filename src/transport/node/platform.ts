/**
 * Node's own text, memory and randomness for the engine. Each part equals the pure one in every result; the suite runs on
 * both. `utf8Write` is not documented for typed arrays, so a start-up check proves it and `TextEncoder` is the fallback.
 */

import { Buffer, isUtf8 } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import { pureText, type TextCodec } from '../../codec/utf8.ts';
import type { Platform } from '../../connection/options.ts';

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

function textCodec(write: Write | null): TextCodec {
  return {
    decode(bytes, start, end) {
      // Short texts are not worth a call into native code (measured).
      if (end - start <= 16) return pureText.decode(bytes, start, end);
      try {
        return decoder.decode(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
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
      return isUtf8(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
    },
  };
}

const hasWellFormed = typeof (String.prototype as { isWellFormed?: unknown }).isWellFormed === 'function';

/** What Node lends every connection. */
export const nodePlatform: Platform = {
  random: (into) => {
    randomFillSync(into);
  },
  allocate: (size) => {
    const { buffer } = Buffer.allocUnsafeSlow(size);
    return new Uint8Array(buffer);
  },
  ...(hasWellFormed ? { text: textCodec(findWrite()) } : {}),
};

/** The same without anything that is not public API. */
export const publicPlatform: Platform = { ...nodePlatform, ...(hasWellFormed ? { text: textCodec(null) } : {}) };
