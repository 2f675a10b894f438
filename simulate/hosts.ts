/**
 * Time in the simulated world, and the processes that live in it. Each host has an event loop of its own (timers, input, what
 * gave way), a clock that may jump, and can stand still while the others go on. A step is one task of one host.
 */

import type { Clock, Wakeable } from '../src/transport/transport.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** What all hosts share: the true time. */
export class WorldTime {
  now = 0;
}

interface Task {
  readonly run: (argument: never) => void;
  readonly argument: unknown;
}

/** Wake-ups by task; the earliest is remembered. */
class Alarms {
  private readonly times: Map<Wakeable, number> = new Map();
  private earliest = NEVER;
  private stale = false;

  get size(): number {
    return this.times.size;
  }

  get next(): number {
    if (this.stale) {
      this.earliest = NEVER;
      for (const at of this.times.values()) if (at < this.earliest) this.earliest = at;
      this.stale = false;
    }
    return this.earliest;
  }

  set(task: Wakeable, at: number): void {
    const before = this.times.get(task);
    if (before === this.earliest) this.stale = true;
    if (at === NEVER) {
      this.times.delete(task);
      return;
    }
    this.times.set(task, at);
    if (!this.stale && at < this.earliest) this.earliest = at;
  }

  cancel(task: Wakeable, at: number): void {
    if (this.times.get(task) === at) this.take(task);
  }

  due(now: number): Wakeable[] {
    const tasks: Wakeable[] = [];
    if (this.next <= now) for (const [task, at] of this.times) if (at <= now) tasks.push(task);
    return tasks;
  }

  /** Whether it is still set; then it is no more. */
  take(task: Wakeable): boolean {
    const at = this.times.get(task);
    if (at === undefined) return false;
    if (at === this.earliest) this.stale = true;
    return this.times.delete(task);
  }

  first(): Wakeable | null {
    for (const task of this.times.keys()) return task;
    return null;
  }

  has(task: Wakeable): boolean {
    return this.times.has(task);
  }

  names(): string[] {
    return [...this.times].map(([task, at]) => `${task.constructor.name} at ${at}`);
  }
}

/** One process: an event loop, and a clock that is its own. */
export class Host {
  readonly name: string;
  /** What endpoints get: it may jump. */
  readonly clock: Clock;
  /** What transports get: the network does not care about a host's clock. */
  readonly network: Clock;
  private readonly world: WorldTime;
  private readonly timers: Alarms = new Alarms();
  private readonly input: Alarms = new Alarms();
  private deferred: Task[] = [];
  private yielded: Task[] = [];
  private readonly batch: (Wakeable | Task)[] = [];
  private batchOf: 'timers' | 'input' | 'yielded' = 'yielded';
  private skew = 0;
  private frozenUntil = 0;

  constructor(name: string, world: WorldTime) {
    this.name = name;
    this.world = world;
    const { timers, input } = this;
    const defer = <T>(run: (argument: T) => void, argument: T): void => {
      this.deferred.push({ run, argument });
    };
    const later = <T>(run: (argument: T) => void, argument: T): void => {
      this.yielded.push({ run, argument });
    };
    this.clock = {
      now: () => world.now + this.skew,
      schedule: (task, at) => timers.set(task, at),
      cancel: (task, at) => timers.cancel(task, at),
      defer,
      yield: later,
    };
    this.network = {
      now: () => world.now,
      schedule: (task, at) => input.set(task, at),
      cancel: (task, at) => input.cancel(task, at),
      defer,
      yield: later,
    };
  }

  // ── faults ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The host's clock goes on, or back, by so many milliseconds at once; whole ones, so that sums are exact. */
  jump(by: number): void {
    this.skew += Math.trunc(by);
  }

  /** The event loop stands still: bytes and timers wait. */
  freeze(duration: number): void {
    this.frozenUntil = Math.max(this.frozenUntil, this.world.now + Math.trunc(duration));
  }

  /** A timer fires before it is due. */
  wakeEarly(): void {
    const task = this.timers.first();
    if (task !== null && this.timers.take(task)) task.wake();
  }

  // ── the event loop ─────────────────────────────────────────────────────────────────────────────────────────────────

  get frozen(): boolean {
    return this.frozenUntil > this.world.now;
  }

  /** Wake-ups that are set, and tasks that wait. */
  get pending(): number {
    return this.timers.size + this.input.size + this.deferred.length + this.yielded.length + this.batch.length;
  }

  /** Whether a timer of the task is set. */
  holds(task: Wakeable): boolean {
    return this.timers.has(task);
  }

  /** What is pending, for people. */
  get pendingNames(): string {
    const tasks = this.deferred.length + this.yielded.length + this.batch.length;
    return [...this.timers.names(), ...this.input.names(), ...(tasks > 0 ? [`${tasks} tasks`] : [])].join(', ');
  }

  /** When there is something to do next, in the world's time. */
  get nextAt(): number {
    const waits = this.deferred.length + this.yielded.length + this.batch.length > 0;
    const at = waits ? this.world.now : Math.min(this.timers.next - this.skew, this.input.next);
    return Math.max(at, this.frozenUntil);
  }

  /** Runs one task that is due; false if there is none. */
  step(): boolean {
    if (this.frozen) return false;
    if (this.deferred.length > 0) {
      const { run, argument } = this.deferred.shift()!;
      run(argument as never);
      return true;
    }
    for (let turns = 0; turns <= 3; turns++) {
      while (this.batch.length > 0) {
        if (this.runNext()) return true;
      }
      this.nextBatch();
    }
    return false;
  }

  private runNext(): boolean {
    const task = this.batch.shift()!;
    if (this.batchOf === 'yielded') {
      const { run, argument } = task as Task;
      run(argument as never);
      return true;
    }
    // Another task of the batch may have cancelled it.
    if (!this[this.batchOf].take(task as Wakeable)) return false;
    (task as Wakeable).wake();
    return true;
  }

  /** As Node's event loop does: timers, then what can be read, then what gave way. */
  private nextBatch(): void {
    switch (this.batchOf) {
      case 'yielded':
        this.batchOf = 'timers';
        if (this.timers.next <= this.clock.now()) this.batch.push(...this.timers.due(this.clock.now()));
        return;
      case 'timers':
        this.batchOf = 'input';
        if (this.input.next <= this.world.now) this.batch.push(...this.input.due(this.world.now));
        return;
      case 'input':
        this.batchOf = 'yielded';
        if (this.yielded.length > 0) {
          this.batch.push(...this.yielded);
          this.yielded = [];
        }
    }
  }
}
