// One look at everybody who is here: six rows that differ in what they ask of a server. The README's plot is made of it.

import type { Bench } from '../harness/bench.ts';
import { installPeers, peersFor } from '../harness/peers.ts';
import type { Row, SuiteReport } from '../harness/result.ts';
import { type EchoCase, echoName, runEcho } from './echo.ts';

const KIB = 1024;

export const OVERVIEW: readonly EchoCase[] = [
  { kind: 'binary', size: 125, connections: 64, depth: 16 },
  { kind: 'binary', size: 125, connections: 64, depth: 1 },
  { kind: 'text', size: KIB, connections: 64, depth: 16 },
  { kind: 'unicode', size: KIB, connections: 64, depth: 1, variants: ['ours-bytes'] },
  { kind: 'binary', size: KIB, connections: 64, depth: 16, fragment: 128 },
  { kind: 'binary', size: 64 * KIB, connections: 64, depth: 1, variants: ['ours-borrow'] },
];

export async function overview(bench: Bench): Promise<SuiteReport> {
  const trouble = installPeers();
  if (trouble !== null) console.error(trouble);
  const rows: Row[] = [];
  for (const entry of OVERVIEW) {
    if (!echoName(entry).includes(bench.options.filter)) continue;
    rows.push(await runEcho(bench, entry, {}, peersFor('server', entry.variants)));
  }
  return { suite: 'overview', title: 'WebSocket echo', rows };
}
