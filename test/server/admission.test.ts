import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { connect, type HandshakeError } from '../../src/client/index.ts';
import {
  attach,
  type Endpoint,
  type Handler,
  type Peer,
  type RefusedConnection,
  type ServeOptions,
  type Server,
  serve,
  type Verdict,
} from '../../src/server/index.ts';
import { EXAMPLE_KEY, frame } from '../support/frames.ts';
import { exchange, RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';
import { MemoryServer } from './memory-server.ts';

const servers: Server[] = [];

async function start(options: Partial<ServeOptions>, handler?: Handler): Promise<Server> {
  const server = await serve({ port: 0, host: '127.0.0.1', ...options }, (socket, request) => {
    socket.resume();
    return handler?.(socket, request);
  });
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close({ timeout: 20 })));
});

const refusal = (url: string, options = {}): Promise<HandshakeError> =>
  connect(url, options).then(
    () => Promise.reject(new Error('it was accepted')),
    (error: HandshakeError) => error,
  );
const bodyOf = (error: HandshakeError) => Buffer.from(error.response?.body ?? []).toString();
const nextRefused = (server: Server) => new Promise<RefusedConnection>((resolve) => server.on('refused', resolve));

describe('paths', () => {
  test('are compared exactly and without the query; others are answered with 404', async () => {
    const server = await start({ paths: ['/chat', '/echo'] });
    await (await connect(`${server.url}/chat?x=1`)).close();
    await (await connect(`${server.url}/echo`)).close();
    for (const path of ['/', '/chat/', '/Chat', '/chat%2F', '//chat', '/chat/../chat']) {
      expect((await refusal(server.url + path)).status).toBe(404);
    }
  });
});

describe('T61: the origin', () => {
  test('of another host is answered with 403, and the body names the option', async () => {
    const server = await start({});
    const refused = nextRefused(server);
    const error = await refusal(server.url, { origin: 'https://evil.example' });
    expect(error.status).toBe(403);
    expect(bodyOf(error)).toContain('allowedOrigins');
    expect(await refused).toMatchObject({ status: 403, error: { code: 'ORIGIN_REFUSED' }, remoteAddress: '127.0.0.1' });
    await (await connect(server.url, { origin: server.url.replace('ws', 'http') })).close();
    expect((await refusal(server.url, { headers: { Origin: 'null' } })).status).toBe(403);
    const twice = upgradeRequest('/', { Origin: 'http://localhost', origin: 'http://localhost' });
    expect(statusOf(await exchange(server.port!, twice))).toBe(403);
  });

  test('of the list is accepted, and only that', async () => {
    const server = await start({ allowedOrigins: ['https://good.example'] });
    await (await connect(server.url, { origin: 'https://good.example' })).close();
    expect((await refusal(server.url, { origin: 'https://good.example.evil.com' })).status).toBe(403);
    expect((await refusal(server.url, { origin: server.url.replace('ws', 'http') })).status).toBe(403);
  });
});

describe('row 9: subprotocols', () => {
  test('the first of ours that the client offers; none if there is no overlap', async () => {
    const server = await start({ subprotocols: ['b', 'a'] });
    const socket = await connect(server.url, { subprotocols: ['a', 'b'] });
    expect(socket.subprotocol).toBe('b');
    expect((await connect(server.url, { subprotocols: 'c' })).subprotocol).toBe('');
  });

  test('a function chooses; what was not offered is 500, and goes to onListenerError', async () => {
    const onListenerError = vi.fn();
    const server = await start({
      onListenerError,
      subprotocols: (offered, request) => (request.path === '/wrong' ? 'x\r\nX-Evil: 1' : (offered.at(-1) ?? null)),
    });
    expect((await connect(server.url, { subprotocols: ['a', 'b'] })).subprotocol).toBe('b');
    const error = await refusal(`${server.url}/wrong`, { subprotocols: ['a'] });
    expect(error.status).toBe(500);
    expect(error.response?.rawHeaders).not.toContain('X-Evil');
    expect(onListenerError).toHaveBeenCalledOnce();
    expect(onListenerError.mock.calls[0]?.[0]).toMatchObject({ name: 'UsageError' });
  });
});

