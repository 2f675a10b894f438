// Aligned text for a terminal.

import type { PeerResult, SuiteReport } from './result.ts';
import type { Spread } from './statistics.ts';

const HEADINGS = ['', '/s', '(range)', 'us CPU', 'x ws', '(CPU)', 'x raw', '(CPU)', 'core', 'load', ''];

export function printTable(report: SuiteReport): string {
  const lines: string[] = [`\n${report.suite}`];
  for (const row of report.rows) {
    const memory = row.peers.some((peer) => peer.memory);
    const cells = row.peers.map((peer) => (memory ? memoryCells(peer) : cellsOf(peer)));
    const headings = memory ? ['', 'KiB/conn', '(range)', ''] : HEADINGS;
    lines.push(`\n  ${row.name}  [${row.unit}]`, ...align([headings, ...cells]).map((line) => `    ${line}`));
  }
  return lines.join('\n');
}

/** Columns as wide as their widest cell; the first and the last to the left, the others to the right. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}

function cellsOf({ peer, rate, cpu, versus, share, loadShare, notes }: PeerResult): string[] {
  const note = notes.join(', ');
  if (!rate || !cpu) return [peer, '-', '', '', '', '', '', '', '', '', note];
  const ratios = ['ws', 'raw'].flatMap((base) => {
    const ratio = versus[base];
    return ratio ? [ratio.rate.toFixed(2), `(${ratio.cpu.toFixed(2)})`] : ['', ''];
  });
  const range = `(${short(rate.min)}-${short(rate.max)})`;
  return [
    peer,
    short(rate.median),
    range,
    cpu.median.toPrecision(3),
    ...ratios,
    percent(share),
    percent(loadShare),
    note,
  ];
}

function memoryCells({ peer, memory, notes }: PeerResult): string[] {
  if (!memory) return [peer, '-', '', notes.join(', ')];
  return [peer, memory.median.toFixed(2), range(memory), notes.join(', ')];
}

function range({ min, max }: Spread): string {
  return `(${min.toFixed(2)}-${max.toFixed(2)})`;
}

function percent(value: number | undefined): string {
  return value === undefined ? '' : `${Math.round(value * 100)}%`;
}

/** 1234567 as 1.23M. */
export function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  if (value >= 1e3) return `${(value / 1e3).toPrecision(3)}k`;
  return value.toPrecision(3);
}
