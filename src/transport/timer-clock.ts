/**
 * A clock over whatever timers a runtime has: deadlines are collected in slots, so that ten thousand idle connections cost
 * one timer.
 */

import type { Clock, Wakeable } from './transport.ts';

/** The width of a slot in milliseconds: how late a wake-up may be. */
const SLOT = 20;
/** The longest delay that the timers of all runtimes take: almost 25 days. */
export const LONGEST = 0x7fff_ffff;

/** What a runtime lends. */
export interface Timers {
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number;
  /** Calls `run` after `delay` milliseconds, a whole number, unless the function that it gives is called before. */
  readonly after: (run: () => void, delay: number) => () => void;
  /** Calls `run(argument)` when the current call stack has ended, as `queueMicrotask` does. */
  readonly defer: <T>(run: (argument: T) => void, argument: T) => void;
  /** Calls `run(argument)` after other pending input and output had a turn. */
  readonly yield: <T>(run: (argument: T) => void, argument: T) => void;
  /**
   * Keeps the process alive until the function that it gives is called: for timers of `after` that do not. Default: nothing
   * does.
   */
  readonly hold?: () => () => void;
}

/**
 * A clock of one timer.
 *
 * @example
 * const clock = new TimerClock({
 *   now: () => performance.now(),
 *   after(run, delay) {
 *     const timer = setTimeout(run, delay);
 *     return () => clearTimeout(timer);
 *   },
 *   defer: (run, argument) => queueMicrotask(() => run(argument)),
 *   yield: (run, argument) => setTimeout(run, 0, argument),
 * });
 */
export class TimerClock implements Clock {
  private readonly timers: Timers;
  private readonly slots: Map<number, Set<Wakeable>> = new Map();
  private disarm: (() => void) | null = null;
  private armed: number = Number.POSITIVE_INFINITY;
  private holders = 0;
  private letGo: () => void = nothing;

  /** See {@link Timers}. */
  constructor(timers: Timers) {
    this.timers = timers;
  }

  now(): number {
    return this.timers.now();
  }

  defer<T>(run: (argument: T) => void, argument: T): void {
    this.timers.defer(run, argument);
  }

  yield<T>(run: (argument: T) => void, argument: T): void {
    this.timers.yield(run, argument);
  }

  /** One hold of the process serves all who ask. */
  hold(): () => void {
    if (this.holders++ === 0) this.letGo = this.timers.hold?.() ?? nothing;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      if (--this.holders === 0) this.letGo();
    };
  }

  schedule(task: Wakeable, at: number): void {
    if (at === Number.POSITIVE_INFINITY) return;
    const slot = Math.ceil(at / SLOT);
    let tasks = this.slots.get(slot);
    if (tasks === undefined) {
      tasks = new Set();
      this.slots.set(slot, tasks);
    }
    tasks.add(task);
    if (slot < this.armed) this.arm(slot);
  }

  cancel(task: Wakeable, at: number): void {
    const slot = Math.ceil(at / SLOT);
    const tasks = this.slots.get(slot);
    if (tasks === undefined) return;
    tasks.delete(task);
    if (tasks.size > 0) return;
    this.slots.delete(slot);
    if (this.slots.size === 0) this.arm(Number.POSITIVE_INFINITY);
  }

  private arm(slot: number): void {
    this.disarm?.();
    this.armed = slot;
    const delay = Math.min(Math.max(1, Math.ceil(slot * SLOT - this.timers.now())), LONGEST);
    this.disarm = slot === Number.POSITIVE_INFINITY ? null : this.timers.after(() => this.fire(), delay);
  }

  private fire(): void {
    this.disarm = null;
    this.armed = Number.POSITIVE_INFINITY;
    const now = this.timers.now();
    const due: Wakeable[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [slot, tasks] of this.slots) {
      if (slot * SLOT <= now) {
        for (const task of tasks) due.push(task);
        this.slots.delete(slot);
      } else if (slot < next) {
        next = slot;
      }
    }
    // Whoever throws stops no deadline of the others: what comes later is armed before, and what was due too is due again.
    if (next < Number.POSITIVE_INFINITY) this.arm(next);
    let woken = 0;
    try {
      while (woken < due.length) due[woken++]!.wake();
    } finally {
      for (; woken < due.length; woken++) this.schedule(due[woken]!, now);
    }
  }
}

function nothing(): void {}
