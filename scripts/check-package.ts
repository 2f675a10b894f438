/**
 * `npm run package`: whether what would be published is in order: its documents lead nowhere outside of it, and what others judge:
 * publint, are-the-types-wrong, and Deno for JSR. They come from `npm ci --prefix runtimes --ignore-scripts`. (test/package.test.ts loads every entry of the tarball.)
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const MODULES = `${ROOT}runtimes/node_modules/`;
/** Those that lead into the repository: what is generated from the titles of tests, and what is for contributors. */
const EXEMPT = new Set([
  'CONTRIBUTING.md',
  'THREAT_MODEL.md',
  'docs/coverage.md',
  'docs/rfc6455.md',
  'docs/rfc7692.md',
]);
const staging = mkdtempSync(join(tmpdir(), 'sansocket-check-'));
let failed = 0;

try {
  if (!existsSync(`${ROOT}dist/index.js`)) throw new Error('there is no dist/: npm run build');
  const [{ filename, files }] = JSON.parse(
    execute('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', staging], ROOT),
  ) as [{ filename: string; files: readonly { readonly path: string }[] }];
  const tarball = join(staging, filename);
  links(files.map(({ path }) => path));
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

/** Links between documents lead to what is published with them. */
function links(published: readonly string[]): void {
  const files = new Set(published);
  const lost: string[] = [];
  for (const file of published) {
    if (!file.endsWith('.md') || EXEMPT.has(file)) continue;
    for (const [, target] of readFileSync(ROOT + file, 'utf8').matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
      const path = posix.join(posix.dirname(file), target!);
      // A folder is there if there is something in it.
      const isThere = files.has(path) || published.some((name) => name.startsWith(`${path.replace(/\/$/, '')}/`));
      if (!/^[a-z]+:/.test(target!) && !isThere) lost.push(`${file}: ${target}`);
    }
  }
  tell('links between the documents', lost.length === 0, lost.join('\n'));
}

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
  tell(name, status === 0, `${stdout}${stderr}${error === undefined ? '' : String(error)}`);
}

function tell(name: string, passed: boolean, why: string): void {
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name}`);
  if (passed) return;
  failed++;
  console.log(why);
}

function execute(program: string, options: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, options, { cwd, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return stdout;
}
