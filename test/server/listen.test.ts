import { existsSync, mkdtempSync } from 'node:fs';
import { Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { type ServeOptions, type Server, serve, UsageError } from '../../src/server/index.ts';
import { LONGEST_SOCKET_PATH, longestOn } from '../../src/transport/node/socket-path.ts';
import { exchange, statusOf, upgradeRequest } from '../support/sockets.ts';

const servers: Server[] = [];

async function start(options: ServeOptions): Promise<Server> {
  const server = await serve(options, (socket) => socket.resume());
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close({ timeout: 20 })));
});

const open = async (url: string) => (await connect(url)).close();
const socketPath = () => join(mkdtempSync(join(tmpdir(), 'sansocket-')), 'a b.sock');

describe('row 51: port, host, backlog, address family', () => {
  test('port 0 listens on a free port, over IPv6 and IPv4, and tells it', async () => {
    const server = await start({ port: 0 });
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`ws://localhost:${server.port}`);
    expect(server.path).toBeNull();
    await open(`ws://127.0.0.1:${server.port}`);
    await open(`ws://[::1]:${server.port}`);
  });

  test('backlog is what the system is told, by default 511', async () => {
    const listen = vi.spyOn(NetServer.prototype, 'listen');
    await start({ port: 0, backlog: 5 });
    await start({ port: 0 });
    const told = listen.mock.calls.map(([options]) => (options as { backlog?: number }).backlog);
    listen.mockRestore();
    expect(told).toEqual([5, 511]);
  });

  test('host and family choose the address', async () => {
    const four = await start({ port: 0, family: 4 });
    expect(four.address()).toMatchObject({ address: '0.0.0.0', family: 'IPv4' });
    expect(four.url).toBe(`ws://127.0.0.1:${four.port}`);
    const six = await start({ port: 0, family: 6 });
    expect(six.url).toBe(`ws://[::1]:${six.port}`);
    await open(six.url);
    await expect(connect(`ws://127.0.0.1:${six.port}`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    const named = await start({ port: 0, host: 'localhost', family: 4 });
    expect(named.address()).toMatchObject({ address: '127.0.0.1' });
    const literal = await start({ port: 0, host: '::1', exclusive: true });
    expect(literal.url).toBe(`ws://[::1]:${literal.port}`);
    await open(literal.url);
  });

  test('a UNIX socket, whose path is free again after close', async () => {
    const path = socketPath();
    const server = await start({ path });
    expect(server.path).toBe(path);
    expect(server.port).toBeNull();
    await open(server.url);
    const socket = await connect('ws://a.example/x?y', { socketPath: path });
    expect([...server.connections][0]?.request?.target).toBe('/x?y');
    expect([...server.connections][0]?.request?.host).toBe('a.example');
    expect(socket.remoteAddress).toBeNull();
    socket.resume();
    await server.close();
    expect(existsSync(path)).toBe(false);
    await start({ path });
  });

  test('T66: the longest path of a UNIX socket is served and dialled as it is, and a longer one is neither', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sansocket-'));
    const path = `${folder}/${'x'.repeat(LONGEST_SOCKET_PATH - folder.length - 1)}`;
    await start({ path });
    expect(existsSync(path)).toBe(true);
    await open(`ws+unix:${path}`);
    const wanted = `the path of the UNIX socket has more than ${LONGEST_SOCKET_PATH} bytes`;
    for (const attempt of [connect(`ws+unix:${path}y:/`), connect('ws://a.test/', { socketPath: `${path}y` })]) {
      const failed = await attempt.catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(UsageError);
      expect((failed as Error).message).toBe(`connect: ${wanted}`);
    }
    await expect(connect('ws+unix:/a%00b')).rejects.toThrow('connect: the path of the UNIX socket has a NUL in it');
    expect(['linux', 'darwin', 'freebsd', 'win32'].map((each) => longestOn(each as NodeJS.Platform))).toEqual([
      107,
      103,
      103,
      Number.POSITIVE_INFINITY,
    ]);
  });

  test('row 53: what cannot listen rejects with the reason, and can try again', async () => {
    const server = await start({ port: 0, host: '127.0.0.1' });
    const again = { port: server.port!, host: '127.0.0.1' };
    await expect(serve(again)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await server.close();
    await start(again);
  });

  test('the caller may change its options while a name is looked up', async () => {
    const options: Record<string, unknown> = { port: 0, host: 'localhost', family: 4 };
    const starting = start(options as unknown as ServeOptions);
    Object.assign(options, { host: 'example.test', path: '/never', tls: {} });
    const server = await starting;
    expect(server.url).toBe(`ws://localhost:${server.port}`);
    await open(`ws://127.0.0.1:${server.port}`);
  });

  test('row 65: several servers in one process do not know each other', async () => {
    const one = await start({ port: 0 });
    const two = await start({ port: 0 });
    const socket = await connect(one.url);
    expect([one.connections.size, two.connections.size]).toEqual([1, 0]);
    await two.close();
    expect(socket.readyState).toBe('open');
  });
});

describe('options', () => {
  test.each<[object, string]>([
    [{}, "'port'"],
    [{ port: 0, path: '/x' }, "'path'"],
    [{ port: 0, prot: 1 }, "'prot'"],
    [{ port: '80' }, "option 'port' must be a whole number from 0 to 65535, not '80'"],
    [{ port: [80] }, 'not an array'],
    [{ port: -1 }, "'port'"],
    [{ port: 65536 }, "'port'"],
    [{ port: 0, family: 5 }, "'family'"],
    [{ port: 0, host: '' }, "'host'"],
    [{ port: 0, host: '127.0.0.1', family: 6 }, "'host'"],
    [{ path: '/x', host: 'localhost' }, "'path'"],
    [{ path: '' }, "'path'"],
    [{ path: '/x\0y' }, "option 'path' has a NUL"],
    [{ path: `/${'x'.repeat(LONGEST_SOCKET_PATH)}` }, `option 'path' has more than ${LONGEST_SOCKET_PATH} bytes`],
    [{ path: `/xx${'é'.repeat(LONGEST_SOCKET_PATH / 2)}` }, 'bytes'],
    [{ path: `\0${'x'.repeat(LONGEST_SOCKET_PATH)}` }, 'bytes'],
    [{ path: '/x', tls: {} }, "option 'tls' needs option 'port'"],
    [{ port: 0, paths: 'chat' }, "'paths'"],
    [{ port: 0, paths: [] }, "'paths'"],
    [{ port: 0, paths: ['/chat?x'] }, "'paths'"],
    // No request has such a target.
    [{ port: 0, paths: '/café' }, 'is percent-encoded'],
    [{ port: 0, paths: ['/a b'] }, 'is percent-encoded'],
    [{ port: 0, subprotocols: 'chat' }, "'subprotocols'"],
    [{ port: 0, subprotocols: ['a b'] }, "'subprotocols'"],
    [{ port: 0, allowedOrigins: ['https://a/'] }, "'allowedOrigins'"],
    [{ port: 0, maxConnections: 0 }, "'maxConnections'"],
    [{ port: 0, maxPendingHandshakes: 1.5 }, "'maxPendingHandshakes'"],
    [{ port: 0, authorize: true }, "'authorize'"],
    [{ port: 0, onRequest: 1 }, "'onRequest'"],
    [{ port: 0, headers: { 'X-A': 'a\r\nX-Evil: 1' } }, 'X-A'],
    [{ port: 0, headers: [['Upgrade', 'x']] }, 'Upgrade'],
    [{ port: 0, headers: 7 }, "'headers'"],
    [{ port: 0, compression: 'yes' }, "'compression'"],
    [{ port: 0, plainRequests: 'ask' }, "'plainRequests'"],
    [{ port: 0, maxMessageSize: 0 }, "'maxMessageSize'"],
  ])('%j is a UsageError that names %s', async (options, name) => {
    const failed = await serve(options as ServeOptions).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(UsageError);
    expect((failed as Error).message).toContain(name);
  });

  test('what cannot even be written as JSON is named all the same', async () => {
    const circle: unknown[] = [];
    circle.push(circle);
    for (const [each, shown] of [
      [circle, 'an array'],
      [10n, '10'],
      [Symbol('x'), 'Symbol(x)'],
      [null, 'null'],
    ]) {
      const paths = serve({ port: 0, paths: [each] } as never);
      await expect(paths).rejects.toThrow(`serve: option 'paths': ${String(shown)} is no path`);
      const origins = serve({ port: 0, allowedOrigins: [each] } as never);
      await expect(origins).rejects.toThrow(`serve: option 'allowedOrigins': ${String(shown)} is not an origin`);
      await expect(origins).rejects.toBeInstanceOf(UsageError);
    }
  });

  test('a signal closes the server; one that is aborted opens none', async () => {
    const controller = new AbortController();
    const server = await start({ port: 0, signal: controller.signal });
    const closed = new Promise<void>((resolve) => server.on('close', resolve));
    controller.abort(new Error('enough'));
    await closed;
    await expect(serve({ port: 0, signal: controller.signal })).rejects.toThrow('enough');
    await expect(serve({ port: 0, signal: {} as never })).rejects.toThrow("'signal' must be an AbortSignal");
  });

  test('compression: false is accepted, and internals can be switched off', async () => {
    const server = await start({ port: 0, compression: false, internals: false });
    expect(statusOf(await exchange(server.port!, upgradeRequest('/', { 'Sec-WebSocket-Key': 'x' })))).toBe(400);
    await open(server.url);
  });
});
