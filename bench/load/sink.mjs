// The fallback of sink.c, with the same arguments and the same answer.

import { createHash } from 'node:crypto';
import net from 'node:net';
import { measureWindow, readArguments } from './clock.mjs';
import { FrameCounter } from './frames.mjs';
import { encodeMessage, payload } from './payload.mjs';

const options = readArguments({
  mode: 'sink',
  kind: 'binary',
  size: 125,
  connections: 4,
  pid: 0,
  warmup: 300,
  duration: 1000,
});
const message = encodeMessage({ data: payload(options.size, options.kind), kind: options.kind });
const batch = Buffer.concat(Array(Math.ceil((1 << 18) / message.length)).fill(message));
const counters = [];
let written = 0;
let open = 0;

function answer(head) {
  const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1];
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

function stream(socket) {
  const more = () => {
    while (socket.write(batch, () => (written += batch.length)));
  };
  socket.on('drain', more);
  more();
}

const server = net.createServer({ noDelay: true }, (socket) => {
  const counter = new FrameCounter();
  counters.push(counter);
  let head = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    if (head === null) {
      if (options.mode === 'sink') counter.take(chunk);
      return;
    }
    head += chunk.latin1Slice();
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    socket.write(answer(head));
    if (options.mode === 'source') stream(socket);
    else counter.take(Buffer.from(head.slice(end + 4), 'latin1'));
    head = null;
    if (++open === options.connections) run();
  });
});

async function run() {
  const count =
    options.mode === 'source'
      ? () => written / message.length
      : () => counters.reduce((sum, { bytes }) => sum + bytes, 0) / options.size;
  console.log(JSON.stringify(await measureWindow(options, count)));
  process.exit(0);
}

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
setTimeout(() => process.exit(1), options.warmup + options.duration + 60_000).unref();
