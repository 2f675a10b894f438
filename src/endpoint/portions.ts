/**
 * How much of a long queue is written at once. Streams tell no sooner than when all of it has left: a slow reader must not seem to
 * be none while one write lasts, and a quick one should not cost a write for every little.
 */

/** Bytes for a peer of which nothing is known: at 50 KiB a second they leave within the default of `closeTimeout`. */
export const PORTION = 262_144;
/** Bytes for one that is quick. */
const LARGE_PORTION = 1_048_576;
/** Milliseconds in which a quick one takes a portion. */
const MOMENT = 50;
/** So many in a row: what a system buffers, some MiB, says nothing about who reads it. */
const STREAK = 32;

/** The portions of one connection. */
export class Portions {
  private quick = 0;
  private lastAt = 0;

  /** The size of the portion that is written now, the last one having left. */
  next(now: number): number {
    this.quick = now - this.lastAt < MOMENT ? this.quick + 1 : 0;
    this.lastAt = now;
    return this.quick < STREAK ? PORTION : LARGE_PORTION;
  }
}
