/** Records as `sansocket trace` prints them: one line a frame, for people or as JSON. */

import type { Painter } from '../debug/lines.ts';
import { formatMilliseconds, formatRecord, printableText } from '../debug/lines.ts';
import type { WireRecord } from '../debug/records.ts';
import type { Arguments } from './arguments.ts';
import { type Filter, parseFilter } from './filter.ts';
import { CommandError, type Io } from './io.ts';
import { jsonLine, recordJson, round } from './record-json.ts';
import { painterOf, type Style, styleFor } from './style.ts';

/** Bytes of each payload that are shown, and those that a filter looks at. */
const SHOWN = 256;
const SEARCHED = 1_048_576;

/** Prints what passes on any number of connections. */
export class TracePrinter {
  /** Broken rules so far, printed or not. */
  violations = 0;
  /** Resolves when whoever reads has caught up; null while that is so. */
  behind: Promise<void> | null = null;
  /** How much of each payload the printer wants: what is searched may lie behind what is shown. */
  readonly previewSize: number;
  private readonly io: Io;
  private readonly limit: number;
  private readonly style: Style;
  private readonly paint: Painter;
  private readonly json: boolean;
  private readonly hex: boolean;
  private readonly headers: boolean;
  private readonly filter: Filter | null;

  /** @throws CommandError when the filter or the limit is wrong */
  constructor(given: Arguments, io: Io) {
    this.io = io;
    this.limit = given.size('limit') ?? SHOWN;
    if (this.limit < 1 || this.limit > SEARCHED) throw new CommandError('--limit must be from 1 to 1MiB');
    this.style = styleFor(io.stdout, io.environment);
    this.paint = painterOf(this.style);
    this.json = given.has('json');
    this.hex = given.has('hex');
    this.headers = given.has('headers');
    const filter = given.text('filter');
    this.filter = filter === null ? null : parseFilter(filter);
    this.previewSize = filter?.includes('/') === true ? SEARCHED : this.limit;
  }

  record(seen: WireRecord, connection: number): void {
    if (seen.type === 'fault') this.violations++;
    if (seen.type === 'bytes' || this.filter?.(seen, connection) === false) return;
    const record = seen.type === 'frame' ? { ...seen, payload: seen.payload.subarray(0, this.limit) } : seen;
    if (this.json) {
      this.write(`${jsonLine({ connection, ...recordJson(record) })}\n`);
      return;
    }
    const { cyan, yellow, dim } = this.style;
    const arrow = record.from === 'client' ? cyan('▲') : yellow('▼');
    this.line(record.at, `#${connection}`, `${arrow} ${formatRecord(record, this.paint)}`);
    if (record.type === 'head' && this.headers) {
      for (const [name, value] of record.headers) this.below(`${name}: ${dim(printableText(value))}`);
    }
    if (record.type === 'frame' && this.hex) for (const row of hexRows(record.payload)) this.below(dim(row));
  }

  /** Something about a connection that is no record. A filter keeps only what went wrong. */
  note(at: number, connection: number, text: string, bad = false): void {
    if (this.filter !== null && !bad) return;
    if (this.json) this.write(`${jsonLine({ connection, type: bad ? 'error' : 'note', at: round(at), text })}\n`);
    else {
      // A failure of TLS may quote the peer's certificate.
      const shown = printableText(text);
      this.line(at, `#${connection}`, bad ? this.style.red(`! ${shown}`) : this.style.dim(`· ${shown}`));
    }
  }

  private write(text: string): void {
    if (this.io.stdout.write(text) || this.behind !== null) return;
    this.behind = this.io.stdout.drained().then(() => {
      this.behind = null;
    });
  }

  private line(at: number, connection: string, text: string): void {
    this.write(`${this.style.dim(formatMilliseconds(at).padStart(9))} ${connection.padEnd(3)} ${text}\n`);
  }

  private below(text: string): void {
    this.write(`${' '.repeat(16)}${text}\n`);
  }
}

/** Sixteen bytes a row: offset, bytes, and the characters among them. */
export function hexRows(bytes: Uint8Array): string[] {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const digits = row.map((octet) => octet.toString(16).padStart(2, '0'));
    const left = digits.slice(0, 8).join(' ').padEnd(23);
    const right = digits.slice(8).join(' ').padEnd(23);
    const text = row.map((octet) => (octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '.')).join('');
    rows.push(`${at.toString(16).padStart(4, '0')}  ${left}  ${right}  ${text}`);
  }
  return rows;
}
