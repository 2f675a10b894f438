/**
 * Where messages begin and end on a stream of bytes, in both directions. Messages stream: the beginning of one leaves before its
 * end has come, and nothing is collected beyond {@link HOLD}, but for the one framing whose length comes first.
 * It knows neither sockets nor WebSockets.
 */

/** How messages lie on a backend's stream. */
export type Framing = 'chunk' | 'nul' | 'line' | 'length-prefixed';

/** Why bytes cannot be framed, or are not framed as they should be. */
export type FramingFault = 'delimiter' | 'too-big' | 'truncated';

/** A message up to this size leaves in one piece, however it came; the rest of a longer one follows in pieces. */
export const HOLD = 65_536;

/** Takes messages in pieces; the bytes are lent until it returns. */
export interface MessageSink {
  piece(bytes: Uint8Array, start: number, end: number, last: boolean): void;
}

/** Takes bytes for a stream; they are copied. */
export interface ByteSink {
  write(bytes: Uint8Array): void;
}

/** Messages to bytes. */
export interface Encoder {
  /** Takes a piece of a message. A message with a fault is not completed on the stream. */
  encode(piece: Uint8Array, last: boolean, out: ByteSink): FramingFault | null;
}

/** Bytes to messages. */
export interface Decoder {
  /** Takes `bytes[0, length)`. */
  decode(bytes: Uint8Array, length: number, sink: MessageSink): FramingFault | null;
  /** The stream has ended. What has no end of its own is the last message. */
  end(sink: MessageSink): FramingFault | null;
}

/** `limit`: the bytes of a message, or `Infinity`. */
export function createEncoder(framing: Framing, limit: number): Encoder {
  switch (framing) {
    case 'chunk':
      return CHUNKS;
    case 'nul':
      return new DelimitedEncoder(0x00);
    case 'line':
      return new DelimitedEncoder(0x0a);
    case 'length-prefixed':
      return new PrefixEncoder(limit);
  }
}

/** `text`: whether the stream is UTF-8, so that a read may not end within a character. */
export function createDecoder(framing: Framing, limit: number, text: boolean): Decoder {
  switch (framing) {
    case 'chunk':
      return new ChunkDecoder(text);
    case 'nul':
      return new DelimitedDecoder(0x00, limit);
    case 'line':
      return new DelimitedDecoder(0x0a, limit);
    case 'length-prefixed':
      return new PrefixDecoder(limit);
  }
}

// ── chunk: what is read at once is a message; what is sent leaves no trace of where it ended ───────────────────────────────

const CHUNKS: Encoder = {
  encode(piece, _last, out) {
    out.write(piece);
    return null;
  },
};

class ChunkDecoder implements Decoder {
  private readonly text: boolean;
  /** The beginning of a character. */
  private tail: Uint8Array = NONE;

  constructor(text: boolean) {
    this.text = text;
  }

  decode(bytes: Uint8Array, length: number, sink: MessageSink): null {
    if (!this.text) {
      sink.piece(bytes, 0, length, true);
      return null;
    }
    let whole = bytes;
    let end = length;
    if (this.tail.length > 0) {
      whole = join(this.tail, bytes, 0, length);
      end = whole.length;
    }
    const cut = end - unfinished(whole, end);
    this.tail = whole.slice(cut, end);
    if (cut > 0) sink.piece(whole, 0, cut, true);
    return null;
  }

  end(): FramingFault | null {
    return this.tail.length > 0 ? 'truncated' : null;
  }
}

/** How many bytes at the end begin a character of UTF-8 without ending it. */
function unfinished(bytes: Uint8Array, end: number): number {
  for (let back = 1; back <= 3 && back <= end; back++) {
    const octet = bytes[end - back]!;
    if (octet < 0x80) return 0;
    if (octet < 0xc0) continue;
    const size = octet < 0xe0 ? 2 : octet < 0xf0 ? 3 : 4;
    return size > back ? back : 0;
  }
  return 0;
}

// ── nul and line: one octet ends a message, and can be in none ─────────────────────────────────────────────────────────────

class DelimitedEncoder implements Encoder {
  private readonly delimiter: number;
  private readonly end: Uint8Array;

  constructor(delimiter: number) {
    this.delimiter = delimiter;
    this.end = Uint8Array.of(delimiter);
  }

  encode(piece: Uint8Array, last: boolean, out: ByteSink): FramingFault | null {
    // A client must not be able to make two messages of one.
    if (piece.includes(this.delimiter)) return 'delimiter';
    out.write(piece);
    if (last) out.write(this.end);
    return null;
  }
}

class DelimitedDecoder implements Decoder {
  private readonly delimiter: number;
  private readonly collector: Collector;

  constructor(delimiter: number, limit: number) {
    this.delimiter = delimiter;
    this.collector = new Collector(limit);
  }

