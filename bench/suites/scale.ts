// How the cost grows: CPU a message as connections go from 10 to 10,000 (must stay flat), and CPU a byte as messages grow
// from 64 KiB to 16 MiB (must stay linear).

import type { Bench } from '../harness/bench.ts';
import type { Row, SuiteReport } from '../harness/result.ts';
import { type EchoCase, echoName, runEcho, sizeName } from './echo.ts';

export const CONNECTIONS: readonly EchoCase[] = [10, 100, 1000, 10_000].map((connections) => ({
  kind: 'binary',
  size: 125,
  connections,
  depth: 1,
}));

export const SIZES: readonly EchoCase[] = [64, 256, 1024, 4096, 16_384].map((kib) => ({
  kind: 'binary',
  size: kib * 1024,
  connections: 1,
  depth: 1,
}));

export async function scale(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  const add = async (entry: EchoCase, point: NonNullable<Row['point']>) => {
    if (echoName(entry).includes(bench.options.filter)) rows.push({ ...(await runEcho(bench, entry)), point });
  };
  for (const entry of CONNECTIONS) {
    const label = entry.connections.toLocaleString('en');
    await add(entry, {
      curve: 'us of CPU a message of 125 B, by connections',
      x: entry.connections,
      label,
      divisor: 1,
    });
  }
  for (const entry of SIZES) {
    const label = sizeName(entry.size);
    await add(entry, {
      curve: 'us of CPU a KiB, by size of the message',
      x: entry.size,
      label,
      divisor: entry.size / 1024,
    });
  }
  return { suite: 'scale', title: 'Cost as load grows', rows };
}
