/**
 * Liveness (RFC 6455 sections 5.5.2 and 5.5.3): the ledger of pings under way and the two deadlines that follow from it.
 * Any received byte proves life; only an unanswered ping and silence together do not.
 */

interface Entry {
  readonly payload: Uint8Array;
  readonly sentAt: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** More pings than this under way are not all measured: the second is forgotten. The deadline is that of the first. */
const MOST_ENTRIES = 64;

/** When to ping, when to give up, and what the pongs measured. All times in milliseconds. */
export class Heartbeat {
  private readonly pingInterval: number;
  private readonly pongTimeout: number;
  /** When life was last proved, or when reading began again. */
  private alive: number;
  private lastPing: number;
  private entries: Entry[] | null = null;
  private suspended = false;
  private sequence = 0;

  constructor(pingInterval: number, pongTimeout: number, now: number) {
    this.pingInterval = pingInterval;
    this.pongTimeout = pongTimeout;
    this.alive = now;
    this.lastPing = now;
  }

  /** A byte came. */
  received(now: number): void {
    this.alive = now;
  }

  /** While we do not read, silence proves nothing. */
  suspend(): void {
    this.suspended = true;
  }

  resume(now: number): void {
    if (!this.suspended) return;
    this.suspended = false;
    this.alive = now;
  }

  /** When a ping is due. */
  get pingDue(): number {
    return this.suspended ? NEVER : Math.max(this.alive, this.lastPing) + this.pingInterval;
  }

  /** When the oldest unanswered ping has been met with silence for too long. */
  get pongDue(): number {
    if (this.suspended || this.entries === null) return NEVER;
    return Math.max(this.alive, this.entries[0]!.sentAt) + this.pongTimeout;
  }

  /** A payload of four bytes that counts up, so that every ping of ours is told from the others. */
  nextPayload(): Uint8Array {
    const n = ++this.sequence;
    return new Uint8Array([n >>> 24, n >>> 16, n >>> 8, n]);
  }

  /** A ping was queued. */
  sent(payload: Uint8Array, now: number): void {
    this.lastPing = now;
    this.entries ??= [];
    if (this.entries.length === MOST_ENTRIES) this.entries.splice(1, 1);
    this.entries.push({ payload, sentAt: now });
  }

  /**
   * A pong came: settles the ping that it answers, and all older ones, since a pong may answer only the latest (§5.5.3).
   *
   * @returns the round-trip time, or null if it answers no ping of ours
   */
  answered(payload: Uint8Array, now: number): number | null {
    const { entries } = this;
    if (entries === null) return null;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i]!;
      if (!equal(entry.payload, payload)) continue;
      this.entries = i + 1 === entries.length ? null : entries.slice(i + 1);
      return now - entry.sentAt;
    }
    return null;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