describe('row 20: authorize', () => {
  test('accepts, refuses, or answers anything else, at once or later', async () => {
    const verdicts: Record<string, () => Verdict | Promise<Verdict>> = {
      '/nothing': () => undefined,
      '/true': () => true,
      '/later': async () => true,
      '/false': () => false,
      '/no-later': async () => false,
      '/login': () => ({ status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'who are you?' }),
      '/gone': () => ({ status: 410 }),
      '/away': async () => ({ status: 302, headers: [['Location', 'https://a.example/']] }),
      '/accept': () => ({ headers: { 'X-Room': '7' }, subprotocol: 'b', context: { user: 'ada' } }),
    };
    const contexts: unknown[] = [];
    const server = await start({ authorize: (request) => verdicts[request.path]!(), subprotocols: ['a'] }, (socket) => {
      contexts.push(socket.context);
    });
    for (const path of ['/nothing', '/true', '/later']) await (await connect(server.url + path)).close();
    for (const path of ['/false', '/no-later']) expect((await refusal(server.url + path)).status).toBe(403);
    const login = await refusal(`${server.url}/login`);
    expect([login.status, bodyOf(login)]).toEqual([401, 'who are you?']);
    expect(login.response?.rawHeaders).toContain('WWW-Authenticate');
    expect((await refusal(`${server.url}/away`)).status).toBe(302);
    expect(bodyOf(await refusal(`${server.url}/gone`))).toBe('the application refused the request\n');
    const socket = await connect(`${server.url}/accept`, { subprotocols: ['a', 'b'] });
    expect(socket.subprotocol).toBe('b');
    expect(socket.headers.get('x-room')).toBe('7');
    expect(contexts).toEqual([undefined, undefined, undefined, { user: 'ada' }]);
  });

  test('a no that stands where it is not read is answered with 500, and lets nobody in', async () => {
    class Denied {
      get allow() {
        return false;
      }
    }
    class Later {
      get status() {
        return 401;
      }
    }
    const answers: unknown[] = [new Denied(), new Later(), new Map([['status', 401]]), new Error('no'), new Date(0)];
    const onListenerError = vi.fn();
    const server = await start({ authorize: () => answers.shift() as Verdict, onListenerError });
    while (answers.length > 0) expect((await refusal(server.url)).status).toBe(500);
    const told = onListenerError.mock.calls.map(([error]) => (error as Error).message.split(':')[1]);
    expect(told).toEqual(['allow', 'status', 'get', 'name', 'toString'].map((name) => ` '${name}' is inherited`));
  });

  test('knows the peer', async () => {
    const peers: Peer[] = [];
    const server = await start({
      authorize: (_, peer) => {
        peers.push(peer);
        return true;
      },
    });
    const socket = await connect(server.url);
    expect(peers[0]).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: socket.localPort, secure: false });
    expect(peers[0]?.signal.aborted).toBe(false);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('the data base is gone');
      },
    ],
    ['rejects', () => Promise.reject(new Error('the data base is gone'))],
    ['answers nonsense', () => 'yes'],
    ['answers nonsense later', async () => 7],
    ['answers with a status that is none', () => ({ status: 101 })],
    ['misspells the status', () => ({ statusCode: 401 })],
    ['answers with a list', () => []],
    ['refuses without a status', async () => ({ body: 'go away' })],
    ['misspells what goes with the status', () => ({ status: 401, header: {} })],
    ['splits the response', () => ({ headers: { 'X-A': '1\r\nX-Evil: 1' } })],
    ['splits the refusal', async () => ({ status: 403, headers: [['X-A\r\nX-Evil', '1']] })],
  ])('one that %s is answered with 500, without a word of why (T56, T59)', async (_, authorize) => {
    const onListenerError = vi.fn();
    const server = await start({ authorize: authorize as ServeOptions['authorize'] & {}, onListenerError });
    const refused = nextRefused(server);
    const text = await exchange(server.port!, upgradeRequest());
    expect(statusOf(text)).toBe(500);
    expect(text).not.toMatch(/data base|X-Evil/);
    expect(onListenerError).toHaveBeenCalledOnce();
    expect((await refused).status).toBe(500);
  });

  const failing: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'gives a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a thenable of somebody else.
        then() {
          throw new Error('secret');
        },
      }),
    ],
  ];

  test.each(
    ['authorize', 'subprotocols', 'headers', 'onRequest'].flatMap((name) =>
      failing.map(([how, hook]) => [name, how, hook] as const),
    ),
  )('T56: %s that %s is 500 without a word of why, told once, and nothing is left', async (name, _, hook) => {
    const onListenerError = vi.fn();
    const server = await start({ [name]: hook, onListenerError });
    const plain = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const upgrade = upgradeRequest('/', { 'Sec-WebSocket-Protocol': 'a' });
    const text = await exchange(server.port!, name === 'onRequest' ? plain : upgrade);
    expect([statusOf(text), text.includes('secret')]).toEqual([500, false]);
    expect(onListenerError).toHaveBeenCalledOnce();
    while (server.statistics.pending > 0) await new Promise(setImmediate);
    expect(server.statistics).toMatchObject({ opened: 0, refused: 1 });
  });

  test('without onListenerError what it throws is a process warning', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const server = await start({
      authorize: () => {
        throw new Error('the data base is gone');
      },
    });
    expect((await refusal(server.url)).status).toBe(500);
    expect((await warned).message).toContain('the data base is gone');
  });

  test('T46: the signal aborts when the peer is gone, and the late answer harms nobody', async () => {
    const asked: { peer: Peer; decide: (verdict: Verdict) => void }[] = [];
    const server = await start({
      authorize: (_, peer) => new Promise<Verdict>((decide) => asked.push({ peer, decide })),
    });
    const refused = nextRefused(server);
    const peer = await RawPeer.to(server.port!);
    peer.write(upgradeRequest());
    while (asked.length < 1) await new Promise(setImmediate);
    const { signal } = asked[0]!.peer;
    expect(signal.aborted).toBe(false);
    peer.reset();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(await refused).toMatchObject({ status: 0, error: { code: 'TRANSPORT_FAILED' }, request: { target: '/' } });
    asked[0]!.decide(true);
    const pending = connect(server.url);
    while (asked.length < 2) await new Promise(setImmediate);
    asked[1]!.decide(true);
    await (await pending).close();
    expect(server.statistics).toMatchObject({ opened: 1, refused: 1 });
  });

  test.each([
    ['handshakeTimeout has passed', { handshakeTimeout: 40 }, () => {}],
    ['the server closes', {}, (server: Server) => void server.close()],
  ])('T46: the signal aborts when %s, though the peer stays', async (_, options, act) => {
    const asked: Peer[] = [];
    const server = await start({
      ...options,
      closeTimeout: null,
      authorize: (_request, peer) => new Promise(() => asked.push(peer)),
    });
    // It never ends its side: nothing else would tell the hook.
    const peer = await RawPeer.to(server.port!);
    peer.socket.removeAllListeners('end');
    peer.write(upgradeRequest());
    while (asked.length < 1) await new Promise(setImmediate);
    const { signal } = asked[0]!;
    expect(signal.aborted).toBe(false);
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    act(server);
    await aborted;
    expect(server.statistics.pending).toBe(1);
    peer.reset();
  });

  test('T46: a hook that gives up with its signal does not change the answer: 408, and it is no defect', async () => {
    const defects: unknown[] = [];
    const server = await start({
      handshakeTimeout: 40,
      onListenerError: (error) => void defects.push(error),
      authorize: (_request, { signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    const refused = nextRefused(server);
    expect(statusOf(await exchange(server.port!, upgradeRequest()))).toBe(408);
    expect(await refused).toMatchObject({ status: 408, error: { code: 'OPENING_TIMEOUT' } });
    expect(defects).toEqual([]);
  });

  test.each(['headers', 'subprotocols'])(
    '%s that are a promise, and fail later: 500, and the process goes on',
    async (name) => {
      const unheard: unknown[] = [];
      const hear = (error: unknown) => void unheard.push(error);
      process.on('unhandledRejection', hear);
      try {
        const hook = (async () => {
          throw new Error('later');
        }) as never;
        const server = await start({ onListenerError: () => {}, [name]: hook });
        expect((await refusal(server.url, { subprotocols: ['a'] })).status).toBe(500);
        await new Promise(setImmediate);
        expect(unheard).toEqual([]);
      } finally {
        process.off('unhandledRejection', hear);
      }
    },
  );

  test('T46: who asks for the signal when the peer has had its answer finds it aborted', async () => {
    const asked: Peer[] = [];
    const server = await start({
      handshakeTimeout: 40,
      authorize: (_request, peer) => new Promise(() => asked.push(peer)),
    });
    const peer = await RawPeer.to(server.port!);
    peer.socket.removeAllListeners('end');
    await peer.write(upgradeRequest()).until('408');
    expect(server.statistics.pending).toBe(1);
    expect(asked[0]?.signal.aborted).toBe(true);
    peer.reset();
  });

  test.each(['serve', 'attach'])(
    'T29: while it decides, %s holds what comes up to maxEarlyData, the rest waits where it was sent; all arrives then',
    async (how) => {
      const decisions: ((verdict: boolean) => void)[] = [];
      const options = { authorize: () => new Promise<boolean>((decide) => decisions.push(decide)) };
      const http = createServer();
      const got: unknown[] = [];
      const handler: Handler = (socket) => void socket.on('message', ({ data }) => got.push(data.length));
      const server = how === 'serve' ? await start(options, handler) : attach(http, options, handler);
      if (how === 'attach') servers.push(server);
      if (how === 'attach') await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
      const size = 65_536;
      const count = 400;
      const peer = await RawPeer.to(server.port!);
      peer.write(upgradeRequest());
      for (let i = 0; i < count; i++) peer.write(frame({ opcode: 2, key: EXAMPLE_KEY, payload: new Uint8Array(size) }));
      while (decisions.length === 0) await new Promise(setImmediate);
      // Whatever the kernels take, it is not the most of it.
      for (let before = 0; before !== peer.socket.writableLength; await new Promise((wait) => setTimeout(wait, 50)))
        before = peer.socket.writableLength;
      expect(peer.socket.writableLength).toBeGreaterThan((count * size) / 2);
      expect(got).toEqual([]);
      decisions[0]!(true);
      await expect.poll(() => got.length, { timeout: 10_000 }).toBe(count);
      peer.reset();
      http.close();
    },
  );

  test('T45: 300 handshakes that break off leave nothing behind', async () => {
    const server = await start({ authorize: () => new Promise(() => {}) });
    const request = upgradeRequest();
    let done = 0;
    const finished = new Promise<void>((resolve) => server.on('refused', () => ++done === 300 && resolve()));
    for (let i = 0; i < 300; i++) {
      const peer = await RawPeer.to(server.port!);
      peer.write(request.slice(0, Math.floor((i / 300) * request.length) + 1));
      if (i % 2 === 0) setImmediate(() => peer.reset());
      else peer.socket.end();
    }
    await finished;
    expect(server.statistics).toEqual({ connections: 0, pending: 0, opened: 0, refused: 300 });
  });

  test('T01, T03: who is silent, or drips, is dropped with 408', async () => {
    const server = await start({ handshakeTimeout: 50 });
    const silent = await RawPeer.to(server.port!);
    const drips = await RawPeer.to(server.port!);
    const timer = setInterval(() => drips.write('G'), 10);
    await Promise.all([silent.closed, drips.closed]);
    clearInterval(timer);
    expect(statusOf(silent.received)).toBe(408);
    expect(statusOf(drips.received)).toBe(408);
  });
});

describe('headers of the 101', () => {
  test('that are promised are answered with 500, and not with none', async () => {
    const onListenerError = vi.fn();
    const server = await start({ headers: (async () => ({ 'X-A': '1' })) as never, onListenerError });
    expect(statusOf(await exchange(server.port!, upgradeRequest()))).toBe(500);
    expect(onListenerError.mock.calls[0]![0]).toMatchObject({ message: expect.stringContaining('no promise') });
  });

  test('an ordinary answer with a part that there is not is answered with 500', async () => {
    const onListenerError = vi.fn();
    const onRequest = () => ({ status: 200, header: { 'X-A': '1' } });
    const server = await start({ onRequest, onListenerError });
    expect(statusOf(await exchange(server.port!, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'))).toBe(500);
    expect(onListenerError.mock.calls[0]![0]).toMatchObject({ message: expect.stringContaining("'header'") });
  });

  test('are those of the option, as a list or a function, and of authorize', async () => {
    const server = await start({
      headers: (request) => ({ 'X-Path': request.path }),
      authorize: () => ({ headers: [['X-More', '1']] }),
    });
    const socket = await connect(`${server.url}/a`);
    expect([socket.headers.get('x-path'), socket.headers.get('x-more')]).toEqual(['/a', '1']);
    const fixed = await start({ headers: { Server: 'mine', 'Set-Cookie': ['a=1', 'b=2'] } });
    const { headers } = await connect(fixed.url);
    expect(headers.getAll('set-cookie')).toEqual(['a=1', 'b=2']);
  });

  test('T59: a function that would split the response gets the client a 500', async () => {
    const server = await start({ headers: () => 'X-A: 1\nX-Evil: 1', onListenerError: () => {} });
    expect((await refusal(server.url)).status).toBe(500);
  });
});

describe('row 52: maxConnections', () => {
  test('one too many gets 503 and Retry-After; a place that is free again is given away', async () => {
    const server = await start({ maxConnections: 2 });
    const one = await connect(server.url);
    await connect(server.url);
    const error = await refusal(server.url);
    expect(error.status).toBe(503);
    expect(error.response?.rawHeaders).toContain('Retry-After');
    await one.close();
    while (server.statistics.connections === 2) await new Promise(setImmediate);
    await connect(server.url);
  });

  test('it counts from accept: who has said nothing yet takes a place, until its time is over', async () => {
    const world = new MemoryServer({ maxConnections: 2 });
    const { here } = await world.guest();
    world.dial();
    expect([await world.refusal(), world.server.statistics.pending]).toEqual([503, 1]);
    await world.clock.run(11_000);
    await world.guest();
    expect([await world.refusal(), here.readyState]).toEqual([503, 'open']);
  });

  test('who was refused and lingers takes no place', async () => {
    const server = await start({ maxConnections: 1, paths: '/a' });
    const lingering = await RawPeer.to(server.port!);
    lingering.socket.removeAllListeners('end');
    lingering.write(upgradeRequest('/b'));
    await lingering.until('404');
    expect(server.statistics.pending).toBe(1);
    await connect(`${server.url}/a`);
    lingering.reset();
  });

  test('maxPendingHandshakes: the next is told 503 at once, and if those are too many, dropped', async () => {
    const server = await start({ maxPendingHandshakes: 2 });
    const refused: RefusedConnection[] = [];
    server.on('refused', (each) => refused.push(each));
    const silent = [await RawPeer.to(server.port!), await RawPeer.to(server.port!)];
    while (server.statistics.pending < 2) await new Promise(setImmediate);
    const third = await RawPeer.to(server.port!);
    const fourth = await RawPeer.to(server.port!);
    third.socket.removeAllListeners('end');
    await third.until('\r\n\r\n');
    await fourth.closed;
    await third.until('503');
    for (const peer of [...silent, third]) peer.socket.destroy();
    while (server.statistics.pending > 0) await new Promise(setImmediate);
    expect(refused.every(({ error }) => error instanceof Error)).toBe(true);
    await connect(server.url);
  });
});

describe('onRequest', () => {
  test('answers requests that ask for no upgrade, one a connection; without an answer they get 426', async () => {
    const server = await start({
      onRequest: async (request) =>
        request.path === '/health' ? { status: 200, headers: { 'X-A': '1' }, body: 'fine\n' } : null,
    });
    const health = await fetch(`${server.url.replace('ws', 'http')}/health`);
    expect([health.status, health.headers.get('x-a'), await health.text()]).toEqual([200, '1', 'fine\n']);
    expect((await fetch(server.url.replace('ws', 'http'))).status).toBe(426);
    while (server.statistics.pending > 0) await new Promise(setImmediate);
    expect(server.statistics.refused).toBe(1);
    await (await connect(server.url)).close();
  });

  test('is not needed: 426 is the default, and other methods get 405', async () => {
    const server = await start({});
    const response = await fetch(server.url.replace('ws', 'http'));
    expect([response.status, response.headers.get('sec-websocket-version')]).toEqual([426, '13']);
    expect((await fetch(server.url.replace('ws', 'http'), { method: 'POST' })).status).toBe(405);
  });
});

describe('the handler', () => {
  test('gets the connection before open is delivered', async () => {
    const log: string[] = [];
    const server = await start({}, (socket, request) => {
      log.push(`handler ${request.path} ${socket.readyState}`);
      socket.on('open', ({ headers }) => log.push(`open ${headers.get('host')}`));
      socket.on('message', ({ data }) => log.push(String(data)));
    });
    server.on('connection', (socket, request) => log.push(`connection ${request === socket.request}`));
    const client = await connect(`${server.url}/x`);
    client.send('first');
    await client.close();
    expect(log).toEqual(['handler /x open', 'connection true', `open 127.0.0.1:${server.port}`, 'first']);
  });

  test.each<[string, (socket: Endpoint) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no room');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no room'))],
  ])('T56: that %s closes the connection with 1011', async (_, handler) => {
    const server = await start({}, (socket) => {
      socket.on('error', () => {});
      return handler(socket);
    });
    const socket = await connect(server.url);
    socket.resume();
    expect(await socket.closed).toMatchObject({ code: 1011, remote: true });
  });

  test('T55: a broken frame to a server without listeners ends in nothing worse than a close', async () => {
    const server = await start({});
    const peer = await RawPeer.to(server.port!);
    peer.write(upgradeRequest());
    await peer.until('\r\n\r\n');
    const [socket] = server.connections;
    socket!.resume();
    peer.write(Uint8Array.of(0xf1, 0x80, 0, 0, 0, 0));
    await peer.closed;
    expect(await socket!.closed).toMatchObject({ error: { code: 'RESERVED_BITS_SET' } });
  });
});

test('T55: a process without a listener for errors survives whatever fails its connections', async () => {
  const script = fileURLToPath(new URL('./careless.child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], { timeout: 20_000 });
  expect(stdout).toBe('still there, after RESERVED_BITS_SET\n');
});

describe('events of the server', () => {
  test('without a handler and without a listener what comes is dropped, and the end is seen', async () => {
    const server = await serve({ port: 0, host: '127.0.0.1' });
    servers.push(server);
    const socket = await connect(server.url);
    socket.send('to nobody');
    expect(await socket.close()).toMatchObject({ clean: true });
    while (server.statistics.connections > 0) await new Promise(setImmediate);
  });

  test('an unknown one is a UsageError, an undone listener hears nothing, one that throws is a warning', async () => {
    const server = await start({});
    expect(() => server.on('open' as 'close', () => {})).toThrow("no event 'open'");
    const heard = vi.fn();
    const undo = server.on('connection', heard);
    undo();
    undo();
    server.on('connection', () => {
      throw new Error('oops');
    });
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await (await connect(server.url)).close();
    expect((await warned).message).toContain('oops');
    expect(heard).not.toHaveBeenCalled();
  });
});
