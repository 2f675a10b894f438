/**
 * Bytes to frames (RFC 6455 section 5.2): a cursor that allocates nothing on its way. `next()` says what was found and the
 * fields hold the rest. Payload is unmasked where it lies and handed over piece by piece as it arrives; a control frame is
 * handed over whole. It knows the rules of framing and the limits that a header alone decides, but no connection.
 */

import type { FaultCode } from '../errors.ts';
import type { ByteQueue } from './byte-queue.ts';
import { checkFrame, type FrameRules } from './frame-check.ts';
import { applyMask } from './mask.ts';

/** What `next()` found. */
export const Step = { needBytes: 0, data: 1, control: 2, fault: 3 } as const;
export type Step = (typeof Step)[keyof typeof Step];

/** The rules of framing and the limits of sizes; `Infinity` for none. */
export interface DecoderRules extends FrameRules {
  readonly maxFrameSize: number;
  /** Counted over all frames of a message, from the headers, unless an extension transforms it. */
  readonly maxMessageSize: number;
  readonly maxFragments: number;
}

/** A cursor over the frames in a {@link ByteQueue}. */
export class FrameDecoder {
  /** The piece: `bytes[start, end)`, unmasked. */
  bytes: Uint8Array = NONE;
  start = 0;
  end = 0;
  /** Of the current frame. */
  fin = false;
  opcode = 0;
  /** Of the current message: its opcode, the reserved bits of its first frame, its frames and bytes so far. */
  messageOpcode = 0;
  messageRsv = 0;
  messageLength = 0;
  fragments = 0;
  /** Bytes on the wire of the message's frames so far, headers included. */
  wireSize = 0;
  /** The piece is the first of its message, or the last of its frame. */
  firstPiece = false;
  lastPiece = false;
  fault: FaultCode | null = null;

  private readonly rules: DecoderRules;
  private inPayload = false;
  private continuing = false;
  private masked = false;
  private key = 0;
  private phase = 0;
  private remaining = 0;
  private frameLength = 0;
  /** A header or a control frame that was cut by the network, and how much of it is here. */
  private stash: Uint8Array | null = null;
  private stashed = 0;

  constructor(rules: DecoderRules) {
    this.rules = rules;
  }

  /** Bytes of the current frame's payload that have not arrived; 0 between frames. */
  get missing(): number {
    return this.remaining;
  }

  /** Between messages, with nothing half read. */
  get idle(): boolean {
    return !this.inPayload && !this.continuing && this.stash === null && this.fault === null;
  }

  /** Lets go of the chunk of the last piece, which would stay in memory while the connection is idle. */
  release(): void {
    this.bytes = NONE;
    this.start = this.end = 0;
  }

  /** Reads on. After `fault` the cursor is dead. */
  next(queue: ByteQueue): Step {
    for (;;) {
      if (!this.inPayload && !this.readHeader(queue)) {
        if (this.fault !== null) return Step.fault;
        if (queue.advance()) continue;
        return Step.needBytes;
      }
      const step = this.opcode < 8 ? this.readData(queue) : this.readControl(queue);
      if (step !== Step.needBytes) return step;
      if (!queue.advance()) return Step.needBytes;
    }
  }

  private readData(queue: ByteQueue): Step {
    const start = queue.position;
    const available = queue.end - start;
    const { remaining } = this;
    if (available === 0 && remaining !== 0) return Step.needBytes;
    const take = available < remaining ? available : remaining;
    const end = start + take;
    const { bytes } = queue;
    if (this.masked) {
      applyMask(bytes, start, end, this.key, this.phase);
      this.phase = (this.phase + take) & 3;
    }
    queue.position = end;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.remaining = remaining - take;
    this.firstPiece = this.fragments === 1 && remaining === this.frameLength;
    this.lastPiece = take === remaining;
    if (take === remaining) {
      this.inPayload = false;
      this.continuing = !this.fin;
    }
    return Step.data;
  }

