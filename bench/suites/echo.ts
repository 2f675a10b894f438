// Echo: what a server is asked most often. Sizes, kinds, connections and messages in flight.

import { type Bench, interleave, serverContender } from '../harness/bench.ts';
import { peersFor } from '../harness/peers.ts';
import { type Row, type SuiteReport, summarise } from '../harness/result.ts';

export interface EchoCase {
  readonly kind: 'binary' | 'text' | 'unicode';
  readonly size: number;
  readonly connections: number;
  readonly depth: number;
  /** Bytes a frame, when messages are sent in fragments. */
  readonly fragment?: number;
  /** Variants of ours to measure as well. */
  readonly variants?: readonly string[];
}

const KIB = 1024;
const MIB = 1024 * KIB;

const PUBLIC = ['ours-public'];
const BORROW = ['ours-borrow', 'ours-public'];
const BYTES = ['ours-bytes', 'ours-public'];

const SUBSET: readonly EchoCase[] = [
  ...[16, 125, KIB, 64 * KIB, MIB].flatMap((size) =>
    [1, size === MIB ? 8 : 64].flatMap((connections) =>
      [1, 16].map(
        (depth): EchoCase => ({
          kind: 'binary',
          size,
          connections,
          depth,
          variants: size >= 64 * KIB ? BORROW : PUBLIC,
        }),
      ),
    ),
  ),
  { kind: 'binary', size: 125, connections: 1000, depth: 1, variants: PUBLIC },
  { kind: 'binary', size: 16 * KIB, connections: 64, depth: 1, variants: BORROW },
  { kind: 'binary', size: 16 * MIB, connections: 1, depth: 1, variants: BORROW },
  { kind: 'text', size: 125, connections: 64, depth: 1, variants: BYTES },
  { kind: 'text', size: 125, connections: 64, depth: 16, variants: BYTES },
  { kind: 'text', size: 16 * KIB, connections: 64, depth: 1, variants: BYTES },
  { kind: 'unicode', size: KIB, connections: 64, depth: 1, variants: BYTES },
  { kind: 'unicode', size: 64 * KIB, connections: 8, depth: 1, variants: BYTES },
];

const EVERYTHING: readonly EchoCase[] = [16, 125, KIB, 16 * KIB, 64 * KIB, MIB, 16 * MIB].flatMap((size) =>
  (['binary', 'text', 'unicode'] as const).flatMap((kind) =>
    [1, 64, 1000]
      .filter((connections) => connections * size <= 256 * MIB)
      .flatMap((connections) =>
        [1, 16]
          .filter((depth) => connections * size * depth <= 512 * MIB)
          .map((depth): EchoCase => ({ kind, size, connections, depth })),
      ),
  ),
);

export async function echo(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  for (const entry of bench.options.full ? EVERYTHING : SUBSET) {
    if (echoName(entry).includes(bench.options.filter)) rows.push(await runEcho(bench, entry));
  }
  return { suite: 'echo', rows };
}

/** One row, of everybody who is here or of `peers`. */
export async function runEcho(
  bench: Bench,
  entry: EchoCase,
  settings: object = {},
  peers: readonly string[] = peersFor('server', entry.variants),
): Promise<Row> {
  const { variants: _, ...load } = entry;
  const name = echoName(entry);
  // Only what exceeds the default limits raises them.
  const options = entry.size > MIB ? { maxMessageSize: entry.size, maxFrameSize: entry.size } : {};
  const tls = 'cert' in settings ? { tls: 1 } : {};
  const outcomes = await interleave(bench, name, peers, (peer) =>
    serverContender(bench, peer, { mode: 'echo', options, ...settings }, { mode: 'echo', ...tls, ...load }),
  );
  return summarise(name, 'message', outcomes);
}

export function echoName({ kind, size, connections, depth, fragment }: EchoCase): string {
  const pieces = fragment === undefined ? '' : ` in ${sizeName(fragment)} fragments`;
  const sort = kind === 'unicode' ? 'non-ASCII text' : kind === 'text' ? 'ASCII text' : 'binary';
  return `${sizeName(size)} ${sort}${pieces}, ${connections} conn, depth ${depth}`;
}

export function sizeName(size: number): string {
  if (size >= MIB) return `${size / MIB} MiB`;
  return size >= KIB ? `${size / KIB} KiB` : `${size} B`;
}
