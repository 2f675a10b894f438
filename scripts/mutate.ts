/**
 * Mutation testing: changes the engine in one place at a time, in memory, and asks whether the engine's own tests notice.
 *
 *     npm run mutate -- [--sample 800] [--seed 1] [--jobs 1] [part of a path in src…]
 *         --budget 4        seconds that the tests of one mutant may take, of those that they take without it
 *         --tests a,b       other tests than the engine's own
 *         --json file       writes what became of each mutant
 *         --again file      tries only the mutants that survived then
 *
 * Tries every mutant without `--sample`. Each is tried by the tests that come by its place, and counts as noticed if one of them
 * fails that passes without it (scripts/mutation/worker.ts). Prints the survivors as it meets them, and the score of each folder; those that nobody
 * can notice are listed with their reason (scripts/mutation/equivalents.ts) and do not count. The exit status is 1 if a score is
 * below 85 %, or if the list names a mutant that is noticed. Ctrl-C ends it early: what was tried counts.
 *
 * The whole set takes about an hour of one processor.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededNumbers } from '../test/support/random.ts';
import { EQUIVALENTS } from './mutation/equivalents.ts';
import { type Mutant, mutantsBelow } from './mutation/mutants.ts';
import { BROKEN, type Order, type Report, SPOILT, type Verdict } from './mutation/reports.ts';

const FOLDERS = ['codec', 'handshake', 'extension', 'connection'];
const TESTS = [...FOLDERS, 'rfc6455', 'rfc7692', 'transcripts', 'properties', 'threats', 'endpoint'];
const NEEDED = 85;
/** Milliseconds without a word after which a worker hangs. */
const PATIENCE = 60_000;

interface Tried {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  readonly by: string;
}

const home = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    budget: { type: 'string', default: '4' },
    tests: { type: 'string', default: TESTS.map((name) => `test/${name}`).join() },
    json: { type: 'string' },
    again: { type: 'string' },
  },
});

/** Draws `count` of the list without order. */
function drawn<T>(list: readonly T[], count: number, chance: () => number): T[] {
  const left = [...list];
  const out: T[] = [];
  while (out.length < count && left.length > 0) {
    const at = Math.floor(left.length * chance());
    out.push(left[at]!);
    left[at] = left.at(-1)!;
    left.pop();
  }
  return out;
}

