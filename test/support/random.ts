/** Chance that can be repeated: sources of bytes and numbers that follow from a seed. */

/** Numbers in [0, 1) that follow from `seed` (mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A `platform.random` that follows from `seed`. A new function each time: masking keys are pooled for each source. */
export function seededRandom(seed: number): (into: Uint8Array) => void {
  const next = seededNumbers(seed);
  return (into) => {
    for (let i = 0; i < into.length; i++) into[i] = Math.floor(256 * next());
  };
}

/** A `platform.random` that repeats the masking key of RFC 6455 section 5.7, so that transcripts can be written by hand. */
export function constantRandom(): (into: Uint8Array) => void {
  const key = [0x37, 0xfa, 0x21, 0x3d];
  return (into) => {
    for (let i = 0; i < into.length; i++) into[i] = key[i & 3]!;
  };
}
