/** How many control frames a peer may send between two data messages (RFC 6455 section 10.4). */

/** The count begins anew after so many milliseconds. */
const WINDOW = 10_000;

/** Counts control frames; made when the first one comes. */
export class ControlBudget {
  private readonly most: number;
  private count = 0;
  private since: number;

  constructor(most: number, now: number) {
    this.most = most;
    this.since = now;
  }

  /** One more came; false if that is too many. */
  allows(now: number): boolean {
    if (now - this.since >= WINDOW) {
      this.since = now;
      this.count = 0;
    }
    return ++this.count <= this.most;
  }

  /** A data message came. */
  renew(): void {
    this.count = 0;
  }
}
