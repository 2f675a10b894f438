/**
 * What users hold: a connection with events, promises and backpressure. Everything of the protocol is the connection's;
 * everything of the wire is the driver's.
 */

import { checkClose } from '../codec/close-payload.ts';
import type { Connection } from '../connection/connection.ts';
import type { ClosedEvent, ConnectionEvent, FragmentEvent, MessageEvent } from '../connection/events.ts';
import type { SharedFrame } from '../connection/shared-frames.ts';
import type { ReadyState } from '../connection/state.ts';
import { ApplicationError, WebSocketError } from '../errors.ts';
import { Headers } from '../handshake/headers.ts';
import type { Request } from '../handshake/request.ts';
import type { Transport } from '../transport/transport.ts';
import { Driver } from './driver.ts';
import type { CloseEvent, EventName, Listener, Listeners } from './events.ts';
import { Inbox } from './inbox.ts';
import type { EndpointSettings, Environment } from './options.ts';
import { Outbox, type SendOptions, type SendResult, type StreamOptions } from './outbox.ts';
import type { StreamSource } from './outgoing-stream.ts';
import { type Bytes, toControlPayload } from './payload.ts';
import { PendingPings } from './pending-pings.ts';
import type { Statistics } from './statistics.ts';

export type { Statistics };

/** Who owns endpoints: a server or a client. */
export interface Host {
  /** Server: a request must be answered. */
  request?(endpoint: Endpoint, request: Request): void;
  /** The opening handshake succeeded; called before any listener. */
  opened?(endpoint: Endpoint): void;
  /** The end; called after all listeners. */
  closed?(endpoint: Endpoint, event: CloseEvent): void;
}

const DRAIN = { type: 'drain' } as const;

/** A WebSocket endpoint. */
export class Endpoint implements AsyncIterable<MessageEvent>, AsyncDisposable {
  /** A place for the application's own data about this connection. */
  context: unknown = undefined;
  /** The subprotocol in use, or `''`. */
  subprotocol = '';
  /** The agreed Sec-WebSocket-Extensions value, or `''`. */
  extensions = '';
  /** Server: the request that opened the connection. */
  request: Request | null = null;
  /** The round-trip time of the last answered ping in milliseconds, or null. */
  latency: number | null = null;

  /** @internal */
  readonly connection: Connection;
  private readonly transport: Transport;
  private readonly settings: EndpointSettings;
  private readonly environment: Environment;
  private readonly host: Host;
  private readonly driver: Driver;
  private readonly inbox: Inbox;
  private sending: Outbox | null = null;
  private openTold = false;
  private response: Headers | null = null;
  private pings: PendingPings | null = null;
  private closedPromise: Promise<CloseEvent> | null = null;
  private resolveClosed: ((event: CloseEvent) => void) | null = null;
  private closeEvent: CloseEvent | null = null;

  /** For shells: joins a connection to a transport. Call `start()` when the listeners are attached. */
  constructor(
    connection: Connection,
    transport: Transport,
    settings: EndpointSettings,
    environment: Environment,
    host: Host = {},
  ) {
    this.connection = connection;
    this.transport = transport;
    this.settings = settings;
    this.environment = environment;
    this.host = host;
    this.driver = new Driver(connection, transport, environment.clock, this, settings.highWaterMark);
    this.inbox = new Inbox(this, settings, environment);
  }

  /** For shells: begins to read and write. */
  start(): void {
    this.driver.start();
  }

  // ── what can be asked ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The state as the WebSocket API names it. */
  get readyState(): ReadyState {
    return this.connection.readyState;
  }

  /** The peer's headers: the request's on a server, the response's on a client. */
  get headers(): Headers {
    return this.response ?? this.request?.headers ?? NO_HEADERS;
  }

  /** The peer's address, or null where there is none. */
  get remoteAddress(): string | null {
    return this.transport.addresses.remoteAddress;
  }

  /** The peer's port, or null. */
  get remotePort(): number | null {
    return this.transport.addresses.remotePort;
  }

  /** Our address, or null. */
  get localAddress(): string | null {
    return this.transport.addresses.localAddress;
  }

  /** Our port, or null. */
  get localPort(): number | null {
    return this.transport.addresses.localPort;
  }

  /** Whether the connection is protected by TLS. */
  get secure(): boolean {
    return this.transport.addresses.secure;
  }

  /** The certificate that the peer has shown, in DER, or null; also null at the end. Whether it was checked is said by `tls`. */
  get peerCertificate(): Uint8Array | null {
    return this.transport.addresses.peerCertificate ?? null;
  }

  /** Bytes accepted and not yet written, messages behind an open stream included. */
  get bufferedAmount(): number {
    return this.sending === null ? this.connection.bufferedAmount : this.sending.bufferedAmount;
  }

