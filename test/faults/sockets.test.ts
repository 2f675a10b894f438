/** Real sockets in trouble: twins of what the simulator does in memory. Nothing here asserts a duration. */

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import type { CloseEvent } from '../../src/endpoint/events.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { closeAll, rawServer } from '../client/support.ts';
import { authority, local } from '../support/certificates.ts';
import { EXAMPLE_KEY, frame } from '../support/frames.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';
import { type Fault, FaultProxy, flip, pieces } from './proxy.ts';

let server: Server;
let closes: CloseEvent[];
const proxies: FaultProxy[] = [];

beforeEach(async () => {
  closes = [];
  server = await serve({ port: 0, host: '127.0.0.1', compression: true }, (socket) => {
    socket.on('message', ({ data }) => socket.send(data));
    socket.on('close', (event) => closes.push(event));
  });
});

afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
  await server.close({ timeout: 1_000 });
});

async function through(fault?: Fault) {
  const proxy = await FaultProxy.to(server.port!, fault);
  proxies.push(proxy);
  return { proxy, url: `ws://127.0.0.1:${proxy.port}/` };
}

const head101 = (key: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`;

/** Nobody is left at the server, in whatever state. */
function empty(): Promise<void> {
  return expect.poll(() => server.statistics, { timeout: 15_000 }).toMatchObject({ connections: 0, pending: 0 });
}

describe('split', () => {
  test.each([1, 2, 7, 1_000])('in segments of %i octets everything arrives as it was sent', async (size) => {
    const { url, proxy } = await through(pieces(size));
    const socket = await connect(url, { compression: size > 1 });
    const messages = ['', 'Hello', '€😀'.repeat(20), 'x'.repeat(500 * Math.min(size, 100))];
    for (const text of messages) socket.send(text);
    const heard: unknown[] = [];
    for await (const { data } of socket) if (heard.push(data) === messages.length) break;
    expect(heard).toEqual(messages);
    expect(await socket.close(1_000, 'done')).toMatchObject({ code: 1_000, reason: 'done', clean: true });
    expect(proxy.carried.up).toBeGreaterThan(200);
    await empty();
  });

  test('a slow link holds the sender back, and loses nothing', async () => {
    const { url } = await through(pieces(4_096));
    const socket = await connect(url, { maxMessageSize: null });
    const bytes = new Uint8Array(1_000_000).map((_, i) => i * 31);
    expect(socket.send(bytes)).toMatchObject({ success: true, writable: false });
    for await (const { data } of socket) {
      expect(Buffer.compare(data as Uint8Array, bytes)).toBe(0);
      break;
    }
    await socket.close();
    await empty();
  });
});

describe('the peer disappears after every octet', () => {
  const conversation = Buffer.concat([
    Buffer.from(upgradeRequest()),
    frame({ opcode: 1, fin: false, key: EXAMPLE_KEY, payload: Uint8Array.of(65, 66) }),
    frame({ opcode: 9, key: EXAMPLE_KEY, payload: Uint8Array.of(1) }),
    frame({ opcode: 0, key: EXAMPLE_KEY, payload: Uint8Array.of(67) }),
    frame({ opcode: 8, key: EXAMPLE_KEY, payload: Uint8Array.of(3, 232) }),
  ]);

  test.each(['FIN', 'RST'] as const)('by %s: the server sees one end of each, and keeps nothing', async (way) => {
    const lengths = Array.from({ length: conversation.length }, (_, i) => i);
    await Promise.all(
      lengths.map(async (length) => {
        const peer = await RawPeer.to(server.port!);
        peer.write(conversation.subarray(0, length));
        if (way === 'FIN') {
          peer.socket.end();
        } else {
          // A reset overtakes what was written, unless the other side has it.
          await new Promise(setImmediate);
          peer.reset();
        }
        await peer.closed;
      }),
    );
    await empty();
    expect(closes.length).toBe(server.statistics.opened);
    expect(closes.every(({ code, clean }) => code === 1_006 && !clean)).toBe(true);
    if (way === 'FIN') expect(closes.length).toBe(conversation.length - upgradeRequest().length);
  });

  test('by silence: the server gives each of them up, and keeps nothing', async () => {
    const ends: CloseEvent[] = [];
    const brief = { handshakeTimeout: 300, closeTimeout: 100, pingInterval: 100, pongTimeout: 100 };
    const other = await serve({ port: 0, host: '127.0.0.1', ...brief }, (socket) => {
      socket.resume();
      socket.on('close', (event) => ends.push(event));
    });
    const peers = await Promise.all(
      Array.from({ length: conversation.length }, async (_, length) => {
        const peer = await RawPeer.to(other.port!);
        // Whatever comes, it does not move any more.
        peer.socket.removeAllListeners('end');
        return peer.write(conversation.subarray(0, length));
      }),
    );
    await expect
      .poll(() => other.statistics, { timeout: 15_000 })
      .toMatchObject({ connections: 0, pending: 0, refused: upgradeRequest().length });
    for (const peer of peers) peer.reset();
    expect(ends.length).toBe(conversation.length - upgradeRequest().length);
    for (const end of ends) expect(end).toMatchObject({ code: 1_006, clean: false, error: { code: 'PONG_TIMEOUT' } });
    await other.close();
  });

  test.each([
    ['RST', (proxy: FaultProxy) => proxy.reset()],
    ['FIN', (proxy: FaultProxy) => proxy.end()],
    ['silence', (proxy: FaultProxy) => proxy.stall()],
  ])('of a server, by %s: a client gets an error of connect, or one close', async (way, die) => {
    const whole = await through();
    const undisturbed = await connect(whole.url);
    undisturbed.send('answered only in part');
    for await (const _ of undisturbed) break;
    const all = whole.proxy.carried.down;
    await undisturbed.close();
    expect(all).toBeGreaterThan(130);
    const brief = way === 'silence' ? { handshakeTimeout: 1_000, pingInterval: 200, pongTimeout: 200 } : {};
    const outcomes = await Promise.all(
      Array.from({ length: all + 1 }, async (_, length) => {
        let left = length;
        const { url, proxy } = await through((chunk, direction) => {
          if (direction === 'up') return [chunk];
          const piece = chunk.subarray(0, left);
          left -= piece.length;
          if (left === 0) setImmediate(() => die(proxy));
          return piece.length === 0 ? [] : [piece];
        });
        const ends: unknown[] = [];
        const opened = connect(url, { ...brief, on: { close: (event) => ends.push(event) } });
        const outcome = await opened.then(
          async (socket) => {
            socket.resume();
            socket.send('answered only in part');
            return socket.closed;
          },
          (error) => error,
        );
        proxy.reset();
        return { outcome, ends };
      }),
    );
    for (const { outcome, ends } of outcomes) {
      if ('type' in outcome) {
        expect(outcome).toMatchObject({ code: 1_006, clean: false });
        if (way === 'silence') expect(outcome.error).toMatchObject({ code: 'PONG_TIMEOUT' });
        expect(ends.length).toBe(1);
      } else {
        expect(outcome).toMatchObject({ name: way === 'silence' ? 'TimeoutError' : 'TransportError' });
        expect(ends.length).toBe(0);
      }
    }
    // Both kinds are there: it died before and behind the 101.
    expect(new Set(outcomes.map(({ ends }) => ends.length))).toEqual(new Set([0, 1]));
    await empty();
  });
});

describe('stall', () => {
  test('T81: a path that swallows everything is found by both heartbeats', async () => {
    const both = { pingInterval: 100, pongTimeout: 100 };
    const other = await serve({ port: 0, host: '127.0.0.1', ...both });
    const proxy = await FaultProxy.to(other.port!);
    proxies.push(proxy);
    const served = new Promise<CloseEvent>((resolve) => {
      other.on('connection', (socket) => {
        socket.resume();
        socket.on('close', resolve);
      });
    });
    const socket = await connect(`ws://127.0.0.1:${proxy.port}`, both);
    socket.resume();
    await socket.ping();
    proxy.stall();
    for (const end of [await socket.closed, await served]) {
      expect(end).toMatchObject({ code: 1_006, clean: false, error: { code: 'PONG_TIMEOUT' } });
    }
    await other.close();
  });

  test('T53: a server that sends its Close and keeps the connection is left after closeTimeout, and the end is clean', async () => {
    const { port, sockets } = await rawServer((head, socket) => {
      const [, key] = /Sec-WebSocket-Key: (\S+)/.exec(head)!;
      socket.write(`${head101(key!)}\x88\x02\x0f\xa0`, 'latin1');
    });
    try {
      const socket = await connect(`ws://127.0.0.1:${port}`, { closeTimeout: 100 });
      socket.resume();
      expect(await socket.closed).toMatchObject({ code: 4_000, clean: true, remote: true, error: null });
      if (!sockets[0]!.closed) await once(sockets[0]!, 'close');
    } finally {
      await closeAll();
    }
  });

  test('T53: a closing handshake that nobody answers ends after closeTimeout', async () => {
    const { url, proxy } = await through();
    const socket = await connect(url, { closeTimeout: 100 });
    proxy.stall();
    expect(await socket.close(1_000, 'bye')).toMatchObject({
      code: 1_006,
      clean: false,
      error: { code: 'CLOSING_TIMEOUT' },
    });
  });
});

