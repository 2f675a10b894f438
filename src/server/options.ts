/** The options of servers: their rules in one table, and what was read from them. */

import {
  CONNECTION_RULES,
  checkRecord,
  type Platform,
  type Rule,
  type Rules,
  readOptions,
  withPlatform,
} from '../connection/options.ts';
import type { DebugLevel, DebugOptions, LineDebug } from '../debug/options.ts';
import type { AnyEvent } from '../endpoint/any-event.ts';
import { type HeaderList, readHeaders } from '../endpoint/header-list.ts';
import { ENDPOINT_RULES, type EndpointOptions, EndpointSettings } from '../endpoint/options.ts';
import { UsageError } from '../errors.ts';
import { formatFields } from '../handshake/field-lines.ts';
import { isToken } from '../handshake/header-grammar.ts';
import type { Request } from '../handshake/request.ts';
import { readDebug } from '../transport/node/debug.ts';
import type { ServerTlsOptions } from '../transport/node/tls.ts';
import { type AddressList, readAddressList } from './address-list.ts';
import { type AllowedOrigins, readAllowedOrigins } from './origin.ts';
import { readPaths } from './paths.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

/** Takes a connection before its `open` is delivered: listeners attached before the first `await` miss nothing. */
export type Handler<Context = unknown> = (socket: ServerEndpoint<Context>, request: Request) => unknown;

/** Who asks to connect. */
export interface Peer {
  /** The address of the other end; null for a UNIX socket. */
  readonly remoteAddress: string | null;
  /** The peer's port, or null. */
  readonly remotePort: number | null;
  /** Whether this server's own side of the connection is protected by TLS. */
  readonly secure: boolean;
  /** The certificate that the peer has shown to this server, in DER, or null. Unless `tls` says otherwise, it was checked. */
  readonly peerCertificate: Uint8Array | null;
  /** Aborts when the peer is gone before it was answered, `handshakeTimeout` has passed, or the server closes. */
  readonly signal: AbortSignal;
}

/** An answer other than 101. */
export interface Refusal {
  /** 200 to 599. */
  readonly status: number;
  /** Further headers of the answer. */
  readonly headers?: HeaderList;
  /** A string goes as UTF-8. Default: none; for a status from 400 on that `authorize` answers, one line of text. */
  readonly body?: string | Uint8Array;
}

/** What the 101 says, and what the application wants to remember. */
export interface Acceptance<Context = unknown> {
  /** Absent: with a status it is a {@link Refusal}. */
  readonly status?: undefined;
  /** Further headers of the 101. */
  readonly headers?: HeaderList;
  /** Replaces the choice of the option `subprotocols`; null for none. It must be one that the client offered. */
  readonly subprotocol?: string | null;
  /** Becomes `socket.context`. */
  readonly context?: Context;
}

/**
 * What `authorize` answers: yes (nothing, `true`, an {@link Acceptance}), no (`false`: 403), or another answer. An object with a
 * part that there is not lets nobody in: the client gets 500.
 */
export type Verdict<Context = unknown> = undefined | boolean | Refusal | Acceptance<Context>;

/** Heads that an HTTP server reads are within the limits of that server. */
type HeadLimit = 'maxHeadSize' | 'maxRequestLine' | 'maxHeaders';

