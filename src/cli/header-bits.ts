/**
 * The header of a frame taken apart without judging it (RFC 6455 section 5.2): every field as it lies there, also those that
 * no frame may have.
 */

/** The fields of one frame header. */
export interface HeaderBits {
  readonly fin: boolean;
  /** RSV1, RSV2 and RSV3 as three bits: 4, 2 and 1. */
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  /** The seven bits of the length as they stand: 126 and 127 announce a longer one. */
  readonly length7: number;
  /** Bytes of payload. A 64-bit length may be beyond what a number holds exactly. */
  readonly length: bigint;
  /** The masking key, or null. */
  readonly key: Uint8Array | null;
  /** Bytes of the header. */
  readonly size: number;
}

/** The header at `at`, or null if the bytes end inside it. */
export function readHeaderBits(bytes: Uint8Array, at: number): HeaderBits | null {
  const available = bytes.length - at;
  if (available < 2) return null;
  const first = bytes[at]!;
  const second = bytes[at + 1]!;
  const masked = second >= 0x80;
  const length7 = second & 0x7f;
  const extended = length7 === 126 ? 2 : length7 === 127 ? 8 : 0;
  const size = 2 + extended + (masked ? 4 : 0);
  if (available < size) return null;
  let length = BigInt(length7);
  if (extended > 0) {
    length = 0n;
    for (let i = 0; i < extended; i++) length = (length << 8n) | BigInt(bytes[at + 2 + i]!);
  }
  const key = masked ? bytes.slice(at + size - 4, at + size) : null;
  return {
    fin: first >= 0x80,
    rsv: (first >> 4) & 7,
    opcode: first & 15,
    masked,
    length7,
    length,
    key,
    size,
  };
}
