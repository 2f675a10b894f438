// One case of the guard in a process of its own: a fixed number of messages through an endpoint or through the engine, and what
// V8 allocated for them. No socket, no clock and no other process has a say in it.
//
//   node --expose-gc … worker.mjs CASE allocations            bytes a message, as one JSON line
//   valgrind --tool=callgrind node … worker.mjs CASE COUNT    only runs COUNT messages

import { EstablishedConnection } from 'sansocket';
import { Endpoint, EndpointSettings } from 'sansocket/endpoint';
import { nodeEnvironment, nodePlatform } from 'sansocket/transport/node';
import { createDecoder, createEncoder } from '../codec/ours.mjs';
import { encodeMessage, payload } from '../load/payload.mjs';

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const WARMUP = 150_000;
const STRETCH = 12_800;
const STRETCHES = 7;

/** A transport that has written everything at once, and is fed by hand. */
class InstantTransport {
  unwritten = 0;
  sink = null;
  written = 0;
  addresses = { remoteAddress: null, remotePort: null, localAddress: null, localPort: null, secure: false };
  start(sink) {
    this.sink = sink;
  }
  write(chunks) {
    for (let i = 0; i < chunks.length; i++) this.written += chunks[i].length;
    return 0;
  }
  end() {}
  destroy() {}
  pause() {}
  resume() {}
  ref() {}
  unref() {}
}

/** Echo through an endpoint, `depth` messages a read, from one buffer that is read into again and again. */
function echo(kind, size, depth, options = {}) {
  const settings = new EndpointSettings({ platform: nodePlatform, ...options });
  const connection = new EstablishedConnection({ role: 'server' }, settings.connection, nodeEnvironment.clock.now());
  const transport = new InstantTransport();
  const endpoint = new Endpoint(connection, transport, settings, nodeEnvironment);
  endpoint.on('message', ({ data }) => {
    endpoint.send(data);
  });
  endpoint.start();
  const message = encodeMessage({ data: payload(size, kind), kind, key: KEY });
  const read = Buffer.concat(Array(depth).fill(message));
  const buffer = new Uint8Array(131_072);
  return (count) => {
    const before = transport.written;
    for (let i = 0; i < count; i += depth) {
      buffer.set(read);
      transport.sink.receivedBorrowed(buffer, read.length);
    }
    const wire = count * (message.length - 4);
    if (transport.written - before !== wire) throw new Error(`${transport.written - before} bytes instead of ${wire}`);
  };
}

function decode(kind, size, perChunk) {
  const decoder = createDecoder();
  const message = encodeMessage({ data: payload(size, kind), kind, key: KEY });
  const chunk = Buffer.concat(Array(perChunk).fill(message));
  // As large as a read of Node's: a small payload is copied out of it.
  const fed = Buffer.allocUnsafeSlow(65_536).subarray(0, chunk.length);
  return (count) => {
    const before = decoder.count();
    for (let i = 0; i < count; i += perChunk) {
      fed.set(chunk);
      decoder.feed(fed);
    }
    if (decoder.count() - before !== count) throw new Error(`${decoder.count() - before} messages instead of ${count}`);
  };
}

function encode(kind, size, mask) {
  const encoder = createEncoder(mask, kind);
  const bytes = payload(size, kind);
  const data = kind === 'binary' ? new Uint8Array(bytes) : bytes.toString();
  return (count) => {
    for (let i = 0; i < count; i++) encoder.send(data);
    encoder.flush();
  };
}

/** Every count is a multiple of 128. */
const CASES = {
  'echo 125 B, depth 1': () => echo('binary', 125, 1),
  'echo 125 B, depth 16': () => echo('binary', 125, 16),
  'echo 125 B borrowed, depth 16': () => echo('binary', 125, 16, { borrow: true }),
  'echo 125 B text, depth 16': () => echo('text', 125, 16),
  'echo 1 KiB, depth 16': () => echo('binary', 1_024, 16),
  'echo 64 KiB': () => echo('binary', 65_536, 1),
  'decode 16 B': () => decode('binary', 16, 128),
  'decode 1 KiB': () => decode('binary', 1_024, 32),
  'encode 125 B': () => encode('binary', 125, false),
  'encode 125 B text': () => encode('text', 125, false),
  'encode 125 B masked': () => encode('binary', 125, true),
  'encode 64 KiB masked': () => encode('binary', 65_536, true),
};

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/** Bytes a message on V8's heap and in buffers outside of it, while nothing is collected. */
function allocations(run, large) {
  const stretch = large ? 128 : STRETCH;
  run(large ? 12_800 : WARMUP - (WARMUP % 128));
  const heap = [];
  const buffers = [];
  for (let i = 0; i < STRETCHES; i++) {
    globalThis.gc();
    const before = process.memoryUsage();
    run(stretch);
    const after = process.memoryUsage();
    heap.push((after.heapUsed - before.heapUsed) / stretch);
    buffers.push((after.arrayBuffers - before.arrayBuffers) / stretch);
  }
  return { heap: Math.round(median(heap)), buffers: Math.round(median(buffers)) };
}

const [name, task] = process.argv.slice(2);
if (name === undefined) console.log(JSON.stringify(Object.keys(CASES)));
else if (task === 'allocations') console.log(JSON.stringify(allocations(CASES[name](), name.includes('64 KiB'))));
else CASES[name]()(Number(task));
process.exit(0);
