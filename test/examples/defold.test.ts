import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Callback, Connection, type Data, EVENT_MESSAGE, Websocket } from '../../examples/defold/websocket.ts';
import { connect } from '../../src/client/index.ts';
import { serve, UsageError } from '../../src/server/index.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';
import { runExample, until } from './support.ts';

// It dials as ever, and remembers with what.
vi.mock('../../src/client/index.ts', async (load) => {
  const client = await load<typeof import('../../src/client/index.ts')>();
  return { ...client, connect: vi.fn(client.connect) };
});

const HOST = { host: '127.0.0.1' };
const NAMES = ['CONNECTED', 'DISCONNECTED', 'MESSAGE', 'ERROR'];
const lines: string[] = [];
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  lines.length = 0;
});

interface Told {
  readonly self: unknown;
  readonly conn: Connection;
  readonly data: Data;
}

/** A script that remembers what it is told. */
function script(options: { debug?: 0 | 1 | 2 } = {}) {
  const told: Told[] = [];
  const self = { told };
  const websocket = new Websocket(self, { ...options, log: (line) => lines.push(line) });
  const callback: Callback<typeof self> = (instance, conn, data) => told.push({ self: instance, conn, data });
  const events = () => told.map(({ data }) => NAMES[data.event]);
  return { self, told, websocket, callback, events };
}

async function listening(limit = 16) {
  const server = script();
  expect(await server.websocket.listen(0, limit, 60, server.callback, HOST)).toBe(true);
  closers.push(async () => {
    if (server.websocket.url !== '') await server.websocket.stop_listening();
  });
  return server;
}

