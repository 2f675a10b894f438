/**
 * Masking keys (RFC 6455 section 5.3) from injected randomness, a pool at a time. Each key is used once.
 */

const KEYS_PER_FILL = 1024;

const SOURCES = new WeakMap<(into: Uint8Array) => void, MaskKeys>();

/** Draws fresh keys; shared by all connections with the same source of randomness. */
export class MaskKeys {
  private readonly random: (into: Uint8Array) => void;
  private readonly pool: Uint8Array = new Uint8Array(4 * KEYS_PER_FILL);
  private used: number = 4 * KEYS_PER_FILL;

  constructor(random: (into: Uint8Array) => void) {
    this.random = random;
  }

  static of(random: (into: Uint8Array) => void): MaskKeys {
    let keys = SOURCES.get(random);
    if (keys === undefined) {
      keys = new MaskKeys(random);
      SOURCES.set(random, keys);
    }
    return keys;
  }

  /** The next key: four octets, the first one lowest. §5.3: "The masking key MUST be chosen fresh for each frame." */
  next(): number {
    if (this.used === this.pool.length) {
      this.random(this.pool);
      this.used = 0;
    }
    const { pool, used } = this;
    this.used = used + 4;
    return pool[used]! | (pool[used + 1]! << 8) | (pool[used + 2]! << 16) | (pool[used + 3]! << 24);
  }

  /** Fresh bytes, apart from the pool of keys. */
  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    this.random(out);
    return out;
  }
}
