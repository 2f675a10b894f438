/**
 * A lock file that was written on one platform may leave out the packages of the others; `npm ci` refuses it then, on some versions
 * of npm and on every other platform.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Entry {
  readonly version?: string;
  readonly [kind: string]: string | Readonly<Record<string, string>> | undefined;
}

const FOLDERS = ['', 'bench/peers/', 'runtimes/'];

test.each(FOLDERS)('%spackage-lock.json has what its packages depend on, for every platform', (folder) => {
  const read = (name: string) => JSON.parse(readFileSync(new URL(`../${folder}${name}`, import.meta.url), 'utf8'));
  const packages: Record<string, Entry> = read('package-lock.json').packages;
  const missing: string[] = [];
  for (const [path, entry] of Object.entries(packages)) {
    for (const kind of ['dependencies', 'optionalDependencies', 'devDependencies']) {
      for (const name of Object.keys(entry[kind] ?? {})) {
        if (!lookup(packages, path, name)) missing.push(`${path}: ${name}`);
      }
    }
  }
  expect(missing).toEqual([]);

  const manifest: Entry = read('package.json');
  for (const kind of ['dependencies', 'devDependencies']) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  }
});

/** As Node finds it: in the package's own folder, or in that of a package around it. */
function lookup(packages: Readonly<Record<string, Entry>>, from: string, name: string): boolean {
  if (packages[`${from === '' ? '' : `${from}/`}node_modules/${name}`] !== undefined) return true;
  if (from === '') return false;
  return lookup(packages, from.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, ''), name);
}
