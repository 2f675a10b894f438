/**
 * Who takes what arrives: listeners, one iterator, or nobody yet. It decides whether another event is welcome, and holds what
 * nobody can take just now, in order, to the end of the connection. It knows nothing of the protocol.
 */

import type { FragmentEvent, MessageEvent, PingEvent, PongEvent, ProgressEvent } from '../connection/events.ts';
import { checkRecord } from '../connection/options.ts';
import type { ReadyState } from '../connection/state.ts';
import { UsageError } from '../errors.ts';
import type { CloseEvent, EndpointEvents, EventName, Listener, Listeners } from './events.ts';
import { Held, type HeldEvent, type OrderedEvent } from './held.ts';
import { ItemQueue } from './item-queue.ts';
import type { EndpointSettings, Environment } from './options.ts';

/** What the inbox needs of its endpoint. */
export interface InboxOwner {
  readonly readyState: ReadyState;
  /** Events may be welcome again. */
  wake(): void;
  /** A listener threw, or its promise was rejected. */
  report(error: unknown, event: EventName): void;
  /** Everything was told, the end too. */
  told(event: CloseEvent): void;
}

type DataEvent = MessageEvent | FragmentEvent;
type AnyListener = (event: never) => unknown;

const NOTHING: readonly DataEvent[] = [];

