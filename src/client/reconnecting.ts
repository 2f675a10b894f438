/**
 * A client that outlives its connections: it dials, waits and dials again, and keeps what is to be sent meanwhile. Time,
 * chance and dialling are lent by a shell; it knows no socket.
 */

import { checkClose } from '../codec/close-payload.ts';
import { CONNECTION_RULES, checkRecord } from '../connection/options.ts';
import type { Endpoint, Statistics } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import type { SendOptions, SendResult } from '../endpoint/outbox.ts';
import type { Bytes } from '../endpoint/payload.ts';
import { ApplicationError, type FailureError, TransportError, UsageError } from '../errors.ts';
import type { Wakeable } from '../transport/transport.ts';
import { Audience } from './audience.ts';
import { type Ending, endingOf, endingOfClose, isOwnClose, waitAfter } from './backoff.ts';
import type { AttemptHandle, AttemptSink, ClientShell, UrlLike } from './client-shell.ts';
import { Dispatch } from './dispatch.ts';
import type { ClientEventName, ClientInfo, ClientListener, ClientState, StartStatus } from './reconnect-events.ts';
import { type ReconnectingOptions, type ReconnectRule, readReconnect } from './reconnect-options.ts';
import { failedStatus, NO_TRAFFIC, openedStatus, sumOf } from './status.ts';

/** A client that connects again. */
export class Reconnecting<Options extends ReconnectingOptions> implements Wakeable, AsyncDisposable {
  /** A place for the application's own data about this client. */
  context: unknown = undefined;
  private readonly shell: ClientShell;
  private given: Options & { readonly url: string };
  private dial: (sink: AttemptSink) => AttemptHandle;
  private rule: ReconnectRule | null;
  private readonly audience: Audience;
  private readonly dispatch: Dispatch;
  private current: ClientState = 'stopped';
  private attempt: AttemptHandle | null = null;
  private endpoint: Endpoint | null = null;
  private failures = 0;
  private openedAt = 0;
  /** Of the connections that have ended. */
  private past: Statistics = NO_TRAFFIC;
  private wakeAt = 0;
  private referenced = true;
  private release: (() => void) | null = null;
  private starting: Promise<StartStatus> | null = null;
  private started: ((status: StartStatus) => void) | null = null;
  /** The predicate runs: what it brings about is done when it has answered. */
  private deciding = false;
  /** How often it was told to stop. */
  private stops = 0;
  private stopping: Promise<CloseEvent | null> | null = null;
  private stopped: ((event: CloseEvent | null) => void) | null = null;

  /**
   * Nothing is dialled before `start()`.
   *
   * @throws UsageError for a URL or an option that is wrong
   */
  constructor(url: UrlLike, options: Options, shell: ClientShell) {
    checkRecord(options, 'client');
    if ('url' in options) throw new UsageError('INVALID_OPTION', "client: 'url' is the first argument, and no option");
    this.shell = shell;
    const report = (error: unknown) => this.report(error);
    this.audience = new Audience(report, () => this.given.delivery);
    const { clock } = shell.environment;
    this.dispatch = new Dispatch(clock, {
      dropped: ({ data, size }) => {
        // Kept for nobody, what makes room in one turn would be as much as was ever sent.
        if (!this.audience.hears('drop')) return;
        this.audience.queue({ type: 'drop', data, payloadSize: size });
        clock.defer(tell, this.audience);
      },
      report,
    });
    this.given = { ...options, url: textOf(url) };
    [this.dial, this.rule] = this.read(this.given);
    this.audience.listen(options, this);
  }

  // ── what can be asked ──────────────────────────────────────────────────────────────────────────────────────────────

  /** What it is doing. */
  get state(): ClientState {
    return this.current;
  }

  /** The connection that is open, or null. It is another after each `open`. */
  get socket(): Endpoint | null {
    return this.endpoint;
  }

  /** The URL it connects to. */
  get url(): string {
    return this.given.url;
  }

  /** The round-trip time of the last answered ping of this connection in milliseconds, or null. */
  get latency(): number | null {
    return this.endpoint?.latency ?? null;
  }

  /** Counters since it was created, over all connections that opened. */
  get statistics(): Statistics {
    return this.endpoint === null ? this.past : sumOf(this.past, this.endpoint.statistics);
  }

