/**
 * UTF-8 in plain TypeScript (RFC 6455 section 8.1, RFC 3629): whole texts, and a validator that takes a text piece by piece.
 * `pureText` is the fallback, and the oracle, of the codec a platform injects. This file knows no frame, no fault and no
 * platform: it says yes or no, and the caller decides what that means.
 */

/** What the engine needs of a text codec. A platform may inject a faster one that gives the same answers. */
export interface TextCodec {
  /** The text of `bytes[start..end)`, or `null` if they are not UTF-8. A byte order mark is kept: it is part of the text. */
  decode(bytes: Uint8Array, start: number, end: number): string | null;
  /**
   * Writes `text` into `into` from `at` on. The caller guarantees room for `3 * text.length` bytes.
   *
   * @returns the number of bytes written, or -1 if the text has a lone surrogate; what lies after `at` is garbage then
   */
  encodeInto(text: string, into: Uint8Array, at: number): number;
  /** The number of bytes that `text` takes, or -1 if it has a lone surrogate. */
  byteLength(text: string): number;
  /** Whether `bytes[start..end)` are UTF-8: whole code points, none of them overlong, a surrogate or above U+10FFFF. */
  isValid(bytes: Uint8Array, start: number, end: number): boolean;
}

/** The codec that needs no platform. Linear in the length, and strict in both directions. */
export const pureText: TextCodec = { decode, encodeInto, byteLength, isValid };

/** Code units turned into a string at once: far below any engine's limit on arguments; more gains nothing (measured). */
const BATCH = 1024;

/** Scratch of `decode`: a plain array of small integers, the form that is passed on as arguments fastest (measured). */
const units: number[] = /* @__PURE__ */ new Array<number>(BATCH).fill(0);

// What may come next: a lead byte, or a number of continuation bytes of which the first may be restricted.
const LEAD = 0;
const ONE_MORE = 1;
const TWO_MORE = 2;
const THREE_MORE = 3;
const AFTER_E0 = 4;
const AFTER_ED = 5;
const AFTER_F0 = 6;
const AFTER_F4 = 7;
const REJECTED = 8;

/**
 * Validates a text that comes in pieces, however it was cut. It rejects at the first byte that no continuation could
 * repair, so that a text can fail in the middle of a frame. Its state is one small integer.
 *
 * @example
 * const validator = new Utf8Validator();
 * validator.push(Uint8Array.of(0xe2, 0x82), 0, 2); // true, but not complete
 * validator.push(Uint8Array.of(0xac), 0, 1); // true, and complete: U+20AC
 */
export class Utf8Validator {
  private state = LEAD;

  /** Takes `bytes[start..end)`. False as soon as a byte cannot be UTF-8, and from then on until {@link reset}. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let state = this.state;
    let i = start;
    while (state !== LEAD && i < end) {
      state = advance(state, bytes[i++]!);
      if (state === REJECTED) break;
    }
    if (state === LEAD) {
      // After the whole code points comes a cut one, of at most three bytes, or a bad byte within the next four.
      for (i = scan(bytes, i, end); i < end && state !== REJECTED; i++) state = advance(state, bytes[i]!);
    }
    this.state = state;
    return state !== REJECTED;
  }

  /** Whether all bytes so far are whole code points: a text may end here. */
  get complete(): boolean {
    return this.state === LEAD;
  }

  /** Begins a new text. */
  reset(): void {
    this.state = LEAD;
  }

  /** A validator that goes on from here by itself. */
  clone(): Utf8Validator {
    const copy = new Utf8Validator();
    copy.state = this.state;
    return copy;
  }
}

/** One step of the automaton of RFC 3629 section 4. */
function advance(state: number, byte: number): number {
  switch (state) {
    case LEAD: // Never ASCII: `scan` has taken it.
      if (byte < 0xc2) return REJECTED; // A continuation byte, or C0 and C1: overlong.
      if (byte < 0xe0) return ONE_MORE;
      if (byte < 0xf0) return byte === 0xe0 ? AFTER_E0 : byte === 0xed ? AFTER_ED : TWO_MORE;
      if (byte < 0xf4) return byte === 0xf0 ? AFTER_F0 : THREE_MORE;
      return byte === 0xf4 ? AFTER_F4 : REJECTED;
    case ONE_MORE:
      return (byte & 0xc0) === 0x80 ? LEAD : REJECTED;
    case TWO_MORE:
      return (byte & 0xc0) === 0x80 ? ONE_MORE : REJECTED;
    case THREE_MORE:
      return (byte & 0xc0) === 0x80 ? TWO_MORE : REJECTED;
    case AFTER_E0: // Below A0: overlong.
      return (byte & 0xe0) === 0xa0 ? ONE_MORE : REJECTED;
    case AFTER_ED: // From A0 on: a surrogate.
      return (byte & 0xe0) === 0x80 ? ONE_MORE : REJECTED;
    case AFTER_F0: // Below 90: overlong.
      return byte >= 0x90 && byte <= 0xbf ? TWO_MORE : REJECTED;
    case AFTER_F4: // From 90 on: above U+10FFFF.
      return (byte & 0xf0) === 0x80 ? TWO_MORE : REJECTED;
    default:
      return REJECTED;
  }
}

