/**
 * `npm run package`: whether what would be published is in order, as others judge it: publint, are-the-types-wrong, and Deno for
 * JSR. They come from `npm ci --prefix runtimes --ignore-scripts`. (test/package.test.ts loads every entry of the tarball.)
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const MODULES = `${ROOT}runtimes/node_modules/`;
const staging = mkdtempSync(join(tmpdir(), 'sansocket-check-'));
let failed = 0;

try {
  if (!existsSync(`${ROOT}dist/index.js`)) throw new Error('there is no dist/: npm run build');
  const [{ filename }] = JSON.parse(
    execute('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', staging], ROOT),
  ) as [{ filename: string }];
  const tarball = join(staging, filename);
  check('publint', process.execPath, [`${MODULES}publint/src/cli.js`, 'run', tarball, '--strict']);
  check('are the types wrong', process.execPath, [
    `${MODULES}@arethetypeswrong/cli/dist/index.js`,
    tarball,
    '--profile',
    'esm-only',
    '--no-color',
    '--format',
    'ascii',
  ]);
  jsr();
} finally {
  rmSync(staging, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);

/** JSR takes the sources; Deno looks whether it would, without asking anybody. */
function jsr(): void {
  const folder = join(staging, 'jsr');
  mkdirSync(folder);
  cpSync(`${ROOT}src`, join(folder, 'src'), { recursive: true });
  for (const file of ['README.md', 'LICENSE']) cpSync(ROOT + file, join(folder, file));
  const { name, version, license, exports } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    name: string;
    version: string;
    license: string;
    exports: Record<string, string | { default: string }>;
  };
  const entries = Object.entries(exports).flatMap(([entry, target]) =>
    typeof target === 'string' ? [] : [[entry, target.default.replace(/^\.\/dist\/(.*)\.js$/, './src/$1.ts')]],
  );
  const manifest = { name: `@${name}/${name}`, version, license, exports: Object.fromEntries(entries) };
  writeFileSync(join(folder, 'deno.json'), JSON.stringify(manifest));
  const deno = `${MODULES}@deno/linux-x64-glibc/deno`;
  if (!existsSync(deno)) throw new Error('Deno is not there: npm ci --prefix runtimes --ignore-scripts');
  check('deno publish --dry-run', deno, ['publish', '--dry-run', '--allow-dirty', '--no-check'], folder);
}

function check(name: string, program: string, options: readonly string[], cwd: string = ROOT): void {
  const { status, stdout, stderr, error } = spawnSync(program, options, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, NO_COLOR: '1' },
  });
  const passed = status === 0;
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name}`);
  if (passed) return;
  failed++;
  console.log(`${stdout}${stderr}${error === undefined ? '' : String(error)}`);
}

function execute(program: string, options: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, options, { cwd, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return stdout;
}
