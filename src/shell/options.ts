/** Options of the servers and clients on a runtime's own sockets: what is left when dialling and listening are the runtime's. */

import { checkRecord, type Platform, type Rules, readOptions, withPlatform } from '../connection/options.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { Listeners } from '../endpoint/events.ts';
import { type HeaderList, readHeaders } from '../endpoint/header-list.ts';
import { ENDPOINT_RULES, type EndpointOptions, EndpointSettings } from '../endpoint/options.ts';
import { UsageError } from '../errors.ts';
import { isToken } from '../handshake/header-grammar.ts';
import type { Request } from '../handshake/request.ts';
import { type AllowedOrigins, readAllowedOrigins } from '../server/origin.ts';
import { readPaths } from '../server/paths.ts';

/** Options of a server. Sizes in bytes, durations in milliseconds. */
export interface ShellServerOptions extends Omit<EndpointOptions, 'plainRequests'> {
  /** The paths that are served, percent-encoded, compared exactly and without the query. Default: all. Others are answered with 404. */
  readonly paths?: readonly string[];
  /** Web pages that may connect. Default: those whose host and port are the request's own. Others are answered with 403. */
  readonly allowedOrigins?: AllowedOrigins;
  /** The subprotocols of this server in its order of preference. Default none. */
  readonly subprotocols?: readonly string[];
  /**
   * Decides before the 101: nothing or `true` accepts, `false` answers 403, a number is another status. What it throws is
   * answered with 500. Default: every request that came this far is accepted.
   */
  readonly authorize?: (request: Request, socket: Endpoint) => ShellVerdict | PromiseLike<ShellVerdict>;
  /** Connections at a time, those in their handshake included. Default `null`. Further ones are answered with 503. */
  readonly maxConnections?: number | null;
  /** Connections that are not open yet. Default 1,024. Further ones are answered with 503, or dropped if they are too many. */
  readonly maxPendingHandshakes?: number | null;
}

/** A certificate and its key, in PEM. */
export interface PemPair {
  /** The certificate, the intermediate ones behind it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
}

/** What `authorize` answers. */
export type ShellVerdict = undefined | boolean | number;

/** Takes a connection before its `open` is delivered: listeners attached before the first `await` miss nothing. */
export type ShellHandler = (socket: Endpoint, request: Request) => unknown;

/** What is used of an `AbortSignal`. @opaque */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Options of a client. Sizes in bytes, durations in milliseconds. */
export interface ShellClientOptions extends Omit<EndpointOptions, 'maxEarlyData' | 'plainRequests' | 'earlyData'> {
  /** Offered to the server, in order of preference (RFC 6455 section 1.9). Default none. */
  readonly subprotocols?: readonly string[];
  /** Further headers of the request. */
  readonly headers?: HeaderList;
  /** The Origin header. Default: none, as befits a program that is no browser. */
  readonly origin?: string;
  /** Gives up: the promise rejects with its reason. Without effect once the connection is open. */
  readonly signal?: Signal;
  /** Listeners that are attached before anything is delivered, so that they miss nothing. */
  readonly on?: Listeners;
}

const { plainRequests: _, ...SERVER_SHARED } = ENDPOINT_RULES;
const { maxEarlyData: __, plainRequests: ___, earlyData: ____, ...CLIENT_SHARED } = ENDPOINT_RULES;

const SERVER_RULES: Rules = {
  ...SERVER_SHARED,
  paths: { kind: 'list', default: null },
  allowedOrigins: { kind: 'list', default: undefined },
  subprotocols: { kind: 'list', default: [] },
  authorize: { kind: 'function', default: null },
  maxConnections: { kind: 'count', default: null, nullable: true },
  maxPendingHandshakes: { kind: 'count', default: 1_024, nullable: true },
};

const CLIENT_RULES: Rules = {
  ...CLIENT_SHARED,
  subprotocols: { kind: 'list', default: [] },
  headers: { kind: 'list', default: undefined },
  origin: { kind: 'string', default: null },
  signal: { kind: 'object', default: null },
  on: { kind: 'object', default: null },
};

/** What a server decides requests by, read from its options. */
export class ShellServerSettings {
  readonly endpoint: EndpointSettings;
  /** Null: all. */
  readonly paths: ReadonlySet<string> | null;
  readonly allowedOrigins: ReadonlySet<string> | '*' | null;
  readonly subprotocols: readonly string[];
  readonly authorize: ShellServerOptions['authorize'] | null;
  readonly maxConnections: number;
  readonly maxPendingHandshakes: number;

  /** @throws UsageError naming the option that is wrong */
  constructor(options: ShellServerOptions, platform: Platform, where: string) {
    const { read, endpoint } = split(SERVER_RULES, SERVER_SHARED, options, platform, where, ['allowedOrigins']);
    const settings = read as unknown as Required<ShellServerOptions>;
    this.endpoint = endpoint;
    const paths = settings.paths as readonly string[] | null;
    this.paths = paths === null ? null : readPaths(paths, where);
    this.allowedOrigins = readAllowedOrigins(options.allowedOrigins, where);
    this.subprotocols = readTokens(settings.subprotocols, where);
    this.authorize = settings.authorize;
    this.maxConnections = settings.maxConnections ?? Number.POSITIVE_INFINITY;
    this.maxPendingHandshakes = settings.maxPendingHandshakes ?? Number.POSITIVE_INFINITY;
  }
}

/** What a client asks for, read from its options. */
export class ShellClientSettings {
  readonly endpoint: EndpointSettings;
  readonly subprotocols: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
  readonly origin: string | null;
  readonly signal: Signal | null;
  readonly on: Listeners | null;

  /** @throws UsageError naming the option that is wrong */
  constructor(options: ShellClientOptions, platform: Platform, where: string) {
    const { read, endpoint } = split(CLIENT_RULES, CLIENT_SHARED, options, platform, where, ['headers']);
    const settings = read as unknown as Required<ShellClientOptions>;
    if (settings.signal !== null && typeof settings.signal.addEventListener !== 'function') {
      refuse(where, "option 'signal' must be an AbortSignal");
    }
    if (settings.on !== null) checkRecord(settings.on, `${where}: on`);
    this.endpoint = endpoint;
    this.subprotocols = readTokens(settings.subprotocols, where);
    this.headers = readHeaders(options.headers, where);
    this.origin = settings.origin;
    this.signal = settings.signal;
    this.on = settings.on;
  }
}

/** Checks the options, and takes out what the endpoints need. `others` are of several types, and read by whoever knows them. */
function split(
  rules: Rules,
  shared: Rules,
  options: object,
  platform: Platform,
  where: string,
  others: readonly string[],
): { readonly read: Record<string, unknown>; readonly endpoint: EndpointSettings } {
  checkRecord(options, where);
  const { compression, ...given } = options as Record<string, unknown>;
  for (const name of others) delete given[name];
  const read = readOptions(rules, given, where);
  const inner: Record<string, unknown> = {
    platform: withPlatform(platform, given['platform'] as Platform | undefined, where),
  };
  for (const name of Object.keys(shared)) {
    if (name !== 'platform' && given[name] !== undefined) inner[name] = given[name];
  }
  if (compression !== undefined) inner['compression'] = compression;
  return { read, endpoint: new EndpointSettings(inner as EndpointOptions, where) };
}

function readTokens(list: readonly string[], where: string): readonly string[] {
  if (!list.every((name) => typeof name === 'string' && isToken(name))) {
    refuse(where, "option 'subprotocols' must be an array of tokens");
  }
  return [...list];
}

function refuse(where: string, why: string): never {
  throw new UsageError('INVALID_OPTION', `${where}: ${why}`);
}
