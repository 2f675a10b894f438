// The load generator: the C programs compiled once into a cache, or their Node twins where that is not possible.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { benchPath } from './paths.ts';
import { Child } from './processes.ts';

/** What a measured window says. */
export interface Sample {
  readonly messages: number;
  readonly seconds: number;
  /** CPU seconds of the load generator. */
  readonly ownCpu: number;
  /** CPU seconds of the process under test. */
  readonly targetCpu: number;
}

export type LoadOptions = Readonly<Record<string, string | number>>;
type Program = 'load' | 'sink';

export interface LoadGenerator {
  readonly kind: 'C' | 'Node';
  readonly tls: 'C' | 'Node';
  /** In words: which programs make the load, and why. */
  readonly description: string;
  start(program: Program, options: LoadOptions): Child;
}

const CACHE = benchPath('..', 'node_modules', '.cache', 'sansocket-bench');

export function createLoadGenerator(forceNode: boolean): LoadGenerator {
  const compiler = forceNode ? null : findCompiler();
  const plain = compiler && compile(compiler, 'load', []);
  const sink = compiler && compile(compiler, 'sink', []);
  const secure = compiler && compile(compiler, 'load', ['-DWITH_TLS', '-lssl', '-lcrypto']);
  const kind = plain && sink ? 'C' : 'Node';
  const tls = secure && kind === 'C' ? 'C' : 'Node';
  return {
    kind,
    tls,
    description: describe(compiler, kind, tls, forceNode),
    start(program, options) {
      const words = Object.entries(options).map(([name, value]) => `${name}=${value}`);
      const native = program === 'sink' ? sink : options.tls ? secure : plain;
      const command = kind === 'C' && native ? [native] : [process.execPath, benchPath('load', `${program}.mjs`)];
      return new Child('load', [...command, ...words]);
    },
  };
}

function describe(compiler: string | null, kind: string, tls: string, forced: boolean): string {
  const how =
    kind === 'C'
      ? `native (C, epoll, built with ${compiler})${tls === 'C' ? '' : '; TLS in Node, as no OpenSSL headers were found'}`
      : `Node (${forced ? 'as asked' : compiler ? 'the C programs do not build here' : 'no C compiler was found'})`;
  return `${how}; it counts as no bottleneck while it uses less than 90 % of its core`;
}

function findCompiler(): string | null {
  if (process.platform !== 'linux') return null;
  const found = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  return found ?? null;
}

/** The path of the program, or null if it does not compile. */
function compile(compiler: string, program: Program, flags: readonly string[]): string | null {
  const source = benchPath('load', `${program}.c`);
  const hash = createHash('sha256')
    .update(readFileSync(source))
    .update(readFileSync(benchPath('load', 'common.h')));
  const version = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout;
  const target = join(CACHE, `${program}-${hash.update(`${version}${flags}`).digest('hex').slice(0, 16)}`);
  if (existsSync(target)) return target;
  mkdirSync(CACHE, { recursive: true });
  const output = `${target}.${process.pid}`;
  const options = flags.filter((flag) => flag.startsWith('-D'));
  const libraries = flags.filter((flag) => flag.startsWith('-l'));
  const result = spawnSync(compiler, ['-O2', ...options, '-o', output, source, ...libraries]);
  if (result.status !== 0) return null;
  renameSync(output, target);
  return target;
}
