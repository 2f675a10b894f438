/** The transition table as Promela: what a phase becomes with an input, and an assertion where that cannot happen. */

import { TRANSITIONS } from '../src/connection/state.ts';

const QUEUE = 5;
const DATA_BUDGET = 1;

/** The text of models/transitions.pml. */
export function transitionsModel(): string {
  const phases = Object.keys(TRANSITIONS) as (keyof typeof TRANSITIONS)[];
  const inputs = [...new Set(phases.flatMap((phase) => Object.keys(TRANSITIONS[phase])))];
  const name = (text: string): string => text.replaceAll('-', '_');
  const moves = phases.flatMap((phase) =>
    Object.entries(TRANSITIONS[phase]).map(([input, next]) => {
      const to = next === 'ignored' ? phase : next;
      return `\t:: phase == ${name(phase)} && input == I_${name(input)} -> phase = ${name(to)} \\`;
    }),
  );
  return [
    '/* Written by `npm run model` from src/connection/state.ts: change that. */',
    '',
    ...phases.map((phase, i) => `#define ${name(phase)} ${i}`),
    '',
    ...inputs.map((input, i) => `#define I_${name(input)} ${i}`),
    '',
    '/* How much may be on its way, and how many messages each side sends. */',
    `#define QUEUE ${QUEUE}`,
    `#define DATA_BUDGET ${DATA_BUDGET}`,
    '/* Whether deadlines are kept, and a Close is answered. */',
    '#define TIMERS true',
    '#define ANSWERS true',
    '',
    'inline MOVE(phase, input) {',
    '\tif',
    ...moves.map((line) => line.replace(/ \\$/, '')),
    '\t/* A blank cell: it cannot happen. */',
    '\t:: else -> assert(false)',
    '\tfi',
    '}',
    '',
  ].join('\n');
}
