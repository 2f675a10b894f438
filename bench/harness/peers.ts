// Who takes part. A peer is one line here and a file in servers/ (and clients/, if it has a client).

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { benchPath } from './paths.ts';

export type Role = 'server' | 'client';

export interface Peer {
  readonly id: string;
  /** The file in servers/ and clients/. */
  readonly file: string;
  /** The file in clients/, if it has another name. */
  readonly clientFile?: string;
  readonly roles: readonly Role[];
  /** The package (of this project, or of bench/peers) or the program that must be there; null: nothing. */
  readonly needs:
    | { readonly package: string }
    | { readonly installed: readonly string[] }
    | { readonly program: Program }
    | null;
  /** `'always'`: shown even where it is missing; `'present'`: takes part where it is installed; `'asked'`: in rows that name it. */
  readonly when: 'always' | 'present' | 'asked';
  /** Options of ours beyond the defaults: a variant. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A runtime other than this Node: how it is called, and where npm puts it. */
interface Program {
  readonly name: string;
  readonly folder: string;
  readonly path: string;
  readonly words: readonly string[];
}

const BUN: Program = { name: 'bun', folder: '@oven', path: 'bin/bun', words: [] };
const DENO: Program = {
  name: 'deno',
  folder: '@deno',
  path: 'deno',
  words: ['run', '--quiet', '--allow-all', '--no-lock'],
};

const BOTH = ['server', 'client'] as const;
const SERVER = ['server'] as const;
const OURS = { file: 'ours.mjs', roles: BOTH, needs: { package: 'sansocket' } } as const;

export const PEERS: readonly Peer[] = [
  { id: 'ours', ...OURS, when: 'always' },
  { id: 'ours-borrow', ...OURS, when: 'asked', options: { borrow: true } },
  { id: 'ours-bytes', ...OURS, when: 'asked', options: { text: 'bytes' } },
  { id: 'ours-public', ...OURS, when: 'asked', options: { internals: false } },
  { id: 'ours-pure', file: 'ours-pure.mjs', roles: [], needs: { package: 'sansocket' }, when: 'asked' },
  { id: 'ws', file: 'ws.mjs', roles: BOTH, needs: { package: 'ws' }, when: 'always' },
  {
    id: 'ws-native',
    file: 'ws-native.mjs',
    roles: BOTH,
    needs: { installed: ['ws', 'bufferutil', 'utf-8-validate'] },
    when: 'present',
  },
  { id: 'websocket', file: 'websocket.mjs', roles: SERVER, needs: { installed: ['websocket'] }, when: 'present' },
  {
    id: 'websocket-driver',
    file: 'websocket-driver.mjs',
    roles: SERVER,
    needs: { installed: ['websocket-driver'] },
    when: 'present',
  },
  { id: 'undici', file: 'undici.mjs', roles: ['client'], needs: { package: 'undici' }, when: 'present' },
  { id: 'deno', file: 'deno.mjs', clientFile: 'native.mjs', roles: BOTH, needs: { program: DENO }, when: 'present' },
  { id: 'bun', file: 'bun.mjs', clientFile: 'native.mjs', roles: BOTH, needs: { program: BUN }, when: 'present' },
  { id: 'deno-shell', file: 'deno-shell.mjs', roles: SERVER, needs: { program: DENO }, when: 'asked' },
  { id: 'bun-shell', file: 'bun-shell.mjs', roles: SERVER, needs: { program: BUN }, when: 'asked' },
  {
    id: 'uws',
    file: 'uws.mjs',
    roles: SERVER,
    needs: { installed: ['@trufflesuite/uws-js-unofficial'] },
    when: 'present',
  },
  { id: 'raw', file: 'raw.mjs', roles: BOTH, needs: null, when: 'always' },
];

/** Who takes part in a row: everybody of that role who is here, and the variants that the row names. */
export function peersFor(role: Role, variants: readonly string[] = []): string[] {
  const takesPart = (entry: Peer) =>
    entry.when === 'asked' ? variants.includes(entry.id) : entry.when === 'always' || missing(entry) === null;
  return PEERS.filter((entry) => entry.roles.includes(role) && takesPart(entry)).map(({ id }) => id);
}

export function peer(id: string): Peer {
  const found = PEERS.find((entry) => entry.id === id);
  if (!found) throw new Error(`unknown peer ${id}`);
  return found;
}

/** Why a peer cannot take part here, or null. */
export function missing({ needs }: Peer): string | null {
  if (needs === null) return null;
  if ('program' in needs) return findProgram(needs.program) === null ? `${needs.program.name} is not installed` : null;
  const [base, names] =
    'installed' in needs ? [benchPath('peers', 'package.json'), needs.installed] : [import.meta.url, [needs.package]];
  for (const name of names) {
    try {
      createRequire(base).resolve(name);
    } catch {
      return `${name} cannot be resolved`;
    }
  }
  return null;
}

/** What runs a peer's file: this Node with `flags`, or the peer's own runtime. */
export function commandOf({ needs }: Peer, flags: readonly string[]): string[] {
  if (needs === null || !('program' in needs)) return [process.execPath, ...flags];
  return [findProgram(needs.program) ?? needs.program.name, ...needs.program.words];
}

const programs = new Map<string, string | null>();

/** The program as npm installed it into bench/peers or runtimes for this platform, or as the path has it. */
function findProgram({ name, folder, path }: Program): string | null {
  const known = programs.get(name);
  if (known !== undefined) return known;
  const roots = [benchPath('peers', 'node_modules', folder), benchPath('..', 'runtimes', 'node_modules', folder)];
  const builds = roots.flatMap((root) =>
    existsSync(root) ? readdirSync(root).map((build) => `${root}/${build}`) : [],
  );
  const candidates = [...builds.map((build) => `${build}/${path}`), name];
  const found = candidates.find((each) => spawnSync(each, ['--version']).status === 0) ?? null;
  programs.set(name, found);
  return found;
}

/** The version of a peer's package or program, or null. */
export function versionOf({ needs }: Peer): string | null {
  try {
    if (needs === null) return null;
    if ('program' in needs) {
      const program = findProgram(needs.program);
      const { stdout } = spawnSync(program ?? '', ['--version'], { encoding: 'utf8' });
      return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? null;
    }
    const [base, name] =
      'installed' in needs
        ? [benchPath('peers', 'package.json'), needs.installed[0]!]
        : [import.meta.url, needs.package];
    return (createRequire(base)(`${name}/package.json`) as { version: string }).version;
  } catch {
    return null;
  }
}

/** Puts the peers of bench/peers in place, once; says why it could not, or null. */
export function installPeers(): string | null {
  if (existsSync(benchPath('peers', 'node_modules'))) return null;
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', benchPath('peers')];
  const { status, stderr } = spawnSync('npm', words, { encoding: 'utf8', timeout: 300_000 });
  return status === 0 ? null : `npm ci --prefix bench/peers failed: ${stderr.trim().split('\n').at(-1) ?? ''}`;
}
