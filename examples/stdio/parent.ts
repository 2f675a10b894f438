/**
 * Starts `child.ts`, and talks to it in WebSocket over its standard input and output. Run it with
 * `npx tsx examples/stdio/parent.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Endpoint, type EndpointOptions, EndpointSettings } from '../../src/endpoint/index.ts';
import { ClientConnection } from '../../src/index.ts';
import { nodeEnvironment, nodePlatform } from '../../src/transport/node/index.ts';
import { overStdio } from './transport.ts';

const MIB = 1_048_576;
/** How long a child may go on when its connection is over, in milliseconds. */
const GRACE = 2_000;

/** A child, and the open connection to it. */
export interface Opened {
  readonly child: ChildProcess;
  readonly socket: Endpoint;
  /** Resolves when the child has ended, with its status and the signal that killed it. */
  readonly exited: Promise<unknown[]>;
}

/** Starts the child. Rejects if it cannot be started, or does not answer the opening handshake; no process is left then. */
export function openChild(options: EndpointOptions = {}): Promise<Opened> {
  // Not `npx tsx`, which starts a process of its own: a signal has to reach the one that speaks.
  const file = fileURLToPath(new URL('child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<unknown[]>((resolve) => child.once('exit', (...how) => resolve(how)));
  const settings = new EndpointSettings({ platform: nodePlatform, ...options });
  const asked = { host: 'localhost', target: '/' };
  const connection = new ClientConnection(asked, settings.connection, nodeEnvironment.clock.now());
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    const transport = overStdio(child.stdout, child.stdin);
    const endpoint = new Endpoint(connection, transport, settings, nodeEnvironment, {
      opened: (socket) => resolve({ child, socket, exited }),
      closed(_, { error }) {
        reject(error);
        // It ends when its input does, unless it is stuck.
        setTimeout(() => child.kill('SIGKILL'), GRACE).unref();
      },
    });
    endpoint.start();
  });
}

async function talk(): Promise<void> {
  const { socket, exited } = await openChild();
  const messages = socket[Symbol.asyncIterator]();
  for (const data of ['hello', Uint8Array.of(1, 2, 3), new Uint8Array(MIB)]) {
    socket.send(data);
    const { value } = await messages.next();
    console.log(`parent: ${value?.kind} of ${value?.data.length}`);
  }
  console.log(`parent: latency ${(await socket.ping())?.toFixed(2)} ms`);
  const { code, clean } = await socket.close(1000, 'enough');
  console.log(`parent: closed with ${code}, clean: ${clean}`);
  console.log('parent: the child ended', ...(await exited));
}

async function kill(): Promise<void> {
  const { child, socket, exited } = await openChild();
  socket.send(new Uint8Array(MIB));
  child.kill('SIGKILL');
  const { code, clean } = await socket.closed;
  console.log(`parent: closed with ${code}, clean: ${clean}`);
  console.log('parent: the child ended', ...(await exited));
}

/** Reads nothing for a while, and sees how much the child takes. */
async function hold(): Promise<void> {
  const { socket, exited } = await openChild();
  socket.pause();
  const data = new Uint8Array(65_536);
  let sent = 0;
  for (let held = false; !held && sent < 16 * MIB; sent += data.length) {
    if (!socket.send(data).writable) held = await Promise.race([socket.drained().then(() => false), sleep(500, true)]);
  }
  console.log(`parent: held back after ${sent} bytes, of which ${socket.bufferedAmount} wait here`);
  let received = 0;
  socket.on('message', (message) => {
    received += message.data.length;
    if (received === sent) void socket.close();
  });
  socket.resume();
  await socket.closed;
  console.log(`parent: got all back: ${received === sent}`);
  console.log('parent: the child ended', ...(await exited));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const act of [talk, kill, hold]) {
    console.log(`— ${act.name}`);
    await act();
  }
}
