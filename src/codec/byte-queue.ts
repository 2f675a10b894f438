/**
 * Received bytes that nobody has looked at yet: one current chunk with a read position, and rarely more behind it.
 * It knows whether the current chunk is only lent, and copies what must outlive the loan.
 */

const NONE = /* @__PURE__ */ new Uint8Array(0);
/** Waiting chunks shorter than this are copied together. */
const JOIN = 4_096;

/** A queue of byte chunks that is read in place. */
export class ByteQueue {
  /** The chunk being read; bytes `[position, end)` of it are unread. */
  bytes: Uint8Array = NONE;
  position = 0;
  end = 0;
  /** Whether the current chunk is lent: its buffer will be used again by somebody else. */
  borrowed = false;
  private rest: Uint8Array[] | null = null;
  private restLength = 0;
  /** The buffer of the last of `rest`, if small chunks are being joined there. */
  private tail: Uint8Array | null = null;
  private tailUsed = 0;

  /** All unread bytes. */
  get length(): number {
    return this.end - this.position + this.restLength;
  }

  /** Appends the first `length` bytes of a chunk that now belongs to the queue, or is lent to it. */
  push(chunk: Uint8Array, length: number, borrowed: boolean): void {
    if (this.position === this.end && this.rest === null) {
      this.bytes = chunk;
      this.position = 0;
      this.end = length;
      this.borrowed = borrowed;
      return;
    }
    if (length === 0) return;
    this.rest ??= [];
    this.restLength += length;
    if (length < JOIN) {
      this.join(this.rest, chunk, length);
    } else {
      this.tail = null;
      const pins = borrowed || 2 * length < chunk.buffer.byteLength;
      this.rest.push(pins ? chunk.slice(0, length) : chunk.subarray(0, length));
    }
  }

  /** Small chunks that wait share buffers: thousands of them are not thousands of objects. */
  private join(rest: Uint8Array[], chunk: Uint8Array, length: number): void {
    if (this.tail === null || this.tailUsed + length > JOIN) {
      this.tail = new Uint8Array(JOIN);
      this.tailUsed = 0;
      rest.push(NONE);
    }
    this.tail.set(chunk.subarray(0, length), this.tailUsed);
    this.tailUsed += length;
    rest[rest.length - 1] = this.tail.subarray(0, this.tailUsed);
  }

  /** Moves on to the next chunk once the current one is read; false when there is none. */
  advance(): boolean {
    const { rest } = this;
    if (rest === null) {
      // Nothing is pinned while the connection is idle.
      this.bytes = NONE;
      this.position = this.end = 0;
      return false;
    }
    const next = rest.shift()!;
    this.restLength -= next.length;
    if (rest.length === 0) this.rest = this.tail = null;
    this.bytes = next;
    this.position = 0;
    this.end = next.length;
    this.borrowed = false;
    return true;
  }

  /** Ends the loan of the current chunk: what is unread is copied out. */
  keep(): void {
    if (!this.borrowed) return;
    this.bytes = this.position === this.end ? NONE : this.bytes.slice(this.position, this.end);
    this.end -= this.position;
    this.position = 0;
    this.borrowed = false;
  }

  /** Throws everything away. */
  clear(): void {
    this.bytes = NONE;
    this.position = this.end = 0;
    this.borrowed = false;
    this.rest = this.tail = null;
    this.restLength = 0;
  }
}
