/** A WebSocket server on a listener of its own: TCP, TLS or a UNIX socket. */

import { lookup } from 'node:dns/promises';
import { createServer, isIP, type ListenOptions, type Server as NetServer, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { show } from '../connection/options.ts';
import { ServerConnection } from '../connection/server-connection.ts';
import { type FailureError, HandshakeError, TimeoutError, TransportError, UsageError } from '../errors.ts';
import { nodeEnvironment, nodePlatform, publicPlatform, SocketTransport } from '../transport/node/index.ts';
import { socketPathFault } from '../transport/node/socket-path.ts';
import { ServerTls, type ServerTlsOptions } from '../transport/node/tls.ts';
import type { Clock, Wakeable } from '../transport/transport.ts';
import { Gate } from './gate.ts';
import { listeningUrl } from './listening-url.ts';
import { type Handler, SERVE_RULES, type ServeOptions, ServerSettings } from './options.ts';
import { Server, type Source } from './server.ts';

/**
 * Starts a WebSocket server.
 *
 * Give `port` (0: any that is free) or `path`, a UNIX socket. The handler gets each connection before its `open` is
 * delivered, so that listeners which it attaches at once miss nothing; what it throws closes the connection with 1011.
 * Sizes are in bytes, durations in milliseconds.
 *
 * @returns the server, when it listens; rejects with Node's error if it cannot (`EADDRINUSE`, `EACCES`)
 * @throws UsageError (as a rejection) naming the option that is missing, unknown or wrong
 * @example
 * const server = await serve({ port: 8080 }, (socket, request) => {
 *   socket.on('message', ({ data }) => socket.send(data));
 *   socket.on('close', ({ code }) => console.log(request.path, code));
 * });
 */
export async function serve<Context = unknown>(
  options: ServeOptions<Context>,
  handler?: Handler<Context>,
): Promise<Server<Context>> {
  return serveAs('serve', options, handler);
}

/**
 * The same for a caller who called something else: errors begin with `who`.
 *
 * @internal
 */
export async function serveAs<Context = unknown>(
  who: string,
  options: ServeOptions<Context>,
  handler?: Handler<Context>,
): Promise<Server<Context>> {
  const settings = new ServerSettings(SERVE_RULES, options as ServeOptions, who, {
    best: nodePlatform,
    open: publicPlatform,
  });
  if (handler !== undefined && typeof handler !== 'function') {
    throw new UsageError('INVALID_ARGUMENT', `${who}: the handler must be a function`);
  }
  // As it is now: names may have to be looked up, and the caller may have other plans for its object meanwhile.
  const given = { ...options } as ServeOptions;
  const tls = given.tls === undefined || given.path !== undefined ? null : new ServerTls(given.tls, who);
  const where = await readListenOptions(given, who);
  const { signal } = given;
  const gate = new Gate(settings, (handler as Handler | undefined) ?? null, nodeEnvironment);
  const source = new Listener(gate, tls, given, who);
  signal?.throwIfAborted();
  await source.listen(where);
  const server = new Server<Context>(gate, source);
  if (signal !== undefined) {
    source.closeWith(signal, server);
    if (signal.aborted) {
      await server.close();
      throw signal.reason;
    }
  }
  return server;
}

function secureServer({ secure }: ServerTls, who: string): TlsServer {
  try {
    // The deadline is ours: it runs from accept, and drops the socket, which Node's does not if it is half-open.
    return createTlsServer({ ...secure, handshakeTimeout: 0x7fff_ffff });
  } catch (error) {
    throw new UsageError('INVALID_OPTION', `${who}: option 'tls' cannot be used: ${(error as Error).message}`);
  }
}

/**
 * Where to listen.
 *
 * @throws UsageError unless that is said, once
 * @internal
 */
export async function readListenOptions(options: ServeOptions, who: string): Promise<ListenOptions> {
  const { port, host, family, path, backlog = 511, exclusive = false, tls } = options;
  const refuse = (text: string): never => {
    throw new UsageError('INVALID_OPTION', `${who}: ${text}`);
  };
  if ((port === undefined) === (path === undefined)) {
    refuse("give option 'port' (0: any that is free) or option 'path' (a UNIX socket), and not both");
  }
  if (path !== undefined) {
    if (path === '') refuse("option 'path' is empty");
    const fault = socketPathFault(path);
    if (fault !== null) refuse(`option 'path' ${fault}`);
    for (const name of ['allowedAddresses', 'deniedAddresses', 'maxConnectionsPerAddress'] as const) {
      if (options[name] != null) refuse(`option '${name}' means nothing with 'path': peers have no address there`);
    }
    if (host !== undefined || family !== undefined) refuse("options 'host' and 'family' mean nothing with 'path'");
    if (tls !== undefined) refuse("option 'tls' needs option 'port'");
    return { path, backlog, exclusive };
  }
  if (!Number.isInteger(port) || (port as number) < 0 || (port as number) > 65_535) {
    refuse(`option 'port' must be a whole number from 0 to 65535, not ${show(port)}`);
  }
  const where = { port: port as number, backlog, exclusive };
  if (family !== undefined && family !== 4 && family !== 6) refuse("option 'family' must be 4 or 6");
  if (host === '') refuse("option 'host' is empty");
  if (host === undefined) {
    if (family === undefined) return where;
    return family === 4 ? { ...where, host: '0.0.0.0' } : { ...where, host: '::', ipv6Only: true };
  }
  if (family === undefined) return { ...where, host };
  if (isIP(host) === 0) return { ...where, host: (await lookup(host, { family })).address, ipv6Only: family === 6 };
  if (isIP(host) !== family) refuse(`option 'host' is no IPv${family} address, as option 'family' wants it`);
  return { ...where, host, ipv6Only: family === 6 };
}

/** Other options, for connections from now on. @throws UsageError for what cannot be used; all stays as it was then */
function replaceTls(server: TlsServer, current: ServerTls, changes: ServerTlsOptions): ServerTls {
  const next = current.with(changes, 'replaceTls');
  try {
    // What does not fit together is found before anything is replaced.
    createSecureContext(next.secure);
  } catch (error) {
    throw new UsageError('INVALID_OPTION', `replaceTls: it cannot be used: ${(error as Error).message}`);
  }
  // It keeps nothing by itself: what is absent here is Node's default from now on.
  server.setSecureContext(next.secure);
  return next;
}

/** The listening socket, and what it accepts. */
class Listener implements Source {
  url = '';
  readonly replaceTls?: (options: ServerTlsOptions) => void;
  private readonly gate: Gate;
  private readonly clock: Clock;
  private readonly net: NetServer;
  private readonly options: ServeOptions;
  /** Sockets in their TLS handshake, by the addresses of both ends. */
  private readonly securing: Map<string, Securing> = new Map();
  private where: ReturnType<Source['address']> = null;
  private undoSignal: (() => void) | null = null;

  constructor(gate: Gate, tls: ServerTls | null, options: ServeOptions, who: string) {
    this.gate = gate;
    this.clock = gate.environment.clock;
    this.options = options;
    // Half-open: whether the peer's end is also ours is for the engine to say. Without Nagle: a message waits for nobody.
    this.net = createServer({ allowHalfOpen: true, noDelay: true });
    if (tls === null) {
      this.net.on('connection', (socket) => this.admit(socket, this.clock.now()));
    } else {
      const secure = secureServer(tls, who);
      let current = tls;
      this.replaceTls = (changes) => {
        current = replaceTls(secure, current, changes);
      };
      this.net.on('connection', (socket) => this.acceptSecure(socket, secure));
      secure.on('secureConnection', (socket) => this.secured(socket));
      secure.on('tlsClientError', (error, socket) => this.notSecured(error, socket));
    }
  }

  listen(where: ListenOptions): Promise<void> {
    const { net } = this;
    return new Promise((resolve, reject) => {
      net.once('error', reject);
      net.listen(where, () => {
        net.off('error', reject);
        net.on('error', (error) => this.gate.failed(error));
        this.where = net.address();
        this.url = this.describe();
        resolve();
      });
    });
  }

  closeWith(signal: AbortSignal, server: Server): void {
    const close = () => void server.close();
    signal.addEventListener('abort', close, { once: true });
    this.undoSignal = () => signal.removeEventListener('abort', close);
  }

  address(): ReturnType<Source['address']> {
    return this.where;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.net.close(() => resolve());
      for (const [key, task] of this.securing) {
        task.socket.destroy();
        // Node tells of their end only after that of the listener.
        if (this.take(key, task)) this.gate.refused(task.refusal());
      }
    });
  }

  release(): void {
    this.undoSignal?.();
  }

  ref(): void {
    this.net.ref();
  }

  unref(): void {
    this.net.unref();
  }

  private admit(socket: Socket, startedAt: number): void {
    if (this.gate.dropped(socket)) return;
    const { settings } = this.gate;
    const connection = new ServerConnection(settings.endpoint.connection, startedAt);
    this.gate.admit(connection, new SocketTransport(socket, { internals: settings.internals }));
  }

  private acceptSecure(socket: Socket, secure: TlsServer): void {
    const { gate, clock } = this;
    socket.on('error', ignore);
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      // The peer is gone already.
      socket.destroy();
      return;
    }
    if (gate.dropped(socket)) return;
    const startedAt = clock.now();
    const task = new Securing(socket, startedAt, remoteAddress, remotePort);
    if (!gate.hasRoom) {
      task.error = new HandshakeError('SERVER_BUSY', '', 0);
      socket.destroy();
      gate.refused(task.refusal());
      return;
    }
    const key = keyOf(socket);
    this.securing.set(key, task);
    gate.securing++;
    gate.enter(task, remoteAddress);
    const { handshakeTimeout } = gate.settings.endpoint.connection;
    task.deadline = startedAt + handshakeTimeout;
    clock.schedule(task, task.deadline);
    socket.once('close', () => {
      if (this.take(key, task)) gate.refused(task.refusal());
    });
    // Who ends in the middle of the handshake is gone: there is no half of it to wait for.
    socket.allowHalfOpen = false;
    secure.emit('connection', socket);
  }

  private secured(socket: TLSSocket): void {
    const key = keyOf(socket);
    const task = this.securing.get(key);
    if (task === undefined || !this.take(key, task)) {
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    this.admit(socket, task.startedAt);
  }

  private notSecured(error: Error, socket: TLSSocket): void {
    const task = this.securing.get(keyOf(socket));
    socket.destroy();
    if (task === undefined) return;
    task.error ??= new TransportError('TRANSPORT_FAILED', error);
    task.socket.destroy();
  }

  private take(key: string, task: Securing): boolean {
    if (this.securing.get(key) !== task) return false;
    this.securing.delete(key);
    this.gate.securing--;
    this.gate.leave(task);
    this.clock.cancel(task, task.deadline);
    return true;
  }

  private describe(): string {
    const { host, family, tls } = this.options;
    // A name may be looked up as an IPv4 address, which nobody listens on then.
    const onlySix = family === 6 && (host ?? '::') === '::';
    return listeningUrl(this.where, tls !== undefined, onlySix ? '::1' : host);
  }
}

/** A socket whose TLS handshake is under way. */
class Securing implements Wakeable {
  readonly socket: Socket;
  readonly startedAt: number;
  deadline: number = Number.POSITIVE_INFINITY;
  error: FailureError | null = null;
  private readonly remoteAddress: string;
  private readonly remotePort: number;

  constructor(socket: Socket, startedAt: number, remoteAddress: string, remotePort: number) {
    this.socket = socket;
    this.startedAt = startedAt;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  wake(): void {
    this.error = new TimeoutError('OPENING_TIMEOUT');
    this.socket.destroy();
  }

  refusal(): Parameters<Gate['refused']>[0] {
    const { remoteAddress, remotePort } = this;
    return {
      status: 0,
      remoteAddress,
      remotePort,
      request: null,
      error: this.error ?? new TransportError('TRANSPORT_ENDED'),
    };
  }
}

/** A listener for all addresses may have the same peer address and port twice at a time: on two addresses of its own. */
function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function ignore(): void {}