  /** Whether more is welcome: less than `highWaterMark` and `maxBufferedAmount` is unsent. */
  get writable(): boolean {
    return this.outbox.writable;
  }

  /** Counters since the connection began. */
  get statistics(): Statistics {
    const { received, written } = this.connection.traffic;
    return {
      bytesReceived: received,
      bytesSent: written,
      messagesReceived: this.inbox.received,
      messagesSent: this.sending === null ? 0 : this.sending.sent,
    };
  }

  /** Resolves with how the connection ended, when all that came before has been told; never rejects. */
  get closed(): Promise<CloseEvent> {
    this.closedPromise ??= new Promise((resolve) => {
      if (this.closeEvent !== null) resolve(this.closeEvent);
      else this.resolveClosed = resolve;
    });
    return this.closedPromise;
  }

  // ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Listens to an event; the returned function undoes it.
   *
   * @throws UsageError when the event does not exist, messages already go to an iterator, or `delivery` is of the other kind
   */
  on<Name extends EventName>(type: Name, listener: Listener<Name>): () => void {
    return this.inbox.on(type, listener);
  }

  /** Attaches a listener for each event named, or none. Throws as `on` does. */
  listen(listeners: Listeners): void {
    this.inbox.listen(listeners);
  }

  /**
   * Messages one after the other; ends on a clean close, throws the failure on any other. What is queued when the loop is left
   * goes to the next consumer, after the end to the next loop.
   *
   * @throws UsageError when messages already go elsewhere, or fragments are delivered
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageEvent, undefined> {
    return this.inbox.iterate('message', 'iteration');
  }

  /**
   * Payload as it arrives, for `delivery: 'fragment'`.
   *
   * @throws UsageError when whole messages are delivered, or fragments already go elsewhere
   */
  fragments(): AsyncIterableIterator<FragmentEvent, undefined> {
    return this.inbox.iterate('fragment', 'fragments()');
  }

  /** Stops reading: no events come, no ping is answered, and soon the peer is held back too. */
  pause(): void {
    this.inbox.pause();
  }

