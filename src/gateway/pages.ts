/** Static files for browsers, from one folder: what a page needs to talk to the gateway that serves it. */

import { realpathSync, statSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { UsageError } from '../errors.ts';
import type { Request } from '../handshake/request.ts';
import type { PlainAnswer } from '../server/options.ts';
import { readName } from './name-rules.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

/** Pages may load what this folder has, and open WebSockets; nothing else. */
const POLICY = "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'";
/** What the system calls it when there is no such page; anything else hides whether there is one. */
const MISSING: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EISDIR', 'ENAMETOOLONG'];
const NOT_FOUND = { status: 404, body: 'there is no page here\n' };

/**
 * Answers requests with the files of a folder: for the option `onRequest`.
 *
 * @throws UsageError when there is no such folder
 */
export function servePages(folder: string): (request: Request) => Promise<PlainAnswer> {
  // Node would take it for the folder that the process runs in.
  if (folder === '') throw new UsageError('INVALID_OPTION', 'the folder of the pages has an empty name');
  let root: string;
  try {
    root = realpathSync(folder);
  } catch (error) {
    throw new UsageError('INVALID_OPTION', `the pages cannot be served: ${(error as Error).message}`);
  }
  if (!statSync(root).isDirectory()) throw new UsageError('INVALID_OPTION', `${folder} is no folder of pages`);
  return async ({ path }) => {
    const name = readName(path);
    if (name === null) return NOT_FOUND;
    const file = join(root, name === '' ? 'index.html' : name);
    const type = TYPES[extname(file)];
    const real = await realpath(file).catch(unlessMissing);
    // What has no type here is no page; what lies elsewhere was not meant to be served.
    if (type === undefined || real === null || !real.startsWith(root + sep)) return NOT_FOUND;
    const body = await readFile(real).catch(unlessMissing);
    if (body === null) return NOT_FOUND;
    const headers = { 'Content-Type': type, 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff' };
    return { status: 200, headers: { ...headers, 'Cache-Control': 'no-cache' }, body };
  };
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (MISSING.includes(error.code)) return null;
  throw error;
}
