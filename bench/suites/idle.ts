// What an open connection costs while nothing happens: resident memory of the server before and after 10,000
// connections, each read after forced collections.

import { type Bench, interleave, startServer } from '../harness/bench.ts';
import { peersFor } from '../harness/peers.ts';
import { type Outcome, type PeerResult, type Row, type SuiteReport, summarise } from '../harness/result.ts';
import { spread } from '../harness/statistics.ts';

export async function idle(bench: Bench): Promise<SuiteReport> {
  return { suite: 'idle', rows: [await runIdle(bench, 10_000)] };
}

/** One row, of everybody who is here or of `peers`. */
export async function runIdle(
  bench: Bench,
  connections: number,
  peers: readonly string[] = peersFor('server'),
): Promise<Row> {
  const name = `${connections} idle connections`;
  const memory = new Map<string, number[]>();
  const rounds = Math.min(bench.options.rounds, bench.options.quick ? 1 : 3);
  const once = { ...bench, options: { ...bench.options, rounds } };
  const outcomes = await interleave(once, name, peers, async (peer) => ({
    async measure() {
      // A fresh server each time: memory once used by a process is seldom given back.
      const { server, port } = await startServer(peer, { mode: 'idle' }, ['--expose-gc']);
      const raw = peer.id === 'raw' ? 1 : 0;
      let load = null;
      try {
        const before = await residentSize(server);
        load = bench.load.start('load', { mode: 'idle', port, raw, connections });
        await load.next(60_000);
        const after = await residentSize(server);
        const list = memory.get(peer.id) ?? [];
        memory.set(peer.id, list);
        list.push((after - before) / 1024 / connections);
        return { messages: 1, seconds: 1, ownCpu: 0, targetCpu: 0 };
      } finally {
        await Promise.all([load?.stop(), server.stop()]);
      }
    },
    stop: async () => {},
  }));
  return toMemory(summarise(name, 'KiB a connection', outcomes), outcomes, memory);
}

interface Speaker {
  say(line: string): void;
  next<T>(timeout: number): Promise<T>;
}

async function residentSize(server: Speaker): Promise<number> {
  server.say('memory');
  const { rss } = await server.next<{ rss: number }>(10_000);
  return rss;
}

function toMemory(row: Row, outcomes: ReadonlyMap<string, Outcome>, memory: ReadonlyMap<string, number[]>): Row {
  const peers = row.peers.map((entry): PeerResult => {
    if (outcomes.get(entry.peer) instanceof Error) return entry;
    return { peer: entry.peer, memory: spread(memory.get(entry.peer)!), versus: {}, notes: [] };
  });
  return { ...row, peers };
}
