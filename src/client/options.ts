/** The options of a client: their rules in one table. */

import { type Platform, type Rules, readOptions } from '../connection/options.ts';
import type { EventName, Listeners } from '../endpoint/events.ts';
import { type HeaderList, readHeaders } from '../endpoint/header-list.ts';
import { ENDPOINT_RULES, type EndpointOptions, EndpointSettings } from '../endpoint/options.ts';
import { UsageError } from '../errors.ts';
import type { ClientTlsOptions } from '../transport/node/tls.ts';

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
  /** Not available in this version. */
  readonly compression?: false;
  /** Whether parts of Node that are not public API may be used where a check has proved them. Default true. */
  readonly internals?: boolean;
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
  compression: { kind: 'boolean', default: false },
  internals: { kind: 'boolean', default: true },
};

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

  /**
   * @param platform what the shell lends, with and without internals
   * @throws UsageError naming the option that is unknown or wrong
   */
  constructor(options: ConnectOptions, platform: { readonly best: Platform; readonly open: Platform }) {
    const where = 'connect';
    if (typeof options !== 'object' || options === null) readOptions(CONNECT_RULES, options, where);
    const given: Record<string, unknown> = { ...options };
    const { subprotocols, headers, compression, family, on } = given;
    for (const name of ['subprotocols', 'headers', 'compression', 'family']) delete given[name];
    if (compression !== undefined && compression !== false) {
      throw new UsageError(
        'INVALID_OPTION',
        `${where}: option 'compression' must be false: it is not available in this version`,
      );
    }
    if (family !== undefined && family !== 4 && family !== 6) {
      throw new UsageError('INVALID_OPTION', `${where}: option 'family' must be 4 or 6`);
    }
    readOptions(CONNECT_RULES, given, where);
    if (on !== undefined) readOptions(LISTENER_RULES, on as object, `${where}: on`);
    const endpoint: Record<string, unknown> = {};
    for (const name of Object.keys(SHARED_RULES)) if (given[name] !== undefined) endpoint[name] = given[name];
    endpoint['platform'] = { ...(options.internals === false ? platform.open : platform.best), ...options.platform };
    this.endpoint = new EndpointSettings(endpoint as EndpointOptions, where);
    this.subprotocols = readSubprotocols(subprotocols, where);
    this.headers = readHeaders(headers, where);
  }
}

function readSubprotocols(value: unknown, where: string): readonly string[] {
  if (value === undefined) return [];
  const list: unknown = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || !list.every((name) => typeof name === 'string')) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'subprotocols' must be a string or an array of strings`);
  }
  return list as string[];
}
