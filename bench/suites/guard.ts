// What must not grow unseen: bytes that V8 allocates a message, and with `--instructions` the machine instructions a message as
// valgrind counts them, each compared with what is committed. Both are the same on a busy machine and on an idle one.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { benchPath } from '../harness/paths.ts';
import { align } from '../harness/table.ts';

/** Figures of one case; `instructions` is there where they were counted. */
interface Figures {
  readonly heap: number;
  readonly buffers: number;
  readonly instructions?: number;
}

interface Baseline {
  /** The major version of Node that the figures were made with. */
  readonly node: string;
  readonly cases: Readonly<Record<string, Figures>>;
}

export interface GuardRow {
  readonly row: string;
  readonly value: number;
  readonly baseline: number | null;
  readonly ok: boolean;
}

const FLAGS = ['--expose-gc', '--single-threaded', '--min-semi-space-size=64', '--max-semi-space-size=64'];
const WORKER = benchPath('guard', 'worker.mjs');
const BASELINE = benchPath('guard', 'baseline.json');
/** A tenth and 32 bytes above the baseline are forgiven; another Node has other objects, and gets a half. */
const MARGIN = 1.1;
const MARGIN_OF_ANOTHER_NODE = 1.5;
const SLACK = 32;
/** Instructions a message are the difference of two runs, so that starting costs nothing. */
const RUNS = [128_000, 256_000] as const;
const COUNTED = ['echo 125 B, depth 16', 'decode 16 B'];

/** Runs the guard; with `update` its figures become the baseline. */
export function guard(options: { readonly update: boolean; readonly instructions: boolean }): GuardRow[] {
  const names = JSON.parse(run(process.execPath, [WORKER])) as string[];
  const measured: Record<string, Figures> = {};
  for (const name of names) {
    const figures = JSON.parse(run(process.execPath, [...FLAGS, WORKER, name, 'allocations'])) as Figures;
    const counted = options.instructions && COUNTED.includes(name);
    measured[name] = counted ? { ...figures, instructions: countInstructions(name) } : figures;
  }
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8')) as Baseline;
  if (options.update) {
    for (const name of names) measured[name] = { ...onlyInstructions(baseline.cases[name]), ...measured[name]! };
    writeFileSync(BASELINE, `${JSON.stringify({ node: major(), cases: measured }, null, 2)}\n`);
  }
  const limits = options.update ? { node: major(), cases: measured } : baseline;
  const margin = limits.node === major() ? MARGIN : MARGIN_OF_ANOTHER_NODE;
  return names.flatMap((name) => {
    const before = limits.cases[name];
    const now = measured[name]!;
    return [
      judge(`${name}: heap`, now.heap, before?.heap, margin),
      judge(`${name}: buffers`, now.buffers, before?.buffers, margin),
      ...(now.instructions === undefined
        ? []
        : [judge(`${name}: instructions`, now.instructions, before?.instructions, margin)]),
    ];
  });
}

/** A case without a baseline is not passed: it has to be given one. */
function judge(row: string, value: number, baseline: number | undefined, margin: number): GuardRow {
  return { row, value, baseline: baseline ?? null, ok: baseline !== undefined && value <= baseline * margin + SLACK };
}

function countInstructions(name: string): number {
  const [few, many] = RUNS.map((count) => {
    const node = [process.execPath, '--single-threaded', WORKER, name, String(count)];
    const words = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--smc-check=all-non-file', ...node];
    const { stderr } = spawnSync('valgrind', words, { encoding: 'utf8' });
    const collected = /Collected : (\d+)/.exec(stderr ?? '')?.[1];
    if (collected === undefined) throw new Error('--instructions needs valgrind');
    return Number(collected);
  });
  return Math.round((many! - few!) / (RUNS[1] - RUNS[0]));
}

function onlyInstructions(figures: Figures | undefined): Pick<Figures, 'instructions'> {
  return figures?.instructions === undefined ? {} : { instructions: figures.instructions };
}

function major(): string {
  return process.versions.node.split('.')[0]!;
}

function run(command: string, words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  return stdout;
}

export function printGuard(rows: readonly GuardRow[]): string {
  const cells = rows.map(({ row, value, baseline, ok }) => [
    row,
    String(value),
    baseline === null ? 'no baseline' : String(baseline),
    ok ? 'ok' : 'GREW',
  ]);
  const grown = rows.filter(({ ok }) => !ok).length;
  const verdict =
    grown === 0 ? 'nothing grew' : `${grown} of ${rows.length} grew: mend it, or say why and run with --update`;
  return `\n${align([['a message', 'now', 'baseline', ''], ...cells]).join('\n')}\n\n${verdict}`;
}
