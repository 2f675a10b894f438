/** What callers may send, as bytes. Anything else is a `UsageError` that says what came. */

import type { TextCodec } from '../codec/utf8.ts';
import { encodeText } from '../connection/checks.ts';
import { UsageError } from '../errors.ts';

/** Bytes in any of their usual forms. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** No larger buffer is remembered: so much is pinned. */
const REMEMBER_UP_TO = 1 << 16;

// What costs here is to ask for the buffer: its getter is not looked up each time, and small payloads share buffers, which
// stay what they are (measured: 50 ns a message in a busy server, of 700).
const bufferOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'buffer')!
  .get as () => ArrayBufferLike;
let lastGood: ArrayBufferLike | null = null;

/**
 * The bytes of `data`, without a copy.
 *
 * @param orText whether a string would do as well: for the error
 * @throws UsageError for anything but bytes, and for memory that others can change or resize while it waits
 */
export function toBytes(data: unknown, what: string, orText = true): Uint8Array {
  if (data instanceof Uint8Array && data.length > 0) {
    const buffer = bufferOf.call(data);
    if (buffer === lastGood) return data;
    if (buffer instanceof ArrayBuffer && (buffer as { resizable?: boolean }).resizable !== true) {
      if (buffer.byteLength <= REMEMBER_UP_TO) lastGood = buffer;
      return data;
    }
  }
  if (ArrayBuffer.isView(data)) {
    checkBuffer(data.buffer, what);
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  if (isBuffer(data) || isShared(data)) {
    checkBuffer(data, what);
    return new Uint8Array(data);
  }
  throw new UsageError(
    'INVALID_ARGUMENT',
    `${what} must be ${orText ? 'a string, ' : ''}an ArrayBuffer or a view of one, not ${describe(data)}`,
  );
}

/**
 * The payload of a ping or a pong.
 *
 * @throws UsageError as {@link toBytes}, for a lone surrogate, and for more than 125 bytes
 */
export function toControlPayload(text: TextCodec, payload: string | Bytes, what: string): Uint8Array {
  const bytes = typeof payload === 'string' ? encodeText(text, payload) : toBytes(payload, what);
  if (bytes.length <= 125) return bytes;
  throw new UsageError('INVALID_ARGUMENT', `the payload of ${what} is at most 125 bytes, not ${bytes.length}`);
}

function checkBuffer(buffer: ArrayBufferLike, what: string): void {
  if (isShared(buffer)) {
    throw new UsageError(
      'INVALID_ARGUMENT',
      `${what} lies in shared memory, which may change while it is sent: copy it first`,
    );
  }
  if (buffer.byteLength === 0 && isDetached(buffer)) {
    throw new UsageError('INVALID_ARGUMENT', `${what} lies in a buffer that was transferred elsewhere`);
  }
  if ((buffer as { resizable?: boolean }).resizable === true) {
    throw new UsageError('INVALID_ARGUMENT', `${what} lies in a resizable buffer: copy it first`);
  }
}

// What these getters take is what it claims to be, also where it comes from another realm: a `vm` context, a frame of a page.
const lengthOfBuffer = getterOf(ArrayBuffer.prototype);
const lengthOfShared = typeof SharedArrayBuffer === 'undefined' ? null : getterOf(SharedArrayBuffer.prototype);

function getterOf(prototype: object): () => number {
  return Object.getOwnPropertyDescriptor(prototype, 'byteLength')!.get as () => number;
}

function isBuffer(value: unknown): value is ArrayBuffer {
  return value instanceof ArrayBuffer || takes(lengthOfBuffer, value);
}

function isShared(value: unknown): value is SharedArrayBuffer {
  return !(value instanceof ArrayBuffer) && lengthOfShared !== null && takes(lengthOfShared, value);
}

function takes(getter: () => number, value: unknown): boolean {
  try {
    getter.call(value);
    return true;
  } catch {
    return false;
  }
}

/** A detached buffer looks empty, but no view of it can be made. */
function isDetached(buffer: ArrayBuffer): boolean {
  try {
    return new Uint8Array(buffer).length !== 0;
  } catch {
    return true;
  }
}

function describe(data: unknown): string {
  if (data === null || data === undefined) return String(data);
  if (typeof data === 'object') return `an object of ${data.constructor?.name ?? 'no class'}`;
  return `a ${typeof data}`;
}
