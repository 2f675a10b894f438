/** The options of a client: their rules in one table. */

import { checkRecord, type Platform, type Rules, readOptions, withPlatform } from '../connection/options.ts';
import type { DebugLevel, DebugOptions, LineDebug } from '../debug/options.ts';
import type { EventName, Listeners } from '../endpoint/events.ts';
import { type HeaderList, readHeaders } from '../endpoint/header-list.ts';
import { ENDPOINT_RULES, type EndpointOptions, EndpointSettings } from '../endpoint/options.ts';
import { UsageError } from '../errors.ts';
import { readDebug } from '../transport/node/debug.ts';
import type { ClientTlsOptions } from '../transport/node/tls.ts';
import { checkSignal } from './reconnect-options.ts';

/** Options of `connect`. Sizes in bytes, durations in milliseconds. */
export interface ConnectOptions extends Omit<EndpointOptions, 'maxEarlyData' | 'plainRequests' | 'earlyData'> {
  /** Offered to the server, in order of preference (RFC 6455 section 1.9). */
  readonly subprotocols?: string | readonly string[];
  /** Further headers of the request. `Host`, `Origin` and `User-Agent` given here replace ours. */
  readonly headers?: HeaderList;
  /** The Origin header. Default: none, as befits a program that is no browser. */
  readonly origin?: string;
  /** Of `wss:` and `https:` URLs. The server's certificate is checked unless this says otherwise. */
  readonly tls?: ClientTlsOptions;
  /** Gives up: the promise rejects with its reason. Without effect once the connection is open. */
  readonly signal?: AbortSignal;
  /** Listeners that are attached before anything is delivered, so that they miss nothing. */
  readonly on?: Listeners;
  /** Dials this UNIX socket; the URL says only what to ask for. */
  readonly socketPath?: string;
  /** Whether several addresses of a host are tried side by side (RFC 8305). Default: as Node is set. */
  readonly autoSelectFamily?: boolean;
  /** Resolves names over IPv4 or IPv6 only. */
  readonly family?: 4 | 6;
  /** The local address to connect from. */
  readonly localAddress?: string;
  /**
   * How many redirects are followed in a row, 301, 302, 303, 307 and 308: never from TLS to none; to another origin without
   * `Authorization`, `Cookie`, `Host` and client certificate. Default 0.
   */
  readonly redirects?: number;
  /**
   * The HTTP proxy to ask for a tunnel, `http://user:password@host:port` or `https:`; `'environment'`: the one that HTTPS_PROXY,
   * HTTP_PROXY and ALL_PROXY name, unless NO_PROXY lists the host. Default false: none.
   */
  readonly proxy?: string | URL | false;
  /** Of an `https:` proxy. The server behind it has `tls`. */
  readonly proxyTls?: ClientTlsOptions;
  /** Headers for the proxy, and for nobody else. */
  readonly proxyHeaders?: HeaderList;
  /** Whether parts of Node that are not public API may be used where a check has proved them. Default true. */
  readonly internals?: boolean;
  /**
   * Tells of the connection, on standard error or to a sink. 0: nothing. 1: changes of state. 2: frames and bytes besides.
   * Default: as the environment says (`SANSOCKET_DEBUG`, `NODE_DEBUG`), else 0.
   */
  readonly debug?: DebugLevel | DebugOptions;
}

const { maxEarlyData: _, plainRequests: __, earlyData: ___, ...SHARED_RULES } = ENDPOINT_RULES;

/** The rules of {@link ConnectOptions}. Those of several types are checked by hand and stand here by their names. */
const CONNECT_RULES: Rules = {
  ...SHARED_RULES,
  subprotocols: { kind: 'list', default: [] },
  headers: { kind: 'list', default: [] },
  origin: { kind: 'string', default: null },
  tls: { kind: 'object', default: undefined },
  signal: { kind: 'object', default: undefined },
  on: { kind: 'object', default: undefined },
  socketPath: { kind: 'string', default: undefined },
  autoSelectFamily: { kind: 'boolean', default: undefined },
  family: { kind: 'count', default: undefined },
  localAddress: { kind: 'string', default: undefined },
  redirects: { kind: 'count', default: 0 },
  proxy: { kind: 'string', default: false },
  proxyTls: { kind: 'object', default: undefined },
  proxyHeaders: { kind: 'list', default: [] },
  internals: { kind: 'boolean', default: true },
  debug: { kind: 'object', default: undefined },
};

