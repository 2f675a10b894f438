/**
 * Who takes what arrives: listeners, one iterator, or nobody yet. It decides whether another event is welcome, and keeps what
 * nobody has taken so far. It knows nothing of the protocol.
 */

import type { ConnectionEvent, FragmentEvent, MessageEvent } from '../connection/events.ts';
import type { ReadyState } from '../connection/state.ts';
import { type FailureError, UsageError } from '../errors.ts';
import type { Wakeable } from '../transport/transport.ts';
import type { EndpointEvents, EventName, Listener, Listeners } from './events.ts';
import { ItemQueue } from './item-queue.ts';
import type { EndpointSettings, Environment } from './options.ts';

/** What the inbox needs of its endpoint. */
export interface InboxOwner {
  readonly readyState: ReadyState;
  /** Events may be welcome again. */
  wake(): void;
  /** A listener threw, or its promise was rejected. */
  report(error: unknown, event: EventName): void;
}

type DataEvent = MessageEvent | FragmentEvent;
type AnyListener = (event: never) => unknown;

/** How long messages wait for somebody to take them: a handler that never listens must not hold connections for good. */
const PATIENCE = 1_000;

/** What came, and nobody has taken yet. */
interface Unclaimed {
  readonly events: DataEvent[];
  readonly patience: Patience;
  at: number;
}

class Patience implements Wakeable {
  readonly wake: () => void;

  constructor(wake: () => void) {
    this.wake = wake;
  }
}

/** Hands out the events of one endpoint. */
export class Inbox {
  /** Messages handed out, whole or to their last fragment. */
  received = 0;
  private readonly owner: InboxOwner;
  private readonly settings: EndpointSettings;
  private readonly environment: Environment;
  /** The listeners of `message` or `fragment`, whichever is delivered: one of them is the common case. */
  private dataListeners: AnyListener | AnyListener[] | null = null;
  private listeners: Map<EventName, AnyListener[]> | null = null;
  private queue: ItemQueue<DataEvent> | null = null;
  private unclaimed: Unclaimed | null = null;
  /** Promises of listeners that have not settled. */
  private pending = 0;
  private paused = false;
  /** What came while it was paused and closing is lost. */
  private dropping = false;
  /** Without a consumer, messages are dropped. */
  private flowing = false;
  private ended: { readonly error: FailureError | null } | null = null;

  constructor(owner: InboxOwner, settings: EndpointSettings, environment: Environment) {
    this.owner = owner;
    this.settings = settings;
    this.environment = environment;
  }

