// The context of a run, and the loop that every suite shares: peers interleaved round by round.

import type { LoadGenerator, LoadOptions, Sample } from './load-generator.ts';
import type { BenchOptions } from './options.ts';
import { benchPath } from './paths.ts';
import { commandOf, missing, type Peer, peer } from './peers.ts';
import { Child } from './processes.ts';
import type { Outcome } from './result.ts';

export interface Bench {
  readonly options: BenchOptions;
  readonly load: LoadGenerator;
  /** Writes one line of progress. */
  progress(text: string): void;
}

/** How one peer is measured: started once, measured each round, stopped at the end. */
export interface Contender {
  measure(round: number): Promise<Sample>;
  stop(): Promise<void>;
}

/** Measures every peer in every round. A peer that is missing or fails has its error instead of samples. */
export async function interleave(
  bench: Bench,
  title: string,
  ids: readonly string[],
  start: (peer: Peer) => Promise<Contender>,
): Promise<Map<string, Outcome>> {
  const wanted = bench.options.peers.length === 0 ? ids : ids.filter((id) => bench.options.peers.includes(id));
  const contenders = new Map<string, Contender>();
  const outcomes = new Map<string, Outcome>();
  const samples = new Map<string, Sample[]>(wanted.map((id) => [id, []]));
  const attempt = async (id: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      outcomes.set(id, error instanceof Error ? error : new Error(String(error)));
      await contenders.get(id)?.stop();
      contenders.delete(id);
    }
  };
  for (const id of wanted) {
    await attempt(id, async () => {
      const reason = missing(peer(id));
      if (reason !== null) throw new Error(reason);
      contenders.set(id, await start(peer(id)));
    });
  }
  for (let round = 0; round < bench.options.rounds; round++) {
    // Each round begins with another peer: none is always the one after the slowest.
    const order = [...wanted.slice(round % wanted.length), ...wanted.slice(0, round % wanted.length)];
    for (const id of order) {
      const contender = contenders.get(id);
      if (!contender) continue;
      bench.progress(`${title}: round ${round + 1}/${bench.options.rounds}, ${id}`);
      await attempt(id, async () => {
        samples.get(id)!.push(await contender.measure(round));
      });
    }
  }
  for (const contender of contenders.values()) await contender.stop();
  return new Map(wanted.map((id) => [id, outcomes.get(id) ?? samples.get(id)!]));
}

/** Lets a process under test finish with the connections that just ended, off the next window. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function startNode(file: string, settings: object, entry: Peer, flags: readonly string[] = []): Child {
  return new Child('tested', [...commandOf(entry, flags), file, JSON.stringify(settings)]);
}

/** Starts a peer's server and resolves with it and its port. */
export async function startServer(
  entry: Peer,
  settings: Readonly<Record<string, unknown>>,
  flags: readonly string[] = [],
): Promise<{ server: Child; port: number }> {
  const options = { ...(settings.options as object | undefined), ...entry.options };
  const server = startNode(benchPath('servers', entry.file), { ...settings, options }, entry, flags);
  try {
    const { port } = await server.next<{ port: number }>(10_000);
    return { server, port };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A peer's server under the load of load.c. */
export async function serverContender(
  bench: Bench,
  entry: Peer,
  settings: Readonly<Record<string, unknown>>,
  load: LoadOptions,
): Promise<Contender> {
  const { server, port } = await startServer(entry, settings);
  const raw = entry.id === 'raw' && load.mode === 'echo' ? 1 : 0;
  return {
    async measure(round) {
      const { duration } = bench.options;
      const warmup = bench.options.warmup * (round === 0 ? 2 : 1);
      const program = bench.load.start('load', { port, pid: server.pid, raw, ...load, warmup, duration });
      try {
        return await program.next<Sample>(4 * (warmup + duration) + 30_000);
      } finally {
        await program.stop();
        await pause(40 + Number(load.connections ?? 0) / 10);
      }
    },
    stop: () => server.stop(),
  };
}
