/**
 * SHA-1 (FIPS 180-4 section 6.1), which RFC 6455 section 1.3 uses to mark a handshake as understood. It guards nothing:
 * no secret goes in, and nothing here is safe for any other use.
 * It knows bytes only.
 */

/** The message schedule, shared: a digest is computed in one synchronous go. */
const schedule: Int32Array = new Int32Array(80);
/** The running hash value, shared for the same reason. */
const state: Int32Array = new Int32Array(5);

/** The last block or two, shared for the same reason. */
const ending: Uint8Array = new Uint8Array(128);

/** The 20 bytes of the SHA-1 digest of `bytes`. */
export function sha1(bytes: Uint8Array): Uint8Array {
  const length = bytes.length;
  // One 0x80, zeros, and the length in bits as 8 bytes fill the last block (5.1.1).
  const rest = length & 63;
  const whole = length - rest;
  const end = rest < 56 ? 64 : 128;
  for (let i = 0; i < rest; i++) ending[i] = bytes[whole + i]!;
  ending.fill(0, rest, end);
  ending[rest] = 0x80;
  writeWord(ending, end - 8, Math.floor(length / 0x20000000));
  writeWord(ending, end - 4, length << 3);

  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  state[4] = 0xc3d2e1f0;
  for (let at = 0; at < whole; at += 64) digestBlock(bytes, at);
  for (let at = 0; at < end; at += 64) digestBlock(ending, at);

  const digest = new Uint8Array(20);
  for (let i = 0; i < 5; i++) writeWord(digest, i * 4, state[i]!);
  return digest;
}

function digestBlock(bytes: Uint8Array, at: number): void {
  const w = schedule;
  for (let t = 0; t < 16; t++, at += 4) {
    w[t] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
  for (let t = 16; t < 80; t++) {
    const x = w[t - 3]! ^ w[t - 8]! ^ w[t - 14]! ^ w[t - 16]!;
    w[t] = (x << 1) | (x >>> 31);
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let t = 0;
  for (; t < 20; t++) {
    const next = (((a << 5) | (a >>> 27)) + (d ^ (b & (c ^ d))) + e + 0x5a827999 + w[t]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (; t < 40; t++) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + w[t]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (; t < 60; t++) {
    const next = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + e + 0x8f1bbcdc + w[t]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  for (; t < 80; t++) {
    const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62c1d6 + w[t]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
}

function writeWord(into: Uint8Array, at: number, word: number): void {
  into[at] = word >>> 24;
  into[at + 1] = word >>> 16;
  into[at + 2] = word >>> 8;
  into[at + 3] = word;
}
