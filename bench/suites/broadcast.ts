// One message to a thousand connections: deliveries a second, one message at a time and sixteen in a turn.

import { type Bench, interleave, serverContender } from '../harness/bench.ts';
import { peersFor } from '../harness/peers.ts';
import { type Row, type SuiteReport, summarise } from '../harness/result.ts';

export async function broadcast(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  for (const kind of ['binary', 'text']) {
    for (const depth of [1, 16]) {
      const load = { mode: 'broadcast', kind, size: 128, connections: 1000, depth };
      const name = `128 B ${kind} to ${load.connections} connections, ${depth} a turn`;
      if (!name.includes(bench.options.filter)) continue;
      const outcomes = await interleave(
        bench,
        name,
        peersFor('server').filter((id) => id !== 'raw'),
        (peer) => serverContender(bench, peer, { mode: 'broadcast' }, load),
      );
      rows.push(summarise(name, 'delivery', outcomes));
    }
  }
  return { suite: 'broadcast', rows };
}
