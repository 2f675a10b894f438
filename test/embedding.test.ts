/**
 * The shells that docs/embedding.md builds, taken from the page: each step does what the page says, and no step before it
 * does; the whole has the size that is promised; and its transport keeps the contract of transports.
 */
import { rmSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { connect } from '../src/client/index.ts';
import type { Endpoint } from '../src/endpoint/endpoint.ts';
import type { Transport } from '../src/endpoint/index.ts';
import type { ConnectionEvent, ConnectionOptions, ServerConnection } from '../src/index.ts';
import { nodeEnvironment, nodePlatform } from '../src/transport/node/index.ts';
import { describeContract, idle } from './contract/contract.ts';
import { established } from './contract/joins/established.ts';
import { blocksOf, writeBlocks } from './support/code-blocks.ts';

/** Inside of the repository, so that packages resolve; ignored by git; not that of another run. */
const SCRATCH = fileURLToPath(new URL(`../artifacts/embedding-test-${process.pid}/`, import.meta.url));
const MIB = 1_048_576;

const blocks = blocksOf('docs/embedding.md');
const named = (name: string) => blocks.find((block) => block.name === name)!;
writeBlocks(SCRATCH, blocks);
const load = <T>(name: string) => import(SCRATCH + name) as Promise<T>;

type Handle = (event: ConnectionEvent, connection: ServerConnection) => void;
/** The first three steps take a function, the whole an application. */
type Serve = (stream: Duplex, application: never, options?: ConnectionOptions) => () => void;

const STEPS = ['step-1.ts', 'step-2.ts', 'step-3.ts', 'shell.ts'] as const;
const shells = new Map<string, Serve>();
for (const step of STEPS) shells.set(step, (await load<{ serveStream: Serve }>(step)).serveStream);
const { overStreams } = await load<{ overStreams: (from: Readable, to: Writable) => Transport }>('transport.ts');

const listening: Server[] = [];
afterEach(async () => {
  for (const server of listening.splice(0)) await new Promise((resolve) => server.close(resolve));
});
afterAll(() => rmSync(SCRATCH, { recursive: true, force: true }));

/** A step behind a socket. What the handle is for the first steps is half of an application for the last. */
async function behindSocket(
  step: string,
  handle: Handle,
  options?: ConnectionOptions,
  ready: (connection: ServerConnection) => boolean = () => true,
): Promise<{ port: number; accepted: Promise<Socket> }> {
  const serve = shells.get(step)!;
  let accept: (stream: Socket) => void = () => {};
  const accepted = new Promise<Socket>((resolve) => {
    accept = resolve;
  });
  const server = createServer((stream) => {
    serve(stream, (step === 'shell.ts' ? { ready, handle } : handle) as never, options);
    accept(stream);
  });
  listening.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as { port: number }).port, accepted };
}

const echo: Handle = (event, connection) => {
  if (event.type === 'request') connection.accept(performance.now());
  if (event.type !== 'message') return;
  if (event.kind === 'text') connection.sendText(event.data);
  else connection.sendBinary(event.data);
};

/** One message after the other, each when the last has come back; how many did. */
async function converse(socket: Endpoint, count: number, message: string | Uint8Array): Promise<number> {
  let heard = 0;
  return new Promise((resolve) => {
    socket.on('message', ({ data }) => {
      heard += data.length === message.length ? 1 : 0;
      if (heard < count) socket.send(message);
      else resolve(heard);
    });
    socket.on('close', () => resolve(heard));
    socket.send(message);
  });
}

