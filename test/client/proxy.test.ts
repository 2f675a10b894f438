import { createServer as createHttpServer } from 'node:http';
import { connect as connectNet } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { connect, HandshakeError, parseUrl, UsageError } from '../../src/client/index.ts';
import { parseProxy } from '../../src/client/proxy.ts';
import { proxyFromEnvironment } from '../../src/client/proxy-environment.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { authority, local, other } from '../support/certificates.ts';
import { closeAll, closeLater, rawServer, tunnelProxy } from './support.ts';

afterEach(closeAll);

async function echo(options = {}): Promise<Server> {
  const server = await serve({ port: 0, host: '127.0.0.1', ...options }, (socket) => {
    socket.on('message', ({ data }) => socket.send(data));
  });
  closeLater(() => server.close({ timeout: 20 }));
  return server;
}

/** Sends texts of several sizes, with and without the read buffer of Node's internals, and has them back. */
async function exchange(url: string, options: object): Promise<void> {
  for (const internals of [true, false]) {
    const socket = await connect(url, { ...options, internals });
    const sent = ['hello', 'x'.repeat(70_000), 'é'.repeat(400_000), 'bye'];
    for (const text of sent) socket.send(text);
    for await (const { data } of socket) {
      expect(data).toBe(sent.shift());
      if (sent.length === 0) break;
    }
    expect(await socket.close()).toMatchObject({ clean: true });
  }
}

