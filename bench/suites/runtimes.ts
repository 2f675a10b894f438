// The shells for Bun and Deno against the servers that these runtimes have themselves: the same echo, the same load. (Node's
// shell against ws and a bare socket is in `targets`; that it allocates no more than before is what `guard` watches.)

import type { Bench } from '../harness/bench.ts';
import type { Row, SuiteReport } from '../harness/result.ts';
import { type EchoCase, runEcho } from './echo.ts';
import type { Target } from './targets.ts';

const ENTRY: EchoCase = { kind: 'binary', size: 125, connections: 64, depth: 16 };

/** The part of a native server's work that the shell does with the same CPU time: 2 is twice as many messages. */
const GOALS = [
  { shell: 'bun-shell', native: 'bun', goal: 0.6 },
  { shell: 'deno-shell', native: 'deno', goal: 2 },
] as const;

export async function runtimes(
  bench: Bench,
): Promise<{ readonly suite: SuiteReport; readonly targets: readonly Target[] }> {
  const peers = GOALS.flatMap(({ shell, native }) => [shell, native]);
  const row = await runEcho(bench, ENTRY, {}, peers);
  return { suite: { suite: 'runtimes', rows: [row] }, targets: GOALS.map((each) => judge(row, each)) };
}

/** As in `targets`, CPU a message is what counts: messages a second also wait for the load and the machine. */
function judge(row: Row, { shell, native, goal }: (typeof GOALS)[number]): Target {
  const of = (id: string) => row.peers.find(({ peer }) => peer === id);
  const ratio = of(shell)?.versus[native] ?? null;
  const silent = [shell, native].find((id) => of(id)?.rate === undefined);
  const notes = of(silent ?? shell)?.notes.join(', ') ?? 'did not take part';
  const note = silent === undefined ? notes : `${silent}: ${notes}`;
  return {
    row: `${row.name}: ${shell} / ${native} (goal)`,
    value: ratio?.cpu ?? null,
    relation: '>=',
    target: goal,
    ok: ratio !== null && ratio.cpu >= goal,
    rate: ratio?.rate ?? null,
    note,
  };
}
