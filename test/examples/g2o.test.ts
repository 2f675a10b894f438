import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type G2o, loadModule } from '../../examples/g2o/module.ts';
import script from '../../examples/g2o/script.ts';
import { parseConfig, readConfig } from '../../src/cli/config.ts';
import { connect } from '../../src/client/index.ts';
import { local } from '../support/certificates.ts';
import { exampleFile, run, runExample, until } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'g2o-'));
const games: G2o[] = [];
const lines: string[] = [];

afterEach(async () => {
  for (const game of games.splice(0)) await game.stop();
  lines.length = 0;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load(config: object, log: ((line: string) => void) | null = (line) => lines.push(line)): Promise<G2o> {
  const file = parseConfig({ port: 0, whitelist: ['127.0.0.1'], ...config }, join(folder, 'g2ows.json'));
  const game = await loadModule(file, log, '127.0.0.1');
  games.push(game);
  return game;
}

async function guest(game: G2o, path = '/') {
  const got: unknown[] = [];
  const socket = await connect(game.url + path, {
    on: { message: ({ data }) => got.push(data) },
    ...(game.url.startsWith('wss') ? { tls: { ca: 'NONE' } } : {}),
  });
  return { socket, got, id: `ws://127.0.0.1:${socket.localPort}` };
}

describe('row 112: the names of G2O', () => {
  test('rows 21, 22, 29: its three events, with the url of the client, the request and the end', async () => {
    const game = await load({});
    const told: unknown[] = [];
    game.addEventHandler('onWebsocketConnect', (url: string, { target }: { target: string }) =>
      told.push([url, target]),
    );
    game.addEventHandler('onWebsocketMessage', (url: string, message: unknown) => told.push([url, message]));
    game.addEventHandler('onWebsocketClose', (url: string, { code }: { code: number }) =>
      told.push(['close', url, code]),
    );
    game.addEventHandler('onWebsocketDisconnect', (url: string) => told.push(['disconnect', url]));
    const { socket, id } = await guest(game, '/rcon?key=1');
    socket.send('text');
    socket.send(Uint8Array.of(0xff, 0));
    await socket.close(3000, 'bye');
    await until(() => told.length === 5);
    expect(told).toEqual([
      [id, '/rcon?key=1'],
      [id, 'text'],
      [id, Uint8Array.of(0xff, 0)],
      ['close', id, 3000],
      ['disconnect', id],
    ]);
  });

  test('rows 57, 59, 60: websocket_send, sendBinary, sendtoall, close', async () => {
    const game = await load({});
    const [a, b] = [await guest(game), await guest(game)];
    expect(game.websocket_send(a.id, 'one')).toMatchObject({ success: true, payloadSize: 3 });
    expect(game.websocket_sendBinary(a.id, 'two')).toMatchObject({ success: true });
    expect(game.websocket_sendtoall('all').map(({ result }) => result.success)).toEqual([true, true]);
    await until(() => a.got.length === 3 && b.got.length === 1);
    expect([a.got, b.got]).toEqual([['one', new Uint8Array(Buffer.from('two')), 'all'], ['all']]);
    expect(await game.websocket_close(b.id, 'enough')).toMatchObject({ code: 1000, clean: true });
    expect(await b.socket.closed).toMatchObject({ code: 1000, reason: 'enough' });
    // The module throws; here a client that is gone is a result.
    expect(game.websocket_send(b.id, 'late')).toMatchObject({ success: false, code: 'not-open' });
    expect(await game.websocket_close('ws://192.0.2.1:1')).toBe(null);
  });

  test('row 66: with sendBinary everything that is sent is binary', async () => {
    const game = await load({ sendBinary: true });
    const { got, id } = await guest(game);
    game.websocket_send(id, 'é');
    game.websocket_sendtoall('x');
    await until(() => got.length === 2);
    expect(got).toEqual([new Uint8Array(Buffer.from('é')), new Uint8Array(Buffer.from('x'))]);
  });

  test('row 55: who is not on the whitelist is refused before the handshake, and raises no event', async () => {
    const game = await load({ whitelist: [] });
    const told: unknown[] = [];
    for (const event of ['onWebsocketConnect', 'onWebsocketMessage', 'onWebsocketClose', 'onWebsocketDisconnect']) {
      game.addEventHandler(event, () => told.push(event));
    }
    await expect(guest(game)).rejects.toMatchObject({ status: 403 });
    await until(() => lines.some((line) => line.startsWith('refused 127.0.0.1 with 403')));
    expect(lines).toContain('the whitelist is empty: nobody may connect');
    expect(told).toEqual([]);
  });

  test('row 29: under TLS a client is wss://', async () => {
    writeFileSync(join(folder, 'cert.pem'), local.cert);
    writeFileSync(join(folder, 'key.pem'), local.key);
    const tls = {
      enabled: true,
      certFile: 'cert.pem',
      keyFile: 'key.pem',
      caFile: 'NONE',
      disableHostnameValidation: true,
    };
    const game = await load({ tls });
    const urls: string[] = [];
    game.addEventHandler('onWebsocketConnect', (url: string) => urls.push(url));
    const { id } = await guest(game);
    await until(() => urls.length === 1);
    expect(urls).toEqual([id.replace('ws:', 'wss:')]);
  });

  test('a handler that throws or rejects costs nobody anything, and one can be removed', async () => {
    const game = await load({});
    const told: number[] = [];
    const removed = () => told.push(1);
    game.addEventHandler('onTime', removed);
    game.addEventHandler('onTime', () => {
      throw new Error('oops');
    });
    game.addEventHandler('onTime', async () => {
      throw new Error('later');
    });
    game.addEventHandler('onTime', () => told.push(2));
    game.removeEventHandler('onTime', removed);
    game.callEvent('onTime', 1, 8, 0);
    game.callEvent('onNothing');
    await new Promise(setImmediate);
    expect(told).toEqual([2]);
    expect(lines.slice(1)).toEqual([
      'a handler of onTime failed: Error: oops',
      'a handler of onTime failed: Error: later',
    ]);
    game.addEventHandler('onWebsocketMessage', () => {
      throw new Error('in a message');
    });
    const { socket } = await guest(game);
    socket.send('x');
    expect(await socket.ping()).toBeGreaterThanOrEqual(0);
    expect(lines.at(-1)).toBe('a handler of onWebsocketMessage failed: Error: in a message');
  });

  test("row 110: a log of one's own, or silence", async () => {
    const game = await load({});
    expect(lines).toEqual([`WebSocket server started at ${game.url}`]);
    await games.pop()!.stop();
    expect(lines.at(-1)).toBe('WebSocket server stopped');
    lines.length = 0;
    const silent = await load({}, null);
    silent.addEventHandler('onTime', () => {
      throw new Error('unheard');
    });
    silent.callEvent('onTime');
    expect(lines).toEqual([]);
  });

  test('row 54: stopping closes everybody with 1000, and a port that is taken is an error', async () => {
    const game = await load({});
    await expect(load({ port: Number(new URL(game.url).port) })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const { socket } = await guest(game);
    await game.stop();
    expect(await socket.closed).toMatchObject({ code: 1000, reason: 'Server shutdown', clean: true });
  });
});

test('row 107: the file of the example is valid, its port is that of the client', () => {
  const config = readConfig(exampleFile('g2o/g2ows.json'));
  expect(config).toEqual({ port: 8080, sendBinary: false, whitelist: ['127.0.0.1', '::1'], tls: null });
  expect(readFileSync(exampleFile('g2o/client.py'), 'utf8')).toContain(`"ws://localhost:${config.port}"`);
});

test('row 112: the script greets, relays, and tells the time', async () => {
  const game = await load({});
  script(game);
  const [a, b] = [await guest(game, '/a'), await guest(game, '/b')];
  await until(() => a.got.length === 1 && b.got.length === 1);
  a.socket.send('hi');
  await until(() => b.got.length === 2);
  game.callEvent('onTime', 1, 9, 5);
  await until(() => b.got.length === 3);
  b.socket.send('quit');
  expect(await b.socket.closed).toMatchObject({ code: 1000, reason: 'as you wish' });
  await until(() => a.got.length === 4);
  expect(a.got).toEqual([
    `Hello! You are ${a.id}, and came for /a`,
    `${a.id} says hi`,
    'Current time: 1 / 9:05',
    `${b.id} left`,
  ]);
});

describe('row 112: npx tsx examples/g2o/main.ts', () => {
  test('names the key that is wrong, and ends', async () => {
    const file = join(folder, 'wrong.json');
    writeFileSync(file, '{ "port": "8080" }');
    const game = runExample('g2o/main.ts', file);
    expect(await game.ended).toBe(1);
    expect(game.printed).toMatch(/wrong\.json: port must be a whole number/);
  });

  // Debian's own interpreter is the one that has Debian's package.
  const python = '/usr/bin/python3';
  const absent = spawnSync(python, ['-c', 'import websockets']).status !== 0;

  test.skipIf(absent)('talks to the Python program of the document', async () => {
    const file = join(folder, 'g2ows.json');
    writeFileSync(file, JSON.stringify({ port: 0, whitelist: ['127.0.0.1', '::1'] }));
    const game = runExample('g2o/main.ts', file);
    await game.until('started at ws://localhost:');
    const client = run(python, [exampleFile('g2o/client.py'), /ws:\S+/.exec(game.printed)![0]]);
    await client.until('Current time: 0 / 8:');
    game.child.kill('SIGINT');
    expect([await game.ended, await client.ended]).toEqual([0, 0]);
    expect(client.printed).toMatch(/^Hello! You are ws:\/\/\S+:\d+, and came for \/\n/);
    expect(game.printed).toMatch(/WebSocket server stopped\n$/);
  });
});
