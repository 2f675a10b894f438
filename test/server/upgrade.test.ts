import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect as connectNet, createServer as createNetServer } from 'node:net';
import { duplexPair } from 'node:stream';
import { type ConnectionOptions, connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { connect, type HandshakeError } from '../../src/client/index.ts';
import { type AttachOptions, attach, type Handler, type Server, type ServerEndpoint } from '../../src/server/index.ts';
import { authority, local } from '../support/certificates.ts';
import { EXAMPLE_KEY, frame, readFrames } from '../support/frames.ts';
import { exchange, RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';

const running: HttpServer[] = [];
const attached: Server[] = [];

async function httpServer(make = () => createServer((_, response) => response.end('plain\n'))): Promise<HttpServer> {
  const http = make();
  running.push(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return http;
}

function add(http: HttpServer, options: AttachOptions = {}, handler: Handler = echo): Server {
  const server = attach(http, options, handler);
  attached.push(server);
  return server;
}

const echo: Handler = (socket) => {
  socket.on('message', ({ data }) => {
    socket.send(data);
  });
};

async function echoed(url: string, text: string): Promise<unknown> {
  const socket = await connect(url);
  socket.send(text);
  for await (const { data } of socket) {
    await socket.close();
    return data;
  }
  return null;
}

const portOf = (http: HttpServer) => (http.address() as AddressInfo).port;
const refusal = (url: string): Promise<HandshakeError> =>
  connect(url).then(
    () => Promise.reject(new Error('accepted')),
    (e) => e,
  );

afterEach(async () => {
  await Promise.all(attached.splice(0).map((server) => server.close({ timeout: 20 })));
  for (const http of running.splice(0)) {
    http.close();
    http.closeAllConnections();
  }
});

describe('row 63: attach', () => {
  test('takes upgrades, and leaves plain requests to http', async () => {
    const http = await httpServer();
    const server = add(http);
    expect(server.url).toBe(`ws://127.0.0.1:${portOf(http)}`);
    expect(server.port).toBe(portOf(http));
    expect(await echoed(server.url, 'hello')).toBe('hello');
    expect(await (await fetch(server.url.replace('ws', 'http'))).text()).toBe('plain\n');
    const theirs = new WebSocket(server.url);
    await once(theirs, 'open');
    theirs.send('from ws');
    expect(String((await once(theirs, 'message'))[0])).toBe('from ws');
    theirs.terminate();
  });

  test('serves a stream within the process: what it hands on, and what was handed to it, stays as it was', async () => {
    const http = await httpServer();
    const here: ServerEndpoint[] = [];
    add(http, {}, (socket, request) => {
      here.push(socket);
      return echo(socket, request);
    });
    const [theirs, ours] = duplexPair();
    http.emit('connection', ours);
    theirs.write(upgradeRequest());
    for await (const chunk of theirs.iterator({ destroyOnReturn: false }))
      if (String(chunk).includes('\r\n\r\n')) break;
    const sent = frame({ opcode: 1, payload: Buffer.from('from them'), key: EXAMPLE_KEY });
    const before = sent.slice();
    theirs.write(sent);
    // Nobody reads while memory that was written from is used again.
    for (const text of ['first', 'second', 'third']) {
      await new Promise(setImmediate);
      here[0]!.send(text);
    }
    await new Promise(setImmediate);
    const frames = readFrames(theirs.read() as Uint8Array).map(({ payload }) => String(Buffer.from(payload)));
    expect(frames).toEqual(['from them', 'first', 'second', 'third']);
    expect(sent).toEqual(before);
    theirs.destroy();
  });

  test('what comes with the request belongs to whoever wrote it, and is seen by debug', async () => {
    const http = await httpServer();
    const lines: string[] = [];
    const got: unknown[] = [];
    add(http, { debug: { level: 2, sink: (line) => void lines.push(line) } }, (socket) => {
      socket.on('message', ({ data }) => got.push(data));
    });
    const [theirs, ours] = duplexPair();
    http.emit('connection', ours);
    const sent = Buffer.concat([
      Buffer.from(upgradeRequest()),
      frame({ opcode: 1, payload: Buffer.from('at once'), key: EXAMPLE_KEY }),
    ]);
    const before = Buffer.from(sent);
    theirs.write(sent);
    while (got.length === 0) await new Promise(setImmediate);
    expect(got).toEqual(['at once']);
    expect(sent.equals(before)).toBe(true);
    expect(lines.join('\n')).toMatch(/ in +text .*"at once"/);
    theirs.destroy();
  });

  test('works on https', async () => {
    const http = await httpServer(
      () => createSecureServer(local, (_, response) => response.end()) as unknown as HttpServer,
    );
    const server = add(http);
    expect(server.url).toMatch(/^wss:/);
    const socket = await connect(server.url, { tls: { ca: authority } });
    socket.send('secure');
    for await (const { data } of socket) {
      expect(data).toBe('secure');
      break;
    }
    expect([...server.connections][0]?.secure).toBe(true);
  });

  test('several side by side, each with its paths; what belongs to none is 404', async () => {
    const http = await httpServer();
    add(http, { paths: '/a' }, (socket) => void socket.send('a'));
    const b = add(http, { paths: ['/b', '/c'] }, (socket) => void socket.send('b'));
    expect(http.listenerCount('upgrade')).toBe(1);
    const first = async (path: string) => {
      for await (const { data } of await connect(b.url + path)) return data;
      return null;
    };
    expect([await first('/a'), await first('/b?x'), await first('/c')]).toEqual(['a', 'b', 'b']);
    expect((await refusal(`${b.url}/d`)).status).toBe(404);
    const rest = add(http, {}, (socket) => void socket.send('rest'));
    expect(await first('/d')).toBe('rest');
    expect(await first('/a')).toBe('a');
    await rest.close({ timeout: 20 });
    expect((await refusal(`${b.url}/d`)).status).toBe(404);
  });

  test('while one closes, what belongs to none is still 404', async () => {
    const http = await httpServer();
    const a = add(http, { paths: '/a' });
    const b = add(http, { paths: '/b' });
    const stuck = await RawPeer.to(portOf(http));
    stuck.write(upgradeRequest('/a'));
    await stuck.until('\r\n\r\n');
    const closing = a.close({ timeout: 1_000 });
    expect((await refusal(`${b.url}/x`)).status).toBe(404);
    expect((await refusal(`${b.url}/a`)).status).toBe(503);
    stuck.reset();
    await closing;
  });

  test('half-open: over https too a peer that ends its direction behind its Close gets all that was queued', async () => {
    const http = await httpServer(() => createSecureServer(local) as unknown as HttpServer);
    const here: ServerEndpoint[] = [];
    add(http, { maxBufferedAmount: null }, (socket) => {
      here.push(socket);
      socket.resume();
    });
    const socket = connectNet({ port: portOf(http), host: '127.0.0.1', allowHalfOpen: true });
    const secure = connectTls({
      socket,
      ca: authority,
      servername: 'localhost',
      allowHalfOpen: true,
    } as ConnectionOptions);
    secure.write(upgradeRequest());
    const head = (await once(secure, 'data'))[0] as Buffer;
    expect(statusOf(String(head))).toBe(101);
    secure.pause();
    for (let i = 0; i < 100; i++) here[0]!.send(new Uint8Array(100_000));
    secure.end(frame({ opcode: 8, payload: Uint8Array.of(3, 232), key: EXAMPLE_KEY }));
    while (here[0]!.readyState === 'open') await new Promise(setImmediate);
    const chunks: Buffer[] = [];
    secure.on('data', (chunk: Buffer) => chunks.push(chunk));
    secure.resume();
    await once(secure, 'close');
    expect(readFrames(Buffer.concat(chunks)).map(({ opcode }) => opcode)).toEqual([...new Array(100).fill(2), 8]);
    expect(await here[0]!.closed).toMatchObject({ code: 1000, clean: true });
  });

  test('two that want the same are refused: the second would never hear of a request', async () => {
    const http = await httpServer();
    const first = add(http);
    const twice =
      /attach: another takes every request of this server already; give each option 'paths', or close the other/;
    expect(() => add(http)).toThrow(twice);
    add(http, { paths: ['/a', '/b'] });
    expect(() => add(http, { paths: ['/c', '/b'] })).toThrow(
      "attach: another has the path '/b' on this server already",
    );
    expect(await echoed(`${first.url}/anything`, 'x')).toBe('x');
    // What was refused has left nothing behind.
    const c = add(http, { paths: '/c' });
    expect(await echoed(`${c.url}/c`, 'c')).toBe('c');
  });

  test('one that closes makes room for the next at once', async () => {
    const http = await httpServer();
    const old = add(http, {}, (socket) => void socket.send('old'));
    const socket = await connect(old.url, { autoPong: true, closeTimeout: 200 });
    const stuck = await RawPeer.to(portOf(http));
    stuck.write(upgradeRequest('/'));
    await stuck.until('\r\n\r\n');
    const closing = old.close({ timeout: 300 });
    const next = add(http, {}, (fresh) => void fresh.send('new'));
    for await (const { data } of await connect(next.url)) {
      expect(data).toBe('new');
      break;
    }
    await closing;
    await socket.closed;
    expect(http.listenerCount('upgrade')).toBe(1);
    for await (const { data } of await connect(next.url)) {
      expect(data).toBe('new');
      break;
    }
  });

  test('leaves the paths of others alone', async () => {
    const http = await httpServer();
    const server = add(http, { paths: '/mine' });
    const theirs = new WebSocketServer({ noServer: true });
    http.on('upgrade', (request, socket, head) => {
      if (request.url === '/theirs') theirs.handleUpgrade(request, socket, head, (ws) => ws.send('theirs'));
    });
    const socket = await connect(`${server.url}/theirs`);
    for await (const { data } of socket) {
      expect(data).toBe('theirs');
      break;
    }
    expect(await echoed(`${server.url}/mine`, 'mine')).toBe('mine');
    socket.terminate();
  });

  test('the same checks, and the same answers', async () => {
    const http = await httpServer();
    const server = add(http, { authorize: (request) => request.path !== '/no', subprotocols: ['b'] });
    expect((await refusal(`${server.url}/no`)).status).toBe(403);
    const port = portOf(http);
    expect(statusOf(await exchange(port, upgradeRequest('/', { 'Sec-WebSocket-Key': 'x' })))).toBe(400);
    expect(statusOf(await exchange(port, upgradeRequest('/', { 'Sec-WebSocket-Version': '8' })))).toBe(426);
    expect(statusOf(await exchange(port, upgradeRequest('/', { Origin: 'https://evil.example' })))).toBe(403);
    expect(statusOf(await exchange(port, `${upgradeRequest('/', { 'Content-Length': '3' })}abc`))).toBe(400);
    expect(statusOf(await exchange(port, upgradeRequest('/', { Upgrade: 'h2c' })))).toBe(426);
    expect((await connect(server.url, { subprotocols: ['a', 'b'] })).subprotocol).toBe('b');
  });

  test('T45, T46: who leaves, or asks wrongly, while the application decides leaves nothing behind', async () => {
    const http = await httpServer();
    const asked: { signal: AbortSignal; decide: (verdict: boolean) => void }[] = [];
    const server = add(http, {
      authorize: (_, { signal }) => new Promise<boolean>((decide) => asked.push({ signal, decide })),
    });
    const refused: number[] = [];
    server.on('refused', ({ status }) => refused.push(status));
    for (let i = 0; i < 30; i++) {
      const waiting = asked.length;
      const peer = await RawPeer.to(portOf(http));
      peer.write(upgradeRequest('/', i % 3 === 2 ? { 'Sec-WebSocket-Key': 'x' } : {}));
      if (i % 3 !== 2) while (asked.length === waiting) await new Promise(setImmediate);
      if (i % 3 === 0) peer.reset();
      if (i % 3 === 1) peer.socket.end();
      await peer.closed;
    }
    while (refused.length < 30) await new Promise(setImmediate);
    expect(refused.toSorted()).toEqual([...Array(20).fill(0), ...Array(10).fill(400)]);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual(Array(20).fill(true));
    // Late answers harm nobody.
    for (const { decide } of asked) decide(true);
    await new Promise(setImmediate);
    expect(server.statistics).toEqual({ connections: 0, pending: 0, opened: 0, refused: 30 });
    await expect.poll(() => new Promise((told) => http.getConnections((_, count) => told(count)))).toBe(0);
  });

  test('frames behind the head in the same chunk are not lost', async () => {
    const http = await httpServer();
    add(http, { authorize: async () => true });
    const peer = await RawPeer.to(portOf(http));
    peer.write(`${upgradeRequest()}\x81\x82\0\0\0\0hi`);
    await peer.until('\r\n\r\n\x81\x02hi');
    peer.reset();
  });

  test('is not cut by the timeout of the http server', async () => {
    const http = await httpServer();
    http.timeout = 30;
    http.keepAliveTimeout = 30;
    http.headersTimeout = 30;
    const server = add(http);
    const socket = await connect(server.url);
    const [here] = server.connections;
    let timeouts = 0;
    http.on('timeout', () => timeouts++);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect([timeouts, here!.readyState, socket.readyState]).toEqual([0, 'open', 'open']);
  });

  test('T47, T83: close removes its own listener only, answers 503 until then, and the http server goes on', async () => {
    const http = await httpServer();
    const counts = () => http.eventNames().map((name) => [name, http.listenerCount(name)]);
    const before = counts();
    const server = add(http, { paths: '/a' });
    const stuck = await RawPeer.to(portOf(http));
    stuck.write(upgradeRequest('/a'));
    await stuck.until('\r\n\r\n');
    const closing = server.close({ timeout: 60 });
    expect((await refusal(`${server.url}/a`)).status).toBe(503);
    await closing;
    expect(counts()).toEqual(before);
    expect(await (await fetch(`http://127.0.0.1:${portOf(http)}`)).text()).toBe('plain\n');
    await stuck.closed;
    const again = add(http, { paths: '/a' });
    expect(await echoed(`${again.url}/a`, 'again')).toBe('again');
  });

  test('before it listens there is no address; wrong arguments are a UsageError', () => {
    const http = createServer();
    const server = add(http);
    expect([server.url, server.port, server.path, server.address()]).toEqual(['', null, null, null]);
    expect(() => attach({} as HttpServer)).toThrow('node:http');
    // They know no requests, and so no upgrades.
    expect(() => attach(createNetServer() as HttpServer)).toThrow('must be a server of node:http or node:https');
    expect(() => attach(createTlsServer(local) as unknown as HttpServer)).toThrow('must be a server of node:http');
    expect(() => attach(http, { port: 0 } as AttachOptions)).toThrow("'port'");
    expect(() => attach(http, { onRequest: () => null } as AttachOptions)).toThrow("'onRequest'");
    // The http server reads the heads, within limits of its own.
    for (const name of ['maxHeadSize', 'maxRequestLine', 'maxHeaders'])
      expect(() => attach(http, { [name]: 100 } as AttachOptions)).toThrow(`attach: there is no option '${name}'`);
    expect(() => attach(http, {}, 7 as unknown as Handler)).toThrow('handler');
  });
});
