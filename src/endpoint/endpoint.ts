/**
 * What users hold: a connection with events, promises and backpressure. Everything of the protocol is the connection's;
 * everything of the wire is the driver's.
 */

import { encodeClosePayload } from '../codec/close-payload.ts';
import { headerSize } from '../codec/frame-encoder.ts';
import { type Connection, checkFragmentSize, type SendOptions as EngineSendOptions } from '../connection/connection.ts';
import type { ClosedEvent, ConnectionEvent, FragmentEvent, MessageEvent, RequestEvent } from '../connection/events.ts';
import type { ReadyState } from '../connection/state.ts';
import { ApplicationError, UsageError } from '../errors.ts';
import { Headers } from '../handshake/headers.ts';
import type { Request } from '../handshake/request.ts';
import type { Transport, Wakeable } from '../transport/transport.ts';
import { type Consumer, Driver } from './driver.ts';
import type { CloseEvent, EndpointEvents, EventName, Listener, Listeners } from './events.ts';
import { ItemQueue } from './message-queue.ts';
import type { EndpointSettings, Environment } from './options.ts';
import { OutgoingStream, type Queued, type StreamSource } from './outgoing-stream.ts';
import { type Bytes, toBytes } from './payload.ts';

/** How one message is sent. */
export interface SendOptions extends EngineSendOptions {
  /** Text (false) or binary (true). Default: strings are text, bytes are binary. */
  readonly binary?: boolean;
}

/** What became of a message. */
export interface SendResult {
  /** Whether it was queued. False means that nothing was written. */
  readonly success: boolean;
  /** Why not. */
  readonly code: 'not-open' | 'overflow' | 'compression' | null;
  /** Bytes of the message. */
  readonly payloadSize: number;
  /** Bytes that it takes on the wire, headers included. */
  readonly wireSize: number;
  /** Whether an extension could not take the message. */
  readonly compressionError: boolean;
  /** Whether more is welcome; if not, wait for `drain` or `drained()`. */
  readonly writable: boolean;
}

/** Counters of one connection. */
export interface Statistics {
  /** Bytes on the wire, the opening handshake included. */
  readonly bytesReceived: number;
  /** Bytes on the wire that were written, the opening handshake included. */
  readonly bytesSent: number;
  /** Messages delivered whole, or to their last fragment. */
  readonly messagesReceived: number;
  /** Messages queued whole. */
  readonly messagesSent: number;
}

/** Who owns endpoints: a server or a client. */
export interface Host {
  /** Server: a request must be answered. */
  request?(endpoint: Endpoint, request: Request): void;
  /** The opening handshake succeeded; called before any listener. */
  opened?(endpoint: Endpoint): void;
  /** The end; called after all listeners. */
  closed?(endpoint: Endpoint, event: CloseEvent): void;
}

/** A message that came before anybody took messages. */
interface Unclaimed {
  readonly event: MessageEvent | FragmentEvent;
  readonly patience: Patience;
  readonly at: number;
}

/** How long it waits before it is dropped with a warning: a handler that never listens must not hold connections for good. */
const PATIENCE = 1_000;

class Patience implements Wakeable {
  readonly wake: () => void;

  constructor(wake: () => void) {
    this.wake = wake;
  }
}

function claim(endpoint: Endpoint): void {
  endpoint.settleClaim();
}

interface PendingPing {
  readonly payload: Uint8Array;
  readonly sentAt: number;
  readonly resolve: (latency: number | null) => void;
}

type AnyListener = (event: never) => unknown;
const DRAIN = { type: 'drain' } as const;

/** A WebSocket endpoint. */
export class Endpoint implements Consumer, AsyncIterable<MessageEvent>, AsyncDisposable {
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
  private messageListeners: AnyListener | AnyListener[] | null = null;
  private listeners: Map<EventName, AnyListener[]> | null = null;
  private messages: ItemQueue<MessageEvent> | null = null;
  private fragmentQueue: ItemQueue<FragmentEvent> | null = null;
  private response: Headers | null = null;
  private unclaimed: Unclaimed | null = null;
  private pending = 0;
  private paused = false;
  private flowing = false;
  private full = false;
  private stream: OutgoingStream | null = null;
  private pings: PendingPing[] | null = null;
  private drainWaiters: ((drained: boolean) => void)[] | null = null;
  private streamWaiter: ((drained: boolean) => void) | null = null;
  private closeWaiters: ((event: CloseEvent) => void)[] | null = null;
  private closeEvent: CloseEvent | null = null;
  private messagesReceived = 0;
  private messagesSent = 0;

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

