/** Compression of what a server sends to many: once for all whose windows are not their own. */

import { afterEach, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { PermessageDeflateOptions } from '../../src/index.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { json } from '../extension/support.ts';
import { type CountingDeflate, countingDeflate } from '../support/deflate.ts';

const TEXT = Buffer.from(json(3_000)).toString();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface World {
  readonly server: Server;
  readonly clients: readonly Endpoint[];
  readonly codec: CountingDeflate;
  /** What each client has got. */
  readonly got: unknown[][];
}

/** Ten clients that compress and three that do not. */
async function world(compression: PermessageDeflateOptions): Promise<World> {
  const codec = countingDeflate();
  const server = await serve({ port: 0, host: '127.0.0.1', compression: { ...compression, codec } }, () => {});
  closers.push(() => server.close());
  const got: unknown[][] = [];
  const clients = await Promise.all(
    Array.from({ length: 13 }, (_, i) => {
      const mine: unknown[] = [];
      got.push(mine);
      return connect(server.url, { compression: i < 10, on: { message: ({ data }) => void mine.push(data) } });
    }),
  );
  await expect.poll(() => server.connections.size).toBe(13);
  return { server, clients, codec, got };
}

async function everybodyGets({ got }: World, expected: readonly unknown[]): Promise<void> {
  await expect.poll(() => got.every((each) => each.length === expected.length)).toBe(true);
  for (const each of got) expect(each).toEqual(expected);
}

test('a broadcast is compressed once for all receivers without context takeover', async () => {
  const all = await world({ memory: 'shared' });
  const results = all.server.broadcast(TEXT);
  expect(all.codec.deflated).toEqual([3_000]);
  expect(results.map(({ result }) => result.success)).toEqual(Array(13).fill(true));
  const sizes = results.map(({ result }) => result.wireSize).sort((a, b) => a - b);
  expect(new Set(sizes.slice(0, 10)).size).toBe(1);
  expect(sizes[9]).toBeLessThan(1_500);
  expect(sizes[10]).toBe(3_004);
  all.server.broadcast(json(3_000));
  all.server.broadcast('short');
  all.server.broadcast(TEXT, { compress: false });
  expect(all.codec.deflated).toEqual([3_000, 3_000]);
  await everybodyGets(all, [TEXT, json(3_000), 'short', TEXT]);
});

test('with context takeover it is compressed for each, with other messages in between', async () => {
  const all = await world({});
  for (let i = 0; i < 3; i++) {
    all.server.broadcast(TEXT);
    for (const socket of all.server.connections) socket.send(`for you ${TEXT}`);
    all.server.broadcast(TEXT, { compress: false });
  }
  expect(all.codec.deflated).toHaveLength(60);
  await everybodyGets(
    all,
    Array(3)
      .fill([TEXT, `for you ${TEXT}`, TEXT])
      .flat(),
  );
});

test("memory: 'none' compresses nothing, and reads what is compressed", async () => {
  const all = await world({ memory: 'none' });
  const heard: unknown[] = [];
  for (const socket of all.server.connections) socket.on('message', ({ data }) => void heard.push(data));
  all.server.broadcast(TEXT);
  for (const client of all.clients) client.send(TEXT);
  await everybodyGets(all, [TEXT]);
  await expect.poll(() => heard.length).toBe(13);
  expect(heard).toEqual(Array(13).fill(TEXT));
  expect(all.codec.deflated).toEqual([]);
});

test('seed 83: who cannot be compressed for is told so, and nobody else suffers', async () => {
  const all = await world({ memory: 'shared' });
  all.codec.failsFrom = 0;
  const results = all.server.broadcast(TEXT);
  expect(results.filter(({ result }) => result.code === 'compression' && result.compressionError)).toHaveLength(10);
  expect(results.filter(({ result }) => result.success)).toHaveLength(3);
  all.codec.failsFrom = Number.POSITIVE_INFINITY;
  all.server.broadcast('after it');
  await expect.poll(() => all.got.every((each) => each.at(-1) === 'after it')).toBe(true);
});
