/** The shell for Deno on a Deno that is made up, for what the real one does too rarely: `npm run runtimes` has the real one. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { DenoConn } from '../../src/transport/deno/api.ts';
import { connect, DenoConnTransport, serve } from '../../src/transport/deno/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A connection on which nothing comes, until it is closed. */
function silent(): DenoConn & { closed: number } {
  let refuse: (error: Error) => void = () => {};
  return {
    closed: 0,
    localAddr: { hostname: '127.0.0.1', port: 1 },
    remoteAddr: { hostname: '127.0.0.1', port: 2 },
    read: () =>
      new Promise((_, reject) => {
        refuse = reject;
      }),
    write: async (bytes) => bytes.length,
    closeWrite: async () => {},
    handshake: () => new Promise(() => {}),
    close() {
      this.closed++;
      refuse(new Error('closed'));
    },
  };
}

test('T84: when no file is left to open it goes on, and does not ask all the time', async () => {
  const conn = silent();
  let asked = 0;
  let closed: (error: Error) => void = () => {};
  const listener = {
    addr: { port: 7 },
    async accept(): Promise<DenoConn> {
      asked++;
      if (asked <= 3) throw new Error('Too many open files (os error 24)');
      if (asked === 4) return conn;
      return new Promise((_, reject) => {
        closed = reject;
      });
    },
    close: () => closed(Object.assign(new Error('gone'), { name: 'BadResource' })),
  };
  vi.stubGlobal('Deno', { listen: () => listener });
  const server = serve({ port: 7 });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toBe(5);
  const done = server.close();
  await vi.advanceTimersByTimeAsync(10_000);
  await done;
  expect(conn.closed).toBe(1);
  expect(asked, 'a listener that is closed is left alone').toBe(5);
});

test('a busy connection reads into 128 KiB at most, an idle one into 4', async () => {
  const conn = silent();
  const sizes: number[] = [];
  conn.read = async (into) => {
    sizes.push(into.length);
    return sizes.length < 5 ? into.length : sizes.length < 7 ? 1 : null;
  };
  const transport = new DenoConnTransport(conn);
  transport.start({ received() {}, receivedBorrowed() {}, written() {}, ended() {}, closed() {} });
  await vi.advanceTimersByTimeAsync(10);
  expect(sizes).toEqual([4_096, 32_768, 131_072, 131_072, 131_072, 4_096, 4_096]);
});

test('a connection whose peer is gone before it is set up is let go all the same', async () => {
  const conn = silent();
  conn.setNoDelay = () => {
    throw new Error('Invalid argument (os error 22)');
  };
  const conns = [conn];
  const accept = () => (conns.length > 0 ? Promise.resolve(conns.pop()!) : new Promise<never>(() => {}));
  vi.stubGlobal('Deno', { listen: () => ({ addr: { port: 7 }, accept, close() {} }) });
  const server = serve({ port: 7, handshakeTimeout: 1_000, closeTimeout: 1_000 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(conn.closed).toBe(1);
  await server.close();
});

test('a server may be closed twice, though a listener of Deno may not', async () => {
  let closed = 0;
  const listener = {
    addr: { port: 7 },
    accept: () => new Promise(() => {}),
    close() {
      if (closed++ > 0) throw Object.assign(new Error('Bad resource ID'), { name: 'BadResource' });
    },
  };
  vi.stubGlobal('Deno', { listen: () => listener });
  const server = serve({ port: 7 });
  await Promise.all([server.close(), server.close()]);
  expect(closed).toBe(2);
});

test.each(['before', 'while'] as const)('an abort %s TLS shakes hands lets the connection go', async (when) => {
  const conn = silent();
  let dialled: (conn: DenoConn) => void = () => {};
  vi.stubGlobal('Deno', {
    connectTls: () =>
      new Promise((resolve) => {
        dialled = resolve;
      }),
  });
  const abort = new AbortController();
  const attempt = connect('wss://example.test/', { signal: abort.signal }).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(10);
  if (when === 'while') dialled(conn);
  await vi.advanceTimersByTimeAsync(10);
  expect(conn.closed).toBe(0);
  abort.abort(new Error('as asked'));
  expect(await attempt).toMatchObject({ message: 'as asked' });
  dialled(conn);
  await vi.advanceTimersByTimeAsync(10);
  expect(conn.closed).toBe(1);
});
