import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readClient, readServer } from '../../examples/ix/options.ts';
import { Plugin } from '../../examples/ix/plugin.ts';
import { connect, ReconnectingClient } from '../../src/client/index.ts';
import { serve } from '../../src/server/index.ts';
import { authority, local, other } from '../support/certificates.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';
import { runExample, until } from './support.ts';

const NAMES = ['Message', 'Open', 'Close', 'Error', 'Ping', 'Pong', 'Fragment'];
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A plugin whose method remembers what it is told, and a server of it. */
async function started(options: Parameters<Plugin['Websocket_server_start']>[0] | object = {}) {
  const ix = new Plugin();
  const told: { name: string; id: number; json: Record<string, unknown> }[] = [];
  ix.Websocket_SET_METHOD((type, id, json) => {
    told.push({ name: NAMES[type]!, id, json: JSON.parse(json) });
  });
  const server = ix.Websocket_server({ port: 0, ...options });
  const status = await ix.Websocket_server_start(server);
  expect(status.success).toBe(true);
  closers.push(() => ix.Websocket_server_clear(server));
  const client = async (path = '/', more: object = {}) => {
    const named = ix.Websocket_client({ URL: status.uri + path, ...more });
    closers.push(() => ix.Websocket_client_clear(named));
    expect(await ix.Websocket_client_start(named)).toMatchObject({ success: true });
    return named;
  };
  const of = (id: number, name?: string) =>
    told.filter((each) => each.id === id && (name === undefined || each.name === name));
  return { ix, told, of, server, status, client };
}

