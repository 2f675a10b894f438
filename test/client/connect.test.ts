import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, connect as dial, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { type ConnectOptions, connect, HandshakeError, UsageError } from '../../src/client/index.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { authority, local, other } from '../support/certificates.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server of raw sockets; `answer` gets the head of each request. */
async function rawServer(answer: (head: string, socket: Socket) => void, secure = false) {
  const heads: string[] = [];
  const sockets: Socket[] = [];
  const take = (socket: Socket) => {
    sockets.push(socket);
    let head = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      heads.push(head);
      answer(head, socket);
    });
  };
  const server: NetServer = secure ? createTlsServer(local, take) : createServer(take);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port, heads, sockets, server };
}

const accept = (head: string, more = '') =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(
    /Sec-WebSocket-Key: (\S+)/.exec(head)![1]!,
  )}\r\n${more}\r\n`;

async function ours(options = {}): Promise<Server> {
  const server = await serve({ port: 0, host: '127.0.0.1', ...options }, (socket) => socket.resume());
  closers.push(() => server.close({ timeout: 20 }));
  return server;
}

describe('the request', () => {
  test('row 4, row 6: Host, Origin and further headers, as a record, pairs or lines', async () => {
    const { port, heads } = await rawServer((head, socket) => socket.write(accept(head), 'latin1'));
    const url = `ws://127.0.0.1:${port}/x?y`;
    (await connect(url, { headers: { 'X-A': '1', 'X-B': ['2', '3'] }, origin: 'https://a.example' })).terminate();
    (
      await connect(url, {
        headers: [
          ['Host', 'b.example'],
          ['User-Agent', 'me'],
          ['Origin', 'https://b.example'],
        ],
      })
    ).terminate();
    (await connect(url, { headers: 'X-C: 4\r\nAuthorization: Basic eDp5\r\n', subprotocols: [] })).terminate();
    expect(heads[0]).toMatch(/^GET \/x\?y HTTP\/1\.1\r\n/);
    expect(heads[0]).toContain(`\r\nHost: 127.0.0.1:${port}\r\n`);
    expect(heads[0]).toContain('\r\nX-A: 1\r\nX-B: 2\r\nX-B: 3\r\n');
    expect(heads[0]).toContain('\r\nOrigin: https://a.example\r\n');
    expect(heads[1]).toContain('\r\nHost: b.example\r\n');
    expect(heads[1]).not.toContain('127.0.0.1');
    expect(heads[1]!.match(/^(user-agent|origin): .*$/gim)).toEqual(['User-Agent: me', 'Origin: https://b.example']);
    expect(heads[2]).toContain('\r\nX-C: 4\r\nAuthorization: Basic eDp5\r\n');
    expect(heads[2]).not.toMatch(/Origin|Sec-WebSocket-Protocol/);
  });

  test('row 8: subprotocols, one or several, in the order of preference', async () => {
    const { port, heads } = await rawServer((head, socket) =>
      socket.write(accept(head, 'Sec-WebSocket-Protocol: v1\r\n')),
    );
    for (const subprotocols of ['v1', ['v2', 'v1']]) {
      const socket = await connect(`ws://127.0.0.1:${port}`, { subprotocols });
      expect(socket.subprotocol).toBe('v1');
      socket.terminate();
    }
    expect(heads.map((head) => /^Sec-WebSocket-Protocol: (.*)\r$/m.exec(head)?.[1])).toEqual(['v1', 'v2, v1']);
  });

  test('a URL object, http: and a query without a path do as well', async () => {
    const server = await ours();
    (await connect(new URL(`http://127.0.0.1:${server.port}?a=1`))).terminate();
    const socket = await connect(`ws://LOCALHOST:${server.port}?a=1`);
    expect([...server.connections].at(-1)?.request?.target).toBe('/?a=1');
    socket.terminate();
  });

  const evil = 'x\r\nX-Evil: 1';
  test.each<[string, string, object]>([
    ['header value', 'ws://127.0.0.1:9', { headers: { 'X-A': evil } }],
    ['header name', 'ws://127.0.0.1:9', { headers: { [evil]: '1' } }],
    ['header pair', 'ws://127.0.0.1:9', { headers: [['X-A', 'a\nb']] }],
    ['header line', 'ws://127.0.0.1:9', { headers: 'X-A: 1\nX-Evil: 1' }],
    ['empty header line', 'ws://127.0.0.1:9', { headers: 'X-A: 1\r\n\r\nGET / HTTP/1.1' }],
    ['header NUL', 'ws://127.0.0.1:9', { headers: { 'X-A': 'a\0b' } }],
    ['Host', 'ws://127.0.0.1:9', { headers: { Host: evil } }],
    ['origin', 'ws://127.0.0.1:9', { origin: evil }],
    ['subprotocol', 'ws://127.0.0.1:9', { subprotocols: [evil] }],
    ['subprotocol that is no token', 'ws://127.0.0.1:9', { subprotocols: 'a b' }],
    ['subprotocol twice', 'ws://127.0.0.1:9', { subprotocols: ['a', 'a'] }],
    ['header of the handshake', 'ws://127.0.0.1:9', { headers: { 'Sec-WebSocket-Key': 'x' } }],
    ['path', `ws://127.0.0.1:9/${evil}`, {}],
    ['host', `ws://a${evil}/`, {}],
    ['user', 'ws://a:b@127.0.0.1:9/', {}],
    ['unknown option', 'ws://127.0.0.1:9', { protocol: 'x' }],
    ['unknown event', 'ws://127.0.0.1:9', { on: { mesage: () => {} } }],
    ['listener that is none', 'ws://127.0.0.1:9', { on: { message: true } }],
    ['listener to messages', 'ws://127.0.0.1:9', { delivery: 'fragment', on: { message() {} } }],
    ['listener to fragments', 'ws://127.0.0.1:9', { on: { fragment() {} } }],
    ['compression', 'ws://127.0.0.1:9', { compression: 1 }],
    ['option of servers', 'ws://127.0.0.1:9', { plainRequests: 'ask' }],
    ['tls without TLS', 'ws://127.0.0.1:9', { tls: {} }],
    ['two sockets', 'ws+unix:/a', { socketPath: '/b' }],
    ['family of a UNIX socket', 'ws+unix:/a', { family: 4 }],
    ['local address of one', 'ws://a.test', { socketPath: '/a', localAddress: '127.0.0.1' }],
    ['choice of families for one', 'ws+unix:/a', { autoSelectFamily: false }],
    ['no URL', 7 as never, {}],
    ['URL that cannot even be printed', Object.create(null) as never, {}],
  ])('T59: a %s that cannot be is a UsageError, and nothing is dialled', async (_, url, options) => {
    const failed = await connect(url, options as ConnectOptions).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(UsageError);
  });
});

