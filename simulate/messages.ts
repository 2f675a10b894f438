/** Messages whose whole content follows from a number, a kind and a size: who gets one knows what it must have been. */

import type { Framing } from '../src/gateway/stream-framing.ts';

/** What a message was. */
export interface Descriptor {
  readonly number: number;
  readonly text: boolean;
  /** Characters of text, or bytes. */
  readonly size: number;
  /** An octet that may not be in it. */
  readonly without?: number | null;
}

/** What cannot be in a message, where it ends messages. */
export function splitterOf(framing: Framing): number | null {
  return framing === 'nul' ? 0 : framing === 'line' ? 10 : null;
}

/** Of one, two, three and four octets each, so that cuts go through characters. */
const ALPHABET = ['a', 'é', '€', '😀', 'Z', '0', ' ', '中'];

/** The content of a message. It begins with its number, if it is long enough. */
export function contentOf({ number, text, size, without = null }: Descriptor): string | Uint8Array {
  if (text) {
    if (size === 0) return '';
    const parts = [`${number}:`];
    for (let i = 0; i < size; i++) parts.push(ALPHABET[(number + i) & 7]!);
    return parts.join('');
  }
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = number * 31 + i;
  for (let i = 0; i < Math.min(4, size); i++) bytes[i] = number >>> (24 - 8 * i);
  if (without !== null) for (let i = 0; i < size; i++) if (bytes[i] === without) bytes[i] = 0x40;
  return bytes;
}

/** Whether `data` is the message; text may come as its bytes. */
export function isContent(descriptor: Descriptor, kind: 'text' | 'binary', data: string | Uint8Array): boolean {
  if (descriptor.text !== (kind === 'text')) return false;
  const content = contentOf(descriptor);
  if (typeof data === 'string') return data === content;
  return Buffer.compare(data, typeof content === 'string' ? Buffer.from(content) : content) === 0;
}

/** The number of a message that has one. */
export function numberOf(data: string | Uint8Array): number {
  if (typeof data === 'string') return Number.parseInt(data, 10);
  return data.length < 4 ? Number.NaN : data[0]! * 0x100_0000 + data[1]! * 0x1_0000 + data[2]! * 0x100 + data[3]!;
}
