// The load of the deflate suite: connections that agreed on permessage-deflate send compressed JSON and count what comes back.
// Everything is compressed before the window opens; answers are counted by their headers and never inflated.

import net from 'node:net';
import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib';
import { measureWindow, readArguments } from './clock.mjs';
import { jsonMessages } from './corpus.mjs';
import { FrameCounter } from './frames.mjs';
import { encodeFrame } from './payload.mjs';

const options = readArguments({
  port: 0,
  pid: 0,
  size: 1024,
  takeover: 1,
  connections: 16,
  depth: 16,
  idle: 0,
  warmup: 300,
  duration: 1000,
});
/** A round of messages. The first refers to nothing, so that they may be sent over and over. */
const COUNT = 64;
const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
const EXTENSION =
  options.takeover === 1
    ? 'permessage-deflate'
    : 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const REQUEST = [
  'GET / HTTP/1.1',
  `Host: 127.0.0.1:${options.port}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Extensions: ${EXTENSION}`,
  '',
  '',
].join('\r\n');

async function compress(messages) {
  const finishFlush = constants.Z_SYNC_FLUSH;
  if (options.takeover === 0) return messages.map((each) => deflateRawSync(each, { finishFlush }).subarray(0, -4));
  const stream = createDeflateRaw();
  let parts = [];
  stream.on('data', (part) => parts.push(part));
  const out = [];
  for (const message of messages) {
    stream.write(message);
    await new Promise((resolve) => stream.flush(constants.Z_SYNC_FLUSH, resolve));
    out.push(Buffer.concat(parts).subarray(0, -4));
    parts = [];
  }
  return out;
}

const frames = (await compress(jsonMessages(options.size, COUNT))).map((data) => {
  const frame = encodeFrame({ opcode: 1, data, key: KEY });
  frame[0] |= 0x40;
  return frame;
});
const plainFrame = encodeFrame({ opcode: 1, data: jsonMessages(options.size, 1)[0], key: KEY });

function agreed(answer) {
  return answer.startsWith('permessage-deflate') && answer.includes('no_context_takeover') === (options.takeover === 0);
}

let stopping = false;
let messages = 0;

function open() {
  return new Promise((resolve, reject) => {
    let head = '';
    const counter = new FrameCounter();
    let next = 0;
    const send = (count) => {
      const batch = [];
      for (let i = 0; i < count; i++) batch.push(frames[next++ % COUNT]);
      if (count > 0 && !stopping) socket.write(Buffer.concat(batch));
    };
    const callback = (length) => {
      const chunk = buffer.subarray(0, length);
      if (head === null) {
        const before = counter.messages;
        counter.take(chunk);
        messages += counter.messages - before;
        if (options.idle === 0) send(counter.messages - before);
        return true;
      }
      head += chunk.latin1Slice();
      if (!head.includes('\r\n\r\n')) return true;
      const answer = /^sec-websocket-extensions: (.*)\r$/im.exec(head)?.[1] ?? '';
      // Idle connections take what there is, none included.
      if (options.idle === 0 && !agreed(answer)) reject(new Error(`not agreed: ${head}`));
      if (answer === '') frames[0] = plainFrame;
      head = null;
      resolve(() => send(options.idle === 1 ? 1 : options.depth));
      return true;
    };
    const socket = net.connect({ host: '127.0.0.1', port: options.port, onread: { buffer, callback } }, () =>
      socket.write(REQUEST),
    );
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('close', () => {
      if (!stopping) throw new Error('the connection ended while measuring');
    });
  });
}

process.on('uncaughtException', (error) => {
  console.error(error.message);
  process.exit(1);
});
const starts = [];
for (let i = 0; i < options.connections; i++) starts.push(await open());
if (options.idle === 1) {
  // One message each way, one connection after the other.
  for (const start of starts) {
    const before = messages;
    start();
    while (messages === before) await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
  console.log(JSON.stringify({ ready: options.connections }));
  process.stdin.resume().on('end', () => process.exit(0));
  await new Promise(() => {});
}
for (const start of starts) start();
const line = await measureWindow(options, () => messages);
stopping = true;
console.log(JSON.stringify(line));
setTimeout(() => process.exit(0), 50);
