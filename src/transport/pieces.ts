/** Output that waits for its stream, in order: as pieces of one size at most, each in memory of its own, or as it came. */

/** The most bytes of a piece. */
const MOST = 65_536;

/** Chunks in order. They stay unchanged until they are written. */
export class Pieces {
  private chunks: Uint8Array[] = [];

  /** Adds chunks behind the others; gives their length. */
  add(chunks: readonly Uint8Array[]): number {
    let length = 0;
    for (const chunk of chunks) {
      if (chunk.length > 0) this.chunks.push(chunk);
      length += chunk.length;
    }
    return length;
  }

  get isEmpty(): boolean {
    return this.chunks.length === 0;
  }

  /**
   * The next piece, a copy: for streams that count chunks instead of bytes, and keep them. What is written may be used again as
   * soon as it counts as written.
   */
  take(): Uint8Array<ArrayBuffer> {
    const { chunks } = this;
    const [first = NONE] = chunks;
    if (first.length > MOST) {
      chunks[0] = first.subarray(MOST);
      return new Uint8Array(first.subarray(0, MOST));
    }
    return joinChunks(chunks.splice(0, this.fitting()));
  }

  /** As much as a piece, joined; or one chunk as it is: for streams that are through with it when they say so. */
  next(): Uint8Array {
    const { chunks } = this;
    const count = Math.max(1, this.fitting());
    if (count === 1) return chunks.shift() ?? NONE;
    return joinChunks(count === chunks.length ? this.clear() : chunks.splice(0, count));
  }

  /** Puts back what the stream did not take of `next()`. */
  back(rest: Uint8Array): void {
    if (rest.length > 0) this.chunks.unshift(rest);
  }

  /** Forgets all chunks; gives them. */
  clear(): readonly Uint8Array[] {
    const { chunks } = this;
    this.chunks = [];
    return chunks;
  }

  /** How many chunks make a piece. */
  private fitting(): number {
    const { chunks } = this;
    let count = 0;
    for (let size = 0; count < chunks.length; count++) {
      size += chunks[count]!.length;
      if (size > MOST) break;
    }
    return count;
  }
}

/** The chunks in memory of their own. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
