/** Our client against a `ws` server, over TCP, TLS and a UNIX socket. */

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createPlain, type Server as HttpServer } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { connect } from '../../src/client/index.ts';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { authority, local as certificate } from '../support/certificates.ts';
import { bytesOf, RAISED, SIZES, same, textOf } from './exchange.ts';

describe.each(['ws', 'wss', 'unix'] as const)('over %s', (transport) => {
  let http: HttpServer;
  let server: WebSocketServer;
  let url: string;
  let folder: string;
  const peers: WebSocket[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sansocket-'));
    http = transport === 'wss' ? createTls(certificate) : createPlain();
    server = new WebSocketServer({ server: http, maxPayload: 0 });
    server.on('connection', (peer) => {
      peers.push(peer);
      peer.on('message', (data, binary) => peer.send(data, { binary }));
    });
    const path = join(folder, 'ws.sock');
    await new Promise<void>((resolve) => {
      if (transport === 'unix') http.listen(path, resolve);
      else http.listen(0, '127.0.0.1', resolve);
    });
    const { port } = http.address() as AddressInfo;
    url = transport === 'unix' ? `ws+unix:${path}:/chat` : `${transport}://localhost:${port}/chat`;
  });

  afterAll(async () => {
    for (const peer of server.clients) peer.terminate();
    server.close();
    http.close();
    await rm(folder, { recursive: true });
  });

  async function open(): Promise<{ client: Endpoint; peer: WebSocket }> {
    const tls = transport === 'wss' ? { tls: { ca: authority } } : {};
    const client = await connect(url, { ...tls, ...RAISED });
    await expect.poll(() => peers.length).toBeGreaterThan(0);
    return { client, peer: peers.pop()! };
  }

  function next(client: Endpoint): Promise<string | Uint8Array> {
    return new Promise((resolve) => {
      const undo = client.on('message', ({ data }) => {
        undo();
        resolve(data);
      });
    });
  }

  test.each(SIZES)('exchanges %i bytes as text and as binary, whole and in fragments both ways', async (size) => {
    const { client, peer } = await open();
    const bytes = bytesOf(size);
    const text = textOf(size);
    client.send(bytes);
    expect(same((await next(client)) as Uint8Array, bytes)).toBe(true);
    client.send(text);
    expect((await next(client)) === text).toBe(true);
    client.send(bytes, { fragmentSize: Math.max(1, Math.ceil(size / 3)) });
    expect(same((await next(client)) as Uint8Array, bytes)).toBe(true);
    peer.send(bytes.subarray(0, size >> 1), { fin: false });
    peer.send(bytes.subarray(size >> 1), { fin: true });
    expect(same((await next(client)) as Uint8Array, bytes)).toBe(true);
    expect(await client.close()).toMatchObject({ code: 1000, clean: true });
  });

  test('answers pings of either side', async () => {
    const { client, peer } = await open();
    client.resume();
    const pong = new Promise((resolve) => peer.once('pong', (data) => resolve(data.toString())));
    peer.ping('from ws');
    expect(await pong).toBe('from ws');
    expect(await client.ping('from us')).toBeGreaterThanOrEqual(0);
    await client.close();
  });

  test('closes from either side', async () => {
    const first = await open();
    expect(await first.client.close(4000, 'ours')).toMatchObject({
      code: 4000,
      reason: 'ours',
      clean: true,
      remote: false,
    });

    const second = await open();
    second.client.resume();
    second.peer.close(4001, 'theirs');
    expect(await second.client.closed).toMatchObject({ code: 4001, reason: 'theirs', clean: true, remote: true });
  });

  test('iterates over messages until the clean end', async () => {
    const { client, peer } = await open();
    peer.send('a');
    peer.send('b');
    peer.close(1000);
    const got: unknown[] = [];
    for await (const { data } of client) got.push(data);
    expect(got).toEqual(['a', 'b']);
  });
});