describe('row 112: the names of Defold', () => {
  test('rows 15, 27, 28, 30, 31: four events to one callback on each side, with all that belongs to them', async () => {
    const [server, client] = [await listening(), script()];
    const { websocket } = client;
    const conn = websocket.connect(`${server.websocket.url}/game?level=1`, { headers: 'X-A: 1\r\n' }, client.callback);
    expect(conn.state).toBe('STATE_CONNECTING');
    await until(() => client.told.length === 1 && server.told.length === 1);
    expect(conn.state).toBe('STATE_CONNECTED');
    const { port } = server.told[0]!.data;
    const listens = Number(new URL(server.websocket.url).port);
    expect([server.told[0]!.self === server.self, server.told[0]!.data.event]).toEqual([
      true,
      websocket.EVENT_CONNECTED,
    ]);
    // The address is the other end's, and ours is there as well.
    const theirs = { ip_address: '127.0.0.1', port, local_ip_address: '127.0.0.1', local_port: listens };
    const request = { request_method: 'GET', request_resource: '/game?level=1' };
    expect(server.told[0]!.data).toMatchObject({ ...theirs, ...request });
    expect([client.told[0]!.self === client.self, client.told[0]!.conn === conn]).toEqual([true, true]);
    expect(client.told[0]!.data).toMatchObject({
      port: listens,
      local_port: port,
      handshake_response: { status: 101, headers: { upgrade: 'websocket' } },
    });
    expect(client.told[0]!.data.request_method).toBe(undefined);

    websocket.send(conn, 'binary unless told otherwise');
    websocket.send(conn, 'text', { type: websocket.DATA_TYPE_TEXT });
    await until(() => server.told.length === 3);
    const messages = server.told.filter(({ data }) => data.event === EVENT_MESSAGE).map(({ data }) => data.message);
    expect(messages).toEqual([new Uint8Array(Buffer.from('binary unless told otherwise')), 'text']);
    expect(server.told[2]!.data).toMatchObject(request);

    server.websocket.disconnect(server.told[0]!.conn, 3001, 'the reason is not lost');
    await until(() => client.told.length === 2 && server.told.length === 4);
    expect(client.told[1]!.data).toMatchObject({ event: 1, code: 3001, message: 'the reason is not lost' });
    expect(server.told[3]!.data).toMatchObject({ event: websocket.EVENT_DISCONNECTED, code: 3001, ...request });
    expect(conn.state).toBe('STATE_DISCONNECTED');
  });

  test('rows 8, 16, 27, 66: the parameters of connect, their defaults, and the numbers of data types', async () => {
    const server = await listening();
    const { websocket, callback, told } = script();
    const dialled = (params: object) => {
      websocket.disconnect(websocket.connect(server.websocket.url, params, callback));
      return vi.mocked(connect).mock.lastCall![1];
    };
    expect(dialled({})).toMatchObject({ handshakeTimeout: 3_000, headers: '', subprotocols: [] });
    const params = { timeout: 50, headers: 'X-A: 1', protocol: 'v1, v2' };
    expect(dialled(params)).toMatchObject({ handshakeTimeout: 50, headers: 'X-A: 1', subprotocols: ['v1', 'v2'] });
    await until(() => told.length === 2);
    expect([websocket.DATA_TYPE_TEXT, websocket.DATA_TYPE_BINARY]).toEqual([1, 2]);
  });

  test('row 49: what was sent before disconnect arrives, and the Close behind it', async () => {
    const [server, client] = [await listening(), script()];
    const conn = client.websocket.connect(server.websocket.url, {}, (_, each, { event }) => {
      if (event !== client.websocket.EVENT_CONNECTED) return;
      client.websocket.send(each, new Uint8Array(300_000));
      client.websocket.disconnect(each);
      expect(client.websocket.send(each, 'late')).toMatchObject({ success: false, code: 'not-open' });
    });
    await until(() => server.events().length === 3);
    expect(conn).toBeInstanceOf(Connection);
    expect(server.events()).toEqual(['CONNECTED', 'MESSAGE', 'DISCONNECTED']);
    expect(server.told[1]!.data.message).toHaveLength(300_000);
    expect(server.told[2]!.data.code).toBe(1000);
  });

  test('rows 15, 24: a refusal is an error with handshake_response, then the end', async () => {
    const refusing = await serve({
      port: 0,
      ...HOST,
      authorize: () => ({
        status: 401,
        headers: [
          ['__proto__', 'x'],
          ['Via', 'a'],
          ['Via', 'b'],
        ],
        body: 'who are you?',
      }),
    });
    closers.push(() => refusing.close());
    const { websocket, callback, told, events } = script();
    websocket.connect(refusing.url, {}, callback);
    await until(() => told.length === 2);
    expect(events()).toEqual(['ERROR', 'DISCONNECTED']);
    const { status, headers, response } = told[0]!.data.handshake_response!;
    expect([status, response, headers['via'], Object.keys(headers).includes('__proto__')]).toEqual([
      401,
      'who are you?',
      'a, b',
      true,
    ]);
    expect(told[1]!.data.code).toBe(1006);
  });

  test('nobody there, a server that says nothing, an odd URL, odd headers: each is an error, then the end', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await until(() => silent.listening);
    const { port } = silent.address() as { port: number };
    closers.push(async () => silent.close());
    for (const [url, params, why] of [
      ['ws://127.0.0.1:1', {}, /no connection could be made/],
      [`ws://127.0.0.1:${port}`, { timeout: 50 }, /longer than handshakeTimeout/],
      ['ftp://127.0.0.1', {}, /ftp/],
      [`ws://127.0.0.1:${port}`, { headers: 'A: 1\r\n\r\nGET /admin HTTP/1.1' }, /headers/],
    ] as const) {
      const { websocket, callback, told, events } = script();
      const conn = websocket.connect(url, params, callback);
      await until(() => told.length === 2);
      expect([events(), conn.state]).toEqual([['ERROR', 'DISCONNECTED'], 'STATE_DISCONNECTED']);
      expect(told[0]!.data.message).toMatch(why);
    }
  });

  test('an attempt can be ended; that is no error', async () => {
    const [server, client] = [await listening(), script()];
    const conn = client.websocket.connect(server.websocket.url, {}, client.callback);
    expect(client.websocket.send(conn, 'early')).toMatchObject({ success: false, code: 'not-open' });
    client.websocket.disconnect(conn);
    await until(() => client.told.length === 1);
    expect(client.events()).toEqual(['DISCONNECTED']);
  });

  test('a peer that vanishes is an error, then 1006', async () => {
    const [server] = [await listening()];
    const peer = await RawPeer.to(Number(new URL(server.websocket.url).port));
    // Firefox sends two tokens, which the fork refuses.
    peer.write(upgradeRequest('/', { Connection: 'keep-alive, Upgrade' }));
    await until(() => server.told.length === 1);
    peer.reset();
    await until(() => server.told.length === 3);
    expect(server.events()).toEqual(['CONNECTED', 'ERROR', 'DISCONNECTED']);
    expect(server.told[2]!.data).toMatchObject({ code: 1006, ip_address: '127.0.0.1' });
  });

  test('rows 52, 53, 65: listen has a limit and a result; two scripts listen at once', async () => {
    const [server, other] = [await listening(1), await listening()];
    const port = Number(new URL(server.websocket.url).port);
    await expect(server.websocket.listen(0, 1, 1, server.callback, HOST)).rejects.toThrow('listens already');
    const late = script();
    expect(await late.websocket.listen(port, 1, 1, late.callback, HOST)).toBe(false);
    expect(lines.at(-1)).toMatch(/^cannot listen: .*EADDRINUSE/);
    await expect(late.websocket.stop_listening()).rejects.toThrow('does not listen');
    await expect(late.websocket.listen(0, 1.5, 1, late.callback, HOST)).rejects.toThrow('maxConnections');
    // Seconds.
    await expect(late.websocket.listen(0, 1, -1, late.callback, HOST)).rejects.toThrow(/handshakeTimeout.* not -1000/);
    expect(await late.websocket.listen(0, 1, 1, late.callback, HOST)).toBe(true);
    closers.push(() => late.websocket.stop_listening());

    // Outgoing connections do not count.
    server.websocket.connect(other.websocket.url, {}, server.callback);
    const client = script();
    client.websocket.connect(server.websocket.url, {}, client.callback);
    await until(() => client.events().includes('CONNECTED'));
    client.websocket.connect(server.websocket.url, {}, client.callback);
    await until(() => client.told.length === 3);
    expect(client.told[1]!.data.handshake_response!.status).toBe(503);
  });

  test('row 54: stop_listening tells every connection, and it can listen again', async () => {
    const [server, client] = [await listening(), script()];
    client.websocket.connect(server.websocket.url, {}, client.callback);
    await until(() => server.told.length === 1 && client.told.length === 1);
    await server.websocket.stop_listening();
    await until(() => server.told.length === 2 && client.told.length === 2);
    expect([server.told[1]!.data.code, client.told[1]!.data.code]).toEqual([1001, 1001]);
    expect(await server.websocket.listen(0, 1, 1, server.callback, HOST)).toBe(true);
  });

  test('a callback that throws or rejects is printed, and the connection goes on', async () => {
    const [server, client] = [await listening(), script()];
    let calls = 0;
    const conn = client.websocket.connect(server.websocket.url, {}, async () => {
      if (calls++ === 0) throw new Error('later');
    });
    await until(() => server.told.length === 1);
    for (const { conn: each } of server.told) server.websocket.send(each, 'one');
    await until(() => calls === 2);
    expect([conn.state, lines]).toEqual(['STATE_CONNECTED', ['a callback failed: Error: later']]);
    const failing = script();
    failing.websocket.connect('ws://127.0.0.1:1', {}, () => {
      throw new Error('at once');
    });
    await until(() => lines.length === 3);
    expect(lines.slice(1)).toEqual(['a callback failed: Error: at once', 'a callback failed: Error: at once']);
  });

  test('what is no argument is a UsageError', async () => {
    const { websocket, callback } = script();
    const conn = new Connection();
    expect(() => websocket.send({} as Connection, 'x')).toThrow(UsageError);
    expect(() => websocket.disconnect(null as never)).toThrow('the first argument must be a connection');
    expect(() => websocket.send(conn, 'x', { type: 7 })).toThrow('DATA_TYPE_BINARY or DATA_TYPE_TEXT');
    expect(() => websocket.connect('ws://a', { time: 1 } as never, callback)).toThrow("there is no 'time'");
    expect(() => websocket.connect('ws://a', {}, undefined as never)).toThrow('the callback must be a function');
  });

  test('rows 33, 109: debug 1 prints the states by their names, 2 the frames too, and no credentials', async () => {
    const server = await listening();
    for (const debug of [1, 2] as const) {
      lines.length = 0;
      const { websocket, callback, told } = script({ debug });
      const conn = websocket.connect(server.websocket.url, { headers: 'Authorization: Basic c2VjcmV0' }, callback);
      await until(() => told.length === 1);
      websocket.send(conn, 'seen on the wire', { type: websocket.DATA_TYPE_TEXT });
      websocket.disconnect(conn);
      await until(() => conn.state === 'STATE_DISCONNECTED');
      expect(lines.filter((line) => line.includes('->'))).toEqual([
        'STATE_CONNECTING -> STATE_CONNECTED',
        'STATE_CONNECTED -> STATE_DISCONNECTING',
        'STATE_DISCONNECTING -> STATE_DISCONNECTED',
      ]);
      const all = lines.join('\n');
      expect([all.includes('seen on the wire'), all.includes('c2VjcmV0')]).toEqual([debug === 2, false]);
    }
  });
});

test('row 112: npx tsx examples/defold/main.ts shows both sides', async () => {
  const example = runExample('defold/main.ts');
  expect(await example.ended).toBe(0);
  const printed = example.printed.split('\n').filter((line) => line !== '');
  expect(printed.filter((line) => line.startsWith('client'))).toEqual([
    'client: connected to 127.0.0.1',
    "client: received 'you said hello'",
    'client: disconnected, code 1000',
  ]);
  expect(printed.filter((line) => line.startsWith('server'))).toEqual([
    'server: connected to 127.0.0.1',
    "server: received 'hello'",
    'server: disconnected, code 1000',
  ]);
  const peer = await serve({ port: 0, ...HOST, authorize: () => false });
  const refused = runExample('defold/main.ts', peer.url);
  expect(await refused.ended).toBe(0);
  expect(refused.printed).toMatch(/client: error: .*\(403: .*\)\nclient: disconnected, code 1006\n/);
  await peer.close();
});

test('a plain request gets an answer', async () => {
  const server = await listening();
  const peer = await RawPeer.to(Number(new URL(server.websocket.url).port));
  peer.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await peer.closed;
  expect(statusOf(peer.received)).toBe(426);
});
