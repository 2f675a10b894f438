/** The client that connects again, on real sockets: a server that is restarted under many of them, and processes that end. */
import { execFile } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { ReconnectingClient, type ReconnectingClientOptions } from '../../src/client/index.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { closeAll, closeLater, rawServer, tunnelProxy } from './support.ts';

afterEach(closeAll);

const CLIENTS = 500;
/** Quick, for a test. */
const reconnect = { firstWait: 100, maxWait: 400 };

function listen(port: number): Promise<Server> {
  return serve({ port, host: '127.0.0.1', maxPendingHandshakes: null }, (socket) => {
    socket.on('message', ({ data }) => socket.send(data));
  });
}

function started(url: string, options: ReconnectingClientOptions = {}): ReconnectingClient {
  const client = new ReconnectingClient(url, { reconnect, ...options });
  closeLater(() => client.stop());
  return client;
}

/** What keeps the process busy, by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  // Those of the test runner come and go.
  for (const kind of ['Immediate', 'FSReqPromise', 'TickObject', 'GetAddrInfoReqWrap']) delete counts[kind];
  return counts;
}

test('a server restarted under 500 real clients: all are back, and nothing is left over', {
  timeout: 120_000,
}, async () => {
  const before = resources();
  const listening = process.listenerCount('exit') + process.listenerCount('warning');
  let server = await listen(0);
  const port = server.port!;
  const got = new Map<ReconnectingClient, string[]>();
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const clients = Array.from({ length: CLIENTS }, () => {
    const client = new ReconnectingClient(`ws://127.0.0.1:${port}/`, { reconnect, signal: controller.signal });
    got.set(client, []);
    client.on('message', ({ data }) => got.get(client)!.push(String(data)));
    return client;
  });
  const statuses = await Promise.all(clients.map((client) => client.start()));
  expect(statuses.filter(({ success }) => success)).toHaveLength(CLIENTS);

  const everyone = (state: string) => clients.filter((client) => client.state === state).length;
  // One restart with a farewell, one without.
  for (const [round, farewell] of [true, false].entries()) {
    if (!farewell) for (const socket of server.connections) socket.terminate();
    await server.close({ timeout: 5_000 });
    await expect.poll(() => everyone('open'), { timeout: 20_000 }).toBe(0);
    // What is sent meanwhile waits, whether they wait or dial.
    for (const client of clients) expect(client.send(`round ${round}`)).toMatchObject({ success: true, wireSize: 0 });
    server = await listen(port);
    await expect.poll(() => everyone('open'), { timeout: 60_000, interval: 100 }).toBe(CLIENTS);
    expect(server.connections.size).toBe(CLIENTS);
  }
  await expect
    .poll(() => [...got.values()].filter((list) => list.join() === 'round 0,round 1').length, { timeout: 20_000 })
    .toBe(CLIENTS);

  const half = clients.slice(0, CLIENTS / 2);
  const ends = await Promise.all(half.map((client) => client.stop()));
  expect(ends.filter((end) => end?.clean === true)).toHaveLength(half.length);
  controller.abort();
  await expect.poll(() => everyone('stopped'), { timeout: 20_000 }).toBe(CLIENTS);
  await server.close();
  expect(clients.map(({ info }) => info.droppedMessages + info.queuedMessages)).toEqual(clients.map(() => 0));
  await expect.poll(resources, { timeout: 10_000 }).toEqual(before);
  expect(process.listenerCount('exit') + process.listenerCount('warning')).toBe(listening);
});

describe('one client on real sockets', () => {
  test('redirects and a proxy hold for every attempt', async () => {
    const server = await listen(0);
    closeLater(() => server.close({ timeout: 20 }));
    const proxy = await tunnelProxy();
    const front = await rawServer((_, socket) =>
      socket.end(`HTTP/1.1 307 Elsewhere\r\nLocation: ${server.url}\r\nContent-Length: 0\r\n\r\n`),
    );
    const client = started(`ws://127.0.0.1:${front.port}/`, { redirects: 1, proxy: `http://127.0.0.1:${proxy.port}` });
    let opened = 0;
    client.on('open', () => opened++);
    expect(await client.start()).toMatchObject({
      success: true,
      httpStatus: 101,
      url: `ws://127.0.0.1:${front.port}/`,
    });
    for (const socket of server.connections) socket.terminate();
    await expect.poll(() => opened).toBe(2);
    expect(proxy.heads).toHaveLength(4);
  });

  test('a refusal is what start resolves with', async () => {
    const { port } = await rawServer((_, socket) =>
      socket.end('HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n'),
    );
    const status = await started(`ws://127.0.0.1:${port}/`).start();
    expect(status).toMatchObject({ success: false, httpStatus: 401, waitTime: null, error: { status: 401 } });
    expect(status.headers.get('www-authenticate')).toBe('Basic');
  });

  test('stop in the middle of a handshake drops the socket, on a proxy as on a server', async () => {
    const silent = await rawServer(() => {});
    for (const options of [{}, { proxy: `http://127.0.0.1:${silent.port}` }]) {
      const client = started(`ws://127.0.0.1:${silent.port}/`, options);
      const starting = client.start();
      const { length } = silent.heads;
      await expect.poll(() => silent.heads.length).toBe(length + 1);
      await client.stop();
      expect(await starting).toMatchObject({ success: false, error: { code: 'TERMINATED' } });
      const socket = silent.sockets.at(-1)!;
      await expect.poll(() => socket.resume().readableEnded || socket.destroyed).toBe(true);
    }
  });

  test('every attempt asks for what was given at first, whatever became of it', async () => {
    const asked: unknown[] = [];
    const server = await serve({ port: 0, host: '127.0.0.1', subprotocols: ['a', 'b'] }, (socket, { headers }) => {
      asked.push([socket.subprotocol, headers.get('x-a')]);
      socket.terminate();
    });
    closeLater(() => server.close({ timeout: 20 }));
    const subprotocols = ['a'];
    const pair: [string, string] = ['x-a', '1'];
    const headers = [pair];
    const url = new URL(server.url);
    const client = new ReconnectingClient(url, { subprotocols, headers, reconnect: { firstWait: 20, maxWait: 20 } });
    closeLater(() => client.stop());
    await client.start();
    subprotocols[0] = 'b';
    subprotocols.push('not a token');
    pair[1] = 'two\r\nlines';
    headers.push(['not a name', '']);
    url.port = '9';
    await expect.poll(() => asked.length).toBeGreaterThan(2);
    expect(asked.slice(0, 3)).toEqual([1, 2, 3].map(() => ['a', '1']));
    expect([client.url, client.info.url]).toEqual([`${server.url}/`, `${server.url}/`]);
  });

  test('configure leaves what it does not name, also what could be read but once', async () => {
    const { port, heads } = await rawServer((_, socket) => socket.end('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'));
    const given = new Map([['Authorization', 'mine']]);
    const client = started(`ws://127.0.0.1:${port}/a`, { headers: given.entries() });
    given.set('Authorization', 'yours');
    await client.configure({ url: `ws://127.0.0.1:${port}/b` }).start();
    await client.configure({ headers: new Map([['X-A', '1']]).entries() }).start();
    await client.configure({ headers: undefined } as object).start();
    const seen = heads.map((head) => /\r\n(Authorization|X-A): \S*/.exec(head)?.[0].trim());
    expect(seen).toEqual(['Authorization: mine', 'X-A: 1', undefined]);
    expect(() => client.configure({ headers: [['a b', 'c']] })).toThrow('a b');
  });

  test('a request that could never be written is refused when it is created', () => {
    expect(() => new ReconnectingClient('ws://a.test', { headers: { 'Sec-WebSocket-Key': 'x' } })).toThrow('handshake');
    expect(() => new ReconnectingClient('ftp://a.test')).toThrow('scheme');
    expect(() => new ReconnectingClient('wss://a.test', { tls: { ca: '/no/such/file' } })).toThrow('tls.ca');
    expect(() => new ReconnectingClient(null as never)).toThrow('URL');
    expect(() => new ReconnectingClient('ws://a.test', null as never)).toThrow('an object');
  });
});

