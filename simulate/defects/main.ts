/**
 * Plants each defect in a copy of the sources, in memory, and lets the simulation look for it. The sources as they are must pass.
 *
 *     npm run simulate:defects -- [--seeds 60] [name…]
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { DEFECTS, type Defect } from './planted.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const SRC = join(import.meta.dirname, '../../src/');
const folder = mkdtempSync(join(tmpdir(), 'defects-'));

/** The simulator with the sources as they are, but for the defect. */
async function bundle(defect: Defect | null, outfile: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, '../main.ts')],
    bundle: true,
    outfile,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    plugins: [
      {
        name: 'plant',
        setup(context) {
          if (defect === null) return;
          const path = join(SRC, defect.file);
          context.onLoad({ filter: /\.ts$/ }, (file) => {
            if (file.path !== path) return null;
            const parts = readFileSync(path, 'utf8').split(defect.find);
            if (parts.length !== 2)
              throw new Error(`'${defect.name}' has ${parts.length - 1} places in ${defect.file}`);
            return { contents: parts.join(defect.replace), loader: 'ts' };
          });
        },
      },
    ],
  });
}

/** Runs it; what it found, or null, also if it never ended. */
function search(file: string): { found: string | null; seconds: number } {
  const start = performance.now();
  const args = [file, '--brief', '--seed', values.seed, '--seeds', values.seeds];
  // One that loops for ever hears of no other signal.
  const limits = { timeout: 120_000, killSignal: 'SIGKILL' } as const;
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', ...limits });
  const seconds = (performance.now() - start) / 1_000;
  return { found: status === 0 || status === null ? null : stderr.trim().split('\n').slice(0, 2).join(', '), seconds };
}

let good = true;
try {
  const file = join(folder, 'simulate.mjs');
  const chosen = DEFECTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  for (const defect of [null, ...chosen]) {
    await bundle(defect, file);
    const { found, seconds } = search(file);
    const fine = (found !== null) === (defect !== null);
    good &&= fine;
    const verdict = found === null ? 'nothing found' : found.slice(0, 200);
    console.log(`${fine ? 'good' : 'BAD '}  ${defect?.name ?? 'no defect'} (${seconds.toFixed(0)} s): ${verdict}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = good ? 0 : 1;
