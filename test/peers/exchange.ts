/** What every real peer must manage with us, whichever side it is on. */

/** Sizes around every boundary of the length forms, up to 16 MiB. */
export const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576, 16_777_216] as const;

/** The limit that lets the largest of them through. */
export const RAISED = { maxMessageSize: 16_777_216, maxFrameSize: 16_777_216, maxBufferedAmount: 67_108_864 } as const;

/** Bytes that repeat with a period that no length form or chunk shares. */
export function bytesOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >>> 8)) & 0xff;
  return bytes;
}

/** Text of exactly `size` bytes of UTF-8 with characters of one to four bytes. */
export function textOf(size: number): string {
  const unit = 'aé€\u{1f600}';
  return unit.repeat(Math.floor(size / 10)) + 'x'.repeat(size % 10);
}

/** Whether both hold the same bytes, without a diff of megabytes when they do not. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
