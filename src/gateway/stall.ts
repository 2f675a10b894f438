/** Finds out that nothing moves: who waits for a side that takes nothing is not to wait for ever. It knows no sockets. */

import type { Clock, Wakeable } from '../transport/transport.ts';

/** Watches what waits for one side. */
export class StallWatch implements Wakeable {
  private readonly clock: Clock;
  private readonly stalled: () => void;
  private timeout: number = Number.POSITIVE_INFINITY;
  private movedAt = 0;
  private wakeAt: number = Number.POSITIVE_INFINITY;

  /** `stalled` is called when something has waited for the timeout, and nothing has moved. */
  constructor(clock: Clock, stalled: () => void) {
    this.clock = clock;
    this.stalled = stalled;
  }

  /** Takes another timeout, in milliseconds, for what waits from now on. Without one nothing is ever too long. */
  within(timeout: number): void {
    this.timeout = timeout;
  }

  /** Something begins to wait, or a part of it has moved and more waits. */
  moved(): void {
    this.movedAt = this.clock.now();
    if (this.wakeAt === Number.POSITIVE_INFINITY) this.arm();
  }

  /** Nothing waits any more. */
  rest(): void {
    if (this.wakeAt === Number.POSITIVE_INFINITY) return;
    this.clock.cancel(this, this.wakeAt);
    this.wakeAt = Number.POSITIVE_INFINITY;
  }

  wake(): void {
    // A clock may wake late whom it was told to forget.
    if (this.wakeAt === Number.POSITIVE_INFINITY) return;
    const over = this.movedAt + this.timeout <= this.clock.now();
    this.wakeAt = Number.POSITIVE_INFINITY;
    if (over) this.stalled();
    else this.arm();
  }

  private arm(): void {
    this.wakeAt = this.movedAt + this.timeout;
    this.clock.schedule(this, this.wakeAt);
  }
}
