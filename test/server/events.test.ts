import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type AnyEvent, EventNumber, ReadyStateNumber, serve } from '../../src/server/index.ts';
import { local, other } from '../support/certificates.ts';
import { MemoryServer } from './memory-server.ts';

describe('seed 27: numbers for events', () => {
  test('are those of the 4D plugin', () => {
    const { message, open, close, error, ping, pong, fragment } = EventNumber;
    expect([message, open, close, error, ping, pong, fragment]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([EventNumber.progress, EventNumber.drain]).toEqual([6, 7]);
  });
});

describe('seed 32: numbers for states', () => {
  test('are those of the WebSocket API', async () => {
    const { CONNECTING, OPEN, CLOSING, CLOSED } = WebSocket;
    expect(ReadyStateNumber).toEqual({ connecting: CONNECTING, open: OPEN, closing: CLOSING, closed: CLOSED });
    const { here } = await new MemoryServer().guest();
    expect(ReadyStateNumber[here.readyState]).toBe(1);
  });
});

describe('seed 64: the heartbeat', () => {
  test('pings every connection that is silent, and drops the one that does not answer', async () => {
    const world = new MemoryServer({ pingInterval: 1_000, pongTimeout: 500 });
    const guests = [await world.guest(), await world.guest(), await world.guest()];
    const pings = guests.map(({ socket }) => {
      const heard = { count: 0 };
      socket.on('ping', () => heard.count++);
      return heard;
    });
    guests[1]!.link.silence();
    await world.clock.run(10_000);
    expect(pings.map(({ count }) => count > 7)).toEqual([true, false, true]);
    expect(await guests[1]!.here.closed).toMatchObject({ code: 1006, error: { code: 'PONG_TIMEOUT' } });
    expect([...world.server.connections]).toEqual([guests[0]!.here, guests[2]!.here]);
  });
});

describe('listeners of a server', () => {
  test('the same function may listen twice, and each undo is for one of them, once', async () => {
    const world = new MemoryServer();
    let heard = 0;
    const listener = () => heard++;
    const [first, second] = [world.server.on('connection', listener), world.server.on('connection', listener)];
    first();
    first();
    await world.guest();
    expect(heard).toBe(1);
    second();
    await world.guest();
    expect(heard).toBe(1);
  });
});

describe('seed 28: one hook for everything', () => {
  const record = (options = {}, handler = () => {}) => {
    const seen: [number, AnyEvent['type'], number][] = [];
    const events: AnyEvent[] = [];
    const world = new MemoryServer(
      {
        ...options,
        onEvent(socket, event) {
          events.push(event);
          seen.push([socket.number, event.type, EventNumber[event.type]]);
        },
      },
      handler,
    );
    return { world, seen, events };
  };

  test('has every event of every connection, from open to close, and takes the messages', async () => {
    const { world, seen, events } = record({ progress: true });
    const a = await world.guest();
    const b = await world.guest();
    a.socket.send('hi');
    a.socket.send(new Uint8Array(10), { fragmentSize: 6 });
    void b.socket.ping('p');
    void b.here.ping();
    await world.clock.settle();
    void a.socket.close(4000, 'done');
    await world.clock.settle();
    b.link.reset();
    await world.clock.settle();
    expect(seen).toEqual([
      [1, 'open', 1],
      [2, 'open', 1],
      [1, 'message', 0],
      [1, 'progress', 6],
      [1, 'message', 0],
      [2, 'ping', 4],
      [2, 'pong', 5],
      [1, 'close', 2],
      [2, 'error', 3],
      [2, 'close', 2],
    ]);
    expect(events[2]).toMatchObject({ kind: 'text', data: 'hi' });
    expect(events[7]).toMatchObject({ code: 4000, reason: 'done', clean: true, remote: true });
    expect(events[8]).toMatchObject({ error: { name: 'TransportError' } });
  });

  test('has fragments, and drain', async () => {
    const { world, seen } = record({ delivery: 'fragment', highWaterMark: 10 });
    const { socket, here } = await world.guest();
    socket.send('whole');
    here.send('more than ten bytes');
    await world.clock.settle();
    expect(seen.map(([, type]) => type)).toEqual(['open', 'drain', 'fragment']);
  });

  test('comes before listeners, and lets them be', async () => {
    const order: string[] = [];
    const world = new MemoryServer({ onEvent: (_, { type }) => void order.push(`hook ${type}`) }, (socket) => {
      order.push('handler');
      socket.on('open', () => order.push('open'));
      socket.on('message', () => order.push('message'));
    });
    const { socket } = await world.guest();
    socket.send('x');
    await world.clock.settle();
    expect(order).toEqual(['handler', 'hook open', 'open', 'hook message', 'message']);
  });

  test('holds back events while its promise is unsettled, and closes with 1011 what it throws for', async () => {
    let release = () => {};
    const told: string[] = [];
    const world = new MemoryServer({
      onEvent: (_, event) => {
        told.push(event.type);
        if (event.type !== 'message') return undefined;
        if (event.data === 'throw') throw new Error('mine');
        return new Promise<void>((resolve) => (release = resolve));
      },
    });
    const { socket, here } = await world.guest();
    socket.send('wait');
    socket.send('throw');
    await world.clock.settle();
    expect(here.readyState).toBe('open');
    release();
    await world.clock.settle();
    expect(await socket.closed).toMatchObject({ code: 1011 });
    // The hook has heard of it as an `error` event: there is nothing to warn of.
    expect([world.warnings, told]).toEqual([[], ['open', 'message', 'message', 'error', 'close']]);
  });

  test('must be a function', async () => {
    await expect(serve({ port: 0, onEvent: 'x' as never })).rejects.toThrow("'onEvent'");
  });
});

describe('seed 111: what is counted', () => {
  test('connections, refusals, closes, traffic, and what waits', async () => {
    const world = new MemoryServer({ paths: '/', highWaterMark: 100 }, (socket) => {
      socket.subscribe('a');
      socket.on('message', ({ data }) => socket.send(data));
    });
    const { server, clock } = world;
    expect(server.metrics()).toEqual({
      uptime: 0,
      ...{ open: 0, mostOpen: 0, closing: 0, pending: 0, opened: 0 },
      ...{ closed: 0, closedByCode: {}, refused: 0, refusedByStatus: {} },
      ...{ bytesReceived: 0, bytesSent: 0, messagesReceived: 0, messagesSent: 0 },
      ...{ bufferedAmount: 0, slow: 0, topics: 0 },
    });
    const [a, b, c] = [await world.guest(), await world.guest(), await world.guest({ window: 10 })];
    await world.refusal({ path: '/no' });
    world.dial();
    a.socket.send('hello');
    await clock.settle();
    void a.socket.close(4000);
    await clock.settle();
    b.link.reset();
    await clock.settle();
    c.link.right.pause();
    c.here.send(new Uint8Array(200));
    await clock.settle();
    const metrics = server.metrics();
    expect(metrics).toMatchObject({
      ...{ open: 1, mostOpen: 3, closing: 0, pending: 1, opened: 3 },
      ...{ closed: 2, closedByCode: { 4000: 1, 1006: 1 }, refused: 1, refusedByStatus: { 404: 1 } },
      ...{ messagesReceived: 1, messagesSent: 2, slow: 1, topics: 1 },
    });
    expect(metrics.bufferedAmount).toBe(c.here.bufferedAmount);
    expect(metrics.bytesReceived).toBeGreaterThan(a.here.statistics.bytesReceived);
    const sockets = [a.here, b.here, c.here];
    expect(metrics.bytesSent).toBe(sockets.reduce((sum, { statistics }) => sum + statistics.bytesSent, 0));
    expect(metrics.uptime).toBe(clock.now());
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
    void server.close();
    expect(server.metrics()).toMatchObject({ open: 0, closing: 1 });
  });
});

describe('replaceTls', () => {
  test('takes another certificate for the connections from now on; what does not fit changes nothing', async () => {
    const { connect: dial } = await import('node:tls');
    const server = await serve({ port: 0, host: '127.0.0.1', tls: local }, (socket) => socket.resume());
    const certificate = () =>
      new Promise<string>((resolve) => {
        const socket = dial({ port: server.port!, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().fingerprint256);
          socket.destroy();
        });
      });
    const before = await certificate();
    expect(() => server.replaceTls({ cert: other.cert, key: local.key })).toThrow('replaceTls: it cannot be used');
    expect(() => server.replaceTls({ cert: '/no/such.pem', key: other.key })).toThrow('/no/such.pem');
    expect(() => server.replaceTls({} as never)).toThrow("'cert'");
    expect(() => server.replaceTls(null as never)).toThrow(expect.objectContaining({ name: 'UsageError' }));
    expect(() => server.replaceTls({ ...other, requestCert: true })).toThrow('requestCert');
    expect(await certificate()).toBe(before);
    server.replaceTls(other);
    const after = await certificate();
    expect(after).not.toBe(before);
    expect(await certificate()).toBe(after);
    await server.close({ timeout: 20 });
  });

  test('is for servers with TLS of their own', async () => {
    const server = await serve({ port: 0, host: '127.0.0.1' });
    expect(() => server.replaceTls(local)).toThrow('no TLS of its own');
    await server.close();
    expect(() => new MemoryServer().server.replaceTls(local)).toThrow('no TLS of its own');
  });
});
