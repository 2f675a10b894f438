// ws's Receiver and Sender, set up as its WebSocket does.

import { Receiver, Sender } from 'ws';

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
