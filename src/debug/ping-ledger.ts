/** Which pings went by and wait for their pong, of both sides (RFC 6455 sections 5.5.2 and 5.5.3). */

import type { Side } from './records.ts';

/** Pings of one side that may still be answered. */
const MOST = 64;

interface Ping {
  readonly payload: Uint8Array;
  readonly at: number;
}

/** The pings of one connection. */
export class PingLedger {
  private readonly pings: { readonly client: Ping[]; readonly server: Ping[] } = { client: [], server: [] };

  pinged(from: Side, payload: Uint8Array, at: number): void {
    const pings = this.pings[from];
    if (pings.length === MOST) pings.shift();
    pings.push({ payload, at });
  }

  /** Milliseconds since the ping that this pong answers, or null. It answers those before, too: only the latest need be. */
  ponged(from: Side, payload: Uint8Array, at: number): number | null {
    const pings = this.pings[from === 'client' ? 'server' : 'client'];
    const index = pings.findLastIndex((ping) => sameBytes(ping.payload, payload));
    if (index < 0) return null;
    const sentAt = pings[index]!.at;
    pings.splice(0, index + 1);
    return at - sentAt;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
