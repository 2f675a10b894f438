// The codec without a socket: decoding a stream of masked frames against ws's Receiver, encoding against its Sender, and the
// parts alone: masking in place, UTF-8 judged, UTF-8 made a string.

import { type Bench, interleave, startNode } from '../harness/bench.ts';
import { benchPath } from '../harness/paths.ts';
import { type Row, type SuiteReport, summarise } from '../harness/result.ts';
import { sizeName } from './echo.ts';

export interface CodecCase {
  readonly task: 'decode' | 'encode' | 'encode masked' | 'mask' | 'validate' | 'to string';
  readonly kind: 'binary' | 'text' | 'unicode';
  readonly size: number;
}

const SIZES = [16, 1024, 65_536];

export const CODEC: readonly CodecCase[] = [
  ...SIZES.map((size): CodecCase => ({ task: 'decode', kind: 'binary', size })),
  { task: 'decode', kind: 'text', size: 1024 },
  ...SIZES.map((size): CodecCase => ({ task: 'encode', kind: 'binary', size })),
  ...SIZES.map((size): CodecCase => ({ task: 'encode masked', kind: 'binary', size })),
  { task: 'encode', kind: 'text', size: 1024 },
  ...[16, 125, 1024, 65_536].map((size): CodecCase => ({ task: 'mask', kind: 'binary', size })),
  ...(['text', 'unicode'] as const).flatMap((kind) =>
    [125, 1024, 65_536].flatMap((size): CodecCase[] => [
      { task: 'validate', kind, size },
      { task: 'to string', kind, size },
    ]),
  ),
];

export async function codec(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  for (const entry of CODEC) {
    if (codecName(entry).includes(bench.options.filter)) rows.push(await runCodec(bench, entry));
  }
  return { suite: 'codec', rows };
}

export function codecName({ task, kind, size }: CodecCase): string {
  return `${task} ${sizeName(size)} ${kind === 'unicode' ? 'non-ASCII text' : kind}`;
}

export async function runCodec(bench: Bench, entry: CodecCase): Promise<Row> {
  const name = codecName(entry);
  const text = entry.task === 'validate' || entry.task === 'to string';
  const peers = text ? ['ours', 'ours-pure', 'ws'] : ['ours', 'ws'];
  const outcomes = await interleave(bench, name, peers, async (peer) => {
    const worker = startNode(benchPath('codec', 'main.mjs'), { ...entry, peer: peer.file }, peer);
    try {
      await worker.next(10_000);
    } catch (error) {
      await worker.stop();
      throw error;
    }
    return {
      measure(round) {
        const warmup = bench.options.warmup * (round === 0 ? 2 : 1);
        worker.say(`measure ${warmup} ${bench.options.duration}`);
        return worker.next(warmup + bench.options.duration * 10 + 20_000);
      },
      stop: () => worker.stop(),
    };
  });
  return summarise(name, 'message', outcomes, false);
}
