/** WebSockets over HTTP/2 (RFC 8441): what the translation keeps and what it refuses. The contract runs over it as well. */
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { HandshakeError, TransportError, UsageError } from '../../src/errors.ts';
import { createGateway } from '../../src/gateway/index.ts';
import { type AttachOptions, attach as attachUpgrades, type Server } from '../../src/server/index.ts';
import type { UpgradeServer } from '../../src/server/upgrade.ts';
import { attach, connect } from '../../src/transport/http2/index.ts';

interface Running {
  readonly http2: Http2Server;
  readonly server: Server;
  readonly session: ClientHttp2Session;
  readonly url: string;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(options: AttachOptions = {}, listener?: Parameters<typeof createServer>[1]): Promise<Running> {
  const http2 = createServer({}, listener);
  const server = attach(http2, options, (socket) => {
    socket.on('message', ({ data }) => void socket.send(data));
  });
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const authority = `127.0.0.1:${(http2.address() as AddressInfo).port}`;
  const session = connectHttp2(`http://${authority}`);
  session.on('error', () => {});
  cleanups.push(async () => {
    session.destroy();
    await server.close();
    await new Promise((resolve) => http2.close(resolve));
  });
  return { http2, server, session, url: `ws://${authority}` };
}

/** An extended CONNECT by hand. */
function request(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    stream.once('response', (answer) => {
      resolve(answer);
      stream.close();
    });
    stream.once('error', reject);
  });
}

async function allowed(session: ClientHttp2Session): Promise<void> {
  if (session.connecting) await new Promise((resolve) => session.once('connect', resolve));
  await new Promise((resolve) => session.ping(resolve));
  expect(session.remoteSettings.enableConnectProtocol).toBe(true);
}

test('RFC 6455 section 4.1: wss: goes over no session without TLS', async () => {
  const { session, url, server } = await start();
  await expect(connect(session, url.replace('ws:', 'wss:'))).rejects.toMatchObject({
    name: 'TransportError',
    cause: { message: 'the URL is wss:, and the session has no TLS' },
  });
  expect(server.statistics).toMatchObject({ opened: 0, refused: 0 });
});

test('WebSockets of one connection share an address, and no id', async () => {
  const { session, url, server } = await start();
  await allowed(session);
  const dialled = [await connect(session, url), await connect(session, url), await connect(session, url)];
  for (const socket of dialled) socket.resume();
  const sockets = [...server.connections];
  const address = `ws://127.0.0.1:${sockets[0]!.remotePort}`;
  expect(sockets.map(({ id }) => id)).toEqual(['#1', '#2', '#3'].map((number) => address + number));
  expect(sockets.map(({ id }) => server.get(id))).toEqual(sockets);
  const gone = sockets[2]!.closed;
  await dialled[2]!.close();
  await gone;
  expect(sockets.map(({ id }) => server.get(id))).toEqual([sockets[0], sockets[1], null]);
  expect(server.broadcast('x', { except: sockets[0]!.id }).map(({ socket }) => socket)).toEqual([sockets[1]]);
});

test('RFC 8441 section 5: a 200 opens, with neither key nor accept nor Upgrade on the wire', async () => {
  const { session, url, server } = await start({ subprotocols: ['chat.v2'], compression: true });
  await allowed(session);
  const authority = new URL(url).host;
  const answer = await request(session, {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':authority': authority,
    ':path': '/chat?room=1',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'chat.v1, chat.v2',
    origin: `http://${authority}`,
  });
  expect(answer).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat.v2' });
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept', 'sec-websocket-key']) {
    expect(answer).not.toHaveProperty(name);
  }
  expect(server.statistics.opened).toBe(1);
});

