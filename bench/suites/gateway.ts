// Gateways to a UNIX socket that echoes: ours, one written with ws and its stream, and two sockets joined by pipe() (`raw`).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, type Contender, interleave } from '../harness/bench.ts';
import type { Sample } from '../harness/load-generator.ts';
import { benchPath } from '../harness/paths.ts';
import { Child } from '../harness/processes.ts';
import { type Row, type SuiteReport, summarise } from '../harness/result.ts';
import { sizeName } from './echo.ts';

const KIB = 1024;
const PEERS = ['ours', 'ws', 'raw'];
/** What 16 KiB messages must reach, in messages a second as in CPU a message: of `pipe()`, and of `ws`. */
const FLOORS = { raw: 0.5, ws: 2 } as const;
const FLOOR_SIZE = 16 * KIB;

export async function gateway(bench: Bench): Promise<SuiteReport> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const path = join(folder, 'echo');
  const backend = new Child('load', [process.execPath, file('echo'), JSON.stringify({ path })]);
  const rows: Row[] = [];
  try {
    await backend.next(10_000);
    for (const size of [KIB, FLOOR_SIZE, 256 * KIB]) {
      const name = `gateway ${sizeName(size)} binary x8 d4`;
      if (!name.includes(bench.options.filter)) continue;
      const outcomes = await interleave(bench, name, PEERS, async ({ id }) => contender(bench, id, path, size));
      rows.push(summarise(name, 'message', outcomes));
    }
  } finally {
    await backend.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  const missed = missedFloors(rows.find(({ name }) => name.includes(sizeName(FLOOR_SIZE))));
  for (const line of missed) console.error(`MISSED  ${line}`);
  if (missed.length > 0) process.exitCode = 1;
  return { suite: 'gateway', rows };
}

async function contender(bench: Bench, id: string, path: string, size: number): Promise<Contender> {
  const tested = new Child('tested', [process.execPath, file(id), JSON.stringify({ path })]);
  const { port } = await tested.next<{ port: number }>(10_000);
  return {
    async measure(round) {
      const { duration } = bench.options;
      const warmup = bench.options.warmup * (round === 0 ? 2 : 1);
      const raw = id === 'raw' ? 1 : 0;
      const words = Object.entries({ port, pid: tested.pid, raw, size, warmup, duration }).map((word) =>
        word.join('='),
      );
      const load = new Child('load', [process.execPath, file('load'), ...words]);
      try {
        return await load.next<Sample>(warmup + duration + 30_000);
      } finally {
        await load.stop();
      }
    },
    stop: () => tested.stop(),
  };
}

function missedFloors(row: Row | undefined): string[] {
  const ours = row?.peers.find(({ peer }) => peer === 'ours');
  if (row === undefined || ours === undefined) return [];
  return Object.entries(FLOORS).flatMap(([base, floor]) => {
    const ratio = ours.versus[base];
    if (ratio === undefined) return [`${row.name}: there is no figure of ${base}: ${ours.notes.join(', ')}`];
    const least = Math.min(ratio.rate, ratio.cpu);
    return least >= floor ? [] : [`${row.name}: ours / ${base} is ${least.toFixed(2)}, not ${floor}`];
  });
}

function file(name: string): string {
  return benchPath('suites', 'gateway', `${name}.mjs`);
}
