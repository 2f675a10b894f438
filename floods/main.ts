/**
 * Floods against real servers.
 *
 *     npm run floods -- [--seconds N] [--only ours|ws] [words of a flood's name…]
 *
 * The exit status is 1 if ours took 8 MiB or more, or did not answer a fresh client. README.md says what is measured.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { connect } from '../src/client/index.ts';
import { FLOODS } from './kinds.ts';

const MEBIBYTE = 1_048_576;
const MOST_GROWTH = 8 * MEBIBYTE;
/** A fresh client that waits longer waits in vain. */
const PATIENCE = 5_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
  },
});

/** A process that is spoken to in lines. */
class Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: AsyncIterator<string>;

  constructor(file: string, words: readonly string[]) {
    const script = new URL(file, import.meta.url).pathname;
    // With a small young generation what is not collected yet does not look like what is held.
    const flags = ['--expose-gc', '--max-semi-space-size=1', '--import', 'tsx', script];
    this.process = spawn(process.execPath, [...flags, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
    const reader: Interface = createInterface({ input: this.process.stdout });
    this.lines = reader[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('a child process ended early');
    return value;
  }

  async ask(question: string): Promise<number> {
    this.process.stdin.write(`${question}\n`);
    return Number(await this.line());
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.stdin.end();
    this.process.kill('SIGKILL');
    await ended;
  }
}

interface Result {
  readonly growth: number;
  readonly sent: number;
  readonly connections: number;
  /** Fresh clients that had their echo while the flood went on, and what the slowest of them waited. */
  readonly answered: number;
  readonly slowest: number;
  readonly inVain: number;
}

/** One echo of a client that has just connected, in milliseconds; null if none came. */
async function fresh(port: number): Promise<number | null> {
  const began = performance.now();
  try {
    const socket = await connect(`ws://127.0.0.1:${port}`, { handshakeTimeout: PATIENCE, pingInterval: null });
    const echo = new Promise<boolean>((resolve) => {
      socket.on('message', () => resolve(true));
      socket.on('close', () => resolve(false));
    });
    const timer = setTimeout(() => socket.terminate(), PATIENCE);
    socket.send('fresh');
    const came = await echo;
    clearTimeout(timer);
    const took = performance.now() - began;
    await socket.close();
    return came ? took : null;
  } catch {
    return null;
  }
}

/** Ordinary traffic, so that what the runtime takes for any traffic at all is not counted as growth. */
async function warmUp(port: number, compression: boolean): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = await connect(`ws://127.0.0.1:${port}`, { compression });
        let heard: (event: unknown) => void = () => {};
        socket.on('message', (event) => heard(event));
        for (let left = 40; left > 0; left--) {
          const echo = new Promise((resolve) => {
            heard = resolve;
          });
          socket.send(new Uint8Array(1_000));
          await echo;
        }
        await socket.close();
      }),
    );
  }
}

async function run(which: string, name: string): Promise<Result> {
  const { deflate = false } = FLOODS[name]!();
  const server = new Child('./server.ts', [which, deflate ? 'deflate' : 'plain']);
  let attacker: Child | null = null;
  try {
    const port = Number(await server.line());
    await warmUp(port, deflate);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = await server.ask('mark');
    const duration = 1_000 * Number(values.seconds);
    attacker = new Child('./attacker.ts', [name, `${port}`, `${duration}`]);
    let line = await attacker.line();
    let over = line !== 'begun';
    const last = over
      ? Promise.resolve()
      : attacker.line().then((said) => {
          line = said;
          over = true;
        });
    const waits: (number | null)[] = [];
    while (!over) {
      const wait = await fresh(port);
      // One that was not answered before the end says nothing, unless it never is.
      if (!over || wait === null) waits.push(wait);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await last;
    const peak = await server.ask('peak');
    const { bytes, connections } = JSON.parse(line) as { bytes: number; connections: number };
    const answered = waits.filter((wait) => wait !== null);
    return {
      growth: Math.max(0, peak - before),
      sent: bytes,
      connections,
      answered: answered.length,
      slowest: Math.max(0, ...answered),
      inVain: waits.length - answered.length,
    };
  } finally {
    await attacker?.end();
    await server.end();
  }
}

const mebibytes = (count: number) => (count / MEBIBYTE).toFixed(1);
const COLUMNS = ['flood', 'server', 'MiB sent', 'connections', 'MiB grown', 'answered', 'in vain', 'slowest ms'];
const row = (cells: readonly string[]) =>
  console.log(cells.map((cell, i) => (i < 2 ? cell.padEnd(i === 0 ? 20 : 8) : cell.padStart(12))).join(''));

const names = Object.keys(FLOODS).filter(
  (name) => positionals.length === 0 || positionals.some((word) => name.includes(word)),
);
if (names.length === 0) throw new Error(`there are ${Object.keys(FLOODS).join('; ')}`);
const failures: string[] = [];
row(COLUMNS);
for (const name of names) {
  for (const which of values.only === undefined ? ['ours', 'ws'] : [values.only]) {
    const { growth, sent, connections, answered, slowest, inVain } = await run(which, name);
    const figures = [
      mebibytes(sent),
      `${connections}`,
      mebibytes(growth),
      `${answered}`,
      `${inVain}`,
      slowest.toFixed(0),
    ];
    row([name, which, ...figures]);
    if (which !== 'ours') continue;
    if (growth >= MOST_GROWTH) failures.push(`${name}: grew by ${mebibytes(growth)} MiB`);
    if (answered === 0) failures.push(`${name}: no fresh client was answered before the end`);
    if (inVain > 0) failures.push(`${name}: ${inVain} fresh clients waited in vain`);
  }
}
for (const failure of failures) console.error(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