test('RFC 9113 section 8.2.3: cookies that come one by one are one field, as over HTTP/1.1', async () => {
  const heard: (readonly string[])[] = [];
  const { session, url } = await start({ authorize: ({ headers }) => void heard.push(headers.getAll('cookie')) });
  await allowed(session);
  const ask = (more: Record<string, string | string[]>) =>
    request(session, {
      ...{ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/' },
      ...{ ':authority': new URL(url).host, 'sec-websocket-version': '13' },
      ...more,
    });
  expect(await ask({ cookie: ['a=1', 'b=2', 'c=3'] })).toMatchObject({ ':status': 200 });
  await ask({ cookie: 'a=1' });
  await ask({});
  expect(heard).toEqual([['a=1; b=2; c=3'], ['a=1'], []]);
});

test.each([
  ['that HTTP/2 does not know', { TE: 'gzip' }, 'ERR_HTTP2_INVALID_CONNECTION_HEADERS'],
  ['twice that it has once', { Date: ['now', 'then'] }, 'ERR_HTTP2_HEADER_SINGLE_VALUE'],
])('a header %s is the end of that stream, and of nothing besides', async (_, headers, code) => {
  const { session, url, server } = await start({
    headers: ({ path }) => (path === '/odd' ? headers : { Constructor: 'x' }),
    // At once, and later.
    authorize: ({ query }) => (query === '' ? true : Promise.resolve(true)),
  });
  for (const path of ['/odd', '/odd?later']) {
    const gone = new Promise((resolve) => server.on('connection', (socket) => resolve(socket.closed)));
    await expect(connect(session, url + path)).rejects.toThrow(TransportError);
    expect(await gone).toMatchObject({ code: 1006, error: { code: 'TRANSPORT_FAILED', cause: { code } } });
  }
  const socket = await connect(session, url);
  expect(socket.headers.get('constructor')).toBe('x');
  socket.terminate();
  while (server.statistics.connections > 0) await new Promise(setImmediate);
});

test('who answers every stream, and comes first, has taken them all', async () => {
  const http2 = createServer();
  http2.on('stream', (stream) => {
    stream.respond({ ':status': 418 });
    stream.end();
  });
  const server = attach(http2);
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const session = connectHttp2(server.url.replace('ws:', 'http:'));
  await expect(connect(session, server.url)).rejects.toMatchObject({ status: 418 });
  expect(server.statistics).toEqual({ connections: 0, pending: 0, opened: 0, refused: 0 });
  session.destroy();
  await server.close();
  await new Promise((resolve) => http2.close(resolve));
});

test('a Host that is given replaces that of the URL', async () => {
  const { session, url, server } = await start();
  const socket = await connect(session, url, { headers: { Host: 'chat.example' } });
  expect([...server.connections].map(({ request }) => request?.host)).toEqual(['chat.example']);
  socket.terminate();
});

test.each([
  ['without a version', { 'sec-websocket-version': '' }, 426],
  ['of another page', { origin: 'http://evil.example' }, 403],
  ['of a path that is not served', { ':path': '/other' }, 404],
  ['of a malformed subprotocol', { 'sec-websocket-protocol': 'a b' }, 400],
])('a request %s is refused as over HTTP/1.1', async (_, more, status) => {
  const { session, url } = await start({ paths: '/chat' });
  await allowed(session);
  const answer = await request(session, {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':authority': new URL(url).host,
    ':path': '/chat',
    'sec-websocket-version': '13',
    ...more,
  });
  expect(answer[':status']).toBe(status);
});

test('plain requests stay with the HTTP/2 server, and a CONNECT that is none of ours gets 405', async () => {
  const { session, url } = await start({}, (_, response) => response.end('hello'));
  await allowed(session);
  expect(await request(session, { ':path': '/' })).toMatchObject({ ':status': 200 });
  expect(await request(session, { ':method': 'CONNECT', ':authority': 'example.test:80' })).toMatchObject({
    ':status': 405,
  });
  const socket = await connect(session, `${url}/`);
  socket.send('still');
  for await (const { data } of socket) {
    expect(data).toBe('still');
    break;
  }
});

test('what is sent from a drain listener does not run into what is still on its way', async () => {
  const { session, url, server } = await start({ maxBufferedAmount: null });
  const socket = await connect(session, url, { maxBufferedAmount: null });
  socket.resume();
  const [here] = [...server.connections];
  let sent = 0;
  const more = () => {
    for (let writable = true; writable && sent < 3_000; sent++) {
      writable = socket.send(new Uint8Array(100 + ((sent * 37) % 3_000)).fill(sent & 0xff)).writable;
    }
  };
  socket.on('drain', more);
  let [whole, other] = [0, 0];
  here!.on('message', ({ data }) => {
    if ((data as Uint8Array).every((octet, _, { 0: first }) => octet === first)) whole++;
    else other++;
  });
  more();
  while (whole + other < 3_000 && here!.readyState === 'open') await new Promise(setImmediate);
  expect([whole, other, here!.readyState]).toEqual([3_000, 0, 'open']);
  socket.terminate();
});

test('a refusal comes with its status, headers and body', async () => {
  const { session, url } = await start({
    authorize: () => ({ status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'who are you?' }),
  });
  const error = await connect(session, `${url}/`).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(HandshakeError);
  const { status, response } = error as HandshakeError;
  expect(status).toBe(401);
  expect(Buffer.from(response!.body).toString()).toBe('who are you?');
  expect(response!.rawHeaders.join()).toContain('www-authenticate,Basic');
});

test('both ends know the request and the response: headers, subprotocol, compression, addresses', async () => {
  const { session, url, server } = await start({
    subprotocols: ['b'],
    compression: true,
    headers: { 'X-Server': '1' },
  });
  const socket = await connect(session, `${url}/a?b=1`, {
    subprotocols: ['a', 'b'],
    headers: { 'X-Client': ['1', '2'] },
    compression: true,
  });
  const [other] = [...server.connections];
  expect(socket.subprotocol).toBe('b');
  expect(socket.extensions).toContain('permessage-deflate');
  expect(socket.headers.get('x-server')).toBe('1');
  expect(other!.request).toMatchObject({ path: '/a', target: '/a?b=1' });
  expect(other!.headers.getAll('x-client').join(', ')).toBe('1, 2');
  expect([other!.remoteAddress, socket.remoteAddress, socket.secure]).toEqual(['127.0.0.1', '127.0.0.1', false]);
});

test('a stream that the peer resets is 1006, and the others on its connection go on', async () => {
  const { session, url, server } = await start();
  const [one, two] = [await connect(session, `${url}/`), await connect(session, `${url}/`)];
  const [first] = [...server.connections];
  first!.terminate();
  one.resume();
  expect(await one.closed).toMatchObject({ code: 1006, clean: false });
  two.send('alive');
  for await (const { data } of two) {
    expect(data).toBe('alive');
    break;
  }
  expect(await two.close(4000)).toMatchObject({ code: 4000, clean: true });
});

test('a server without extended CONNECT, a session that is over, and wrong arguments are told apart', async () => {
  const http2 = createServer();
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const url = `127.0.0.1:${(http2.address() as AddressInfo).port}`;
  const session = connectHttp2(`http://${url}`);
  const refused = await connect(session, `ws://${url}/`).catch((thrown: unknown) => thrown);
  expect(refused).toBeInstanceOf(TransportError);
  expect(String(refused)).toContain('SETTINGS_ENABLE_CONNECT_PROTOCOL');
  session.destroy();
  await expect(connect(session, `ws://${url}/`)).rejects.toThrow('the session is over');
  await expect(connect(null as never, `ws://${url}/`)).rejects.toThrow(UsageError);
  await expect(connect(session, 'ws+unix:/tmp/x')).rejects.toThrow(UsageError);
  await expect(connect(session, `ws://${url}/`, { nonsense: 1 } as never)).rejects.toThrow("'nonsense'");
  expect(() => attach({} as never)).toThrow(UsageError);
  await new Promise((resolve) => http2.close(resolve));
});

test('an AbortSignal ends an attempt that nobody answers', async () => {
  const { session, url } = await start({ authorize: () => new Promise(() => {}) });
  const controller = new AbortController();
  const attempt = connect(session, `${url}/`, { signal: controller.signal });
  controller.abort(new Error('changed my mind'));
  await expect(attempt).rejects.toThrow('changed my mind');
});

test('close() of the server ends the WebSockets with 1001; its HTTP/2 goes on', async () => {
  const { session, url, server } = await start({}, (_, response) => response.end('hello'));
  const socket = await connect(session, `${url}/`);
  socket.resume();
  await server.close();
  expect(await socket.closed).toMatchObject({ code: 1001, clean: true });
  expect(await request(session, { ':path': '/' })).toMatchObject({ ':status': 200 });
});

test('who asks when the last attachment has closed is answered, until there is another', async () => {
  const ask = async (session: ClientHttp2Session, url: string) =>
    (
      await request(session, {
        ...{ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/' },
        ...{ ':authority': new URL(url).host, 'sec-websocket-version': '13' },
      })
    )[':status'];
  // By us if there is nobody else, by Node where somebody listens to requests.
  for (const [listener, status] of [
    [undefined, 404],
    [(_: unknown, response: { end(): void }) => response.end(), 405],
  ] as const) {
    const { http2, session, url, server } = await start({}, listener);
    await allowed(session);
    await server.close();
    expect([await ask(session, url), await ask(session, url)]).toEqual([status, status]);
    const again = attach(http2, {}, (socket) => void socket.send('again'));
    const socket = await connect(session, `${url}/`);
    for await (const { data } of socket) {
      expect(data).toBe('again');
      break;
    }
    await socket.close();
    await again.close();
    expect(await ask(session, url)).toBe(status);
  }
});

test('row 30: the certificates of both ends are those of the connection that the stream is part of', async () => {
  const { createSecureServer } = await import('node:http2');
  const { X509Certificate } = await import('node:crypto');
  const { authority, client, local } = await import('../support/certificates.ts');
  const http2 = createSecureServer({ ...local, ca: authority, requestCert: true });
  const seen: (Uint8Array | null)[] = [];
  const authorize: AttachOptions['authorize'] = (_, { peerCertificate }) => void seen.push(peerCertificate);
  const server = attach(http2, { authorize }, (socket) => socket.resume());
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const url = server.url.replace('127.0.0.1', 'localhost');
  const session = connectHttp2(url.replace('wss', 'https'), { ca: authority, ...client });
  await allowed(session);
  const socket = await connect(session, url);
  const der = (pem: string) => new Uint8Array(new X509Certificate(pem).raw);
  expect([...seen, socket.peerCertificate]).toEqual([der(client.cert), der(local.cert)]);
  await socket.close();
  session.destroy();
  await server.close();
  await new Promise((resolve) => http2.close(resolve));
});

test('over HTTP/1.1 the same attachment takes the upgrades of ws', async () => {
  const { createSecureServer } = await import('node:http2');
  const { authority, local } = await import('../support/certificates.ts');
  const http2 = createSecureServer({ ...local, allowHTTP1: true });
  const server = attach(http2, {}, (socket) => void socket.on('message', ({ data }) => void socket.send(data)));
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const socket = new WebSocket(`${server.url.replace('127.0.0.1', 'localhost')}/`, { ca: authority });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send('hello');
  expect(String(await new Promise((resolve) => socket.once('message', resolve)))).toBe('hello');
  socket.close();
  await server.close();
  await new Promise((resolve) => http2.close(resolve));
});

test('where there is no HTTP/1.1 there are no upgrades: attach of sansocket/server, and a gateway, say so', async () => {
  const { createSecureServer } = await import('node:http2');
  const { local } = await import('../support/certificates.ts');
  const said =
    /: this server speaks HTTP\/2 alone, which has no upgrades: attach to it with sansocket\/transport\/http2, or/;
  for (const http2 of [createServer(), createSecureServer({ ...local })]) {
    const host = http2 as unknown as UpgradeServer;
    expect(() => attachUpgrades(host)).toThrow(UsageError);
    expect(() => attachUpgrades(host)).toThrow(said);
    expect(http2.listenerCount('upgrade')).toBe(0);
    await expect(createGateway({ server: host, routes: [{ prefix: '', port: 1 }] })).rejects.toThrow(said);
  }
  const direct = createGateway({ server: createServer() as unknown as UpgradeServer, mode: 'direct', processes: {} });
  await expect(direct).rejects.toThrow(said);
});

test('others may take upgrades of HTTP/1.1 beside it, but not those of its paths', async () => {
  const { createSecureServer } = await import('node:http2');
  const { authority, local } = await import('../support/certificates.ts');
  const http2 = createSecureServer({ ...local, allowHTTP1: true });
  const server = attach(http2, { paths: '/both' }, (socket) => void socket.send('both'));
  const host = http2 as unknown as UpgradeServer;
  expect(() => attachUpgrades(host, { paths: '/both' })).toThrow("attach: another has the path '/both'");
  const other = attachUpgrades(host, { paths: '/old' }, (socket) => void socket.send('old'));
  http2.on('upgrade', (request, socket) => {
    if (request.url === '/own') socket.end('HTTP/1.1 418 Teapot\r\n\r\n');
  });
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const first = (path: string) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${server.url.replace('127.0.0.1', 'localhost')}${path}`, { ca: authority });
      socket.once('message', (data) => {
        resolve(String(data));
        socket.close();
      });
      socket.once('unexpected-response', (request, { statusCode }) => {
        resolve(statusCode);
        request.destroy();
      });
    });
  expect([await first('/both'), await first('/old'), await first('/own')]).toEqual(['both', 'old', 418]);
  await Promise.all([server.close(), other.close()]);
  expect(http2.listenerCount('upgrade')).toBe(1);
  await new Promise((resolve) => http2.close(resolve));
});

test('several on one server, each with its paths; two that want the same are refused', async () => {
  const { http2, server, session, url } = await start();
  await allowed(session);
  expect(() => attach(http2)).toThrow('attach: another takes every request of this server already');
  const heard: string[] = [];
  const side = attach(http2, { paths: '/side' }, () => void heard.push('side'));
  expect(() => attach(http2, { paths: ['/x', '/side'] })).toThrow("attach: another has the path '/side'");
  const first = await connect(session, `${url}/side?q`);
  const second = await connect(session, `${url}/other`);
  // Each stream is one connection of one server.
  expect([heard, side.connections.size, server.connections.size]).toEqual([['side'], 1, 1]);
  await Promise.all([first.close(), second.close()]);
  await side.close();
  expect(http2.listenerCount('stream')).toBeGreaterThan(0);
});
