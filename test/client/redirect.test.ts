import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { connect, HandshakeError, parseUrl, UsageError } from '../../src/client/index.ts';
import { isSameOrigin, redirectTarget, withoutCredentials } from '../../src/client/redirect.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { authority, local } from '../support/certificates.ts';
import { closeAll, closeLater, rawServer, tunnelProxy } from './support.ts';

afterEach(closeAll);

async function ours(options = {}): Promise<Server> {
  const server = await serve({ port: 0, host: '127.0.0.1', ...options }, (socket) => socket.resume());
  closeLater(() => server.close({ timeout: 20 }));
  return server;
}

/** A server that sends everybody elsewhere. */
const redirecting = (location: string | (() => string), status = 302, certificate: typeof local | null = null) =>
  rawServer((_, socket) => {
    const to = typeof location === 'string' ? location : location();
    socket.end(`HTTP/1.1 ${status} Elsewhere\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`);
  }, certificate);

const responseTo = (...rawHeaders: string[]) => ({ status: 302, statusText: '', rawHeaders, body: new Uint8Array(0) });

describe('seed 18: redirects', () => {
  test('are not followed unless one asks for it', async () => {
    const { port, heads } = await redirecting((await ours()).url);
    await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'STATUS_UNEXPECTED', status: 302 });
    expect(heads).toHaveLength(1);
  });

  test.each([301, 302, 303, 307, 308])('%i leads on, to the other server and its path', async (status) => {
    const server = await ours();
    const { port } = await redirecting(`${server.url}/b?c=d#e`, status);
    const socket = await connect(`ws://127.0.0.1:${port}/a`, { redirects: 1 });
    expect([...server.connections][0]!.request!.target).toBe('/b?c=d');
    expect(socket.remotePort).toBe(server.port);
    socket.terminate();
  });

  test.each([300, 304, 305, 306, 401])('%i does not', async (status) => {
    const { port } = await redirecting((await ours()).url, status);
    await expect(connect(`ws://127.0.0.1:${port}`, { redirects: 5 })).rejects.toMatchObject({
      code: 'STATUS_UNEXPECTED',
      status,
    });
  });

  test.each([
    ['http://b.test/x', 'ws:b.test:80', '/x'],
    ['https://b.test/x', 'wss:b.test:443', '/x'],
    ['wss://b.test:81/x', 'wss:b.test:81', '/x'],
    ['//b.test/x', 'ws:b.test:80', '/x'],
    ['/x?y', 'ws:a.test:80', '/x?y'],
    ['x', 'ws:a.test:80', '/one/x'],
    ['../x', 'ws:a.test:80', '/x'],
    ['?y', 'ws:a.test:80', '/one/two?y'],
    ['', 'ws:a.test:80', '/one/two?q'],
    ['#f', 'ws:a.test:80', '/one/two?q'],
    ['ws://me:pw@b.test/x', 'ws:b.test:80', '/x'],
    ['ws://[::1]:81', 'ws:::1:81', '/'],
  ])('Location %j from ws://a.test/one/two?q', (location, where, target) => {
    const next = redirectTarget(parseUrl('ws://a.test/one/two?q'), responseTo('Location', location), (host) => host);
    expect([`${next.secure ? 'wss' : 'ws'}:${next.hostname}:${next.port}`, next.target]).toEqual([where, target]);
  });

  test.each<[string, string, string[]]>([
    ['there is no Location', 'no Location', []],
    ['there are two', 'more than one', ['Location', '/a', 'location', '/b']],
    ['it is no URL', 'no URL', ['Location', 'ws://[']],
    ['it is of another kind', 'scheme', ['Location', 'ftp://b.test/']],
    ['it is a script', 'scheme', ['Location', 'javascript:alert(1)']],
    ['it is a UNIX socket', 'scheme', ['Location', 'ws+unix:/run/docker.sock']],
    ['it leads from TLS to none', 'which has none', ['Location', 'ws://a.test/']],
    ['it leads from TLS to none by http:', 'which has none', ['Location', 'http://b.test/']],
  ])('T63: is not followed when %s', (_, text, headers) => {
    const go = () => redirectTarget(parseUrl('wss://a.test/'), responseTo(...headers), (host) => host);
    expect(go).toThrow(HandshakeError);
    expect(go).toThrow(text);
  });

  test('T63: a server cannot send us to a UNIX socket of our machine', () => {
    const go = () =>
      redirectTarget(parseUrl('ws://a.test/'), responseTo('Location', 'ws+unix:/run/docker.sock'), String);
    expect(go).toThrow('scheme');
  });

  test('trap 10, T63: a downgrade is refused before anything is dialled', async () => {
    const plain = await ours();
    const { port } = await redirecting(plain.url, 302, local);
    await expect(connect(`wss://localhost:${port}`, { redirects: 5, tls: { ca: authority } })).rejects.toMatchObject({
      code: 'REDIRECT_REFUSED',
      status: 302,
      message: expect.stringContaining('the redirect was not followed: from TLS to'),
      response: { status: 302 },
    });
    expect(plain.statistics).toMatchObject({ connections: 0, opened: 0, refused: 0 });
  });

  test('T63: an upgrade to TLS is followed, with the certificate of whom it leads to', async () => {
    const secured = await ours({ tls: local });
    const { port } = await redirecting(`wss://localhost:${secured.port}/`);
    const socket = await connect(`ws://127.0.0.1:${port}`, { redirects: 1, tls: { ca: authority } });
    expect(socket.secure).toBe(true);
    socket.terminate();
    // A name to check the certificate against was given for the first host only.
    await expect(
      connect(`ws://127.0.0.1:${port}`, { redirects: 1, tls: { ca: authority, servername: 'example.com' } }),
    ).resolves.toMatchObject({ secure: true });
  });

  test('T63: a loop ends at the bound', async () => {
    const { port, heads } = await redirecting('/again');
    await expect(connect(`ws://127.0.0.1:${port}`, { redirects: 3 })).rejects.toMatchObject({
      code: 'REDIRECT_REFUSED',
      message: 'the redirect was not followed: more than 3 in a row',
    });
    expect(heads.map((head) => head.split(' ')[1])).toEqual(['/', '/again', '/again', '/again']);
  });

  test('T63: credentials stay with the origin they were given for, also when the way leads back to it', async () => {
    const seen: string[] = [];
    let hops = 0;
    const first = await rawServer((head, socket) => {
      seen.push(head);
      const to = hops++ === 0 ? '/same' : hops === 2 ? `ws://127.0.0.1:${second.port}/` : '';
      socket.end(
        to === ''
          ? 'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'
          : `HTTP/1.1 302 Elsewhere\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`,
      );
    });
    const second = await redirecting(`ws://127.0.0.1:${first.port}/back`);
    await connect(`ws://127.0.0.1:${first.port}/`, {
      redirects: 5,
      headers: { Authorization: 'a', COOKIE: 'b', 'Proxy-Authorization': 'c', Host: 'virtual.test', 'X-Other': 'd' },
    }).catch(() => {});
    const secret = /\r\n(authorization|cookie|proxy-authorization): |virtual\.test/i;
    expect(seen.map((head) => [head.split(' ')[1], secret.test(head), head.includes('X-Other: d')])).toEqual([
      ['/', true, true],
      ['/same', true, true],
      ['/back', false, true],
    ]);
    expect(second.heads.map((head) => [secret.test(head), head.includes('X-Other: d')])).toEqual([[false, true]]);
    expect(second.heads[0]).toContain(`\r\nHost: 127.0.0.1:${second.port}\r\n`);
  });

  test('a relative Location stays with its origin, however the address was written', () => {
    for (const url of ['ws://127.1:81/a', 'ws://[0:0::1]/a', 'wss://[::ffff:127.0.0.1]/a', 'ws://0x7f.0.0.1/a']) {
      const current = { ...parseUrl(url), socketPath: '/run/a.sock' };
      expect(redirectTarget(current, responseTo('Location', '/b'), String), url).toEqual({ ...current, target: '/b' });
    }
    expect(redirectTarget(parseUrl('ws://127.1/a'), responseTo('Location', 'ws://127.0.0.1/b'), String)).toMatchObject({
      hostname: '127.1',
      target: '/b',
    });
  });

  test('another scheme, host or port is another origin', () => {
    const origin = parseUrl('wss://a.test/x');
    expect(isSameOrigin(origin, parseUrl('https://A.test:443/y'))).toBe(true);
    for (const other of ['ws://a.test:443/x', 'wss://b.test/x', 'wss://a.test:444/x', 'wss://a.test./x']) {
      expect(isSameOrigin(origin, parseUrl(other)), other).toBe(false);
    }
    expect(withoutCredentials([['aUTHORIZATION', 'x']])).toEqual([]);
  });

  test('one deadline holds for the whole way', async () => {
    const { port, heads } = await rawServer((_, socket) =>
      setTimeout(() => socket.end('HTTP/1.1 302 Elsewhere\r\nLocation: /\r\nContent-Length: 0\r\n\r\n'), 30),
    );
    await expect(connect(`ws://127.0.0.1:${port}`, { redirects: 1_000, handshakeTimeout: 200 })).rejects.toMatchObject({
      code: 'OPENING_TIMEOUT',
    });
    expect(heads.length).toBeGreaterThan(1);
  });

  test('an AbortSignal ends it on its second leg', async () => {
    const { port: silent, sockets } = await rawServer(() => {});
    const { port } = await redirecting(`ws://127.0.0.1:${silent}/`);
    const controller = new AbortController();
    const attempt = connect(`ws://127.0.0.1:${port}`, { redirects: 1, signal: controller.signal });
    await expect.poll(() => sockets.length).toBe(1);
    controller.abort(new Error('enough'));
    await expect(attempt).rejects.toThrow('enough');
    await expect.poll(() => sockets[0]!.resume().readableEnded || sockets[0]!.destroyed).toBe(true);
  });

  test('through a proxy each leg has a tunnel of its own', async () => {
    const server = await ours();
    const proxy = await tunnelProxy();
    const { port } = await redirecting(server.url);
    (await connect(`ws://127.0.0.1:${port}`, { redirects: 1, proxy: `http://127.0.0.1:${proxy.port}` })).terminate();
    expect(proxy.heads.map((head) => head.split(' ')[1])).toEqual([`127.0.0.1:${port}`, `127.0.0.1:${server.port}`]);
  });

  test('from a UNIX socket one leads to the same socket, or nowhere', async () => {
    const path = `/tmp/sansocket-redirect-${process.pid}.sock`;
    const heads: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (chunk) => {
        heads.push(String(chunk).split(' ')[1]!);
        const to = heads.length === 1 ? '/second' : 'ws://127.0.0.1:9/';
        socket.end(`HTTP/1.1 302 Elsewhere\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    closeLater(() => server.close());
    await expect(connect(`ws+unix:${path}:/first`, { redirects: 5 })).rejects.toMatchObject({
      code: 'REDIRECT_REFUSED',
      message: expect.stringContaining('UNIX socket'),
    });
    expect(heads).toEqual(['/first', '/second']);
  });

  test.each([-1, 1.5, '3', true, null, Number.NaN])('redirects: %j is a UsageError', async (redirects) => {
    const failed = await connect('ws://127.0.0.1:9', { redirects } as object).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(UsageError);
    expect(String(failed)).toContain('redirects');
  });
});
