/** The chunked transfer coding (RFC 9112 section 7.1), read from as much of a refusal's body as is there. */

/** The decoded bytes so far, and where to go on when more have come; -1: the last chunk was among them. */
export interface Chunked {
  readonly body: Uint8Array;
  readonly next: number;
}

/** Decodes what is there, from the chunk at `at` on; what is malformed ends the body. */
export function decodeChunked(bytes: Uint8Array, at = 0): Chunked {
  const body = new Uint8Array(bytes.length);
  let length = 0;
  for (;;) {
    const start = at;
    let size = 0;
    // Digits without end make it infinite, and the chunk as long as what is there.
    for (; hexDigit(bytes[at]!) >= 0; at++) size = size * 16 + hexDigit(bytes[at]!);
    const lineEnd = bytes.indexOf(0x0a, at);
    const none = at === start || lineEnd < 0;
    if (none || size === 0) return { body: body.slice(0, length), next: none ? start : -1 };
    at = lineEnd + 1;
    const piece = bytes.subarray(at, at + size);
    body.set(piece, length);
    length += piece.length;
    at += size + 2;
  }
}

/** The value of a digit, or NaN: also of what is behind the bytes. */
function hexDigit(octet: number): number {
  return Number.parseInt(String.fromCharCode(octet), 16);
}
