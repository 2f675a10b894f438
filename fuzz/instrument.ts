/**
 * The targets and the engine as one module that counts its branches: bundled, instrumented, written to a temporary
 * directory and imported into this process. Only `src/` counts.
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin, transform } from 'esbuild';
import { createInstrumenter } from 'istanbul-lib-instrument';
import type { Target } from './targets/index.ts';

const root = join(import.meta.dirname, '..');

export interface Instrumented {
  readonly targets: Readonly<Record<string, Target>>;
  /** One counter for each branch and function; they wrap at 256. */
  readonly hits: Uint8Array;
}

export async function loadInstrumented(): Promise<Instrumented> {
  let counters = 0;
  /** Replaces the counting of istanbul, which goes through objects, by one array; statements add nothing to branches. */
  const count = (code: string): string => {
    const numbers = new Map<string, number>();
    return code
      .replace(/cov_\w+\(\)\.s\[\d+\]\+\+/g, '0')
      .replace(/cov_\w+\(\)\.(b\[\d+\]\[\d+\]|f\[\d+\])\+\+/g, (_all, name: string) => {
        let number = numbers.get(name);
        if (number === undefined) {
          number = counters++;
          numbers.set(name, number);
        }
        return `globalThis.__hits[${number}]++`;
      });
  };
  const instrument: Plugin = {
    name: 'instrument',
    setup(on) {
      on.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const { code } = await transform(source, { loader: 'ts', target: 'es2022' });
        if (!path.startsWith(join(root, 'src') + sep)) return { contents: code, loader: 'js' };
        const instrumenter = createInstrumenter({ esModules: true, compact: false, produceSourceMap: false });
        return { contents: count(instrumenter.instrumentSync(code, path)), loader: 'js' };
      });
    },
  };
  const bundled = await build({
    entryPoints: [join(root, 'fuzz', 'targets', 'index.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    write: false,
    plugins: [instrument],
  });
  const directory = await mkdtemp(join(tmpdir(), 'sansocket-fuzz-'));
  const file = join(directory, 'targets.mjs');
  // A local name costs less than a property of the global object.
  const code = `const __hits = globalThis.__hits;\n${bundled.outputFiles[0]!.text.replaceAll('globalThis.__hits[', '__hits[')}`;
  await writeFile(file, code);
  const hits = new Uint8Array(counters);
  (globalThis as { __hits?: Uint8Array }).__hits = hits;
  try {
    const { TARGETS } = (await import(pathToFileURL(file).href)) as { TARGETS: Instrumented['targets'] };
    return { targets: TARGETS, hits };
  } finally {
    await rm(directory, { recursive: true });
  }
}