  private readControl(queue: ByteQueue): Step {
    const start = queue.position;
    const available = queue.end - start;
    const { remaining } = this;
    let bytes = queue.bytes;
    let from = start;
    if (this.stash === null && available >= remaining) {
      queue.position = start + remaining;
    } else {
      this.stash ??= new Uint8Array(125);
      const take = available < remaining - this.stashed ? available : remaining - this.stashed;
      for (let i = 0; i < take; i++) this.stash[this.stashed + i] = bytes[start + i]!;
      this.stashed += take;
      queue.position = start + take;
      if (this.stashed < remaining) return Step.needBytes;
      bytes = this.stash;
      from = 0;
      this.stash = null;
      this.stashed = 0;
    }
    if (this.masked) applyMask(bytes, from, from + remaining, this.key, 0);
    this.bytes = bytes;
    this.start = from;
    this.end = from + remaining;
    this.remaining = 0;
    this.inPayload = false;
    return Step.control;
  }

  /** Reads a header, from the chunk where it lies or, if the network cut it, octet by octet; false if it is incomplete or wrong. */
  private readHeader(queue: ByteQueue): boolean {
    const { position, end } = queue;
    if (this.stash === null) {
      const size = this.parseHeader(queue.bytes, position, end - position);
      if (size > 0) {
        queue.position = position + size;
        return true;
      }
      if (this.fault !== null || position === end) return false;
      this.stash = new Uint8Array(14);
    }
    const { stash } = this;
    for (let i = position; i < end; i++) {
      stash[this.stashed++] = queue.bytes[i]!;
      if (this.parseHeader(stash, 0, this.stashed) > 0) {
        queue.position = i + 1;
        this.stash = null;
        this.stashed = 0;
        return true;
      }
      if (this.fault !== null) return false;
    }
    // All of the chunk is in the stash: `next` leaves it behind.
    return false;
  }

  /** Parses the header at `at`. Returns its size, or 0 if it is incomplete or wrong (then `fault` is set). */
  private parseHeader(bytes: Uint8Array, at: number, available: number): number {
    if (available < 2) return 0;
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    const { rules } = this;
    const fault = checkFrame(first, second, rules, this.continuing);
    if (fault !== null) return this.fail(fault);
    const opcode = first & 0x0f;
    let length = second & 0x7f;
    let size = 2;
    if (length === 126) {
      if (available < 4) return 0;
      length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      size = 4;
      // §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"
      if (length < 126) return this.fail('LENGTH_NOT_MINIMAL');
    } else if (length === 127) {
      if (available < 10) return 0;
      const high = read32(bytes, at + 2);
      const low = read32(bytes, at + 6);
      // §5.2: "the most significant bit MUST be 0"
      if (high >= 0x8000_0000) return this.fail('LENGTH_HIGH_BIT_SET');
      if (high === 0 && low < 65_536) return this.fail('LENGTH_NOT_MINIMAL');
      // Beyond 2^53 - 1 a length is no longer exact, and beyond every limit that can be set.
      if (high >= 0x20_0000) return this.fail('FRAME_TOO_BIG');
      length = high * 0x1_0000_0000 + low;
      size = 10;
    }
    if (opcode < 8) {
      const fresh = opcode !== 0;
      const total = (fresh ? 0 : this.messageLength) + length;
      const rsv = (fresh ? first : this.messageRsv) & 0x70;
      if (total > Number.MAX_SAFE_INTEGER || (rsv === 0 && total > rules.maxMessageSize))
        return this.fail('MESSAGE_TOO_BIG');
      // Behind the message: where a frame is over both limits, the other one is what has to be raised.
      if (length > rules.maxFrameSize) return this.fail('FRAME_TOO_BIG');
      const fragments = fresh ? 1 : this.fragments + 1;
      if (fragments > rules.maxFragments) return this.fail('TOO_MANY_FRAGMENTS');
    }
    const masked = second >= 0x80;
    if (masked) {
      if (available < size + 4) return 0;
      const k = at + size;
      this.key = bytes[k]! | (bytes[k + 1]! << 8) | (bytes[k + 2]! << 16) | (bytes[k + 3]! << 24);
      this.phase = 0;
      size += 4;
    }
    this.fin = first >= 0x80;
    this.opcode = opcode;
    this.masked = masked;
    this.remaining = length;
    this.frameLength = length;
    this.inPayload = true;
    if (opcode === 0) {
      this.messageLength += length;
      this.fragments++;
      this.wireSize += size + length;
    } else if (opcode < 8) {
      this.messageOpcode = opcode;
      this.messageRsv = first & 0x70;
      this.messageLength = length;
      this.fragments = 1;
      this.wireSize = size + length;
    }
    return size;
  }

  private fail(fault: FaultCode): 0 {
    this.fault = fault;
    return 0;
  }
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
