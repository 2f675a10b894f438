/**
 * Frames by the book (RFC 6455 section 5.2), written and read without the engine's codec, so that the two can be held
 * against each other. Everything illegal can be written too.
 */

import { concat } from './bytes.ts';

export interface FrameParts {
  readonly opcode: number;
  readonly fin?: boolean;
  /** RSV bits where they lie in the first octet: 0x40, 0x20, 0x10. */
  readonly rsv?: number;
  /** Absent or null: not masked. */
  readonly key?: readonly number[] | null;
  readonly payload?: Uint8Array;
  /** How the length is written: 7, 16 or 64 bits. Default: the shortest form. */
  readonly lengthBits?: 7 | 16 | 64;
}

export interface ReadFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly key: readonly number[] | null;
  readonly payload: Uint8Array;
}

/** The key of the examples in section 5.7. */
export const EXAMPLE_KEY: readonly number[] = [0x37, 0xfa, 0x21, 0x3d];

const NONE = new Uint8Array(0);

/** One frame as bytes. */
export function frame(parts: FrameParts): Uint8Array {
  const { opcode, fin = true, rsv = 0, key = null, payload = NONE } = parts;
  const { length } = payload;
  const bits = parts.lengthBits ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64);
  const mask = key === null ? 0 : 0x80;
  const head = [(fin ? 0x80 : 0) | rsv | opcode];
  if (bits === 7) head.push(mask | length);
  else if (bits === 16) head.push(mask | 126, length >>> 8, length & 0xff);
  else head.push(mask | 127, 0, 0, 0, 0, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
  if (key === null) return concat([Uint8Array.from(head), payload]);
  return concat([Uint8Array.from([...head, ...key]), payload.map((octet, i) => octet ^ key[i & 3]!)]);
}

/** A Close frame. */
export function closeFrame(code: number | null, reason: string, key: readonly number[] | null): Uint8Array {
  const text = Buffer.from(reason, 'utf8');
  const payload = code === null ? NONE : concat([Uint8Array.of(code >> 8, code & 0xff), text]);
  return frame({ opcode: 8, key, payload });
}

/** All frames in `bytes`. Throws if the last one is cut, or if a length is not in its shortest form. */
export function readFrames(bytes: Uint8Array): ReadFrame[] {
  const frames: ReadFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
    const first = view.getUint8(0);
    const second = view.getUint8(1);
    let size = 2;
    let length = second & 0x7f;
    if (length === 126) {
      length = view.getUint16(2);
      size = 4;
      if (length < 126) throw new Error('a 16-bit length is not minimal');
    } else if (length === 127) {
      length = Number(view.getBigUint64(2));
      size = 10;
      if (length < 65_536) throw new Error('a 64-bit length is not minimal');
    }
    let key: number[] | null = null;
    if (second >= 0x80) {
      key = [view.getUint8(size), view.getUint8(size + 1), view.getUint8(size + 2), view.getUint8(size + 3)];
      size += 4;
    }
    if (at + size + length > bytes.length) throw new Error(`a frame at ${at} is cut`);
    const payload = bytes.slice(at + size, at + size + length);
    if (key !== null) for (let i = 0; i < length; i++) payload[i]! ^= key[i & 3]!;
    frames.push({ opcode: first & 0x0f, fin: first >= 0x80, rsv: first & 0x70, key, payload });
    at += size + length;
  }
  return frames;
}
