// Clients: sending masked messages, 64 a turn on each of four connections, and receiving what a server streams.

import { type Bench, type Contender, interleave, startNode } from '../harness/bench.ts';
import type { Sample } from '../harness/load-generator.ts';
import { benchPath } from '../harness/paths.ts';
import { type Peer, peersFor } from '../harness/peers.ts';
import type { Child } from '../harness/processes.ts';
import { type Row, type SuiteReport, summarise } from '../harness/result.ts';
import { sizeName } from './echo.ts';

export interface ClientCase {
  readonly mode: 'send' | 'receive';
  readonly kind: 'binary' | 'text';
  readonly size: number;
}

export const CLIENT: readonly ClientCase[] = [
  { mode: 'send', kind: 'binary', size: 125 },
  { mode: 'send', kind: 'text', size: 125 },
  { mode: 'send', kind: 'binary', size: 1024 },
  { mode: 'send', kind: 'binary', size: 65_536 },
  { mode: 'receive', kind: 'binary', size: 125 },
  { mode: 'receive', kind: 'text', size: 125 },
  { mode: 'receive', kind: 'binary', size: 65_536 },
];

export async function client(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  for (const entry of CLIENT) {
    if (clientName(entry).includes(bench.options.filter)) rows.push(await runClient(bench, entry));
  }
  return { suite: 'client', rows };
}

/** One row, of everybody who is here or of `peers`. */
export async function runClient(
  bench: Bench,
  entry: ClientCase,
  peers: readonly string[] = peersFor('client', ['ours-public']),
): Promise<Row> {
  const name = clientName(entry);
  const outcomes = await interleave(bench, name, peers, async (peer) => contender(bench, peer, entry));
  return summarise(name, 'message', outcomes);
}

export function clientName({ mode, kind, size }: ClientCase): string {
  return mode === 'send' ? `client sends ${sizeName(size)} ${kind}` : `client receives ${sizeName(size)} ${kind}`;
}

/** A client process lives for one round: the server's end of its connections goes away with the window. */
function contender(bench: Bench, peer: Peer, { mode, kind, size }: ClientCase): Contender {
  const connections = 4;
  const settings = { mode, kind, size, connections, options: peer.options ?? {} };
  return {
    async measure() {
      const { duration } = bench.options;
      const warmup = bench.options.warmup * 2;
      const tested = startNode(benchPath('clients', peer.clientFile ?? peer.file), settings, peer);
      const sinkMode = mode === 'send' ? 'sink' : 'source';
      let sink = null;
      try {
        await tested.next(10_000);
        const load = { mode: sinkMode, pid: tested.pid, kind, size, connections, warmup, duration };
        sink = bench.load.start('sink', load);
        const { port } = await sink.next<{ port: number }>(10_000);
        tested.say(`connect ${port}`);
        const sample = await sink.next<Sample>(4 * (warmup + duration) + 20_000);
        if (mode === 'receive' && peer.id !== 'raw') await checkReceived(tested, sample.messages);
        return sample;
      } finally {
        await Promise.all([tested.stop(), sink?.stop()]);
      }
    },
    stop: async () => {},
  };
}

/** The source counts what it wrote: make sure that the client delivered it, some of it being still on the way. */
async function checkReceived(tested: Child, sent: number): Promise<void> {
  tested.say('received');
  const { received } = await tested.next<{ received: number }>(10_000);
  if (received < sent * 0.8) throw new Error(`the client delivered ${received} of ${Math.round(sent)} messages`);
}
