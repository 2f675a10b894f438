// ws's Receiver and Sender, set up as its WebSocket does.

import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Receiver, Sender } from 'ws';

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve('ws'));
const { unmask } = require(`${folder}/lib/buffer-util.js`);
const { isValidUTF8 } = require(`${folder}/lib/validation.js`);

export function createDecoder() {
  const receiver = new Receiver({ isServer: true, maxPayload: 100 * 1024 * 1024 });
  let messages = 0;
  receiver.on('message', () => {
    messages++;
  });
  receiver.on('error', (error) => {
    throw error;
  });
  return { feed: (chunk) => receiver.write(chunk), count: () => messages };
}

export function createEncoder(mask, kind) {
  let bytes = 0;
  const write = (part) => {
    // ws leaves the encoding of text to the socket: here it must be done as well.
    bytes += typeof part === 'string' ? Buffer.from(part).length : part.length;
  };
  const sender = new Sender({ cork() {}, uncork() {}, write, _writableState: {} }, {});
  const options = { binary: kind === 'binary', compress: false, fin: true, mask };
  return { send: (data) => sender.send(data, options), flush: () => bytes };
}

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function createMasker() {
  return (bytes) => unmask(bytes, KEY);
}

export function createValidator() {
  return (bytes) => isValidUTF8(bytes);
}

/** As its WebSocket does: bytes are judged, and the application makes the string. */
export function createTextDecoder() {
  return (bytes) => (isValidUTF8(bytes) ? bytes.toString() : null);
}
