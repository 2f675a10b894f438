/**
 * What happens to a connection between accept and open: it is counted, its request is examined and answered, and it joins
 * the registry. One gate serves all connections of a server.
 */

import { encodeClosePayload } from '../codec/close-payload.ts';
import type { ServerConnection } from '../connection/server-connection.ts';
import { Endpoint, type Host } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import { readHeaders } from '../endpoint/header-list.ts';
import type { Environment } from '../endpoint/options.ts';
import { HandshakeError, rowOf, TransportError, UsageError } from '../errors.ts';
import { chooseSubprotocol } from '../handshake/negotiate.ts';
import type { Request } from '../handshake/request.ts';
import type { Transport } from '../transport/transport.ts';
import { type RefusedConnection, ServerEmitter } from './events.ts';
import type { Acceptance, Handler, Peer, PlainAnswer, Refusal, ServerSettings, Verdict } from './options.ts';
import { isOriginAllowed } from './origin.ts';
import { Registry } from './registry.ts';
import type { CloseServerOptions } from './server.ts';

/** Counts of one server. */
export interface ServerStatistics {
  /** Connections that are open or closing. */
  readonly connections: number;
  /** Connections that are not open yet. */
  readonly pending: number;
  /** All that ever were open. */
  readonly opened: number;
  /** All that ended before they were open. */
  readonly refused: number;
}

/** Seconds after which a client that found the server full may try again. */
const RETRY_AFTER = '5';

/** What is known of a connection before it has an endpoint. */
interface Droppable {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
}

/** A connection that is not open yet. */
class Pending implements Peer {
  /** It was one too many when it came. */
  readonly surplus: boolean;
  /** Why it was refused, if we refused it. */
  error: HandshakeError | null = null;
  /** A plain request was answered: neither refused nor ever to be open. */
  answered = false;
  context: unknown = undefined;
  private readonly endpoint: Endpoint;
  private controller: AbortController | null = null;
  private gone = false;

  constructor(endpoint: Endpoint, surplus: boolean) {
    this.endpoint = endpoint;
    this.surplus = surplus;
  }

  get remoteAddress(): string | null {
    return this.endpoint.remoteAddress;
  }

  get remotePort(): number | null {
    return this.endpoint.remotePort;
  }

  get secure(): boolean {
    return this.endpoint.secure;
  }

  /** Made when it is asked for: few hooks do. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.gone) this.controller.abort();
    return this.controller.signal;
  }

  abort(): void {
    this.gone = true;
    this.controller?.abort();
  }
}

/** Admits connections to one server. */
export class Gate implements Host {
  readonly registry: Registry;
  readonly events: ServerEmitter;
  /** Connections whose TLS handshake has not ended; counted by who accepts them. */
  securing = 0;
  readonly settings: ServerSettings;
  readonly environment: Environment;
  private readonly handler: Handler | null;
  private readonly pending: Map<Endpoint, Pending> = new Map();
  private openedCount = 0;
  private refusedCount = 0;
  private closing = false;
  private emptied: (() => void) | null = null;

  constructor(settings: ServerSettings, handler: Handler | null, environment: Environment) {
    this.settings = settings;
    this.handler = handler;
    this.environment = environment;
    this.events = new ServerEmitter(environment);
    this.registry = new Registry(settings.endpoint.connection.text);
  }

  get statistics(): ServerStatistics {
    return {
      connections: this.registry.size,
      pending: this.pending.size + this.securing,
      opened: this.openedCount,
      refused: this.refusedCount,
    };
  }

  // ── accept ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether another connection may begin its handshake. */
  get hasRoom(): boolean {
    return this.handshaking + this.securing < this.settings.maxPendingHandshakes;
  }

  /**
   * Drops a connection without a word if even those that are being refused are too many.
   *
   * @returns whether it was dropped
   */
  dropped(socket: Droppable): boolean {
    if (this.pending.size + this.securing < 2 * this.settings.maxPendingHandshakes) return false;
    const { remoteAddress = null, remotePort = null } = socket;
    socket.destroy();
    this.refused({
      status: 0,
      remoteAddress,
      remotePort,
      request: null,
      error: new HandshakeError('SERVER_BUSY', '', 0),
    });
    return true;
  }

  /** Takes a new connection and runs it. */
  admit(connection: ServerConnection, transport: Transport): void {
    const { maxConnections, endpoint: settings } = this.settings;
    const busy = !this.hasRoom;
    const surplus =
      maxConnections !== Number.POSITIVE_INFINITY && this.registry.size + this.connecting >= maxConnections;
    const endpoint = new Endpoint(connection, transport, settings, this.environment, this);
    this.pending.set(endpoint, new Pending(endpoint, surplus));
    if (busy || this.closing) connection.close(this.environment.clock.now());
    endpoint.start();
  }

  /** At least the number of connections in their handshake; exact when it matters. */
  private get handshaking(): number {
    return this.pending.size < this.settings.maxPendingHandshakes ? this.pending.size : this.connecting;
  }

