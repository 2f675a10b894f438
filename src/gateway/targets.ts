/**
 * Which backend a request gets: routes first, then the sockets below the docroot whose names the rules allow. Of a request only the
 * name that was matched, and a subprotocol where that is asked for, have a say; hosts, queries and other headers have none.
 */

import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isToken } from '../handshake/header-grammar.ts';
import { LONGEST_SOCKET_PATH } from '../transport/node/socket-path.ts';
import { type Address, BackendError } from './backend.ts';
import { isSegment, type NameRules, readName } from './name-rules.ts';
import type { FrameType } from './relay.ts';
import { type Finder, findSocket, type SocketFile, unlessMissing } from './socket-file.ts';
import type { Framing } from './stream-framing.ts';

/** How payload lies on a backend's stream, and what it becomes. */
export interface Carriage {
  readonly framing: Framing;
  readonly frameType: FrameType;
}

/** A prefix of names and the one backend that serves them. */
export interface RouteTarget extends Carriage {
  /** Without slashes at its ends; empty: every name. */
  readonly prefix: string;
  readonly address: Address;
}

/** What was found for a request. */
export interface Target extends Carriage {
  readonly name: string;
  readonly address: Address;
  /** Of a UNIX socket: to be released. */
  readonly file: SocketFile | null;
  /** The subprotocol that served as the name, to be answered; null otherwise. */
  readonly subprotocol: string | null;
}

/** What names are looked up in. */
export interface Names extends Carriage {
  readonly routes: readonly RouteTarget[];
  /** Without symbolic links; null: there are routes only. */
  readonly docroot: string | null;
  readonly rules: NameRules;
  readonly protocolAsName: boolean;
}

/** The route whose prefix is the longest that fits. */
export function findRoute(routes: readonly RouteTarget[], name: string): RouteTarget | null {
  let best: RouteTarget | null = null;
  for (const route of routes) {
    const { prefix } = route;
    const fits = prefix === '' || name === prefix || name.startsWith(`${prefix}/`);
    if (fits && (best === null || prefix.length > best.prefix.length)) best = route;
  }
  return best;
}

/**
 * The backend for a path and the subprotocols on offer.
 *
 * @throws BackendError with the status to answer
 */
export async function findTarget(
  names: Names,
  path: string,
  subprotocols: readonly string[],
  find: Finder = findSocket,
): Promise<Target> {
  const name = readName(path);
  if (name === null) throw new BackendError(404, 'the path can be no name');
  const route = findRoute(names.routes, name);
  if (route !== null) return routed(route, name, find);
  if (names.docroot === null) throw new BackendError(404, 'no route has it');
  return below(names, names.docroot, name, names.protocolAsName ? subprotocols : [], find);
}

async function routed(route: RouteTarget, name: string, find: Finder): Promise<Target> {
  const { address, framing, frameType } = route;
  const target = { name, address, framing, frameType, subprotocol: null };
  if (!('path' in address)) return { ...target, file: null };
  // The operator may name it through links; what it comes to must be a socket itself.
  const folder = await unlessMissing(realpath(dirname(address.path)));
  const found = folder === null ? null : await find(join(folder, basename(address.path)));
  if (found?.kind !== 'socket') throw new BackendError(404, `there is no socket at ${address.path}`);
  return { ...target, file: found.file };
}

async function below(
  names: Names,
  docroot: string,
  name: string,
  subprotocols: readonly string[],
  find: Finder,
): Promise<Target> {
  const { rules, framing, frameType } = names;
  let denied = false;
  const lookUp = async (candidate: string): Promise<Awaited<ReturnType<Finder>> | null> => {
    const path = `${docroot}/${candidate}`;
    if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH) return null;
    return find(path);
  };
  const target = (candidate: string, file: SocketFile, subprotocol: string | null): Target => {
    const address = { path: `${docroot}/${candidate}` };
    return { name: candidate, address, file, framing, frameType, subprotocol };
  };
  let folder = name === '' ? '' : null;
  if (name !== '') {
    if (rules.allows(name)) {
      const found = await lookUp(name);
      if (found?.kind === 'socket') return target(name, found.file, null);
      if (found?.kind === 'folder') folder = `${name}/`;
    } else {
      denied = true;
    }
  }
  // What is denied is not looked for under another name either.
  for (const subprotocol of denied ? [] : subprotocols) {
    const candidate = `${folder ?? ''}${subprotocol}`;
    if (!isToken(subprotocol) || !isSegment(subprotocol)) continue;
    if (!rules.allows(candidate)) {
      denied = true;
      continue;
    }
    const found = await lookUp(candidate);
    if (found?.kind === 'socket') return target(candidate, found.file, subprotocol);
  }
  throw denied
    ? new BackendError(403, 'the rules deny it')
    : new BackendError(404, `there is no socket below ${docroot}`);
}
