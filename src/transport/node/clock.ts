/** Node's monotonic clock and its timers, which keep no process alive unless they are asked to: the sockets do. */

import { performance } from 'node:perf_hooks';
import { LONGEST, TimerClock } from '../timer-clock.ts';

/** A clock over `performance.now()` and one unreferenced timer. */
export class NodeClock extends TimerClock {
  /** One serves a process. */
  constructor() {
    super({
      now: () => performance.now(),
      after(run, delay) {
        const timer = setTimeout(run, delay).unref();
        return () => clearTimeout(timer);
      },
      defer: (run, argument) => process.nextTick(run, argument),
      yield: (run, argument) => setImmediate(run, argument),
      hold() {
        const timer = setTimeout(() => {}, LONGEST);
        return () => clearTimeout(timer);
      },
    });
  }

  // Asked for with every chunk: without the way through `Timers`.
  override now(): number {
    return performance.now();
  }

  override defer<T>(run: (argument: T) => void, argument: T): void {
    process.nextTick(run, argument);
  }
}

/** The clock of this process. */
export const nodeClock: NodeClock = /* @__PURE__ */ new NodeClock();
