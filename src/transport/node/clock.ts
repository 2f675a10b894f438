/**
 * Node's monotonic clock, and wake-ups for any number of tasks from one timer: deadlines are collected in slots, so that ten
 * thousand idle connections cost one timer.
 */

import { performance } from 'node:perf_hooks';
import type { Clock, Wakeable } from '../transport.ts';

/** The width of a slot in milliseconds: how late a wake-up may be. */
const SLOT = 20;

/** A clock over `performance.now()` and one unreferenced timer. */
export class NodeClock implements Clock {
  private readonly slots: Map<number, Set<Wakeable>> = new Map();
  private timer: NodeJS.Timeout | null = null;
  private timerSlot: number = Number.POSITIVE_INFINITY;

  now(): number {
    return performance.now();
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
    if (slot < this.timerSlot) this.arm(slot);
  }

  cancel(task: Wakeable, at: number): void {
    const slot = Math.ceil(at / SLOT);
    const tasks = this.slots.get(slot);
    if (tasks === undefined) return;
    tasks.delete(task);
    if (tasks.size > 0) return;
    this.slots.delete(slot);
    if (this.slots.size === 0) this.disarm();
  }

  defer<T>(run: (argument: T) => void, argument: T): void {
    process.nextTick(run, argument);
  }

  yield<T>(run: (argument: T) => void, argument: T): void {
    setImmediate(run, argument);
  }

  private arm(slot: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timerSlot = slot;
    // The sockets keep the process alive; the timer need not.
    const delay = Math.min(Math.max(1, Math.ceil(slot * SLOT - performance.now())), 0x7fff_ffff);
    this.timer = setTimeout(() => this.fire(), delay).unref();
  }

  private disarm(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.timerSlot = Number.POSITIVE_INFINITY;
  }

  private fire(): void {
    this.timer = null;
    this.timerSlot = Number.POSITIVE_INFINITY;
    const now = performance.now();
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
    for (const task of due) task.wake();
    if (next < this.timerSlot && this.slots.size > 0) this.arm(next);
  }
}

/** The clock of this process. */
export const nodeClock: NodeClock = /* @__PURE__ */ new NodeClock();