/** How long messages wait for somebody to take them: a handler that never listens must not hold connections for good. */
const PATIENCE = 1_000;

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
  /** What cannot be handed out yet: nobody takes messages, or who does is busy. */
  private held: Held | null = null;
  /** Promises of listeners that have not settled. */
  private pending = 0;
  private paused = false;
  /** What came while it was paused and closing is lost. */
  private dropping = false;
  /** Without a consumer, messages are dropped. */
  private flowing = false;
  /** We close, or nothing is left to wait for: promises do not count any more. */
  private hurried = false;
  /** How the connection ended. It is told behind what is held. */
  private ended: CloseEvent | null = null;
  private over = false;
  /** What an iterator left behind when all was told: for the next one. */
  private left: readonly DataEvent[] = NOTHING;

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
    let attached = true;
    return () => {
      // The same function may listen twice: each undo is for one of them, once.
      if (attached) this.off(type, added);
      attached = false;
    };
  }

  listen(listeners: Listeners): void {
    checkRecord(listeners, 'listen');
    const undo: (() => void)[] = [];
    try {
      for (const [type, listener] of Object.entries(listeners)) {
        if (listener !== undefined) undo.push(this.on(type as EventName, listener as Listener<EventName>));
      }
    } catch (error) {
      // All of them, or none.
      for (const each of undo) each();
      throw error;
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
        if (this.over) this.left = left;
        else if (left.length > 0) this.putBack(left);
      },
    );
    this.queue = queue;
    this.flowing = false;
    if (this.over) {
      for (const event of this.left) queue.push(event);
      this.left = NOTHING;
      queue.end(this.ended!.error);
    }
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
    const iterating = this.queue !== null && !this.queue.done;
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

  /**
   * Whether another event is welcome. While a listener's promise is pending, or nobody listens yet, what comes is held: pings
   * are answered, and pongs and the end are seen, as long as there is room. What ends must be told in any case.
   */
  get ready(): boolean {
    return (!this.paused && this.held?.full !== true) || this.owner.readyState !== 'open';
  }

  private get free(): boolean {
    return !this.busy && !this.paused && this.queue?.full !== true;
  }

  private get busy(): boolean {
    return this.pending >= this.settings.concurrency;
  }

  /** A message or fragment came. */
  data(event: DataEvent): void {
    if (this.held === null && this.free && this.consumed) this.offer(event);
    else this.hold(event);
  }

  /** A control frame came, or a part of a message. */
  other(event: PingEvent | PongEvent | ProgressEvent): void {
    if (this.held === null && this.free) this.emit(event.type, event);
    else if (this.hears(event.type) || !this.consumed) this.hold(event);
  }

  /** Paused, and we close: nobody wants it any more, nor what comes behind it, for there must be no hole. */
  private offer(event: DataEvent): void {
    if (this.hurried && this.paused) this.dropping = true;
    if (!this.dropping) this.deliver(event);
  }

  private deliver(event: DataEvent): void {
    if (isWhole(event)) this.received++;
    const { dataListeners } = this;
    if (this.queue !== null) this.queue.push(event);
    else if (typeof dataListeners === 'function') this.call(dataListeners, event, event.type);
    else if (dataListeners !== null) for (const each of dataListeners) this.call(each, event, event.type);
  }

  /** Any event for listeners, told at once. */
  emit<Name extends EventName>(type: Name, event: EndpointEvents[Name]): void {
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
      this.owner.report(error, type);
    }
  }

  private waitFor(promise: PromiseLike<unknown>, type: EventName): void {
    this.pending++;
    const settled = () => {
      this.pending--;
      this.owner.wake();
    };
    // What only resembles a promise may throw, or settle twice.
    Promise.resolve(promise).then(settled, (error: unknown) => {
      this.owner.report(error, type);
      settled();
    });
  }

  // ── what is held, and the end ──────────────────────────────────────────────────────────────────────────────────────

  /** Whether something waits to be handed out, if only the end. */
  get holds(): boolean {
    return this.held !== null;
  }

  /** Whether it waits only so long. */
  get waits(): boolean {
    return this.held?.waits === true;
  }

  /** Whether somebody takes messages, if only to drop them. */
  private get consumed(): boolean {
    return this.dataListeners !== null || this.queue !== null || this.flowing || this.hurried;
  }

  /** It waits, and everything behind it: nothing is lost before the first listener, or between two consumers. */
  private hold(event: OrderedEvent): void {
    this.line.push(this.settings.connection.borrow ? owned(event) : event);
    // Behind our Close the peer's must be reached, whoever is busy.
    if (this.owner.readyState !== 'open' && this.ended === null) this.hurried = true;
    this.claim();
  }

  private putBack(events: readonly DataEvent[]): void {
    for (const event of events) if (isWhole(event)) this.received--;
    this.line.putBack(events);
    this.owner.wake();
  }

  private get line(): Held {
    this.held ??= new Held(this.environment.clock, () => this.losePatience());
    return this.held;
  }

  /** Hands out what is held, as far as somebody takes it. */
  claim(): void {
    let { held } = this;
    while (held !== null) {
      const { first } = held;
      if (!this.takes(first)) {
        held.wait(this.patience(first));
        return;
      }
      held.shift();
      if (held.empty) this.held = null;
      if (first.type === 'close') this.tellEnd(first);
      else if (isData(first)) this.offer(first);
      else this.emit(first.type, first);
      held = this.held;
    }
  }

  /** Whether the first that is held can go. An iterator takes all that is left when there will be no more. */
  private takes(first: HeldEvent): boolean {
    if (this.hurried) return true;
    if (isData(first) && !this.consumed) return false;
    if (this.ended === null) return this.free;
    return this.queue !== null || (!this.busy && (first.type === 'close' || !this.paused));
  }

  /** How long it waits: for a first consumer, or at the end for one that is busy. */
  private patience(first: HeldEvent): number {
    if (isData(first) && !this.consumed) return this.busy && this.ended === null ? Number.POSITIVE_INFINITY : PATIENCE;
    if (this.ended === null || (this.paused && first.type !== 'close')) return Number.POSITIVE_INFINITY;
    return this.settings.connection.closeTimeout;
  }

  private losePatience(): void {
    const { held } = this;
    if (held === null) return;
    const { first } = held;
    if (this.paused && first.type !== 'close') {
      held.wait(this.patience(first));
      return;
    }
    if (isData(first) && !this.consumed) {
      this.environment.warn(
        new UsageError(
          'INVALID_STATE',
          'messages come, but nobody takes them: listen to message, or call resume() to drop them',
        ),
      );
      this.flowing = true;
    } else {
      // The connection is over, and a listener's promise does not settle.
      this.hurried = true;
    }
    this.owner.wake();
  }

  /** We close: what is held goes out at once, and so does the end when it comes. */
  hurry(): void {
    this.hurried = true;
    if (this.held !== null) this.owner.wake();
  }

  /** The application broke off: what is held is nobody's any more. */
  drop(): void {
    this.held?.rest();
    this.held = null;
    if (this.ended !== null && !this.over) this.line.push(this.ended);
    this.hurry();
  }

  /** The connection is over: that is told when all before it is handed out, and nobody is busy. */
  end(event: CloseEvent): void {
    this.ended = event;
    this.line.push(event);
    this.claim();
  }

  private tellEnd(event: CloseEvent): void {
    this.over = true;
    this.queue?.end(event.error);
    if (event.error !== null) this.emit('error', event.error);
    this.emit('close', event);
    this.owner.told(event);
  }
}

function isData(event: HeldEvent): event is DataEvent {
  return event.type === 'message' || event.type === 'fragment';
}

/** A message, or the last of its fragments. */
function isWhole(event: DataEvent): boolean {
  return event.type === 'message' || event.last;
}

/** What is only lent must be copied to wait. */
function owned(event: OrderedEvent): OrderedEvent {
  if (!isData(event) || typeof event.data === 'string') return event;
  return { ...event, data: event.data.slice() } as DataEvent;
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
