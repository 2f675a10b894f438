/** A process that tries mutants, one after the other, as its parent says. */

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { boundLoops, filesBelow, mutantsBelow } from './mutants.ts';
import { BROKEN, type Order, type Report, SPOILT, type Verdict } from './reports.ts';
import { active, allowSteps, Compiled, replaceModule, stepsTaken, type Test, World } from './suite.ts';

/** What a test file does without a mutant. `met` are the mutants whose place it comes by. */
interface FileRun {
  readonly path: string;
  readonly met: readonly number[];
  readonly tests: readonly TestRun[];
}

interface TestRun {
  readonly index: number;
  readonly duration: number;
  readonly steps: number;
  /** How often it may try a property: some count what they tried. */
  readonly runs: number;
  readonly met: readonly number[];
}

/** A test that comes by a mutant's place. */
interface Candidate {
  readonly path: string;
  readonly index: number;
  readonly duration: number;
  readonly steps: number;
  readonly runs: number;
}

/** Tests of real sockets and threads stay outside: what they leave behind would be blamed on the next mutant. */
const OUTSIDE = ['src/transport/node', 'src/server/serve.ts', 'src/client/connect.ts'];

const order = JSON.parse(process.argv[2]!) as Order;
const mutants = mutantsBelow(order.root, order.sources);

/** Properties are tried on the same few values each time, and need no smallest counterexample. */
const fc = createRequire(import.meta.url)('fast-check') as typeof import('fast-check');
const FEW = 50;
const ALL = 1e9;
let runs = FEW;
fc.configureGlobal({ seed: 1, endOnFailure: true });
replaceModule('fast-check', {
  ...fc,
  assert: (property: unknown, options: { numRuns?: number } = {}) => {
    return fc.assert(property as never, { ...options, numRuns: Math.min(runs, options.numRuns ?? 100) });
  },
});

// Ctrl-C is for the parent alone: the mutant at hand is tried to its end.
process.on('SIGINT', () => {});
let uncaught: unknown = null;
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    uncaught ??= error ?? new Error('nothing was thrown');
  });
}

let toldAt = 0;
function say(report: Report): void {
  const now = performance.now();
  if (report.type === 'alive' && now - toldAt < 500) return;
  toldAt = now;
  process.send!(report);
}

/** What keeps a process going that has nothing to do. */
const usual = process.getActiveResourcesInfo().length;
/** Milliseconds with nothing to wait for but perhaps a thread of zlib, after which a test hangs. */
const IDLE = 1_000;
const MOST = 15_000;
/** Steps that loading a test file takes at most. */
const LOADING = 10_000_000;

/** Runs a test; what it threw, or null. */
async function failure(test: Test, steps: number): Promise<unknown> {
  say({ type: 'alive' });
  uncaught = null;
  allowSteps(20_000 + 10 * steps);
  let error: unknown;
  let over = false;
  const run = test.run().then(
    () => null,
    (thrown: unknown) => thrown ?? new Error('nothing was thrown'),
  );
  run.then((result) => {
    over = true;
    error = result;
  });
  const start = performance.now();
  for (let idle = start; ; ) {
    // Most are over after a few microtasks; others wait for a turn of the event loop, or for a timer.
    for (let i = 0; i < 20 && !over; i++) await turn();
    if (over) return error ?? uncaught;
    const now = performance.now();
    if (process.getActiveResourcesInfo().filter((each) => each !== 'Immediate').length > usual) idle = now;
    if (now - idle > IDLE || now - start > MOST) return new Error('the test does not end');
    await sleep(2);
  }
}

async function baseline(): Promise<FileRun[]> {
  const met = new Uint8Array(mutants.list.length + 1);
  const take = (): number[] => {
    const out: number[] = [];
    for (let id = met.indexOf(1); id >= 0; id = met.indexOf(1, id + 1)) out.push(id);
    met.fill(0);
    return out;
  };
  const rewrite = (path: string, text: string) =>
    mutants.texts.get(path)?.replace(/\$m\[0\] === (\d+)/g, '$hit($1)') ?? boundLoops(path, text);
  const compiled = new Compiled(rewrite, (id) => {
    met[id] = 1;
    return false;
  });
  const files: FileRun[] = [];
  for (const path of order.tests.flatMap((name) => filesBelow(order.root, name, '.test.ts'))) {
    const world = new World(compiled);
    const tests = world.tests(path);
    if ([...world.paths].some((each) => OUTSIDE.some((outside) => each.startsWith(join(order.root, outside)))))
      continue;
    const loading = take();
    const done: TestRun[] = [];
    for (const [index, test] of tests.entries()) {
      // Of the processor: others use it too.
      const before = process.cpuUsage();
      runs = FEW;
      let error = await failure(test, Infinity);
      if (error !== null) {
        runs = ALL;
        error = await failure(test, Infinity);
      }
      if (error !== null) {
        console.log(`left out, as it fails without a mutant: ${basename(path)}: ${test.name}`);
        take();
        continue;
      }
      const { user, system } = process.cpuUsage(before);
      done.push({ index, duration: (user + system) / 1_000, steps: stepsTaken(), runs, met: take() });
    }
    files.push({ path, met: loading, tests: done });
  }
  return files;
}