  /** Connections in their handshake, without those that were refused and only have to leave. */
  private get connecting(): number {
    let count = 0;
    for (const endpoint of this.pending.keys()) if (endpoint.readyState === 'connecting') count++;
    return count;
  }

  // ── the opening handshake ──────────────────────────────────────────────────────────────────────────────────────────

  /** @hidden */
  request(endpoint: Endpoint, request: Request): void {
    const pending = this.pending.get(endpoint);
    if (pending === undefined) return;
    try {
      if (pending.surplus && this.registry.size + this.connecting > this.settings.maxConnections) {
        this.refuse(endpoint, pending, 'SERVER_BUSY', [['Retry-After', RETRY_AFTER]]);
      } else if (request.upgrade) {
        this.decide(endpoint, request, pending);
      } else {
        this.answerPlain(endpoint, request, pending);
      }
    } catch (error) {
      this.fail(endpoint, pending, error);
    }
  }

  private decide(endpoint: Endpoint, request: Request, pending: Pending): void {
    const { paths, allowedOrigins, authorize } = this.settings;
    if (paths !== null && !paths.has(request.path)) {
      this.refuse(endpoint, pending, 'PATH_NOT_FOUND');
      return;
    }
    // §10.2: "Servers that are not intended to process input from any web page but only for certain sites SHOULD verify".
    if (!isOriginAllowed(request, allowedOrigins)) {
      this.refuse(endpoint, pending, 'ORIGIN_REFUSED');
      return;
    }
    const subprotocol = this.chooseSubprotocol(request);
    const verdict = authorize?.(request, pending);
    if (isPromise(verdict)) {
      verdict.then(
        (settled) => this.later(endpoint, pending, () => this.answer(endpoint, request, pending, subprotocol, settled)),
        (error: unknown) => this.later(endpoint, pending, () => this.fail(endpoint, pending, error)),
      );
    } else {
      this.answer(endpoint, request, pending, subprotocol, verdict);
    }
  }

  private answer(endpoint: Endpoint, request: Request, pending: Pending, subprotocol: string, verdict: Verdict): void {
    if (verdict === false) {
      this.refuse(endpoint, pending, 'REQUEST_REFUSED');
    } else if (verdict === undefined || verdict === true) {
      this.accept(endpoint, request, pending, subprotocol, {});
    } else if (typeof verdict !== 'object' || verdict === null) {
      throw new UsageError(
        'INVALID_ARGUMENT',
        `authorize must answer true, false or an object, not ${String(verdict)}`,
      );
    } else if (verdict.status === undefined) {
      this.accept(endpoint, request, pending, subprotocol, verdict);
    } else {
      const { status, body = status >= 400 ? `${rowOf('REQUEST_REFUSED').text}\n` : '' } = verdict;
      this.reject(endpoint, pending, { ...verdict, body }, new HandshakeError('REQUEST_REFUSED', '', status));
    }
  }

  private accept(endpoint: Endpoint, request: Request, pending: Pending, chosen: string, acceptance: Acceptance): void {
    const { headers } = this.settings;
    const subprotocol = acceptance.subprotocol === undefined ? chosen : (acceptance.subprotocol ?? '');
    const more = typeof headers === 'function' ? readHeaders(headers(request), 'headers') : headers;
    pending.context = acceptance.context;
    connectionOf(endpoint).accept(this.environment.clock.now(), {
      subprotocol,
      headers: acceptance.headers === undefined ? more : [...more, ...readHeaders(acceptance.headers, 'authorize')],
    });
  }

  private chooseSubprotocol(request: Request): string {
    const { subprotocols } = this.settings;
    const offered = request.subprotocols;
    if (subprotocols === undefined || offered.length === 0) return '';
    if (typeof subprotocols !== 'function') return chooseSubprotocol(offered, subprotocols) ?? '';
    const chosen: unknown = subprotocols(offered, request) ?? '';
    if (typeof chosen !== 'string') {
      throw new UsageError('INVALID_ARGUMENT', `subprotocols must choose a string or null, not ${String(chosen)}`);
    }
    return chosen;
  }

  private answerPlain(endpoint: Endpoint, request: Request, pending: Pending): void {
    const answer = this.settings.onRequest?.(request, pending);
    if (isPromise(answer)) {
      answer.then(
        (settled) => this.later(endpoint, pending, () => this.sendPlain(endpoint, pending, settled)),
        (error: unknown) => this.later(endpoint, pending, () => this.fail(endpoint, pending, error)),
      );
    } else {
      this.sendPlain(endpoint, pending, answer);
    }
  }

  private sendPlain(endpoint: Endpoint, pending: Pending, answer: PlainAnswer): void {
    if (answer === null || answer === undefined) {
      this.refuse(endpoint, pending, 'UPGRADE_REQUIRED');
    } else {
      this.reject(endpoint, pending, answer, null);
      pending.answered = true;
    }
  }

