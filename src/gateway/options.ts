/** The options of a gateway: what they are, and what was read from them. */

import type { ChildProcess } from 'node:child_process';
import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';
import { isSendableCloseCode } from '../codec/close-code.ts';
import { checkRecord, type Rules, readOptions, show } from '../connection/options.ts';
import { UsageError } from '../errors.ts';
import type { Request } from '../handshake/request.ts';
import { isHostServer } from '../server/attachment.ts';
import { ATTACH_RULES, SERVE_RULES, type ServeOptions } from '../server/options.ts';
import type { UpgradeServer } from '../server/upgrade.ts';
import { LONGEST_SOCKET_PATH, socketPathFault } from '../transport/node/socket-path.ts';
import type { Address } from './backend.ts';
import { TrustedProxies } from './client-address.ts';
import { isSegment, NameRules, type Patterns, type RuleOrder } from './name-rules.ts';
import type { FrameType, RelayRules } from './relay.ts';
import type { Framing } from './stream-framing.ts';
import type { Carriage, Names, RouteTarget } from './targets.ts';

/** A prefix of names that has a backend of its own: a UNIX socket (`path`), or a TCP server (`host` and `port`). */
export interface Route {
  /** `'feed'` serves `/feed` and all below it; `''` serves everything. The longest prefix that fits is taken. */
  readonly prefix: string;
  /** The absolute path of a UNIX socket. */
  readonly path?: string;
  /** A name or an address. Default `'127.0.0.1'`, if there is a `port`. */
  readonly host?: string;
  /** A TCP port. */
  readonly port?: number;
  /** Default: the gateway's. */
  readonly framing?: Framing;
  /** Default: the gateway's. */
  readonly frameType?: FrameType;
}

/** Processes for `mode: 'direct'`: by name, or who finds the one for a name; null: there is none. */
export type Processes =
  | Readonly<Record<string, ChildProcess>>
  | ((name: string, request: Request) => ChildProcess | null);

/** What the gateway settles itself. */
type Settled =
  | 'borrow'
  | 'concurrency'
  | 'delivery'
  | 'extensions'
  | 'maxBufferedAmount'
  | 'maxMessageSize'
  | 'maxQueuedMessages'
  | 'onEvent'
  | 'onListenerError'
  | 'overflow'
  | 'platform'
  | 'progress'
  | 'text';

/** Options of `createGateway`: these, and those of `serve` that concern clients. Sizes in bytes, durations in milliseconds. */
export interface GatewayOptions<Context = unknown> extends Omit<ServeOptions<Context>, Settled> {
  /**
   * The folder of the backends' sockets: the path of a URL names the socket below it. It must be there, and nobody but its owner
   * and group may write into it.
   */
  readonly docroot?: string;
  /** Backends by prefix, before the docroot is looked at; the rules for names do not concern them. */
  readonly routes?: readonly Route[];
  /** Names that clients may reach. Default `'*'`: all that lie in the docroot itself. */
  readonly allow?: Patterns;
  /** Names that they may not. Default: none. */
  readonly deny?: Patterns;
  /** Which is asked first; the first match decides. Default `'deny-first'`. */
  readonly order?: RuleOrder;
  /** Whether a subprotocol on offer may name the socket where the path names none, or a folder. Default false. */
  readonly protocolAsName?: boolean;
  /** How messages lie on a backend's stream. Default `'chunk'`: what is read at once is a message. */
  readonly framing?: Framing;
  /** What messages of backends become. Default `'text'`. With `'auto'` those that are UTF-8, and at most 64 KiB, are text. */
  readonly frameType?: FrameType;
  /**
   * The longest message in both directions. Default `null`, as messages stream; with `'length-prefixed'` 1 MiB. With `'chunk'` it is
   * about clients only: what is read at once is never longer than a read.
   */
  readonly maxMessageSize?: number | null;
  /** How long a backend may take to accept a connection. Default 5,000. */
  readonly connectTimeout?: number;
  /**
   * How long a backend or a client may take nothing of what waits for it; then it is dropped, and the client of such a backend
   * gets 1011. Default 120,000; `null`: for ever.
   */
  readonly sendTimeout?: number | null;
  /** The close code for clients whose backend has ended in order. Default 1000. */
  readonly endCode?: number;
  /** Whether the gateway carries payload (default), or hands the client's socket over to a process of Node. */
  readonly mode?: 'indirect' | 'direct';
  /** Another way to write `mode: 'direct'`. */
  readonly options?: 'direct';
  /** `mode: 'direct'`: who takes the clients. */
  readonly processes?: Processes;
  /**
   * Proxies in front of the gateway: their X-Forwarded-For is believed. Addresses, networks, and `'unix'` for peers on a UNIX
   * socket. Then `allowedAddresses`, `deniedAddresses` and the peer that `authorize` and `onRequest` get are about the clients
   * behind them. Default: none.
   */
  readonly trustedProxies?: readonly string[];
  /** Takes the upgrades of this `http` or `https` server, instead of listening. */
  readonly server?: UpgradeServer;
}

