/**
 * Direct mode: the gateway judges the request and hands the client's socket to a process of Node, which goes on alone. Handing
 * over is what Node does with sockets between its own processes; other programs cannot take part, and TLS cannot be handed over,
 * for its keys are in this process.
 */

import type { ChildProcess } from 'node:child_process';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { show } from '../connection/options.ts';
import { ServerConnection } from '../connection/server-connection.ts';
import { readHeaders } from '../endpoint/header-list.ts';
import { type FaultCode, HandshakeError, rowOf, UsageError } from '../errors.ts';
import type { Request } from '../handshake/request.ts';
import { isAddressAllowed } from '../server/address-list.ts';
import { listeningUrl } from '../server/listening-url.ts';
import { ATTACH_RULES, type Peer, SERVE_RULES, ServerSettings } from '../server/options.ts';
import { isOriginAllowed } from '../server/origin.ts';
import { readListenOptions } from '../server/serve.ts';
import { checkUpgrades, UpgradeJunction } from '../server/upgrade.ts';
import { disown, headersFor, isRefusal, readVerdict, subprotocolFor } from '../server/verdict.ts';
import { nodeClock } from '../transport/node/clock.ts';
import { nodePlatform, publicPlatform } from '../transport/node/platform.ts';
import type { HandOver } from './adopt.ts';
import { BackendError, LONGEST_TIMER } from './backend.ts';
import { clientAddress, clientOf } from './client-address.ts';
import { applicationFailed, asError, type GatewayEmitter, warn } from './events.ts';
import type { Front } from './gateway.ts';
import { readName } from './name-rules.ts';
import type { GatewaySettings } from './options.ts';
import { Porter } from './porter.ts';
import { refusalOf } from './refusal.ts';

const NONE = new Uint8Array(0);
/** Between two looks for heads that take too long, in milliseconds. */
const LOOK_EVERY = 1_000;

/** Those that have a meaning before a client is handed over. */
const OPTIONS: readonly string[] = [
  ...['allowedAddresses', 'deniedAddresses', 'allowedOrigins', 'authorize', 'backlog', 'exclusive', 'handshakeTimeout'],
  ...['headers', 'host', 'path', 'port', 'signal', 'subprotocols'],
];

const WHY_NOT: Readonly<Record<string, string>> = {
  compression: 'clients are handed over without it',
  onRequest: 'requests that are no upgrades are answered with 426',
};

/**
 * Starts to hand clients over.
 *
 * @throws UsageError when TLS is asked for, or an option that means nothing here
 */
export async function startDirect(settings: GatewaySettings, events: GatewayEmitter): Promise<Front> {
  const { server, client } = settings;
  const secure = typeof (server as Partial<HttpsServer> | null)?.setSecureContext === 'function';
  if (client.tls !== undefined || secure) {
    throw new UsageError(
      'INVALID_OPTION',
      "gateway: mode 'direct' cannot do TLS: a socket is handed over as the kernel knows it, and the keys stay in this process. " +
        "Use mode 'indirect', or let a proxy in front end TLS",
    );
  }
  for (const name of Object.keys(client)) {
    if (OPTIONS.includes(name)) continue;
    const why = WHY_NOT[name] ?? 'what concerns open connections is for adopt()';
    throw new UsageError('INVALID_OPTION', `gateway: mode 'direct' has no option '${name}'; ${why}`);
  }
  if (server !== null) checkUpgrades(server, 'gateway');
  const rules = server === null ? SERVE_RULES : ATTACH_RULES;
  const judge = new ServerSettings(rules, client, 'gateway', { best: nodePlatform, open: publicPlatform });
  const http = (server as HttpServer | null) ?? createServer(timesFor(judge), upgradeRequired);
  const director = new Director(settings, judge, events, http, server === null);
  const { signal } = client;
  signal?.throwIfAborted();
  if (server === null) await director.listen();
  if (signal !== undefined) {
    director.closeWith(signal);
    if (signal.aborted) {
      await director.close();
      throw signal.reason;
    }
  }
  return director;
}

/** Takes upgrades and hands them over. */
class Director implements Front {
  /** Names are not known before they are asked for. */
  readonly paths: null = null;
  private readonly settings: GatewaySettings;
  private readonly judge: ServerSettings;
  private readonly events: GatewayEmitter;
  private readonly http: HttpServer;
  private readonly own: boolean;
  private readonly pending: Set<Socket> = new Set();
  private readonly porters: WeakMap<ChildProcess, Porter> = new WeakMap();
  private undoSignal: (() => void) | null = null;
  /** Clients that were taken so far. */
  private taken = 0;

  constructor(
    settings: GatewaySettings,
    judge: ServerSettings,
    events: GatewayEmitter,
    http: HttpServer,
    own: boolean,
  ) {
    this.settings = settings;
    this.judge = judge;
    this.events = events;
    this.http = http;
    this.own = own;
    UpgradeJunction.of(http).join(this, 'gateway');
  }