test('a reset with promises of every kind pending settles each of them', async () => {
  const { url, proxy } = await through();
  const socket = await connect(url, { maxBufferedAmount: null });
  const iterated = (async () => {
    for await (const _ of socket);
  })().catch((error) => error);
  proxy.stall();
  socket.send(new Uint8Array(20_000_000));
  const pending = [socket.ping(), socket.drained(), socket.closed] as const;
  proxy.reset();
  const [pong, drained, closed] = await Promise.all(pending);
  expect([pong, drained, closed.code]).toEqual([null, false, 1_006]);
  expect(await iterated).toMatchObject({ name: 'TransportError' });
  await empty();
});

describe('TLS', () => {
  let secure: Server;
  const options = { tls: { ca: authority, servername: 'localhost' } };

  beforeEach(async () => {
    secure = await serve({ port: 0, host: '127.0.0.1', tls: local, handshakeTimeout: 2_000 }, (socket) => {
      socket.on('message', ({ data }) => socket.send(data));
      socket.on('close', (event) => closes.push(event));
    });
  });

  afterEach(() => secure.close({ timeout: 1_000 }));

  async function tlsThrough(fault?: Fault) {
    const proxy = await FaultProxy.to(secure.port!, fault);
    proxies.push(proxy);
    return { proxy, url: `wss://127.0.0.1:${proxy.port}/` };
  }

  test('records in segments of 3 octets', async () => {
    const { url } = await tlsThrough(pieces(3));
    const socket = await connect(url, options);
    socket.send('Hello');
    for await (const { data } of socket) {
      expect(data).toBe('Hello');
      break;
    }
    expect(await socket.close()).toMatchObject({ clean: true });
  });

  test('a reset inside a record', async () => {
    const { url, proxy } = await tlsThrough();
    const socket = await connect(url, options);
    socket.resume();
    proxy.reset();
    expect(await socket.closed).toMatchObject({ code: 1_006, error: { name: 'TransportError' } });
    await expect.poll(() => closes.length).toBe(1);
  });

  test.each(['up', 'down'] as const)(
    'an octet that was changed on its way %s: nothing of it is believed',
    async (way) => {
      for (const at of [0, 4, 9, 60, 300, 700, 900]) {
        const { url } = await tlsThrough(flip(way, at));
        const outcome = await connect(url, { ...options, handshakeTimeout: 4_000 }).then(
          async (socket) => {
            socket.send('Hello');
            const heard: unknown[] = [];
            try {
              for await (const { data } of socket) {
                heard.push(data);
                break;
              }
            } catch {
              // It failed, as it should, or the octet came later.
            }
            socket.terminate();
            return heard;
          },
          () => [],
        );
        expect([[], ['Hello']]).toContainEqual(outcome);
      }
      await expect.poll(() => secure.statistics, { timeout: 10_000 }).toMatchObject({ connections: 0, pending: 0 });
    },
  );
});