const SETTLED: readonly string[] = [
  ...['borrow', 'concurrency', 'delivery', 'extensions', 'maxBufferedAmount', 'maxMessageSize'],
  ...['maxQueuedMessages', 'onEvent', 'onListenerError', 'overflow', 'platform', 'progress', 'text'],
];

/** Options that are about carrying payload. */
const CARRYING = [
  ...(['framing', 'frameType', 'maxMessageSize', 'connectTimeout', 'sendTimeout'] as const),
  ...(['endCode', 'protocolAsName'] as const),
];
/** Options that are about the sockets of a docroot. */
const OF_DOCROOT = ['allow', 'deny', 'order', 'protocolAsName'] as const;
/** The framings. */
export const FRAMINGS: readonly Framing[] = ['chunk', 'nul', 'line', 'length-prefixed'];
/** The frame types. */
export const FRAME_TYPES: readonly FrameType[] = ['text', 'binary', 'auto'];

const OWN_RULES: Rules = {
  docroot: { kind: 'string', default: undefined },
  routes: { kind: 'list', default: [] },
  allow: { kind: 'list', default: undefined },
  deny: { kind: 'list', default: undefined },
  order: { kind: ['deny-first', 'allow-first'], default: 'deny-first' },
  protocolAsName: { kind: 'boolean', default: false },
  framing: { kind: FRAMINGS, default: 'chunk' },
  frameType: { kind: FRAME_TYPES, default: 'text' },
  maxMessageSize: { kind: 'size', default: null, nullable: true },
  connectTimeout: { kind: 'duration', default: 5_000 },
  sendTimeout: { kind: 'duration', default: 120_000, nullable: true },
  endCode: { kind: 'count', default: 1000 },
  mode: { kind: ['indirect', 'direct'], default: 'indirect' },
  options: { kind: ['direct'], default: undefined },
  processes: { kind: 'object', default: null },
  trustedProxies: { kind: 'list', default: null },
  server: { kind: 'object', default: null },
};

const ROUTE_RULES: Rules = {
  prefix: { kind: 'string', default: undefined },
  path: { kind: 'string', default: undefined },
  host: { kind: 'string', default: undefined },
  port: { kind: 'count', default: undefined },
  framing: { kind: FRAMINGS, default: undefined },
  frameType: { kind: FRAME_TYPES, default: undefined },
};

/** Options that are checked where they are read: by `serve`, or by a reader of their own. */
const CLIENT_RULES: Rules = Object.fromEntries(Object.entries(SERVE_RULES).filter(([name]) => !SETTLED.includes(name)));

const WHERE = 'gateway';
const MIB = 1_048_576;

/** What a gateway goes by. */
export class GatewaySettings {
  readonly names: Names;
  readonly direct: boolean;
  readonly processes: Processes | null;
  readonly trusted: TrustedProxies | null;
  readonly connectTimeout: number;
  readonly server: UpgradeServer | null;
  /** What goes to `serve` or `attach`. */
  readonly client: ServeOptions;
  private readonly maxMessageSize: number | null;
  private readonly relay: Pick<RelayRules, 'endCode' | 'highWaterMark' | 'closeTimeout' | 'sendTimeout'>;

