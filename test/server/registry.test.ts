import { describe, expect, expectTypeOf, test } from 'vitest';
import { type ServerEndpoint, serve } from '../../src/server/index.ts';
import { type Guest, MemoryServer } from './memory-server.ts';

describe('seed 29: connection ids', () => {
  test('are the peer as a URL, and a number', async () => {
    const world = new MemoryServer();
    const guests = [
      await world.guest({ address: '192.0.2.1', port: 50_000 }),
      await world.guest({ address: '2001:db8:0::1', port: 50_000, secure: true }),
      await world.guest({ address: '::ffff:192.0.2.2', port: 1 }),
      await world.guest({ address: 'fe80::1%eth0', port: 2 }),
      await world.guest({ address: null, port: null }),
    ];
    expect(guests.map(({ here }) => [here.number, here.id])).toEqual([
      [1, 'ws://192.0.2.1:50000'],
      [2, 'wss://[2001:db8::1]:50000'],
      [3, 'ws://192.0.2.2:1'],
      [4, 'ws://[fe80::1%eth0]:2'],
      [5, 'ws+unix:#5'],
    ]);
    for (const { here } of guests) {
      expect(world.server.get(here.id)).toBe(here);
      expect(world.server.get(here.number)).toBe(here);
      expect(world.server.get(here)).toBe(here);
    }
  });

  test('of whoever is not there find nobody; numbers are not used again', async () => {
    const world = new MemoryServer();
    const { server } = world;
    const first = await world.guest({ port: 7 });
    const { id } = first.here;
    expect([server.get(2), server.get('ws://192.0.2.1:8'), server.get(''), server.get(Number.NaN)]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    void first.socket.close();
    await world.clock.run(1);
    expect([server.get(id), server.get(1), server.get(first.here)]).toEqual([null, null, null]);
    // The same address may come again.
    const second = await world.guest({ port: 7 });
    expect([second.here.number, second.here.id]).toEqual([2, id]);
    expect(server.get(id)).toBe(second.here);
    for (const wrong of [null, undefined, {}, true, Symbol('x')]) {
      expect(() => server.get(wrong as never)).toThrow(expect.objectContaining({ name: 'UsageError' }));
    }
  });

  test('follow who comes and goes after the first look', async () => {
    const world = new MemoryServer();
    expect(world.server.get('ws://192.0.2.1:9')).toBeNull();
    const late = await world.guest({ port: 9 });
    expect(world.server.get('ws://192.0.2.1:9')).toBe(late.here);
    // Two local addresses: the same peer address and port twice. The newer one has the name, and keeps it.
    const newer = await world.guest({ port: 9 });
    expect(world.server.get('ws://192.0.2.1:9')).toBe(newer.here);
    late.here.terminate();
    expect(world.server.get('ws://192.0.2.1:9')).toBe(newer.here);
    newer.here.terminate();
    expect(world.server.get('ws://192.0.2.1:9')).toBeNull();
  });

  test('of real sockets: IPv4 by an IPv6 listener, IPv6, and who they are (seed 30)', async () => {
    const { connect } = await import('../../src/client/index.ts');
    const server = await serve({ port: 0 }, (socket) => socket.resume());
    const four = await connect(`ws://127.0.0.1:${server.port}`);
    expect([...server.connections].map(({ id }) => id)).toEqual([`ws://127.0.0.1:${four.localPort}`]);
    const [here] = server.connections;
    expect([here!.localPort, here!.remotePort]).toEqual([server.port, four.localPort]);
    expect(here!.localAddress).toContain('127.0.0.1');
    const six = await connect(`ws://[::1]:${server.port}`).catch(() => null);
    if (six !== null) expect(server.get(`ws://[::1]:${six.localPort}`)).not.toBeNull();
    await server.close({ timeout: 20 });
  });
});

describe('seed 56: the list', () => {
  test('has those that are open, and no others', async () => {
    const world = new MemoryServer({
      authorize: ({ path }) => (path === '/wait' ? new Promise<never>(() => {}) : true),
    });
    const { server } = world;
    const guest = await world.guest();
    const waiting = world.dial({ path: '/wait' }).socket;
    waiting.start();
    world.dial();
    await world.clock.settle();
    expect([...server.connections]).toEqual([guest.here]);
    expect([server.connections.size, server.statistics.pending]).toEqual([1, 2]);
    guest.link.silence();
    void guest.here.close();
    expect([server.connections.size, server.connections.has(guest.here)]).toEqual([0, false]);
    expect(server.get(guest.here.number)).toBeNull();
    expect(server.statistics.connections).toBe(1);
  });
});

describe('seeds 31, 34: what is known of a connection', () => {
  test('the request, and data of the application with its type', async () => {
    const world = new MemoryServer({
      authorize: (request) => (request.path === '/no' ? false : { context: { user: request.path.slice(1), hits: 0 } }),
    });
    const { here } = await world.guest({ path: '/ada' });
    const [socket] = world.server.connections;
    expectTypeOf(socket!.context).toEqualTypeOf<{ user: string; hits: number }>();
    socket!.context.hits++;
    expect(here.context).toEqual({ user: 'ada', hits: 1 });
    expect(here.request).toMatchObject({ method: 'GET', path: '/ada', target: '/ada' });
  });

  test('the type goes from authorize to the handler, the events and the list', async () => {
    const server = await serve({ port: 0, host: '127.0.0.1', authorize: async () => ({ context: 7 }) }, (socket) => {
      expectTypeOf(socket).toEqualTypeOf<ServerEndpoint<number>>();
    });
    server.on('connection', (socket) => expectTypeOf(socket.context).toEqualTypeOf<number>());
    server.broadcast('', { filter: ({ context }) => context > 6 });
    expectTypeOf(server.get(1)).toEqualTypeOf<ServerEndpoint<number> | null>();
    await server.close();
  });
});

describe('seeds 57, 58: sending to one and to several', () => {
  const to = (server: MemoryServer['server'], targets: never) => server.send(targets, 'x');

  test('by connection, id or number, with a result for each in order', async () => {
    const world = new MemoryServer();
    const { server } = world;
    const [a, b, c] = [await world.guest(), await world.guest(), await world.guest()] as [Guest, Guest, Guest];
    expect(server.send(a.here, 'one')).toMatchObject({ success: true, payloadSize: 3, wireSize: 5 });
    expect(server.send(b.here.id, Uint8Array.of(1, 2))).toMatchObject({ success: true, wireSize: 4 });
    expect(server.send(c.here.number, 'héllo', { binary: true })).toMatchObject({ success: true, payloadSize: 6 });
    const results = server.send([c.here, 'ws://192.0.2.9:1', a.here.number, a.here.id], 'some');
    expect(results.map(({ success, code }) => [success, code])).toEqual([
      [true, null],
      [false, 'not-open'],
      [true, null],
      [true, null],
    ]);
    expect(server.send(new Set([b.here]), 'set')).toHaveLength(1);
    expect(server.send([], 'nobody')).toEqual([]);
    await world.clock.settle();
    expect(a.got).toEqual(['one', 'some', 'some']);
    expect(b.got).toEqual([Uint8Array.of(1, 2), 'set']);
    expect(c.got).toEqual([new TextEncoder().encode('héllo'), 'some']);
  });

  test('that are gone is no error; what is no target is, and then nobody gets anything', async () => {
    const world = new MemoryServer();
    const { server } = world;
    const { here, got } = await world.guest();
    const gone = {
      success: false,
      code: 'not-open',
      payloadSize: 1,
      wireSize: 0,
      compressionError: false,
      writable: false,
    };
    expect(server.send(99, 'x')).toEqual(gone);
    expect(server.send('nobody', 'x')).toEqual(gone);
    for (const wrong of [null, undefined, {}, true, [here, null], [{}], [[here]]]) {
      expect(() => to(server, wrong as never)).toThrow(expect.objectContaining({ name: 'UsageError' }));
    }
    expect(() => server.send(99, 7 as never)).toThrow('must be a string');
    expect(() => server.send([], '\ud800')).toThrow('surrogate');
    expect(() => server.send(here, 'x', null as never)).toThrow('options must be an object');
    expect(() => server.send(here, 'x', { except: here } as never)).toThrow("no option 'except'");
    void here.close();
    expect(server.send(here, 'x')).toEqual(gone);
    await world.clock.settle();
    expect(got).toEqual([]);
  });

  test('a client of somebody else is nobody of ours', async () => {
    const world = new MemoryServer();
    const guest = await world.guest();
    const other = new MemoryServer();
    const stranger = await other.guest();
    expect(world.server.send(guest.socket, 'x')).toMatchObject({ success: false, code: 'not-open' });
    expect(world.server.get(stranger.here)).toBeNull();
    expect(world.server.broadcast('x', { except: [stranger.here, guest.socket] })).toHaveLength(1);
  });
});

describe('seed 60: closing one', () => {
  test('with code and reason, by any of its names', async () => {
    const world = new MemoryServer();
    const { server } = world;
    const [a, b, c] = [await world.guest(), await world.guest(), await world.guest()] as [Guest, Guest, Guest];
    const ends = [
      server.disconnect(a.here.id, 4001, 'kicked'),
      server.disconnect(b.here.number),
      server.disconnect(c.here),
    ];
    await world.clock.settle();
    expect(await Promise.all(ends)).toMatchObject([{ clean: true }, { clean: true }, { clean: true }]);
    expect(await a.socket.closed).toMatchObject({ code: 4001, reason: 'kicked' });
    expect(await b.socket.closed).toMatchObject({ code: 1000, reason: '' });
    expect(await server.disconnect(a.here.id)).toBeNull();
    expect(await server.disconnect(99)).toBeNull();
  });

  test('wrong arguments close nobody, whether or not there is somebody', async () => {
    const world = new MemoryServer();
    const { here } = await world.guest();
    for (const target of [here.number, 99]) {
      expect(() => world.server.disconnect(target, 1005)).toThrow('1005');
      expect(() => world.server.disconnect(target, null as never)).toThrow('a number, not null');
      expect(() => world.server.disconnect(target, 1000, 'x'.repeat(124))).toThrow('123');
    }
    expect(() => world.server.disconnect(null as never)).toThrow('named by');
    expect(here.readyState).toBe('open');
  });
});

describe('seed 61: topics', () => {
  test('subscribe, publish, list, unsubscribe', async () => {
    const world = new MemoryServer();
    const { server } = world;
    const [a, b, c] = [await world.guest(), await world.guest(), await world.guest()] as [Guest, Guest, Guest];
    expect([a.here.subscribe('news'), a.here.subscribe('news'), b.here.subscribe('news')]).toEqual([true, false, true]);
    expect(b.here.subscribe('sport')).toBe(true);
    expect([server.topics, a.here.topics, b.here.topics, c.here.topics]).toEqual([
      ['news', 'sport'],
      ['news'],
      ['news', 'sport'],
      [],
    ]);
    expect(server.subscribers('news')).toEqual([a.here, b.here]);
    expect(server.publish('news', 'n1').map(({ socket, result }) => [socket, result.success])).toEqual([
      [a.here, true],
      [b.here, true],
    ]);
    expect(server.publish('sport', 's1', { except: b.here })).toEqual([]);
    expect(server.publish('nothing', 'x')).toEqual([]);
    expect([b.here.unsubscribe('news'), b.here.unsubscribe('news'), c.here.unsubscribe('news')]).toEqual([
      true,
      false,
      false,
    ]);
    server.publish('news', Uint8Array.of(7));
    server.publish('sport', 's2', { filter: ({ number }) => number === b.here.number });
    await world.clock.settle();
    expect([a.got, b.got, c.got]).toEqual([['n1', Uint8Array.of(7)], ['n1', 's2'], []]);
    expect(a.here.unsubscribe('news')).toBe(true);
    expect([server.topics, server.subscribers('news')]).toEqual([['sport'], []]);
  });

  test('a connection that closes is in none, and gets into none', async () => {
    const world = new MemoryServer();
    const { server } = world;
    const a = await world.guest();
    const b = await world.guest();
    for (let i = 0; i < 100; i++) a.here.subscribe(`topic ${i}`);
    b.here.subscribe('topic 1');
    a.link.silence();
    void a.here.close();
    // Closing: still held, but nothing can be published to it.
    expect(server.publish('topic 1', 'x').map(({ socket }) => socket)).toEqual([b.here]);
    expect(a.here.subscribe('more')).toBe(false);
    a.here.terminate();
    expect([a.here.topics, server.topics]).toEqual([[], ['topic 1']]);
    expect([a.here.subscribe('again'), server.topics]).toEqual([false, ['topic 1']]);
    b.here.terminate();
    expect(server.topics).toEqual([]);
  });

  test('may be joined and left while something is published', async () => {
    const seen: string[] = [];
    const world = new MemoryServer({}, (socket) => {
      socket.subscribe('all');
      socket.on('message', ({ data }) => {
        for (const { topics } of world.server.connections) seen.push(topics.join());
        world.server.publish('all', data, {
          filter: (each) => {
            each.unsubscribe('all');
            each.subscribe('later');
            return each !== socket;
          },
        });
      });
    });
    const [a, b] = [await world.guest(), await world.guest()] as [Guest, Guest];
    a.socket.send('x');
    await world.clock.settle();
    expect([a.got, b.got, seen]).toEqual([[], ['x'], ['all', 'all']]);
    expect([world.server.topics, world.server.subscribers('later')]).toEqual([['later'], [a.here, b.here]]);
  });

  test('a filter that leaves and joins again is asked once for each', async () => {
    const world = new MemoryServer({}, (socket) => void socket.subscribe('t'));
    for (let i = 0; i < 3; i++) await world.guest();
    let asked = 0;
    const results = world.server.publish('t', 'x', {
      filter(socket) {
        asked++;
        return socket.unsubscribe('t') && socket.subscribe('t');
      },
    });
    expect([asked, results.length, world.server.subscribers('t').length]).toEqual([3, 3, 3]);
    const ends = world.server.broadcast('x', {
      filter: () => [...world.server.connections].at(-1)?.terminate() !== null,
    });
    // The first ends the third, the second itself: it was chosen, and hears that it is too late.
    expect(ends.map(({ result }) => result.code)).toEqual([null, 'not-open']);
  });

  test('are strings, any strings', async () => {
    const world = new MemoryServer();
    const { here } = await world.guest();
    for (const topic of ['', '__proto__', '\ud800', 'a/b #+*']) expect(here.subscribe(topic)).toBe(true);
    expect(world.server.topics).toEqual(['', '__proto__', '\ud800', 'a/b #+*']);
    for (const wrong of [null, undefined, 1, {}, ['x']] as never[]) {
      for (const use of [
        () => here.subscribe(wrong),
        () => here.unsubscribe(wrong),
        () => world.server.publish(wrong, 'x'),
        () => world.server.subscribers(wrong),
      ]) {
        expect(use).toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringContaining('topic') }));
      }
    }
  });
});
