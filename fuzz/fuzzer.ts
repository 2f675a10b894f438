/** The loop: an input that reaches a branch, or a number of times through it, that no other reached is kept and changed. */

import { digest } from '../test/support/bytes.ts';
import { Mutator } from './mutate.ts';
import type { Target } from './targets/index.ts';

export interface Finding {
  readonly input: Uint8Array;
  readonly error: unknown;
}

/** How often, in classes: once, twice, a few, many. Each class is a bit. */
const CLASSES: Uint8Array = Uint8Array.from({ length: 256 }, (_, n) =>
  n === 0 ? 0 : n <= 3 ? 1 << (n - 1) : n < 8 ? 8 : n < 16 ? 16 : n < 32 ? 32 : n < 128 ? 64 : 128,
);
/** No input of this size may take longer. */
const SLOW = 2_000;

export class Fuzzer {
  readonly corpus: Uint8Array[] = [];
  executions = 0;
  private readonly target: Target;
  private readonly hits: Uint8Array;
  private readonly seen: Uint8Array;
  private readonly mutator: Mutator;
  private readonly known = new Set<string>();

  constructor(target: Target, hits: Uint8Array, chance: () => number) {
    this.target = target;
    this.hits = hits;
    this.seen = new Uint8Array(hits.length);
    this.mutator = new Mutator(chance, target.words);
  }

  /** Branches and functions that were reached. */
  get coverage(): number {
    return this.seen.reduce((sum, bits) => sum + (bits === 0 ? 0 : 1), 0);
  }

  /** Runs `input`; keeps it if it reached something new. */
  try(input: Uint8Array): Finding | null {
    this.hits.fill(0);
    this.executions++;
    const start = process.cpuUsage();
    try {
      this.target.run(input.slice());
    } catch (error) {
      return { input, error };
    }
    // Its own time, not that of the day: whatever else the machine does is no finding.
    const { user, system } = process.cpuUsage(start);
    if (user + system > 1_000 * SLOW) return { input, error: new Error(`it took more than ${SLOW} ms`) };
    let fresh = false;
    for (let i = 0; i < this.hits.length; i++) {
      const bits = CLASSES[this.hits[i]!]!;
      if ((bits & ~this.seen[i]!) === 0) continue;
      this.seen[i]! |= bits;
      fresh = true;
    }
    const name = digest(input);
    if (fresh && !this.known.has(name)) {
      this.known.add(name);
      this.corpus.push(input);
    }
    return null;
  }

  /** Changes some input of the corpus and runs it. */
  step(): Finding | null {
    const { corpus, mutator } = this;
    // Every second time one of the newest: what is new leads to more.
    const newest = Math.max(0, corpus.length - 20);
    const index =
      mutator.below(2) === 0 ? newest + mutator.below(corpus.length - newest) : mutator.below(corpus.length);
    return this.try(mutator.mutate(corpus[index]!, corpus[mutator.below(corpus.length)]!));
  }

  /** A smaller input with the same complaint. */
  minimise({ input, error }: Finding): Finding {
    const complaint = firstLine(error);
    let best: Finding = { input, error };
    for (let size = input.length >> 1; size > 0; size >>= 1) {
      for (let at = 0; at + size <= best.input.length; ) {
        const shorter = new Uint8Array(best.input.length - size);
        shorter.set(best.input.subarray(0, at));
        shorter.set(best.input.subarray(at + size), at);
        const found = this.try(shorter);
        if (found !== null && firstLine(found.error) === complaint) best = found;
        else at += size;
      }
    }
    return best;
  }

  /** The fewest and smallest inputs, greedily, that reach the same branches. */
  essence(): Uint8Array[] {
    const reached = new Uint8Array(this.hits.length);
    return [...this.corpus]
      .sort((a, b) => a.length - b.length)
      .filter((input) => {
        this.hits.fill(0);
        this.target.run(input.slice());
        let fresh = false;
        for (let i = 0; i < this.hits.length; i++) {
          if (this.hits[i] === 0 || reached[i] !== 0) continue;
          reached[i] = 1;
          fresh = true;
        }
        return fresh;
      });
  }
}

function firstLine(error: unknown): string {
  return String(error).split('\n', 1)[0]!;
}
