/**
 * What permessage-deflate asks of a DEFLATE implementation (RFC 1951): a compressor and a decompressor of one direction of
 * one connection. The pure one is the default and the oracle; a shell may lend a faster one that is equal but for speed.
 * It knows no frames and no negotiation.
 */

/** Compresses messages. Every call is complete when it returns. */
export interface Deflater {
  /**
   * Compresses one piece of a message and flushes it to an octet boundary. The `00 00 ff ff` of the flush is left off
   * behind the last piece and kept behind others.
   *
   * @param atMost the longest output that is of use
   * @returns bytes that the caller owns; or `null` if they would be more, and then the piece was never seen: it is no part
   * of the history that later pieces refer to
   */
  deflate(piece: Uint8Array, last: boolean, atMost: number): Uint8Array | null;
  /** Forgets the history: what follows refers to nothing before. */
  reset(): void;
  /** Gives memory back; nothing is called afterwards. */
  release(): void;
}

/** Decompresses messages, piece by piece. */
export interface Inflater {
  /** Set once the input cannot be read; it stays set. */
  readonly corrupt: boolean;
  /**
   * Gives a piece of a message, without the `00 00 ff ff` at its end; `last` ends the message. The piece is looked at until
   * `read` returns output while there is more to come, and copied then.
   */
  write(piece: Uint8Array, last: boolean): void;
  /** Output, at most 64 KiB at a time and valid until the next call; `null` when there is none without more input. */
  read(): Uint8Array | null;
  /** Forgets the history, between messages. */
  reset(): void;
  /** Gives memory back; nothing is called afterwards. */
  release(): void;
}

/** How a compressor is wanted. */
export interface DeflaterOptions {
  /** No reference goes back further than 2 to this power: 8 to 15. */
  readonly windowBits: number;
  /** From 1 (fast) to 9 (small). */
  readonly level: number;
  /** From 1 to 9: the memory for finding repetitions. */
  readonly memoryLevel: number;
  /** Whether the history outlives a message; without it one compressor serves many connections. */
  readonly contextTakeover: boolean;
}

/** A DEFLATE implementation. */
export interface DeflateCodec {
  /** Compresses the messages of one connection. */
  deflater(options: DeflaterOptions): Deflater;
  /** A reference further back than 2 to the power of `windowBits` is corrupt. */
  inflater(windowBits: number): Inflater;
}
