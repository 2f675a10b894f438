/**
 * What `--filter` lets through. Terms with spaces between them must all hold, of terms with commas between them one must, and
 * `!` before a term turns it round: `text,binary up size>=1KiB !#2`.
 */

import { isControl, Opcode } from '../codec/opcode.ts';
import { pureText } from '../codec/utf8.ts';
import type { WireRecord } from '../debug/records.ts';
import { closest } from './arguments.ts';
import { CommandError } from './io.ts';

/** Whether a record is shown. */
export type Filter = (record: WireRecord, connection: number) => boolean;

/** For the help. */
export const FILTER_HELP: readonly string[] = [
  'text binary continuation close ping pong   frames with this opcode',
  'data control                               frames of this kind',
  'head violation end                         what is no frame',
  'up down                                    from the client, from the server',
  'size>1KiB size<=125                        bytes of payload on the wire',
  'fin rsv1 compressed masked                 flags that are set',
  '#3                                         the third connection',
  '/TEXT/                                     payloads with TEXT in their first MiB',
  'Spaces: all of them. Commas: one of them. ! before a term: not.',
];

const KINDS: Readonly<Record<string, Filter>> = {
  ...Object.fromEntries(
    Object.entries(Opcode).map(([name, opcode]): [string, Filter] => [
      name,
      (record) => record.type === 'frame' && record.opcode === opcode,
    ]),
  ),
  data: (record) => record.type === 'frame' && !isControl(record.opcode),
  control: (record) => record.type === 'frame' && isControl(record.opcode),
  head: ({ type }) => type === 'head',
  violation: ({ type }) => type === 'fault',
  end: ({ type }) => type === 'end',
  up: ({ from }) => from === 'client',
  down: ({ from }) => from === 'server',
  fin: (record) => record.type === 'frame' && record.fin,
  rsv1: (record) => record.type === 'frame' && (record.rsv & 0x40) !== 0,
  compressed: (record) => record.type === 'frame' && record.inflated !== null,
  masked: (record) => record.type === 'frame' && record.masked,
};

/** @throws CommandError naming the term that is none */
export function parseFilter(text: string): Filter {
  const terms = split(text, ' ').map((term) => {
    const choices = split(term, ',').map(parseTerm);
    return (record: WireRecord, connection: number) => choices.some((choice) => choice(record, connection));
  });
  if (terms.length === 0) throw new CommandError('--filter is empty');
  return (record, connection) => terms.every((term) => term(record, connection));
}

function parseTerm(term: string): Filter {
  if (term.startsWith('!')) {
    const inner = parseTerm(term.slice(1));
    return (record, connection) => !inner(record, connection);
  }
  if (Object.hasOwn(KINDS, term)) return KINDS[term]!;
  if (/^#\d{1,9}$/.test(term)) {
    const wanted = Number(term.slice(1));
    return (_, connection) => connection === wanted;
  }
  if (/^\/.+\/$/.test(term)) {
    const wanted = term.slice(1, -1);
    return (record) => record.type === 'frame' && latin(record.payload).includes(utf8(wanted));
  }
  const [, sign, digits, unit = 'B'] = /^size(>=|<=|>|<|=)(\d{1,12})(B|KiB|MiB)?$/.exec(term) ?? [];
  if (sign !== undefined) {
    const size = Number(digits) * { B: 1, KiB: 1_024, MiB: 1_048_576 }[unit as 'B' | 'KiB' | 'MiB'];
    const holds = COMPARE[sign as keyof typeof COMPARE];
    return (record) => record.type === 'frame' && holds(record.length, size);
  }
  const meant = closest(term, Object.keys(KINDS));
  const hint = meant === null ? 'see --help' : `did you mean '${meant}'?`;
  throw new CommandError(`--filter does not know '${term}'; ${hint}`);
}

const COMPARE = {
  '>': (a: number, b: number) => a > b,
  '<': (a: number, b: number) => a < b,
  '>=': (a: number, b: number) => a >= b,
  '<=': (a: number, b: number) => a <= b,
  '=': (a: number, b: number) => a === b,
};

/** Splits at a separator that does not stand within slashes. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (const character of text) {
    if (character === '/') quoted = !quoted;
    if (character === separator && !quoted) {
      if (part !== '') parts.push(part);
      part = '';
    } else {
      part += character;
    }
  }
  if (part !== '') parts.push(part);
  return parts;
}

/** Bytes are compared, whatever they are: one character each on both sides. */
function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function utf8(text: string): string {
  const bytes = new Uint8Array(Math.max(0, pureText.byteLength(text)));
  pureText.encodeInto(text, bytes, 0);
  return latin(bytes);
}
