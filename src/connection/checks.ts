/** What the commands of a connection may be given. Anything else is a `UsageError` that says what came, and changes nothing. */

import type { TextCodec } from '../codec/utf8.ts';
import { UsageError } from '../errors.ts';
import type { ReadyState } from './state.ts';

/** Anything else would be counted wrong, or sent as garbage. A view of wider elements is not counted in bytes. */
export function checkBytes(bytes: Uint8Array): void {
  if ((bytes as Uint8Array | null | undefined)?.BYTES_PER_ELEMENT !== 1) {
    throw new UsageError('INVALID_ARGUMENT', 'what is sent must be a Uint8Array');
  }
}

/** A copy of a ping's or pong's payload. §5.5: "All control frames MUST have a payload length of 125 bytes or less" */
export function controlPayload(payload: Uint8Array): Uint8Array {
  checkBytes(payload);
  if (payload.length > 125) {
    throw new UsageError(
      'INVALID_ARGUMENT',
      `the payload of a ping or pong is at most 125 bytes, not ${payload.length}`,
    );
  }
  return payload.slice();
}

/** @throws UsageError unless it is absent or a whole number above 0 */
export function checkFragmentSize(size: number | undefined): void {
  if (size === undefined || (Number.isSafeInteger(size) && size > 0)) return;
  throw new UsageError('INVALID_ARGUMENT', `fragmentSize must be a whole number of bytes above 0, not ${String(size)}`);
}

/** @throws UsageError unless it is absent, true or false */
export function checkCompress(compress: boolean | undefined): void {
  if (compress === undefined || typeof compress === 'boolean') return;
  throw new UsageError('INVALID_ARGUMENT', `compress must be true or false, not ${String(compress)}`);
}

/** @throws UsageError unless the bytes may go out as text (RFC 6455 section 5.6) */
export function checkText(codec: TextCodec, bytes: Uint8Array): void {
  if (codec.isValid(bytes, 0, bytes.length)) return;
  throw new UsageError('INVALID_ARGUMENT', 'the bytes to send as text are not UTF-8: send them as binary');
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
  return new UsageError(
    'INVALID_ARGUMENT',
    'the text has a lone surrogate and cannot be UTF-8: see String.prototype.toWellFormed',
  );
}

export function notOpen(state: ReadyState): UsageError {
  return new UsageError('INVALID_STATE', `the connection is ${state}, not open`);
}