// A copy, so that all processes see the same sources to the end.
const folder = mkdtempSync(join(tmpdir(), 'sansocket-mutants-'));
const root = join(folder, 'tree');
for (const name of ['src', 'test', 'fuzz', 'docs', 'scripts', 'simulate', 'package.json']) {
  cpSync(join(home, name), join(root, name), { recursive: true });
}
symlinkSync(join(home, 'node_modules'), join(root, 'node_modules'));
const workers = new Set<ChildProcess>();
/** Mutants with which a process was spoilt: by one before, if it works the second time. */
const spoilt = new Set<Mutant>();
process.on('exit', () => {
  for (const worker of workers) worker.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
process.on('SIGTERM', () => process.exit(143));

/** Tries mutants of the queue until it is empty, in as many processes as it takes, one at a time. */
function work(queue: Mutant[], first: boolean, ready: () => void, tried: (result: Tried) => void): Promise<void> {
  const sources = FOLDERS.map((name) => `src/${name}`);
  const tests = values.tests.split(',');
  const budget = 1_000 * Number(values.budget);
  return new Promise((resolve, reject) => {
    const start = (isFirst: boolean): void => {
      const order: Order = { root, sources, tests, baseline: join(folder, 'baseline.json'), first: isFirst, budget };
      const worker = fork(join(root, 'scripts/mutation/worker.ts'), [JSON.stringify(order)], {
        cwd: root,
        execArgv: ['--import', 'tsx', '--max-old-space-size=2048'],
      });
      workers.add(worker);
      let current: Mutant | null = null;
      let isReady = false;
      const hangs = setTimeout(() => worker.kill('SIGKILL'), PATIENCE);
      const next = (): void => {
        current = queue.shift() ?? null;
        if (current === null) worker.disconnect();
        else worker.send(current.id);
      };
      worker.on('message', (report: Report) => {
        hangs.refresh();
        if (report.type === 'ready') {
          isReady = true;
          if (isFirst) console.log(`${report.tests} tests`);
          ready();
          next();
        } else if (report.type === 'tried') {
          tried({ mutant: current!, verdict: report.verdict, by: report.by });
          next();
        }
      });
      worker.on('exit', (status, signal) => {
        clearTimeout(hangs);
        workers.delete(worker);
        if (current === null && status === 0) return resolve();
        if (current === null || !isReady || status === BROKEN) {
          return reject(new Error(`a worker ended before its work: ${status ?? signal}`));
        }
        if (status !== SPOILT) {
          tried({ mutant: current, verdict: 'never ends', by: `the process ended: ${status ?? signal}` });
        } else if (spoilt.has(current)) {
          tried({ mutant: current, verdict: 'survived', by: 'it spoils the process' });
        } else {
          spoilt.add(current);
          queue.unshift(current);
        }
        start(false);
      });
    };
    start(first);
  });
}

function nameOf({ file, code, replacement, nth }: Mutant): string {
  return JSON.stringify([file, code, replacement, nth]);
}

const all = mutantsBelow(
  root,
  FOLDERS.map((name) => `src/${name}`),
).list;
/** The mutants that survived an earlier run. */
const earlier =
  values.again === undefined
    ? null
    : new Set(
        (JSON.parse(readFileSync(values.again, 'utf8')) as Tried[])
          .filter(({ verdict }) => verdict === 'survived' || verdict === 'never run')
          .map(({ mutant }) => nameOf(mutant)),
      );
const asked = all.filter((mutant) => {
  if (earlier !== null && !earlier.has(nameOf(mutant))) return false;
  return positionals.length === 0 || positionals.some((part) => mutant.file.includes(part));
});
const chosen =
  values.sample === undefined ? asked : drawn(asked, Number(values.sample), seededNumbers(Number(values.seed)));
console.log(`${all.length} mutants, ${chosen.length} of them to try`);

const results: Tried[] = [];
const queue = [...chosen];
process.on('SIGINT', () => {
  if (queue.length === 0) process.exit(130);
  console.log(`ended early: ${queue.length} of ${chosen.length} are not tried`);
  queue.length = 0;
});
const start = performance.now();
const tried = (result: Tried): void => {
  results.push(result);
  const { mutant, verdict } = result;
  const listed = reasonOf(mutant) !== null;
  if (isNoticed(verdict) === listed) console.log(`${verdict}${listed ? ', though listed' : ''}: ${placeOf(mutant)}`);
  if (results.length % 250 !== 0) return;
  const minutes = (performance.now() - start) / 60_000;
  console.log(`${results.length} of ${chosen.length} tried, ${minutes.toFixed(1)} minutes`);
};
// The others need what the first finds out.
const jobs: Promise<void>[] = [];
await new Promise<void>((ready, failed) => {
  const job = work(queue, true, ready, tried);
  job.catch(failed);
  jobs.push(job);
});
for (let i = 1; i < Number(values.jobs); i++) jobs.push(work(queue, false, () => {}, tried));
await Promise.all(jobs);

results.sort((a, b) => a.mutant.id - b.mutant.id);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));

let good = true;
for (const name of FOLDERS) {
  const here = results.filter(({ mutant }) => mutant.file.startsWith(`src/${name}/`));
  if (here.length === 0) continue;
  let noticed = 0;
  let equivalent = 0;
  for (const { mutant, verdict } of here) {
    const reason = reasonOf(mutant);
    if (isNoticed(verdict)) {
      noticed++;
      if (reason !== null) good = false;
    } else if (reason !== null) {
      equivalent++;
      console.log(`equivalent: ${placeOf(mutant)}\n    ${reason}`);
    }
  }
  const score = (100 * noticed) / (here.length - equivalent);
  if (score < NEEDED) good = false;
  const count = `${here.length} tried, ${noticed} noticed, ${equivalent} equivalent`;
  console.log(`${name}: ${score.toFixed(1)} % (${count}, ${here.length - noticed - equivalent} survived)`);
}
process.exitCode = good ? 0 : 1;

function isNoticed(verdict: Verdict): boolean {
  return verdict === 'noticed' || verdict === 'never ends';
}

function placeOf({ file, line, code, replacement, nth }: Mutant): string {
  return `${file}:${line}  ${code}  →  ${replacement}${nth > 1 ? `  #${nth}` : ''}`;
}

/** Why nobody can notice a mutant, or null. */
function reasonOf({ file, code, replacement, nth }: Mutant): string | null {
  const text = `${code}  →  ${replacement}`;
  const found = Object.entries(EQUIVALENTS[file] ?? {}).find(([, places]) => {
    return places.includes(text) || places.includes(`${text}  #${nth}`);
  });
  return found?.[0] ?? null;
}
