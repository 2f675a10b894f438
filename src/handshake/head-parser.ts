/**
 * The head of an HTTP/1.1 message, from any cutting of its bytes (RFC 9112 sections 2 to 5): the first line, and the
 * header fields as pairs. Strict, since every leniency here is a way to smuggle a request past a proxy: lines end with
 * CRLF and nothing else, no folded lines, no space before the colon.
 *
 * Each byte is looked at once, as it comes, and a fault is decided at the byte that makes it certain, whichever chunk that
 * byte came in. It knows neither what a first line says nor any field by name.
 */
import type { FaultCode } from '../errors.ts';
import { BYTE_CLASS, LINE_BYTE, TOKEN_BYTE, VALUE_BYTE } from './header-grammar.ts';
import { decodeLatin1 } from './text.ts';

/** How much of a head is taken; `null` is off. */
export interface HeadLimits {
  /** Bytes from the first of the first line to the last of the blank line. */
  readonly maxHeadSize: number | null;
  /** Bytes of the first line, without its CRLF. */
  readonly maxRequestLine: number | null;
  readonly maxHeaders: number | null;
}

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
/** The least that is reserved for a head that did not come in one chunk. */
const MIN_BUFFER = 512;

/** What the next byte belongs to. */
const State = {
  FirstLine: 0,
  FirstLineEnd: 1,
  FieldStart: 2,
  Name: 3,
  Value: 4,
  ValueEnd: 5,
  HeadEnd: 6,
  Complete: 7,
} as const;
type State = (typeof State)[keyof typeof State];

/**
 * Reads one head.
 *
 * @example
 * const parser = new HeadParser({ maxHeadSize: 16384, maxRequestLine: 8192, maxHeaders: 100 });
 * const end = parser.push(chunk, 0, chunk.length);
 * if (parser.fault !== null) refuse(parser.fault);
 * else if (end >= 0) use(parser.firstLine, parser.rawHeaders, chunk.subarray(end));
 */
export class HeadParser {
  /** Set at the byte that no well-formed head within the limits can have there; nothing is read after it. */
  fault: FaultCode | null = null;
  /** The first line without its CRLF, once the head is complete. */
  firstLine = '';
  /** Name and value alternately, values without the space around them, once the head is complete. */
  rawHeaders: string[] = [];

  private readonly maxHeadSize: number;
  private readonly maxRequestLine: number;
  private readonly maxHeaders: number;
  private readonly lineClass: number;
  private readonly lineFault: FaultCode;
  private state: State = State.FirstLine;
  /** Bytes read so far. */
  private position = 0;
  /** The bytes read so far, unless all of them are in the chunk at hand. */
  private buffer: Uint8Array | null = null;
  /** Where the first line ends, then for each field where its name and its value end. Only offsets until all is known. */
  private marks: number[] = [];

  /** @param kind a status line may hold tabs and obs-text (RFC 9112 section 4), a request line may not */
  constructor(limits: HeadLimits, kind: 'request' | 'response' = 'request') {
    this.maxHeadSize = limits.maxHeadSize ?? Number.POSITIVE_INFINITY;
    this.maxRequestLine = limits.maxRequestLine ?? Number.POSITIVE_INFINITY;
    this.maxHeaders = limits.maxHeaders ?? Number.POSITIVE_INFINITY;
    this.lineClass = kind === 'request' ? LINE_BYTE : VALUE_BYTE;
    this.lineFault = kind === 'request' ? 'REQUEST_LINE_INVALID' : 'STATUS_LINE_INVALID';
  }