  async listen(): Promise<void> {
    const { http } = this;
    const { client, trusted } = this.settings;
    // Behind proxies that we trust lists are about those whom they speak for, on a UNIX socket too.
    const lists = trusted === null ? {} : { allowedAddresses: null, deniedAddresses: null };
    const where = await readListenOptions({ ...client, ...lists }, 'gateway');
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject);
      http.listen(where, () => {
        http.off('error', reject);
        // A connection that could not be accepted is no reason to end.
        http.on('error', warn);
        resolve();
      });
    });
  }

  closeWith(signal: AbortSignal): void {
    const close = () => void this.close();
    signal.addEventListener('abort', close, { once: true });
    this.undoSignal = () => signal.removeEventListener('abort', close);
  }

  get port(): number | null {
    const address = this.http.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  get path(): string | null {
    const address = this.http.address();
    return typeof address === 'string' ? address : null;
  }

  get url(): string {
    return listeningUrl(this.http.address(), false);
  }

  /** Those that were handed over are not this process's any more. */
  async close(): Promise<void> {
    this.undoSignal?.();
    UpgradeJunction.of(this.http).leave(this);
    for (const socket of this.pending) socket.destroy();
    if (!this.own) return;
    // It listens no more at once. Node would wait for the clients that other processes have, too: they are none of ours.
    this.http.close();
    this.http.closeAllConnections();
  }

  /** Takes an upgrade. */
  upgrade(message: IncomingMessage, stream: Duplex, head: Uint8Array): void {
    const socket = stream as Socket;
    const { method = '', url: target = '', httpVersion: version, rawHeaders } = message;
    const parsed = { method, target, version, rawHeaders };
    const connection = ServerConnection.fromRequest(parsed, NONE, this.judge.endpoint.connection, nodeClock.now());
    const event = connection.nextEvent();
    socket.on('error', ignore);
    socket.setTimeout(0);
    if (event?.type !== 'request') {
      const remoteAddress = socket.remoteAddress ?? null;
      answer(socket, connection);
      this.refused(null, remoteAddress, whyNot(connection));
      return;
    }
    void this.take(socket, connection, event.request, { parsed, head });
  }

  private async take(
    socket: Socket,
    connection: ServerConnection,
    request: Request,
    { parsed, head }: { readonly parsed: HandOver['request']; readonly head: Uint8Array },
  ): Promise<void> {
    const { judge } = this;
    const peerAddress = socket.remoteAddress ?? null;
    const remoteAddress = clientAddress(peerAddress, request.headers, this.settings.trusted);
    const controller = new AbortController();
    const gone = () => controller.abort();
    this.pending.add(socket);
    socket.once('close', gone);
    const { handshakeTimeout } = judge.endpoint.connection;
    let left: FaultCode = 'TRANSPORT_ENDED';
    const late = () => {
      left = 'OPENING_TIMEOUT';
      socket.destroy();
    };
    const deadline = setTimeout(late, Math.min(handshakeTimeout, LONGEST_TIMER));
    const { remotePort = null } = socket;
    const { signal } = controller;
    const peer: Peer = { remoteAddress: peerAddress, remotePort, secure: false, peerCertificate: null, signal };
    const blame = (error: unknown): Decision => {
      // Who waits for a client that has left may well fail for it.
      if (!socket.destroyed) applicationFailed(error);
      return failed(error);
    };
    let decision = await this.decide(request, peer, remoteAddress).catch(blame);
    clearTimeout(deadline);
    socket.off('close', gone);
    this.pending.delete(socket);
    if (socket.destroyed) {
      this.refused(request, remoteAddress, { status: 0, reason: rowOf(left).text });
      return;
    }
    try {
      respond(connection, decision);
    } catch (error) {
      // A header or a subprotocol that cannot be sent.
      decision = blame(error);
      respond(connection, decision);
    }
    if ('reason' in decision) {
      answer(socket, connection);
      this.refused(request, remoteAddress, decision);
      return;
    }
    const { name, child, subprotocol, context } = decision;
    const response = Buffer.concat(connection.takeOutgoing()).toString('latin1');
    const early = stopReading(socket, head);
    const handed = { name, request: parsed, response, subprotocol, head: early, remoteAddress, context };
    this.porterTo(child).hand(socket, handed, handshakeTimeout, (failure) => {
      if (failure === null) this.events.emit('open', { connection: ++this.taken, name, remoteAddress, context });
      else this.refused(request, remoteAddress, { status: 0, reason: failure });
    });
  }

  private porterTo(child: ChildProcess): Porter {
    const porter = this.porters.get(child) ?? new Porter(child);
    this.porters.set(child, porter);
    return porter;
  }

  private async decide(request: Request, peer: Peer, remoteAddress: string | null): Promise<Decision> {
    const { judge, settings } = this;
    const { allowedAddresses, deniedAddresses, allowedOrigins } = judge;
    const refuse = (code: FaultCode): Decision => {
      const { status = 403, text } = rowOf(code);
      return { status, headers: [], body: `${text}\n`, reason: text };
    };
    if (!isAddressAllowed(remoteAddress, allowedAddresses, deniedAddresses)) return refuse('ADDRESS_REFUSED');
    if (!isOriginAllowed(request, allowedOrigins)) return refuse('ORIGIN_REFUSED');
    const acceptance = readVerdict(await judge.authorize?.(request, clientOf(peer, remoteAddress)));
    if (acceptance === false) return refuse('REQUEST_REFUSED');
    if (isRefusal(acceptance)) {
      const { status, headers } = acceptance;
      const reason = rowOf('REQUEST_REFUSED').text;
      const { body = status >= 400 ? `${reason}\n` : '' } = acceptance;
      return { status, headers: readHeaders(headers, 'authorize'), body, reason };
    }
    const found = findProcess(settings, request);
    if (found instanceof BackendError) {
      const { status, body = '' } = refusalOf(found);
      return { status, headers: [], body, reason: found.message };
    }
    const headers = headersFor(judge, request, acceptance);
    const { subprotocol = subprotocolFor(judge, request), context } = acceptance;
    return { ...found, subprotocol: subprotocol ?? '', headers, context };
  }

  private refused(
    request: Request | null,
    remoteAddress: string | null,
    { status, reason }: { readonly status: number; readonly reason: string },
  ): void {
    this.events.emit('refused', { status, path: request?.path ?? null, reason, remoteAddress });
  }
}