describe('seed 19: the tunnel of a proxy (RFC 9110 9.3.6)', () => {
  test('for ws: as for wss:, over a plain proxy and over one with TLS', async () => {
    const plain = await tunnelProxy();
    const secured = await tunnelProxy(local);
    const ws = await echo();
    const wss = await echo({ tls: local });
    const tls = { ca: authority };
    for (const proxy of [`http://127.0.0.1:${plain.port}`, new URL(`https://localhost:${secured.port}/`)]) {
      const proxyTls = String(proxy).startsWith('https') ? { proxyTls: tls } : {};
      await exchange(`ws://localhost:${ws.port}/a`, { proxy, ...proxyTls });
      await exchange(`wss://localhost:${wss.port}/b`, { proxy, ...proxyTls, tls });
    }
    for (const { heads } of [plain, secured]) {
      expect(heads).toHaveLength(4);
      expect(heads[0]).toBe(`CONNECT localhost:${ws.port} HTTP/1.1\r\nHost: localhost:${ws.port}\r\n\r\n`);
      expect(heads[2]).toMatch(`CONNECT localhost:${wss.port} `);
    }
  });

  test('of an independent implementation: node:http', async () => {
    const asked: (string | undefined)[] = [];
    const proxy = createHttpServer();
    proxy.on('connect', (request, socket, head) => {
      asked.push(request.url, request.headers.host);
      const target = connectNet(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        target.write(head);
        socket.pipe(target).pipe(socket);
      });
      target.on('error', () => socket.destroy());
      socket.on('error', () => target.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    closeLater(() => proxy.close());
    const server = await echo({ tls: local });
    const { port } = proxy.address() as { port: number };
    await exchange(`wss://localhost:${server.port}/`, { proxy: `http://127.0.0.1:${port}`, tls: { ca: authority } });
    const authorityForm = `localhost:${server.port}`;
    expect(asked).toEqual([authorityForm, authorityForm, authorityForm, authorityForm]);
  });

  test('the default port is said, an IPv6 address is in brackets, and the name is not resolved here', async () => {
    const { port, heads } = await rawServer((_, socket) => socket.end('HTTP/1.1 502 No\r\n\r\n'));
    for (const url of ['ws://no-such-host.invalid/', 'wss://no-such-host.invalid/', 'ws://[2001:db8::1]:81/']) {
      await connect(url, { proxy: `http://127.0.0.1:${port}` }).catch(() => {});
    }
    expect(heads.map((head) => head.split(' ')[1])).toEqual([
      'no-such-host.invalid:80',
      'no-such-host.invalid:443',
      '[2001:db8::1]:81',
    ]);
  });

  test('user and password go to the proxy and to nobody else; the Authorization of the server goes to the server', async () => {
    const proxy = await tunnelProxy();
    const server = await echo();
    const socket = await connect(server.url, {
      proxy: `http://us%40er:p%3Aw%C3%A9@127.0.0.1:${proxy.port}`,
      proxyHeaders: { 'X-Proxy': '1' },
      headers: { Authorization: 'Bearer s' },
    });
    const [, credentials] = /Proxy-Authorization: Basic (\S+)/.exec(proxy.heads[0]!)!;
    expect(Buffer.from(credentials!, 'base64').toString()).toBe('us@er:p:wé');
    expect(proxy.heads[0]).toContain('X-Proxy: 1');
    expect(proxy.heads[0]).not.toContain('Bearer');
    const { headers } = [...server.connections][0]!.request!;
    expect([headers.get('proxy-authorization'), headers.get('x-proxy'), headers.get('authorization')]).toEqual([
      null,
      null,
      'Bearer s',
    ]);
    socket.terminate();
  });

  test('a Proxy-Authorization of one\u2019s own takes the place of the URL\u2019s', async () => {
    const proxy = await tunnelProxy();
    const server = await echo();
    const url = `http://a:b@127.0.0.1:${proxy.port}`;
    (await connect(server.url, { proxy: url, proxyHeaders: { 'Proxy-Authorization': 'Bearer x' } })).terminate();
    expect(proxy.heads[0]!.match(/Proxy-Authorization/g)).toHaveLength(1);
    expect(proxy.heads[0]).toContain('Proxy-Authorization: Bearer x');
  });

  test('T60: the certificate behind the tunnel is the server\u2019s, that before it the proxy\u2019s', async () => {
    const proxy = await tunnelProxy();
    const wrong = await echo({ tls: other });
    const refused = { code: 'CONNECT_FAILED', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } };
    await expect(
      connect(`wss://localhost:${wrong.port}`, { proxy: `http://127.0.0.1:${proxy.port}`, tls: { ca: authority } }),
    ).rejects.toMatchObject(refused);
    // To be trusted as example.com it has to be asked for as such: the proxy's own name and address count for nothing.
    const named = { proxy: `http://127.0.0.1:${proxy.port}`, tls: { ca: authority } };
    (await connect(`wss://example.com:${wrong.port}`, named)).terminate();
    const imposter = await tunnelProxy(other);
    await expect(
      connect((await echo()).url, { proxy: `https://localhost:${imposter.port}`, proxyTls: { ca: authority } }),
    ).rejects.toMatchObject({ code: 'PROXY_FAILED', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    expect(imposter.heads).toEqual([]);
  });

  test('T60: options of one TLS are not those of the other', async () => {
    const secured = await tunnelProxy(local);
    const server = await echo({ tls: local });
    const proxy = `https://localhost:${secured.port}`;
    const url = `wss://localhost:${server.port}`;
    const untrusted = { cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } };
    await expect(connect(url, { proxy, tls: { ca: 'NONE' } })).rejects.toMatchObject({
      code: 'PROXY_FAILED',
      ...untrusted,
    });
    await expect(connect(url, { proxy, proxyTls: { ca: 'NONE' } })).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      ...untrusted,
    });
  });
});

