/**
 * What happens to a connection between accept and open: it is counted, its request is examined and answered, and it joins
 * the registry. One gate serves all connections of a server.
 */

import type { ServerConnection } from '../connection/server-connection.ts';
import { onAnyEvent } from '../endpoint/any-event.ts';
import type { Endpoint, Host } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import { readHeaders } from '../endpoint/header-list.ts';
import type { Environment } from '../endpoint/options.ts';
import { HandshakeError, rowOf, TransportError } from '../errors.ts';
import type { Request } from '../handshake/request.ts';
import { type SeenRequest, tapFor } from '../transport/node/debug.ts';
import { publishClose, publishOpen, publishRefused } from '../transport/node/diagnostics.ts';
import type { Transport } from '../transport/transport.ts';
import { AddressCounter } from './address-counter.ts';
import { isAddressAllowed } from './address-list.ts';
import { Broadcaster } from './broadcast.ts';
import { type RefusedConnection, ServerEmitter } from './events.ts';
import { Meter, type ServerMetrics, type ServerStatistics } from './metrics.ts';
import type { Acceptance, Handler, PlainAnswer, Refusal, ServerSettings, Verdict } from './options.ts';
import { isOriginAllowed } from './origin.ts';
import { Pending } from './pending.ts';
import { checkOptions, Registry } from './registry.ts';
import { ServerEndpoint } from './server-endpoint.ts';
import { headersFor, isPromise, isRefusal, readVerdict, subprotocolFor } from './verdict.ts';

const REFUSAL = ['status', 'headers', 'body'];

/** What is known of a connection before it has an endpoint. */
interface Droppable {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
}

/** Admits connections to one server. */
export class Gate implements Host {
  readonly registry: Registry = new Registry();
  readonly broadcaster: Broadcaster;
  readonly events: ServerEmitter;
  /** Connections whose TLS handshake has not ended; counted by who accepts them. */
  securing = 0;
  readonly settings: ServerSettings;
  readonly environment: Environment;
  private readonly handler: Handler | null;
  private readonly pending: Map<Endpoint, Pending> = new Map();
  private readonly meter: Meter;
  /** Null: they are not counted by address. */
  private readonly addresses: AddressCounter | null;
  private closing = false;
  private emptied: (() => void) | null = null;

  constructor(settings: ServerSettings, handler: Handler | null, environment: Environment) {
    this.settings = settings;
    this.handler = handler;
    this.environment = environment;
    this.events = new ServerEmitter(environment);
    this.broadcaster = new Broadcaster(this.registry, settings.endpoint.connection);
    this.meter = new Meter(environment.clock.now());
    this.addresses = settings.maxConnectionsPerAddress === Number.POSITIVE_INFINITY ? null : new AddressCounter();
  }

  get statistics(): ServerStatistics {
    return {
      connections: this.registry.size,
      pending: this.pending.size + this.securing,
      opened: this.meter.opened,
      refused: this.meter.refused,
    };
  }

  metrics(): ServerMetrics {
    return this.meter.snapshot(this.environment.clock.now(), this.registry, this.pending.size + this.securing);
  }

  // ── accept ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether another connection may begin its handshake. */
  get hasRoom(): boolean {
    return this.handshaking + this.securing < this.settings.maxPendingHandshakes;
  }