  /** @throws UsageError naming the option that is missing, unknown or wrong */
  constructor(options: GatewayOptions) {
    // An option may be called __proto__: then it is one that there is not.
    const own: Record<string, unknown> = Object.create(null);
    const client: Record<string, unknown> = {};
    checkRecord(options, WHERE);
    for (const [name, value] of Object.entries(options)) {
      if (Object.hasOwn(CLIENT_RULES, name)) client[name] = value;
      else own[name] = value;
    }
    const { allow, deny, processes } = own;
    // Their types are several.
    for (const name of ['allow', 'deny', 'processes']) delete own[name];
    checkKnown(own);
    const read = readOptions(OWN_RULES, own, WHERE) as unknown as Required<GatewayOptions>;
    this.names = readNames(read, new NameRules(allow, deny, read.order, WHERE));
    this.direct = readMode(own, read);
    this.processes = this.direct ? readProcesses(processes) : null;
    if (!this.direct && processes !== undefined) refuse("option 'processes' needs mode: 'direct'");
    if (this.direct && (this.names.docroot !== null || this.names.routes.length > 0)) {
      refuse("mode 'direct' has neither 'docroot' nor 'routes': clients go to processes, by option 'processes'");
    }
    const idle = this.direct ? CARRYING.find((name) => own[name] !== undefined) : undefined;
    if (idle !== undefined) refuse(`option '${idle}' means nothing in mode 'direct': the gateway carries no payload`);
    if (!this.direct && this.names.docroot === null) {
      if (this.names.routes.length === 0) {
        refuse("give option 'docroot', the folder of the backends' sockets, or option 'routes'");
      }
      // Who denies a name must not believe that this is done.
      const blind = OF_DOCROOT.find((name) => options[name] !== undefined);
      if (blind !== undefined) {
        refuse(
          `option '${blind}' is about the names below a 'docroot', and there is none: a route is its own permission`,
        );
      }
    }
    if (!isSendableCloseCode(read.endCode)) refuse(`option 'endCode': ${read.endCode} may not be sent`);
    checkFront(options, read.server);
    // The gateway's own stands before it.
    readOptions({ authorize: SERVE_RULES['authorize']! }, { authorize: options.authorize }, WHERE);
    this.trusted = read.trustedProxies === null ? null : new TrustedProxies(read.trustedProxies, WHERE);
    this.connectTimeout = read.connectTimeout;
    this.server = read.server;
    this.client = client as ServeOptions;
    this.maxMessageSize = read.maxMessageSize;
    const { highWaterMark = 65_536, closeTimeout = 5_000 } = options;
    this.relay = {
      endCode: read.endCode,
      highWaterMark,
      closeTimeout: closeTimeout ?? Number.POSITIVE_INFINITY,
      sendTimeout: read.sendTimeout ?? Number.POSITIVE_INFINITY,
    };
  }

  /** How payload is carried to and from a backend. */
  rulesFor({ framing, frameType }: Carriage): RelayRules {
    const limit = this.maxMessageSize ?? (framing === 'length-prefixed' ? MIB : Number.POSITIVE_INFINITY);
    return { ...this.relay, framing, frameType, limit };
  }

  /** The longest message of a client, or null. */
  get maxClientMessage(): number | null {
    return this.maxMessageSize;
  }
}

/** One place where clients come from, and what belongs to it. */
function checkFront(options: GatewayOptions, server: UpgradeServer | null): void {
  const { path, port } = options;
  if (server === null) {
    if ((path === undefined) === (port === undefined)) {
      refuse(
        "give option 'port' (0: any that is free), 'path' (a UNIX socket) or 'server' (an http server), and one of them only",
      );
    }
  } else {
    if (!isHostServer(server)) refuse("option 'server' must be a server of node:http or node:https");
    const own = Object.entries(options).find(([name, value]) => value !== undefined && isOfListening(name));
    if (own !== undefined) refuse(`option '${own[0]}' means nothing with option 'server', which listens already`);
  }
}

/** Whether it is an option of `serve`, and none of `attach`. */
function isOfListening(name: string): boolean {
  return Object.hasOwn(SERVE_RULES, name) && !Object.hasOwn(ATTACH_RULES, name);
}

function checkKnown(own: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(own)) {
    if (Object.hasOwn(OWN_RULES, name)) continue;
    if (SETTLED.includes(name)) refuse(`option '${name}' is the gateway's own affair: messages stream through it`);
    refuse(`there is no option '${name}'; known are ${Object.keys({ ...OWN_RULES, ...CLIENT_RULES }).join(', ')}`);
  }
}

