/** How often each fault struck in each phase. */

import type { Phase } from '../src/index.ts';
import { FAULT_KINDS, type FaultKind, whyNot } from './faults.ts';

const PHASES: readonly Phase[] = [
  'connecting',
  'open',
  'close-sent',
  'close-received',
  'draining',
  'failing',
  'closed',
];

/** Counts by fault and phase. */
export class Table {
  total = 0;
  private readonly counts: Map<string, number> = new Map();

  add(kind: FaultKind, phase: Phase, count = 1): void {
    const key = `${kind}|${phase}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + count);
    this.total += count;
  }

  merge(other: Table): void {
    for (const [key, count] of other.counts) this.counts.set(key, (this.counts.get(key) ?? 0) + count);
    this.total += other.total;
  }

  /** Cells that can be struck and were, fewer than `least` times. */
  below(least: number): string[] {
    const poor: string[] = [];
    for (const kind of FAULT_KINDS) {
      for (const phase of PHASES) {
        const count = this.count(kind, phase);
        if (whyNot(kind, phase) === '' && count < least) poor.push(`${kind} in ${phase}: ${count}`);
      }
    }
    return poor;
  }

  /** For people: a line a fault, and under it why some cells are empty. */
  print(): string {
    const reasons: string[] = [];
    const rows = FAULT_KINDS.map((kind) => {
      const cells = PHASES.map((phase) => {
        const reason = whyNot(kind, phase);
        if (reason === '') return String(this.count(kind, phase));
        if (!reasons.includes(reason)) reasons.push(reason);
        return String.fromCharCode(97 + reasons.indexOf(reason));
      });
      return [kind, ...cells];
    });
    const all = [['fault', ...PHASES], ...rows];
    const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
    const lines = all.map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))),
    );
    const notes = reasons.map((reason, i) => `${String.fromCharCode(97 + i)}: ${reason}`);
    return [...lines.map((line) => line.join('  ')), ...notes].join('\n');
  }

  private count(kind: FaultKind, phase: Phase): number {
    return this.counts.get(`${kind}|${phase}`) ?? 0;
  }
}