describe('the process', () => {
  const script = fileURLToPath(new URL('./restart.child.ts', import.meta.url));
  const run = async (mode: string) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, mode], {
      timeout: 20_000,
    });
    return stdout.split('\n').filter((line) => line !== '');
  };

  test('lives while its client waits, and ends when it is stopped', async () => {
    expect(await run('stop')).toEqual(['CONNECT_FAILED', 'CONNECT_FAILED', 'stopped']);
  });

  test('ends in a wait of a client that does not hold it', async () => {
    expect(await run('unref')).toEqual(['CONNECT_FAILED']);
  });
});

test('seed 112: the example shows what it says', async () => {
  const script = fileURLToPath(new URL('../../examples/reconnecting/main.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], { timeout: 20_000 });
  const lines = stdout.replaceAll(/\d+ ms/g, 'N ms').split('\n');
  // It may be quicker than the server that comes back.
  expect(lines.filter((line) => !line.startsWith('no connection could be made'))).toEqual([
    'open',
    '< heard one',
    'closed with 1001; again in N ms',
    expect.stringMatching(/^open again, failures before: \d+$/),
    '< heard two',
    expect.stringMatching(/^the .*; again in N ms$/),
    expect.stringMatching(/^open again, failures before: \d+$/),
    'stopped',
    '',
  ]);
});
