/** Sockets that are written to past the stream: what the kernel takes late, or never, is told like any other. */
import { createHook } from 'node:async_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { directWriteAvailable, handleOf } from '../../src/transport/node/direct-write.ts';
import { SocketTransport } from '../../src/transport/node/socket.ts';
import type { TransportSink } from '../../src/transport/transport.ts';

const MIB = 1_048_576;
/** More than a kernel takes for a peer that does not read. */
const LARGE = 32 * MIB;
/** Node 26 asks for no request any more: there, sockets write as usual. */
const KNOWN = Number(process.versions.node.split('.')[0]) < 26;

let listener: Server | null = null;
let sockets: Socket[] = [];
let directory: string | null = null;

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await new Promise((resolve) => (listener === null ? resolve(null) : listener.close(resolve)));
  listener = null;
  if (directory !== null) rmSync(directory, { recursive: true });
  directory = null;
  vi.restoreAllMocks();
});

/** The same over a UNIX socket. */
function unixPair() {
  directory = mkdtempSync(join(tmpdir(), 'sansocket-'));
  return pair({ path: join(directory, 's') });
}

/** Two ends of a connection: what a server accepted, and the peer's, which does not read yet. */
async function pair(where: { path?: string } = {}): Promise<{ accepted: Socket; peer: Socket; port: number }> {
  const server = createServer({ allowHalfOpen: true });
  listener = server;
  await new Promise<void>((resolve) => server.listen(where.path ?? { port: 0, host: '127.0.0.1' }, resolve));
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as { port: number };
  const target = where.path === undefined ? { port, host: '127.0.0.1' } : { path: where.path };
  const peer = dial({ ...target, allowHalfOpen: true });
  const accepted = await accepting;
  peer.on('error', () => {});
  sockets.push(accepted, peer);
  return { accepted, peer, port };
}

interface Seen {
  readonly transport: SocketTransport;
  readonly closed: Promise<unknown>;
  /** Resolves with the next `written`. */
  wrote(): Promise<void>;
  /** How often the stream itself was asked to write. */
  readonly streamed: () => number;
}

function watch(socket: Socket, internals = true): Seen {
  const { write } = Socket.prototype;
  const spy = vi.isMockFunction(write) ? vi.mocked(write) : vi.spyOn(Socket.prototype, 'write');
  let tell: (() => void) | null = null;
  const transport = new SocketTransport(socket, { internals });
  const closed = new Promise<unknown>((resolve) => {
    const sink: TransportSink = {
      received() {},
      receivedBorrowed() {},
      written: () => tell?.(),
      ended() {},
      closed: resolve,
    };
    transport.start(sink);
  });
  return {
    transport,
    closed,
    wrote: () => new Promise<void>((resolve) => (tell = resolve)),
    streamed: () => spy.mock.contexts.filter((each) => (each as unknown) === socket).length,
  };
}

/** `size` bytes that tell their place. */
function pattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = i * 7 + (i >>> 8);
  return bytes;
}

function readAll(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
  });
}

test('the probe shows how, on every Node that asks for a request', () => {
  expect(directWriteAvailable).toBe(KNOWN);
});

