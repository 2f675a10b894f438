// The text codec of the engine itself, which runs where a platform lends nothing.

import { pureText } from '../../dist/codec/utf8.js';

export function createValidator() {
  return (bytes) => pureText.isValid(bytes, 0, bytes.length);
}

export function createTextDecoder() {
  return (bytes) => pureText.decode(bytes, 0, bytes.length);
}