describe('row 112: the names of the 4D plugin', () => {
  test('rows 27, 28, 29: ids, and one method for all', async () => {
    const ix = new Plugin();
    expect([
      ix.Websocket_Get_method(),
      ix.Websocket_client({ URL: 'ws://a' }),
      ix.Websocket_client({ URL: 'ws://b' }),
    ]).toEqual([null, { id: 1 }, { id: 2 }]);
    expect([ix.Websocket_server(), ix.Websocket_server({ port: 0 })]).toEqual([{ id: -1 }, { id: -2 }]);
    expect(await ix.Websocket_client_clear({ id: 1 })).toEqual({ success: true });
    expect([ix.Websocket_client({ URL: 'ws://c' }), ix.Websocket_client({ id: 7 })]).toEqual([{ id: 1 }, null]);
    expect(await ix.Websocket_server_clear({ id: -1 })).toEqual({ success: true });
    expect(ix.Websocket_server()).toEqual({ id: -1 });
    const method = () => {};
    ix.Websocket_SET_METHOD(method);
    expect(ix.Websocket_Get_method()).toBe(method);
    expect(() => ix.Websocket_SET_METHOD('CB' as never)).toThrow('must be a function');
  });

  test('rows 21, 22, 23, 25, 26, 27: the seven events with their numbers, and what is in each', async () => {
    const { ix, of, server, status, client } = await started();
    const named = await client('/room?a=1', { headers: { 'X-User': 'ada' } });
    const { id } = named;
    expect(ix.Websocket_client_send({ id, message: 'é' })).toEqual({
      success: true,
      compressionError: false,
      payloadSize: 2,
      wireSize: 8,
    });
    ix.Websocket_client_send({ id, message: Uint8Array.of(0xff, 0) });
    await until(() => of(server.id, 'Message').length === 2);
    expect(of(server.id, 'Open')[0]!.json).toMatchObject({
      uri: '/room?a=1',
      headers: { 'X-User': 'ada' },
      remoteIp: '127.0.0.1',
    });
    expect(of(id, 'Open')[0]!.json).toMatchObject({
      uri: '/room?a=1',
      headers: { Upgrade: 'websocket' },
      protocol: '',
    });
    const [text, binary] = of(server.id, 'Message').map(({ json }) => json);
    expect(text).toMatchObject({ str: 'é', binary: false, wireSize: 8, uri: '/room?a=1' });
    expect(binary).toMatchObject({ str: '', base64: '/wA=', binary: true });
    expect(text!['client']).toBe(`ws://127.0.0.1:${text!['remotePort']}`);
    expect(await ix.Websocket_client_stop({ id, reason: 'done' })).toMatchObject({ readyState: 'closed' });
    await until(() => of(server.id, 'Close').length === 1);
    expect(of(server.id, 'Close')[0]!.json).toMatchObject({
      code: 1000,
      reason: 'done',
      remote: true,
      uri: '/room?a=1',
    });
    expect(of(id, 'Close')[0]!.json).toEqual({ code: 1000, reason: 'done', remote: false });

    // The rest, from a peer that sends frames of its own.
    const peer = await RawPeer.to(status.port);
    peer.write(upgradeRequest('/raw'));
    await peer.until('\r\n\r\n');
    const frame = (first: number, payload: string) =>
      Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
    peer.write(
      Buffer.concat([frame(0x89, 'p'), frame(0x8a, 'q'), frame(0x01, 'ab'), frame(0x80, 'c'), frame(0x83, '')]),
    );
    await peer.closed;
    const ofRaw = () => of(server.id).filter(({ json }) => json['uri'] === '/raw');
    await until(() => ofRaw().some(({ name }) => name === 'Close'));
    const raw = ofRaw();
    expect(raw.map(({ name }) => name)).toEqual(['Open', 'Ping', 'Pong', 'Fragment', 'Message', 'Error', 'Close']);
    expect(raw[1]!.json).toMatchObject({ base64: 'cA==' });
    expect(raw[3]!.json).toMatchObject({ binary: false, received: 2, total: null });
    expect(raw[4]!.json).toMatchObject({ str: 'abc' });
    expect(raw[5]!.json).toMatchObject({ retries: 0, wait_time: 0, reason: expect.stringContaining('opcode') });
  });

  test('rows 21, 42, 79: what was agreed on is in Open on both sides, and what is known of a client in its info', async () => {
    const { ix, of, server, client } = await started({ enablePerMessageDeflate: true });
    const named = await client('/x', {
      enablePerMessageDeflate: true,
      pingInterval: 7,
      maxWaitBetweenReconnectionRetries: 900,
    });
    await until(() => of(server.id, 'Open').length === 1);
    for (const { id } of [named, server]) {
      expect(of(id, 'Open')[0]!.json).toMatchObject({
        uri: '/x',
        protocol: '',
        extensions: expect.stringContaining('permessage-deflate'),
      });
    }
    const { URL } = ix.Websocket_client(named)!;
    expect(URL).toMatch(/^ws:.*\/x$/);
    const sent = ix.Websocket_client_send({ ...named, message: new Uint8Array(500_000) });
    expect(ix.Websocket_client(named)).toEqual({
      readyState: 'open',
      URL,
      perMessageDeflateOptionsEnabled: true,
      pingInterval: 7,
      bufferedAmount: sent.wireSize,
      automaticReconnectionEnabled: true,
      maxWaitBetweenReconnectionRetries: 900,
    });
  });

  test('rows 24, 83: a compressed message that cannot be read is an Error that says so, and no Message', async () => {
    const { of, server, status } = await started({ enablePerMessageDeflate: true });
    const peer = await RawPeer.to(status.port);
    peer.write(upgradeRequest('/', { 'Sec-WebSocket-Extensions': 'permessage-deflate' }));
    await peer.until('\r\n\r\n');
    peer.write(Uint8Array.of(0xc1, 0x81, 0, 0, 0, 0, 0xff));
    await peer.closed;
    await until(() => of(server.id, 'Close').length === 1);
    expect(of(server.id).map(({ name }) => name)).toEqual(['Open', 'Error', 'Close']);
    expect(of(server.id, 'Error')[0]!.json).toMatchObject({ decompressionError: true, retries: 0, wait_time: 0 });
  });

  test('rows 37, 41: the status of a start that fails, the event, and another attempt', async () => {
    const refusing = await serve({ port: 0, host: '127.0.0.1', authorize: () => ({ status: 500 }) });
    closers.push(() => refusing.close());
    const { ix, of } = await started();
    const named = ix.Websocket_client({ URL: `${refusing.url}/x`, maxWaitBetweenReconnectionRetries: 5 });
    closers.push(() => ix.Websocket_client_clear(named));
    const status = await ix.Websocket_client_start({ ...named, timeout: 5 });
    expect(status).toMatchObject({
      success: false,
      http_status: 500,
      uri: '/x',
      errorStr: expect.stringContaining('101'),
    });
    await until(() => of(named.id, 'Error').length >= 2);
    const [first, second] = of(named.id, 'Error').map(({ json }) => json);
    expect([first!['retries'], second!['retries'], first!['http_status']]).toEqual([1, 2, 500]);
    expect(first!['wait_time']).toBeLessThanOrEqual(5);
    expect(first!['decompressionError']).toBe(false);
    expect(ix.Websocket_client(named)).toMatchObject({ readyState: 'connecting', automaticReconnectionEnabled: true });
  });

  test('rows 36, 38, 40: no reconnection after a stop; it starts again, with other options', async () => {
    const { ix, of, server, client } = await started();
    const { id } = await client('/one', { enableAutomaticReconnection: false });
    expect(await ix.Websocket_client_stop({ id })).toMatchObject({
      readyState: 'closed',
      automaticReconnectionEnabled: false,
      perMessageDeflateOptionsEnabled: false,
      pingInterval: 25,
      bufferedAmount: 0,
    });
    expect(ix.Websocket_client_send({ id, message: 'x' })).toEqual({
      success: false,
      compressionError: false,
      payloadSize: 0,
      wireSize: 0,
    });
    const URL = ix.Websocket_client({ id })!.URL.replace('/one', '/two');
    const again = { id, URL, pingInterval: -1, enablePerMessageDeflate: true };
    expect(await ix.Websocket_client_start(again)).toMatchObject({ success: true, uri: '/two' });
    expect(ix.Websocket_client({ id })).toMatchObject({ pingInterval: -1, perMessageDeflateOptionsEnabled: true });
    await expect(ix.Websocket_client_start({ id, pingInterval: 1 })).rejects.toThrow(
      'stop it before its options change',
    );
    expect(of(server.id, 'Open').map(({ json }) => json['uri'])).toEqual(['/one', '/two']);
  });

  test('rows 16, 48, 54: what is not said is 30 seconds for a start, and 1000 "Normal closure" for a stop', async () => {
    const configure = vi.spyOn(ReconnectingClient.prototype, 'configure');
    closers.push(async () => configure.mockRestore());
    const { ix, of, server, client } = await started();
    const normal = { code: 1000, reason: 'Normal closure', remote: true };
    const first = await client();
    expect(configure).toHaveBeenLastCalledWith(expect.objectContaining({ handshakeTimeout: 30_000 }));
    await ix.Websocket_client_stop(first);
    await until(() => of(server.id, 'Close').length === 1);
    expect(of(server.id, 'Close')[0]!.json).toMatchObject(normal);
    const second = await client('/', { enableAutomaticReconnection: false });
    await ix.Websocket_server_stop(server);
    await until(() => of(second.id, 'Close').length === 1);
    expect(of(second.id, 'Close')[0]!.json).toEqual(normal);
  });

  test('rows 56, 57, 58, 59: server send to all, to a path, to one; who is connected', async () => {
    const { ix, of, server, client } = await started();
    const [a, b, c] = [await client('/x'), await client('/x'), await client('/y')];
    await until(() => ix.Websocket_server(server)!.clients.length === 3);
    const { clients } = ix.Websocket_server(server)!;
    expect(clients.map(({ uri }) => uri)).toEqual(['/x', '/x', '/y']);
    const send = (uri?: string | string[]) =>
      ix.Websocket_server_send({ ...server, message: 'm', ...(uri === undefined ? {} : { uri }) }).statuses;
    expect(send().length).toBe(3);
    expect(send('').length).toBe(3);
    expect(send('/x').map((each) => [each.uri, each.success, each.payloadSize, each.wireSize])).toEqual([
      ['/x', true, 1, 3],
      ['/x', true, 1, 3],
    ]);
    expect(send(['/y', clients[0]!.client]).map((each) => each.client)).toEqual([
      clients[0]!.client,
      clients[2]!.client,
    ]);
    expect(send('/z')).toEqual([]);
    await until(() => of(c.id, 'Message').length === 3);
    await until(() => of(a.id, 'Message').length === 4);
    await until(() => of(b.id, 'Message').length === 3);
  });

  test('rows 53, 54, 65: a server stops with a code, starts again, and says why it cannot', async () => {
    const { ix, of, server, status, client } = await started();
    expect(status).toMatchObject({ uri: `ws://127.0.0.1:${status.port}` });
    const { id } = await client('/', { enableAutomaticReconnection: false });
    await ix.Websocket_server_stop({ ...server, code: 1012, reason: 'restart' });
    await until(() => of(id, 'Close').length === 1);
    expect(of(id, 'Close')[0]!.json).toMatchObject({ code: 1012, reason: 'restart', remote: true });
    const both = await Promise.all([ix.Websocket_server_start(server), ix.Websocket_server_start(server)]);
    expect(both.map(({ success }) => success)).toEqual([true, false]);
    const other = ix.Websocket_server({ port: both[0].port });
    expect(await ix.Websocket_server_start(other)).toMatchObject({
      success: false,
      errorStr: expect.stringContaining('EADDRINUSE'),
    });
    // Cleared while it is about to listen: nothing is left behind.
    const brief = ix.Websocket_server({ port: 0 });
    const starting = ix.Websocket_server_start(brief);
    await ix.Websocket_server_clear(brief);
    expect(await starting).toMatchObject({ success: false, errorStr: 'it was cleared meanwhile' });
    await expect(ix.Websocket_server_start({ ...other, port: 1 })).rejects.toThrow("'port' is fixed");
    expect(await ix.Websocket_server_start({ id: -9 })).toMatchObject({
      success: false,
      errorStr: 'there is no server -9',
    });
    expect(await ix.Websocket_client_start({ id: 99 })).toMatchObject({
      success: false,
      errorStr: 'there is no client 99',
    });
  });

  test('row 8: the commands that the plugin lacks: subprotocols, and the parameters of compression', async () => {
    const peer = await serve({ port: 0, host: '127.0.0.1', subprotocols: ['v2'], compression: true });
    closers.push(() => peer.close());
    const ix = new Plugin();
    const named = ix.Websocket_client({
      URL: peer.url,
      subProtocols: ['v1', 'v2'],
      enablePerMessageDeflate: true,
      perMessageDeflateOptions: { clientNoContextTakeover: true },
    });
    closers.push(() => ix.Websocket_client_clear(named));
    const status = await ix.Websocket_client_start(named);
    expect([status.protocol, status.headers]).toEqual([
      'v2',
      expect.objectContaining({ 'Sec-WebSocket-Extensions': expect.stringContaining('client_no_context_takeover') }),
    ]);
  });

  test('rows 85, 86, 88, 90: options of TLS count with or without tls; what contradicts itself is an error', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ix-'));
    closers.push(async () => rmSync(folder, { recursive: true }));
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    writeFileSync(certFile, local.cert);
    writeFileSync(keyFile, local.key);
    const { ix, status } = await started({ certFile, keyFile });
    expect(status.uri).toMatch(/^wss:/);
    for (const [options, success] of [
      [{ caFile: 'NONE' }, true],
      [{ caFile: authority }, true],
      [{ caFile: authority, disableHostnameValidation: true, tls: true }, true],
      [{}, false],
    ] as const) {
      const named = ix.Websocket_client({ URL: status.uri, enableAutomaticReconnection: false, ...options });
      expect(await ix.Websocket_client_start(named)).toMatchObject({ success });
      await ix.Websocket_client_clear(named);
    }
    // A certificate of another host, of an authority that is trusted or not.
    const wrong = await serve({ port: 0, host: '127.0.0.1', tls: other });
    closers.push(() => wrong.close());
    for (const [options, success] of [
      [{ caFile: authority }, false],
      [{ caFile: authority, disableHostnameValidation: false }, false],
      [{ caFile: authority, disableHostnameValidation: true }, true],
      [{ disableHostnameValidation: true }, false],
    ] as const) {
      const named = ix.Websocket_client({ URL: wrong.url, enableAutomaticReconnection: false, ...options });
      expect(await ix.Websocket_client_start(named)).toMatchObject({ success });
      await ix.Websocket_client_clear(named);
    }
    expect(() => ix.Websocket_server({ tls: true })).toThrow('certFile and keyFile');
    expect(() => ix.Websocket_server({ tls: false, certFile, keyFile })).toThrow('choose one');
    expect(() => ix.Websocket_client({ URL: 'ws://a', tls: true })).toThrow(
      "option 'tls' is true, and the URL says otherwise",
    );
    expect(() => ix.Websocket_client({ URL: 'ws://a', caFile: 'NONE' })).toThrow("'tls' means nothing");
    const missing = ix.Websocket_server({ port: 0, certFile: join(folder, 'none'), keyFile });
    await expect(ix.Websocket_server_start(missing)).rejects.toThrow('none');
  });
});

