/** Giving up the rights of root for those of a user, for good; or not starting at all. */

import { readFileSync } from 'node:fs';
import { UsageError } from '../errors.ts';

/** A user of this system. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** @throws UsageError when there is no such user */
export function findUser(name: string, passwd: string = readFileSync('/etc/passwd', 'utf8')): User {
  for (const line of passwd.split('\n')) {
    const [login, , uid, gid] = line.split(':');
    if (login === name && name !== '' && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '')) {
      return { name, uid: Number(uid), gid: Number(gid) };
    }
  }
  throw new UsageError('INVALID_ARGUMENT', `there is no user '${name}'`);
}

/**
 * Makes this process one of the user's: groups first, as nobody but root may change them.
 *
 * @throws UsageError when that cannot be done, or could be undone
 */
export function becomeUser({ name, uid, gid }: User): void {
  const { getuid, geteuid, initgroups, setgid, setuid } = process as NodeJS.Process & {
    // The types of Node do not know it.
    initgroups?: (user: string, group: number) => void;
  };
  if (!getuid || !geteuid || !initgroups || !setgid || !setuid) {
    throw new UsageError('INVALID_STATE', 'this system has no users that a process could become');
  }
  if (getuid() === uid && geteuid() === uid) return;
  if (geteuid() !== 0) {
    throw new UsageError('INVALID_STATE', `only root may become '${name}': start it as root, or as '${name}'`);
  }
  initgroups(name, gid);
  setgid(gid);
  setuid(uid);
  let returned = false;
  try {
    setuid(0);
    returned = uid !== 0;
  } catch {
    // As it should be.
  }
  if (returned || getuid() !== uid || geteuid() !== uid) {
    throw new UsageError('INVALID_STATE', `the rights of root could not be given up for those of '${name}'`);
  }
}
