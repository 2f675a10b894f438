/** Lives of connections, each with another end. A life resolves when its own side is over; none rejects. */

import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { connect } from '../src/client/index.ts';
import type { Endpoint } from '../src/endpoint/endpoint.ts';
import type { ServeOptions } from '../src/server/index.ts';
import type { ServerEndpoint } from '../src/server/server-endpoint.ts';
import { EXAMPLE_KEY, frame } from '../test/support/frames.ts';
import { upgradeRequest } from '../test/support/sockets.ts';

/** Where a life is spent. */
export interface World {
  readonly port: number;
  /** In [0, 1). */
  readonly chance: () => number;
}

/** The options of the server that lives are spent at: short deadlines and small limits, so that each is reached. */
export const SERVER_OPTIONS: ServeOptions = {
  host: '127.0.0.1',
  port: 0,
  backlog: 4_096,
  compression: true,
  handshakeTimeout: 1_000,
  closeTimeout: 1_000,
  maxMessageSize: 65_536,
  maxFragments: 1_000,
  maxBufferedAmount: 262_144,
  maxPendingHandshakes: null,
  authorize: (request) => request.path !== '/refused' || { status: 403 },
  onListenerError: () => {},
};

/** What the server does, by the first word of a text. Everything else comes back. */
export function serveLife(socket: ServerEndpoint): void {
  socket.on('message', ({ data }) => {
    if (data === 'close') void socket.close(4_000, 'you asked for it');
    else if (data === 'terminate') socket.terminate();
    else if (data === 'throw') throw new Error('a listener that throws');
    else if (data === 'reject') return Promise.reject(new Error('a listener that rejects'));
    else if (data === 'flood') while (socket.send(new Uint8Array(16_384), { compress: false }).success);
    else if (data === 'stream') void socket.sendStream('binary', slowly(100));
    else if (data === 'ping') void socket.ping();
    else socket.send(data);
    return undefined;
  });
}

/** A source that takes its time, and may never come to its end. */
async function* slowly(chunks: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < chunks; i++) {
    yield new Uint8Array(1_000);
    await pause(5);
  }
}

function pause(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

const text = (payload: string) => frame({ opcode: 1, key: EXAMPLE_KEY, payload: new Uint8Array(Buffer.from(payload)) });
const opening = upgradeRequest('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate' });

/** Opens, and has some messages echoed. */
async function talk({ port, chance }: World, compression = false): Promise<Endpoint> {
  const socket = await connect(`ws://127.0.0.1:${port}/`, { compression, closeTimeout: 1_000 });
  let heard: () => void = () => {};
  socket.on('message', () => heard());
  for (let left = Math.floor(6 * chance()); left > 0; left--) {
    const echo = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const size = Math.floor(10 ** (4.5 * chance()));
    socket.send(chance() < 0.5 ? 'x'.repeat(size) : new Uint8Array(size));
    await Promise.race([echo, socket.closed]);
  }
  return socket;
}

