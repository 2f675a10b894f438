/**
 * Which branches of the engine no test takes.
 *
 *     npm run coverage -- [part of a test's path…]   `test` for the whole suite
 *
 * Runs the engine's own tests with codec, handshake, extension and connection instrumented, and prints each branch and function that was never
 * taken. The exit status is 1 if there is one.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInstrumenter } from 'istanbul-lib-instrument';
import { startVitest } from 'vitest/node';

const root = join(import.meta.dirname, '..');
const FOLDERS = ['codec', 'handshake', 'extension', 'connection'].map((name) => join(root, 'src', name));
const TESTS = [
  'test/codec',
  'test/handshake',
  'test/extension',
  'test/connection',
  'test/rfc6455',
  'test/rfc7692',
  'test/transcripts',
  'test/properties',
  'test/threats',
  'test/endpoint',
];

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

const folder = mkdtempSync(join(tmpdir(), 'sansocket-coverage-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const setup = join(folder, 'setup.mjs');
writeFileSync(
  setup,
  `import { writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { afterAll } from '${join(root, 'node_modules/vitest/dist/index.js')}';
afterAll(() => writeFileSync(${JSON.stringify(folder)} + '/' + randomUUID() + '.json', JSON.stringify(globalThis.__coverage__ ?? {})));
`,
);

const filters = process.argv.slice(2);
const vitest = await startVitest(
  'test',
  filters.length > 0 ? filters : TESTS,
  { watch: false, root, setupFiles: [setup], reporters: ['dot'], testTimeout: 120_000 },
  {
    plugins: [
      {
        name: 'count branches',
        enforce: 'pre',
        transform(code: string, id: string) {
          if (!id.endsWith('.ts') || !FOLDERS.some((each) => id.startsWith(each))) return null;
          const instrumenter = createInstrumenter({ esModules: true, compact: false, parserPlugins: ['typescript'] });
          return { code: instrumenter.instrumentSync(code, id), map: null };
        },
      },
    ],
  },
);
const failed = vitest.state.getCountOfFailedTests();
await vitest.close();

const total = new Map<string, Counts>();
for (const name of readdirSync(folder)) {
  if (!name.endsWith('.json')) continue;
  const counted = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, Counts>;
  for (const [file, counts] of Object.entries(counted)) {
    const sum = total.get(file);
    if (sum === undefined) {
      total.set(file, counts);
      continue;
    }
    for (const [id, arms] of Object.entries(counts.b)) sum.b[id] = arms.map((count, i) => count + sum.b[id]![i]!);
    for (const [id, count] of Object.entries(counts.f)) sum.f[id] = count + sum.f[id]!;
  }
}

let branches = 0;
let taken = 0;
const missing: string[] = [];
for (const [file, { branchMap, fnMap, b, f }] of [...total].sort(([a], [z]) => (a < z ? -1 : 1))) {
  const path = relative(root, file);
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
console.log(`${taken} of ${branches} branches, in ${total.size} files (${((100 * taken) / branches).toFixed(2)} %)`);
process.exit(missing.length === 0 && failed === 0 && total.size > 0 ? 0 : 1);
