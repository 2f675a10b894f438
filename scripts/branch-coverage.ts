/**
 * Which branches of the engine its own tests do not take.
 *
 *     npm run coverage -- [part of a path in src…]
 *
 * Runs the tests of codec, handshake, extension and connection with these folders instrumented. Each file counts by its own test
 * file alone: what others happen to come by proves nothing of it. Properties draw by a fixed seed, so that two runs say the same.
 * Prints each branch and function that was never taken. The exit status is 1 if there is one, or if a test fails.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInstrumenter } from 'istanbul-lib-instrument';
import { startVitest } from 'vitest/node';

const root = join(import.meta.dirname, '..');
const FOLDERS = ['codec', 'handshake', 'extension', 'connection'];

interface Place {
  readonly start: { readonly line: number };
}

/** What istanbul counts of one file; only what is read here. */
interface Counts {
  readonly branchMap: Readonly<
    Record<string, { readonly type: string; readonly loc: Place; readonly locations: readonly Place[] }>
  >;
  readonly fnMap: Readonly<Record<string, { readonly name: string; readonly decl: Place }>>;
  readonly b: Record<string, number[]>;
  readonly f: Record<string, number>;
}

/** What one test file came by. */
interface Report {
  readonly test: string;
  readonly counts: Readonly<Record<string, Counts>>;
}

/** The test file of a source file; the parts of permessage-deflate share all of their folder's. */
function testOf(source: string): string {
  if (source.startsWith('src/extension/permessage-deflate/')) return 'test/extension/';
  return source.replace('src/', 'test/').replace(/\.ts$/, '.test.ts');
}

/** The files to cover: instrumented, and what is counted of them, from nothing. One that no test loads is not covered either. */
const sources = new Map<string, { readonly code: string; readonly counts: Counts }>();
const asked = process.argv.slice(2);
for (const folder of FOLDERS) {
  for (const name of readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(root, 'src', folder, name);
    if (!name.endsWith('.ts') || (asked.length > 0 && !asked.some((part) => file.includes(part)))) continue;
    const instrumenter = createInstrumenter({ esModules: true, compact: false, parserPlugins: ['typescript'] });
    const code = instrumenter.instrumentSync(readFileSync(file, 'utf8'), file);
    const counts = instrumenter.lastFileCoverage() as Counts;
    // Types alone cannot be covered.
    if (Object.keys(counts.b).length > 0 || Object.keys(counts.f).length > 0) sources.set(file, { code, counts });
  }
}
if (sources.size === 0) throw new Error(`no code of the engine has ${asked.join(' or ')} in its path`);

const folder = mkdtempSync(join(tmpdir(), 'sansocket-coverage-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const setup = join(folder, 'setup.mjs');
writeFileSync(
  setup,
  `import { writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import fc from ${JSON.stringify(import.meta.resolve('fast-check'))};
import { afterAll } from '${join(root, 'node_modules/vitest/dist/index.js')}';
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 1 });
afterAll(({}, { filepath }) => {
  const report = { test: filepath, counts: globalThis.__coverage__ ?? {} };
  writeFileSync(${JSON.stringify(folder)} + '/' + randomUUID() + '.json', JSON.stringify(report));
});
`,
);

const vitest = await startVitest(
  'test',
  [...new Set([...sources.keys()].map((file) => testOf(relative(root, file))))],
  { watch: false, root, setupFiles: [setup], reporters: ['dot'], testTimeout: 120_000 },
  {
    plugins: [
      {
        name: 'count branches',
        enforce: 'pre',
        transform(_: string, id: string) {
          const source = sources.get(id);
          return source === undefined ? null : { code: source.code, map: null };
        },
      },
    ],
  },
);
const failed = vitest.state.getCountOfFailedTests();
await vitest.close();

for (const name of readdirSync(folder)) {
  if (!name.endsWith('.json')) continue;
  const { test, counts } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report;
  for (const [file, { b, f }] of Object.entries(counts)) {
    const sum = sources.get(file)?.counts;
    if (sum === undefined || !relative(root, test).startsWith(testOf(relative(root, file)))) continue;
    for (const [id, arms] of Object.entries(b)) sum.b[id] = arms.map((count, i) => count + sum.b[id]![i]!);
    for (const [id, count] of Object.entries(f)) sum.f[id] = count + sum.f[id]!;
  }
}

let branches = 0;
let taken = 0;
const missing: string[] = [];
for (const [file, { counts }] of sources) {
  const path = relative(root, file);
  const { branchMap, fnMap, b, f } = counts;
  for (const [id, arms] of Object.entries(b)) {
    for (const [i, count] of arms.entries()) {
      branches++;
      if (count > 0) {
        taken++;
        continue;
      }
      const { type, loc, locations } = branchMap[id]!;
      missing.push(`${path}:${locations[i]?.start.line ?? loc.start.line}  ${type}, arm ${i + 1} of ${arms.length}`);
    }
  }
  for (const [id, count] of Object.entries(f)) {
    if (count === 0) missing.push(`${path}:${fnMap[id]!.decl.start.line}  function ${fnMap[id]!.name}`);
  }
}
for (const each of missing) console.log(`never: ${each}`);
console.log(`${taken} of ${branches} branches, in ${sources.size} files (${((100 * taken) / branches).toFixed(2)} %)`);
process.exit(missing.length === 0 && failed === 0 ? 0 : 1);