function readMode(own: Readonly<Record<string, unknown>>, read: Required<GatewayOptions>): boolean {
  if (own['options'] === 'direct' && own['mode'] === 'indirect') {
    refuse("option 'options' is 'direct' and option 'mode' is 'indirect': choose one");
  }
  return read.mode === 'direct' || own['options'] === 'direct';
}

function readProcesses(value: unknown): Processes {
  if (typeof value === 'function') return value as Processes;
  if (typeof value !== 'object' || value === null) {
    refuse(
      "mode 'direct' needs option 'processes': the processes of Node that take the clients, by name, or a function",
    );
  }
  for (const [name, child] of Object.entries(value as object)) {
    if (typeof (child as Partial<ChildProcess> | null)?.send === 'function') continue;
    refuse(`option 'processes': '${name}' is no process with a channel, as child_process.fork() makes them`);
  }
  return value as Processes;
}

function readNames(read: Required<GatewayOptions>, rules: NameRules): Names {
  const { framing, frameType, protocolAsName } = read;
  const routes = read.routes.map((route) => readRoute(route, { framing, frameType }));
  const twice = routes.find(({ prefix }, i) => routes.findIndex((other) => other.prefix === prefix) !== i);
  if (twice !== undefined) refuse(`option 'routes' has the prefix '${twice.prefix}' twice`);
  const docroot = read.docroot === undefined ? null : readDocroot(read.docroot);
  return { routes, docroot, rules, protocolAsName, framing, frameType };
}

function readDocroot(path: string): string {
  // Node would take it for the folder that the process runs in.
  if (path === '') refuse("option 'docroot' is empty");
  let real: string;
  try {
    real = realpathSync(path);
  } catch (error) {
    return refuse(`option 'docroot': ${(error as Error).message}`);
  }
  const stats = statSync(real);
  if (!stats.isDirectory()) refuse(`option 'docroot': ${JSON.stringify(path)} is no folder`);
  if ((stats.mode & 0o002) !== 0) {
    refuse(`option 'docroot': everybody may write into ${JSON.stringify(path)}, and so put sockets there: chmod o-w`);
  }
  if (real === '/') refuse("option 'docroot': '/' has everything below it: name the folder of the sockets");
  // A slash and one letter must fit behind it.
  if (Buffer.byteLength(real) + 2 > LONGEST_SOCKET_PATH) {
    refuse(
      `option 'docroot': with a name the path of a socket has at most ${LONGEST_SOCKET_PATH} bytes: use a shorter one`,
    );
  }
  return real;
}

function readRoute(given: Route, { framing, frameType }: Carriage): RouteTarget {
  const where = `${WHERE}: routes`;
  checkRecord(given, where);
  const { port: _, ...rest } = given;
  readOptions(ROUTE_RULES, rest, where);
  if (given.prefix === undefined) refuse("option 'routes': each route needs a 'prefix'");
  const prefix = given.prefix.replace(/^\/|\/$/g, '');
  if (prefix !== '' && !prefix.split('/').every(isSegment)) {
    refuse(`option 'routes': the prefix ${JSON.stringify(given.prefix)} can begin no name`);
  }
  const address = readAddress(given);
  return { prefix, address, framing: given.framing ?? framing, frameType: given.frameType ?? frameType };
}

function readAddress({ prefix, path, host, port }: Route): Address {
  const fail = (text: string): never => refuse(`option 'routes': '${prefix}' ${text}`);
  if ((path === undefined) === (port === undefined)) {
    fail("needs either 'path', a UNIX socket, or 'port' with or without 'host'");
  }
  if (path === undefined) {
    if (!Number.isInteger(port) || port! < 1 || port! > 65_535) fail(`needs a port from 1 to 65535, not ${show(port)}`);
    if (host === '') fail('has an empty host');
    return { host: host ?? '127.0.0.1', port: port! };
  }
  if (host !== undefined) fail("has a 'host', which means nothing with a 'path'");
  const fault = socketPathFault(path);
  if (fault !== null) fail(`has a 'path' that ${fault}`);
  if (!isAbsolute(path) || normalize(path) !== path)
    fail("needs an absolute path without '.', '..' and double slashes");
  return { path };
}

function refuse(text: string): never {
  throw new UsageError('INVALID_OPTION', `${WHERE}: ${text}`);
}
