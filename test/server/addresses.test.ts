import { createServer } from 'node:http';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { connect, type HandshakeError } from '../../src/client/index.ts';
import {
  AddressList,
  attach,
  type RefusedConnection,
  type ServeOptions,
  type Server,
  serve,
} from '../../src/server/index.ts';
import { local } from '../support/certificates.ts';
import { exchange, RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';
import { MemoryServer } from './memory-server.ts';

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close({ timeout: 20 })));
});

async function start(options: Partial<ServeOptions>): Promise<Server> {
  const server = await serve({ port: 0, host: '127.0.0.1', ...options }, (socket) => socket.resume());
  servers.push(server);
  return server;
}

const refusal = (url: string, options = {}): Promise<HandshakeError> =>
  connect(url, options).then(
    () => Promise.reject(new Error('it was accepted')),
    (error: HandshakeError) => error,
  );

describe('seed 55, T62: who may connect', () => {
  test('others are answered with 403 before anything of theirs is heard', async () => {
    let asked = 0;
    const refused: RefusedConnection[] = [];
    const world = new MemoryServer(
      { allowedAddresses: ['192.0.2.1', '2001:db8::/32'], authorize: () => void asked++, allowedOrigins: [] },
      () => void asked++,
    );
    world.server.on('refused', (each) => refused.push(each));
    world.server.on('connection', () => asked++);
    for (const address of ['192.0.2.2', '2001:db9::1', 'fe80::1%eth0', '64:ff9b::192.0.2.1', null]) {
      expect([address, await world.refusal({ address })]).toEqual([address, 403]);
    }
    expect([asked, world.server.statistics]).toEqual([0, { connections: 0, pending: 0, opened: 0, refused: 5 }]);
    expect(refused[0]).toMatchObject({
      status: 403,
      remoteAddress: '192.0.2.2',
      error: { code: 'ADDRESS_REFUSED', status: 403 },
    });
    for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8:1::']) await world.guest({ address });
    expect([asked, world.server.connections.size]).toEqual([9, 3]);
  });

  test('the lists change at run time, and count for the next one', async () => {
    const shared = new AddressList(['192.0.2.1']);
    const worlds = [new MemoryServer({ allowedAddresses: shared }), new MemoryServer({ allowedAddresses: shared })];
    const [world] = worlds as [MemoryServer];
    const { server } = world;
    expect([server.allowedAddresses, server.deniedAddresses]).toEqual([shared, null]);
    const guest = await world.guest();
    shared.delete('192.0.2.1');
    for (const each of worlds) expect(await each.refusal()).toBe(403);
    // Who is there stays; whoever wants them gone says so.
    expect(guest.here.readyState).toBe('open');
    server.allowedAddresses!.add('192.0.2.0/24');
    for (const each of worlds) await each.guest();

    const denying = new MemoryServer({ deniedAddresses: [] });
    await denying.guest();
    denying.server.deniedAddresses!.replace(['192.0.2.0/24']);
    expect(await denying.refusal()).toBe(403);
    await denying.guest({ address: '198.51.100.1' });
  });

  test('an empty list lets nobody in, deny wins, null is off', async () => {
    expect(await new MemoryServer({ allowedAddresses: [] }).refusal()).toBe(403);
    const both = new MemoryServer({ allowedAddresses: ['192.0.2.0/24'], deniedAddresses: ['192.0.2.1'] });
    expect(await both.refusal()).toBe(403);
    await both.guest({ address: '192.0.2.2' });
    const off = new MemoryServer({ allowedAddresses: null, deniedAddresses: null });
    await off.guest({ address: null });
    expect([off.server.allowedAddresses, off.server.deniedAddresses]).toEqual([null, null]);
  });

  test('those that may not cannot crowd out those that may', async () => {
    const world = new MemoryServer({ deniedAddresses: ['192.0.2.66'], maxPendingHandshakes: 8 });
    const statuses: number[] = [];
    world.server.on('refused', ({ status }) => statuses.push(status));
    for (let i = 0; i < 50; i++) world.dial({ address: '192.0.2.66' });
    await world.clock.settle();
    expect([world.server.statistics.pending, statuses.length]).toEqual([4, 46]);
    await world.guest();
    await world.clock.run(20_000);
    expect(world.server.statistics.pending).toBe(0);
  });

  test('T62: one listener for both families knows IPv4 peers by their IPv4 address', async () => {
    const server = await serve({ port: 0, allowedAddresses: ['127.0.0.0/8'] }, (socket) => socket.resume());
    servers.push(server);
    await (await connect(`ws://127.0.0.1:${server.port}`)).close();
    const six = await refusal(`ws://[::1]:${server.port}`);
    // Where there is no IPv6 nobody answers at all.
    expect([403, undefined]).toContain(six.status);
    server.allowedAddresses!.replace(['::1']);
    expect((await refusal(`ws://127.0.0.1:${server.port}`)).status).toBe(403);
  });

  test('over TLS and for plain requests too, and attached to an http server', async () => {
    const secure = await start({ tls: local, allowedAddresses: [] });
    expect((await refusal(secure.url, { tls: { ca: 'NONE' } })).status).toBe(403);
    const plain = await start({ allowedAddresses: [], onRequest: () => ({ status: 200, body: 'secret' }) });
    const answer = await exchange(plain.port!, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect([statusOf(answer), answer.includes('secret'), answer.includes('allowedAddresses')]).toEqual([
      403,
      false,
      true,
    ]);
    const http = createServer();
    const attached = attach(http, { allowedAddresses: [] });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    expect((await refusal(attached.url)).status).toBe(403);
    attached.allowedAddresses!.add('127.0.0.1');
    await (await connect(attached.url)).close();
    await attached.close();
    http.close();
  });

  test.each<[Partial<ServeOptions>, string]>([
    [{ allowedAddresses: '127.0.0.1' as never }, "'allowedAddresses' must be"],
    [{ allowedAddresses: ['localhost'] }, "'allowedAddresses'"],
    [{ deniedAddresses: [7 as never] }, "'deniedAddresses'"],
    [{ deniedAddresses: { '127.0.0.1': true } as never }, "'deniedAddresses'"],
    [{ maxConnectionsPerAddress: 0 }, "'maxConnectionsPerAddress'"],
    [{ maxConnectionsPerAddress: '4' as never }, "'maxConnectionsPerAddress'"],
  ])('%j is a UsageError', async (options, text) => {
    await expect(serve({ port: 0, ...options })).rejects.toThrow(text);
    await expect(serve({ port: 0, ...options })).rejects.toMatchObject({ name: 'UsageError' });
  });

  test('means nothing on a UNIX socket', async () => {
    for (const options of [{ allowedAddresses: [] }, { deniedAddresses: [] }, { maxConnectionsPerAddress: 1 }]) {
      await expect(serve({ path: '/tmp/never', ...options })).rejects.toThrow(`'${Object.keys(options)[0]}'`);
    }
  });
});

describe('seed 52: so many from one address', () => {
  test('one too many gets 503 and Retry-After; others and a place that is free again are not concerned', async () => {
    const world = new MemoryServer({ maxConnectionsPerAddress: 2 });
    const first = await world.guest();
    await world.guest({ address: '::ffff:192.0.2.1' });
    expect(await world.refusal()).toBe(503);
    await world.guest({ address: '192.0.2.2' });
    expect(world.server.metrics().refusedByStatus).toEqual({ 503: 1 });
    first.here.terminate();
    await world.guest();
    expect(await world.refusal()).toBe(503);
  });

  test('an IPv6 network is one address', async () => {
    const world = new MemoryServer({ maxConnectionsPerAddress: 1 });
    await world.guest({ address: '2001:db8::1' });
    expect(await world.refusal({ address: '2001:db8::ffff:2' })).toBe(503);
    await world.guest({ address: '2001:db8:0:1::1' });
  });

  test('who was refused and lingers takes no place, who is silent does', async () => {
    const server = await start({ maxConnectionsPerAddress: 1, paths: '/a' });
    const lingering = await RawPeer.to(server.port!);
    lingering.socket.removeAllListeners('end');
    lingering.write(upgradeRequest('/b'));
    await lingering.until('404');
    expect(server.statistics.pending).toBe(1);
    const open = await connect(`${server.url}/a`);
    lingering.reset();
    await open.close();
    const silent = new MemoryServer({ maxConnectionsPerAddress: 1 });
    silent.dial();
    expect(await silent.refusal()).toBe(503);
    await silent.clock.run(11_000);
    await silent.guest();
  });

  test('who was refused and lingers cannot be joined by any number more', async () => {
    const server = await start({ maxConnectionsPerAddress: 2, paths: '/a' });
    const statuses: number[] = [];
    server.on('refused', ({ status }) => statuses.push(status));
    const peers: RawPeer[] = [];
    for (let i = 0; i < 12; i++) {
      const peer = await RawPeer.to(server.port!);
      // It never ends its side.
      peer.socket.removeAllListeners('end');
      const ended = new Promise((resolve) => peer.socket.once('end', resolve));
      peer.write(upgradeRequest('/b'));
      await ended;
      peers.push(peer);
    }
    expect(peers.map(({ received }) => statusOf(received) || 0)).toEqual([404, 404, 404, 404, ...new Array(8).fill(0)]);
    expect([server.statistics.pending, statuses]).toEqual([4, new Array(8).fill(0)]);
    for (const peer of peers) peer.reset();
    while (server.statistics.pending > 0) await new Promise(setImmediate);
    await connect(`${server.url}/a`);
  });

  test('far too many are dropped without a word, before and after TLS', async () => {
    const world = new MemoryServer({ maxConnectionsPerAddress: 2 });
    const statuses: number[] = [];
    world.server.on('refused', ({ status }) => statuses.push(status));
    for (let i = 0; i < 10; i++) world.dial();
    await world.clock.settle();
    expect([world.server.statistics.pending, statuses]).toEqual([4, [0, 0, 0, 0, 0, 0]]);
    await world.guest({ address: '192.0.2.2' });

    const server = await start({ tls: local, maxConnectionsPerAddress: 1 });
    const raw = [await RawPeer.to(server.port!), await RawPeer.to(server.port!)];
    while (server.statistics.pending < 2) await new Promise(setImmediate);
    const third = await RawPeer.to(server.port!);
    await third.closed;
    expect(third.received).toBe('');
    for (const peer of raw) peer.reset();
    while (server.statistics.pending > 0) await new Promise(setImmediate);
    const open = await connect(server.url, { tls: { ca: 'NONE' } });
    const second = connectTls({ port: server.port!, host: '127.0.0.1', rejectUnauthorized: false });
    second.write(upgradeRequest());
    const [answer] = await new Promise<[Buffer]>((resolve) =>
      second.once('data', (...got) => resolve(got as [Buffer])),
    );
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: \d+\r\n/s);
    second.destroy();
    await open.close();
  });
});
