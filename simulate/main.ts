/**
 * Deterministic simulation: fleets of servers, clients and gateways over links in memory, on a virtual clock, with seeded faults,
 * and every invariant of docs/architecture.md held after every step.
 *
 *     npm run simulate -- [--seed 1] [--seeds 100] [--hours 0.1] [--least 0]
 *     npm run simulate -- --seed 42 --trace        one world again, with its trace
 *
 * It says every ten seconds how far it is, and ends after so many seeds or hours of the real clock, whichever is first, when it is
 * interrupted, or at the first failure: the seed, the step, the actions that it needs and the end of its trace (`--brief`: without
 * looking for these). `--least N` also fails if a cell of the table of faults has fewer than N.
 */

import { parseArgs } from 'node:util';
import { type Plan, planOf } from './plan.ts';
import { printAction, shrink } from './shrink.ts';
import { Table } from './table.ts';
import { World } from './world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    hours: { type: 'string' },
    least: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
  },
});

/** The last lines of a trace that are shown. */
const SHOWN = 60;

function numberOf(name: 'seed' | 'seeds' | 'hours' | 'least', fallback: number): number {
  const number = Number(values[name] ?? fallback);
  if (!(number >= 0)) throw new Error(`--${name} must be a number, not ${values[name]}`);
  return number;
}

const first = numberOf('seed', 1);
const seeds = values.trace ? 1 : numberOf('seeds', values.hours === undefined ? 100 : Number.POSITIVE_INFINITY);
const end = performance.now() + 3_600_000 * numberOf('hours', Number.POSITIVE_INFINITY);
const least = numberOf('least', 0);
const start = performance.now();
const table = new Table();
let worlds = 0;
let steps = 0;
let sessions = 0;
let next = start + 5_000;
let good = true;
let interrupted = false;

function report(): void {
  const seconds = (performance.now() - start) / 1_000;
  const rate = Math.round(steps / seconds);
  console.log(
    `${seconds.toFixed(0)} s, ${worlds} seeds, ${sessions} connections, ${steps} steps (${rate}/s), ${table.total} faults`,
  );
}

/** Shows a failure, and what of its plan it takes. */
async function explain(plan: Plan, message: string): Promise<void> {
  console.error(`FAILED: seed ${plan.seed}\n${message}`);
  if (values.brief) return;
  console.error('shrinking…');
  const fails = async (smaller: Plan): Promise<boolean> => (await new World(smaller).run()).failure !== null;
  const smallest = await shrink(plan, fails);
  const { failure, failedAt, trace } = await new World(smallest, true).run();
  console.error(`seed ${plan.seed}, step ${failedAt}: ${failure?.message}`);
  console.error(`\nthe last of its trace:\n${trace.slice(-SHOWN).join('\n')}`);
  const began = [...smallest.sessions, ...smallest.clients, ...smallest.joined].map(
    ({ key, startAt }) => `${key} begins at ${startAt} ms`,
  );
  console.error(`\nit takes:\n${[...began, ...smallest.actions.map(printAction)].join('\n')}`);
  console.error(`\nagain: npm run simulate -- --seed ${plan.seed} --trace`);
}

// A promise that nobody awaits is a defect too.
process.on('unhandledRejection', (reason) => {
  console.error(`FAILED: an unhandled rejection while seed ${first + worlds} ran`, reason);
  process.exit(1);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
  });
}

while (good && !interrupted && worlds < seeds && performance.now() < end) {
  const plan = planOf(first + worlds);
  const outcome = await new World(plan, values.trace).run();
  steps += outcome.steps;
  sessions += outcome.sessions;
  table.merge(outcome.table);
  worlds++;
  if (outcome.failure !== null) {
    good = false;
    await explain(plan, outcome.failure.message);
  }
  if (values.trace)
    console.log(`${outcome.trace.join('\n')}\ntrace hash ${outcome.hash.toString(16).padStart(8, '0')}`);
  if (performance.now() > next) {
    next = performance.now() + 10_000;
    report();
    // Signals are heard between two worlds.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
report();
console.log(table.print());
const poor = table.below(least);
if (good && !interrupted && poor.length > 0) {
  console.error(`too rare:\n${poor.join('\n')}`);
  good = false;
}
process.exitCode = good ? 0 : 1;
