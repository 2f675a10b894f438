/**
 * What the servers on a runtime's own sockets have in common: who may connect, what is answered, and the end. Each adds only
 * how it listens. (The server for Node has more: addresses, topics, broadcasts, metrics.)
 */

import { checkClose } from '../codec/close-payload.ts';
import type { Platform } from '../connection/options.ts';
import { ServerConnection } from '../connection/server-connection.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import type { Environment } from '../endpoint/options.ts';
import { type FaultCode, rowOf, UsageError } from '../errors.ts';
import { chooseSubprotocol } from '../handshake/negotiate.ts';
import type { Request } from '../handshake/request.ts';
import { isOriginAllowed } from '../server/origin.ts';
import type { Transport } from '../transport/transport.ts';
import { type ShellHandler, type ShellServerOptions, ShellServerSettings, type ShellVerdict } from './options.ts';

/** A server, whatever brings its connections. */
export class ShellServer {
  /** The connections that are open: a live view. Those in a handshake are not in it. */
  readonly connections: ReadonlySet<Endpoint>;
  private readonly settings: ShellServerSettings;
  private readonly handler: ShellHandler | null;
  private readonly environment: Environment;
  private readonly open: Set<Endpoint> = new Set();
  private readonly pending: Set<Endpoint> = new Set();
  private closing = false;
  private emptied: (() => void)[] = [];

  /**
   * @param where the name that errors begin with
   * @throws UsageError naming the option that is unknown or wrong
   */
  constructor(
    options: ShellServerOptions,
    handler: ShellHandler | undefined,
    environment: Environment,
    platform: Platform,
    where: string,
  ) {
    if (handler !== undefined && typeof handler !== 'function') {
      throw new UsageError('INVALID_ARGUMENT', `${where}: the handler must be a function`);
    }
    this.settings = new ShellServerSettings(options, platform, where);
    this.handler = handler ?? null;
    this.environment = environment;
    this.connections = this.open;
  }

  /**
   * Takes a connection that the runtime has accepted, and runs it.
   *
   * @param environment default: the server's; one for each connection where a runtime wants that
   */
  admit(transport: Transport, environment: Environment = this.environment): Endpoint | null {
    const { settings, pending } = this;
    // Those that only have to leave are told apart when it matters: that takes a look at each.
    const busy = this.isBusy(pending.size) && this.isBusy(this.connecting);
    if (pending.size >= 2 * settings.maxPendingHandshakes) {
      // Even an answer would be too much.
      transport.destroy();
      return null;
    }
    const now = environment.clock.now();
    const connection = new ServerConnection(settings.endpoint.connection, now);
    const endpoint = new Endpoint(connection, transport, settings.endpoint, environment, this);
    pending.add(endpoint);
    if (busy || this.closing) connection.close(now);
    endpoint.start();
    return endpoint;
  }

  /**
   * Takes no more connections, gives each a Close, and what is left after `closeTimeout` is dropped.
   *
   * @returns resolves when every connection is gone
   * @throws UsageError when the code may not be sent, or the reason is longer than 123 bytes
   */
  close(code = 1001, reason = ''): Promise<void> {
    checkClose(code, reason);
    this.closing = true;
    const gone = new Promise<void>((resolve) => this.emptied.push(resolve));
    for (const endpoint of [...this.pending, ...this.open]) void endpoint.close(code, reason);
    this.checkEmpty();
    return gone;
  }

  /** Closes with 1001 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  request(endpoint: Endpoint, request: Request): void {
    const { paths, allowedOrigins, authorize } = this.settings;
    if (paths !== null && !paths.has(request.path)) {
      this.refuse(endpoint, 'PATH_NOT_FOUND');
      return;
    }
    // §10.2: "Servers that are not intended to process input from any web page but only for certain sites SHOULD verify".
    if (!isOriginAllowed(request, allowedOrigins)) {
      this.refuse(endpoint, 'ORIGIN_REFUSED');
      return;
    }
    const failed = (error: unknown) => this.failed(endpoint, error);
    try {
      const verdict = authorize?.(request, endpoint);
      if (!isPromise(verdict)) this.answer(endpoint, request, verdict);
      // What only resembles a promise may give back nothing.
      else
        Promise.resolve(verdict)
          .then((settled) => this.answer(endpoint, request, settled))
          .then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** @internal */
  opened(endpoint: Endpoint): void {
    this.pending.delete(endpoint);
    this.open.add(endpoint);
    const { request } = endpoint;
    if (this.handler === null) endpoint.resume();
    else if (request !== null) this.handle(this.handler, endpoint, request);
  }

  /** @internal */
  closed(endpoint: Endpoint): void {
    this.pending.delete(endpoint);
    this.open.delete(endpoint);
    this.checkEmpty();
  }

  private answer(endpoint: Endpoint, request: Request, verdict: ShellVerdict): void {
    if (verdict === false) {
      this.refuse(endpoint, 'REQUEST_REFUSED');
    } else if (verdict === undefined || verdict === true) {
      const subprotocol = chooseSubprotocol(request.subprotocols, this.settings.subprotocols) ?? '';
      connectionOf(endpoint).accept(this.now(), { subprotocol });
    } else if (typeof verdict === 'number') {
      const body = verdict >= 400 ? `${rowOf('REQUEST_REFUSED').text}\n` : '';
      connectionOf(endpoint).reject(this.now(), verdict, { body });
    } else {
      throw new UsageError('INVALID_ARGUMENT', `authorize must answer a boolean or a status, not ${String(verdict)}`);
    }
    endpoint.wake();
  }

  private refuse(endpoint: Endpoint, code: FaultCode): void {
    const { status = 403, text } = rowOf(code);
    connectionOf(endpoint).reject(this.now(), status, { body: `${text}\n` });
    endpoint.wake();
  }

  private failed(endpoint: Endpoint, error: unknown): void {
    endpoint.report(error, 'open');
    if (endpoint.readyState === 'connecting') {
      connectionOf(endpoint).reject(this.now(), 500, { body: `${rowOf('APPLICATION_FAILED').text}\n` });
    }
    endpoint.wake();
  }

  private handle(handler: ShellHandler, endpoint: Endpoint, request: Request): void {
    const failed = (error: unknown) => endpoint.report(error, 'open');
    try {
      const result = handler(endpoint, request);
      if (isPromise(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Whether one more is too many, while so many are in their handshake. */
  private isBusy(connecting: number): boolean {
    const { maxPendingHandshakes, maxConnections } = this.settings;
    return connecting >= maxPendingHandshakes || connecting + this.open.size >= maxConnections;
  }

  /** Connections in their handshake, without those that were refused and only have to leave. */
  private get connecting(): number {
    let count = 0;
    for (const endpoint of this.pending) if (endpoint.readyState === 'connecting') count++;
    return count;
  }

  /** The clocks of all connections show the same time. */
  private now(): number {
    return this.environment.clock.now();
  }

  private checkEmpty(): void {
    if (this.pending.size > 0 || this.open.size > 0) return;
    for (const resolve of this.emptied.splice(0)) resolve();
  }
}

/** Every endpoint of a server was made with a server's connection. */
function connectionOf(endpoint: Endpoint): ServerConnection {
  return endpoint.connection as ServerConnection;
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function';
}
