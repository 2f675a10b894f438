// The fallback of load.c, with the same arguments and the same answer: the load generator in Node, for machines without
// a C compiler. It costs several times the CPU of the native one, so that a fast server may wait for it; the harness
// marks such rows.

import net from 'node:net';
import tls from 'node:tls';
import { measureWindow, readArguments } from './clock.mjs';
import { FrameCounter } from './frames.mjs';
import { encodeFrame, encodeMessage, payload } from './payload.mjs';

const options = readArguments({
  mode: 'echo',
  kind: 'binary',
  port: 0,
  pid: 0,
  raw: 0,
  tls: 0,
  size: 125,
  fragment: 0,
  connections: 64,
  depth: 1,
  warmup: 300,
  duration: 1000,
});
// One read buffer for all connections: every chunk is used up before the next read.
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const CLOSE = encodeFrame({ opcode: 8, data: Buffer.from([0x03, 0xe8]), key: KEY });
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const REQUEST = [
  'GET / HTTP/1.1',
  `Host: 127.0.0.1:${options.port}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '',
  '',
].join('\r\n');

/** Opens one connection; `onData` gets what follows the 101. Resolves when messages may be sent. */
function open(index, onData, onEnd) {
  return new Promise((resolve, reject) => {
    let head = options.raw ? null : '';
    const receive = (length) => {
      const chunk = buffer.subarray(0, length);
      if (head === null) {
        onData(chunk);
        return true;
      }
      head += chunk.latin1Slice();
      if (!head.includes('\r\n\r\n')) return true;
      if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(ACCEPT))
        reject(new Error(`no 101: ${head.slice(0, 60)}`));
      head = null;
      resolve(socket);
      return true;
    };
    const target = { host: '127.0.0.1', port: options.port, onread: { buffer, callback: receive } };
    if (process.platform === 'linux') target.localAddress = `127.0.0.${1 + index}`;
    const ready = () => (options.raw ? resolve(socket) : socket.write(REQUEST));
    const socket = options.tls
      ? tls.connect({ ...target, rejectUnauthorized: false }, ready)
      : net.connect(target, ready);
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('close', onEnd ?? (() => {}));
  });
}

async function traffic() {
  const message = encodeMessage({ ...options, data: payload(options.size, options.kind), key: KEY });
  const copies = Math.max(1, Math.min(options.depth, Math.floor((1 << 20) / message.length)));
  const batch = Buffer.concat(Array(copies).fill(message));
  const broadcast = options.mode === 'broadcast';
  const all = [];
  let stopping = false;
  let total = 0;
  let bytes = 0;
  let burst = options.depth;

  const send = (state, count) => {
    for (let left = stopping ? 0 : count; left > 0; left -= copies)
      state.socket.write(left >= copies ? batch : batch.subarray(0, left * message.length));
  };
  for (let i = 0; i < options.connections; i++) {
    const state = { socket: null, frames: new FrameCounter(), received: 0, messages: 0 };
    const onData = (chunk) => {
      const before = state.messages;
      if (options.raw) {
        state.received += chunk.length;
        bytes += chunk.length;
        state.messages = Math.floor(state.received / message.length);
      } else {
        const beforeBytes = state.frames.bytes;
        state.frames.take(chunk);
        bytes += state.frames.bytes - beforeBytes;
        state.messages = state.frames.messages;
      }
      total += state.messages - before;
      if (!broadcast) send(state, state.messages - before);
      else if (total >= burst * options.connections) {
        burst += options.depth;
        send(all[0], options.depth);
      }
    };
    all.push(state);
    state.socket = await open(Math.floor(i / 8000), onData, () => {
      if (!stopping) throw new Error('the connection ended while measuring');
    });
  }
  for (const state of broadcast ? all.slice(0, 1) : all) send(state, options.depth);
  const unit = options.raw ? message.length : options.size;
  const line = await measureWindow(options, () => bytes / unit);
  stopping = true;
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log(JSON.stringify(line));
  for (const { socket } of all) socket.end(options.raw ? undefined : CLOSE);
  await new Promise((resolve) => setTimeout(resolve, 100));
}

async function handshakes() {
  let done = 0;
  let index = 0;
  let stopping = false;
  const visit = async () => {
    while (!stopping) {
      await new Promise((resolve, reject) => {
        open(index++ % 16, () => {}, resolve).then((socket) => socket.write(CLOSE), reject);
      });
      done++;
    }
  };
  const visits = Array.from({ length: options.connections }, visit);
  const line = await measureWindow(options, () => done);
  stopping = true;
  await Promise.all(visits);
  console.log(JSON.stringify(line));
}

async function idle() {
  for (let i = 0; i < options.connections; i++) await open(Math.floor(i / 8000), () => {});
  console.log(JSON.stringify({ ready: options.connections }));
  process.stdin.resume().on('end', () => process.exit(0));
}

process.on('uncaughtException', (error) => {
  console.error(error.message);
  process.exit(1);
});
if (options.mode === 'handshake') await handshakes();
else if (options.mode === 'idle') await idle();
else await traffic();
if (options.mode !== 'idle') setTimeout(() => process.exit(0), 50);