/** Options of `attach`. Sizes in bytes, durations in milliseconds. `Context` is what `authorize` gives a connection along. */
export interface AttachOptions<Context = unknown> extends Omit<EndpointOptions, 'plainRequests' | HeadLimit> {
  /** The paths that are served, percent-encoded, compared exactly and without the query. Default: all. Others are answered with 404. */
  readonly paths?: string | readonly string[];
  /** Web pages that may connect. Default: those whose host and port are the request's own. Others are answered with 403. */
  readonly allowedOrigins?: AllowedOrigins;
  /** The subprotocols of this server in its order of preference, or who chooses one of those on offer. */
  readonly subprotocols?:
    | readonly string[]
    | ((offered: readonly string[], request: Request) => string | null | undefined);
  /** Decides before the 101. Without it every request that came this far is accepted. What it throws is answered with 500. */
  readonly authorize?: (request: Request, peer: Peer) => Verdict<Context> | PromiseLike<Verdict<Context>>;
  /** Further headers of every 101. */
  readonly headers?: HeaderList | ((request: Request) => HeaderList);
  /**
   * Peers that may connect: IP addresses and networks (`'127.0.0.1'`, `'10.0.0.0/8'`, `'2001:db8::/32'`), or an `AddressList`,
   * which can be changed while the server runs. An empty list lets nobody in. Default `null`: all. Others are answered with 403.
   */
  readonly allowedAddresses?: readonly string[] | AddressList | null;
  /** Peers that may not, even if `allowedAddresses` has them. Default `null`: none. */
  readonly deniedAddresses?: readonly string[] | AddressList | null;
  /** Connections at a time, counted from accept. Default `null`. Further ones are answered with 503. */
  readonly maxConnections?: number | null;
  /**
   * Connections at a time from one IPv4 address, or from one IPv6 network of 64 bits, counted from accept. Default `null`.
   * Further ones are answered with 503, or dropped if they are too many.
   */
  readonly maxConnectionsPerAddress?: number | null;
  /** Connections that are not open yet. Default 1,024. Further ones are answered with 503, or dropped if they are too many. */
  readonly maxPendingHandshakes?: number | null;
  /**
   * Takes every event of every connection, from `open` to `close`, before the listeners of the connection. It is a listener like
   * any other: a promise that it returns holds further events of that connection back. No connection can have an iterator then.
   */
  onEvent?(socket: ServerEndpoint<Context>, event: AnyEvent): unknown;
  /** Whether parts of Node that are not public API may be used where a check has proved them. Default true. */
  readonly internals?: boolean;
  /**
   * Tells of every connection, on standard error or to a sink. 0: nothing. 1: changes of state. 2: frames and bytes besides.
   * Default: as the environment says (`SANSOCKET_DEBUG`, `NODE_DEBUG`), else 0.
   */
  readonly debug?: DebugLevel | DebugOptions;
}

/** Options of `serve`. */
export interface ServeOptions<Context = unknown> extends AttachOptions<Context>, Pick<EndpointOptions, HeadLimit> {
  /** The TCP port; 0 for any that is free. Either `port` or `path`. */
  readonly port?: number;
  /** The address or name to listen on. Default: all, over IPv6 and IPv4. */
  readonly host?: string;
  /** Listens on IPv4 or IPv6 only. */
  readonly family?: 4 | 6;
  /** The path of a UNIX socket to listen on. Who may connect to it is what the umask of the process leaves. */
  readonly path?: string;
  /** Connections that wait for accept, in the kernel. Default 511. */
  readonly backlog?: number;
  /** In a `cluster`: whether the port is this worker's own. Default false. */
  readonly exclusive?: boolean;
  /** TLS with this certificate; there is no plain text then. */
  readonly tls?: ServerTlsOptions;
  /** Answers a GET without a body that asks for no upgrade; other methods get 405. Without it, or if it returns null, that is 426. */
  readonly onRequest?: (request: Request, peer: Peer) => PlainAnswer | PromiseLike<PlainAnswer>;
  /** Closes the server when it aborts. */
  readonly signal?: AbortSignal;
}

/** The answer to a request that asks for no upgrade. */
export type PlainAnswer = Refusal | null | undefined;

const { plainRequests: _, ...SHARED_RULES } = ENDPOINT_RULES;
const { maxHeadSize, maxRequestLine, maxHeaders } = CONNECTION_RULES;
const HEAD_RULES: Record<HeadLimit, Rule> = { maxHeadSize, maxRequestLine, maxHeaders };

/** The rules of {@link AttachOptions}. Those of several types are checked by hand and stand here by their names. */
export const ATTACH_RULES: Rules = {
  ...Object.fromEntries(Object.entries(SHARED_RULES).filter(([name]) => !Object.hasOwn(HEAD_RULES, name))),
  paths: { kind: 'list', default: undefined },
  allowedOrigins: { kind: 'list', default: undefined },
  subprotocols: { kind: 'list', default: undefined },
  authorize: { kind: 'function', default: null },
  headers: { kind: 'list', default: undefined },
  allowedAddresses: { kind: 'list', default: null, nullable: true },
  deniedAddresses: { kind: 'list', default: null, nullable: true },
  maxConnections: { kind: 'count', default: null, nullable: true },
  maxConnectionsPerAddress: { kind: 'count', default: null, nullable: true },
  maxPendingHandshakes: { kind: 'count', default: 1_024, nullable: true },
  onEvent: { kind: 'function', default: null },
  internals: { kind: 'boolean', default: true },
  debug: { kind: 'object', default: undefined },
};

/** The rules of {@link ServeOptions}. */
export const SERVE_RULES: Rules = {
  ...ATTACH_RULES,
  ...HEAD_RULES,
  port: { kind: 'count', default: undefined },
  host: { kind: 'string', default: undefined },
  family: { kind: 'count', default: undefined },
  path: { kind: 'string', default: undefined },
  backlog: { kind: 'count', default: 511 },
  exclusive: { kind: 'boolean', default: false },
  tls: { kind: 'object', default: undefined },
  onRequest: { kind: 'function', default: null },
  signal: { kind: 'object', default: undefined },
};

