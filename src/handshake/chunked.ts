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
    const start = at;
    let size = 0;
    // Digits without end make it infinite, and the chunk as long as what is there.
    for (; at < bytes.length && hexDigit(bytes[at]!) >= 0; at++) size = size * 16 + hexDigit(bytes[at]!);
    const lineEnd = bytes.indexOf(0x0a, at);
    if (at === start || lineEnd < 0) return { body: body.slice(0, length), complete: false };
    at = lineEnd + 1;
    if (size === 0) return { body: body.slice(0, length), complete: true };
    const piece = bytes.subarray(at, at + size);
    body.set(piece, length);
    length += piece.length;
    at += size + 2;
  }
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