describe.each([
  ['past the stream', true],
  ['public API only', false],
] as const)('%s', (_, internals) => {
  const past = internals && KNOWN;

  test('chunks leave in order, and the stream is not asked', async () => {
    const { accepted, peer } = await pair();
    const { transport, streamed } = watch(accepted, internals);
    const arrived = readAll(peer);
    const bytes = pattern(5_000);
    expect(transport.write([bytes.subarray(0, 10)])).toBe(0);
    expect(transport.write([bytes.subarray(10, 11), bytes.subarray(11, 4_000), bytes.subarray(4_000)])).toBe(0);
    expect(transport.unwritten).toBe(0);
    expect(streamed() === 0).toBe(past);
    transport.end();
    expect(Buffer.compare(await arrived, bytes)).toBe(0);
    expect(accepted.bytesWritten).toBe(5_000);
  });

  test('nothing is written of no chunks, and of empty ones', async () => {
    const { accepted, peer } = await pair();
    const { transport } = watch(accepted, internals);
    const arrived = readAll(peer);
    expect(transport.write([])).toBe(0);
    expect(transport.write([new Uint8Array(0)])).toBe(0);
    expect(transport.write([new Uint8Array(0), Uint8Array.of(7), new Uint8Array(0)])).toBe(0);
    transport.end();
    expect([...(await arrived)]).toEqual([7]);
  });

  test('a UNIX socket is like any other', async () => {
    const { accepted, peer } = await unixPair();
    const { transport, wrote, streamed } = watch(accepted, internals);
    const bytes = pattern(4 * MIB);
    const left = transport.write([bytes.subarray(0, 10), bytes.subarray(10)]);
    expect(left).toBeGreaterThan(MIB);
    expect(streamed() === 0).toBe(past);
    transport.end();
    const arrived = readAll(peer);
    while (transport.unwritten > 0) await wrote();
    expect(Buffer.compare(await arrived, bytes)).toBe(0);
  });

  test('two that wait at the same time do not disturb each other, and what comes at once goes by them', async () => {
    const [one, two, three] = [await pair(), await pair(), await pair()];
    const [a, b, c] = [one, two, three].map(({ accepted }) => watch(accepted, internals));
    const bytes = pattern(LARGE);
    const half = LARGE / 2;
    expect(a!.transport.write([bytes.subarray(0, half)])).toBeGreaterThan(MIB);
    expect(b!.transport.write([bytes.subarray(0, half)])).toBeGreaterThan(MIB);
    expect(c!.transport.write([bytes.subarray(0, 100)])).toBe(0);
    expect(a!.transport.write([bytes.subarray(half)])).toBeGreaterThan(half);
    two.peer.resetAndDestroy();
    c!.transport.end();
    a!.transport.end();
    const [whole, short] = await Promise.all([readAll(one.peer), readAll(three.peer), b!.closed]);
    expect(Buffer.compare(whole, bytes)).toBe(0);
    expect(Buffer.compare(short, bytes.subarray(0, 100))).toBe(0);
  });

  test('whoever listens to asynchronous operations may write in the middle of a write', async () => {
    const [outer, late, quick] = [await pair(), await pair(), await pair()];
    const bytes = pattern(LARGE);
    const { transport, wrote } = watch(outer.accepted, internals);
    const inner = watch(late.accepted, internals);
    const last = watch(quick.accepted, internals);
    let nested = 0;
    const hook = createHook({
      init() {
        if (nested++ > 0) return;
        inner.transport.write([bytes]);
        last.transport.write([bytes.subarray(0, 9)]);
      },
    }).enable();
    transport.write([bytes]);
    hook.disable();
    expect(nested).toBeGreaterThan(0);
    for (const each of [transport, inner.transport, last.transport]) each.end();
    const arrived = [outer, late, quick].map(({ peer }) => readAll(peer));
    while (transport.unwritten > 0) await wrote();
    const [a, b, c] = await Promise.all(arrived);
    expect([a!, b!].map((each) => Buffer.compare(each, bytes))).toEqual([0, 0]);
    expect(Buffer.compare(c!, bytes.subarray(0, 9))).toBe(0);
  });

  test('who writes is not idle', async () => {
    const { accepted, peer } = await pair();
    const { transport, wrote } = watch(accepted, internals);
    accepted.setTimeout(1_000_000);
    const refreshed = vi.spyOn(accepted, 'setTimeout');
    transport.write([new Uint8Array(3)]);
    expect(refreshed.mock.calls).toEqual(past ? [[1_000_000]] : []);
    transport.write([pattern(LARGE)]);
    peer.resume();
    await wrote();
    if (past) expect(refreshed).toHaveBeenCalledTimes(3);
  });

  test('what the kernel does not take at once is unwritten until it has left', async () => {
    const { accepted, peer } = await pair();
    const { transport, wrote } = watch(accepted, internals);
    const bytes = pattern(LARGE);
    const left = transport.write([bytes.subarray(0, LARGE - 2 * MIB)]);
    expect(left).toBeGreaterThan(MIB);
    expect(transport.unwritten).toBe(left);
    const more = transport.write([bytes.subarray(LARGE - 2 * MIB, LARGE - MIB), bytes.subarray(LARGE - MIB)]);
    expect(more).toBe(left + 2 * MIB);
    transport.end();
    const arrived = readAll(peer);
    while (transport.unwritten > 0) await wrote();
    expect(Buffer.compare(await arrived, bytes)).toBe(0);
  });

  test('a peer that resets with much under way ends the connection, and what was lost is known', async () => {
    const { accepted, peer } = await pair();
    const { transport, closed } = watch(accepted, internals);
    const left = transport.write([pattern(LARGE)]);
    expect(left).toBeGreaterThan(MIB);
    // Nothing is read: only the write can notice.
    transport.pause();
    peer.resetAndDestroy();
    expect((await closed) as NodeJS.ErrnoException).toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
    });
    expect(transport.unwritten).toBeGreaterThan(MIB);
    expect(transport.write([new Uint8Array(5)])).toBeGreaterThan(MIB);
  });

  test('an error at once is that of the system, and nothing was taken', async () => {
    const { accepted, peer } = await pair();
    const { transport, closed } = watch(accepted, internals);
    transport.pause();
    peer.resetAndDestroy();
    await new Promise((resolve) => peer.once('close', resolve));
    await new Promise((resolve) => setImmediate(resolve));
    const lost = transport.write([new Uint8Array(7), new Uint8Array(3)]);
    if (past) expect(lost).toBe(10);
    expect((await closed) as NodeJS.ErrnoException).toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
      syscall: expect.stringMatching(/^(read|write)$/),
    });
  });

  test('destroyed with much under way: closed once, without an error', async () => {
    const { accepted } = await pair();
    const { transport, closed } = watch(accepted, internals);
    expect(transport.write([pattern(LARGE)])).toBeGreaterThan(MIB);
    transport.destroy();
    const lost = transport.unwritten;
    expect(lost).toBeGreaterThan(MIB);
    expect(transport.write([new Uint8Array(7), new Uint8Array(3)])).toBe(lost + 10);
    expect(await closed).toBeUndefined();
    expect(transport.unwritten).toBe(lost + 10);
  });
});

