/**
 * Where bytes live. Small owned payloads share little slabs; encoded output shares big ones; payloads that are lent to a
 * listener come from a pool. It knows neither frames nor connections.
 *
 * One instance serves all connections of a process: sharing is what keeps an idle connection small.
 */

import { sizeBehind, viewOf } from './view.ts';

/** Something that takes memory back when the bytes in it were written. */
export interface Owner {
  release(): void;
}

const EMPTY = /* @__PURE__ */ new Uint8Array(0);
/** Payloads up to so many bytes share slabs of so many: one that is kept pins no more than its slab. */
const TINY = 64;
const TINY_SLAB = 4_096;
const SMALL = 512;
const SMALL_SLAB = 16_384;
const MIDDLE = 16_384;
const MIDDLE_SLAB = 65_536;
/** Slabs that nobody holds are kept up to this number. */
const MOST_SPARE = 4;
/** The unit of the pool's sizes, and how much of it may lie unused. */
const PAGE = 4_096;
const MOST_FREE = 67_108_864;

/** A part of memory that many share. What its getters tell is remembered: it is asked for with every view. */
class Region {
  readonly bytes: Uint8Array;
  private readonly buffer: ArrayBufferLike;
  private readonly base: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.buffer = bytes.buffer;
    this.base = bytes.byteOffset;
  }

  /** `bytes.subarray(start, end)`, for a range that lies inside. */
  view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.buffer, this.base + start, end - start);
  }
}

/** What payloads for keeps are cut from, one behind the other. */
class Board {
  region: Region = new Region(EMPTY);
  private readonly allocate: Allocate;
  private readonly size: number;
  private used = 0;

  constructor(allocate: Allocate, size: number) {
    this.allocate = allocate;
    this.size = size;
  }

  /** Where `size` bytes of the region are free. */
  reserve(size: number): number {
    if (this.used + size > this.region.bytes.length) {
      this.region = new Region(this.allocate(this.size, true));
      this.used = 0;
    }
    const at = this.used;
    this.used = at + size;
    return at;
  }
}

/** A part of memory that many connections append encoded output to. */
export class Slab extends Region implements Owner {
  static readonly SIZE: number = 65_536;
  used = 0;
  private readonly memory: Memory;
  private holders = 0;

  constructor(memory: Memory, bytes: Uint8Array) {
    super(bytes);
    this.memory = memory;
  }

  retain(): void {
    this.holders++;
  }

  release(): void {
    if (--this.holders !== 0) return;
    this.used = 0;
    this.memory.putBack(this);
  }

  /** How many refer to it. */
  get holderCount(): number {
    return this.holders;
  }
}

/** A buffer of the pool: its bytes may be lent, kept for output, and are used again when nobody holds them. */
export class PooledBuffer implements Owner {
  readonly bytes: Uint8Array;
  /** Its class of size. */
  readonly kind: number;
  private readonly memory: Memory;
  private holders = 1;

