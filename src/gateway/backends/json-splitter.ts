/**
 * JSON texts on a stream that has no other boundaries: an object or an array ends where its first bracket is closed. What begins
 * otherwise is taken as far as it came. White space and NUL between texts are skipped.
 */

/** Cuts a stream of bytes into JSON texts, none longer than a limit. */
export class JsonSplitter {
  private readonly limit: number;
  private held: Uint8Array = NONE;
  private size = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Calls `take` with each text; false when one is longer than the limit. */
  push(bytes: Uint8Array, take: (text: string) => void): boolean {
    let start = 0;
    for (let i = 0; i < bytes.length; i++) {
      const octet = bytes[i]!;
      if (this.depth === 0) {
        if (octet === 0x20 || octet === 0x0a || octet === 0x0d || octet === 0x09 || octet === 0) {
          start = i + 1;
        } else if (octet === 0x7b || octet === 0x5b) {
          this.depth = 1;
          start = i;
        } else {
          take(Buffer.from(bytes.subarray(i)).toString());
          return true;
        }
      } else if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (octet === 0x5c) this.escaped = true;
        else if (octet === 0x22) this.inString = false;
      } else if (octet === 0x22) {
        this.inString = true;
      } else if (octet === 0x7b || octet === 0x5b) {
        this.depth++;
      } else if ((octet === 0x7d || octet === 0x5d) && --this.depth === 0) {
        this.hold(bytes, start, i + 1);
        if (this.size > this.limit) return false;
        const text = Buffer.from(this.held.buffer, 0, this.size).toString();
        this.held = NONE;
        this.size = 0;
        take(text);
        start = i + 1;
      }
    }
    if (this.depth > 0) this.hold(bytes, start, bytes.length);
    return this.size <= this.limit;
  }

  /** Joins what came, however small it was; what is too long is counted and not kept. */
  private hold(bytes: Uint8Array, start: number, end: number): void {
    const total = this.size + end - start;
    if (total <= this.limit) {
      if (this.held.length < total) {
        const grown = new Uint8Array(Math.max(total, Math.min(this.limit, 2 * this.held.length)));
        grown.set(this.held.subarray(0, this.size));
        this.held = grown;
      }
      this.held.set(bytes.subarray(start, end), this.size);
    }
    this.size = total;
  }
}

const NONE = new Uint8Array(0);
