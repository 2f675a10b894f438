/**
 * Command lines: flags as a table, read by `util.parseArgs`, with errors that say what to write instead. Help is made of the
 * same table, so that it cannot tell of flags that there are not.
 */

import { type ParseArgsConfig, parseArgs } from 'node:util';
import { CommandError } from './io.ts';

/** 500 hours: a timer of Node holds 24 days. */
const LONGEST = 1_800_000_000;

/** One flag. */
export interface Flag {
  /** One letter, without its dash. */
  readonly short?: string;
  /** What its value is called in the help; a flag without one is on or off. */
  readonly value?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  /** What it does, in one line. */
  readonly help: string;
}

/** Flags by name, in the order of the help. */
export type Flags = Readonly<Record<string, Flag>>;

/** What was given on a command line. */
export class Arguments {
  readonly positionals: readonly string[];
  private readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

  constructor(
    positionals: readonly string[],
    values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>,
  ) {
    this.positionals = positionals;
    this.values = values;
  }

  /** Whether a flag was given. */
  has(name: string): boolean {
    return this.values[name] !== undefined;
  }

  /** The text of a flag, or null. */
  text(name: string): string | null {
    const value = this.values[name];
    return typeof value === 'string' ? value : null;
  }

  /** Every text of a flag that may be given several times. */
  texts(name: string): readonly string[] {
    const value = this.values[name];
    return Array.isArray(value) ? (value as string[]) : [];
  }

  /** A whole number, or null. @throws CommandError unless it is one from `least` to `most` */
  number(name: string, least: number, most: number): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw new CommandError(`--${name} must be a whole number from ${least} to ${most}, not '${text}'`);
    }
    return value;
  }

  /** Milliseconds, from `500ms`, `10s`, `5m` or `1h`; or null. @throws CommandError for anything else */
  duration(name: string): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
    if (digits === undefined) {
      throw new CommandError(`--${name} must be a number and a unit, as 500ms, 10s, 5m or 1h, not '${text}'`);
    }
    const duration = Number(digits) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h'];
    if (duration > LONGEST) throw new CommandError(`--${name} must be at most 500h, not '${text}'`);
    return duration;
  }

  /** Bytes, from `125`, `64KiB` or `1MiB`; or null. @throws CommandError for anything else */
  size(name: string): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const [, digits, unit = 'B'] = /^(\d{1,12})(B|KiB|MiB|GiB)?$/.exec(text) ?? [];
    if (digits === undefined) {
      throw new CommandError(`--${name} must be a number of bytes, as 125, 64KiB or 1MiB, not '${text}'`);
    }
    return (
      Number(digits) * { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }[unit as 'B' | 'KiB' | 'MiB' | 'GiB']
    );
  }

  /** One of the texts allowed, or null. @throws CommandError naming them */
  choice<T extends string>(name: string, allowed: readonly T[]): T | null {
    const text = this.text(name);
    if (text === null || allowed.includes(text as T)) return text as T | null;
    throw new CommandError(`--${name} must be ${allowed.join(' or ')}, not '${text}'`);
  }
}

/**
 * Reads a command line.
 *
 * @throws CommandError saying what is wrong, and what may have been meant
 */
export function parseArguments(argv: readonly string[], flags: Flags): Arguments {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, { short, value, multiple }] of Object.entries(flags)) {
    options[name] = {
      type: value === undefined ? 'boolean' : 'string',
      ...(short === undefined ? {} : { short }),
      ...(multiple === true ? { multiple } : {}),
    };
  }
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const values: Record<string, string | boolean | (string | boolean)[]> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const flag = Object.hasOwn(flags, name) ? flags[name]! : undefined;
    if (flag === undefined) throw new CommandError(unknownFlag(rawName, flags));
    if (flag.value === undefined && value !== undefined) throw new CommandError(`${rawName} takes no value`);
    // What looks like a flag is one that follows, not a value: `--ca --once`. A value of that kind is written --ca=--once.
    const dashed = value !== undefined && token.inlineValue !== true && value.startsWith('-') && value !== '-';
    if (flag.value !== undefined && (value === undefined || dashed)) {
      const hint = dashed ? `; if '${value}' is the value, write --${name}=${value}` : '';
      throw new CommandError(`${rawName} needs a value: ${rawName} ${flag.value}${hint}`);
    }
    if (flag.multiple !== true && values[name] !== undefined) throw new CommandError(`${rawName} is given twice`);
    if (flag.multiple === true) values[name] = [...((values[name] as string[] | undefined) ?? []), value!];
    else values[name] = value ?? true;
  }
  return new Arguments(positionals, values);
}

function unknownFlag(given: string, flags: Flags): string {
  const name = given.replace(/^-+/, '');
  const meant = closest(name, Object.keys(flags));
  return `there is no option '${given}'${meant === null ? '' : `; did you mean '--${meant}'?`}`;
}

/** The candidate that is nearest to what was typed, or null if none is near. */
export function closest(typed: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(typed.length / 3)) + 1;
  for (const candidate of candidates) {
    const far = typed.length >= 3 && candidate.startsWith(typed) ? 1 : distance(typed, candidate);
    if (far < least) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

/** How many letters have to be put in, left out, replaced or swapped with their neighbour to make one text of the other. */
function distance(a: string, b: string): number {
  if (a.length > 40) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