/** What became of a request: an answer, or a process that takes the client. */
type Decision =
  | {
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      readonly body?: string | Uint8Array;
      readonly reason: string;
    }
  | {
      readonly name: string;
      readonly child: ChildProcess;
      readonly subprotocol: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly context: unknown;
    };

/** Gives a decision to the connection. @throws UsageError when it cannot be sent; then nothing has changed */
function respond(connection: ServerConnection, decision: Decision): void {
  const now = nodeClock.now();
  const { headers } = decision;
  if ('reason' in decision) {
    const { status, body } = decision;
    connection.reject(now, status, { headers, ...(body === undefined ? {} : { body }) });
  } else {
    connection.accept(now, { subprotocol: decision.subprotocol, headers });
  }
}

/** The application could not answer. */
function failed(error: unknown): Decision {
  const { status = 500, text } = rowOf('APPLICATION_FAILED');
  return { status, headers: [], body: `${text}\n`, reason: asError(error).message };
}

function findProcess(
  { names, processes }: GatewaySettings,
  request: Request,
): BackendError | { name: string; child: ChildProcess } {
  const name = readName(request.path);
  if (name === null || name === '') return new BackendError(404, 'the path can be no name');
  if (!names.rules.allows(name)) return new BackendError(403, 'the rules deny it');
  let child: ChildProcess | null = null;
  if (typeof processes === 'function') child = processes(name, request);
  else if (processes !== null && Object.hasOwn(processes, name)) child = processes[name] ?? null;
  if (child === null || child === undefined) return new BackendError(404, 'there is no process of this name');
  if (typeof child.send !== 'function' || typeof child.on !== 'function') {
    disown(child);
    throw new UsageError('INVALID_ARGUMENT', `processes must find a process of Node or null, not ${show(child)}`);
  }
  return child.connected ? { name, child } : new BackendError(502, 'the process has ended');
}

/**
 * What the client sent behind its request. It may not send before it has heard the 101, which leaves from the other process; what
 * comes early all the same is taken along as far as it is here.
 */
function stopReading(socket: Socket, head: Uint8Array): string {
  const chunks: Uint8Array[] = [head];
  for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
    chunks.push(chunk);
  // Behind `read`, which begins to read again where the socket was full: what this process read now would be lost.
  (socket as { _handle?: { readStop?: () => unknown } | null })._handle?.readStop?.();
  return Buffer.concat(chunks).toString('base64');
}

/** Why a request was no opening handshake, and what it was answered: a connection tells when it has ended. */
function whyNot(connection: ServerConnection): { readonly status: number; readonly reason: string } {
  connection.receiveEnd(nodeClock.now());
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
    if (event.type !== 'closed' || !(event.error instanceof HandshakeError)) continue;
    return { status: event.error.status, reason: event.error.message };
  }
  return { status: 400, reason: 'it is no opening handshake' };
}

/** Sends what the connection has to say, and ends. */
function answer(socket: Socket, connection: ServerConnection): void {
  const bytes = Buffer.concat(connection.takeOutgoing());
  socket.end(bytes);
  connection.outgoingWritten(bytes.length, nodeClock.now());
  // Nobody reads on: what still comes must not keep the socket.
  socket.destroySoon();
}

/** How long a head may take to come: Node's own times are a minute and more. 0 is none. */
function timesFor({ endpoint }: ServerSettings): ServerOptions {
  const { handshakeTimeout } = endpoint.connection;
  const time = handshakeTimeout > LONGEST_TIMER ? 0 : Math.ceil(handshakeTimeout);
  return {
    headersTimeout: time,
    requestTimeout: time,
    connectionsCheckingInterval: Math.min(time, LOOK_EVERY) || LOOK_EVERY,
  };
}

function upgradeRequired(_: IncomingMessage, response: ServerResponse): void {
  const { status = 426, text } = rowOf('UPGRADE_REQUIRED');
  response.writeHead(status, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' });
  response.end(`${text}\n`);
}

function ignore(): void {}
