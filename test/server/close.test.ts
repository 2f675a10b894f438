import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { connect } from '../../src/client/index.ts';
import { type RefusedConnection, serve } from '../../src/server/index.ts';
import { local } from '../support/certificates.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';

const host = '127.0.0.1';

async function rawOpen(port: number): Promise<RawPeer> {
  const peer = await RawPeer.to(port);
  peer.write(upgradeRequest());
  await peer.until('\r\n\r\n');
  return peer;
}

describe('T83, row 54: close()', () => {
  test('ends everybody: who reads, who is stuck, who is in a handshake, who is in a message', async () => {
    const server = await serve(
      { port: 0, host, authorize: (request) => (request.path === '/wait' ? new Promise<never>(() => {}) : true) },
      (socket) => {
        socket.resume();
      },
    );
    const refused: RefusedConnection[] = [];
    server.on('refused', (each) => refused.push(each));
    const reading = await connect(server.url);
    reading.resume();
    const theirs = new WebSocket(server.url);
    const theirClose = new Promise((resolve) => theirs.on('close', (code, reason) => resolve([code, String(reason)])));
    await new Promise((resolve) => theirs.on('open', resolve));
    const stuck = await rawOpen(server.port!);
    const inMessage = await rawOpen(server.port!);
    inMessage.write(Uint8Array.of(0x02, 0xff, 0, 0, 0, 0, 0, 0, 0x10, 0, 1, 2, 3, 4, 5));
    const asking = await RawPeer.to(server.port!);
    asking.write(upgradeRequest('/wait'));
    const silent = await RawPeer.to(server.port!);
    while (server.statistics.pending < 2) await new Promise(setImmediate);

    const closing = server.close({ reason: 'maintenance', timeout: 50 });
    expect(server.close({ code: 4000 })).toBe(closing);
    await expect(connect(server.url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    expect(await reading.closed).toMatchObject({ code: 1001, reason: 'maintenance', clean: true, remote: true });
    expect(await theirClose).toEqual([1001, 'maintenance']);
    await Promise.all([asking.closed, silent.closed, stuck.closed, inMessage.closed]);
    expect([statusOf(asking.received), statusOf(silent.received)]).toEqual([503, 503]);
    expect(stuck.received).toContain('\x88\x0d\x03\xe9maintenance');
    await closing;
    expect(server.statistics).toMatchObject({ connections: 0, pending: 0 });
    expect(server.connections.size).toBe(0);
    expect(refused.map(({ status }) => status)).toEqual([503, 503]);
  });

  test('tells its listeners once, and closes at once when nobody is there', async () => {
    const server = await serve({ port: 0, host });
    let closes = 0;
    server.on('close', () => closes++);
    await Promise.all([server.close(), server.close()]);
    expect(closes).toBe(1);
  });

  test('what may not be sent is a UsageError, and the server lives', async () => {
    const server = await serve({ port: 0, host });
    expect(() => server.close({ code: 1006 })).toThrow('1006');
    expect(() => server.close({ reason: 'x'.repeat(124) })).toThrow('123');
    expect(() => server.close({ timeout: 0 })).toThrow('timeout');
    expect(() => server.close({ code: null as never })).toThrow('a close code is a number, not null');
    expect(() => server.close({ code: '1000' as never })).toThrow('a close code is a number, not string');
    expect(() => server.close({ reason: null as never })).toThrow('reason');
    await (await connect(server.url)).terminate();
    await server[Symbol.asyncDispose]();
  });

  test('connections is a view of those that are open', async () => {
    const server = await serve({ port: 0, host }, (socket) => socket.resume());
    const one = await connect(server.url);
    await connect(server.url);
    const { connections } = server;
    expect(connections.size).toBe(2);
    const [first] = connections;
    expect(connections.has(first!)).toBe(true);
    expect([...connections.entries()]).toHaveLength(2);
    let each = 0;
    connections.forEach((socket, key, set) => {
      expect([socket, set]).toEqual([key, connections]);
      each++;
    });
    expect(each).toBe(2);
    void first!.close();
    expect(connections.size).toBe(1);
    expect(connections.has(first!)).toBe(false);
    await one.close();
    await server.close({ timeout: 20 });
  });
});

test.each([
  ['the signal of a hook', undefined],
  ['the event refused', local],
])('whoever hears by %s that it closes may close it too, and it ends once', async (_, tls) => {
  let asked = false;
  const again: Promise<void>[] = [];
  const server = await serve({
    port: 0,
    host,
    ...(tls && { tls }),
    authorize: (_request, { signal }) =>
      new Promise<never>(() => {
        asked = true;
        signal.addEventListener('abort', () => again.push(server.close()));
      }),
  });
  let closes = 0;
  server.on('close', () => closes++);
  server.on('refused', () => again.push(server.close()));
  const peer = await RawPeer.to(server.port!);
  // In the clear it asks, over TLS it has not shaken hands.
  if (tls === undefined) peer.write(upgradeRequest());
  while (tls === undefined ? !asked : server.statistics.pending === 0) await new Promise(setImmediate);
  const closing = server.close();
  expect(again).toContain(closing);
  await closing;
  expect(new Set(again)).toEqual(new Set([closing]));
  expect(closes).toBe(1);
});

describe('T47: nothing is left', () => {
  test('no listener on what belongs to the user, no connection, no pending handshake', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const server = await serve({ port: 0, host, signal }, (socket) => socket.resume());
    for (let i = 0; i < 200; i++) {
      const socket = await connect(server.url, { signal });
      await socket.close();
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    while (server.statistics.connections > 0) await new Promise(setImmediate);
    expect(server.statistics).toEqual({ connections: 0, pending: 0, opened: 200, refused: 0 });
    await server.close();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('a process ends by itself when its server is closed, or unreferenced', async () => {
    const script = fileURLToPath(new URL('./close.child.ts', import.meta.url));
    for (const how of ['close', 'unref']) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, how], {
        timeout: 20_000,
      });
      expect(stdout).toBe('echo\ndone\n');
    }
  });
});
