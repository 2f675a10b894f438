/** The help of the command line, made of its tables. */

import type { Flags } from './arguments.ts';
import type { Style } from './style.ts';
import type { Verb, VerbRow } from './verbs.ts';

const WIDTH = 80;
/** Every verb has it. */
export const HELP_FLAG: Flags = { help: { short: 'h', help: 'show this help' } };

/** What `sansocket --help` says. */
export function generalHelp(verbs: Readonly<Record<string, VerbRow>>, { bold, cyan }: Style): string {
  const rows = Object.entries(verbs).map(([name, { summary }]) => [cyan(name), name.length, summary] as const);
  return [
    'A WebSocket client, server, tracer and bench for the terminal.',
    '',
    `${bold('Usage')}  sansocket VERB [ARGUMENT...] [OPTION...]`,
    '',
    bold('Verbs'),
    ...columns(rows),
    '',
    bold('Options'),
    ...columns([
      ['-h, --help', 10, "show this help; 'sansocket VERB --help' for one verb"],
      ['--version', 9, 'show the version'],
    ]),
    '',
    bold('Exit codes'),
    ...columns([
      ['0', 1, 'done'],
      ['1', 1, 'there was no connection, or it failed'],
      ['2', 1, 'the command line, or a file that it names, is wrong'],
      ['3', 1, 'what was looked at breaks the protocol'],
      ['129, 130, 143', 13, 'SIGHUP, Ctrl-C or SIGTERM came before it was done'],
    ]),
    '',
    bold('Environment'),
    ...columns([
      ['NO_COLOR', 8, 'no colours; FORCE_COLOR=1 has them in pipes too'],
      ['SANSOCKET_DEBUG', 15, '1: changes of state, 2: frames and bytes, on standard error'],
    ]),
    '',
  ].join('\n');
}

/** What `sansocket VERB --help` says. */
export function verbHelp(name: string, verb: Verb, { bold, cyan, dim }: Style): string {
  const flags = Object.entries({ ...verb.flags, ...HELP_FLAG }).map(([flag, { short, value, help, multiple }]) => {
    const left = `${short === undefined ? '    ' : `-${short}, `}--${flag}${value === undefined ? '' : ` ${value}`}`;
    return [cyan(left), left.length, multiple === true ? `${help} (may be repeated)` : help] as const;
  });
  const lines = [
    ...verb.usage.map((usage, i) => `${i === 0 ? bold('Usage') : '     '}  sansocket ${name} ${usage}`.trimEnd()),
    '',
    ...wrap(verb.about, WIDTH),
    '',
    bold('Options'),
    ...columns(flags),
  ];
  for (const [title, notes] of verb.notes ?? [])
    lines.push('', bold(title), ...notes.flatMap((line) => indented(line)));
  lines.push('', bold('Examples'));
  for (const [line, does] of verb.examples) lines.push(`  ${dim('$')} ${line}`, `    ${dim(does)}`);
  return `${lines.join('\n')}\n`;
}

/** A note as it was written, and wrapped only if it must be: some are code. */
function indented(line: string): string[] {
  const lines = line.length > WIDTH - 2 ? wrap(line, WIDTH - 2) : [line];
  return lines.map((each) => `  ${each}`.trimEnd());
}

/** Two columns: the left as wide as its widest cell, the right wrapped. The number is the left's width without colours. */
function columns(rows: readonly (readonly [left: string, width: number, right: string])[]): string[] {
  const width = Math.min(30, Math.max(...rows.map(([, size]) => size)));
  const lines: string[] = [];
  for (const [left, size, right] of rows) {
    const [first = '', ...rest] = wrap(right, WIDTH - width - 4);
    if (size > width) lines.push(`  ${left}`, `  ${' '.repeat(width)}  ${first}`);
    else lines.push(`  ${left}${' '.repeat(width - size)}  ${first}`);
    for (const line of rest) lines.push(`  ${' '.repeat(width)}  ${line}`);
  }
  return lines;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}
