/**
 * Soaks a server and its clients, and looks at what is left of them.
 *
 *     npm run soak -- [--minutes 1] [--connections 500] [--seed 1]
 *
 * README.md says what must hold. The exit status is 1 if it does not.
 */

import { readdirSync } from 'node:fs';
import { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import { Connection } from '../src/connection/connection.ts';
import { Endpoint } from '../src/endpoint/endpoint.ts';
import { UsageError, WebSocketError } from '../src/errors.ts';
import { DeflateTransform } from '../src/extension/permessage-deflate/transform.ts';
import { serve } from '../src/server/index.ts';
import { SocketTransport } from '../src/transport/node/index.ts';
import { seededNumbers } from '../test/support/random.ts';
import { LIVES, SERVER_OPTIONS, serveLife, type World } from './lives.ts';

const HEAP_GROWTH = 65_536;
const RESIDENT_GROWTH = 1_048_576;
/** Longer than any deadline of a life. */
const PATIENCE = 15_000;
const MEBIBYTE = 1_048_576;

/** What must be as many at rest as at the start. Each costs a look at the whole heap; these hold all the others. */
const CLASSES = { Connection, Endpoint, SocketTransport, DeflateTransform, Socket };

interface Rest {
  readonly counts: Readonly<Record<string, number>>;
  readonly heap: number;
  readonly resident: number;
}

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    connections: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
  },
});
const minutes = Number(values.minutes);
const connections = Number(values.connections);
if (!(minutes > 0 && minutes <= 600 && connections >= 1 && connections <= 2_000)) {
  throw new Error('--minutes is at most 600, and --connections at most 2000');
}
/** Whether it lasts long enough that pools are filled and the code is compiled when growth is judged. */
const judged = minutes >= 1;
const rests = judged ? 8 : 2;
const { gc } = globalThis;
if (gc === undefined) throw new Error('needs --expose-gc: npm run soak');

const server = await serve(SERVER_OPTIONS, serveLife);
const world: World = { port: server.port!, chance: seededNumbers(Number(values.seed)) };
const names = Object.keys(LIVES);
const lived = new Map<string, number>(names.map((name) => [name, 0]));
const failures: string[] = [];
let unopened = 0;
process.on('unhandledRejection', (error) => failures.push(`an unhandled rejection: ${error}`));
process.on('warning', (warning) => {
  // Of `v8.queryObjects`.
  if (warning.name !== 'ExperimentalWarning') failures.push(`a warning: ${warning}`);
});

/** Lives one life after the other, of any kind; the first ones in turn, so that none is left out. */
async function liveUntil(end: number): Promise<void> {
  do {
    const fewest = names.find((name) => lived.get(name) === 0);
    const name = fewest ?? names[Math.floor(names.length * world.chance())]!;
    lived.set(name, lived.get(name)! + 1);
    try {
      await LIVES[name]!(world);
    } catch (error) {
      // Among thousands, a connection may be too slow to open.
      if (error instanceof WebSocketError && !(error instanceof UsageError)) unopened++;
      else failures.push(`${name}: ${error}`);
    }
  } while (performance.now() < end);
}

/** Waits until the server has nobody left, then collects and counts. */
async function rest(): Promise<Rest> {
  const start = performance.now();
  const busy = () => {
    const { connections: open, pending } = server.statistics;
    return open + pending > 0 || handles() !== baseHandles;
  };
  while (busy() && performance.now() - start < PATIENCE) await turn(20);
  // What Node itself lets go of in later turns: ended requests of the resolver, sockets, streams of zlib.
  for (let i = 0; i < 5; i++) {
    gc!();
    await turn(20);
  }
  const { heapUsed, rss } = process.memoryUsage();
  return { counts: counted(), heap: heapUsed, resident: rss };
}

function counted(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, type] of Object.entries(CLASSES)) {
    counts[name] = v8.queryObjects(type as unknown as () => void, { format: 'count' });
  }
  counts['handles'] = handles();
  const descriptors = '/proc/self/fd';
  if (process.platform === 'linux') counts['file descriptors'] = readdirSync(descriptors).length;
  return counts;
}

/** Sockets and listeners that are at work. Timers are left out: this loop has its own, and what a timer holds is counted as an object. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate').length;
}

function turn(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

const baseHandles = handles();
const base = await rest();
const taken: Rest[] = [];
console.log(`seed ${values.seed}, ${connections} connections, ${minutes} min, ${names.length} kinds of lives`);
const began = performance.now();
for (let i = 1; i <= rests; i++) {
  const end = performance.now() + (60_000 * minutes) / rests;
  await Promise.all(Array.from({ length: connections }, () => liveUntil(end)));
  const now = await rest();
  taken.push(now);
  const { opened, refused } = server.statistics;
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  const memory = `heap ${(now.heap / MEBIBYTE).toFixed(2)} MiB, resident ${(now.resident / MEBIBYTE).toFixed(1)} MiB`;
  console.log(`${seconds.padStart(5)} s: ${opened} opened, ${refused} refused; ${memory}`);
  for (const [name, count] of Object.entries(now.counts)) {
    if (count !== base.counts[name]) failures.push(`rest ${i}: ${count} × ${name}, not ${base.counts[name]}`);
  }
}
const heap = growth(taken.slice(rests / 2).map((each) => each.heap));
const resident = growth(taken.slice(rests / 2).map((each) => each.resident));
console.log(
  `a rest adds ${(heap / 1_024).toFixed(1)} KiB of heap, ${(resident / 1_024).toFixed(0)} KiB of resident memory`,
);
console.log(`closed by code: ${JSON.stringify(server.metrics().closedByCode)}`);
console.log(`${unopened} clients did not open in time`);
console.log(`refused by status: ${JSON.stringify(server.metrics().refusedByStatus)}`);
if (judged && heap > HEAP_GROWTH) failures.push(`the heap grows by ${heap} bytes a rest`);
if (minutes >= 5 && resident > RESIDENT_GROWTH) failures.push(`resident memory grows by ${resident} bytes a rest`);
const unlived = names.filter((name) => lived.get(name) === 0);
if (unlived.length > 0) failures.push(`never lived: ${unlived.join('; ')}`);
await server.close();
for (const failure of failures) console.error(`FAILED: ${failure}`);
if (failures.length === 0) console.log('nothing is left');
process.exitCode = failures.length === 0 ? 0 : 1;

/** The slope of the line that fits best, a step. */
function growth(series: readonly number[]): number {
  const middle = (series.length - 1) / 2;
  const mean = series.reduce((sum, value) => sum + value, 0) / series.length;
  let along = 0;
  let square = 0;
  for (const [i, value] of series.entries()) {
    along += (i - middle) * (value - mean);
    square += (i - middle) ** 2;
  }
  return along / square;
}
