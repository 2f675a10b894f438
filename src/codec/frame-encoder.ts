/**
 * Frame headers as bytes (RFC 6455 section 5.2), always in the shortest length form. It knows no connection.
 */

/** The size of the header of a frame: 2, 4 or 10 bytes, and 4 more for a masking key. */
export function headerSize(payloadLength: number, masked: boolean): number {
  const size = payloadLength < 126 ? 2 : payloadLength < 65_536 ? 4 : 10;
  return masked ? size + 4 : size;
}

/**
 * Writes a header at `at`.
 *
 * @param first the first octet: FIN, reserved bits and opcode
 * @param key the masking key, first octet lowest; ignored unless `masked`
 * @returns the position behind it
 */
export function writeHeader(
  into: Uint8Array,
  at: number,
  first: number,
  payloadLength: number,
  masked: boolean,
  key: number,
): number {
  const maskBit = masked ? 0x80 : 0;
  let next = at;
  into[next++] = first;
  if (payloadLength < 126) {
    into[next++] = maskBit | payloadLength;
  } else if (payloadLength < 65_536) {
    into[next++] = maskBit | 126;
    into[next++] = payloadLength >>> 8;
    into[next++] = payloadLength;
  } else {
    into[next++] = maskBit | 127;
    const high = Math.floor(payloadLength / 0x1_0000_0000);
    into[next++] = 0;
    into[next++] = high >>> 16;
    into[next++] = high >>> 8;
    into[next++] = high;
    into[next++] = payloadLength >>> 24;
    into[next++] = payloadLength >>> 16;
    into[next++] = payloadLength >>> 8;
    into[next++] = payloadLength;
  }
  if (masked) {
    into[next++] = key;
    into[next++] = key >>> 8;
    into[next++] = key >>> 16;
    into[next++] = key >>> 24;
  }
  return next;
}
