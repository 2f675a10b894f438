/** The paths that a server serves. */

import { quote } from '../connection/options.ts';
import { UsageError } from '../errors.ts';

/** @throws UsageError naming what no request can have as its path */
export function readPaths(paths: readonly unknown[], where: string): ReadonlySet<string> {
  for (const path of paths) {
    if (typeof path === 'string' && /^\/[!-~]*$/.test(path) && !/[?#]/.test(path)) continue;
    throw new UsageError(
      'INVALID_OPTION',
      `${where}: option 'paths': ${quote(path)} is no path: it begins with '/', has no query, and is percent-encoded`,
    );
  }
  return new Set(paths as readonly string[]);
}
