/** Pings whose pongs somebody waits for (RFC 6455 section 5.5.3). */

interface PendingPing {
  readonly payload: Uint8Array;
  readonly sentAt: number;
  readonly resolve: (latency: number | null) => void;
}

/** The promises of `ping()`, in the order of sending. */
export class PendingPings {
  private pings: PendingPing[] = [];

  /** Resolves with the round-trip time in milliseconds, or null if the connection ends first. */
  add(payload: Uint8Array, sentAt: number): Promise<number | null> {
    return new Promise((resolve) => this.pings.push({ payload: payload.slice(), sentAt, resolve }));
  }

  /** A pong came: it answers the last ping with its payload, and all before it. */
  settle(payload: Uint8Array, now: number): void {
    const index = this.pings.findLastIndex((ping) => sameBytes(ping.payload, payload));
    for (const { resolve, sentAt } of this.pings.splice(0, index + 1)) resolve(now - sentAt);
  }

  /** No pong will come. */
  end(): void {
    for (const { resolve } of this.pings.splice(0)) resolve(null);
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