/** A socket that will say `bytes` as soon as it may, and is dropped by nobody but `then` or the server. */
async function raw({ port }: World, bytes: string | Uint8Array, then: (socket: Socket) => unknown): Promise<void> {
  const socket = dial({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await Promise.race([once(socket, 'connect').catch(() => {}), closed]);
  then(socket);
  await closed;
}

/** The same behind an opening handshake. */
function rawOpen(world: World, bytes: Uint8Array, then: (socket: Socket) => unknown): Promise<void> {
  return raw(world, opening, (socket) => {
    socket.once('data', () => {
      socket.write(bytes);
      then(socket);
    });
  });
}

const reading = (socket: Socket) => socket.resume();
const reset = (socket: Socket) => socket.resetAndDestroy();

export const LIVES: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  'the client closes': async (world) => (await talk(world)).close(),
  'the server closes': async (world) => {
    const socket = await talk(world);
    socket.send('close');
    await socket.closed;
  },
  'both close': async (world) => {
    const socket = await talk(world);
    socket.send('close');
    await socket.close();
  },
  'the client is terminated': async (world) => (await talk(world)).terminate(),
  'the server terminates': async (world) => {
    const socket = await talk(world);
    socket.send('terminate');
    await socket.closed;
  },
  'compressed, then closed': async (world) => (await talk(world, true)).close(4_999, 'done'),
  'compressed, then terminated': async (world) => (await talk(world, true)).terminate(),
  'terminated with all kinds of promises pending': async (world) => {
    const socket = await talk(world);
    const pending = [
      socket.ping(),
      socket.ping('again'),
      socket.drained(),
      socket.sendStream('binary', slowly(20)),
      socket.closed,
    ];
    socket.send('behind the stream');
    if (world.chance() < 0.5) await pause(10);
    socket.terminate();
    await Promise.all(pending);
  },
  'closed behind a stream': async (world) => {
    const socket = await talk(world);
    const sent = socket.sendStream('text', ['a', 'b', 'c']);
    await socket.close();
    await sent;
  },
  'terminated inside an iteration': async ({ port }) => {
    const socket = await connect(`ws://127.0.0.1:${port}/`);
    socket.send('one');
    try {
      for await (const _ of socket) socket.terminate();
    } catch {
      // That is how an iteration ends that did not end in order.
    }
  },
  'an iteration that is left': async ({ port }) => {
    const socket = await connect(`ws://127.0.0.1:${port}/`);
    for (const word of ['one', 'two', 'three']) socket.send(word);
    for await (const _ of socket) break;
    socket.resume();
    await socket.close();
  },
  'paused for good': async (world) => {
    const socket = await talk(world);
    socket.pause();
    socket.send('never read');
    await pause(5);
    socket.terminate();
  },
  'gone while the server streams': async (world) => {
    const socket = await talk(world);
    socket.send('stream');
    await pause(20 * world.chance());
    socket.terminate();
  },
  'gone while the server waits for a pong': async (world) => {
    const socket = await talk(world);
    socket.send('ping');
    socket.terminate();
  },
  'a listener that throws': async (world) => {
    const socket = await talk(world);
    socket.send('throw');
    socket.send('reject');
    await socket.close();
  },
  refused: ({ port }) => connect(`ws://127.0.0.1:${port}/refused`).catch(() => {}),
  aborted: ({ port, chance }) => {
    const controller = new AbortController();
    const opened = connect(`ws://127.0.0.1:${port}/`, { signal: controller.signal });
    if (chance() < 0.5) controller.abort();
    else setImmediate(() => controller.abort());
    return opened.then((socket) => socket.close()).catch(() => {});
  },
  'a reset before a byte': (world) => raw(world, '', reset),
  'a reset in the handshake': (world) => raw(world, opening.slice(0, 60), reset),
  'an end in the handshake': (world) => raw(world, opening.slice(0, 60), (socket) => reading(socket.end())),
  'silence in the handshake': (world) => raw(world, opening.slice(0, 60), reading),
  'a request that is none': (world) => raw(world, 'nonsense\r\n\r\n', reading),
  'a reset': (world) => rawOpen(world, text('x'), reset),
  'a reset inside a frame': (world) => rawOpen(world, text('x'.repeat(500)).subarray(0, 200), reset),
  'an end inside a frame': (world) => rawOpen(world, text('xyz').subarray(0, 7), (socket) => reading(socket.end())),
  'an end without a Close': (world) => rawOpen(world, text('x'), (socket) => reading(socket.end())),
  'a frame that is none': (world) => rawOpen(world, frame({ opcode: 3, key: EXAMPLE_KEY }), reading),
  'a Close that is never followed by an end': (world) =>
    rawOpen(world, frame({ opcode: 8, key: EXAMPLE_KEY }), (socket) => {
      socket.allowHalfOpen = true;
      reading(socket);
      setTimeout(() => socket.destroy(), 50);
    }),
  'too many fragments': (world) =>
    rawOpen(world, Buffer.concat([frame({ opcode: 1, fin: false, key: EXAMPLE_KEY }), ...FRAGMENTS]), reading),
  'a bomb': (world) => rawOpen(world, BOMB, reading),
  'compressed data that is none': (world) => rawOpen(world, CORRUPT, reading),
  'who never reads what it asked for': (world) =>
    rawOpen(world, text('flood'), (socket) => {
      socket.pause();
      setTimeout(() => socket.destroy(), 200);
    }),
};

const FRAGMENTS = Array.from({ length: 1_100 }, () => frame({ opcode: 0, fin: false, key: EXAMPLE_KEY }));
const CORRUPT = frame({ opcode: 1, rsv: 0x40, key: EXAMPLE_KEY, payload: Uint8Array.of(255, 255, 255, 255) });
const BOMB = frame({
  opcode: 2,
  rsv: 0x40,
  key: EXAMPLE_KEY,
  payload: new Uint8Array(deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: 2 }).subarray(0, -4)),
});
