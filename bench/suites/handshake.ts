// Connect, upgrade, close: handshakes a second, 64 at a time. Raw is a canned 101 on a plain listener.

import { type Bench, interleave, serverContender } from '../harness/bench.ts';
import { peersFor } from '../harness/peers.ts';
import { type SuiteReport, summarise } from '../harness/result.ts';

/** Of everybody who is here, or of `peers`. */
export async function handshake(
  bench: Bench,
  peers: readonly string[] = peersFor('server', ['ours-public']),
): Promise<SuiteReport> {
  const name = 'connect, upgrade, close; 64 at a time';
  // Handshakes are few a second: the compiler needs longer to know the code.
  const warm = { ...bench, options: { ...bench.options, warmup: bench.options.warmup * 3 } };
  const outcomes = await interleave(warm, name, peers, (peer) =>
    serverContender(warm, peer, { mode: 'handshake' }, { mode: 'handshake', connections: 64 }),
  );
  return { suite: 'handshake', rows: [summarise(name, 'handshake', outcomes)] };
}