  // ── consumers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  on<Name extends EventName>(type: Name, listener: Listener<Name>): () => void {
    if (!EVENT_NAMES.has(type)) {
      throw new UsageError(
        'INVALID_ARGUMENT',
        `there is no event '${String(type)}'; there are ${[...EVENT_NAMES].join(', ')}`,
      );
    }
    if (typeof listener !== 'function') throw new UsageError('INVALID_ARGUMENT', 'a listener must be a function');
    const added = listener as AnyListener;
    if (type === 'message' || type === 'fragment') {
      this.checkDelivery(type, `on('${type}')`);
      this.checkFree('listener');
      this.flowing = false;
      const current = this.dataListeners;
      this.dataListeners = current === null ? added : [...(Array.isArray(current) ? current : [current]), added];
      this.owner.wake();
    } else {
      this.listeners ??= new Map();
      this.listeners.set(type, [...(this.listeners.get(type) ?? []), added]);
    }
    return () => this.off(type, added);
  }

  listen(listeners: Listeners): void {
    if (typeof listeners !== 'object' || listeners === null)
      throw new UsageError(
        'INVALID_ARGUMENT',
        'listen takes an object with a listener for each event: { message, close }',
      );
    for (const [type, listener] of Object.entries(listeners)) {
      if (listener !== undefined) this.on(type as EventName, listener as Listener<EventName>);
    }
  }

  private off(type: EventName, listener: AnyListener): void {
    if (type === 'message' || type === 'fragment') {
      const current = this.dataListeners;
      if (current === listener) {
        this.dataListeners = null;
      } else if (Array.isArray(current)) {
        const rest = without(current, listener);
        this.dataListeners = rest.length > 1 ? rest : (rest[0] ?? null);
      }
      return;
    }
    const rest = without(this.listeners?.get(type) ?? [], listener);
    if (rest.length > 0) this.listeners!.set(type, rest);
    else this.listeners?.delete(type);
  }

  /** An iterator over messages or fragments. What it leaves behind goes to the next consumer. */
  iterate<T extends DataEvent>(type: T['type'], what: string): AsyncIterableIterator<T, undefined> {
    this.checkDelivery(type, what);
    this.checkFree('iterator');
    const queue = new ItemQueue<DataEvent>(
      this.settings.maxQueuedMessages,
      () => this.owner.wake(),
      (left) => {
        if (this.queue !== queue) return;
        this.queue = null;
        if (left.length > 0 && this.ended === null) this.keep(left);
      },
    );
    this.queue = queue;
    this.flowing = false;
    if (this.ended !== null) queue.end(this.ended.error);
    this.owner.wake();
    return queue as AsyncIterableIterator<DataEvent, undefined> as AsyncIterableIterator<T, undefined>;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.flowing = this.dataListeners === null && this.queue === null;
    this.owner.wake();
  }

  /** Whether somebody listens to `type`. */
  hears(type: EventName): boolean {
    return this.listeners?.has(type) === true;
  }

  private checkDelivery(type: DataEvent['type'], what: string): void {
    const byFragment = this.settings.connection.byFragment;
    if (byFragment === (type === 'fragment')) return;
    throw new UsageError('INVALID_STATE', `${what} needs the option delivery: '${type}'`);
  }

  private checkFree(kind: 'listener' | 'iterator'): void {
    const iterating = this.queue !== null;
    if (iterating || (kind === 'iterator' && this.dataListeners !== null)) {
      throw new UsageError(
        'INVALID_STATE',
        `messages already go to ${iterating ? 'an iterator' : 'listeners'}: choose one`,
      );
    }
    if (kind === 'iterator' && this.settings.connection.borrow) {
      throw new UsageError('INVALID_STATE', "an iterator's messages would not last: borrow is for listeners only");
    }
  }

  // ── events ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether another event is welcome. What ends must be told, whoever is not listening. */
  get ready(): boolean {
    return (this.unclaimed === null && this.free) || this.owner.readyState !== 'open';
  }

  private get free(): boolean {
    return this.pending < this.settings.concurrency && !this.paused && this.queue?.full !== true;
  }

  /** A message or fragment came. */
  data(event: DataEvent): void {
    if (this.unclaimed !== null) this.claim();
    if (!this.consumed) this.keep([event]);
    else this.offer(event);
  }

  /** Paused, and closing: nobody wants it any more, nor what comes behind it, for there must be no hole. */
  private offer(event: DataEvent): void {
    if (this.paused) this.dropping = true;
    if (!this.dropping) this.deliver(event);
  }

  private deliver(event: DataEvent): void {
    if (event.type === 'message' || event.last) this.received++;
    const { dataListeners } = this;
    if (this.queue !== null) this.queue.push(event);
    else if (typeof dataListeners === 'function') this.call(dataListeners, event, event.type);
    else if (dataListeners !== null) for (const each of dataListeners) this.call(each, event, event.type);
  }

  /** Any other event came. */
  emit<Name extends EventName>(type: Name, event: EndpointEvents[Name]): void {
    if (this.unclaimed !== null) this.claim();
    const listeners = this.listeners?.get(type);
    if (listeners === undefined) return;
    for (const listener of listeners) this.call(listener, event, type);
  }

  /** The connection is over: iterators end, and what nobody took is dropped. */
  end(error: FailureError | null): void {
    this.ended = { error };
    this.forget();
    this.queue?.end(error);
  }

  private call(listener: AnyListener, event: unknown, type: EventName): void {
    try {
      const result = (listener as (event: unknown) => unknown)(event);
      if (result !== undefined && typeof (result as PromiseLike<unknown> | null)?.then === 'function') {
        this.waitFor(result as PromiseLike<unknown>, type);
      }
    } catch (error) {
      this.owner.report(error, type);
    }
  }

  private waitFor(promise: PromiseLike<unknown>, type: EventName): void {
    this.pending++;
    const settled = () => {
      this.pending--;
      this.owner.wake();
    };
    promise.then(settled, (error: unknown) => {
      this.owner.report(error, type);
      settled();
    });
  }

  // ── what nobody has taken ──────────────────────────────────────────────────────────────────────────────────────────

  /** Whether something waits for a consumer. */
  get holds(): boolean {
    return this.unclaimed !== null;
  }

  /** Whether somebody takes messages, if only to drop them. */
  private get consumed(): boolean {
    return this.dataListeners !== null || this.queue !== null || this.flowing || this.owner.readyState !== 'open';
  }

  /** They wait, and everything behind them: nothing is lost before the first listener, or between two consumers. */
  private keep(events: readonly DataEvent[]): void {
    if (this.unclaimed !== null) {
      this.unclaimed.events.unshift(...events);
      return;
    }
    const { clock } = this.environment;
    const patience: Patience = new Patience(() => this.losePatience(patience));
    const at = clock.now() + PATIENCE;
    this.unclaimed = { events: this.settings.connection.borrow ? events.map(owned) : [...events], patience, at };
    clock.schedule(patience, at);
  }

  private losePatience(patience: Patience): void {
    const { unclaimed, environment } = this;
    if (unclaimed?.patience !== patience) return;
    if (this.paused) {
      unclaimed.at = environment.clock.now() + PATIENCE;
      environment.clock.schedule(patience, unclaimed.at);
      return;
    }
    environment.warn(
      new UsageError(
        'INVALID_STATE',
        'messages come, but nobody takes them: listen to message, or call resume() to drop them',
      ),
    );
    this.flowing = true;
    this.owner.wake();
  }

  /** Hands out what waited, as far as somebody takes it. */
  claim(): void {
    const { unclaimed } = this;
    if (unclaimed === null) return;
    while (unclaimed.events.length > 0 && this.consumed && (this.free || this.owner.readyState !== 'open')) {
      const event = unclaimed.events.shift()!;
      this.offer(event);
    }
    if (unclaimed.events.length === 0 && this.unclaimed === unclaimed) this.forget();
  }

  private forget(): void {
    const { unclaimed } = this;
    if (unclaimed === null) return;
    this.unclaimed = null;
    this.environment.clock.cancel(unclaimed.patience, unclaimed.at);
  }
}

/** What is only lent must be copied to wait. */
function owned<T extends ConnectionEvent & { data: string | Uint8Array }>(event: T): T {
  const { data } = event;
  return typeof data === 'string' ? event : { ...event, data: data.slice() };
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

function without<T>(list: readonly T[], item: T): T[] {
  const index = list.lastIndexOf(item);
  return index < 0 ? [...list] : [...list.slice(0, index), ...list.slice(index + 1)];
}
