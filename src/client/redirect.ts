/**
 * Redirects of the opening handshake (RFC 6455 section 4.1, RFC 9110 section 15.4): where an answer sends us, and whether we
 * go. It dials nothing.
 */

import { HandshakeError, type RefusedResponse, UsageError } from '../errors.ts';
import { Headers } from '../handshake/headers.ts';
import { type Address, parseUrl } from './url.ts';

/** The statuses with a Location to go to. 300 leaves a choice, 304 and 305 mean other things. */
const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const SCHEMES: ReadonlySet<string> = new Set(['ws:', 'wss:', 'http:', 'https:']);
/** What tells who we are, or belongs to the host that was meant first. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);

/** Whether an answer says to ask elsewhere. */
export function isRedirect({ status }: RefusedResponse): boolean {
  return STATUSES.has(status);
}

/**
 * The address that a redirect leads to. A user name in it is dropped, as is a fragment.
 *
 * @param current what was asked for
 * @throws HandshakeError REDIRECT_REFUSED when it leads nowhere, away from TLS, or off a UNIX socket
 */
export function redirectTarget(
  current: Address,
  response: RefusedResponse,
  toAscii: (host: string) => string,
): Address {
  const refuse = (why: string): never => {
    throw new HandshakeError('REDIRECT_REFUSED', why, response.status, response);
  };
  const locations = new Headers(response.rawHeaders).getAll('location');
  if (locations.length !== 1)
    return refuse(`its answer has ${locations.length === 0 ? 'no' : 'more than one'} Location`);
  const location = locations[0]!;
  let base: URL;
  let url: URL;
  try {
    base = new URL(`${current.secure ? 'wss' : 'ws'}://${current.host}${current.target}`);
    url = new URL(location, base);
  } catch {
    return refuse(`Location '${location}' is no URL`);
  }
  // A server may send us to other servers, and not to the sockets of our own machine.
  if (!SCHEMES.has(url.protocol)) return refuse(`'${url.href}' has a scheme other than ws, wss, http and https`);
  url.hash = '';
  url.username = '';
  url.password = '';
  let next: Address;
  try {
    next = parseUrl(url.href, toAscii);
  } catch (error) {
    return refuse(error instanceof UsageError ? error.message : String(error));
  }
  if (current.secure && !next.secure) refuse(`from TLS to '${url.href}', which has none`);
  // `URL` writes addresses in a form of its own: that of 127.1 is the same origin.
  if (isSameOrigin(parseUrl(base.href, toAscii), next)) return { ...current, target: next.target };
  if (current.socketPath !== null) refuse(`from a UNIX socket to '${url.href}'`);
  return next;
}

/** Whether two addresses have scheme, host and port in common (RFC 6454 section 5). */
export function isSameOrigin(a: Address, b: Address): boolean {
  return a.secure === b.secure && a.hostname === b.hostname && a.port === b.port;
}

/** The header fields that may go to another origin than they were given for. */
export function withoutCredentials(
  headers: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  return headers.filter(([name]) => !CREDENTIALS.has(name.toLowerCase()));
}
