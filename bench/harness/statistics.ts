// Medians, ranges and paired ratios over the rounds of one run.

/** Figures of all rounds: the middle one and both ends. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Median of a[i] / b[i]: rounds are compared with the same round of the other peer, so that slow phases cancel. */
export function pairedRatio(a: readonly number[], b: readonly number[]): number {
  const count = Math.min(a.length, b.length);
  const ratios: number[] = [];
  for (let i = 0; i < count; i++) ratios.push(a[i]! / b[i]!);
  return median(ratios);
}
