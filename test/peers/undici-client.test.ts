/** undici's WebSocket, the one of Node and of browsers' API, against our server. */

import { WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { type ServeOptions, type Server, serve } from '../../src/server/index.ts';
import { bytesOf, RAISED, SIZES, same, textOf } from './exchange.ts';

let server: Server;
const sockets: Endpoint[] = [];

beforeAll(async () => {
  server = await serve({ port: 0, host: '127.0.0.1', ...RAISED }, (socket) => {
    sockets.push(socket);
    socket.on('message', ({ data }) => socket.send(data));
  });
});

afterAll(() => server.close());

async function open(): Promise<{ client: WebSocket; socket: Endpoint }> {
  const client = new WebSocket(server.url);
  client.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    client.addEventListener('open', resolve, { once: true });
    client.addEventListener('error', reject, { once: true });
  });
  await expect.poll(() => sockets.length).toBeGreaterThan(0);
  return { client, socket: sockets.pop()! };
}

function next(client: WebSocket): Promise<unknown> {
  return new Promise((resolve) => client.addEventListener('message', ({ data }) => resolve(data), { once: true }));
}

test.each(SIZES)('exchanges %i bytes as text and as binary, and gets our fragments whole', async (size) => {
  const { client, socket } = await open();
  const bytes = bytesOf(size);
  const text = textOf(size);
  client.send(bytes);
  expect(same(new Uint8Array((await next(client)) as ArrayBuffer), bytes)).toBe(true);
  client.send(text);
  expect((await next(client)) === text).toBe(true);
  socket.send(bytes, { fragmentSize: Math.max(1, Math.ceil(size / 5)) });
  expect(same(new Uint8Array((await next(client)) as ArrayBuffer), bytes)).toBe(true);
  client.close();
  await socket.closed;
});

test('answers our ping', async () => {
  const { client, socket } = await open();
  expect(await socket.ping()).toBeGreaterThanOrEqual(0);
  client.close();
  await socket.closed;
});

test('closes from either side', async () => {
  const first = await open();
  first.client.close(3000, 'theirs');
  expect(await first.socket.closed).toMatchObject({ code: 3000, reason: 'theirs', clean: true, remote: true });

  const second = await open();
  const end = new Promise<{ code: number; reason: string; wasClean: boolean }>((resolve) =>
    second.client.addEventListener('close', resolve, { once: true }),
  );
  expect(await second.socket.close(4002, 'ours')).toMatchObject({ code: 4002, clean: true, remote: false });
  expect(await end).toMatchObject({ code: 4002, reason: 'ours', wasClean: true });
});

describe.each([
  [{ compression: true }, 'permessage-deflate'],
  [{ compression: { windowBits: 15 } }, 'permessage-deflate'],
  [{ compression: { windowBits: 9 } }, 'permessage-deflate'],
  [{ compression: { memory: 'shared' } }, 'permessage-deflate'],
  [{ compression: true, internals: false }, 'permessage-deflate'],
] as [ServeOptions, string][])('with %j', (options, agreed) => {
  test('exchanges text and bytes, whole and in fragments', async () => {
    const echo = await serve({ port: 0, host: '127.0.0.1', ...RAISED, ...options }, (socket) => {
      socket.on('message', ({ kind, data }) => {
        socket.send(data, kind === 'text' ? undefined : { fragmentSize: 1_000 });
      });
    });
    const client = new WebSocket(echo.url);
    client.binaryType = 'arraybuffer';
    await new Promise((resolve) => client.addEventListener('open', resolve, { once: true }));
    expect(client.extensions.startsWith(agreed)).toBe(true);
    for (const size of [0, 1, 125, 126, 2_000, 65_536, 300_000]) {
      for (let i = 0; i < 3; i++) {
        client.send(bytesOf(size));
        expect(same(new Uint8Array((await next(client)) as ArrayBuffer), bytesOf(size))).toBe(true);
        client.send(textOf(size));
        expect((await next(client)) === textOf(size)).toBe(true);
      }
    }
    client.close();
    await echo.close();
  });
});
