// Where the parts of the benchmark lie.

import { fileURLToPath } from 'node:url';

/** The absolute path of a file of bench/. */
export function benchPath(...parts: readonly string[]): string {
  return fileURLToPath(new URL(`../${parts.join('/')}`, import.meta.url));
}