describe('the answer', () => {
  test('row 15: a refusal has status, headers and body', async () => {
    const { port } = await rawServer((_, socket) =>
      socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nwho?\n'),
    );
    const error = await connect(`ws://127.0.0.1:${port}`).catch((failed: unknown) => failed);
    expect(error).toBeInstanceOf(HandshakeError);
    const { status, response } = error as HandshakeError;
    expect([status, response?.statusText, Buffer.from(response!.body).toString()]).toEqual([
      401,
      'Unauthorized',
      'who?\n',
    ]);
    expect(response?.rawHeaders).toEqual(['WWW-Authenticate', 'Basic', 'Content-Length', '5']);
  });

  test('row 8: a subprotocol that was not offered fails, and the socket is destroyed', async () => {
    const { port, sockets } = await rawServer((head, socket) =>
      socket.write(accept(head, 'Sec-WebSocket-Protocol: b\r\n')),
    );
    await expect(connect(`ws://127.0.0.1:${port}`, { subprotocols: ['a'] })).rejects.toMatchObject({
      code: 'SUBPROTOCOL_UNREQUESTED',
    });
    if (!sockets[0]!.closed) await once(sockets[0]!, 'close');
  });

  test('frames behind the 101 in the same chunk are not lost, however late the listener is', async () => {
    const { port } = await rawServer((head, socket) => socket.write(`${accept(head)}\x81\x02hi\x81\x01!`, 'latin1'));
    const socket = await connect(`ws://127.0.0.1:${port}`);
    await new Promise(setImmediate);
    const got: unknown[] = [];
    await new Promise<void>((resolve) => {
      socket.on('message', ({ data }) => {
        got.push(data);
        if (got.length === 2) resolve();
      });
    });
    expect(got).toEqual(['hi', '!']);
    socket.terminate();
  });

  test('listeners of the option on are there before open, and hear nothing of an attempt that fails', async () => {
    const server = await ours({ paths: '/a' });
    const open = vi.fn();
    const close = vi.fn();
    const socket = await connect(`${server.url}/a`, { on: { open, close } });
    expect(open).toHaveBeenCalledOnce();
    await socket.close();
    expect(close).toHaveBeenCalledOnce();
    await expect(connect(`${server.url}/b`, { on: { open, close } })).rejects.toThrow('404');
    expect([open.mock.calls.length, close.mock.calls.length]).toEqual([1, 1]);
  });

  test('listeners of the option on are those there were when it was checked', async () => {
    const open = vi.fn();
    const on: Record<string, () => void> = { open };
    const opening = connect((await ours()).url, { on });
    Object.assign(on, { open: 5, opne: open });
    (await opening).terminate();
    expect(open).toHaveBeenCalledOnce();
  });

  test('what is no connection is a TransportError with the cause', async () => {
    const { port, server } = await rawServer((_, socket) => socket.destroy());
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({ name: 'TransportError' });
    server.close();
    await once(server, 'close');
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({
      name: 'TransportError',
      code: 'CONNECT_FAILED',
      message: `no connection could be made: connect ECONNREFUSED 127.0.0.1:${port}`,
      cause: { code: 'ECONNREFUSED' },
    });
    await expect(connect('ws://127.0.0.1', { socketPath: '/no/such.sock' })).rejects.toMatchObject({
      cause: { code: 'ENOENT' },
    });
  });

  test('T51: of several addresses the one that answers is used; if none does, each is told', async () => {
    const server = await ours();
    const socket = await connect(`ws://localhost:${server.port}`, { autoSelectFamily: true });
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.terminate();
    const { port } = server;
    await server.close({ timeout: 20 });
    const failed = await connect(`ws://localhost:${port}`, { autoSelectFamily: true }).catch((error: Error) => error);
    expect((failed as Error).message).toContain('ECONNREFUSED');
    expect((failed as Error).cause).toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('T44, T51: addresses of which some answer nobody', () => {
  /** A port of ::1 whose process accepts nobody; the kernel's queue is full, and connecting hangs. */
  async function swallowing(): Promise<number> {
    const script =
      "const s = require('net').createServer().listen({ port: 0, host: '::1', backlog: 1 }, () => {" +
      "require('fs').writeSync(1, String(s.address().port)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })";
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    closers.push(() => child.kill('SIGKILL'));
    const port = Number((await once(child.stdout, 'data'))[0]);
    const waiting = Array.from({ length: 4 }, () => dial(port, '::1').on('error', () => {}));
    closers.push(() => {
      for (const socket of waiting) socket.destroy();
    });
    await once(waiting[0]!, 'connect');
    return port;
  }

  /** What names ending in `.test` are resolved to. */
  const names = (...addresses: { address: string; family: number }[]) => {
    const { lookup } = dns;
    const spy = vi.spyOn(dns, 'lookup').mockImplementation(((name: string, ...rest: unknown[]) => {
      if (!name.endsWith('.test')) return lookup(name, ...(rest as [never, never]));
      const told = rest.at(-1) as (error: null, found: object) => void;
      if (addresses.length > 0) process.nextTick(told, null, addresses);
      return undefined;
    }) as never);
    closers.push(() => spy.mockRestore());
  };
  const six = { address: '::1', family: 6 };
  const four = { address: '127.0.0.1', family: 4 };
  const dialling = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPConnectWrap').length;

  test('T51: the one that answers is used, whether the first refuses or swallows', async () => {
    names(six, four);
    const server = await ours();
    const refusing = await connect(`ws://both.test:${server.port}`, { autoSelectFamily: true });
    expect(refusing.remoteAddress).toBe('127.0.0.1');
    refusing.terminate();
    const port = await swallowing();
    await ours({ port });
    const before = dialling();
    const socket = await connect(`ws://both.test:${port}`, { autoSelectFamily: true });
    expect([socket.remoteAddress, dialling()]).toEqual(['127.0.0.1', before]);
    socket.terminate();
  });

  test('T44, T51: one deadline holds for all of them, and for connecting', async () => {
    names(six);
    const port = await swallowing();
    const before = dialling();
    for (const url of [`ws://swallows.test:${port}`, `wss://swallows.test:${port}`, `ws://[::1]:${port}`]) {
      await expect(connect(url, { handshakeTimeout: 60 })).rejects.toMatchObject({
        name: 'TimeoutError',
        option: 'handshakeTimeout',
      });
    }
    expect(dialling()).toBe(before);
  });

  test('T44: and for a name that is never resolved', async () => {
    names();
    await expect(connect('ws://never.test/', { handshakeTimeout: 60 })).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('T44, row 16: one deadline over all of it', () => {
  test.each<[string, boolean, (socket: Socket) => void]>([
    ['is silent', false, () => {}],
    [
      'drips',
      false,
      (socket) => {
        const timer = setInterval(() => socket.write('H'), 5);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ])('a server that %s: TimeoutError, and the socket is destroyed', async (_, secure, behave) => {
    const { port, sockets } = await rawServer((__, socket) => behave(socket), secure);
    await expect(connect(`ws://127.0.0.1:${port}`, { handshakeTimeout: 60 })).rejects.toMatchObject({
      name: 'TimeoutError',
      option: 'handshakeTimeout',
    });
    if (!sockets[0]!.closed) await once(sockets[0]!.resume(), 'close');
  });

  test('a server that has refused us, and stays: the refusal is told by then', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const { port } = server.address() as { port: number };
    await expect(connect(`ws://127.0.0.1:${port}`, { handshakeTimeout: 60, closeTimeout: null })).rejects.toMatchObject(
      { code: 'STATUS_UNEXPECTED', status: 401 },
    );
  });

  test('TLS that never answers', async () => {
    const { port, sockets } = await rawServer(() => {});
    await expect(connect(`wss://127.0.0.1:${port}`, { handshakeTimeout: 60 })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    if (!sockets[0]!.closed) await once(sockets[0]!, 'close');
  });
});

describe('AbortSignal', () => {
  test('gives up at once, while dialling, and while the server thinks; later it does nothing', async () => {
    const reason = new Error('not any more');
    await expect(connect('ws://127.0.0.1:9', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(connect('ws://127.0.0.1:9', { signal: {} as never })).rejects.toThrow('must be an AbortSignal');
    const dialling = new AbortController();
    const attempt = connect('wss://127.0.0.1:9', { signal: dialling.signal });
    dialling.abort(reason);
    await expect(attempt).rejects.toBe(reason);
    const thinking = new AbortController();
    const { port, sockets } = await rawServer(() => thinking.abort(reason));
    await expect(connect(`ws://127.0.0.1:${port}`, { signal: thinking.signal })).rejects.toBe(reason);
    if (!sockets[0]!.closed) await once(sockets[0]!, 'close');
    const later = new AbortController();
    const socket = await connect((await ours()).url, { signal: later.signal });
    later.abort(reason);
    expect(socket.readyState).toBe('open');
    socket.terminate();
  });
});

describe('T60: who the server is', () => {
  const tlsServer = (certificate: typeof local) => ours({ tls: certificate });

  test('the certificate must be trusted', async () => {
    const server = await tlsServer(local);
    await expect(connect(server.url)).rejects.toMatchObject({ cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } });
    (await connect(server.url, { tls: { ca: 'NONE' } })).terminate();
    (await connect(server.url, { tls: { rejectUnauthorized: false } })).terminate();
  });

  test("row 86: 'SYSTEM' are the authorities that Node trusts, and ours is none of them", async () => {
    const server = await tlsServer(local);
    await expect(connect(server.url, { tls: { ca: 'SYSTEM' } })).rejects.toMatchObject({
      cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    });
  });

  test('row 85: a certificate and its key are given both or not at all, and ciphers count', async () => {
    for (const half of [{ cert: local.cert }, { key: local.key }]) {
      const failed = await connect('wss://127.0.0.1:9', { tls: half }).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(UsageError);
      expect(String(failed)).toContain('both present, or both absent');
    }
    const server = await ours({ tls: { ...local, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' } });
    const tls = { ca: authority, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' };
    (await connect(server.url, { tls })).terminate();
    await expect(
      connect(server.url, { tls: { ...tls, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } }),
    ).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
  });

  test('and be the host\u2019s: a name, or an address (row 89)', async () => {
    const server = await tlsServer(local);
    const tls = { ca: authority };
    (await connect(`wss://localhost:${server.port}`, { tls })).terminate();
    (await connect(`https://127.0.0.1:${server.port}`, { tls })).terminate();
    const wrong = await tlsServer(other);
    const refused = { cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } };
    await expect(connect(wrong.url, { tls })).rejects.toMatchObject(refused);
    await expect(connect(`wss://localhost:${wrong.port}`, { tls })).rejects.toMatchObject(refused);
    (await connect(wrong.url, { tls: { ...tls, servername: 'example.com' } })).terminate();
    await expect(connect(server.url, { tls: { ...tls, servername: 'example.com' } })).rejects.toMatchObject(refused);
  });

  test('row 88: checkHostname switches off the name, not the chain', async () => {
    const wrong = await tlsServer(other);
    (await connect(wrong.url, { tls: { ca: authority, checkHostname: false } })).terminate();
    await expect(connect(wrong.url, { tls: { checkHostname: false } })).rejects.toMatchObject({
      name: 'TransportError',
    });
  });

  test('row 89: SNI for names only', async () => {
    const names: (string | false | undefined)[] = [];
    const server = createTlsServer(local, (socket) => {
      names.push((socket as { servername?: string | false }).servername);
      socket.on('error', () => {}).destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const { port } = server.address() as { port: number };
    for (const host of ['localhost', '127.0.0.1']) {
      await connect(`wss://${host}:${port}`, { tls: { ca: authority } }).catch(() => {});
    }
    // A name's final dot is no part of it there.
    const lookup = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((_: string, __: object, told: (...all: unknown[]) => void) =>
        told(null, '127.0.0.1', 4)) as never);
    await connect(`wss://localhost.:${port}`, { tls: { ca: authority }, family: 4 }).catch(() => {});
    lookup.mockRestore();
    expect(names).toEqual(['localhost', false, 'localhost']);
    await expect(connect('wss://a.example', { tls: { servername: '127.0.0.1' } })).rejects.toThrow('servername');
  });

  test('nothing is sent before the certificate is checked', async () => {
    const { port, heads, sockets } = await rawServer(() => {}, true);
    await connect(`wss://127.0.0.1:${port}`, { headers: { Authorization: 'secret' } }).catch(() => {});
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
    expect(heads).toEqual([]);
  });
});

test('a real peer: ws', async () => {
  const theirs = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'b' });
  await once(theirs, 'listening');
  closers.push(() => theirs.close());
  theirs.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const { port } = theirs.address() as { port: number };
  const socket = await connect(`ws://127.0.0.1:${port}`, { subprotocols: ['a', 'b'], internals: false });
  expect(socket.subprotocol).toBe('b');
  socket.send('hello');
  for await (const { data } of socket) {
    expect(data).toBe('hello');
    break;
  }
  expect(await socket.close(4000, 'bye')).toMatchObject({ code: 4000, reason: 'bye', clean: true });
});