/** The index of the first byte that does not begin a whole, valid code point; `end` if there is none. */
function scan(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end) {
    const lead = bytes[i]!;
    if (lead < 0x80) {
      i++;
      // Eight at a time while it is ASCII (measured: almost five times the speed of one at a time).
      while (
        i + 8 <= end &&
        (bytes[i]! |
          bytes[i + 1]! |
          bytes[i + 2]! |
          bytes[i + 3]! |
          bytes[i + 4]! |
          bytes[i + 5]! |
          bytes[i + 6]! |
          bytes[i + 7]!) <
          0x80
      ) {
        i += 8;
      }
    } else if (lead < 0xe0) {
      if (lead < 0xc2 || i + 2 > end || (bytes[i + 1]! & 0xc0) !== 0x80) return i;
      i += 2;
    } else if (lead < 0xf0) {
      if (i + 3 > end) return i;
      const second = bytes[i + 1]!;
      if ((second & 0xc0) !== 0x80 || (bytes[i + 2]! & 0xc0) !== 0x80) return i;
      if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second >= 0xa0)) return i;
      i += 3;
    } else {
      if (lead > 0xf4 || i + 4 > end) return i;
      const second = bytes[i + 1]!;
      if ((second & 0xc0) !== 0x80 || (bytes[i + 2]! & 0xc0) !== 0x80 || (bytes[i + 3]! & 0xc0) !== 0x80) return i;
      if ((lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second >= 0x90)) return i;
      i += 4;
    }
  }
  return i;
}

function isValid(bytes: Uint8Array, start: number, end: number): boolean {
  return scan(bytes, start, end) === end;
}

function decode(bytes: Uint8Array, start: number, end: number): string | null {
  let parts: string[] | null = null;
  let i = start;
  for (;;) {
    let count = 0;
    // One round adds at most five units.
    while (i < end && count <= BATCH - 5) {
      const lead = bytes[i]!;
      if (lead < 0x80) {
        units[count++] = lead;
        i++;
        if (i + 4 > end) continue;
        const a = bytes[i]!;
        const b = bytes[i + 1]!;
        const c = bytes[i + 2]!;
        const d = bytes[i + 3]!;
        if ((a | b | c | d) >= 0x80) continue;
        units[count] = a;
        units[count + 1] = b;
        units[count + 2] = c;
        units[count + 3] = d;
        count += 4;
        i += 4;
      } else if (lead < 0xe0) {
        if (lead < 0xc2 || i + 2 > end) return null;
        const second = bytes[i + 1]!;
        if ((second & 0xc0) !== 0x80) return null;
        units[count++] = ((lead & 0x1f) << 6) | (second & 0x3f);
        i += 2;
      } else if (lead < 0xf0) {
        if (i + 3 > end) return null;
        const second = bytes[i + 1]!;
        const third = bytes[i + 2]!;
        if ((second & 0xc0) !== 0x80 || (third & 0xc0) !== 0x80) return null;
        if ((lead === 0xe0 && second < 0xa0) || (lead === 0xed && second >= 0xa0)) return null;
        units[count++] = ((lead & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
        i += 3;
      } else {
        if (lead > 0xf4 || i + 4 > end) return null;
        const second = bytes[i + 1]!;
        const third = bytes[i + 2]!;
        const fourth = bytes[i + 3]!;
        if ((second & 0xc0) !== 0x80 || (third & 0xc0) !== 0x80 || (fourth & 0xc0) !== 0x80) return null;
        if ((lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second >= 0x90)) return null;
        const point = ((lead & 0x07) << 18) | ((second & 0x3f) << 12) | ((third & 0x3f) << 6) | (fourth & 0x3f);
        units[count++] = 0xd7c0 + (point >> 10); // 0xd7c0 = 0xd800 - (0x10000 >> 10)
        units[count++] = 0xdc00 | (point & 0x3ff);
        i += 4;
      }
    }
    const part = String.fromCharCode.apply(null, units.slice(0, count));
    if (i >= end && parts === null) return part;
    parts ??= [];
    parts.push(part);
    if (i >= end) return parts.join(''); // Linear in every engine; repeated `+=` is not.
  }
}

function encodeInto(text: string, into: Uint8Array, at: number): number {
  const length = text.length;
  let out = at;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      into[out++] = unit;
    } else if (unit < 0x800) {
      into[out] = 0xc0 | (unit >> 6);
      into[out + 1] = 0x80 | (unit & 0x3f);
      out += 2;
    } else if ((unit & 0xf800) !== 0xd800) {
      into[out] = 0xe0 | (unit >> 12);
      into[out + 1] = 0x80 | ((unit >> 6) & 0x3f);
      into[out + 2] = 0x80 | (unit & 0x3f);
      out += 3;
    } else {
      const low = text.charCodeAt(++i); // NaN past the end: no low surrogate either.
      if (unit >= 0xdc00 || (low & 0xfc00) !== 0xdc00) return -1;
      const point = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
      into[out] = 0xf0 | (point >> 18);
      into[out + 1] = 0x80 | ((point >> 12) & 0x3f);
      into[out + 2] = 0x80 | ((point >> 6) & 0x3f);
      into[out + 3] = 0x80 | (point & 0x3f);
      out += 4;
    }
  }
  return out - at;
}

function byteLength(text: string): number {
  const length = text.length;
  let total = length;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      total++;
    } else if ((unit & 0xf800) !== 0xd800) {
      total += 2;
    } else {
      if (unit >= 0xdc00 || (text.charCodeAt(++i) & 0xfc00) !== 0xdc00) return -1;
      total += 2; // Two units, four bytes.
    }
  }
  return total;
}