/** Options of several types, or with rules of their own. */
const CHECKED_HERE = [
  'subprotocols',
  'headers',
  'compression',
  'family',
  'redirects',
  'proxy',
  'proxyHeaders',
  'debug',
] as const;

const LISTENER = { kind: 'function', default: undefined } as const;
const LISTENER_RULES: Record<EventName, { readonly kind: 'function'; readonly default: undefined }> = {
  open: LISTENER,
  message: LISTENER,
  fragment: LISTENER,
  progress: LISTENER,
  ping: LISTENER,
  pong: LISTENER,
  drain: LISTENER,
  error: LISTENER,
  close: LISTENER,
};

/** What a client asks for and how it dials, read from its options. */
export class ClientSettings {
  readonly endpoint: EndpointSettings;
  readonly subprotocols: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
  readonly proxyHeaders: readonly (readonly [string, string])[];
  readonly redirects: number;
  readonly internals: boolean;
  readonly debug: LineDebug | null;

  /**
   * @param platform what the shell lends, with and without internals
   * @throws UsageError naming the option that is unknown or wrong
   */
  constructor(options: ConnectOptions, platform: { readonly best: Platform; readonly open: Platform }) {
    const where = 'connect';
    checkRecord(options, where);
    const given: Record<string, unknown> = { ...options };
    const { subprotocols, headers, compression, family, on, redirects = 0, proxy, proxyHeaders } = given;
    for (const name of CHECKED_HERE) delete given[name];
    if (family !== undefined && family !== 4 && family !== 6) {
      throw new UsageError('INVALID_OPTION', `${where}: option 'family' must be 4 or 6`);
    }
    if (!Number.isSafeInteger(redirects) || (redirects as number) < 0) {
      throw new UsageError('INVALID_OPTION', `${where}: option 'redirects' must be a whole number from 0`);
    }
    if ((proxy === undefined || proxy === false) && (given['proxyTls'] !== undefined || proxyHeaders !== undefined)) {
      throw new UsageError('INVALID_OPTION', `${where}: 'proxyTls' and 'proxyHeaders' mean nothing without 'proxy'`);
    }
    readOptions(CONNECT_RULES, given, where);
    checkSignal(given['signal'], where);
    if (on !== undefined) {
      checkRecord(on, `${where}: on`);
      readOptions(LISTENER_RULES, on as object, `${where}: on`);
    }
    const other = given['delivery'] === 'fragment' ? 'message' : 'fragment';
    if ((on as Listeners | undefined)?.[other] !== undefined) {
      throw new UsageError('INVALID_OPTION', `${where}: on: '${other}' needs the option delivery: '${other}'`);
    }
    const endpoint: Record<string, unknown> = {};
    for (const name of Object.keys(SHARED_RULES)) if (given[name] !== undefined) endpoint[name] = given[name];
    if (compression !== undefined) endpoint['compression'] = compression;
    const lent = options.internals === false ? platform.open : platform.best;
    endpoint['platform'] = withPlatform(lent, options.platform, where);
    this.endpoint = new EndpointSettings(endpoint as EndpointOptions, where);
    this.subprotocols = readSubprotocols(subprotocols, where);
    this.headers = readHeaders(headers, where);
    this.proxyHeaders = readHeaders(proxyHeaders, where, 'proxyHeaders');
    this.redirects = redirects as number;
    this.internals = options.internals !== false;
    this.debug = readDebug(options.debug, where);
  }
}

function readSubprotocols(value: unknown, where: string): readonly string[] {
  if (value === undefined) return [];
  // A copy: what is checked now serves attempts that are made later.
  const list: unknown[] | null = typeof value === 'string' ? [value] : Array.isArray(value) ? [...value] : null;
  if (list === null || !list.every((name) => typeof name === 'string')) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'subprotocols' must be a string or an array of strings`);
  }
  return list as string[];
}
