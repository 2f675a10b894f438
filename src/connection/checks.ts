/** What the commands of a connection may be given. Anything else is a `UsageError` that says what came, and changes nothing. */

import type { TextCodec } from '../codec/utf8.ts';
import { UsageError } from '../errors.ts';
import type { ReadyState } from './state.ts';

/**
 * Anything else would be counted wrong, or sent as garbage: a view of wider elements is not counted in bytes, and signed ones
 * look like text. One of another realm is as good.
 */
export function checkBytes(bytes: Uint8Array): void {
  if (bytes instanceof Uint8Array || (bytes as Uint8Array | null)?.[Symbol.toStringTag] === 'Uint8Array') return;
  throw wrong('bytes must be a Uint8Array');
}

/** @throws UsageError unless it is a whole number from 0 to `most`: NaN, once counted, would lift every cap */
export function checkCount(count: number, most: number): void {
  if (Number.isSafeInteger(count) && count >= 0 && count <= most) return;
  throw wrong(`a number of bytes must be from 0 to ${most}, not ${String(count)}`);
}

/** A time that is none would stop all deadlines without a word. */
export function checkTime(now: number): void {
  if (!Number.isFinite(now)) throw wrong('a time must be a number of milliseconds');
}

/** A copy of a ping's or pong's payload. §5.5: "All control frames MUST have a payload length of 125 bytes or less" */
export function controlPayload(payload: Uint8Array): Uint8Array {
  checkBytes(payload);
  if (payload.length > 125) {
    throw wrong(`the payload of a ping or pong is at most 125 bytes, not ${payload.length}`);
  }
  return payload.slice();
}

/** @throws UsageError unless it is absent or a whole number above 0 */
export function checkFragmentSize(size: number | undefined): void {
  if (size === undefined || (Number.isSafeInteger(size) && size > 0)) return;
  throw wrong(`fragmentSize must be a whole number of bytes above 0, not ${String(size)}`);
}

/** @throws UsageError unless it is true or false */
export function checkFlag(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw wrong(`${name} must be true or false`);
}

/** @throws UsageError unless it is a kind of message */
export function checkKind(kind: 'text' | 'binary'): void {
  if (kind !== 'text' && kind !== 'binary') throw wrong("kind must be 'text' or 'binary'");
}

/** @throws UsageError unless the bytes may go out as text (RFC 6455 section 5.6) */
export function checkText(codec: TextCodec, bytes: Uint8Array): void {
  if (codec.isValid(bytes, 0, bytes.length)) return;
  throw wrong('the bytes to send as text are not UTF-8: send binary');
}

/** The bytes of `text`, in memory of their own. */
export function encodeText(codec: TextCodec, text: string): Uint8Array {
  const size = codec.byteLength(text);
  if (size < 0) throw loneSurrogate();
  const bytes = new Uint8Array(size);
  codec.encodeInto(text, bytes, 0);
  return bytes;
}

export function loneSurrogate(): UsageError {
  return wrong('the text has a lone surrogate: see toWellFormed()');
}

export function notOpen(state: ReadyState): UsageError {
  return new UsageError('INVALID_STATE', `the connection is ${state}, not open`);
}

function wrong(text: string): UsageError {
  return new UsageError('INVALID_ARGUMENT', text);
}