const SEVERAL_TYPES = [
  'paths',
  'allowedOrigins',
  'subprotocols',
  'headers',
  'compression',
  'debug',
  'allowedAddresses',
  'deniedAddresses',
];

/** What a server decides requests by, read from its options. */
export class ServerSettings {
  readonly endpoint: EndpointSettings;
  /** Null: all. */
  readonly paths: ReadonlySet<string> | null;
  readonly allowedOrigins: ReadonlySet<string> | '*' | null;
  readonly subprotocols: AttachOptions['subprotocols'];
  readonly authorize: AttachOptions['authorize'] | null;
  readonly headers: readonly (readonly [string, string])[] | ((request: Request) => HeaderList);
  readonly onRequest: ServeOptions['onRequest'] | null;
  readonly allowedAddresses: AddressList | null;
  readonly deniedAddresses: AddressList | null;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxPendingHandshakes: number;
  readonly onEvent: NonNullable<ServeOptions['onEvent']> | null;
  readonly closeTimeout: number;
  readonly internals: boolean;
  readonly debug: LineDebug | null;

  /**
   * @param platform what the shell lends, with and without internals
   * @throws UsageError naming the option that is wrong
   */
  constructor(
    rules: Rules,
    options: ServeOptions,
    where: string,
    platform: { readonly best: Platform; readonly open: Platform },
  ) {
    checkRecord(options, where);
    const given: Record<string, unknown> = { ...options };
    const { paths, allowedOrigins, subprotocols, headers, compression } = given;
    // Their types are several, and checked by their own readers.
    for (const name of SEVERAL_TYPES) delete given[name];
    for (const name of ['port', 'family']) if (Object.hasOwn(rules, name)) delete given[name];
    const read = readOptions(rules, given, where) as unknown as ServeOptions;
    if (read.signal !== undefined && typeof read.signal.throwIfAborted !== 'function') {
      throw new UsageError('INVALID_OPTION', `${where}: option 'signal' must be an AbortSignal`);
    }
    this.internals = read.internals ?? true;
    this.debug = readDebug(options.debug, where);
    const endpoint: Record<string, unknown> = {};
    for (const name of Object.keys(SHARED_RULES)) if (given[name] !== undefined) endpoint[name] = given[name];
    if (compression !== undefined) endpoint['compression'] = compression;
    endpoint['platform'] = withPlatform(this.internals ? platform.best : platform.open, options.platform, where);
    this.onRequest = read.onRequest ?? null;
    if (this.onRequest !== null) endpoint['plainRequests'] = 'ask';
    this.endpoint = new EndpointSettings(endpoint as EndpointOptions, where);
    this.paths = readPathOption(paths, where);
    this.allowedOrigins = readAllowedOrigins(allowedOrigins, where);
    this.subprotocols = readSubprotocols(subprotocols, where);
    this.headers = readExtraHeaders(headers, where);
    this.authorize = read.authorize ?? null;
    this.allowedAddresses = readAddressList(options.allowedAddresses, 'allowedAddresses', where);
    this.deniedAddresses = readAddressList(options.deniedAddresses, 'deniedAddresses', where);
    this.onEvent = read.onEvent ?? null;
    this.maxConnections = read.maxConnections ?? Number.POSITIVE_INFINITY;
    this.maxConnectionsPerAddress = read.maxConnectionsPerAddress ?? Number.POSITIVE_INFINITY;
    this.maxPendingHandshakes = read.maxPendingHandshakes ?? Number.POSITIVE_INFINITY;
    this.closeTimeout = this.endpoint.connection.closeTimeout;
  }
}

function readPathOption(value: unknown, where: string): ReadonlySet<string> | null {
  if (value === undefined) return null;
  const list = typeof value === 'string' ? [value] : value;
  if (Array.isArray(list) && list.length > 0) return readPaths(list, where);
  throw new UsageError('INVALID_OPTION', `${where}: option 'paths' must be a path or an array of paths`);
}

function readSubprotocols(value: unknown, where: string): AttachOptions['subprotocols'] {
  if (value === undefined || typeof value === 'function') return value as AttachOptions['subprotocols'];
  const valid = Array.isArray(value) && value.every((name) => typeof name === 'string' && isToken(name));
  if (!valid) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'subprotocols' must be a function or an array of tokens`);
  }
  return [...(value as string[])];
}

function readExtraHeaders(value: unknown, where: string): ServerSettings['headers'] {
  if (typeof value === 'function') return value as (request: Request) => HeaderList;
  const headers = readHeaders(value, where);
  // What cannot be sent is found now, not at the first request.
  formatFields(headers, []);
  return headers;
}