  /** Takes events again; without any consumer they are dropped. */
  resume(): void {
    this.inbox.resume();
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a message: strings as text, bytes as binary unless told otherwise. Bytes above 32 KiB are referenced by a server:
   * leave them unchanged until `drained()`.
   *
   * @throws UsageError for anything but strings and bytes, a lone surrogate, bytes as text that are not UTF-8, a wrong option
   */
  send(data: string | Bytes, options?: SendOptions): SendResult {
    return this.outbox.send(data, options);
  }

  /**
   * Sends one message in fragments as `source` yields them. Other messages queue behind it. A source that throws fails the
   * connection with 1011, and so does an extension that cannot take a chunk behind the first.
   *
   * @returns the result when the last fragment is queued; `success: false` if the connection ended first or nothing was sent
   * @throws UsageError when the arguments are wrong or another stream is open
   */
  sendStream(kind: 'text' | 'binary', source: StreamSource, options?: StreamOptions): Promise<SendResult> {
    return this.outbox.sendStream(kind, source, options);
  }

  /** Sends one fragment of a message; `last` ends it, and no other message may come before. Throws as `send` does. */
  sendFragment(kind: 'text' | 'binary', data: Bytes, last: boolean): SendResult {
    return this.outbox.fragment(kind, data, last);
  }

  /**
   * Sends a ping. It may be awaited inside a listener.
   *
   * @returns the round-trip time in milliseconds, or null if the connection ends first or no pong is seen for `pongTimeout`
   * @throws UsageError when the payload is longer than 125 bytes
   */
  ping(payload?: string | Bytes): Promise<number | null> {
    const { connection } = this;
    const { text } = this.settings.connection;
    const bytes = payload === undefined ? connection.nextPingPayload() : toControlPayload(text, payload, 'a ping');
    if (connection.readyState !== 'open' || this.driver.lost) return Promise.resolve(null);
    const sentAt = this.environment.clock.now();
    connection.ping(sentAt, bytes);
    this.driver.touch();
    this.pings ??= new PendingPings(this.environment.clock, this.settings.connection.pongTimeout);
    return this.pings.add(bytes, sentAt);
  }

  /** Sends a pong that nobody asked for, or the answer that `autoPong: false` leaves to you; false if not open. Throws as `ping`. */
  pong(payload: string | Bytes = ''): boolean {
    const bytes = toControlPayload(this.settings.connection.text, payload, 'a pong');
    if (this.connection.readyState !== 'open' || this.driver.lost) return false;
    this.connection.pong(bytes);
    this.driver.touch();
    return true;
  }

  /** Resolves with true once nothing that was sent is unwritten, with false if the end, or that of a stream, comes first. */
  drained(): Promise<boolean> {
    return this.outbox.drained();
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends what is queued, performs the closing handshake, and resolves with how the connection ended.
   *
   * @throws UsageError when the code may not be sent or the reason is longer than 123 bytes
   */
  close(code = 1000, reason = ''): Promise<CloseEvent> {
    checkClose(code, reason);
    const { closed } = this;
    const close = () => {
      this.connection.close(this.environment.clock.now(), code, reason);
      this.inbox.hurry();
      this.driver.touch();
    };
    if (this.sending?.closeBehindStream(close) !== true) close();
    return closed;
  }

  /** Drops the connection without a closing handshake. */
  terminate(): void {
    this.connection.terminate(this.environment.clock.now());
    this.inbox.drop();
    this.driver.turn();
  }

  /** Closes with 1000 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Keeps the process alive while the connection is open, and then until its end is told (the default). */
  ref(): this {
    this.driver.ref();
    return this;
  }

  /** Lets the process end although the connection is open, or its end is not told yet. */
  unref(): this {
    this.driver.unref();
    return this;
  }

  // ── for the driver and the owner ───────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  get ready(): boolean {
    return this.inbox.ready;
  }

  /** @internal */
  get waits(): boolean {
    return this.inbox.waits;
  }

  /** @internal */
  take(event: ConnectionEvent): void {
    switch (event.type) {
      case 'message':
      case 'fragment':
        this.inbox.data(event);
        break;
      case 'request':
        this.request = event.request;
        this.host.request?.(this, event.request);
        break;
      case 'open':
        this.subprotocol = event.subprotocol;
        this.extensions = event.extensions;
        if (this.connection.role === 'client') this.response = event.headers;
        this.host.opened?.(this);
        this.inbox.emit('open', event);
        this.openTold = true;
        if (this.sending !== null) this.sending.opened = true;
        this.progressed();
        break;
      case 'pong':
        this.pings?.settle(event.payload, this.environment.clock.now());
        if (event.latency !== null) this.latency = event.latency;
        this.inbox.other(event);
        break;
      case 'closing':
        break;
      case 'closed':
        this.finish(event);
        break;
      default:
        this.inbox.other(event);
    }
  }

  /** @internal */
  claim(): void {
    this.connection.advance(this.environment.clock.now());
    this.driver.within(() => this.inbox.claim());
  }

  /** @internal */
  progressed(): void {
    if (this.sending?.progressed() === true) this.inbox.emit('drain', DRAIN);
  }

  /** @internal */
  lost(): void {
    this.sending?.giveUp();
    this.pings?.end();
  }

  /** @internal */
  touch(): void {
    this.driver.touch();
  }

  /** @internal */
  fail(error: unknown): void {
    this.connection.fail(this.environment.clock.now(), error);
    this.inbox.drop();
    this.driver.touch();
  }

  /** @internal Sends a message that was encoded once for many; null if it can be sent, but not so. */
  sendEncoded(frame: SharedFrame | null, payloadSize: number): SendResult | null {
    return this.outbox.sendEncoded(frame, payloadSize);
  }

  /** For shells: takes up events, and sends, after something was done to the connection itself. */
  wake(): void {
    if (this.inbox.holds) this.environment.clock.defer(claim, this);
    else this.driver.touch();
  }

  /** @internal What a listener, handler or hook of the application threw. */
  report(error: unknown, event: EventName): void {
    // How this connection failed, thrown by its iterator, is no fault of the application; its end tells it.
    if (error instanceof WebSocketError && error === this.closeEvent?.error) return;
    const failed = (worse: unknown) => this.failApplication(worse);
    const { onListenerError } = this.settings;
    try {
      if (typeof onListenerError !== 'function') failed(error);
      else Promise.resolve(onListenerError(error, this, event)).catch(failed);
    } catch (worse) {
      failed(worse);
    }
  }

  private failApplication(error: unknown): void {
    // What is thrown at the very end has no `error` event left to tell it.
    const told = this.inbox.hears('error') && this.connection.readyState !== 'closed';
    if (!told) this.environment.warn(new ApplicationError(error));
    this.fail(error);
  }

  /** @internal The outgoing side, made when something is first sent: an idle connection has none. */
  get outbox(): Outbox {
    if (this.sending === null) {
      this.sending = new Outbox(this.connection, this.settings, this.environment.clock, this);
      this.sending.opened = this.openTold;
      this.sending.lost = this.driver.lost;
    }
    return this.sending;
  }

  private finish({ code, reason, clean, remote, error }: ClosedEvent): void {
    this.sending?.end();
    this.pings?.end();
    this.inbox.end({ type: 'close', code, reason, clean, remote, error });
  }

  /** @internal */
  told(event: CloseEvent): void {
    this.closeEvent = event;
    this.resolveClosed?.(event);
    this.host.closed?.(this, event);
  }
}

function claim(endpoint: Endpoint): void {
  endpoint.claim();
}

const NO_HEADERS = new Headers([]);
