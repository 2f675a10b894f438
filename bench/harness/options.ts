// The command line: suites by name, a few flags.

import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly suites: readonly string[];
  readonly json: boolean;
  readonly svg: string | null;
  readonly quick: boolean;
  /** Every combination instead of a sensible subset. */
  readonly full: boolean;
  readonly rounds: number;
  /** Milliseconds of one measured window. */
  readonly duration: number;
  /** Milliseconds of traffic before a window; the first round of a peer gets twice that. */
  readonly warmup: number;
  /** Only these peers, or all when empty. */
  readonly peers: readonly string[];
  /** Only rows whose name contains this. */
  readonly filter: string;
  /** guard: count instructions with valgrind as well. */
  readonly instructions: boolean;
  /** guard: what is measured becomes the baseline. */
  readonly update: boolean;
  /** Use the Node load generator although a C compiler exists. */
  readonly nodeLoad: boolean;
  readonly help: boolean;
}

export const USAGE = `usage: npm run bench [-- suite ...] [--quick] [--json] [--svg DIR] [--full]
                    [--rounds N] [--duration MS] [--peers a,b] [--filter TEXT] [--node-load]
       npm run bench -- guard [--instructions] [--update] [--json]`;

export function parseOptions(argv: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      svg: { type: 'string' },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      duration: { type: 'string' },
      peers: { type: 'string', default: '' },
      filter: { type: 'string', default: '' },
      instructions: { type: 'boolean', default: false },
      update: { type: 'boolean', default: false },
      'node-load': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { quick } = values;
  return {
    suites: positionals,
    json: values.json,
    svg: values.svg ?? null,
    quick,
    full: values.full,
    rounds: positive('--rounds', values.rounds, quick ? 2 : 5),
    duration: positive('--duration', values.duration, quick ? 250 : 700),
    warmup: quick ? 120 : 250,
    peers: values.peers.split(',').filter((name) => name !== ''),
    filter: values.filter,
    instructions: values.instructions,
    update: values.update,
    nodeLoad: values['node-load'],
    help: values.help,
  };
}

function positive(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} must be a positive integer`);
  return value;
}
