/** What a worker is told, and what it says. */

/** What its parent gives it when it starts. */
export interface Order {
  readonly root: string;
  readonly sources: readonly string[];
  readonly tests: readonly string[];
  /** Where the baseline is kept. The first worker writes it, the others read it. */
  readonly baseline: string;
  readonly first: boolean;
  /** Milliseconds that the tests of one mutant may take, of those that they take without it. */
  readonly budget: number;
}

export type Verdict = 'noticed' | 'survived' | 'never run' | 'never ends';

export type Report =
  | { readonly type: 'alive' }
  | { readonly type: 'ready'; readonly tests: number }
  | { readonly type: 'tried'; readonly id: number; readonly verdict: Verdict; readonly by: string };

/** With these a worker ends: what was tried before left something behind, so that tests fail without a mutant; or it failed itself. */
export const SPOILT = 3;
export const BROKEN = 4;
