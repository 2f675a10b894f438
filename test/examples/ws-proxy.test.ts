import { afterEach, expect, test } from 'vitest';
import { startProxy } from '../../examples/ws-proxy/main.ts';
import { type ConnectOptions, connect, UsageError } from '../../src/client/index.ts';
import { type Request, type ServeOptions, type ServerEndpoint, serve } from '../../src/server/index.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';
import { runExample, until } from './support.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An echo behind a proxy. */
async function proxied(options: Partial<ServeOptions> = {}) {
  const sockets: ServerEndpoint[] = [];
  const requests: Request[] = [];
  const backend = await serve(
    { port: 0, host: '127.0.0.1', maxMessageSize: 8_388_608, ...options },
    (socket, request) => {
      sockets.push(socket);
      requests.push(request);
      socket.on('message', ({ data }) => void socket.send(data));
    },
  );
  closers.push(() => backend.close());
  const proxy = await startProxy(`${backend.url}/`, { port: 0, host: '127.0.0.1' });
  closers.push(() => proxy.close());
  const dial = (path = '/', more: ConnectOptions = {}) =>
    connect(proxy.url + path, { maxMessageSize: 8_388_608, ...more });
  return { backend, proxy, sockets, requests, dial };
}

test('path, subprotocol and headers go through, messages both ways, text and binary', async () => {
  const { dial, sockets, requests } = await proxied({ subprotocols: ['b'] });
  const headers = { Cookie: 'a=1', 'X-Forwarded-For': '192.0.2.1', 'X-Private': 'stays' };
  const socket = await dial('/room?x=1', { subprotocols: ['a', 'b'], headers });
  const got: unknown[] = [];
  socket.on('message', ({ data }) => got.push(data));
  socket.send('é€\u{1f600}', { fragmentSize: 1 });
  socket.send(Uint8Array.of(1, 2, 3));
  socket.send('');
  await until(() => got.length === 3);
  expect(got).toEqual(['é€\u{1f600}', Uint8Array.of(1, 2, 3), '']);
  expect([socket.subprotocol, sockets[0]!.subprotocol, requests[0]!.target]).toEqual(['b', 'b', '/room?x=1']);
  const field = (name: string) => requests[0]!.headers.get(name);
  expect([field('Cookie'), field('X-Forwarded-For'), field('X-Private')]).toEqual([
    'a=1',
    '192.0.2.1, 127.0.0.1',
    null,
  ]);
});

test('who closes, and why, is told to the other', async () => {
  const { dial, sockets, backend } = await proxied();
  const [a, b, c, d] = [await dial(), await dial(), await dial(), await dial()];
  await until(() => sockets.length === 4);
  const numbers = new Map(sockets.map((socket, index) => [index, socket.closed]));
  await a.close(3001, 'from the client');
  expect(await numbers.get(0)).toMatchObject({ code: 3001, reason: 'from the client', clean: true });
  void sockets[1]!.close(4002, 'from the backend');
  expect(await b.closed).toMatchObject({ code: 4002, reason: 'from the backend', clean: true });
  c.terminate();
  expect(await numbers.get(2)).toMatchObject({ code: 1011, reason: 'TRANSPORT_ENDED' });
  sockets[3]!.terminate();
  expect(await d.closed).toMatchObject({ code: 1011, remote: true });
  await until(() => backend.connections.size === 0);
});

test('an empty Close stays without a code', async () => {
  const { proxy, sockets } = await proxied();
  const peer = await RawPeer.to(proxy.port!);
  peer.write(upgradeRequest('/'));
  await until(() => sockets.length === 1);
  peer.write(Uint8Array.of(0x88, 0x80, 0, 0, 0, 0));
  expect(await sockets[0]!.closed).toMatchObject({ code: 1000, clean: true });
  await peer.closed;
});

test('the refusal of the backend is the refusal; a backend that is not there is 502', async () => {
  const { dial, proxy } = await proxied({ authorize: () => ({ status: 401, body: 'no' }) });
  const error = await dial().catch((reason) => reason);
  expect([error.status, Buffer.from(error.response.body).toString()]).toEqual([401, 'no']);
  const page = await dial('/', { origin: 'https://other.test' }).catch((reason) => reason);
  expect(page.status).toBe(403);
  expect(proxy.connections.size).toBe(0);
  const lost = await startProxy('ws://127.0.0.1:1', { port: 0, host: '127.0.0.1' });
  closers.push(() => lost.close());
  await expect(connect(lost.url)).rejects.toMatchObject({ status: 502 });
  await expect(startProxy('backend:9000', { port: 0 })).rejects.toThrow(UsageError);
});

test('a client that goes while the backend is asked leaves nothing behind', async () => {
  const verdicts: ((verdict: boolean) => void)[] = [];
  const authorize = () => new Promise<boolean>((resolve) => verdicts.push(resolve));
  const { proxy, backend, sockets } = await proxied({ authorize });
  const peer = await RawPeer.to(proxy.port!);
  peer.write(upgradeRequest('/'));
  await until(() => verdicts.length === 1);
  peer.reset();
  await until(() => proxy.metrics().pending === 0);
  verdicts[0]!(true);
  await until(() => backend.metrics().pending === 0 && backend.connections.size === 0);
  expect([proxy.connections.size, sockets.filter(({ readyState }) => readyState === 'open')]).toEqual([0, []]);
});

test('who does not read holds the other side back, and a large message arrives in pieces', async () => {
  const { dial, sockets } = await proxied({ maxBufferedAmount: 67_108_864 });
  const socket = await dial();
  await until(() => sockets.length === 1);
  socket.pause();
  const size = 4_194_304;
  for (let n = 0; n < 8; n++) sockets[0]!.send(new Uint8Array(size).fill(n));
  // What the wire and the proxy do not take stays where it was made.
  let before = -1;
  while (before !== sockets[0]!.bufferedAmount) {
    before = sockets[0]!.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(before).toBeGreaterThan(size);
  const got: number[] = [];
  socket.on('message', ({ data }) =>
    got.push((data as Uint8Array).every((byte) => byte === data[0]) ? (data[0] as number) : -1),
  );
  socket.resume();
  await until(() => got.length === 8);
  expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a close in the middle of a message ends both sides', async () => {
  const { proxy, sockets } = await proxied();
  const peer = await RawPeer.to(proxy.port!);
  peer.write(upgradeRequest('/'));
  await until(() => sockets.length === 1);
  peer.write(Buffer.from([0x01, 0x82, 0, 0, 0, 0, 0x61, 0x62, 0x88, 0x82, 0, 0, 0, 0, 0x0b, 0xb9]));
  expect(await sockets[0]!.closed).toMatchObject({ code: 3001 });
  await peer.closed;
});

test('npx tsx examples/ws-proxy/main.ts ws://…', async () => {
  const { backend } = await proxied();
  const example = runExample('ws-proxy/main.ts', backend.url, '0');
  await example.until(' leads to ');
  const socket = await connect(/ws:\/\/\S+/.exec(example.printed)![0]);
  socket.send('through');
  for await (const { data } of socket) {
    expect(data).toBe('through');
    break;
  }
  await socket.close(1000, 'enough');
  await example.until('closed 1000 enough');
  example.child.kill('SIGINT');
  expect(await example.ended).toBe(0);
  const without = runExample('ws-proxy/main.ts');
  expect(await without.ended).toBe(2);
  expect(without.printed).toContain('usage: ');
});
