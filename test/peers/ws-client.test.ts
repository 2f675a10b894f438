/** A `ws` client against our server. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { bytesOf, RAISED, SIZES, same, textOf } from './exchange.ts';

let server: Server;
const sockets: Endpoint[] = [];

beforeAll(async () => {
  server = await serve({ port: 0, host: '127.0.0.1', subprotocols: ['echo'], ...RAISED }, (socket) => {
    sockets.push(socket);
    socket.on('message', ({ data }) => socket.send(data));
  });
});

afterAll(() => server.close());

async function open(): Promise<{ client: WebSocket; socket: Endpoint }> {
  const client = new WebSocket(server.url, ['echo'], { maxPayload: 0, perMessageDeflate: false });
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
  expect(client.protocol).toBe('echo');
  await expect.poll(() => sockets.length).toBeGreaterThan(0);
  return { client, socket: sockets.pop()! };
}

function next(client: WebSocket): Promise<[Buffer, boolean]> {
  return new Promise((resolve) => client.once('message', (data, binary) => resolve([data as Buffer, binary])));
}

function ended(client: WebSocket): Promise<[number, string]> {
  return new Promise((resolve) => client.once('close', (code, reason) => resolve([code, reason.toString()])));
}

test.each(SIZES)('exchanges %i bytes as text and as binary, whole and in fragments both ways', async (size) => {
  const { client, socket } = await open();
  const bytes = bytesOf(size);
  const text = textOf(size);
  client.send(bytes);
  const [echoedBytes, isBinary] = await next(client);
  expect([isBinary, same(echoedBytes, bytes)]).toEqual([true, true]);
  client.send(text);
  const [echoedText, isText] = await next(client);
  expect([isText, echoedText.toString() === text]).toEqual([false, true]);

  const fragmentSize = Math.max(1, Math.ceil(size / 7));
  socket.send(bytes, { fragmentSize });
  expect(same((await next(client))[0], bytes)).toBe(true);
  client.send(bytes.subarray(0, size >> 1), { fin: false });
  client.send(bytes.subarray(size >> 1), { fin: true });
  expect(same((await next(client))[0], bytes)).toBe(true);
  client.close(1000);
  await ended(client);
});

test('answers pings of either side and measures the round trip', async () => {
  const { client, socket } = await open();
  const pong = new Promise((resolve) => client.once('pong', (data) => resolve(data.toString())));
  client.ping('from ws');
  expect(await pong).toBe('from ws');
  expect(await socket.ping('from us')).toBeGreaterThanOrEqual(0);
  client.terminate();
});

test('closes from the side of ws', async () => {
  const { client, socket } = await open();
  client.close(3001, 'done');
  expect(await ended(client)).toEqual([3001, 'done']);
  expect(await socket.closed).toMatchObject({ code: 3001, reason: 'done', clean: true, remote: true, error: null });
});

test('closes from our side', async () => {
  const { client, socket } = await open();
  const end = ended(client);
  expect(await socket.close(4001, 'bye')).toMatchObject({ code: 4001, clean: true, remote: false });
  expect(await end).toEqual([4001, 'bye']);
});

test('closes with an empty Close frame', async () => {
  const { client, socket } = await open();
  client.close();
  expect(await socket.closed).toMatchObject({ code: 1005, clean: true });
});

test('a peer that vanishes is 1006 and an error', async () => {
  const { client, socket } = await open();
  client.terminate();
  const event = await socket.closed;
  expect(event).toMatchObject({ code: 1006, clean: false });
  expect(event.error?.name).toBe('TransportError');
});

test('streams a message as its source yields it', async () => {
  const { client, socket } = await open();
  const message = next(client);
  const result = await socket.sendStream('text', ['one ', 'two ', 'three']);
  expect(result).toMatchObject({ success: true, payloadSize: 13 });
  expect((await message)[0].toString()).toBe('one two three');
  client.terminate();
});

test('a broadcast reaches every client', async () => {
  const all = await Promise.all([open(), open(), open()]);
  const received = all.map(({ client }) => next(client));
  const results = server.broadcast('to all');
  expect(results.every(({ result }) => result.success)).toBe(true);
  expect((await Promise.all(received)).map(([data]) => data.toString())).toEqual(['to all', 'to all', 'to all']);
  for (const { client } of all) client.terminate();
});
