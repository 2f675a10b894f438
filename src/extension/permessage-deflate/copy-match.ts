/** Repeating output (RFC 1951 section 3.2.3): short matches octet by octet, long ones as the platform does it best (measured). */

/** Copies `length` bytes from `distance` back; the two may overlap. */
export function copyMatch(out: Uint8Array, at: number, distance: number, length: number): void {
  let from = at - distance;
  const end = at + length;
  if (length > 30) {
    if (distance >= length) {
      out.copyWithin(at, from, from + length);
      return;
    }
    if (distance === 1) {
      out.fill(out[from]!, at, end);
      return;
    }
  }
  do {
    out[at++] = out[from++]!;
  } while (at < end);
}
