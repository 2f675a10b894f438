/** Pings whose pongs somebody waits for (RFC 6455 section 5.5.3), but not for good. */

import type { Clock, Wakeable } from '../transport/transport.ts';

interface PendingPing {
  readonly payload: Uint8Array;
  readonly sentAt: number;
  readonly resolve: (latency: number | null) => void;
}

/** The promises of `ping()`, in the order of sending. */
export class PendingPings implements Wakeable {
  private pings: PendingPing[] = [];
  private readonly clock: Clock;
  private readonly timeout: number;
  private wakeAt = Number.POSITIVE_INFINITY;

  /** `timeout`: milliseconds after which a pong is not waited for any more; `Infinity`: it is. */
  constructor(clock: Clock, timeout: number) {
    this.clock = clock;
    this.timeout = timeout;
  }

  /** Resolves with the round-trip time in milliseconds, or null if the connection ends or time runs out first. */
  add(payload: Uint8Array, sentAt: number): Promise<number | null> {
    return new Promise((resolve) => {
      this.pings.push({ payload: payload.slice(), sentAt, resolve });
      this.arm();
    });
  }

  /** A pong came: it answers the last ping with its payload, and all before it. */
  settle(payload: Uint8Array, now: number): void {
    const index = this.pings.findLastIndex((ping) => sameBytes(ping.payload, payload));
    for (const { resolve, sentAt } of this.pings.splice(0, index + 1)) resolve(now - sentAt);
    this.arm();
  }

  /** No pong will come. */
  end(): void {
    for (const { resolve } of this.pings.splice(0)) resolve(null);
    this.arm();
  }

  wake(): void {
    this.wakeAt = Number.POSITIVE_INFINITY;
    // A pong that can be read already is looked at before.
    this.clock.yield(giveUp, this);
  }

  /** @internal */
  giveUp(): void {
    const sentBefore = this.clock.now() - this.timeout;
    const index = this.pings.findLastIndex(({ sentAt }) => sentAt <= sentBefore);
    for (const { resolve } of this.pings.splice(0, index + 1)) resolve(null);
    this.arm();
  }

  /** One alarm, for the oldest. */
  private arm(): void {
    const at = this.pings.length === 0 ? Number.POSITIVE_INFINITY : this.pings[0]!.sentAt + this.timeout;
    if (at === this.wakeAt) return;
    if (this.wakeAt !== Number.POSITIVE_INFINITY) this.clock.cancel(this, this.wakeAt);
    this.wakeAt = at;
    if (at !== Number.POSITIVE_INFINITY) this.clock.schedule(this, at);
  }
}

function giveUp(pings: PendingPings): void {
  pings.giveUp();
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
