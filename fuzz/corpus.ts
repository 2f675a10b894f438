/** Inputs as files: `corpus/<target>/` is committed, `crashes/` is not. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digest } from '../test/support/bytes.ts';

export function readCorpus(target: string): Uint8Array[] {
  const directory = join(import.meta.dirname, 'corpus', target);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(directory, name))));
}

export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const directory = join(import.meta.dirname, 'corpus', target);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const input of inputs) writeFileSync(join(directory, digest(input)), input);
}

/** Writes the file that replays a finding; returns its path. */
export function writeCrash(target: string, input: Uint8Array): string {
  const directory = join(import.meta.dirname, 'crashes');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${target}.${digest(input)}`);
  writeFileSync(file, input);
  return file;
}
