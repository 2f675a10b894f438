/**
 * Which web pages may connect (RFC 6455 section 10.2; origins as RFC 6454 serialises them). A browser sends the Origin of the
 * page that opens a WebSocket, and cookies with it, whoever wrote that page: this check alone tells them apart. Programs
 * that are no browsers send none, or whatever they like.
 */

import { quote } from '../connection/options.ts';
import { UsageError } from '../errors.ts';
import type { Request } from '../handshake/request.ts';

/** `'*'`, or origins as browsers send them: `https://example.com`, `http://localhost:3000`. */
export type AllowedOrigins = '*' | readonly string[];

const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]+\]|[^\s/?#@:[\]\\]+)(?::(\d{1,5}))?$/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', ws: '80', https: '443', wss: '443' };

/**
 * Whether a request may come from where it says. A request without an Origin is no web page's. Without `allowed` the
 * page's host and port must be those that the request was sent to; the scheme is not compared, since a proxy may have
 * ended TLS.
 */
export function isOriginAllowed(
  request: Pick<Request, 'headers' | 'host'>,
  allowed: ReadonlySet<string> | '*' | null,
): boolean {
  if (allowed === '*') return true;
  const origins = request.headers.getAll('origin');
  if (origins.length === 0) return true;
  if (origins.length > 1) return false;
  const origin = origins[0]!;
  return allowed === null ? isSameHost(origin, request.host) : allowed.has(origin);
}

/** Whether the page's host and port are those of a Host header, in which a default port may be left out. */
function isSameHost(origin: string, host: string): boolean {
  const [, scheme = '', name = '', port] = ORIGIN.exec(origin) ?? [];
  const defaultPort = DEFAULT_PORTS[scheme.toLowerCase()];
  if (defaultPort === undefined) return false;
  const [, , hostName = '', hostPort] = ORIGIN.exec(`any://${host}`) ?? [];
  return (
    name.toLowerCase() === hostName.toLowerCase() && Number(port ?? defaultPort) === Number(hostPort ?? defaultPort)
  );
}

/**
 * Reads the option `allowedOrigins`.
 *
 * @throws UsageError for what no browser would ever send, so that it could never match
 */
export function readAllowedOrigins(value: unknown, where: string): ReadonlySet<string> | '*' | null {
  if (value === undefined) return null;
  if (value === '*') return '*';
  if (!Array.isArray(value)) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'allowedOrigins' must be '*' or an array of origins`);
  }
  for (const origin of value as unknown[]) {
    const wrong = typeof origin === 'string' ? complaint(origin) : 'it is not a string';
    if (wrong !== '') {
      throw new UsageError(
        'INVALID_OPTION',
        `${where}: option 'allowedOrigins': ${quote(origin)} is not an origin as browsers send it: ${wrong}`,
      );
    }
  }
  return new Set(value as string[]);
}

function complaint(origin: string): string {
  // The origin of sandboxed frames and of files. Whoever lists it lets in every page that can make itself a sandbox.
  if (origin === 'null') return '';
  const [, scheme, , port] = ORIGIN.exec(origin) ?? [];
  if (scheme === undefined) return 'it is scheme://host or scheme://host:port, without a slash at the end';
  if (/[^\x21-\x7e]/.test(origin)) return 'write the host in punycode';
  if (origin !== origin.toLowerCase()) return 'write it in lower case';
  if (port !== undefined && port === DEFAULT_PORTS[scheme]) return 'leave out the default port';
  return '';
}
