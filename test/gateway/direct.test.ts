import { type ChildProcess, fork } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, connect as dial, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { adopt, type GatewayEvents, type GatewayOptions } from '../../src/gateway/index.ts';
import type { UpgradeServer } from '../../src/server/upgrade.ts';
import { directWriteAvailable } from '../../src/transport/node/index.ts';
import { local } from '../support/certificates.ts';
import { frame } from '../support/frames.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';
import { ask, cleanUp, folder, gateway, refused } from './support.ts';

async function worker(): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('adopting.child.ts', import.meta.url));
  const child = fork(file, { execArgv: ['--import', 'tsx'] });
  cleanUp(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function directed(options: Partial<GatewayOptions> = {}) {
  const child = await worker();
  const running = await gateway({ mode: 'direct', processes: { chat: child }, ...options });
  return { child, running };
}

describe('row 99: direct mode', () => {
  test('the client goes on with the process, from its first byte to its close', async () => {
    const { running } = await directed({ subprotocols: ['v2'] });
    const opened = new Promise((resolve) => running.on('open', resolve));
    const socket = await connect(`${running.url}/chat?room=1`, { subprotocols: ['v1', 'v2'], maxMessageSize: null });
    const messages = socket[Symbol.asyncIterator]();
    const next = async () => (await messages.next()).value?.data;
    const greeting = { name: 'chat', target: '/chat?room=1', remoteAddress: '127.0.0.1', subprotocol: 'v2' };
    expect(JSON.parse((await next()) as string)).toEqual(greeting);
    expect(socket.subprotocol).toBe('v2');
    expect(await opened).toEqual({ connection: 1, name: 'chat', remoteAddress: '127.0.0.1' });
    socket.send('hello');
    expect(await next()).toBe('hello');
    const big = new Uint8Array(5_000_000).fill(7);
    socket.send(big);
    expect(((await next()) as Uint8Array).length).toBe(big.length);
    expect(await socket.ping()).toBeGreaterThan(0);
    expect(running.connections).toBe(0);
    // The gateway may go: the client is not its any more.
    await running.close();
    socket.send('still there');
    expect(await next()).toBe('still there');
    expect(await socket.close(3001, 'bye')).toMatchObject({ code: 3001, reason: 'bye', clean: true });
  });

  test('frames that come with the request are not lost', async () => {
    const { running } = await directed();
    for (let i = 0; i < 5; i++) {
      const peer = await RawPeer.to(running.port!);
      const early = frame({ opcode: 1, key: [1, 2, 3, 4], payload: Buffer.from(`early ${i}`) });
      peer.write(Buffer.concat([Buffer.from(upgradeRequest('/chat')), early]));
      await peer.until(`early ${i}`);
      peer.reset();
    }
  });

  test('what is more than a socket takes before it is handed over is left in it for the process', async () => {
    const http = createHttp().listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanUp(() => http.close());
    let client: Socket | null = null;
    http.on('connection', (socket) => {
      client = socket;
    });
    const full = () => client!.readableLength >= client!.readableHighWaterMark;
    const authorize = async () => {
      await vi.waitFor(() => expect(full()).toBe(true));
      return true;
    };
    const { running } = await directed({ server: http, authorize });
    const early = frame({ opcode: 2, key: [1, 2, 3, 4], payload: Buffer.alloc(1_000_000, 7) });
    const last = frame({ opcode: 1, key: [1, 2, 3, 4], payload: Buffer.from('and the last') });
    // Which of the two reads first is a matter of chance.
    for (let i = 0; i < 10; i++) {
      const peer = await RawPeer.to(running.port!);
      peer.write(Buffer.concat([Buffer.from(upgradeRequest('/chat')), early, last]));
      await peer.until('and the last');
      peer.reset();
    }
  });

  test('T01, T02: a head that does not come is waited for as long as handshakeTimeout says', async () => {
    const running = await gateway({ mode: 'direct', processes: {}, handshakeTimeout: 50 });
    for (const begun of ['', 'GET / HTTP/1.1\r\nHost: a']) {
      const peer = await RawPeer.to(running.port!);
      peer.write(begun);
      await peer.closed;
      expect(statusOf(peer.received)).toBe(408);
    }
    const patient = await gateway({ mode: 'direct', processes: {}, handshakeTimeout: null });
    const { http } = (patient as unknown as { front: { http: HttpServer } }).front;
    expect([http.headersTimeout, http.requestTimeout]).toEqual([0, 0]);
  });

  test("options: 'direct' is the same, on a server of ours too", async () => {
    const child = await worker();
    const http = createHttp((_, response) => response.end('plain'));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanUp(() => http.close());
    const find = (name: string) => (name === 'a/b' ? child : null);
    const running = await gateway({ options: 'direct', processes: find, server: http, allow: '**' });
    const socket = await connect(`${running.url}/a/b`);
    for await (const { data } of socket) {
      expect(JSON.parse(data as string)).toMatchObject({ name: 'a/b' });
      break;
    }
    await socket.close();
    expect(await (await fetch(running.url.replace('ws', 'http'))).text()).toBe('plain');
    expect(await refused(running.port!, '/a')).toBe(404);
  });

  test('the same rules: names, origins, addresses, hooks; and what is answered', async () => {
    const { child, running } = await directed({ deny: 'secret', authorize: ({ query }) => query !== '?no' });
    const heard: GatewayEvents['refused'][] = [];
    running.on('refused', (event) => heard.push(event));
    const { port } = running;
    expect(await refused(port!, '/none')).toBe(404);
    expect(await refused(port!, '/')).toBe(404);
    expect(await refused(port!, '/constructor')).toBe(404);
    expect(await refused(port!, '/..')).toBe(404);
    expect(await refused(port!, '/secret')).toBe(403);
    expect(await refused(port!, '/chat?no')).toBe(403);
    expect(await refused(port!, '/chat', { Origin: 'https://evil.example' })).toBe(403);
    expect(await refused(port!, '/chat', { 'Sec-WebSocket-Version': '12' })).toBe(426);
    expect(await refused(port!, '/chat', { 'Sec-WebSocket-Key': null })).toBe(400);
    expect((await fetch(running.url.replace('ws', 'http'))).status).toBe(426);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await refused(port!, '/chat')).toBe(502);
    await vi.waitFor(() => expect(heard.length).toBe(10));
    expect(heard.slice(7, 9).map(({ status }) => status)).toEqual([426, 400]);
    expect(heard.at(-1)).toMatchObject({ status: 502, path: '/chat', reason: 'the process has ended' });
  });

  test.each<[string, Partial<GatewayOptions>, RegExp]>([
    ['headers that are a promise', { headers: (async () => ({ 'X-A': 'b' })) as never }, /there is no promise/],
    ['a header that cannot be sent', { headers: () => ({ Upgrade: 'x' }) }, /Upgrade/],
    ['one of authorize', { authorize: () => ({ headers: { 'X-A': 'a\r\nb' } }) }, /X-A/],
    ['one of its refusal', { authorize: () => ({ status: 401, headers: { 'X A': 'b' } }) }, /X A/],
    [
      'a subprotocol that is a promise',
      { subprotocols: (async () => 'v1') as never },
      /must choose a string or null, not an/,
    ],
    ['one that nobody offered', { subprotocols: () => 'v9' }, /v9/],
    [
      'a process that is a promise',
      { processes: (async () => null) as never },
      /must find a process of Node or null, not an/,
    ],
    [
      'a process that is a promise, and fails later',
      { processes: (() => Promise.reject(new Error('later'))) as never },
      /must find a process of Node or null, not an object/,
    ],
    [
      'a process that says nothing',
      { processes: () => ({ send() {}, connected: true }) as never },
      /must find a process of Node or null, not an object/,
    ],
    [
      'a hook that throws what is no text',
      {
        authorize: () => {
          throw Object.create(null);
        },
      },
      /an object/,
    ],
  ])('row 99: %s: 500, as on any server, and the operator is told', async (_, options, reason) => {
    const { running } = await directed(options);
    const heard: GatewayEvents['refused'][] = [];
    running.on('refused', (event) => heard.push(event));
    const warned = once(process, 'warning');
    expect(await refused(running.port!, '/chat', { 'Sec-WebSocket-Protocol': 'v1' })).toBe(500);
    expect(heard).toMatchObject([{ status: 500, reason: expect.stringMatching(reason) }]);
    // With the line that failed.
    expect(await warned).toMatchObject([{ name: 'ApplicationError', detail: expect.stringMatching(/.+/) }]);
  });

  test('a process that dies takes those along that were on their way to it', async () => {
    const { child, running } = await directed();
    const heard: GatewayEvents['refused'][] = [];
    running.on('refused', (event) => heard.push(event));
    child.kill('SIGSTOP');
    const peers = await Promise.all(Array.from({ length: 4 }, () => RawPeer.to(running.port!)));
    for (const peer of peers) peer.write(upgradeRequest('/chat'));
    await vi.waitFor(() => expect(child.listenerCount('message')).toBe(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGKILL');
    await Promise.all(peers.map(({ closed }) => closed));
    expect(heard.map(({ status, reason }) => [status, reason])).toEqual(peers.map(() => [0, 'the process has ended']));
    expect(child.listenerCount('message')).toBe(0);
  });

  test('a process that takes nobody within handshakeTimeout is told of', async () => {
    const { child, running } = await directed({ handshakeTimeout: 300 });
    const events: string[] = [];
    running.on('refused', ({ status, reason }) => events.push(`refused ${status} ${reason}`));
    running.on('open', ({ name }) => events.push(`open ${name}`));
    child.kill('SIGSTOP');
    // The first is with the process already, in its queue; the second has not left.
    const [first, second] = [await RawPeer.to(running.port!), await RawPeer.to(running.port!)];
    first.write(upgradeRequest('/chat'));
    await vi.waitFor(() => expect(child.listenerCount('message')).toBe(1));
    second.write(upgradeRequest('/chat'));
    // Both hear of it, though the process still has its descriptor of the first.
    await Promise.all([first.closed, second.closed]);
    await vi.waitFor(() => expect(events).toHaveLength(2));
    expect(new Set(events)).toEqual(new Set(['refused 0 the process did not take it within 300 ms']));
    // Whoever comes when it goes on is served.
    child.kill('SIGCONT');
    const socket = await connect(`${running.url}/chat`);
    await socket.close();
    expect(events).toHaveLength(3);
    expect(events.at(-1)).toBe('open chat');
  });

  test('a process that gets a client and never takes it: the client is dropped', async () => {
    const file = `${folder()}/deaf.cjs`;
    writeFileSync(file, "process.on('message', () => {}); process.send('ready')");
    const child = fork(file);
    cleanUp(() => child.kill('SIGKILL'));
    await once(child, 'message');
    const running = await gateway({ mode: 'direct', processes: { chat: child }, handshakeTimeout: 200 });
    const told = new Promise((resolve) => running.on('refused', resolve));
    const peer = await RawPeer.to(running.port!);
    peer.write(upgradeRequest('/chat'));
    await peer.closed;
    expect(peer.received).toBe('');
    expect(await told).toMatchObject({ status: 0, reason: 'the process did not take it within 200 ms' });
  });

  test('a client that is closed before it has left for the process: the process says so', async () => {
    const http = createHttp().listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanUp(() => http.close());
    const { child, running } = await directed({ server: http });
    const events: string[] = [];
    running.on('refused', ({ status, reason }) => events.push(`refused ${status} ${reason}`));
    running.on('open', ({ connection }) => events.push(`open ${connection}`));
    const sockets: Socket[] = [];
    http.on('connection', (socket) => sockets.push(socket));
    child.kill('SIGSTOP');
    const [first, second] = [await RawPeer.to(running.port!), await RawPeer.to(running.port!)];
    first.write(upgradeRequest('/chat'));
    await vi.waitFor(() => expect(child.listenerCount('message')).toBe(1));
    second.write(upgradeRequest('/chat'));
    const send = vi.spyOn(child, 'send');
    await vi.waitFor(() => expect(send).toHaveBeenCalled());
    sockets[1]!.destroy();
    child.kill('SIGCONT');
    await second.closed;
    await first.until('"name":"chat"');
    await vi.waitFor(() => expect(events).toEqual(['open 1', 'refused 0 the client has gone']));
    first.reset();
  });

  test('two gateways may hand clients to one process', async () => {
    const { child, running } = await directed();
    const other = await gateway({ mode: 'direct', processes: { chat: child } });
    const opened: string[] = [];
    running.on('open', () => opened.push('one'));
    other.on('open', () => opened.push('other'));
    for (const { url } of [running, other, running]) await (await connect(`${url}/chat`)).close();
    expect(opened).toEqual(['one', 'other', 'one']);
  });

  test('a hook that throws is 500, and addresses are looked at', async () => {
    const { running } = await directed({
      authorize: () => {
        throw new Error('a defect');
      },
    });
    expect(await refused(running.port!, '/chat')).toBe(500);
    const odd = await directed({ authorize: () => 'yes' as never });
    expect(await refused(odd.running.port!, '/chat')).toBe(500);
    const other = await directed({ allowedAddresses: ['10.0.0.1'] });
    expect(await refused(other.running.port!, '/chat')).toBe(403);
  });

  test('a handler that throws closes with 1011, and the process goes on', async () => {
    const { running } = await directed();
    const socket = await connect(`${running.url}/chat`);
    socket.resume();
    socket.send('throw');
    expect(await socket.closed).toMatchObject({ code: 1011 });
    const again = await connect(`${running.url}/chat`);
    again.resume();
    again.send('exit');
    expect(await again.closed).toMatchObject({ code: 1006 });
  });

  test('under TLS it is refused with an error that says why', async () => {
    const child = await worker();
    const processes = { chat: child };
    await expect(gateway({ mode: 'direct', processes, tls: local })).rejects.toThrow(/direct.*TLS.*keys stay/);
    const https = createHttps(local) as unknown as UpgradeServer;
    await expect(gateway({ mode: 'direct', processes, server: https })).rejects.toThrow(/TLS/);
  });

  test.each<[Partial<GatewayOptions>, RegExp]>([
    [{ mode: 'direct' }, /needs option 'processes'/],
    [{ mode: 'direct', processes: { a: {} as never } }, /'a' is no process/],
    [{ mode: 'direct', processes: {}, docroot: '/tmp' }, /everybody may write|neither 'docroot'/],
    [{ mode: 'direct', processes: {}, routes: [{ prefix: 'a', port: 1 }] }, /neither 'docroot' nor 'routes'/],
    [{ mode: 'direct', processes: {}, onRequest: () => null }, /no option 'onRequest'; .* answered with 426/],
    [{ mode: 'direct', processes: {}, framing: 'nul' }, /'framing' means nothing in mode 'direct'/],
    [{ mode: 'direct', processes: {}, sendTimeout: 1_000 }, /'sendTimeout' means nothing in mode 'direct'/],
    [{ mode: 'direct', processes: {}, maxConnections: 5 }, /no option 'maxConnections'/],
    [{ mode: 'direct', processes: {}, compression: true }, /no option 'compression'; clients are handed over without/],
    [{ mode: 'direct', processes: {}, pingInterval: 5 }, /no option 'pingInterval'.*adopt/],
    [{ mode: 'direct', processes: {}, signal: AbortSignal.abort(new Error('stopped')) }, /stopped/],
    [{ mode: 'indirect', options: 'direct', processes: {} }, /choose one/],
    [{ options: 'indirect' as never }, /options/],
  ])('%j is refused', async (options, message) => {
    await expect(gateway(options)).rejects.toThrow(message);
  });

  test('it ends when its signal aborts, and may be closed twice', async () => {
    const controller = new AbortController();
    const running = await gateway({ mode: 'direct', processes: {}, signal: controller.signal });
    const { url } = running;
    expect(await refused(running.port!, '/x')).toBe(404);
    controller.abort();
    await expect(connect(`${url}/x`)).rejects.toThrow();
    await Promise.all([running.close(), running.close()]);
  });

  test('a signal that aborts while it begins to listen ends it, and one that does not keeps nothing of it', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    await (await gateway({ mode: 'direct', processes: {}, signal })).close();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const running = gateway({ mode: 'direct', processes: {}, signal });
    controller.abort(new Error('stopped'));
    await expect(running).rejects.toThrow('stopped');
  });

  test('a connection that cannot be accepted is a warning, and the next is taken', async () => {
    const running = await gateway({ mode: 'direct', processes: {} });
    const { http } = (running as unknown as { front: { http: HttpServer } }).front;
    const warned = once(process, 'warning');
    http.emit('error', new Error('no file is left'));
    expect(await warned).toMatchObject([{ message: 'no file is left' }]);
    expect(await refused(running.port!, '/x')).toBe(404);
  });

  test('a client that waits too long for authorize is told of', async () => {
    const running = await gateway({
      mode: 'direct',
      processes: {},
      authorize: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(true))),
      handshakeTimeout: 20,
    });
    const told = new Promise((resolve) => running.on('refused', resolve));
    await expect(connect(`${running.url}/x`)).rejects.toThrow();
    expect(await told).toMatchObject({ status: 0, path: '/x', reason: expect.stringContaining('handshakeTimeout') });
  });

  test('adopt needs a handler and a channel, and leaves other messages alone', () => {
    expect(() => adopt(null as never)).toThrow(/handler/);
    let heard: (message: unknown, handle: unknown) => void = () => {};
    const source = {
      on(_: string, listener: typeof heard) {
        heard = listener;
      },
      off() {},
    };
    expect(() => adopt(() => {}, { nonsense: 1 } as never, source)).toThrow(/nonsense/);
    expect(() => adopt(() => {}, null as never, source)).toThrow(/must be an object/);
    expect(() => adopt(() => {}, { compression: true }, source)).toThrow(/'compression' means nothing here/);
    expect(() => adopt(() => {}, { extensions: [] }, source)).toThrow(/'extensions' means nothing here/);
    expect(() => adopt(() => {}, { internals: 1 } as never, source)).toThrow(/'internals' must be true or false/);
    const undo = adopt(() => {}, {}, source);
    for (const message of [null, undefined, 5, 'x', {}, { type: 'other' }, { type: 'sansocket:hand-over' }])
      heard(message, undefined);
    undo();
  });

  test.each([true, false])(
    'what is adopted is written to by way of its stream, unless internals are: %s',
    async (internals) => {
      let hand: (message: unknown, handle: unknown) => void = () => {};
      const source = {
        on(_: string, listener: typeof hand) {
          hand = listener;
        },
        off() {},
      };
      const listener = createServer();
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      const coming = new Promise<Socket>((resolve) => listener.once('connection', resolve));
      const peer = dial((listener.address() as AddressInfo).port, '127.0.0.1');
      const accepted = await coming;
      const write = vi.spyOn(Socket.prototype, 'write');
      const undo = adopt((socket) => void socket.send('hi'), { internals }, source);
      const request = { method: 'GET', target: '/x', version: '1.1', rawHeaders: ['Host', 'a'] };
      const response = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
      const deadline = Date.now() + 60_000;
      const about = { name: 'x', request, response, subprotocol: '', head: '', remoteAddress: null };
      hand({ type: 'sansocket:hand-over', number: 1, deadline, ...about }, accepted);
      let heard = '';
      for await (const chunk of peer) {
        heard += (chunk as Buffer).toString('latin1');
        if (heard.length >= response.length + 4) break;
      }
      expect(heard).toBe(`${response}\x81\x02hi`);
      // The 101 is written before there is a connection.
      const byStream = write.mock.contexts.filter((each) => (each as unknown) === accepted).length;
      expect(byStream).toBe(internals && directWriteAvailable ? 1 : 2);
      write.mockRestore();
      accepted.destroy();
      undo();
      await new Promise((resolve) => listener.close(resolve));
    },
  );

  test('adopt answers for each client, and takes none that the gateway has given up', () => {
    const answers: unknown[] = [];
    let hand: (message: unknown, handle: unknown) => void = () => {};
    const source = {
      on(_: string, listener: typeof hand) {
        hand = listener;
      },
      off() {},
      send: (message: unknown) => answers.push(message),
    };
    const undo = adopt(() => expect.unreachable(), {}, source);
    const socket = new Socket();
    hand({ type: 'sansocket:hand-over', number: 1, deadline: Date.now() + 60_000 }, undefined);
    hand({ type: 'sansocket:hand-over', number: 2, deadline: Date.now() - 1 }, socket);
    const type = 'sansocket:receipt';
    expect(answers).toEqual([
      { type, number: 1, failure: 'the client has gone' },
      { type, number: 2, failure: 'the process took it too late' },
    ]);
    expect(socket.destroyed).toBe(true);
    undo();
  });

  test('what authorize gives a client along comes with open, and to the process', async () => {
    const { running } = await directed({
      authorize: ({ path }) => (path === '/chat' ? { context: { user: 'ada', since: 7 } } : true),
    });
    const opened = new Promise((resolve) => running.on('open', resolve));
    const socket = await connect(`${running.url}/chat`);
    for await (const { data } of socket) {
      expect(JSON.parse(data as string)).toMatchObject({ name: 'chat', context: { user: 'ada', since: 7 } });
      break;
    }
    expect(await opened).toMatchObject({ context: { user: 'ada', since: 7 } });
    await socket.close();
  });

  test('a context that the channel cannot carry loses its client, and nobody else', async () => {
    const { running } = await directed({
      authorize: ({ target }) => (target === '/chat?big' ? { context: 1n } : true),
    });
    const told: unknown[] = [];
    running.on('refused', ({ status, reason }) => told.push([status, reason]));
    await expect(connect(`${running.url}/chat?big`)).rejects.toThrow();
    await vi.waitFor(() => expect(told).toEqual([[0, expect.stringContaining('BigInt')]]));
    const socket = await connect(`${running.url}/chat`);
    expect((await socket.close()).code).toBe(1000);
  });

  test.each([
    ['a status that is misspelt', { statusCode: 401 }],
    ['a list', [401]],
    ['a text', 'yes'],
  ])('authorize that answers %s lets nobody in', async (_, verdict) => {
    const { running } = await directed({ authorize: () => verdict as never });
    expect(await refused(running.port!, '/chat')).toBe(500);
  });

  test('authorize may do without a subprotocol, and its refusal says something', async () => {
    const { running } = await directed({
      subprotocols: ['v1'],
      authorize: ({ path }) => (path === '/chat' ? { subprotocol: null } : { status: 401 }),
    });
    const socket = await connect(`${running.url}/chat`, { subprotocols: ['v1'] });
    expect(socket.subprotocol).toBe('');
    await socket.close();
    expect(await ask(running.port!, '/other')).toMatch(/^HTTP\/1\.1 401 .*\r\n\r\n[a-z ]+refused[a-z ]*\n$/s);
  });
});
