/**
 * Coverage-guided fuzzing of the engine in this process.
 *
 *     npm run fuzz -- --seconds 60 [--seed 1] [--save] [target…]
 *     npm run fuzz -- --replay fuzz/crashes/frames.0123abcd
 *
 * The exit status is 1 if there was a finding. `--save` replaces the committed corpus by its essence.
 */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { seededNumbers } from '../test/support/random.ts';
import { readCorpus, writeCorpus, writeCrash } from './corpus.ts';
import { Fuzzer } from './fuzzer.ts';
import { loadInstrumented } from './instrument.ts';
import { TARGETS } from './targets/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    executions: { type: 'string' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
});

function replay(file: string): boolean {
  const [name = ''] = basename(file).split('.');
  const target = TARGETS[name];
  if (target === undefined) throw new Error(`${file} does not begin with a target: ${Object.keys(TARGETS).join(', ')}`);
  try {
    target.run(new Uint8Array(readFileSync(file)));
    console.log(`${file}: no finding`);
    return true;
  } catch (error) {
    console.error(error);
    return false;
  }
}

async function fuzz(names: readonly string[]): Promise<boolean> {
  const { targets, hits } = await loadInstrumented();
  let good = true;
  for (const name of names) {
    const target = targets[name];
    if (target === undefined)
      throw new Error(`there is no target ${name}; there are ${Object.keys(targets).join(', ')}`);
    const fuzzer = new Fuzzer(target, hits, seededNumbers(Number(values.seed)));
    const start = performance.now();
    const end = start + 1_000 * Number(values.seconds);
    const most = values.executions === undefined ? Number.POSITIVE_INFINITY : Number(values.executions);
    let next = start + 2_000;
    let finding = null;
    for (const input of [...readCorpus(name), new Uint8Array(0), new Uint8Array(8)]) finding ??= fuzzer.try(input);
    while (finding === null && performance.now() < end && fuzzer.executions < most) {
      for (let i = 0; i < 50 && finding === null && fuzzer.executions < most; i++) finding = fuzzer.step();
      if (performance.now() > next) {
        next += 10_000;
        report(name, fuzzer, start);
      }
    }
    report(name, fuzzer, start);
    if (finding !== null) {
      good = false;
      const { input, error } = fuzzer.minimise(finding);
      console.error(`FINDING in ${name} (${input.length} bytes): ${writeCrash(name, input)}`);
      console.error(error);
    } else if (values.save) {
      const essence = fuzzer.essence();
      writeCorpus(name, essence);
      console.log(`${name}: ${essence.length} inputs saved`);
    }
  }
  return good;
}

function report(name: string, fuzzer: Fuzzer, start: number): void {
  const seconds = (performance.now() - start) / 1_000;
  const rate = Math.round(fuzzer.executions / seconds);
  const { executions, coverage, corpus } = fuzzer;
  console.log(
    `${name}: ${seconds.toFixed(0)} s, ${executions} executions (${rate}/s), ${coverage} branches, corpus ${corpus.length}`,
  );
}

const good =
  values.replay === undefined
    ? await fuzz(positionals.length > 0 ? positionals : Object.keys(TARGETS))
    : replay(values.replay);
process.exitCode = good ? 0 : 1;
