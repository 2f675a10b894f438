/**
 * WebSocket URLs (RFC 6455 section 3): where to dial, what to ask for, and what the Host header says. It reads text and
 * resolves nothing.
 */

import { printable, UsageError } from '../errors.ts';
import { isValidHost } from '../handshake/host.ts';

/** What a URL says. */
export interface Address {
  /** Whether the connection is protected by TLS. */
  readonly secure: boolean;
  /** A name or an address; an IPv6 address without brackets. */
  readonly hostname: string;
  /** The port, the scheme's default filled in. */
  readonly port: number;
  /** Of a UNIX socket, dialled instead of `hostname` and `port`; null if none. */
  readonly socketPath: string | null;
  /** The Host header: the port only when it is not the scheme's default. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
}

/**
 * Reads `ws:`, `wss:`, `http:` and `https:` URLs, and `ws+unix:/path/of/socket:/path?query`. Characters beyond ASCII in the path
 * are percent-encoded; those in the host go through `toAscii`, if it is given.
 *
 * @throws UsageError saying what is wrong with the URL
 * @example
 * parseUrl('wss://example.test:8443/chat?room=1').host; // 'example.test:8443'
 * parseUrl('ws://[::1]?room=1').target; // '/?room=1'
 */
export function parseUrl(url: string, toAscii?: (host: string) => string): Address {
  const refuse = (why: string): never => {
    throw new UsageError('INVALID_ARGUMENT', `the URL '${shownUrl(url)}' ${why}`);
  };
  const [, scheme = refuse('has no scheme: it begins with ws:// or wss://'), rest = ''] =
    /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(url) ?? [];
  for (let i = 0; i < rest.length; i++) {
    const unit = rest.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) refuse('has a control character');
  }
  // §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used".
  if (rest.includes('#')) refuse("has a fragment, which a WebSocket URL must not have; '#' in a path is written %23");
  switch (scheme.toLowerCase()) {
    case 'ws':
    case 'http':
      return parseNetwork(rest, false, refuse, toAscii);
    case 'wss':
    case 'https':
      return parseNetwork(rest, true, refuse, toAscii);
    case 'ws+unix':
      return parseUnix(rest, refuse);
    default:
      return refuse('has a scheme other than ws, wss, http, https and ws+unix');
  }
}

/**
 * A URL for an error. Errors are logged, and passwords are not for logs: neither those that stand where they belong, nor those
 * with a slash that is not encoded.
 */
export function shownUrl(url: string): string {
  return printable(
    url.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/|)(?:[^/?#]*@|[^/?#:]*:(?!\d*(?:[/?#]|$)).*@)/is, '$1***@'),
  );
}

type Refuse = (why: string) => never;

function parseNetwork(rest: string, secure: boolean, refuse: Refuse, toAscii?: (host: string) => string): Address {
  if (!rest.startsWith('//')) refuse('has no host: // follows the scheme');
  const [, authority = '', tail = ''] = /^\/\/([^/?\\]*)(.*)$/s.exec(rest) ?? [];
  if (tail.startsWith('\\')) refuse('has a backslash');
  if (authority.includes('@')) {
    // §3 knows no user information; sending it unasked would be a leak, dropping it a surprise.
    refuse("has a user name or password: send them with the option headers, { Authorization: 'Basic …' }");
  }
  const [, given = '', digits = ''] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(authority) ?? [];
  const name = /[^\x21-\x7e]/.test(given) ? (toAscii?.(given) ?? '') : given.toLowerCase();
  if (name === '' || name.includes('%') || !isValidHost(name)) {
    refuse(given === '' ? 'has no host' : 'has a host that is neither a name nor an address');
  }
  if (!/^\d{0,5}$/.test(digits)) refuse('has a port that is not a number');
  const standard = secure ? 443 : 80;
  const port = digits === '' ? standard : Number(digits);
  if (port === 0 || port > 65_535) refuse('has a port that is not from 1 to 65535');
  return {
    secure,
    hostname: name.startsWith('[') ? name.slice(1, -1) : name,
    port,
    socketPath: null,
    host: port === standard ? name : `${name}:${port}`,
    target: targetOf(tail, refuse),
  };
}

function parseUnix(rest: string, refuse: Refuse): Address {
  const [, path = '', tail = ''] = /^(?:\/\/(?=\/))?([^:?]*)(?::(.*))?$/s.exec(rest) ?? [];
  if (path === '') refuse('has no path of a socket: ws+unix:/path/of/socket:/path?query');
  if (tail !== '' && !/^[/?]/.test(tail)) refuse("has no '/' behind the path of the socket and the colon");
  let socketPath = '';
  try {
    socketPath = decodeURIComponent(path);
  } catch {
    refuse('has a percent sign that encodes nothing');
  }
  return {
    secure: false,
    hostname: 'localhost',
    port: 80,
    socketPath,
    host: 'localhost',
    target: targetOf(tail, refuse),
  };
}

function targetOf(tail: string, refuse: Refuse): string {
  let target = tail;
  try {
    target = tail.replace(/[^\x21-\x7e]+/gu, (text) => encodeURIComponent(text));
  } catch {
    refuse('has a lone surrogate');
  }
  // §3: "A "resource-name" can be constructed by concatenating … "/" if the path component is empty".
  return target.startsWith('/') ? target : `/${target}`;
}