  decode(bytes: Uint8Array, length: number, sink: MessageSink): FramingFault | null {
    const { delimiter, collector } = this;
    const read = bytes.length === length ? bytes : bytes.subarray(0, length);
    let at = 0;
    while (at < length) {
      const found = read.indexOf(delimiter, at);
      const end = found < 0 ? length : found;
      if (!collector.add(read, at, end, found >= 0, sink)) return 'too-big';
      at = end + 1;
    }
    return null;
  }

  end(sink: MessageSink): null {
    if (this.collector.size > 0) this.collector.add(NONE, 0, 0, true, sink);
    return null;
  }
}

// ── length-prefixed: four octets, the highest first, say how many follow ───────────────────────────────────────────────────

const PREFIX = 4;

class PrefixEncoder implements Encoder {
  private readonly limit: number;
  /** Beginning of a message whose length is not known yet; four octets are free in front of it. */
  private held: Uint8Array = NONE;
  private length = 0;

  constructor(limit: number) {
    this.limit = Math.min(limit, 0xffff_ffff);
  }

  encode(piece: Uint8Array, last: boolean, out: ByteSink): FramingFault | null {
    const total = this.length + piece.length;
    if (total > this.limit) return 'too-big';
    if (last && this.length === 0) {
      out.write(prefixOf(total));
      out.write(piece);
      return null;
    }
    if (this.held.length < total) this.grow(total);
    this.held.set(piece, this.length);
    this.length = total;
    if (!last) return null;
    out.write(prefixOf(total));
    out.write(this.held.subarray(0, total));
    this.held = NONE;
    this.length = 0;
    return null;
  }

  private grow(least: number): void {
    const grown = new Uint8Array(Math.min(this.limit, Math.max(least, 2 * this.held.length, 4_096)));
    grown.set(this.held.subarray(0, this.length));
    this.held = grown;
  }
}

function prefixOf(length: number): Uint8Array {
  return Uint8Array.of(length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

class PrefixDecoder implements Decoder {
  private readonly limit: number;
  private readonly collector: Collector;
  /** Octets of the prefix that have come, and their value. */
  private prefixed = 0;
  private remaining = 0;

  constructor(limit: number) {
    this.limit = limit;
    this.collector = new Collector(limit);
  }

  decode(bytes: Uint8Array, length: number, sink: MessageSink): FramingFault | null {
    let at = 0;
    while (at < length) {
      while (this.prefixed < PREFIX && at < length) {
        this.remaining = 256 * this.remaining + bytes[at++]!;
        this.prefixed++;
      }
      if (this.prefixed < PREFIX) return null;
      // Judged when it is announced: nobody waits for 4 GiB that will never come.
      if (this.collector.size + this.remaining > this.limit) return 'too-big';
      const end = Math.min(length, at + this.remaining);
      this.remaining -= end - at;
      const last = this.remaining === 0;
      this.collector.add(bytes, at, end, last, sink);
      at = end;
      if (last) this.prefixed = 0;
    }
    return null;
  }

  end(): FramingFault | null {
    return this.prefixed > 0 ? 'truncated' : null;
  }
}

// ── shared ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Makes one piece of a message that came in several, as long as it is not longer than {@link HOLD}. */
class Collector {
  /** Bytes of the message under way. */
  size = 0;
  private readonly limit: number;
  private held: Uint8Array = NONE;
  private length = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Returns false when the message is longer than the limit. */
  add(bytes: Uint8Array, start: number, end: number, last: boolean, sink: MessageSink): boolean {
    this.size += end - start;
    if (this.size > this.limit) return false;
    if (this.length === 0 && last) {
      // Nearly always: all of the message lies in this read.
      sink.piece(bytes, start, end, true);
    } else if (this.length + end - start <= HOLD) {
      this.hold(bytes, start, end);
      if (last) this.release(true, sink);
    } else {
      if (this.length > 0) this.release(false, sink);
      sink.piece(bytes, start, end, last);
    }
    if (last) this.size = 0;
    return true;
  }

  private hold(bytes: Uint8Array, start: number, end: number): void {
    const least = this.length + end - start;
    if (this.held.length < least) {
      const grown = new Uint8Array(Math.min(HOLD, Math.max(least, 2 * this.held.length, 512)));
      grown.set(this.held.subarray(0, this.length));
      this.held = grown;
    }
    this.held.set(bytes.subarray(start, end), this.length);
    this.length = least;
  }

  private release(last: boolean, sink: MessageSink): void {
    const { length } = this;
    this.length = 0;
    sink.piece(this.held, 0, length, last);
  }
}

function join(head: Uint8Array, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const joined = new Uint8Array(head.length + end - start);
  joined.set(head);
  joined.set(bytes.subarray(start, end), head.length);
  return joined;
}

const NONE = new Uint8Array(0);
