/**
 * The payload of a Close frame (RFC 6455 section 5.5.1): nothing, or a close code and a reason. This file knows no frame
 * and no state; a fault is named here and acted upon elsewhere.
 */

import { type FaultCode, UsageError } from '../errors.ts';
import { CloseCode, isReceivableCloseCode, isSendableCloseCode } from './close-code.ts';
import { pureText } from './utf8.ts';

/** What a Close frame says. */
export interface ClosePayload {
  /** The close code; 1005 if there is none. With a fault: as it came, not to be acted upon. */
  readonly code: number;
  /** The reason, or `''`. Empty with a fault. */
  readonly reason: string;
  /** What is wrong with the payload, or `null`. */
  readonly fault: FaultCode | null;
}

/** What is left for a reason: a control frame has at most 125 bytes (RFC 6455 section 5.5), the code takes two. */
const MAX_REASON = 123;

/** Reads the payload `bytes[start..end)` of a Close frame, unmasked and whole. Never throws. */
export function parseClosePayload(bytes: Uint8Array, start: number, end: number): ClosePayload {
  if (start === end) return { code: CloseCode.noStatus, reason: '', fault: null };
  // §5.5.1: if there is a body, its first two bytes MUST be the code.
  if (end - start < 2) return { code: CloseCode.noStatus, reason: '', fault: 'CLOSE_PAYLOAD_TRUNCATED' };
  const code = (bytes[start]! << 8) | bytes[start + 1]!;
  if (!isReceivableCloseCode(code)) return { code, reason: '', fault: 'CLOSE_CODE_INVALID' };
  // §5.5.1, §8.1: the reason is UTF-8.
  const reason = pureText.decode(bytes, start + 2, end);
  if (reason === null) return { code, reason: '', fault: 'UTF8_INVALID' };
  return { code, reason, fault: null };
}

/**
 * For callers who close a connection: to be called before anything changes. In the engine null asks for an empty Close; theirs
 * would be a slip.
 *
 * @throws {@link UsageError} INVALID_ARGUMENT: a code that is no number or may not be sent, and as {@link encodeClosePayload}
 */
export function checkClose(code: number, reason: string): void {
  if (typeof code !== 'number') {
    throw new UsageError('INVALID_ARGUMENT', `a close code is a number, not ${code === null ? 'null' : typeof code}`);
  }
  encodeClosePayload(code, reason);
}

/**
 * The payload of a Close frame, at most 125 bytes. Without a code (`null`) it is empty.
 *
 * @throws {@link UsageError} INVALID_ARGUMENT: a code that may not be sent, a reason above 123 bytes of UTF-8, with a lone
 * surrogate, or without a code
 */
export function encodeClosePayload(code: number | null, reason: string): Uint8Array {
  if (typeof reason !== 'string') throw new UsageError('INVALID_ARGUMENT', 'the close reason is not a string');
  if (code === null) {
    if (reason !== '') throw new UsageError('INVALID_ARGUMENT', 'a close reason needs a close code');
    return new Uint8Array(0);
  }
  // §7.4.1: 1005, 1006 and 1015 MUST NOT be sent.
  if (!isSendableCloseCode(code)) {
    throw new UsageError(
      'INVALID_ARGUMENT',
      `the close code ${String(code)} may not be sent: use 1000-1003, 1007-1014 or 3000-4999`,
    );
  }
  // A code unit is at least one byte: a huge reason is refused without being read.
  const length = reason.length > MAX_REASON ? reason.length : pureText.byteLength(reason);
  if (length < 0) throw new UsageError('INVALID_ARGUMENT', 'the close reason has a lone surrogate');
  // §5.5: a control frame MUST have a payload of at most 125 bytes.
  if (length > MAX_REASON) {
    throw new UsageError('INVALID_ARGUMENT', 'the close reason is longer than 123 bytes of UTF-8');
  }
  const payload = new Uint8Array(2 + length);
  payload[0] = code >> 8;
  payload[1] = code;
  pureText.encodeInto(reason, payload, 2);
  return payload;
}
