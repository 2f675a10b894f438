/** The chunked transfer coding (RFC 9112 section 7.1), read from as much of a refusal's body as is there. */

/** The decoded bytes so far, and whether the last chunk was among them. */
export interface Chunked {
  readonly body: Uint8Array;
  readonly complete: boolean;
}

/** Decodes what is there; what is malformed ends the body. */
export function decodeChunked(bytes: Uint8Array): Chunked {
  const body = new Uint8Array(bytes.length);
  let length = 0;
  let at = 0;
  for (;;) {
    let size = 0;
    let digits = 0;
    for (; at < bytes.length; at++, digits++) {
      const digit = hexDigit(bytes[at]!);
      if (digit < 0 || digits === 7) break;
      size = size * 16 + digit;
    }
    while (at < bytes.length && bytes[at] !== 0x0a) at++;
    if (at >= bytes.length || digits === 0) return { body: body.slice(0, length), complete: false };
    at++;
    if (size === 0) return { body: body.slice(0, length), complete: true };
    const piece = bytes.subarray(at, at + size);
    body.set(piece, length);
    length += piece.length;
    at += size + 2;
    if (at > bytes.length) return { body: body.slice(0, length), complete: false };
  }
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
