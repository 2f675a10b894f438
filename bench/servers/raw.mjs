// The socket itself: `net` (or `tls`) echo of the same bytes. In mode 'handshake' a canned 101 and a canned Close; in mode 'broadcast' a
// canned 101, then to everybody the frame of the first message for each that comes (of 126 to 65,535 bytes): the writes and no more.

import net from 'node:net';
import tls from 'node:tls';
import { say, settings } from './control.mjs';

const { mode, cert, key } = settings;
const ANSWER =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const CLOSE = Buffer.from([0x88, 0x02, 0x03, 0xe8]);

function echo(socket) {
  socket.on('data', (data) => socket.write(data));
  socket.on('error', () => {});
}

const everybody = new Set();
let frame = null;

function broadcast(socket) {
  // As every WebSocket library does; a plain echo has nothing that Nagle's algorithm could hold back.
  socket.setNoDelay(true);
  socket.once('data', () => {
    socket.write(ANSWER);
    everybody.add(socket);
    socket.on('data', (data) => {
      if (data[0] === 0x88) return socket.end(CLOSE);
      frame ??= unmasked(data);
      const frames = Buffer.concat(Array(data.length / (frame.length + 4)).fill(frame));
      for (const each of everybody) each.write(frames);
    });
  });
  socket.on('close', () => everybody.delete(socket));
  socket.on('error', () => {});
}

function unmasked(bytes) {
  const size = bytes.readUInt16BE(2);
  const frame = Buffer.concat([bytes.subarray(0, 4), bytes.subarray(8, 8 + size)]);
  frame[1] &= 0x7f;
  for (let i = 0; i < size; i++) frame[4 + i] ^= bytes[4 + (i & 3)];
  return frame;
}

function handshake(socket) {
  let answered = false;
  socket.on('data', () => {
    if (answered) socket.end(CLOSE);
    else socket.write(ANSWER);
    answered = true;
  });
  socket.on('error', () => {});
}

const listener = { handshake, broadcast }[mode] ?? echo;
// Without noDelay a TLS echo of more than one record waits for delayed acknowledgements.
const server = cert ? tls.createServer({ cert, key, noDelay: true }, listener) : net.createServer(listener);
server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
