/** Listening on a UNIX socket where a server that was killed has left its file. */

import { removeStale } from '../gateway/unix-socket.ts';

/** Calls `listen`, and once more if nobody listens on what stood in its way. `path`: null is no UNIX socket. */
export async function replacingStale<T>(path: string | null, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    if (path === null || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await removeStale(path)))
      throw error;
    return listen();
  }
}