describe('left to the stream', () => {
  test('a socket whose handle is not of Node itself', async () => {
    const { accepted } = await pair();
    expect(handleOf(accepted) === null).toBe(!KNOWN);
    const handle = { writeBuffer: () => 0, writev: () => 0, writeQueueSize: 0, readStart: () => 0, close() {} };
    const other = new Socket({ handle } as object);
    sockets.push(other);
    expect(handleOf(other)).toBeNull();
    const own = (accepted as unknown as { _handle: { writev?: unknown } })._handle;
    own.writev = () => 0;
    expect(handleOf(accepted)).toBeNull();
    delete own.writev;
    const { handle: bare } = { handle: Object.assign(Object.create(null), handle) };
    expect(handleOf({ ...handle, _handle: bare, writableLength: 0 } as unknown as Socket)).toBeNull();
  });

  test('a socket that has a way of its own to write', async () => {
    const { accepted } = await pair();
    for (const name of ['write', '_write', '_writev'] as const) {
      const own = accepted as unknown as Record<string, unknown>;
      own[name] = () => {};
      expect(handleOf(accepted), name).toBeNull();
      delete own[name];
    }
    expect(handleOf(accepted) === null).toBe(!KNOWN);
  });

  test('a socket that has something to write already, is not connected yet, or not any more', async () => {
    const { accepted, peer, port } = await pair();
    accepted.cork();
    accepted.write('x');
    expect(handleOf(accepted)).toBeNull();
    peer.destroy();
    expect(handleOf(peer)).toBeNull();
    const early = dial(port, '127.0.0.1');
    sockets.push(early);
    expect(handleOf(early)).toBeNull();
  });
});