describe('a proxy that does not', () => {
  const target = 'ws://127.0.0.1:9/';

  test.each([
    [407, 'Proxy Authentication Required'],
    [403, 'Forbidden'],
    [502, 'Bad Gateway'],
    [302, 'Found'],
  ])('answers %i: a HandshakeError with status, headers and what came of the body', async (status, text) => {
    const { port } = await rawServer((_, socket) =>
      socket.end(`HTTP/1.1 ${status} ${text}\r\nProxy-Authenticate: Basic\r\nLocation: /\r\n\r\nwhy`),
    );
    const error = await connect(target, { proxy: `http://127.0.0.1:${port}`, redirects: 3 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HandshakeError);
    expect(error).toMatchObject({
      code: 'PROXY_REFUSED',
      status,
      message: `the proxy did not open a tunnel: ${status} ${text}`,
      response: { status, statusText: text, rawHeaders: ['Proxy-Authenticate', 'Basic', 'Location', '/'] },
    });
  });

  test.each<[string, string, string]>([
    ['more headers than maxHeaders', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(101)}`, 'maxHeaders'],
    ['a head without end', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_000)}`, 'maxHeadSize'],
    ['a first line without end', `HTTP/1.1 200 ${'O'.repeat(9_000)}`, 'maxRequestLine'],
    ['garbage', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'SSH-2.0'],
    ['bare line feeds', 'HTTP/1.1 200 OK\nA: b\n\n', 'malformed'],
    ['interim responses without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(5), 'interim'],
    ['more than its answer', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n', 'more than its answer'],
  ])('answers with %s', async (_, answer, text) => {
    const { port, sockets } = await rawServer((__, socket) => socket.write(answer, 'latin1'));
    await expect(connect(target, { proxy: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'PROXY_REFUSED',
      message: expect.stringContaining(text),
    });
    await expect.poll(() => sockets[0]!.destroyed || sockets[0]!.readableEnded).toBe(true);
  });

  test('an answer may come in any pieces, behind an interim one, with any 2xx', async () => {
    const server = await echo();
    const { port } = await rawServer((_, socket) => {
      const bytes = [...'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.0 204 Fine\r\nContent-Length: 5\r\n\r\n'];
      const drip = (): void => {
        if (bytes.length > 0) socket.write(bytes.shift()!, () => setImmediate(drip));
        else
          socket.once('data', (head) => socket.end(`HTTP/1.1 418 ${head.subarray(0, 7)}\r\nContent-Length: 0\r\n\r\n`));
      };
      drip();
    });
    await expect(connect(server.url, { proxy: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'STATUS_UNEXPECTED',
      status: 418,
      response: { statusText: 'GET / H' },
    });
  });

  test('is not there, or ends without an answer', async () => {
    const { port } = await rawServer((_, socket) => socket.end());
    await expect(connect(target, { proxy: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'PROXY_FAILED',
      message: 'there is no connection to the proxy: it ended the connection without an answer',
    });
    await closeAll();
    await expect(connect(target, { proxy: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'PROXY_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test('never answers: handshakeTimeout holds for it as well, and an AbortSignal', async () => {
    const { port, sockets } = await rawServer(() => {});
    const proxy = `http://127.0.0.1:${port}`;
    await expect(connect(target, { proxy, handshakeTimeout: 60 })).rejects.toMatchObject({ code: 'OPENING_TIMEOUT' });
    const controller = new AbortController();
    const attempt = connect(target, { proxy, signal: controller.signal });
    await expect.poll(() => sockets.length).toBe(2);
    controller.abort(new Error('enough'));
    await expect(attempt).rejects.toThrow('enough');
    for (const socket of sockets) await expect.poll(() => socket.resume().readableEnded || socket.destroyed).toBe(true);
  });

  test('opens a tunnel in which TLS never ends: it is dropped, and what carries it', async () => {
    const mute = await rawServer(() => {});
    for (const certificate of [null, local]) {
      const proxy = await tunnelProxy(certificate);
      const scheme = certificate === null ? 'http' : 'https';
      const options = {
        proxy: `${scheme}://localhost:${proxy.port}`,
        ...(certificate === null ? {} : { proxyTls: { ca: authority } }),
        handshakeTimeout: 150,
      };
      await expect(connect(`wss://localhost:${mute.port}`, options)).rejects.toMatchObject({ code: 'OPENING_TIMEOUT' });
      expect(proxy.heads).toHaveLength(1);
      await expect.poll(() => proxy.sockets[0]!.destroyed).toBe(true);
    }
  });

  test('opens a tunnel to a server that does not speak TLS', async () => {
    const proxy = await tunnelProxy();
    const server = await echo();
    await expect(
      connect(`wss://localhost:${server.port}`, { proxy: `http://127.0.0.1:${proxy.port}` }),
    ).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
  });
});

describe('options of proxies', () => {
  test.each<[string, string, object]>([
    ['a number', 'proxy', { proxy: 8080 }],
    ['null', 'proxy', { proxy: null }],
    ['true', 'proxy', { proxy: true }],
    ['no URL', 'proxy', { proxy: 'localhost:8080' }],
    ['an empty URL', 'proxy', { proxy: '' }],
    ['socks', 'socks5', { proxy: 'socks5://127.0.0.1:1080' }],
    ['ws', 'ws', { proxy: 'ws://127.0.0.1:1080' }],
    ['a path', 'http://host:port', { proxy: 'http://127.0.0.1:1080/path' }],
    ['a port that is none', 'port', { proxy: 'http://127.0.0.1:0' }],
    ['a user that encodes nothing', 'percent', { proxy: 'http://%zz:1@127.0.0.1:1' }],
    ['TLS without a proxy', 'proxyTls', { proxyTls: {} }],
    ['headers without a proxy', 'proxyHeaders', { proxyHeaders: {}, proxy: false }],
    ['TLS that is wrong', 'ciphers', { proxy: 'https://a.test', proxyTls: { ciphers: 1 } }],
    ['TLS with a proxy without', 'proxyTls', { proxy: 'http://a.test', proxyTls: {} }],
    ['headers that are none', "'proxyHeaders'", { proxy: 'http://a.test', proxyHeaders: 7 }],
    ['lines that are none', "'proxyHeaders'", { proxy: 'http://a.test', proxyHeaders: 'x' }],
    ['pairs that are none', "'proxyHeaders'", { proxy: 'http://a.test', proxyHeaders: [1] }],
    ['a value that is none', "'proxyHeaders'", { proxy: 'http://a.test', proxyHeaders: { A: 1 } }],
    ['a header that cannot be sent', 'X', { proxy: 'http://a.test', proxyHeaders: { X: 'a\r\nb' } }],
    ['a UNIX socket', 'UNIX', { proxy: 'http://a.test', socketPath: '/tmp/a' }],
    ['no address to connect from', 'localAddress', { localAddress: 'localhost' }],
  ])('%s is a UsageError that names %s', async (_, text, options) => {
    const failed = await connect('ws://127.0.0.1:9', options).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(UsageError);
    expect(String(failed)).toContain(text);
  });

  test('a password is not in the text of an error', () => {
    expect(() => parseProxy('http://me:secret@', [], 'x')).toThrow(/^(?!.*secret)/);
    expect(() => parseProxy('http://me:a/secret@a.test', [], 'x')).toThrow(/^(?!.*secret)/);
    expect(() => parseProxy('me:secret@a.test:3128', [], 'x')).toThrow(/^(?!.*secret)/);
    expect(() => parseProxy('http://me:secret@a b/', [], 'x')).toThrow(/^(?!.*secret)/);
    expect(() => parseProxy('http://me:secret@a.test:99999/', [], 'x')).toThrow(/^(?!.*secret)/);
    expect(() => parseProxy('socks://me:secret@a.test', [], 'x')).toThrow(/^(?!.*secret)/);
  });

  test('the environment is asked only on demand', async () => {
    const proxy = await tunnelProxy();
    const server = await echo();
    process.env['http_proxy'] = `127.0.0.1:${proxy.port}`;
    try {
      (await connect(server.url)).terminate();
      expect(proxy.heads).toHaveLength(0);
      (await connect(server.url, { proxy: 'environment' })).terminate();
      expect(proxy.heads).toHaveLength(1);
      process.env['no_proxy'] = 'localhost, 127.0.0.0/8';
      (await connect(server.url, { proxy: 'environment', proxyHeaders: { A: 'b' } })).terminate();
      expect(proxy.heads).toHaveLength(1);
    } finally {
      delete process.env['http_proxy'];
      delete process.env['no_proxy'];
    }
  });
});

describe('the environment', () => {
  const found = (url: string, env: Record<string, string>) =>
    proxyFromEnvironment(parseUrl(url), env, [])?.address.hostname ?? null;

  test.each<[string, Record<string, string>, string | null]>([
    ['ws://a.test', {}, null],
    ['ws://a.test', { http_proxy: 'http://p.test' }, 'p.test'],
    ['ws://a.test', { HTTP_PROXY: 'http://p.test' }, 'p.test'],
    ['ws://a.test', { http_proxy: 'http://p.test', HTTP_PROXY: 'http://q.test' }, 'p.test'],
    ['ws://a.test', { http_proxy: '', HTTP_PROXY: 'http://q.test' }, 'q.test'],
    ['ws://a.test', { https_proxy: 'http://p.test' }, null],
    ['wss://a.test', { HTTPS_PROXY: 'p.test:3128' }, 'p.test'],
    ['wss://a.test', { http_proxy: 'http://p.test', all_proxy: 'http://q.test' }, 'q.test'],
    // A CGI program must not take a proxy from the header of a request.
    ['ws://a.test', { HTTP_PROXY: 'http://evil.test', REQUEST_METHOD: 'GET' }, null],
    ['ws://a.test', { http_proxy: 'http://p.test', REQUEST_METHOD: 'GET' }, 'p.test'],
  ])('%s with %j: %s', (url, env, proxy) => {
    expect(found(url, env)).toBe(proxy);
  });

  test.each<[string, string, boolean]>([
    ['a.test', '*', true],
    ['a.test', 'a.test', true],
    ['A.TEST', 'a.test', true],
    ['a.test', 'A.Test', true],
    ['b.a.test', 'a.test', true],
    ['b.a.test', '.a.test', true],
    ['a.test', '.a.test', true],
    ['b.a.test', '*.a.test', true],
    ['ba.test', 'a.test', false],
    ['a.test.evil', 'a.test', false],
    ['a.test', 'b.test,  a.test', true],
    ['a.test', 'b.test a.test', true],
    ['a.test', '', false],
    ['a.test', ',', false],
    ['a.test', 'test', true],
    ['a.test.', 'a.test', true],
    ['a.test:81', 'a.test:81', true],
    ['a.test:81', 'a.test:82', false],
    ['a.test', 'a.test:80', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.0/8', true],
    ['128.0.0.1', '127.0.0.0/8', false],
    ['127.0.0.1', '127.0.0.1:80', true],
    ['127.0.0.1', '127.0.0.1/33', false],
    ['127.0.0.1', '127.0.0.1/x', false],
    ['127.0.0.1', '0.0.0.0/0', true],
    ['127.0.0.1', 'localhost', false],
    ['[::1]', '::1', true],
    ['[::1]', '[::1]', true],
    ['[::1]:81', '[::1]:81', true],
    ['[2001:db8::5]', '2001:db8::/32', true],
    // Its last group is no port.
    ['[2001:db8::5]', '2001:db8::5', true],
    ['[fd00:1:2:3:4:5:6:7]:81', 'fd00:1:2:3:4:5:6:7', true],
    ['[::1]', '::1:80', false],
    ['[::1]:81', '[::1]:82', false],
    ['[2001:db9::5]', '2001:db8::/32', false],
    ['10.0.0.1', '.0.0.1', false],
  ])('no_proxy: ws://%s and %j: %s', (host, list, exempt) => {
    expect(found(`ws://${host}/`, { http_proxy: 'http://p.test', no_proxy: list }) === null).toBe(exempt);
  });

  test('a variable that cannot be used is named', () => {
    expect(() => found('ws://a.test', { ALL_PROXY: 'socks5://p.test' })).toThrow(/ALL_PROXY.*socks5/);
    expect(() => found('wss://a.test', { https_proxy: 'http://p.test/path' })).toThrow('https_proxy');
  });
});
