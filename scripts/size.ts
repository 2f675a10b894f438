/**
 * `npm run size`: bundles and minifies the engine, compresses it with gzip, and fails if it has grown.
 *
 * `-- --modules` also lists the modules, the biggest first.
 */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

/** What it should be, and what it is today: it may shrink, and must not grow. */
const GOAL = 10_000;
const MOST = 27_470;
const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** What is measured. Only the first has a bound; the others say what an application that uses a part of it pays. */
const COMPRESSION = ['permessageDeflate', 'pureDeflate'];
const names = Object.keys(await import('../src/index.ts')).filter((name) => !COMPRESSION.includes(name));
const ENTRIES: readonly (readonly [name: string, code: string])[] = [
  ['the engine', `export { ${names.join(', ')} } from './src/index.ts'`],
  ['the engine with compression', "export * from './src/index.ts'"],
  ['a server only', "export { ServerConnection } from './src/index.ts'"],
  ['a client only', "export { ClientConnection } from './src/index.ts'"],
  ['frames only (established)', "export { EstablishedConnection } from './src/index.ts'"],
  ['endpoints in memory (testing)', "export { pair } from './src/testing.ts'"],
];

let engine = 0;
for (const [name, contents] of ENTRIES) {
  const { code, metafile } = await bundle(contents);
  const gzipped = compressed(code);
  if (engine === 0) engine = gzipped;
  console.log(`${name.padEnd(32)}${figure(code.length)} minified${figure(gzipped)} gzipped`);
  if (engine === gzipped && process.argv.includes('--modules')) printModules(code, metafile);
}
const verdict = engine <= GOAL ? 'reached' : engine <= MOST ? 'NOT REACHED, and not above' : 'NOT REACHED, and ABOVE';
console.log(`size: the engine is ${engine} bytes gzipped; the goal of ${GOAL} is ${verdict} today's bound of ${MOST}`);
if (engine > MOST) process.exitCode = 1;

async function bundle(contents: string): Promise<{ code: Uint8Array; metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    legalComments: 'none',
  });
  return { code: outputFiles[0]!.contents, metafile };
}

function compressed(bytes: Uint8Array): number {
  return gzipSync(bytes, { level: 9 }).length;
}

/** Modules by their minified size; a share of the compressed size is only a guess, in proportion. */
function printModules(code: Uint8Array, metafile: Metafile): void {
  const { inputs } = Object.values(metafile.outputs)[0]!;
  const rows = Object.entries(inputs).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  const ratio = compressed(code) / code.length;
  for (const [path, { bytesInOutput }] of rows) {
    if (bytesInOutput > 0)
      console.log(`  ${path.padEnd(44)}${figure(bytesInOutput)}  about${figure(bytesInOutput * ratio)}`);
  }
}

function figure(bytes: number): string {
  return String(Math.round(bytes)).padStart(8);
}
