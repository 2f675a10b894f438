/**
 * Base64 (RFC 4648 section 4), strict: one text for each value and no other.
 * It knows bytes and characters only.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** `bytes` as base64 with padding, without line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  const whole = bytes.length - (bytes.length % 3);
  let i = 0;
  for (; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    text += ALPHABET[group >>> 18]! + ALPHABET[(group >>> 12) & 63]! + ALPHABET[(group >>> 6) & 63]!;
    text += ALPHABET[group & 63]!;
  }
  if (bytes.length - i === 1) {
    const group = bytes[i]!;
    text += `${ALPHABET[group >>> 2]!}${ALPHABET[(group & 3) << 4]!}==`;
  } else if (bytes.length - i === 2) {
    const group = (bytes[i]! << 8) | bytes[i + 1]!;
    text += `${ALPHABET[group >>> 10]!}${ALPHABET[(group >>> 4) & 63]!}${ALPHABET[(group & 15) << 2]!}=`;
  }
  return text;
}

/** The bytes of `text`, or `null` unless it is canonical: only the alphabet, exact padding, unused bits zero. */
export function decodeBase64(text: string): Uint8Array | null {
  const length = text.length;
  if (length % 4 !== 0) return null;
  let padding = 0;
  if (text.charCodeAt(length - 1) === 0x3d) padding = text.charCodeAt(length - 2) === 0x3d ? 2 : 1;
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
