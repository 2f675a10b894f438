/**
 * The file of a UNIX socket, looked at and held, so that what is connected to is what was looked at. It knows no requests: names
 * were judged before.
 */

import { constants, existsSync } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises';
import { socketPathFault } from '../transport/node/socket-path.ts';
import { BackendError } from './backend.ts';

/** Linux: a descriptor that stands for the file itself; nothing can be read or written by it. Node does not name it. */
const O_PATH = 0o10000000;

/** What is there. */
export type Found =
  | { readonly kind: 'socket'; readonly file: SocketFile }
  /** Nothing, or nothing that clients may know of: another kind of file, or a way through a symbolic link. */
  | { readonly kind: 'folder' | 'nothing' };

/** A socket that was found. */
export interface SocketFile {
  /** What to connect to. */
  readonly address: string;
  /** After connecting: whether it was this very file. */
  isSame(): Promise<boolean>;
  release(): Promise<void>;
}

/** Looks a path up; rejects with a {@link BackendError} when it cannot. */
export type Finder = (path: string) => Promise<Found>;

const NOTHING: Found = { kind: 'nothing' };
const FOLDER: Found = { kind: 'folder' };
/** What the system calls it when there is no such file; anything else hides whether there is one. */
const MISSING: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ELOOP'];

/**
 * Finds a socket and holds it by a descriptor: whoever may write into the folder cannot put another in its place between the look
 * and the connect. Linux only.
 */
export async function findHeld(path: string): Promise<Found> {
  const handle = await unlessMissing(open(path, O_PATH | constants.O_NOFOLLOW));
  if (handle === null) return NOTHING;
  let found: Found | null = null;
  try {
    found = await unlessMissing(judge(handle, path));
  } finally {
    if (found?.kind !== 'socket') await handle.close();
  }
  return found ?? NOTHING;
}

async function judge(handle: FileHandle, path: string): Promise<Found> {
  const address = `/proc/self/fd/${handle.fd}`;
  // The kernel's own name of what was opened: any other means that a symbolic link was followed.
  if ((await readlink(address)) !== path) return NOTHING;
  const stats = await handle.stat();
  if (stats.isDirectory()) return FOLDER;
  if (!stats.isSocket()) return NOTHING;
  return { kind: 'socket', file: { address, isSame: async () => true, release: () => handle.close() } };
}

/** Finds a socket by its name, and looks again after connecting. For systems without descriptors of files. */
export async function findNamed(path: string): Promise<Found> {
  const before = await look(path);
  if (before === null) return NOTHING;
  if (before.isDirectory()) return FOLDER;
  if (!before.isSocket()) return NOTHING;
  // A route may be named by a short way through links: this is the long one, which Node would cut.
  const fault = socketPathFault(path);
  if (fault !== null) throw new BackendError(502, `the path of the socket ${fault}`);
  const { dev, ino } = before;
  return {
    kind: 'socket',
    file: {
      address: path,
      async isSame() {
        const after = await look(path);
        return after?.isSocket() === true && after.dev === dev && after.ino === ino;
      },
      release: async () => {},
    },
  };
}

/** Null if it is not there, or not under this very name: a link was followed, or letters differ where they do not count. */
async function look(path: string): Promise<Awaited<ReturnType<typeof lstat>> | null> {
  const real = await unlessMissing(realpath(path));
  return real === path ? unlessMissing(lstat(path)) : null;
}

/** What this system offers. */
export const findSocket: Finder = process.platform === 'linux' && existsSync('/proc/self/fd') ? findHeld : findNamed;

/** Null if there is no such file; rejects with a {@link BackendError} when that cannot be known, as without descriptors. */
export async function unlessMissing<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (MISSING.includes(code)) return null;
    throw new BackendError(502, code ?? message, error);
  }
}
