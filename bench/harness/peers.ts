// Who takes part. A peer is one line here and a file in servers/ (and clients/, if it has a client).

import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

export type Role = 'server' | 'client';

export interface Peer {
  readonly id: string;
  /** The file in servers/ and clients/. */
  readonly file: string;
  readonly roles: readonly Role[];
  /** The package that must be resolvable, or the program that must exist; null: nothing. */
  readonly needs: { readonly package: string } | { readonly command: string } | null;
  /** `'always'`: shown even where it is missing; `'present'`: takes part where it is installed; `'asked'`: in rows that name it. */
  readonly when: 'always' | 'present' | 'asked';
  /** What runs the file, when it is not this Node. */
  readonly command?: readonly string[];
  /** Options of ours beyond the defaults: a variant. */
  readonly options?: Readonly<Record<string, unknown>>;
}

const BOTH = ['server', 'client'] as const;
const OURS = { file: 'ours.mjs', roles: BOTH, needs: { package: 'sansocket' } } as const;

export const PEERS: readonly Peer[] = [
  { id: 'ours', ...OURS, when: 'always' },
  { id: 'ours-borrow', ...OURS, when: 'asked', options: { borrow: true } },
  { id: 'ours-bytes', ...OURS, when: 'asked', options: { text: 'bytes' } },
  { id: 'ours-public', ...OURS, when: 'asked', options: { internals: false } },
  { id: 'ws', file: 'ws.mjs', roles: BOTH, needs: { package: 'ws' }, when: 'always' },
  { id: 'undici', file: 'undici.mjs', roles: ['client'], needs: { package: 'undici' }, when: 'present' },
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
  if ('command' in needs) {
    return spawnSync(needs.command, ['--version']).status === 0 ? null : `${needs.command} is not installed`;
  }
  try {
    createRequire(import.meta.url).resolve(needs.package);
    return null;
  } catch {
    return `${needs.package} cannot be resolved`;
  }
}