  /** What it is and does just now. */
  get info(): ClientInfo {
    const { current, rule, endpoint } = this;
    const { queue } = this.dispatch;
    const { pingInterval = CONNECTION_RULES.pingInterval.default } = this.given;
    const closed = current === 'stopped';
    return {
      state: current,
      readyState: closed ? 'closed' : current === 'stopping' ? 'closing' : (endpoint?.readyState ?? 'connecting'),
      url: this.url,
      reconnect: rule !== null,
      maxWait: rule?.maxWait ?? null,
      pingInterval,
      extensions: endpoint?.extensions ?? '',
      retries: this.failures,
      waitTime: current === 'waiting' ? Math.max(0, this.wakeAt - this.shell.environment.clock.now()) : null,
      bufferedAmount: endpoint?.bufferedAmount ?? 0,
      queuedMessages: queue.length,
      queuedBytes: queue.bytes,
      droppedMessages: queue.dropped,
    };
  }

  // ── life ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Changes the URL or options, those that are named; `undefined` gives one its default.
   *
   * @throws UsageError unless it is stopped, or for what is wrong; nothing has changed then
   */
  configure(changes: Partial<Options> & { readonly url?: UrlLike }): this {
    if (this.current !== 'stopped') {
      throw new UsageError('INVALID_STATE', `the client is ${this.current}: stop it before its options change`);
    }
    checkRecord(changes, 'configure');
    if (changes.on !== undefined || changes.onEvent !== undefined) {
      throw new UsageError('INVALID_OPTION', 'configure: listeners are attached with on()');
    }
    const given = { ...this.given, ...changes, url: changes.url === undefined ? this.given.url : textOf(changes.url) };
    [this.dial, this.rule] = this.read(given);
    this.given = given;
    return this;
  }

  /**
   * Connects, and from then on again whenever the connection is lost. Starting what is started changes nothing.
   *
   * @returns how the first attempt ended, as soon as it did; never rejects. `waitTime` says whether others follow
   */
  start(): Promise<StartStatus> {
    if (this.stopping !== null) return this.startAfter(this.stopping);
    if (this.starting !== null) return this.starting;
    const { signal } = this.given;
    if (signal?.aborted === true) {
      return Promise.resolve(failedStatus(this.url, new TransportError('TERMINATED', signal.reason), null));
    }
    signal?.addEventListener('abort', this.onAbort);
    const starting = new Promise<StartStatus>((resolve) => {
      this.started = resolve;
    });
    this.starting = starting;
    this.failures = 0;
    this.connect();
    return starting;
  }

  /**
   * Ends a wait or an attempt at once, and an open connection with a closing handshake, what is queued first, as fast as the
   * connection takes it. What has not been handed to it within `closeTimeout` is dropped.
   *
   * @returns how the connection ended, when it is gone; null if none was open
   * @throws UsageError when the code may not be sent or the reason is longer than 123 bytes
   */
  stop(code = 1000, reason = ''): Promise<CloseEvent | null> {
    checkClose(code, reason);
    this.stops++;
    if (this.stopping !== null) return this.stopping;
    const { endpoint } = this;
    if (endpoint === null && !this.deciding) {
      this.attempt?.abandon();
      const { signal } = this.given;
      const why = new TransportError('TERMINATED', signal?.aborted === true ? signal.reason : undefined);
      if (this.current !== 'stopped') this.finish(null, why);
      return Promise.resolve(null);
    }
    this.current = 'stopping';
    const stopping = new Promise<CloseEvent | null>((resolve) => {
      this.stopped = resolve;
    });
    this.stopping = stopping;
    if (endpoint !== null) {
      const { closeTimeout = CONNECTION_RULES.closeTimeout.default } = this.given;
      this.dispatch.closeBehind(() => endpoint.close(code, reason), closeTimeout ?? Number.POSITIVE_INFINITY);
    }
    return stopping;
  }

  /** Stops, and forgets all listeners at once: nothing is told any more. */
  async clear(): Promise<void> {
    this.audience.forget();
    this.dispatch.queue.clear();
    await this.stop();
  }

