// Messages that come in fragments and go back whole.

import type { Bench } from '../harness/bench.ts';
import type { Row, SuiteReport } from '../harness/result.ts';
import { type EchoCase, echoName, runEcho } from './echo.ts';

export const FRAGMENTS: readonly EchoCase[] = [
  { kind: 'binary', size: 1024, fragment: 128, connections: 64, depth: 1 },
  { kind: 'binary', size: 1024, fragment: 128, connections: 64, depth: 16 },
  { kind: 'binary', size: 65_536, fragment: 1024, connections: 8, depth: 1 },
];

export async function fragments(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  for (const entry of FRAGMENTS) {
    if (echoName(entry).includes(bench.options.filter)) rows.push(await runEcho(bench, entry));
  }
  return { suite: 'fragments', rows };
}