test('rows 39, 43, 45, 51, 52: every option has its place here', () => {
  const base = { URL: 'ws://a/' };
  expect(readClient(base, 30)).toEqual({
    headers: {},
    subprotocols: [],
    handshakeTimeout: 30_000,
    reconnect: { firstWait: 100, growth: 2, maxWait: 10_000, minWait: 1 },
    queue: null,
    autoPong: true,
    compression: false,
    progress: true,
  });
  const waits = { maxWaitBetweenReconnectionRetries: 500, minWaitBetweenReconnectionRetries: 50 };
  expect(readClient({ ...base, ...waits, pingInterval: 45, enablePong: false }, 1)).toMatchObject({
    reconnect: { maxWait: 500, minWait: 50 },
    pingInterval: 45_000,
    autoPong: false,
    handshakeTimeout: 1_000,
  });
  expect(readServer({})).toMatchObject({
    port: 8080,
    host: '127.0.0.1',
    family: 4,
    backlog: 5,
    maxConnections: 128,
    handshakeTimeout: 3_000,
  });
  expect(readServer({ addressFamily: 10, pingInterval: -1 })).toMatchObject({
    host: '::1',
    family: 6,
    pingInterval: null,
  });
  expect(() => readServer({ addressFamily: 3 })).toThrow('AF_INET6');
  const ix = new Plugin();
  expect(() => ix.Websocket_client({ ...base, pingInterval: '5' } as never)).toThrow(
    "'pingInterval' must be of type number",
  );
  expect(() => ix.Websocket_client({ ...base, pingIntervall: 5 } as never)).toThrow(
    "there is no option 'pingIntervall'",
  );
  expect(() => ix.Websocket_client({} as never)).toThrow();
  expect(() => ix.Websocket_client(null as never)).toThrow('must be an object');
  expect(() => ix.Websocket_server({ constructor: 1 } as never)).toThrow("there is no option 'constructor'");
});

