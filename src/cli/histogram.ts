/** Durations counted in buckets of a fixed relative width: any number of samples in constant memory. It knows no clock. */

/** Buckets for each doubling: a bucket is 1.1 % wide, and so is the error. */
const STEPS = 64;
/** A microsecond, in milliseconds: anything shorter is counted as that. */
const LEAST = 0.001;
/** Up to 2^24 µs: 16.8 s. */
const DOUBLINGS = 24;

/** A histogram of milliseconds. */
export class Histogram {
  count = 0;
  least: number = Number.POSITIVE_INFINITY;
  most = 0;
  private sum = 0;
  private readonly buckets: Uint32Array = new Uint32Array(STEPS * DOUBLINGS + 1);

  add(duration: number): void {
    this.count++;
    this.sum += duration;
    if (duration < this.least) this.least = duration;
    if (duration > this.most) this.most = duration;
    this.buckets[bucketOf(duration)]!++;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** What `share` (0 to 1) of the samples do not exceed, by at most 1.1 %; 0 without samples. */
  percentile(share: number): number {
    if (this.count === 0) return 0;
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (let i = 0; i < this.buckets.length; i++) {
      seen += this.buckets[i]!;
      // No bucket says more than the samples do.
      if (seen >= wanted) return Math.min(this.most, Math.max(this.least, endOf(i)));
    }
    return this.most;
  }

  /** The samples in rows, at most so many: from where, up to where, how many. Rows at the ends are not empty. */
  rows(most: number): { readonly from: number; readonly to: number; readonly count: number }[] {
    const first = this.buckets.findIndex((count) => count > 0);
    if (first < 0) return [];
    const last = this.buckets.findLastIndex((count) => count > 0);
    const width = Math.max(1, Math.ceil((last - first + 1) / most));
    const rows = [];
    for (let i = first; i <= last; i += width) {
      let count = 0;
      for (let j = i; j < Math.min(i + width, this.buckets.length); j++) count += this.buckets[j]!;
      rows.push({ from: i === 0 ? 0 : endOf(i - 1), to: endOf(i + width - 1), count });
    }
    return rows;
  }
}

function bucketOf(duration: number): number {
  const index = Math.ceil(Math.log2(duration / LEAST) * STEPS);
  return Math.min(STEPS * DOUBLINGS, Math.max(0, index));
}

function endOf(bucket: number): number {
  return LEAST * 2 ** (bucket / STEPS);
}
