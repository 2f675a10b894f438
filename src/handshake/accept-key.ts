/**
 * The proof that a server has understood the handshake (RFC 6455 sections 1.3 and 4.2.2): from Sec-WebSocket-Key to
 * Sec-WebSocket-Accept. It knows no headers.
 */
import { base64Digit, encodeBase64 } from './base64.ts';
import { sha1 } from './sha1.ts';
import { encodeLatin1 } from './text.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY_LENGTH = 24;

/**
 * The Sec-WebSocket-Accept value that answers `key` (section 1.3). The key is hashed as text and never decoded.
 */
export function acceptKey(key: string): string {
  return encodeBase64(sha1(encodeLatin1(key + GUID)));
}

/**
 * Whether `key` is base64 that decodes to 16 bytes: 22 digits and two signs of padding.
 *
 * The four unused bits of the last digit may be anything. RFC 4648 section 3.5 lets a decoder ignore them, section 4.2.1
 * asks only for the decoded length, and since the text itself is hashed two spellings of one value cannot be confused.
 */
export function isValidKey(key: string): boolean {
  if (key.length !== KEY_LENGTH) return false;
  for (let i = 0; i < KEY_LENGTH - 2; i++) {
    if (base64Digit(key.charCodeAt(i)) < 0) return false;
  }
  return key.charCodeAt(KEY_LENGTH - 2) === 0x3d && key.charCodeAt(KEY_LENGTH - 1) === 0x3d;
}
