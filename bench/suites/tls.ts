// Echo over TLS 1.3, with a certificate made for this run.

import type { Bench } from '../harness/bench.ts';
import { createCertificate } from '../harness/certificate.ts';
import type { Row, SuiteReport } from '../harness/result.ts';
import { type EchoCase, echoName, runEcho } from './echo.ts';

export const TLS: readonly EchoCase[] = [
  { kind: 'binary', size: 125, connections: 64, depth: 1 },
  { kind: 'binary', size: 125, connections: 64, depth: 16 },
  { kind: 'binary', size: 16_384, connections: 64, depth: 1 },
];

export async function tls(bench: Bench): Promise<SuiteReport> {
  const certificate = createCertificate();
  const rows: Row[] = [];
  for (const entry of TLS) {
    if (!echoName(entry).includes(bench.options.filter)) continue;
    const row = await runEcho(bench, entry, certificate);
    rows.push({ ...row, name: `${row.name}, TLS` });
  }
  return { suite: 'tls', rows };
}