  /**
   * To be called when the machine has another network, or woke up: a wait ends at once, an attempt begins anew, and an open
   * connection is pinged, so that a dead one is found within `pongTimeout`.
   */
  networkChanged(): void {
    if (this.current === 'waiting') {
      this.disarm();
      this.connect();
    } else if (this.attempt !== null) {
      this.attempt.abandon();
      this.connect();
    } else if (this.current === 'open') {
      void this.endpoint?.ping();
    }
  }

  /** Stops with 1000 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Keeps the process alive until it is stopped (the default). */
  ref(): this {
    this.referenced = true;
    this.attempt?.ref();
    this.endpoint?.ref();
    if (this.current === 'waiting') this.release ??= this.shell.environment.clock.hold?.() ?? null;
    return this;
  }

  /** Lets the process end although it is started. */
  unref(): this {
    this.referenced = false;
    this.attempt?.unref();
    this.endpoint?.unref();
    this.letGo();
    return this;
  }

  // ── messages and events ────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Sends a message, or queues it while no connection takes it: `wireSize` is 0 then. Each message is handed to one connection
   * at the most; what that one loses is not sent again. One that is queued and handed to none is told as `drop`.
   *
   * @returns `success: false` when it is stopped, or the queue is full or off
   * @throws UsageError as `Endpoint.send` does
   */
  send(data: string | Bytes, options?: SendOptions): SendResult {
    return this.dispatch.send(data, options, this.current !== 'stopped' && this.current !== 'stopping');
  }

  /** Pings over the connection that is open; the round-trip time in milliseconds, or null. */
  ping(payload?: string | Bytes): Promise<number | null> {
    return this.endpoint?.ping(payload) ?? Promise.resolve(null);
  }

