/**
 * What came and waits for somebody to take it: in order, within a bound, and not for good. It knows neither who that is nor
 * what becomes of it.
 */

import type { FragmentEvent, MessageEvent, PingEvent, PongEvent, ProgressEvent } from '../connection/events.ts';
import type { Clock, Wakeable } from '../transport/transport.ts';
import type { CloseEvent } from './events.ts';

/** Events that keep their order. */
export type OrderedEvent = MessageEvent | FragmentEvent | ProgressEvent | PingEvent | PongEvent;
/** The same, and the end behind them. */
export type HeldEvent = OrderedEvent | CloseEvent;

/** One read of a transport, decoded: as much is taken in although nobody has asked for it. */
const ROOM = 65_536;
/** What an event takes besides its payload, about. */
const OVERHEAD = 128;
const NEVER = Number.POSITIVE_INFINITY;

/** A bounded line of events. */
export class Held implements Wakeable {
  private readonly events: HeldEvent[] = [];
  private readonly clock: Clock;
  private readonly expired: () => void;
  private size = 0;
  private patience = NEVER;
  private wakeAt = NEVER;

  /** `expired` is called when they have waited for too long. */
  constructor(clock: Clock, expired: () => void) {
    this.clock = clock;
    this.expired = expired;
  }

  get empty(): boolean {
    return this.events.length === 0;
  }

  /** Whether no more may come before some are taken. */
  get full(): boolean {
    return this.size >= ROOM;
  }

  push(event: HeldEvent): void {
    this.events.push(event);
    this.size += sizeOf(event);
  }

  /** Puts back what was taken, in front of everything else. */
  putBack(events: readonly OrderedEvent[]): void {
    this.events.unshift(...events);
    for (const event of events) this.size += sizeOf(event);
  }

  /** The next to be taken. There must be one. */
  get first(): HeldEvent {
    return this.events[0]!;
  }

  /** The first was taken: somebody is there, the wait is over. */
  shift(): void {
    this.rest();
    this.size -= sizeOf(this.events.shift()!);
  }

  /** Waits for `patience` milliseconds, or goes on if it does so already; `Infinity`: for good. */
  wait(patience: number): void {
    if (patience === this.patience) return;
    this.rest();
    if (patience === NEVER) return;
    this.patience = patience;
    this.wakeAt = this.clock.now() + patience;
    this.clock.schedule(this, this.wakeAt);
  }

  /** Whether its wait ends by itself. */
  get waits(): boolean {
    return this.wakeAt !== NEVER;
  }

  /** Ends the wait. */
  rest(): void {
    if (this.wakeAt !== NEVER) this.clock.cancel(this, this.wakeAt);
    this.patience = this.wakeAt = NEVER;
  }

  wake(): void {
    this.patience = this.wakeAt = NEVER;
    this.expired();
  }
}

function sizeOf(event: HeldEvent): number {
  if (event.type === 'message' || event.type === 'fragment') return OVERHEAD + event.data.length;
  return OVERHEAD;
}
