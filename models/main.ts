/**
 * Checks the model of the handshakes with spin: exhaustively, and with planted errors, each of which must be found.
 *
 *     npm run model              needs spin and a C compiler (Debian: apt-get install spin gcc)
 *     npm run model -- --write   only writes models/transitions.pml from src/connection/state.ts
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { transitionsModel } from './transitions.ts';

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
const HERE = import.meta.dirname;
/** In the order in which they are asked: the quick ones first. */
const PROPERTIES = ['once', 'last', 'clean', 'finally'] as const;
/** Mebibytes and steps that a check may take. */
const MEMORY = 1_024;
const DEPTH = 1_000_000;

/** An error in the model, and the check that finds it. */
interface Planted {
  readonly name: string;
  readonly by: (model: string, transitions: string) => readonly [string, string];
}

const PLANTED: readonly Planted[] = [
  {
    name: 'no timer runs: half-open is never noticed',
    by: (model, transitions) => [model, transitions.replace('#define TIMERS true', '#define TIMERS false')],
  },
  {
    name: 'a Close is read after the connection has closed',
    by: (model, transitions) => [
      // The phase is not looked at, neither when something arrives nor when it is a Close.
      model
        .replace('phase[me] != closed && to[me]?[m] && !cut[me]', 'to[me]?[m] && !cut[me]')
        .replace(
          ':: phase[me] == open || phase[me] == close_sent ->\n\t\t\t\tevent(me);',
          ':: true ->\n\t\t\t\tevent(me);',
        ),
      transitions,
    ],
  },
  {
    name: 'the deadline of a closed connection closes it again',
    by: (model, transitions) => [
      model.replace('phase[me] != closed && phase[me] != open && TIMERS', 'phase[me] != open && TIMERS'),
      transitions,
    ],
  },
  {
    name: 'the end of the transport is ignored while both Closes are exchanged',
    by: (model, transitions) => [
      model,
      transitions.replace(/(phase == draining && input == I_transport_gone -> phase = )closed/, '$1draining'),
    ],
  },
];

interface Verdict {
  readonly found: boolean;
  readonly states: string;
  /** What spin says, unless it looked at everything. */
  readonly objection: string;
}

/** Compiles a model; the function that it gives checks one property. */
function compile(model: string, transitions: string): { check: (property: string) => Verdict; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'model-'));
  writeFileSync(join(folder, 'handshakes.pml'), model);
  writeFileSync(join(folder, 'transitions.pml'), transitions);
  const run = (command: string, args: readonly string[]): string =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  run('spin', ['-a', 'handshakes.pml']);
  run('cc', ['-O1', `-DMEMLIM=${MEMORY}`, '-DCOLLAPSE', '-w', '-o', 'pan', 'pan.c']);
  return {
    check(property) {
      // -a: acceptance cycles; -f: whoever can always act does at some time.
      const args = ['-a', '-f', `-m${DEPTH}`, '-n', '-N', property];
      const { stdout } = spawnSync('./pan', args, { cwd: folder, encoding: 'utf8', timeout: 120_000 });
      const errors = /errors: (\d+)/.exec(stdout)?.[1];
      const states = /([\d.e+]+) states, stored/.exec(stdout)?.[1] ?? '?';
      const whole = errors !== undefined && !/not completed|max search depth|memory limit|aborting/.test(stdout);
      return { found: errors !== undefined && errors !== '0', states, objection: whole ? '' : stdout };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const transitions = transitionsModel();
writeFileSync(join(HERE, 'transitions.pml'), transitions);
if (!values.write) {
  const model = readFileSync(join(HERE, 'handshakes.pml'), 'utf8');
  let good = true;
  const sound = compile(model, transitions);
  for (const property of PROPERTIES) {
    const { found, states, objection } = sound.check(property);
    const fine = !found && objection === '';
    console.log(`${property}: ${fine ? 'holds' : 'DOES NOT HOLD'}, ${states} states, the space is exhausted`);
    if (!fine) console.error(objection);
    good &&= fine;
  }
  sound.remove();
  for (const { name, by } of PLANTED) {
    const [wrong, table] = by(model, transitions);
    if (wrong === model && table === transitions) throw new Error(`'${name}' changes nothing: the model has changed`);
    const planted = compile(wrong, table);
    const finder = PROPERTIES.find((property) => planted.check(property).found);
    planted.remove();
    console.log(`planted: ${name}: ${finder === undefined ? 'NOT FOUND' : `found by '${finder}'`}`);
    good &&= finder !== undefined;
  }
  process.exitCode = good ? 0 : 1;
}
