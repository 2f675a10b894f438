// The benchmark's command. `npm run bench -- --help` says how.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './harness/bench.ts';
import { createLoadGenerator } from './harness/load-generator.ts';
import { describeMachine, machineLine } from './harness/machine.ts';
import { parseOptions, USAGE } from './harness/options.ts';
import { installPeers } from './harness/peers.ts';
import type { SuiteReport } from './harness/result.ts';
import { drawChart } from './harness/svg.ts';
import { printTable } from './harness/table.ts';
import { broadcast } from './suites/broadcast.ts';
import { client } from './suites/client.ts';
import { codec } from './suites/codec.ts';
import { type DeflateReport, deflate, printDeflate } from './suites/deflate.ts';
import { echo } from './suites/echo.ts';
import { fragments } from './suites/fragments.ts';
import { gateway } from './suites/gateway.ts';
import { guard, printGuard } from './suites/guard.ts';
import { handshake } from './suites/handshake.ts';
import { idle } from './suites/idle.ts';
import { overview } from './suites/overview.ts';
import { runtimes } from './suites/runtimes.ts';
import { scale } from './suites/scale.ts';
import { printTargets, targets } from './suites/targets.ts';
import { tls } from './suites/tls.ts';

const SUITES: Readonly<Record<string, (bench: Bench) => Promise<SuiteReport>>> = {
  overview,
  echo,
  codec,
  fragments,
  broadcast,
  client,
  handshake,
  gateway,
  idle,
  tls,
  scale,
};
const DEFAULT = ['echo', 'codec'];
/** No part of `all`: what they print is of another form. */
const ALONE = ['targets', 'deflate', 'guard', 'runtimes'];

const options = parseOptions(process.argv.slice(2));
const names =
  options.suites.length === 0 ? DEFAULT : options.suites.includes('all') ? Object.keys(SUITES) : options.suites;
const unknown = names.find((name) => !ALONE.includes(name) && !(name in SUITES));
if (options.help || unknown !== undefined) {
  console.log(USAGE);
  console.log(`suites: ${Object.keys(SUITES).join(' ')}, all, ${ALONE.join(', ')} (default: ${DEFAULT.join(' ')})`);
  if (unknown !== undefined) console.error(`unknown suite ${unknown}`);
  process.exit(unknown === undefined ? 0 : 1);
}

if (names.includes('guard')) {
  const verdicts = guard(options);
  console.log(options.json ? JSON.stringify({ rows: verdicts }, null, 2) : printGuard(verdicts));
  process.exit(verdicts.every(({ ok }) => ok) ? 0 : 1);
}

const started = performance.now();
const trouble = names.includes('targets') ? installPeers() : null;
if (trouble !== null) console.error(trouble);
const machine = describeMachine();
const load = createLoadGenerator(options.nodeLoad);
const bench: Bench = { options, load, progress };
const text = (value: string) => {
  if (!options.json) console.log(value);
};

text(machineLine(machine));
text(`load: ${load.description}`);
text(
  `${options.rounds} rounds of ${options.duration} ms, peers interleaved; medians, (ranges), ratios paired by round`,
);

const reports: SuiteReport[] = [];
let rows: Awaited<ReturnType<typeof targets>> | null = null;
let compression: DeflateReport | null = null;
for (const name of names) {
  if (name === 'targets') {
    rows = await targets(bench);
    progress('');
    text(printTargets(rows));
  } else if (name === 'runtimes') {
    const report = await runtimes(bench);
    reports.push(report.suite);
    rows = [...(rows ?? []), ...report.targets];
    progress('');
    text(printTable(report.suite));
    text(printTargets(report.targets));
    if (!report.targets.every(({ ok }) => ok)) process.exitCode = 1;
  } else if (name === 'deflate') {
    compression = await deflate(bench);
    progress('');
    text(printDeflate(compression));
    if (!compression.ok) process.exitCode = 1;
  } else {
    const report = await SUITES[name]!(bench);
    reports.push(report);
    progress('');
    text(printTable(report));
  }
}

if (options.svg !== null) {
  mkdirSync(options.svg, { recursive: true });
  for (const report of reports) {
    const path = join(options.svg, `${report.suite}.svg`);
    writeFileSync(path, drawChart(report, machineLine(machine)));
    text(`\nwrote ${path}`);
  }
}
if (options.json) {
  const seconds = Math.round((performance.now() - started) / 1000);
  const { rounds, duration } = options;
  const head = { machine, load: load.description, rounds, duration, seconds };
  console.log(
    JSON.stringify(
      {
        ...(rows ? { rows } : {}),
        ...(compression ? { compression } : {}),
        ...(reports.length > 0 ? { suites: reports } : {}),
        ...head,
      },
      null,
      2,
    ),
  );
}
process.exit();

/** One line that overwrites itself on a terminal; nothing where stderr is a file. */
function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 100) - 1)}`);
}