  /**
   * Listens to an event of this and all further connections; the returned function undoes it.
   *
   * @throws UsageError when the event does not exist, messages already go to an iterator, or `delivery` is of the other kind
   */
  on<Name extends ClientEventName>(type: Name, listener: ClientListener<Name>): () => void {
    return this.audience.add(type, listener);
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @hidden The wait is over. */
  wake(): void {
    if (this.current !== 'waiting') return;
    const { clock } = this.shell.environment;
    if (clock.now() < this.wakeAt) {
      clock.schedule(this, this.wakeAt);
      return;
    }
    this.letGo();
    this.connect();
  }

  private read(given: Options & { readonly url: string }): [Reconnecting<Options>['dial'], ReconnectRule | null] {
    const { url, reconnect: _, signal: __, on: ___, onEvent: ____, queue = {}, ...rest } = given;
    const rule = readReconnect(given);
    const dial = this.shell.prepare(url, rest);
    this.audience.checkDelivery(given.delivery);
    this.dispatch.queue.configure(queue, 'client: queue');
    return [dial, rule];
  }

  /** Starts when it has stopped, unless it is told to stop once more: the last word counts. */
  private async startAfter(stopping: Promise<unknown>): Promise<StartStatus> {
    const { stops } = this;
    await stopping;
    return stops === this.stops ? this.start() : failedStatus(this.url, new TransportError('TERMINATED'), null);
  }

  private connect(): void {
    this.current = 'connecting';
    const sink: AttemptSink = {
      // A shell that reports what was abandoned is not heard.
      opened: (endpoint) => (attempt === this.attempt ? this.opened(endpoint) : endpoint.terminate()),
      failed: (error) => {
        if (attempt === this.attempt) this.ended(endingOf(error), null);
      },
    };
    let attempt: AttemptHandle | undefined;
    try {
      attempt = this.dial(sink);
    } catch (error) {
      // It was checked before, and nobody is there to catch it: what cannot be dialled now cannot be dialled later.
      this.ended(endingOf(new TransportError('CONNECT_FAILED', error)), null, true);
      return;
    }
    this.attempt = attempt;
    if (!this.referenced) attempt.unref();
  }

  private opened(endpoint: Endpoint): void {
    this.attempt = null;
    this.endpoint = endpoint;
    this.current = 'open';
    this.openedAt = this.shell.environment.clock.now();
    if (!this.referenced) endpoint.unref();
    this.dispatch.attach(endpoint);
    this.audience.attach(endpoint, this.url, this.failures);
    // The last of the listeners to `open`.
    endpoint.on('open', () => {
      this.settleStart(openedStatus(this.url, endpoint));
      this.dispatch.greeted();
    });
    endpoint.on('close', (event) => this.ended(endingOfClose(event), event));
  }

  /** An attempt failed, or a connection that was open ended; `final`: there is no use in another. */
  private ended(ending: Ending, close: CloseEvent | null, final = false): void {
    const { clock } = this.shell.environment;
    const now = clock.now();
    const closeQueued = this.endpoint?.connection.closeQueued === true;
    this.audience.detach();
    this.past = this.statistics;
    this.attempt = null;
    this.endpoint = null;
    this.dispatch.detach();
    if (close !== null && this.rule !== null && now - this.openedAt >= this.rule.stableAfter) this.failures = 0;
    const own = this.current === 'stopping' || (close !== null && isOwnClose(close, closeQueued));
    if (!own) this.failures++;
    const wait = own || final ? null : this.nextWait(ending);
    // The predicate may have stopped the client itself.
    const ours = own || this.current === 'stopping';
    const waitTime = ours ? null : wait;
    if (waitTime !== null) {
      this.current = 'waiting';
      this.wakeAt = now + waitTime;
      clock.schedule(this, this.wakeAt);
      if (this.referenced) this.release = clock.hold?.() ?? null;
    }
    const { failures: retries } = this;
    const { error } = ending;
    // All is settled before listeners are told, whatever they do then.
    if (error !== null) {
      const { code, message: reason } = error;
      const decompressionError = code === 'DEFLATE_CORRUPT';
      const { httpStatus } = ending;
      this.audience.queue({ type: 'error', error, code, reason, httpStatus, decompressionError, retries, waitTime });
    }
    if (close !== null) this.audience.queue({ ...close, retries, waitTime });
    if (waitTime === null) {
      this.finish(close, ours ? null : error);
    } else {
      if (error !== null) this.settleStart(failedStatus(this.url, error, waitTime));
      this.audience.tell();
    }
  }

  /** Milliseconds until the next attempt, or null if there is to be none. */
  private nextWait(ending: Ending): number | null {
    const { rule, shell } = this;
    if (rule === null || (rule.maxRetries !== null && this.failures > rule.maxRetries)) return null;
    let retry: unknown = false;
    this.deciding = true;
    try {
      retry = rule.retry(ending);
      if (typeof retry !== 'boolean') throw new UsageError('INVALID_OPTION', 'retry must answer true or false');
    } catch (error) {
      this.report(error);
    }
    this.deciding = false;
    return retry === true ? waitAfter(rule, this.failures, ending, shell.random(), shell.wallClock()) : null;
  }

  /** Nothing follows. `error` is told to whoever waits for the start. */
  private finish(close: CloseEvent | null, error: FailureError | null): void {
    const { stopped } = this;
    this.disarm();
    this.given.signal?.removeEventListener('abort', this.onAbort);
    this.current = 'stopped';
    this.attempt = null;
    this.dispatch.queue.clear();
    this.settleStart(failedStatus(this.url, error ?? new TransportError('TERMINATED'), null));
    this.starting = null;
    this.stopping = null;
    this.stopped = null;
    this.audience.queue({ type: 'stop', error: error?.code === 'TERMINATED' ? null : error });
    stopped?.(close);
    this.audience.tell();
  }

  private settleStart(status: StartStatus): void {
    this.started?.(status);
    this.started = null;
  }

  /** What the application threw where there was no connection to fail. */
  private report(error: unknown): void {
    this.shell.environment.warn(new ApplicationError(error));
  }

  private readonly onAbort = (): void => {
    void this.stop();
  };

  private disarm(): void {
    if (this.current === 'waiting') this.shell.environment.clock.cancel(this, this.wakeAt);
    this.letGo();
  }

  private letGo(): void {
    this.release?.();
    this.release = null;
  }
}

function tell(audience: Audience): void {
  audience.tell();
}

/** What a `URL` says now: it may say something else later. What is no URL is for the shell to refuse. */
function textOf(url: UrlLike): string {
  return typeof url === 'object' && url !== null ? url.href : url;
}