test('a method that throws closes the connection that it was told of, and no other', async () => {
  const { ix, of, server, client } = await started();
  const [a, b] = [await client('/a', { enableAutomaticReconnection: false }), await client('/b')];
  const method = ix.Websocket_Get_method()!;
  ix.Websocket_SET_METHOD((type, id, json) => {
    method(type, id, json);
    if (id === server.id && type === 0) throw new Error('oops');
  });
  ix.Websocket_client_send({ ...a, message: 'x' });
  await until(() => of(a.id, 'Close').length === 1);
  expect(of(a.id, 'Close')[0]!.json).toMatchObject({ code: 1011, remote: true });
  expect(ix.Websocket_client(b)).toMatchObject({ readyState: 'open' });
});

test('row 52: over maxConnections it is 503', async () => {
  const { status, client } = await started({ maxConnections: 1 });
  await client();
  await expect(connect(status.uri)).rejects.toMatchObject({ status: 503 });
});

test('row 112: npx tsx examples/ix/main.ts shows every status', async () => {
  const example = runExample('ix/main.ts');
  expect(await example.ended).toBe(0);
  for (const text of [
    'Open(1) of client 1: {"uri":"/room"',
    'Message(0) of server -1: {"str":"hello"',
    'Message(0) of client 1: {"str":"heard hello"',
    'Close(2) of server -1: {"code":1000,"reason":"done","remote":true',
    'http_status: 101',
    'clients 1',
    'clear { success: true } { success: true }',
  ]) {
    expect(example.printed).toContain(text);
  }
});
