// The load of the gateway suite: every connection keeps a number of messages under way and counts payload bytes, as gateways
// may cut messages anew. `raw=1` speaks without frames.

import net from 'node:net';
import { measureWindow, readArguments } from '../../load/clock.mjs';
import { FrameCounter } from '../../load/frames.mjs';
import { encodeFrame, payload } from '../../load/payload.mjs';

const options = readArguments({
  port: 0,
  pid: 0,
  raw: 0,
  size: 16_384,
  connections: 8,
  depth: 4,
  warmup: 300,
  duration: 1000,
});
const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const REQUEST =
  `GET / HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
const data = payload(options.size, 'binary');
const message = options.raw ? data : encodeFrame({ opcode: 2, data, key: KEY });
// One read buffer for all: every chunk is used up before the next read.
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

let bytes = 0;
let stopping = false;

/** Opens a connection; resolves with the function that sends its first messages. */
function open() {
  return new Promise((resolve, reject) => {
    const frames = new FrameCounter();
    let head = options.raw ? null : '';
    let received = 0;
    const take = (chunk) => {
      const messages = Math.floor(received / options.size);
      const before = frames.bytes;
      if (options.raw) received += chunk.length;
      else {
        frames.take(chunk);
        received = frames.bytes;
      }
      bytes += options.raw ? chunk.length : frames.bytes - before;
      for (let due = Math.floor(received / options.size) - messages; due > 0 && !stopping; due--) socket.write(message);
    };
    const callback = (length) => {
      const chunk = buffer.subarray(0, length);
      if (head === null) {
        take(chunk);
        return true;
      }
      head += chunk.latin1Slice();
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return true;
      if (!head.startsWith('HTTP/1.1 101 ')) reject(new Error(`no 101: ${head.slice(0, 60)}`));
      head = null;
      resolve(begin);
      return true;
    };
    const begin = () => {
      for (let i = 0; i < options.depth; i++) socket.write(message);
    };
    const ready = () => (options.raw ? resolve(begin) : socket.write(REQUEST));
    const socket = net.connect({ host: '127.0.0.1', port: options.port, onread: { buffer, callback } }, ready);
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
const begins = await Promise.all(Array.from({ length: options.connections }, open));
for (const begin of begins) begin();
const line = await measureWindow(options, () => bytes / options.size);
stopping = true;
console.log(JSON.stringify(line));
setTimeout(() => process.exit(0), 50);
