/**
 * Listening on a UNIX socket: with the rights that were asked for from its first moment, in the place of a file that a dead server
 * left behind, and never in the place of a live one.
 */

import { lstatSync, type Stats } from 'node:fs';
import { link, lstat, mkdtemp, rename, rmdir, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../errors.ts';
import { socketPathFault } from '../transport/node/socket-path.ts';

/** How a socket is made. */
export interface UnixSocketOptions {
  /** Its rights. Default 0660: its owner and group may connect. */
  readonly mode?: number;
  /** Connections that wait for accept, in the kernel. Default 511. */
  readonly backlog?: number;
}

/**
 * Makes `server` listen on a UNIX socket.
 *
 * @returns removes the file again, if it still is the one that was made
 * @throws UsageError (as a rejection) when the path does not fit; Node's error when somebody listens there, or it cannot be made
 */
export async function listenUnix(
  server: Server,
  path: string,
  { mode = 0o660, backlog = 511 }: UnixSocketOptions = {},
): Promise<() => Promise<void>> {
  const fault = path.startsWith('\0') ? 'has no file' : socketPathFault(path);
  if (fault !== null) {
    throw new UsageError('INVALID_ARGUMENT', `the path ${JSON.stringify(path)} of a UNIX socket ${fault}`);
  }
  try {
    await bind(server, path, mode, backlog);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await removeStale(path))) throw error;
    await bind(server, path, mode, backlog);
  }
  const made = lstatSync(path);
  if ((made.mode & 0o777) !== mode) {
    server.close();
    throw new UsageError('INVALID_STATE', `the rights of ${path} are not those asked for: is this a worker thread?`);
  }
  return async () => {
    const now = await look(path);
    if (now !== null && isSame(now, made)) await unlink(path).catch(() => {});
  };
}

/** The kernel takes the mask when the file is made: there is no moment in which others could connect. */
function bind(server: Server, path: string, mode: number, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o777 & ~mode);
    try {
      // In a process of its own Node makes the socket before `listen` returns.
      server.listen({ path, backlog }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

/** Removes a socket that nobody listens on; false if it is none, or somebody does. */
export async function removeStale(path: string): Promise<boolean> {
  const before = await look(path);
  if (before === null) return true;
  if (!before.isSocket() || (await isLive(path))) return false;
  // Somebody else may have come to the same conclusion, and listen there by now. So the file is taken out of the way first, and
  // looked at where nobody else can change it.
  const folder = await mkdtemp(join(dirname(path), '.stale-'));
  const aside = join(folder, basename(path));
  try {
    await rename(path, aside);
    const taken = await lstat(aside);
    const same = isSame(taken, before);
    if (!same) await link(aside, path).catch(() => {});
    await unlink(aside);
    return same;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  } finally {
    await rmdir(folder);
  }
}

/** Only a refusal proves that nobody is there: a queue that is full, or a lack of rights, does not. */
function isLive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function look(path: string): Promise<Stats | null> {
  return lstat(path).catch(() => null);
}

/** Numbers of files are used again; nothing writes into a socket, so its time is that of its making. */
function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.mtimeMs === b.mtimeMs;
}