  private refuse(
    endpoint: Endpoint,
    pending: Pending,
    code: 'SERVER_BUSY' | 'PATH_NOT_FOUND' | 'ORIGIN_REFUSED' | 'REQUEST_REFUSED' | 'UPGRADE_REQUIRED',
    headers: readonly (readonly [string, string])[] = [],
  ): void {
    const { status = 403, text } = rowOf(code);
    this.reject(endpoint, pending, { status, headers, body: `${text}\n` }, new HandshakeError(code, '', status));
  }

  private reject(endpoint: Endpoint, pending: Pending, answer: Refusal, error: HandshakeError | null): void {
    const { status, headers, body } = answer;
    connectionOf(endpoint).reject(this.environment.clock.now(), status, {
      headers: readHeaders(headers, 'headers'),
      ...(body === undefined ? {} : { body }),
    });
    pending.error = error;
  }

  /** The application could not answer: the client gets 500. */
  private fail(endpoint: Endpoint, pending: Pending, error: unknown): void {
    endpoint.report(error, 'open');
    const { text } = rowOf('APPLICATION_FAILED');
    const rejected = connectionOf(endpoint).readyState === 'connecting';
    if (rejected) this.reject(endpoint, pending, { status: 500, body: `${text}\n` }, null);
    if (rejected) pending.error = new HandshakeError('REQUEST_REFUSED', text, 500);
  }

  /** Acts on a decision that took its time, if the peer is still there to hear it. */
  private later(endpoint: Endpoint, pending: Pending, act: () => void): void {
    if (endpoint.readyState !== 'connecting') return;
    try {
      act();
    } catch (error) {
      this.fail(endpoint, pending, error);
    }
    endpoint.wake();
  }

  // ── open, and the end ──────────────────────────────────────────────────────────────────────────────────────────────

  /** @hidden */
  opened(endpoint: Endpoint): void {
    const pending = this.pending.get(endpoint);
    this.pending.delete(endpoint);
    this.registry.add(endpoint);
    this.openedCount++;
    endpoint.context = pending?.context;
    const { request } = endpoint;
    if (request === null) return;
    if (this.handler !== null) {
      try {
        const result = this.handler(endpoint, request);
        if (isPromise(result)) result.then(undefined, (error: unknown) => endpoint.report(error, 'open'));
      } catch (error) {
        endpoint.report(error, 'open');
      }
    }
    // Where nobody can ever take messages, they must not hold back the end.
    if (this.handler === null && !this.events.has('connection')) endpoint.resume();
    this.events.emit('connection', endpoint, request);
  }

  /** @hidden */
  closed(endpoint: Endpoint, event: CloseEvent): void {
    const pending = this.pending.get(endpoint);
    if (pending !== undefined) {
      this.pending.delete(endpoint);
      pending.abort();
      if (!pending.answered) this.refused(refusalOf(endpoint, pending, event));
    }
    this.registry.delete(endpoint);
    this.checkEmpty();
  }

  /** Tells of a connection that ended before it was open. */
  refused(refused: RefusedConnection): void {
    this.refusedCount++;
    this.events.emit('refused', refused);
  }

  /** The listener failed. */
  failed(error: Error): void {
    if (!this.events.has('error')) this.environment.warn(new TransportError('TRANSPORT_FAILED', error));
    this.events.emit('error', error);
  }

  /** Ends every connection; resolves when there is none left. */
  close({ code = 1001, reason = '', timeout = this.settings.closeTimeout }: CloseServerOptions): Promise<void> {
    encodeClosePayload(code, reason);
    if (timeout !== null && (typeof timeout !== 'number' || !(timeout > 0))) {
      throw new UsageError('INVALID_ARGUMENT', 'close: timeout must be a number of milliseconds above 0, or null');
    }
    this.closing = true;
    const { clock } = this.environment;
    const gone = new Promise<void>((resolve) => {
      this.emptied = resolve;
    });
    for (const endpoint of [...this.pending.keys(), ...this.registry.list()]) void endpoint.close(code, reason);
    const dropAt = clock.now() + (timeout ?? Number.POSITIVE_INFINITY);
    const drop = {
      wake: () => {
        for (const endpoint of [...this.pending.keys(), ...this.registry.list()]) endpoint.terminate();
      },
    };
    if (Number.isFinite(dropAt)) clock.schedule(drop, dropAt);
    this.checkEmpty();
    return gone.then(() => clock.cancel(drop, dropAt));
  }

  private checkEmpty(): void {
    if (this.emptied === null || this.pending.size > 0 || this.registry.size > 0) return;
    this.emptied();
    this.emptied = null;
  }
}

function refusalOf(endpoint: Endpoint, pending: Pending, { error }: CloseEvent): RefusedConnection {
  const why = pending.error ?? error ?? new TransportError('TRANSPORT_ENDED');
  const { remoteAddress, remotePort, request } = endpoint;
  const status = why instanceof HandshakeError ? why.status : (rowOf(why.code).status ?? 0);
  return { status, remoteAddress, remotePort, request, error: why };
}

/** Every endpoint of a gate was made with a server's connection. */
function connectionOf(endpoint: Endpoint): ServerConnection {
  return endpoint.connection as ServerConnection;
}

function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null | undefined)?.then === 'function';
}
