/**
 * How a connection ends: which Close frames went which way, what went wrong, and what `closed` says of it (RFC 6455 sections
 * 7.1.4 to 7.1.7). It is made when the end begins: an idle connection has none.
 */

import { CloseCode } from '../codec/close-code.ts';
import { type FailureError, failure } from '../errors.ts';
import type { ClosedEvent, ClosingEvent } from './events.ts';

/** The end of one connection, as it comes together. */
export class Ending {
  /** Our Close was queued. */
  closeQueued = false;
  /** The peer's Close. */
  peerClose: ClosingEvent | null = null;
  error: FailureError | null = null;
  /** The transport broke, rather than ended. */
  lost = false;
  private cause: unknown;
  private peerClosedFirst = false;

  /** Both Close frames were exchanged, or at least queued. */
  get exchanged(): boolean {
    return this.closeQueued && this.peerClose !== null;
  }

  /** The peer's Close came. */
  receive(close: ClosingEvent): void {
    this.peerClose = close;
    this.peerClosedFirst = !this.closeQueued;
  }

  /** The transport broke. */
  lose(cause: unknown): void {
    this.lost = true;
    this.cause = cause;
  }

  /** The last event. `unsent` bytes never left, perhaps our Close among them. */
  closed(input: 'transport-gone' | 'deadline', unsent: number): ClosedEvent {
    const { peerClose } = this;
    const clean = this.exchanged && unsent === 0;
    if (!clean) {
      const code =
        input === 'deadline' ? 'CLOSING_TIMEOUT' : this.lost ? ('TRANSPORT_FAILED' as const) : 'TRANSPORT_ENDED';
      this.error ??= failure(code, '', this.cause);
    }
    return {
      type: 'closed',
      // §7.1.5: what the peer said, whatever we did.
      code: peerClose === null ? CloseCode.abnormal : peerClose.code,
      reason: peerClose === null ? '' : peerClose.reason,
      clean,
      remote: this.peerClosedFirst,
      error: clean ? null : this.error,
    };
  }
}