  constructor(memory: Memory, bytes: Uint8Array, kind: number) {
    this.memory = memory;
    this.bytes = bytes;
    this.kind = kind;
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

/** Gives new memory of a size; `shared`: to many. */
type Allocate = (size: number, shared: boolean) => Uint8Array;

/** Buffers whose bytes change later, of all allocators: what one connection lends another may send on. */
const LENT = /* @__PURE__ */ new WeakMap<ArrayBufferLike, PooledBuffer | null>();

const BY_ALLOCATE = new WeakMap<Allocate, Memory>();

/** The allocator that connections share. */
export class Memory {
  /** For connections to which no allocator was injected. */
  static readonly shared: Memory = /* @__PURE__ */ new Memory((size) => new Uint8Array(size));

  /** New memory of `size` bytes; not zeroed when the platform can do without. */
  private readonly allocate: Allocate;
  private readonly tiny: Board;
  private readonly small: Board;
  private readonly middle: Board;
  private slab: Slab | null = null;
  private readonly spare: Slab[] = [];
  /** Pooled buffers that nobody holds, by their class of size. */
  private readonly free: (PooledBuffer[] | undefined)[] = [];
  private freeBytes = 0;
  private lastVolatile: ArrayBufferLike | null = null;

  constructor(allocate: Allocate) {
    this.allocate = allocate;
    this.tiny = new Board(allocate, TINY_SLAB);
    this.small = new Board(allocate, SMALL_SLAB);
    this.middle = new Board(allocate, MIDDLE_SLAB);
  }

  static of(allocate: Allocate): Memory {
    let memory = BY_ALLOCATE.get(allocate);
    if (memory === undefined) {
      memory = new Memory(allocate);
      BY_ALLOCATE.set(allocate, memory);
    }
    return memory;
  }

  /**
   * `bytes[start, end)` for keeps, where `bytes` belongs to us: a view of it if that keeps no more memory alive than twice what it
   * shows, or than a copy would; else a copy.
   */
  keep(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    const most = size > MIDDLE ? 2 * size : size > SMALL ? MIDDLE_SLAB : size > TINY ? SMALL_SLAB : TINY_SLAB;
    // The length of the array is asked first: asking for that of its buffer costs more.
    if (bytes.length > most || size === 0 || sizeBehind(bytes) > most) return this.copy(bytes, start, end);
    return viewOf(bytes, start, end);
  }

  /** A copy of `bytes[start, end)` for keeps. Small copies share a slab; large ones have memory of their own. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size === 0) return new Uint8Array(0);
    if (size > MIDDLE) {
      const out = this.exact(size);
      out.set(viewOf(bytes, start, end));
      return out;
    }
    const board = size <= TINY ? this.tiny : size <= SMALL ? this.small : this.middle;
    const at = board.reserve(size);
    const { region } = board;
    const into = region.bytes;
    if (size < 32) for (let i = 0; i < size; i++) into[at + i] = bytes[start + i]!;
    else into.set(viewOf(bytes, start, end), at);
    return region.view(at, at + size);
  }

  /** Memory of exactly `size` bytes that nothing else shares. */
  exact(size: number, shared: boolean = false): Uint8Array {
    const bytes = this.allocate(size, shared);
    return bytes.length === size ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, size);
  }

  /** The slab that output is appended to now, with room for `size` bytes behind `used`; at most `Slab.SIZE`. */
  slabFor(size: number): Slab {
    let slab = this.slab;
    if (slab !== null && slab.used + size <= slab.bytes.length) return slab;
    slab = this.freshSlab();
    this.slab = slab;
    return slab;
  }

  /** A slab that the caller alone writes to; `retain()` it. */
  takeSlab(): Slab {
    const slab = this.freshSlab();
    // Whoever has a region in it never finds room behind that.
    slab.used = slab.bytes.length;
    return slab;
  }

  private freshSlab(): Slab {
    return this.spare.pop() ?? new Slab(this, this.exact(Slab.SIZE, true));
  }

  /** A slab that nobody holds any more. */
  putBack(slab: Slab): void {
    if (slab !== this.slab && this.spare.length < MOST_SPARE) this.spare.push(slab);
  }

  /** A buffer of at least `size` bytes from the pool, and at most a quarter more; `release()` it. */
  pooled(size: number): PooledBuffer {
    // Sizes are counted in pages. Up to eight of them each has a class, then there are four between a size and its double.
    const pages = Math.ceil(size / PAGE) - 1;
    const shift = pages < 8 ? 0 : 29 - Math.clz32(pages);
    const step = pages >>> shift;
    const kind = 4 * shift + step;
    const free = this.free[kind]?.pop();
    if (free !== undefined) {
      this.freeBytes -= free.bytes.length;
      return free.reuse();
    }
    const buffer = new PooledBuffer(this, this.exact((step + 1) * 2 ** shift * PAGE, true), kind);
    // Where an allocator gives parts of one buffer nobody can tell whose bytes are sent: they are copied.
    const { bytes } = buffer;
    LENT.set(bytes.buffer, bytes.length === bytes.buffer.byteLength ? buffer : null);
    return buffer;
  }

  /** A pooled buffer that nobody holds any more: kept for the next one while the pool is small. */
  recycle(buffer: PooledBuffer): void {
    const size = buffer.bytes.length;
    if (size > MOST_FREE) return;
    if (this.freeBytes + size > MOST_FREE) {
      // What fills it is of sizes that nobody asks for any more, or too much.
      this.free.length = 0;
      this.freeBytes = 0;
    }
    this.freeBytes += size;
    this.free[buffer.kind] ??= [];
    this.free[buffer.kind]!.push(buffer);
  }

  /** Says that the bytes of this buffer change after they were lent to a listener (a reused read buffer). */
  markVolatile(buffer: ArrayBufferLike): void {
    if (buffer === this.lastVolatile) return;
    this.lastVolatile = buffer;
    LENT.set(buffer, null);
  }

  /** Who must be asked before bytes of this buffer are kept: a pooled buffer, `null` (copy them), or nobody. */
  lender(buffer: ArrayBufferLike): PooledBuffer | null | undefined {
    return LENT.get(buffer);
  }
}
