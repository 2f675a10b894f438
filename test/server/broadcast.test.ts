import { afterEach, describe, expect, test } from 'vitest';
import { connect, type Endpoint } from '../../src/client/index.ts';
import { type ServeOptions, type Server, serve } from '../../src/server/index.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';

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
  test('sends text and bytes to all, with a result for each', async () => {
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

  test('a connection that is closing is not meant; wrong arguments are a UsageError, and nobody got anything', async () => {
    await start();
    const { here, got } = await guest();
    expect(() => server.broadcast(7 as never)).toThrow('string');
    expect(() => server.broadcast('\ud800')).toThrow('surrogate');
    expect(() => server.broadcast(Uint8Array.of(0xff), { binary: false })).toThrow('UTF-8');
    expect(() => server.broadcast('x', { binary: 'yes' as never })).toThrow('binary');
    expect(() => server.broadcast('x', { filter: true as never })).toThrow('filter');
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