  /**
   * Reads `bytes[start, end)`, which it keeps only a copy of.
   *
   * @returns the index just past the blank line if the head is complete, else -1: more is needed, or `fault` was set
   */
  push(bytes: Uint8Array, start: number, end: number): number {
    if (this.fault !== null) return -1;
    let state = this.state;
    if (state === State.Complete) return start;
    const marks = this.marks;
    /** Where the head's first byte lies in terms of `bytes`, or would lie. */
    const base = start - this.position;
    const stop = Math.min(end, base + this.maxHeadSize);
    let i = start;

    while (i < stop) {
      switch (state) {
        case State.FirstLine: {
          const lineStop = Math.min(stop, base + this.maxRequestLine);
          const allowed = this.lineClass;
          while (i < lineStop && (BYTE_CLASS[bytes[i]!]! & allowed) !== 0) i++;
          if (i >= stop) break;
          const byte = bytes[i]!;
          if ((BYTE_CLASS[byte]! & allowed) !== 0) return this.fail('REQUEST_LINE_TOO_LONG');
          // RFC 9112 section 2.2 would have a server skip one empty line, for clients of old that sent one after a POST
          // on the same connection. Nothing can have come before this request.
          if (byte !== CR || i === base) return this.fail(this.lineFault);
          marks.push(i - base);
          state = State.FirstLineEnd;
          i++;
          break;
        }
        case State.FirstLineEnd:
          if (bytes[i] !== LF) return this.fail(this.lineFault);
          state = State.FieldStart;
          i++;
          break;
        case State.FieldStart:
          if (bytes[i] === CR) {
            state = State.HeadEnd;
            i++;
            break;
          }
          if (marks.length > 2 * this.maxHeaders) return this.fail('TOO_MANY_HEADERS');
          // A space here would be a folded line (obs-fold), a colon an empty name.
          if ((BYTE_CLASS[bytes[i]!]! & TOKEN_BYTE) === 0) return this.fail('HEADER_INVALID');
          state = State.Name;
          i++;
          break;
        case State.Name:
          while (i < stop && (BYTE_CLASS[bytes[i]!]! & TOKEN_BYTE) !== 0) i++;
          if (i >= stop) break;
          if (bytes[i] !== COLON) return this.fail('HEADER_INVALID');
          marks.push(i - base);
          state = State.Value;
          i++;
          break;
        case State.Value:
          while (i < stop && (BYTE_CLASS[bytes[i]!]! & VALUE_BYTE) !== 0) i++;
          if (i >= stop) break;
          if (bytes[i] !== CR) return this.fail('HEADER_INVALID');
          marks.push(i - base);
          state = State.ValueEnd;
          i++;
          break;
        case State.ValueEnd:
          if (bytes[i] !== LF) return this.fail('HEADER_INVALID');
          state = State.FieldStart;
          i++;
          break;
        default:
          if (bytes[i] !== LF) return this.fail('HEADER_INVALID');
          i++;
          this.complete(bytes, start, i);
          return i;
      }
    }

    this.state = state;
    // A head of exactly the limit would have been complete by now, so it is longer.
    if (i - base >= this.maxHeadSize) return this.fail('HEAD_TOO_BIG');
    this.keep(bytes, start, i);
    return -1;
  }

  private complete(bytes: Uint8Array, start: number, end: number): void {
    if (this.position > 0) {
      this.keep(bytes, start, end);
      this.split(decodeLatin1(this.buffer!, 0, this.position));
    } else {
      this.split(decodeLatin1(bytes, start, end));
    }
    this.state = State.Complete;
    this.release();
  }

  /** Cuts the head at the marks. The pieces share the memory of `head` in engines that can: one copy, not thirty. */
  private split(head: string): void {
    const marks = this.marks;
    let from = marks[0]!;
    this.firstLine = head.slice(0, from);
    for (let m = 1; m < marks.length; m += 2) {
      const colon = marks[m]!;
      let end = marks[m + 1]!;
      let at = colon + 1;
      const name = head.slice(from + 2, colon);
      from = end;
      // Space around a value is not part of it (RFC 9112 section 5).
      while (at < end && isSpace(head.charCodeAt(at))) at++;
      while (end > at && isSpace(head.charCodeAt(end - 1))) end--;
      this.rawHeaders.push(name, head.slice(at, end));
    }
  }

  private keep(bytes: Uint8Array, start: number, end: number): void {
    const length = this.position + (end - start);
    let buffer = this.buffer;
    if (buffer === null || buffer.length < length) {
      const size = Math.min(Math.max(length * 2, MIN_BUFFER), this.maxHeadSize);
      const larger = new Uint8Array(size);
      if (buffer !== null) larger.set(buffer.subarray(0, this.position));
      this.buffer = buffer = larger;
    }
    buffer.set(bytes.subarray(start, end), this.position);
    this.position = length;
  }

  private fail(fault: FaultCode): number {
    this.fault = fault;
    this.release();
    return -1;
  }

  private release(): void {
    this.buffer = null;
    this.marks = [];
  }
}

function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}