describe('the steps', () => {
  test.each(STEPS)('%s opens connections and echoes', async (step) => {
    const { port } = await behindSocket(step, echo);
    const socket = await connect(`ws://127.0.0.1:${port}/`);
    expect(await converse(socket, 3, 'hello')).toBe(3);
    socket.terminate();
  });

  test('each is the one before, and a little more', () => {
    for (const [i, step] of STEPS.entries()) {
      if (i === 0) continue;
      const lines = linesOf(step);
      const gone = linesOf(STEPS[i - 1]!).filter((line) => !lines.includes(line));
      expect(gone.length, `${step} drops ${gone.join('\n')}`).toBeLessThanOrEqual(9);
      expect(lines.length, step).toBeGreaterThan(linesOf(STEPS[i - 1]!).length);
    }
  });

  test('the last is a shell of some thirty lines, and so is the transport', () => {
    const body = (name: string) => {
      const lines = linesOf(name);
      return lines.slice(lines.findIndex((line) => line.startsWith('export function'))).length;
    };
    expect(body('shell.ts')).toBeLessThanOrEqual(36);
    expect(body('transport.ts')).toBeLessThanOrEqual(46);
  });

  test('without the second, what was written is never told: the limit of unsent bytes ends the connection', async () => {
    for (const [step, messages] of [
      ['step-1.ts', 63],
      ['step-2.ts', 100],
    ] as const) {
      const { port } = await behindSocket(step, echo);
      // The first step never ends its stream: only the deadline does.
      const socket = await connect(`ws://127.0.0.1:${port}/`, { closeTimeout: 50 });
      const heard = await converse(socket, 100, new Uint8Array(65_536));
      expect(Math.abs(heard - messages), `${step}: ${heard}`).toBeLessThanOrEqual(2);
      socket.terminate();
    }
  });

  test.each(STEPS.slice(1))('%s ends as it should, whoever begins', async (step) => {
    const ends: ConnectionEvent[] = [];
    const { port } = await behindSocket(step, (event, connection) => {
      if (event.type === 'message') connection.close(performance.now(), 4_000, 'as asked');
      else echo(event, connection);
      if (event.type === 'closed') ends.push(event);
    });
    const left = await connect(`ws://127.0.0.1:${port}/`);
    expect(await left.close(1_000, 'bye')).toMatchObject({ code: 1_000, clean: true });
    const right = await connect(`ws://127.0.0.1:${port}/`);
    right.resume();
    right.send('close');
    expect(await right.closed).toMatchObject({ code: 4_000, reason: 'as asked', clean: true });
    const broken = await connect(`ws://127.0.0.1:${port}/`);
    broken.terminate();
    await until(() => ends.length === 3);
    expect(ends).toMatchObject([{ code: 1_000, clean: true }, { clean: true }, { code: 1_006, clean: false }]);
  });

  test.each(STEPS.slice(2))('%s keeps nobody who says nothing', async (step) => {
    const { port } = await behindSocket(step, echo, { handshakeTimeout: 20 });
    const silent = dial({ port, host: '127.0.0.1' });
    let heard = '';
    silent.on('data', (bytes) => {
      heard += String(bytes);
    });
    await new Promise((resolve) => silent.once('end', resolve));
    expect(heard).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('the last holds a peer back that does not read', async () => {
    let most = 0;
    let held = 0;
    let stream: Socket | null = null;
    const { port, accepted } = await behindSocket('shell.ts', echo, {}, (connection) => {
      const unsent = connection.bufferedAmount;
      most = Math.max(most, unsent);
      if (stream?.isPaused() === true) held++;
      return unsent < 65_536 || connection.readyState !== 'open';
    });
    void accepted.then((accepted) => {
      stream = accepted;
    });
    const socket = await connect(`ws://127.0.0.1:${port}/`, { maxBufferedAmount: 64 * MIB });
    const message = new Uint8Array(16_384);
    const count = (32 * MIB) / message.length;
    let heard = 0;
    socket.on('message', () => {
      heard++;
    });
    socket.pause();
    for (let i = 0; i < count; i++) socket.send(message);
    await until(() => stream?.isPaused() === true && stream.writableLength > 0);
    socket.resume();
    await until(() => heard === count);
    expect(held).toBeGreaterThan(0);
    expect(most, 'two high-water marks, and a message').toBeLessThan(3 * 65_536);
    expect(await socket.close()).toMatchObject({ clean: true });
  });
});

const lent = { environment: nodeEnvironment, platform: nodePlatform, idle };

/** Two connected sockets, the accepted one first. */
async function sockets(listener: Server): Promise<[Socket, Socket]> {
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  const { port } = listener.address() as { port: number };
  const dialed = dial({ port, host: '127.0.0.1', allowHalfOpen: true });
  return [await accepted, dialed];
}

async function listen(): Promise<Server> {
  const listener = createServer({ allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return listener;
}

describeContract(
  "the page's transport over a socket",
  established(lent, async () => {
    const listener = await listen();
    const [near, far] = await sockets(listener);
    return {
      server: overStreams(near, near),
      client: overStreams(far, far),
      reset: () => far.resetAndDestroy(),
      dispose: () => new Promise((resolve) => listener.close(resolve)),
    };
  }),
);

describeContract(
  "the page's transport over two streams, one for each direction",
  established(lent, async () => {
    const listener = await listen();
    const [upNear, upFar] = await sockets(listener);
    const [downNear, downFar] = await sockets(listener);
    // What a direction does not use of its socket must not keep it open.
    upNear.end();
    downFar.end();
    upFar.resume();
    downNear.resume();
    return {
      server: overStreams(upNear, downNear),
      client: overStreams(downFar, upFar),
      reset() {
        upFar.resetAndDestroy();
        downFar.resetAndDestroy();
      },
      dispose: () => new Promise((resolve) => listener.close(resolve)),
    };
  }),
);

/** Lines of code, without the comments and what is imported. */
function linesOf(name: string): string[] {
  return named(name)
    .code.split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*(\/\/|\/\*\*)|^import /.test(line));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
