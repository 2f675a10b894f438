import { afterEach, describe, expect, test } from 'vitest';
import { connect, type Endpoint } from '../../src/client/index.ts';
import { type BroadcastOptions, type ServeOptions, type Server, serve } from '../../src/server/index.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';
import { type Guest, MemoryServer } from './memory-server.ts';

let server: Server;
afterEach(() => server.close({ timeout: 20 }));

async function start(options: Partial<ServeOptions> = {}): Promise<void> {
  server = await serve({ port: 0, host: '127.0.0.1', ...options }, (socket) => socket.resume());
}

async function guest(): Promise<{ socket: Endpoint; here: Endpoint; got: unknown[]; next: () => Promise<unknown> }> {
  const known = new Set(server.connections);
  const got: unknown[] = [];
  let wake = () => {};
  const socket = await connect(server.url, {
    on: {
      message: ({ data }) => {
        got.push(data);
        wake();
      },
    },
  });
  const here = [...server.connections].find((each) => !known.has(each))!;
  const next = async () => {
    if (got.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return got.shift();
  };
  return { socket, here, got, next };
}

describe('row 59: broadcast', () => {
  test('seed 22: sends text and bytes to all, with a result for each', async () => {
    await start();
    const guests = [await guest(), await guest(), await guest()];
    const results = server.broadcast('h\u00e9llo');
    expect(results.map(({ socket }) => socket)).toEqual(guests.map(({ here }) => here));
    for (const { result } of results) {
      expect(result).toEqual({
        success: true,
        code: null,
        payloadSize: 6,
        wireSize: 8,
        compressionError: false,
        writable: true,
      });
    }
    for (const { next } of guests) expect(await next()).toBe('h\u00e9llo');
    const bytes = new Uint8Array(70_000).fill(7);
    server.broadcast(bytes);
    bytes.fill(0);
    for (const { next } of guests) expect(await next()).toEqual(new Uint8Array(70_000).fill(7));
    server.broadcast('text as bytes', { binary: true });
    server.broadcast(new TextEncoder().encode('bytes as text'), { binary: false });
    for (const { next } of guests) {
      expect(await next()).toEqual(new TextEncoder().encode('text as bytes'));
      expect(await next()).toBe('bytes as text');
    }
    expect(guests[0]!.here.statistics.messagesSent).toBe(4);
  });

  test('except and filter choose', async () => {
    await start();
    const [a, b, c] = [await guest(), await guest(), await guest()];
    const to = (results: ReturnType<Server['broadcast']>) =>
      results.map(({ socket }) => [a, b, c].findIndex(({ here }) => here === socket));
    expect(to(server.broadcast('1', { except: a.here }))).toEqual([1, 2]);
    expect(to(server.broadcast('2', { except: [a.here, b.here] }))).toEqual([2]);
    expect(to(server.broadcast('3', { filter: (socket) => socket === b.here }))).toEqual([1]);
    expect(to(server.broadcast('4', { filter: () => true, except: new Set([c.here]) }))).toEqual([0, 1]);
    expect([await a.next(), await b.next(), await c.next()]).toEqual(['4', '1', '1']);
  });

  test('who reads too slowly gets a result of its own, and holds up nobody', async () => {
    await start({ maxBufferedAmount: 300_000, overflow: 'refuse' });
    const fast = await guest();
    const slow = await RawPeer.to(server.port!);
    slow.write(upgradeRequest());
    await slow.until('\r\n\r\n');
    slow.socket.pause();
    const chunk = new Uint8Array(1_000_000);
    const codes: (string | null)[] = [];
    for (let i = 0; i < 20; i++) {
      codes.push(server.broadcast(chunk).find(({ socket }) => socket !== fast.here)?.result.code ?? null);
      expect(await fast.next()).toHaveLength(1_000_000);
    }
    expect(codes[0]).toBeNull();
    expect(codes.at(-1)).toBe('overflow');
    slow.reset();
  });

  test('seed 62: who reads too slowly waits, is left out, or is closed, as the policy says', async () => {
    const world = new MemoryServer({ highWaterMark: 1_000 });
    const fast = await world.guest();
    const slow = await world.guest({ window: 100 });
    slow.link.right.pause();
    const chunk = new Uint8Array(600);
    const send = (policy?: 'wait' | 'drop' | 'close') =>
      world.server.broadcast(chunk, policy && { slow: policy }).map(({ result }) => result.code);
    // What is sent in one turn makes nobody slow.
    for (let i = 0; i < 5; i++) expect(send('close')).toEqual([null, null]);
    await world.clock.settle();
    expect([send('drop'), send('close')]).toEqual([
      [null, 'overflow'],
      [null, 'overflow'],
    ]);
    // It was closed behind what it had been sent, and is no target any more.
    expect([slow.here.readyState, send('wait'), fast.got.length]).toEqual(['closing', [null], 5]);
    await world.clock.settle();
    expect(fast.got).toHaveLength(8);
    await world.clock.run(6_000);
    expect(await slow.here.closed).toMatchObject({ code: 1006 });

    const next = await world.guest({ window: 100 });
    next.link.right.pause();
    for (let i = 0; i < 10; i++) send('wait');
    await world.clock.settle();
    const waiting = next.here.bufferedAmount;
    expect(waiting).toBeGreaterThan(9 * 600);
    for (let i = 0; i < 10; i++) expect(send('drop')).toEqual([null, 'overflow']);
    expect([next.here.bufferedAmount, next.here.readyState]).toEqual([waiting, 'open']);
    next.link.right.resume();
    await world.clock.settle();
    expect([next.got.length, send('drop')]).toEqual([10, [null, null]]);
  });

  test('seed 62, T28: who never reads costs at most maxBufferedAmount and what it was sent at once, and is closed then', async () => {
    const world = new MemoryServer({ maxBufferedAmount: 100_000 });
    const fast = await world.guest();
    const stuck = await world.guest({ window: 100 });
    stuck.link.right.pause();
    const chunk = new Uint8Array(1_000);
    let most = 0;
    for (let i = 0; i < 1_000; i++) {
      world.server.broadcast(chunk);
      await world.clock.settle();
      most = Math.max(most, stuck.here.bufferedAmount);
    }
    expect(most).toBeLessThanOrEqual(100_000 + 1_004);
    expect(fast.got).toHaveLength(1_000);
    expect([world.server.connections.size, stuck.here.readyState]).toEqual([1, 'closing']);
    await world.clock.run(6_000);
    expect(await stuck.here.closed).toMatchObject({ error: { code: 'OUTGOING_OVERFLOW', closeCode: 1008 } });
  });

  test('seed 58: by path, compared exactly and without the query', async () => {
    const world = new MemoryServer();
    const guests = [
      await world.guest({ path: '/a' }),
      await world.guest({ path: '/b?x=1' }),
      await world.guest({ path: '/a/b' }),
    ];
    const to = (path: string | string[]) =>
      world.server.broadcast('x', { path }).map(({ socket }) => guests.findIndex(({ here }) => here === socket));
    expect([to('/a'), to(['/a', '/b']), to('/'), to([]), to('/b?x=1')]).toEqual([[0], [0, 1], [], [], []]);
    expect(world.server.broadcast('x', { path: ['/a', '/b'], except: guests[0]!.here.id })).toHaveLength(1);
  });

  test('except takes ids and numbers; one that nobody has excludes nobody', async () => {
    const world = new MemoryServer();
    const [a, b] = [await world.guest(), await world.guest()] as [Guest, Guest];
    const to = (except: BroadcastOptions['except']) =>
      world.server.broadcast('x', { except: except! }).map(({ socket }) => socket.number);
    expect([to(a.here.id), to(a.here.number), to([a.here.id, b.here.number]), to(['?', 77]), to([])]).toEqual([
      [2],
      [2],
      [],
      [1, 2],
      [1, 2],
    ]);
  });

  test.each([
    ['plain', {}],
    ['compressed by each', { compression: { threshold: 0 } }],
    ['compressed for all', { compression: { threshold: 0, memory: 'shared' } }],
  ] as const)(
    'between the fragments of a message nothing is sent: the result says so, and others get it (%s)',
    async (_, options) => {
      const world = new MemoryServer(options);
      const [busy, other] = [await world.guest(), await world.guest()] as [Guest, Guest];
      busy.here.connection.sendFragment('text', new TextEncoder().encode('be'), false);
      const codes = () => world.server.broadcast('x').map(({ result }) => result.code);
      expect(codes()).toEqual(['overflow', null]);
      expect(world.server.send([busy.here, other.here], 'x').map(({ code }) => code)).toEqual(['overflow', null]);
      busy.here.connection.sendFragment('text', new TextEncoder().encode('gun'), true);
      expect(codes()).toEqual([null, null]);
      await world.clock.settle();
      expect([busy.got, other.got]).toEqual([
        ['begun', 'x'],
        ['x', 'x', 'x'],
      ]);
    },
  );

  test('a listener that closes, throws or broadcasts while it is called harms nobody', async () => {
    const world = new MemoryServer({ onListenerError: () => {} }, (socket) => {
      socket.on('message', ({ data }) => {
        if (data === 'throw') throw new Error('mine');
        if (data === 'all') for (const each of world.server.connections) void each.close(4000);
        world.server.broadcast(`${data} from ${socket.number}`);
        if (data === 'drop') socket.terminate();
      });
    });
    const guests = [await world.guest(), await world.guest(), await world.guest()] as [Guest, Guest, Guest];
    for (const { socket } of guests) socket.send('hi');
    guests[0].socket.send('throw');
    guests[1].socket.send('drop');
    guests[2].socket.send('all');
    await world.clock.settle();
    expect(guests[0].got).toEqual(['hi from 1', 'hi from 2', 'drop from 2', 'hi from 3']);
    expect(guests[2].got.slice(-1)).toEqual(['hi from 3']);
    expect(await guests[2].socket.closed).toMatchObject({ code: 4000, clean: true });
    expect([world.server.connections.size, world.server.topics]).toEqual([0, []]);
  });

  test.each<[unknown, string]>([
    [null, 'options must be an object, not null'],
    [5, 'options must be an object'],
    [{ except: 5.5 }, ''],
    [{ except: null }, 'except must be'],
    [{ except: true }, 'except must be'],
    [{ except: {} }, 'except must be'],
    [{ except: [null] }, 'named by'],
    [{ exept: [] }, "no option 'exept'; known are"],
    [{ path: 5 }, 'path must be'],
    [{ path: ['/a', null] }, 'path must be'],
    [{ slow: 'maybe' }, "'wait', 'drop' or 'close'"],
    [{ slow: true }, "'wait', 'drop' or 'close'"],
    [{ compress: 1 }, 'compress must be'],
    [{ binary: 1 }, 'binary must be'],
    [{ filter: 'x' }, 'filter must be'],
  ])('broadcast and publish with %j say what is wrong, and nobody got anything', async (options, text) => {
    const world = new MemoryServer({}, (socket) => void socket.subscribe('t'));
    const { got } = await world.guest();
    for (const send of [
      () => world.server.broadcast('x', options as never),
      () => world.server.publish('t', 'x', options as never),
    ]) {
      if (text === '') expect(send()).toHaveLength(1);
      else
        expect(send).toThrow(expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(text) }));
    }
    await world.clock.settle();
    expect(got).toHaveLength(text === '' ? 2 : 0);
  });

  test('server.close says what is wrong with its options', async () => {
    await start();
    for (const wrong of [null, 1001, 'x'])
      expect(() => server.close(wrong as never)).toThrow('options must be an object');
    expect(() => server.close({ reasn: 'x' } as never)).toThrow("no option 'reasn'");
    expect(() => server.close({ code: 1005 })).toThrow('1005');
    expect(() => server.close({ timeout: -1 })).toThrow('timeout');
    await guest();
  });

  test('a connection that is closing is not meant; wrong arguments are a UsageError, and nobody got anything', async () => {
    await start();
    const { here, got } = await guest();
    expect(() => server.broadcast(7 as never)).toThrow('string');
    expect(() => server.broadcast('\ud800')).toThrow('surrogate');
    expect(() => server.broadcast(Uint8Array.of(0xff), { binary: false })).toThrow('UTF-8');
    expect(() => server.broadcast('x', { binary: 'yes' as never })).toThrow('binary');
    expect(() => server.broadcast('x', { filter: true as never })).toThrow('filter');
    // A promise is no yes, nor is nothing a no.
    expect(() => server.broadcast('x', { filter: (async () => false) as never })).toThrow('true or false');
    expect(() => server.broadcast('x', { filter: (() => {}) as never })).toThrow('true or false');
    expect(() =>
      server.broadcast('x', {
        filter: () => {
          throw new Error('mine');
        },
      }),
    ).toThrow('mine');
    void here.close();
    expect(server.broadcast('late')).toEqual([]);
    await here.closed;
    expect(got).toEqual([]);
  });
});
