/**
 * Base64 (RFC 4648 section 4), strict: one text for each value and no other.
 * It knows bytes and characters only.
 */

import { decodeLatin1 } from './text.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PADDING = 0x3d;

/** `bytes` as base64 with padding, without line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  const { length } = bytes;
  const digits = new Uint8Array(4 * Math.ceil(length / 3));
  let at = 0;
  for (let i = 0; i < length; i += 3) {
    // What is behind the end counts as 0.
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    for (let shift = 18; shift >= 0; shift -= 6) digits[at++] = ALPHABET.charCodeAt((group >>> shift) & 63);
  }
  for (let left = (3 - (length % 3)) % 3; left > 0; left--) digits[at - left] = PADDING;
  return decodeLatin1(digits, 0, at);
}

/** The bytes of `text`, or `null` unless it is canonical: only the alphabet, exact padding, unused bits zero. */
export function decodeBase64(text: string): Uint8Array | null {
  const length = text.length;
  if (length % 4 !== 0) return null;
  let padding = 0;
  if (text.charCodeAt(length - 1) === PADDING) padding = text.charCodeAt(length - 2) === PADDING ? 2 : 1;
  const digits = length - padding;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  let at = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < digits; i++) {
    const digit = base64Digit(text.charCodeAt(i));
    if (digit < 0) return null;
    held = (held << 6) | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >>> bits;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 ? bytes : null;
}

/** The value of a base64 digit, or -1 if the code unit is none. */
export function base64Digit(unit: number): number {
  if (unit >= 0x61 && unit <= 0x7a) return unit - 0x61 + 26;
  if (unit >= 0x41 && unit <= 0x5a) return unit - 0x41;
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30 + 52;
  if (unit === 0x2b) return 62;
  return unit === 0x2f ? 63 : -1;
}
