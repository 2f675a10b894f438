// Compression: what the codecs cost, an echo against ws with the same parameters, and what an idle connection keeps; each with
// its target.

import { type Bench, interleave, startNode, startServer } from '../harness/bench.ts';
import type { Sample } from '../harness/load-generator.ts';
import { benchPath } from '../harness/paths.ts';
import { type Peer, peer } from '../harness/peers.ts';
import { Child } from '../harness/processes.ts';
import { type Row, summarise } from '../harness/result.ts';
import { align, printTable } from '../harness/table.ts';
import { sizeName } from './echo.ts';

/** Of one codec: its output against zlib's, and microseconds of CPU a message. */
interface CodecFigures {
  readonly size: number;
  readonly deflate: number;
  readonly takeover: number;
  readonly inflate: number;
}

interface CodecRow {
  readonly kind: string;
  readonly size: number;
  readonly ratio: number;
  readonly sync: { readonly deflate: number; readonly inflate: number };
  readonly pure: CodecFigures;
  readonly node: CodecFigures;
}

/** A cell. `value` is null where a peer is missing or failed. */
interface Target {
  readonly row: string;
  readonly value: number | null;
  readonly target: number;
  readonly relation: '>=' | '<=';
  readonly ok: boolean;
}

export interface DeflateReport {
  readonly ok: boolean;
  readonly codecs: readonly CodecRow[];
  readonly echo: readonly Row[];
  readonly targets: readonly Target[];
}

/** So many that the garbage of opening them, some 10 MiB in all that V8 holds on to, counts for little. */
const IDLE_CONNECTIONS = 10_000;
/** What ws does by default, too: level 6, windows of 15 bits, from 1,024 bytes on. */
const SAME = { windowBits: 15, level: 6, threshold: 1_024 };

export async function deflate(bench: Bench): Promise<DeflateReport> {
  const codecs = await runCodecs(bench);
  const targets: Target[] = codecs
    .filter(({ kind }) => kind === 'JSON')
    .map(({ size, pure }) => cell(`bytes of the pure code / zlib, JSON ${sizeName(size)}`, pure.size, '<=', 1.05));
  const echo: Row[] = [];
  for (const takeover of [true, false]) {
    for (const size of [1_024, 16_384]) {
      const row = await runEcho(bench, size, takeover);
      echo.push(row);
      const versus = (id: string) => row.peers.find((each) => each.peer === id)?.versus['ws']?.rate ?? null;
      targets.push(cell(`${row.name}, messages / ws`, versus('ours'), '>=', size === 1_024 ? 2.5 : 1.2));
      targets.push(cell(`${row.name}, pure code, messages / ws`, versus('ours-public'), '>=', 1));
    }
  }
  for (const [memory, most] of [
    ['dedicated', 70],
    ['shared', 8],
  ] as const) {
    const cost = await idleMemory(bench, { compression: { memory } });
    targets.push(cell(`KiB for an idle connection, memory: '${memory}'`, cost, '<=', most));
  }
  return { ok: targets.every(({ ok }) => ok), codecs, echo, targets };
}

function cell(row: string, value: number | null, relation: Target['relation'], target: number): Target {
  const ok = value !== null && (relation === '>=' ? value >= target : value <= target);
  return { row, value, target, relation, ok };
}

async function runCodecs(bench: Bench): Promise<CodecRow[]> {
  bench.progress('codecs');
  const settings = { duration: bench.options.quick ? 20 : 80 };
  const child = startNode(benchPath('codec', 'deflate.mjs'), settings, peer('ours'));
  try {
    const rows: CodecRow[] = [];
    for (let i = 0; i < 5; i++) rows.push(await child.next<CodecRow>(60_000));
    return rows;
  } finally {
    await child.stop();
  }
}

async function runEcho(bench: Bench, size: number, takeover: boolean): Promise<Row> {
  const name = `echo of ${sizeName(size)} JSON, depth 16, ${takeover ? 'with' : 'without'} context takeover`;
  const agreed = { serverNoContextTakeover: !takeover, clientNoContextTakeover: !takeover };
  const settings = {
    mode: 'echo',
    options: { compression: { ...SAME, ...agreed } },
    perMessageDeflate: agreed,
  };
  const outcomes = await interleave(bench, name, ['ours', 'ours-public', 'ws'], async (entry) => {
    const file: Peer = entry.id === 'ws' ? { ...entry, file: 'ws-deflate.mjs' } : entry;
    const { server, port } = await startServer(file, settings);
    return {
      async measure(round) {
        const { duration } = bench.options;
        const warmup = bench.options.warmup * (round === 0 ? 4 : 1);
        const load = { port, pid: server.pid, size, takeover: takeover ? 1 : 0, connections: 16, depth: 16 };
        const program = startLoad({ ...load, warmup, duration });
        try {
          return await program.next<Sample>(warmup + duration + 30_000);
        } finally {
          await program.stop();
        }
      },
      stop: () => server.stop(),
    };
  });
  return summarise(name, 'message', outcomes);
}

function startLoad(options: Readonly<Record<string, string | number>>): Child {
  const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  return new Child('load', [process.execPath, benchPath('load', 'deflate.mjs'), ...words]);
}

/** KiB of resident memory for a connection that has had one message of 1 KiB each way; null if it cannot be measured. */
async function idleMemory(bench: Bench, options: object): Promise<number | null> {
  bench.progress(`idle connections, ${JSON.stringify(options)}`);
  const { server, port } = await startServer(peer('ours'), { mode: 'echo', options }, ['--expose-gc']);
  try {
    // Code and pools are there before the count begins.
    const warm = await idleLoad(port, 1_000);
    const before = await resident(server);
    const load = await idleLoad(port, IDLE_CONNECTIONS);
    const after = await resident(server);
    await warm.stop();
    await load.stop();
    return (after - before) / 1_024 / IDLE_CONNECTIONS;
  } catch {
    return null;
  } finally {
    await server.stop();
  }
}

async function idleLoad(port: number, connections: number): Promise<Child> {
  const load = startLoad({ port, connections, idle: 1 });
  await load.next(60_000);
  return load;
}

async function resident(server: Child): Promise<number> {
  server.say('memory');
  return (await server.next<{ rss: number }>(20_000)).rss;
}

export function printDeflate({ codecs, echo, targets }: DeflateReport): string {
  const figure = (value: number) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const cells = codecs.map(({ kind, size, ratio, pure, node, sync }) => [
    `${kind} ${sizeName(size)}`,
    ratio.toFixed(3),
    ...[pure, node].flatMap((each) => [
      each.size.toFixed(3),
      figure(each.deflate),
      figure(each.takeover),
      figure(each.inflate),
    ]),
    figure(sync.deflate),
    figure(sync.inflate),
    '',
  ]);
  const columns = ['bytes/zlib', 'deflate', 'takeover', 'inflate'];
  const headings = [
    'us CPU a message',
    'ratio',
    ...columns.map((each) => `pure ${each}`),
    ...columns.map((each) => `node ${each}`),
    'sync deflate',
    'inflate',
    '',
  ];
  const verdicts = targets.map(({ row, value, relation, target, ok }) => [
    row,
    value === null ? '-' : value.toFixed(3),
    relation,
    String(target),
    ok ? 'ok' : 'MISSED',
  ]);
  return [
    '\ncodecs',
    ...align([headings, ...cells]).map((line) => `  ${line}`),
    printTable({ suite: 'compressed echo', rows: echo }),
    '\ntargets',
    ...align(verdicts).map((line) => `  ${line}`),
  ].join('\n');
}
