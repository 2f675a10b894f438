/** Several WebSocket servers on one HTTP server: which of them takes a request. */

import { UsageError } from '../errors.ts';

/** One of them. */
export interface Taker {
  /** Its paths. Null: whatever the others leave. */
  readonly paths: ReadonlySet<string> | null;
}

/** Those on one HTTP server. It listens for all of them, as long as there are any. */
export abstract class Junction<T extends Taker> {
  private readonly takers: T[] = [];
  private readonly closing: Set<T> = new Set();

  /**
   * Takes one in.
   *
   * @throws UsageError when another has its paths: it would never hear of a request
   */
  join(taker: T, who: string): void {
    const { paths } = taker;
    for (const other of this.takers) {
      if (this.closing.has(other)) continue;
      const refuse = (what: string): never => {
        throw new UsageError('INVALID_STATE', `${who}: ${what}; give each option 'paths', or close the other first`);
      };
      if (paths === null && other.paths === null) refuse('another takes every request of this server already');
      const twice = [...(paths ?? [])].find((path) => other.paths?.has(path) === true);
      if (twice !== undefined) refuse(`another has the path '${twice}' on this server already`);
    }
    this.takers.push(taker);
    if (this.takers.length === 1) this.start();
  }

  /** Another may have its paths from now on; until then, and until it leaves, it goes on with them. */
  retire(taker: T): void {
    this.closing.add(taker);
  }

  leave(taker: T): void {
    const index = this.takers.indexOf(taker);
    if (index < 0) return;
    this.takers.splice(index, 1);
    this.closing.delete(taker);
    if (this.takers.length === 0) this.stop();
  }

  /** Listens to the HTTP server. */
  protected abstract start(): void;
  /** Listens no longer. */
  protected abstract stop(): void;

  /** Whose a request is; null if it is nobody's. */
  protected takerOf(target: string): T | null {
    const path = pathOf(target);
    let found: T | null = null;
    let best = 0;
    for (const taker of this.takers) {
      const fits = taker.paths === null ? 1 : taker.paths.has(path) ? 2 : 0;
      if (fits === 0) continue;
      // Those that are closing only have 503 to say.
      const rank = this.closing.has(taker) ? fits : fits + 2;
      if (rank <= best) continue;
      best = rank;
      found = taker;
    }
    return found;
  }

  /** Any of them, to say 404; one that is closing would say 503. */
  protected get any(): T | null {
    return this.takers.find((taker) => !this.closing.has(taker)) ?? this.takers[0] ?? null;
  }
}

/** The path of a request target, as `Request.path` has it. */
function pathOf(target: string): string {
  const path = target.replace(/^[a-z]{2,5}:\/\/[^/?]+/i, '').replace(/\?.*$/s, '');
  return path === '' ? '/' : path;
}