  /** Bytes accepted and not yet written, messages behind an open stream included. */
  get bufferedAmount(): number {
    return this.connection.bufferedAmount + (this.stream?.queuedBytes ?? 0);
  }

  /** Whether more is welcome: less than `highWaterMark` is unsent. */
  get writable(): boolean {
    return this.connection.readyState === 'open' && this.bufferedAmount < this.settings.highWaterMark;
  }

  /** Counters since the connection began. */
  get statistics(): Statistics {
    const { received, written } = this.connection.traffic;
    return {
      bytesReceived: received,
      bytesSent: written,
      messagesReceived: this.messagesReceived,
      messagesSent: this.messagesSent,
    };
  }

  /** Resolves with how the connection ended; never rejects. */
  get closed(): Promise<CloseEvent> {
    return new Promise((resolve) => {
      if (this.closeEvent !== null) resolve(this.closeEvent);
      else {
        this.closeWaiters ??= [];
        this.closeWaiters.push(resolve);
      }
    });
  }

  // ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Listens to an event; the returned function undoes it.
   *
   * @throws UsageError when messages already go to an iterator, or the event does not exist
   */
  on<Name extends EventName>(type: Name, listener: Listener<Name>): () => void {
    if (!EVENT_NAMES.has(type)) {
      throw new UsageError(
        'INVALID_ARGUMENT',
        `there is no event '${String(type)}'; there are ${[...EVENT_NAMES].join(', ')}`,
      );
    }
    if (typeof listener !== 'function') throw new UsageError('INVALID_ARGUMENT', 'a listener must be a function');
    if (type === 'message') {
      this.checkConsumer('listener');
      const current = this.messageListeners;
      if (current === null) this.messageListeners = listener as AnyListener;
      else this.messageListeners = [...(Array.isArray(current) ? current : [current]), listener as AnyListener];
    } else {
      if (type === 'fragment') this.checkConsumer('listener');
      this.listeners ??= new Map();
      this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener as AnyListener]);
    }
    if (type === 'message' || type === 'fragment') this.wake();
    return () => this.off(type, listener as AnyListener);
  }

  /** Attaches a listener for each event named. */
  listen(listeners: Listeners): void {
    for (const [type, listener] of Object.entries(listeners)) {
      if (listener !== undefined) this.on(type as EventName, listener as Listener<EventName>);
    }
  }

  private off(type: EventName, listener: AnyListener): void {
    if (type === 'message') {
      const current = this.messageListeners;
      if (current === listener) {
        this.messageListeners = null;
      } else if (Array.isArray(current)) {
        const rest = without(current, listener);
        this.messageListeners = rest.length > 1 ? rest : (rest[0] ?? null);
      }
      return;
    }
    const rest = without(this.listeners?.get(type) ?? [], listener);
    if (rest.length > 0) this.listeners!.set(type, rest);
    else this.listeners?.delete(type);
  }

  /**
   * Messages one after the other; ends on a clean close, throws the failure on any other. Leaving the loop drops what is queued
   * for it, `maxQueuedMessages` at the most.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<MessageEvent, undefined> {
    this.checkConsumer('iterator');
    if (this.messages !== null) throw new UsageError('INVALID_STATE', 'messages already go to an iterator');
    const undo = () => {
      if (this.messages === queue) this.messages = null;
    };
    const queue = new ItemQueue<MessageEvent>(this.settings.maxQueuedMessages, () => this.wake(), undo);
    this.messages = queue;
    if (this.closeEvent !== null) queue.end(this.closeEvent.error);
    this.wake();
    return queue;
  }

  /**
   * Payload as it arrives, for `delivery: 'fragment'`.
   *
   * @throws UsageError when whole messages are delivered, or fragments already go elsewhere
   */
  fragments(): AsyncIterableIterator<FragmentEvent, undefined> {
    if (!this.settings.connection.byFragment) {
      throw new UsageError('INVALID_STATE', "fragments() needs the option delivery: 'fragment'");
    }
    this.checkConsumer('iterator');
    if (this.fragmentQueue !== null) throw new UsageError('INVALID_STATE', 'fragments already go to an iterator');
    const undo = () => {
      if (this.fragmentQueue === queue) this.fragmentQueue = null;
    };
    const queue = new ItemQueue<FragmentEvent>(this.settings.maxQueuedMessages, () => this.wake(), undo);
    this.fragmentQueue = queue;
    if (this.closeEvent !== null) queue.end(this.closeEvent.error);
    this.wake();
    return queue;
  }

  /** Stops taking events; soon the peer is held back too. */
  pause(): void {
    this.paused = true;
  }

  /** Takes events again; without any consumer they are dropped. */
  resume(): void {
    this.paused = false;
    this.flowing = true;
    this.wake();
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a message: strings as text, bytes as binary unless told otherwise. Bytes above 32 KiB are referenced by a server:
   * leave them unchanged until `drained()`.
   *
   * @throws UsageError for anything but strings and bytes, a lone surrogate, bytes as text that are not UTF-8
   */
  send(data: string | Bytes, options?: SendOptions): SendResult {
    const binary = options?.binary;
    if (binary !== undefined && typeof binary !== 'boolean') {
      throw new UsageError('INVALID_ARGUMENT', 'send: binary must be true or false');
    }
    if (typeof data === 'string' && binary !== true) return this.sendPayload(data, true, options);
    const bytes = typeof data === 'string' ? this.encode(data) : toBytes(data, 'what is sent');
    return this.sendPayload(bytes, binary === false, options);
  }

  private sendPayload(data: string | Uint8Array, isText: boolean, options?: SendOptions): SendResult {
    const { connection } = this;
    if (connection.readyState !== 'open' || this.stream?.closing === true)
      return refused('not-open', data.length, false);
    if (this.stream !== null) return this.queueBehindStream(this.stream, data, isText, options);
    const engineOptions = options?.compress === undefined && options?.fragmentSize === undefined ? undefined : options;
    const wireSize = isText
      ? connection.sendText(data, engineOptions)
      : connection.sendBinary(data as Uint8Array, engineOptions);
    this.driver.touch();
    if (wireSize === 0) return this.overflowed(data.length);
    this.messagesSent++;
    const writable = connection.bufferedAmount < this.settings.highWaterMark;
    if (!writable) this.full = true;
    const payloadSize = typeof data === 'string' ? this.payloadSize(wireSize, data, engineOptions) : data.length;
    return { success: true, code: null, payloadSize, wireSize, compressionError: false, writable };
  }

  /** Whoever was refused waits for `drain`, even where `maxBufferedAmount` is below `highWaterMark`. */
  private overflowed(payloadSize: number): SendResult {
    if (this.connection.readyState === 'open') this.full = true;
    return refused('overflow', payloadSize, false);
  }

  private payloadSize(wireSize: number, text: string, options: SendOptions | undefined): number {
    if (options !== undefined || !this.connection.sendsWhole) return this.settings.connection.text.byteLength(text);
    const masked = this.connection.role === 'client' ? 4 : 0;
    const bare = wireSize - masked;
    return bare - (bare < 128 ? 2 : bare < 65_540 ? 4 : 10);
  }

  private queueBehindStream(
    stream: OutgoingStream,
    data: string | Uint8Array,
    isText: boolean,
    options?: SendOptions,
  ): SendResult {
    checkFragmentSize(options?.fragmentSize);
    const bytes = typeof data === 'string' ? this.encode(data) : data.slice();
    if (isText && typeof data !== 'string' && !this.settings.connection.text.isValid(bytes, 0, bytes.length)) {
      throw new UsageError('INVALID_ARGUMENT', 'the bytes to send as text are not UTF-8: send them as binary');
    }
    if (this.bufferedAmount >= this.settings.connection.maxBufferedAmount)
      return refused('overflow', bytes.length, false);
    const wireSize = headerSize(bytes.length, this.connection.role === 'client') + bytes.length;
    const queued: Queued = { bytes, isText, options: options ?? null, wireSize };
    stream.queue(queued);
    this.full = true;
    return {
      success: true,
      code: null,
      payloadSize: bytes.length,
      wireSize,
      compressionError: false,
      writable: this.writable,
    };
  }

  /**
   * Sends one message in fragments as `source` yields them. Other messages queue behind it. A source that throws fails the
   * connection with 1011.
   *
   * @returns the result when the last fragment is queued; `success: false` if the connection ended first
   * @throws UsageError when the arguments are wrong or another stream is open
   */
  sendStream(kind: 'text' | 'binary', source: StreamSource): Promise<SendResult> {
    if (kind !== 'text' && kind !== 'binary')
      throw new UsageError('INVALID_ARGUMENT', "sendStream: kind must be 'text' or 'binary'");
    if (this.stream !== null)
      throw new UsageError('INVALID_STATE', 'a stream is open already: wait until it has ended');
    if (this.connection.readyState !== 'open') return Promise.resolve(refused('not-open', 0, false));
    const stream = new OutgoingStream(this.connection, this.settings.connection.text, {
      touch: () => this.driver.touch(),
      drained: () => this.belowMark(),
    });
    this.stream = stream;
    return stream.run(kind, source).then(
      (sent) => {
        this.endStream(stream);
        if (sent === null) return refused('not-open', 0, false);
        this.messagesSent++;
        return { success: true, code: null, ...sent, compressionError: false, writable: this.writable };
      },
      (error: unknown) => {
        this.stream = null;
        if (this.connection.readyState !== 'closed') this.connection.fail(this.environment.clock.now(), error);
        this.driver.turn();
        throw error;
      },
    );
  }

  private endStream(stream: OutgoingStream): void {
    if (this.stream !== stream) return;
    this.stream = null;
    const open = this.connection.readyState === 'open';
    for (const { bytes, isText, options } of stream.takeQueued()) {
      if (this.connection.readyState !== 'open') break;
      if (isText) this.connection.sendText(bytes, options ?? undefined);
      else this.connection.sendBinary(bytes, options ?? undefined);
      this.messagesSent++;
    }
    const { closeWith } = stream;
    if (open && closeWith !== null)
      this.connection.close(this.environment.clock.now(), closeWith.code, closeWith.reason);
    this.driver.touch();
  }

  /**
   * Sends a ping. Do not await it inside a message listener: the pong waits in line behind the listener's own promise, unless
   * `concurrency` is above 1.
   *
   * @returns the round-trip time in milliseconds, or null if the connection ends first
   * @throws UsageError when the payload is longer than 125 bytes
   */
  ping(payload?: string | Bytes): Promise<number | null> {
    const { connection } = this;
    const bytes =
      payload === undefined
        ? this.nextPingPayload()
        : typeof payload === 'string'
          ? this.encode(payload)
          : toBytes(payload, 'a ping');
    if (bytes.length > 125)
      throw new UsageError('INVALID_ARGUMENT', `the payload of a ping is at most 125 bytes, not ${bytes.length}`);
    if (connection.readyState !== 'open') return Promise.resolve(null);
    const sentAt = this.environment.clock.now();
    connection.ping(sentAt, bytes);
    this.driver.touch();
    return new Promise((resolve) => {
      this.pings ??= [];
      this.pings.push({ payload: bytes.slice(), sentAt, resolve });
    });
  }

  /** Sends a pong that nobody asked for, or the answer that `autoPong: false` leaves to you; false if not open. */
  pong(payload: string | Bytes = ''): boolean {
    const bytes = typeof payload === 'string' ? this.encode(payload) : toBytes(payload, 'a pong');
    if (bytes.length > 125)
      throw new UsageError('INVALID_ARGUMENT', `the payload of a pong is at most 125 bytes, not ${bytes.length}`);
    if (this.connection.readyState !== 'open') return false;
    this.connection.pong(bytes);
    this.driver.touch();
    return true;
  }

  /** Resolves with true when everything sent so far is written, with false if the connection ends first. */
  drained(): Promise<boolean> {
    if (this.bufferedAmount === 0) return Promise.resolve(this.closeEvent === null);
    return new Promise((resolve) => {
      this.drainWaiters ??= [];
      this.drainWaiters.push(resolve);
    });
  }

  /** For a stream: what queues behind it must not keep it waiting. */
  private belowMark(): Promise<boolean> {
    if (this.connection.bufferedAmount < this.settings.highWaterMark) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.streamWaiter = resolve;
    });
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends what is queued, performs the closing handshake, and resolves with how the connection ended.
   *
   * @throws UsageError when the code may not be sent or the reason is longer than 123 bytes
   */
  close(code = 1000, reason = ''): Promise<CloseEvent> {
    encodeClosePayload(code, reason);
    const { closed } = this;
    const now = this.environment.clock.now();
    if (this.stream !== null && this.connection.readyState === 'open') {
      this.stream.closeAfter(code, reason, this.environment.clock, this.settings.connection.closeTimeout, () => {
        this.connection.close(this.environment.clock.now(), code, reason);
        this.driver.turn();
      });
    } else {
      this.connection.close(now, code, reason);
      this.driver.touch();
    }
    return closed;
  }

  /** Drops the connection without a closing handshake. */
  terminate(): void {
    this.connection.terminate(this.environment.clock.now());
    this.driver.turn();
  }

  /** Closes with 1000 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Keeps the process alive while the connection is open (the default). */
  ref(): this {
    this.transport.ref();
    return this;
  }

  /** Lets the process end although the connection is open. */
  unref(): this {
    this.transport.unref();
    return this;
  }

  // ── for the driver and the owner ───────────────────────────────────────────────────────────────────────────────────

  /** @hidden */
  get ready(): boolean {
    // A listener that awaits close() must not hold back the very Close it waits for.
    if (this.pending >= this.settings.concurrency) return this.connection.readyState !== 'open';
    const held = this.paused || this.messages?.full === true || this.fragmentQueue?.full === true;
    // What ends must be told, whoever is not listening.
    if (held) return this.connection.readyState !== 'open';
    return this.unclaimed === null || this.connection.readyState !== 'open';
  }

  /** @hidden */
  take(event: ConnectionEvent): void {
    if (this.unclaimed !== null) this.claim();
    switch (event.type) {
      case 'message':
        if (this.withheld(event)) break;
        this.messagesReceived++;
        if (this.messages !== null) this.messages.push(event);
        else if (typeof this.messageListeners === 'function') this.call(this.messageListeners, event, 'message');
        else if (this.messageListeners !== null)
          for (const each of this.messageListeners) this.call(each, event, 'message');
        break;
      case 'fragment':
        if (this.withheld(event)) break;
        if (event.last) this.messagesReceived++;
        if (this.fragmentQueue !== null) this.fragmentQueue.push(event);
        else this.emit('fragment', event);
        break;
      case 'request':
        this.takeRequest(event);
        break;
      case 'open':
        this.subprotocol = event.subprotocol;
        this.extensions = event.extensions;
        if (this.connection.role === 'client') this.response = event.headers;
        this.host.opened?.(this);
        this.emit('open', event);
        break;
      case 'pong':
        this.settlePings(event.payload);
        if (event.latency !== null) this.latency = event.latency;
        this.emit('pong', event);
        break;
      case 'closing':
        break;
      case 'closed':
        this.finish(event);
        break;
      default:
        this.emit(event.type, event);
    }
  }

  /** @hidden */
  settleClaim(): void {
    if (!this.paused) this.driver.within(() => this.claim());
  }

  /** @hidden */
  progressed(): void {
    if (this.streamWaiter !== null && this.connection.bufferedAmount < this.settings.highWaterMark) {
      this.streamWaiter(true);
      this.streamWaiter = null;
    }
    if (!this.full && this.drainWaiters === null) return;
    if (this.bufferedAmount !== 0) return;
    const waiters = this.drainWaiters;
    this.drainWaiters = null;
    if (waiters !== null) for (const resolve of waiters) resolve(true);
    if (this.full) {
      this.full = false;
      this.emit('drain', DRAIN);
    }
  }

  /** @internal Sends frames that were encoded once for many; null if this connection's messages are changed on their way. */
  sendEncoded(frame: Uint8Array, payloadSize: number): SendResult | null {
    const { connection } = this;
    if (!connection.sendsPlain || this.stream !== null) return null;
    if (connection.readyState !== 'open') return refused('not-open', payloadSize, false);
    const wireSize = connection.sendEncoded(frame);
    this.driver.touch();
    if (wireSize === 0) return this.overflowed(payloadSize);
    this.messagesSent++;
    const { writable } = this;
    if (!writable) this.full = true;
    return { success: true, code: null, payloadSize, wireSize, compressionError: false, writable };
  }

  /** For shells: takes up events, and sends, after something was done to the connection itself. */
  wake(): void {
    if (this.unclaimed !== null) this.environment.clock.defer(claim, this);
    this.driver.touch();
  }

  /** @internal What a listener, handler or hook of the application threw. */
  report(error: unknown, event: EventName): void {
    const { onListenerError } = this.settings;
    if (onListenerError !== null && onListenerError !== undefined) {
      try {
        onListenerError(error, this, event);
        return;
      } catch (worse) {
        this.failApplication(worse);
        return;
      }
    }
    this.failApplication(error);
  }

  private failApplication(error: unknown): void {
    // What is thrown at the very end has no `error` event left to tell it.
    const told = this.listeners?.has('error') === true && this.connection.readyState !== 'closed';
    if (!told) this.environment.warn(new ApplicationError(error));
    this.connection.fail(this.environment.clock.now(), error);
    this.driver.touch();
  }

  /** Whether somebody takes messages or fragments, if only to drop them. */
  private get consumed(): boolean {
    return (
      this.messageListeners !== null ||
      this.messages !== null ||
      this.fragmentQueue !== null ||
      this.flowing ||
      this.connection.readyState !== 'open' ||
      this.listeners?.has('fragment') === true
    );
  }

  /** Whether nobody gets it now: it waits for a consumer, or nobody wants it any more (paused, and closing). */
  private withheld(event: MessageEvent | FragmentEvent): boolean {
    if (this.consumed) return this.paused;
    this.hold(event);
    return true;
  }

  /** The first message that nobody takes waits, and everything behind it: nothing is lost before the first listener. */
  private hold(event: MessageEvent | FragmentEvent): void {
    const { data } = event;
    // What is only lent must be copied to wait.
    const lent = this.settings.connection.borrow && typeof data !== 'string';
    const patience: Patience = new Patience(() => this.losePatience(patience));
    const at = this.environment.clock.now() + PATIENCE;
    this.unclaimed = { event: lent ? ({ ...event, data: data.slice() } as typeof event) : event, patience, at };
    this.environment.clock.schedule(patience, at);
  }

  private losePatience(patience: Patience): void {
    const { unclaimed, environment } = this;
    if (unclaimed?.patience !== patience) return;
    if (this.paused) {
      const at = environment.clock.now() + PATIENCE;
      this.unclaimed = { ...unclaimed, at };
      environment.clock.schedule(patience, at);
      return;
    }
    environment.warn(
      new UsageError(
        'INVALID_STATE',
        'messages come, but nobody takes them: listen to message, or call resume() to drop them',
      ),
    );
    this.flowing = true;
    this.wake();
  }

  /** Hands out what waited, or drops it when the connection is over. */
  private claim(): void {
    const { unclaimed } = this;
    if (unclaimed === null || !this.consumed) return;
    this.unclaimed = null;
    this.environment.clock.cancel(unclaimed.patience, unclaimed.at);
    this.take(unclaimed.event);
  }

  private takeRequest(event: RequestEvent): void {
    this.request = event.request;
    this.host.request?.(this, event.request);
  }

  private finish(event: ClosedEvent): void {
    const { code, reason, clean, remote, error } = event;
    const close: CloseEvent = { type: 'close', code, reason, clean, remote, error };
    this.closeEvent = close;
    if (this.unclaimed !== null) this.environment.clock.cancel(this.unclaimed.patience, this.unclaimed.at);
    this.unclaimed = null;
    this.stream?.abort();
    this.stream = null;
    const pings = this.pings ?? [];
    this.pings = null;
    for (const { resolve } of pings) resolve(null);
    const drains = this.drainWaiters ?? [];
    this.drainWaiters = null;
    for (const resolve of drains) resolve(false);
    this.streamWaiter?.(false);
    this.streamWaiter = null;
    this.messages?.end(error);
    this.fragmentQueue?.end(error);
    if (error !== null) this.emit('error', error);
    this.emit('close', close);
    const waiters = this.closeWaiters ?? [];
    this.closeWaiters = null;
    for (const resolve of waiters) resolve(close);
    this.host.closed?.(this, close);
  }

  private emit<Name extends EventName>(type: Name, event: EndpointEvents[Name]): void {
    const listeners = this.listeners?.get(type);
    if (listeners === undefined) return;
    for (const listener of listeners) this.call(listener, event, type);
  }

  private call(listener: AnyListener, event: unknown, type: EventName): void {
    try {
      const result = (listener as (event: unknown) => unknown)(event);
      if (result !== undefined && typeof (result as PromiseLike<unknown> | null)?.then === 'function') {
        this.waitFor(result as PromiseLike<unknown>, type);
      }
    } catch (error) {
      this.report(error, type);
    }
  }

  private waitFor(promise: PromiseLike<unknown>, type: EventName): void {
    this.pending++;
    const settled = () => {
      this.pending--;
      this.wake();
    };
    promise.then(settled, (error: unknown) => {
      this.report(error, type);
      settled();
    });
  }

  private checkConsumer(kind: 'listener' | 'iterator'): void {
    const iterating = this.messages !== null || this.fragmentQueue !== null;
    const listening = this.messageListeners !== null || this.listeners?.has('fragment') === true;
    if (iterating || (kind === 'iterator' && listening)) {
      throw new UsageError(
        'INVALID_STATE',
        `messages already go to ${iterating ? 'an iterator' : 'listeners'}: choose one`,
      );
    }
    if (kind === 'iterator' && this.settings.connection.borrow) {
      throw new UsageError('INVALID_STATE', "an iterator's messages would not last: borrow is for listeners only");
    }
  }

  private settlePings(payload: Uint8Array): void {
    const { pings } = this;
    if (pings === null) return;
    const index = pings.findLastIndex((ping) => sameBytes(ping.payload, payload));
    if (index < 0) return;
    const now = this.environment.clock.now();
    for (const { resolve, sentAt } of pings.splice(0, index + 1)) resolve(now - sentAt);
    if (pings.length === 0) this.pings = null;
  }

  private nextPingPayload(): Uint8Array {
    return this.connection.nextPingPayload();
  }

  private encode(text: string): Uint8Array {
    const codec = this.settings.connection.text;
    const size = codec.byteLength(text);
    if (size < 0) throw new UsageError('INVALID_ARGUMENT', 'the text has a lone surrogate and cannot be UTF-8');
    const bytes = new Uint8Array(size);
    codec.encodeInto(text, bytes, 0);
    return bytes;
  }
}

const EVENT_NAMES: ReadonlySet<string> = new Set<EventName>([
  'open',
  'message',
  'fragment',
  'progress',
  'ping',
  'pong',
  'drain',
  'error',
  'close',
]);
const NO_HEADERS = new Headers([]);

function refused(code: 'not-open' | 'overflow' | 'compression', payloadSize: number, writable: boolean): SendResult {
  return { success: false, code, payloadSize, wireSize: 0, compressionError: code === 'compression', writable };
}

function without<T>(list: readonly T[], item: T): T[] {
  const index = list.lastIndexOf(item);
  return index < 0 ? [...list] : [...list.slice(0, index), ...list.slice(index + 1)];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