  /**
   * Drops a connection without a word if even those that are being refused are too many, in all or from its address. Who is on
   * no list of ours finds less room, so that others do.
   *
   * @returns whether it was dropped
   */
  dropped(socket: Droppable): boolean {
    const { maxPendingHandshakes, maxConnectionsPerAddress } = this.settings;
    const { remoteAddress = null, remotePort = null } = socket;
    const room = this.isAllowed(remoteAddress) ? 2 * maxPendingHandshakes : maxPendingHandshakes / 2;
    const alike = this.addresses?.count(remoteAddress) ?? 0;
    if (this.pending.size + this.securing < room && alike < 2 * maxConnectionsPerAddress) return false;
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

  /** Counts what is no endpoint yet among the connections of its address. */
  enter(member: object, address: string | null): void {
    this.addresses?.enter(member, address);
  }

  /** Counts it no longer. */
  leave(member: object): void {
    this.addresses?.leave(member);
  }

  /**
   * Takes a new connection and runs it.
   *
   * @param request what an HTTP server has read already
   * @param shares whether other connections may have the same address and port
   */
  admit(connection: ServerConnection, transport: Transport, request?: SeenRequest, shares = false): void {
    const { environment, registry } = this;
    const { maxConnections, endpoint: settings } = this.settings;
    const busy = !this.hasRoom;
    // Those that only have to leave are told apart when it matters: that takes a look at each.
    const full =
      registry.size + this.pending.size >= maxConnections && registry.size + this.connecting >= maxConnections;
    const tap = tapFor(this.settings.debug, connection, transport, environment.clock, request);
    const endpoint = new ServerEndpoint(connection, tap ?? transport, settings, environment, this, registry, shares);
    if (tap !== null) tap.socket = endpoint;
    this.addresses?.enter(endpoint, endpoint.remoteAddress);
    this.pending.set(
      endpoint,
      new Pending(endpoint, environment.clock, full || this.isCrowded(endpoint.remoteAddress)),
    );
    if (busy || this.closing) connection.close(environment.clock.now());
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

  /** Who was refused and only has to leave takes no place; but there may not be too many of them ({@link Gate.dropped}). */
  private *lingering(): Iterable<Endpoint> {
    for (const endpoint of this.pending.keys()) if (endpoint.readyState === 'closing') yield endpoint;
  }

  // ── the opening handshake ──────────────────────────────────────────────────────────────────────────────────────────

  /** @hidden */
  request(endpoint: Endpoint, request: Request): void {
    const pending = this.pending.get(endpoint);
    if (pending === undefined) return;
    try {
      if (!this.isAllowed(endpoint.remoteAddress)) {
        this.refuse(endpoint, pending, 'ADDRESS_REFUSED');
      } else if (pending.surplus && this.isFull(endpoint)) {
        this.refuse(endpoint, pending, 'SERVER_BUSY');
      } else if (request.upgrade) {
        this.decide(endpoint, request, pending);
      } else {
        this.answerPlain(endpoint, request, pending);
      }
    } catch (error) {
      this.fail(endpoint, pending, error);
    }
  }

  private isAllowed(address: string | null): boolean {
    return isAddressAllowed(address, this.settings.allowedAddresses, this.settings.deniedAddresses);
  }

  /** Whether this connection is still one too many, in all or from its address. */
  private isFull(endpoint: Endpoint): boolean {
    return (
      this.registry.size + this.connecting > this.settings.maxConnections || this.isCrowded(endpoint.remoteAddress)
    );
  }

  /** Whether there are too many connections from an address. */
  private isCrowded(address: string | null): boolean {
    const { addresses } = this;
    const { maxConnectionsPerAddress } = this.settings;
    if (addresses === null || addresses.count(address) <= maxConnectionsPerAddress) return false;
    return addresses.count(address, this.lingering()) > maxConnectionsPerAddress;
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
    const subprotocol = subprotocolFor(this.settings, request);
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
    const answer = readVerdict(verdict);
    if (answer === false) {
      this.refuse(endpoint, pending, 'REQUEST_REFUSED');
    } else if (isRefusal(answer)) {
      const { status, body = status >= 400 ? `${rowOf('REQUEST_REFUSED').text}\n` : '' } = answer;
      this.reject(endpoint, pending, { ...answer, body }, new HandshakeError('REQUEST_REFUSED', '', status));
    } else {
      this.accept(endpoint, request, pending, subprotocol, answer);
    }
  }

  private accept(endpoint: Endpoint, request: Request, pending: Pending, chosen: string, acceptance: Acceptance): void {
    const subprotocol = acceptance.subprotocol === undefined ? chosen : (acceptance.subprotocol ?? '');
    const headers = headersFor(this.settings, request, acceptance);
    pending.context = acceptance.context;
    connectionOf(endpoint).accept(this.environment.clock.now(), { subprotocol, headers });
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
      checkOptions('onRequest', answer, REFUSAL);
      this.reject(endpoint, pending, answer, null);
      pending.answered = true;
    }
  }

  private refuse(
    endpoint: Endpoint,
    pending: Pending,
    code:
      | 'ADDRESS_REFUSED'
      | 'SERVER_BUSY'
      | 'PATH_NOT_FOUND'
      | 'ORIGIN_REFUSED'
      | 'REQUEST_REFUSED'
      | 'UPGRADE_REQUIRED',
  ): void {
    const { status = 403, text } = rowOf(code);
    this.reject(endpoint, pending, { status, body: `${text}\n` }, new HandshakeError(code, '', status));
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
  opened(endpoint: ServerEndpoint): void {
    const pending = this.pending.get(endpoint);
    pending?.rest();
    this.pending.delete(endpoint);
    this.registry.add(endpoint);
    this.meter.countOpened(this.registry.size);
    endpoint.context = pending?.context;
    publishOpen('server', endpoint);
    const { request } = endpoint;
    if (request === null) return;
    const { onEvent } = this.settings;
    if (onEvent !== null) {
      onAnyEvent(endpoint, this.settings.endpoint.connection.byFragment ? 'fragment' : 'message', onEvent);
    }
    if (this.handler !== null) {
      try {
        const result = this.handler(endpoint, request);
        if (isPromise(result)) result.then(undefined, (error: unknown) => endpoint.report(error, 'open'));
      } catch (error) {
        endpoint.report(error, 'open');
      }
    }
    // Where nobody can ever take messages, they must not hold back the end.
    if (this.handler === null && onEvent === null && !this.events.has('connection')) endpoint.resume();
    this.events.emit('connection', endpoint, request);
  }

  /** @hidden */
  closed(endpoint: ServerEndpoint, event: CloseEvent): void {
    this.addresses?.leave(endpoint);
    const pending = this.pending.get(endpoint);
    if (pending !== undefined) {
      this.pending.delete(endpoint);
      pending.abort();
      if (!pending.answered) this.refused(refusalOf(endpoint, pending, event), endpoint);
    } else {
      publishClose('server', endpoint, event);
      this.meter.countClosed(endpoint, event);
    }
    this.registry.delete(endpoint);
    this.checkEmpty();
  }

  /** Tells of a connection that ended before it was open. */
  refused(refused: RefusedConnection, endpoint: Endpoint | null = null): void {
    this.meter.countRefused(refused);
    publishRefused('server', endpoint, refused.error);
    this.events.emit('refused', refused);
  }

  /** The listener failed. */
  failed(error: Error): void {
    if (!this.events.has('error')) this.environment.warn(new TransportError('TRANSPORT_FAILED', error));
    this.events.emit('error', error);
  }

  /** Ends every connection, once; resolves when there is none left. */
  close(code: number, reason: string, timeout: number): Promise<void> {
    this.closing = true;
    const { clock } = this.environment;
    const gone = new Promise<void>((resolve) => {
      this.emptied = resolve;
    });
    for (const endpoint of [...this.pending.keys(), ...this.registry.list()]) void endpoint.close(code, reason);
    for (const pending of this.pending.values()) pending.abort();
    const dropAt = clock.now() + timeout;
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