if (order.first) {
  await baseline().then(
    (runs) => writeFileSync(order.baseline, JSON.stringify(runs)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}
const files = (JSON.parse(readFileSync(order.baseline, 'utf8')) as FileRun[]).map(({ path, met, tests }) => {
  return { path, met: new Set(met), tests: tests.map((test) => ({ ...test, met: new Set(test.met) })) };
});
const compiled = new Compiled((path, text) => mutants.texts.get(path) ?? boundLoops(path, text));
const clean = new World(compiled);
/** Tests that need those before them. More than a few of them: it is the process that is spoilt. */
const unfit = new Set<string>();
const MOST_UNFIT = 30;
/** The tests that noticed the last mutants of a file: they are likely to notice the next. */
const lately = new Map<string, Candidate[]>();

/** For each test file, the source files that its tests run something of, rather than only loading them. */
const running: ReadonlyMap<number, ReadonlySet<string>>[] = files.map(({ tests }) => {
  return new Map(tests.map(({ index, met }) => [index, new Set(Array.from(met, (id) => mutants.list[id - 1]!.file))]));
});

/** The tests that come by, the likely and the fast ones first: one of the file itself may take a thousand times as long. */
function candidates(id: number): Candidate[] {
  const { file } = mutants.list[id - 1]!;
  const own = `${basename(file, '.ts')}.test.ts`;
  const folder = join(order.root, 'test', file.split('/')[1]!, '/');
  const ranked: { rank: number; test: Candidate }[] = [];
  for (const [at, { path, met, tests }] of files.entries()) {
    const near = running[at]!;
    const whileLoading = met.has(id);
    const weight = basename(path) === own ? 0.001 : path.startsWith(folder) ? 0.01 : 1;
    for (const { index, duration, steps, runs, met: comesBy } of tests) {
      const direct = comesBy.has(id) || (whileLoading && near.get(index)!.has(file));
      if (!direct && !whileLoading) continue;
      // What is made while a file is loaded may be noticed where nothing else of it is run, but that is rare.
      const rank = (direct ? weight : 1e6 * weight) * duration;
      ranked.push({ rank, test: { path, index, duration, steps, runs } });
    }
  }
  const sorted = ranked.sort((a, b) => a.rank - b.rank).map(({ test }) => test);
  const is = (a: Candidate, b: Candidate): boolean => a.path === b.path && a.index === b.index;
  const likely = (lately.get(file) ?? []).filter((a) => sorted.some((b) => is(a, b)));
  return [...likely, ...sorted.filter((a) => !likely.some((b) => is(a, b)))];
}

async function attempt(id: number): Promise<{ verdict: Verdict; by: string }> {
  const tests = candidates(id);
  if (tests.length === 0) return { verdict: 'never run', by: '' };
  const { file } = mutants.list[id - 1]!;
  const world = new World(compiled);
  let left = order.budget;
  for (const each of tests) {
    const { path, index, duration, steps } = each;
    if (left < duration || unfit.has(`${path} ${index}`)) continue;
    left -= duration;
    runs = each.runs;
    active[0] = id;
    let error: unknown;
    let name = '(loading)';
    try {
      allowSteps(LOADING);
      const test = world.tests(path)[index];
      name = test?.name ?? '(missing)';
      error = test === undefined ? new Error('the test is gone') : await failure(test, steps);
    } catch (thrown) {
      error = thrown;
    }
    active[0] = 0;
    if (error === null) continue;
    allowSteps(Infinity);
    // The test must be right without the mutant, alone and whatever the mutants before have left behind.
    if ((await failure(clean.tests(path)[index]!, steps)) !== null) {
      unfit.add(`${path} ${index}`);
      if (unfit.size > MOST_UNFIT) process.exit(SPOILT);
      continue;
    }
    const others = (lately.get(file) ?? []).filter((other) => other.path !== path || other.index !== index);
    lately.set(file, [each, ...others].slice(0, 8));
    return { verdict: 'noticed', by: `${basename(path)}: ${name}: ${String(error).slice(0, 100)}` };
  }
  return { verdict: 'survived', by: '' };
}

process.on('message', (id: number) => {
  attempt(id).then(
    ({ verdict, by }) => say({ type: 'tried', id, verdict, by }),
    (error: unknown) => {
      console.error(error);
      process.exit(BROKEN);
    },
  );
});
say({ type: 'ready', tests: files.reduce((sum, { tests }) => sum + tests.length, 0) });
