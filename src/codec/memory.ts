/**
 * Where bytes live. Small owned payloads share little slabs; encoded output shares big ones; payloads that are lent to a
 * listener come from a pool. It knows neither frames nor connections.
 *
 * One instance serves all connections of a process: sharing is what keeps an idle connection small.
 */

/** Something that takes memory back when the bytes in it were written. */
export interface Owner {
  release(): void;
}

const EMPTY = /* @__PURE__ */ new Uint8Array(0);
/** Payloads up to `SMALL` share slabs of 4 KiB, others up to `MIDDLE` slabs of 64 KiB: a payload that is kept pins no more. */
const SMALL = 512;
const SMALL_SLAB = 4_096;
const MIDDLE = 16_384;
const MIDDLE_SLAB = 65_536;
const LEAST_POOLED = 4_096;

/** A part of memory that many connections append encoded output to. */
export class Slab implements Owner {
  static readonly SIZE: number = 65_536;
  readonly bytes: Uint8Array;
  used = 0;
  private readonly memory: Memory;
  private holders = 0;

  constructor(memory: Memory, bytes: Uint8Array) {
    this.memory = memory;
    this.bytes = bytes;
  }

  retain(): void {
    this.holders++;
  }

  release(): void {
    if (--this.holders !== 0) return;
    this.used = 0;
    this.memory.putBack(this);
  }

  get idle(): boolean {
    return this.holders === 0;
  }
}

/** A buffer of the pool: its bytes may be lent, kept for output, and are used again when nobody holds them. */
export class PooledBuffer implements Owner {
  readonly bytes: Uint8Array;
  private readonly memory: Memory;
  private holders = 1;

  constructor(memory: Memory, bytes: Uint8Array) {
    this.memory = memory;
    this.bytes = bytes;
  }

  /** Takes a buffer out of the pool again. */
  reuse(): this {
    this.holders = 1;
    return this;
  }

  retain(): this {
    this.holders++;
    return this;
  }

  release(): void {
    if (--this.holders === 0) this.memory.recycle(this);
  }
}

const BY_ALLOCATE = new WeakMap<(size: number) => Uint8Array, Memory>();

/** The allocator that connections share. */
export class Memory {
  /** For connections to which no allocator was injected. */
  static readonly shared: Memory = /* @__PURE__ */ new Memory((size) => new Uint8Array(size));

  /** New memory of `size` bytes; not zeroed when the platform can do without. */
  readonly allocate: (size: number) => Uint8Array;
  private small: Uint8Array = EMPTY;
  private smallUsed = 0;
  private middle: Uint8Array = EMPTY;
  private middleUsed = 0;
  private slab: Slab | null = null;
  private readonly spare: Slab[] = [];
  private readonly free: PooledBuffer[] = [];
  private freeBytes = 0;
  private readonly lent = new WeakMap<ArrayBufferLike, PooledBuffer | null>();
  private lastVolatile: ArrayBufferLike | null = null;

  constructor(allocate: (size: number) => Uint8Array) {
    this.allocate = allocate;
  }

  static of(allocate: (size: number) => Uint8Array): Memory {
    let memory = BY_ALLOCATE.get(allocate);
    if (memory === undefined) {
      memory = new Memory(allocate);
      BY_ALLOCATE.set(allocate, memory);
    }
    return memory;
  }

  /** A copy of `bytes[start, end)` for keeps. Small copies share a slab of 4 or 64 KiB; others have memory of their own. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size === 0) return new Uint8Array(0);
    const out = size <= MIDDLE ? this.cut(size) : this.exact(size);
    if (size < 32) {
      for (let i = 0; i < size; i++) out[i] = bytes[start + i]!;
    } else {
      out.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, size));
    }
    return out;
  }

  /** Memory of exactly `size` bytes that nothing else shares. */
  exact(size: number): Uint8Array {
    const bytes = this.allocate(size);
    return bytes.length === size ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, size);
  }

  private cut(size: number): Uint8Array {
    if (size <= SMALL) {
      if (this.smallUsed + size > this.small.length) {
        this.small = this.allocate(SMALL_SLAB);
        this.smallUsed = 0;
      }
      const at = this.smallUsed;
      this.smallUsed = at + size;
      return new Uint8Array(this.small.buffer, this.small.byteOffset + at, size);
    }
    if (this.middleUsed + size > this.middle.length) {
      this.middle = this.allocate(MIDDLE_SLAB);
      this.middleUsed = 0;
    }
    const at = this.middleUsed;
    this.middleUsed = at + size;
    return new Uint8Array(this.middle.buffer, this.middle.byteOffset + at, size);
  }

  /** The slab that output is appended to now, with room for `size` bytes behind `used`. */
  slabFor(size: number): Slab {
    let slab = this.slab;
    if (slab !== null && slab.used + size <= slab.bytes.length) return slab;
    slab =
      size > Slab.SIZE
        ? new Slab(this, this.allocate(size))
        : (this.spare.pop() ?? new Slab(this, this.allocate(Slab.SIZE)));
    if (size <= Slab.SIZE) this.slab = slab;
    return slab;
  }

  /** A slab that nobody holds any more. */
  putBack(slab: Slab): void {
    if (slab === this.slab || slab.bytes.length !== Slab.SIZE || this.spare.length >= 4) return;
    this.spare.push(slab);
  }

  /** A buffer of at least `size` bytes from the pool; `release()` it. */
  pooled(size: number): PooledBuffer {
    for (let i = this.free.length - 1; i >= 0; i--) {
      const candidate = this.free[i]!;
      const length = candidate.bytes.length;
      // Never more than twice what is asked for, so that what a message retains stays near its limit.
      if (length >= size && (length <= 2 * size || length === LEAST_POOLED)) {
        this.free.splice(i, 1);
        this.freeBytes -= length;
        return candidate.reuse();
      }
    }
    let capacity = LEAST_POOLED;
    while (capacity < size) capacity *= 2;
    const buffer = new PooledBuffer(this, this.exact(capacity));
    this.lent.set(buffer.bytes.buffer, buffer);
    return buffer;
  }

  /** A pooled buffer that nobody holds any more: kept for the next one while the pool is small. */
  recycle(buffer: PooledBuffer): void {
    const size = buffer.bytes.length;
    if (this.freeBytes + size > 67_108_864 || this.free.length >= 64) return;
    this.freeBytes += size;
    this.free.push(buffer);
  }

  /** Says that the bytes of this buffer change after they were lent to a listener (a reused read buffer). */
  markVolatile(buffer: ArrayBufferLike): void {
    if (buffer === this.lastVolatile) return;
    this.lastVolatile = buffer;
    this.lent.set(buffer, null);
  }

  /** Who must be asked before bytes of this buffer are kept: a pooled buffer, `null` (copy them), or nobody. */
  lender(buffer: ArrayBufferLike): PooledBuffer | null | undefined {
    return this.lent.get(buffer);
  }
}
