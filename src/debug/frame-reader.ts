/**
 * The frames of one direction, as somebody sees them who only listens (RFC 6455 section 5). It judges with the engine's own
 * decoder, goes on where a receiver would have failed the connection, and keeps of a payload no more than its first bytes.
 */

import { ByteQueue } from '../codec/byte-queue.ts';
import { parseClosePayload } from '../codec/close-payload.ts';
import { type DecoderRules, FrameDecoder, Step } from '../codec/frame-decoder.ts';
import { headerSize } from '../codec/frame-encoder.ts';
import { Opcode } from '../codec/opcode.ts';
import { Utf8Validator } from '../codec/utf8.ts';
import { type FaultCode, printable, rowOf } from '../errors.ts';
import type { Inflater } from '../extension/permessage-deflate/codec.ts';
import type { PingLedger } from './ping-ledger.ts';
import type { FaultRecord, FrameRecord, Side } from './records.ts';

/** A message that grows beyond this is not followed any further: listening must not cost more than the connection. */
const MAX_INFLATED = 64 * 1024 * 1024;

/** What a reader may expect of the direction. */
export interface Expectation {
  /** Whether frames come masked. */
  readonly masked: boolean;
  /** The reserved bits that extensions have claimed. */
  readonly rsvBits: number;
  /** Follows compressed messages (RSV1), or null if there are none or they cannot be followed. */
  readonly inflater: Inflater | null;
  /** Whether each message is compressed by itself. */
  readonly independent: boolean;
}

/** Reads the frames that one side sends. */
export class FrameReader {
  private readonly from: Side;
  private readonly expectation: Expectation;
  private readonly previewSize: number;
  private readonly pings: PingLedger;
  private readonly emit: (record: FrameRecord | FaultRecord) => void;
  private readonly decoder: FrameDecoder;
  private readonly queue: ByteQueue = new ByteQueue();
  private readonly utf8: Utf8Validator = new Utf8Validator();
  private inflater: Inflater | null;
  private lost = false;
  private inFrame = false;
  private length = 0;
  private inflated: number | null = null;
  private messageInflated = 0;
  /** Grows to `previewSize` as payloads want it. */
  private preview: Uint8Array = new Uint8Array(0);
  private previewed = 0;
  /** The text of this message is not judged any more. */
  private textFault = false;
  /** What is wrong with the content of the frame at hand: told behind it. */
  private wrong: FaultCode | null = null;

  constructor(
    from: Side,
    expectation: Expectation,
    previewSize: number,
    pings: PingLedger,
    emit: (record: FrameRecord | FaultRecord) => void,
  ) {
    this.from = from;
    this.expectation = expectation;
    this.previewSize = previewSize;
    this.pings = pings;
    this.emit = emit;
    this.inflater = expectation.inflater;
    const { masked, rsvBits } = expectation;
    const rules: DecoderRules = { masked, rsvBits, ...UNLIMITED };
    this.decoder = new FrameDecoder(rules);
  }

  /** Takes what was sent; the bytes stay unchanged, and are not kept. */
  read(bytes: Uint8Array, at: number): void {
    if (this.lost || bytes.length === 0) return;
    const { decoder, queue } = this;
    // The decoder unmasks where the bytes lie. (`slice` of a Buffer would be no copy.)
    queue.push(new Uint8Array(bytes), bytes.length, false);
    for (;;) {
      switch (decoder.next(queue)) {
        case Step.needBytes:
          return;
        case Step.fault:
          this.lost = true;
          queue.clear();
          this.fault(decoder.fault!, at, true);
          return;
        case Step.control:
          this.control(at);
          break;
        default:
          this.data(at);
      }
    }
  }

  /** Nothing more will come. */
  end(at: number): void {
    if (this.inFrame) this.frame(at, this.decoder.missing);
    this.inflater?.release();
    this.inflater = null;
    this.lost = true;
  }

  private data(at: number): void {
    const { decoder } = this;
    const { bytes, start, end, lastPiece, fin } = decoder;
    if (!this.inFrame) this.beginFrame();
    this.length += end - start;
    const compressed = (decoder.messageRsv & 0x40) !== 0;
    const last = lastPiece && fin;
    if (!compressed) this.content(bytes, start, end);
    else if (this.inflater !== null) this.inflate(this.inflater, bytes.subarray(start, end), last);
    if (last) this.endMessage();
    if (lastPiece) this.frame(at, 0);
  }

  private beginFrame(): void {
    const { decoder } = this;
    this.inFrame = true;
    this.length = 0;
    this.previewed = 0;
    const compressed = (decoder.messageRsv & 0x40) !== 0;
    this.inflated = compressed && this.inflater !== null ? 0 : null;
    if (decoder.fragments !== 1) return;
    this.messageInflated = 0;
    this.textFault = false;
    this.utf8.reset();
  }

  private inflate(inflater: Inflater, piece: Uint8Array, last: boolean): void {
    inflater.write(piece, last);
    for (let out = inflater.read(); out !== null; out = inflater.read()) {
      this.inflated = (this.inflated ?? 0) + out.length;
      this.messageInflated += out.length;
      this.content(out, 0, out.length);
      if (this.messageInflated > MAX_INFLATED) {
        this.forgetInflater();
        return;
      }
    }
    if (inflater.corrupt) {
      this.forgetInflater();
      this.wrong = 'EXTENSION_DATA_INVALID';
    } else if (last && this.expectation.independent) {
      inflater.reset();
    }
  }

  /** Without its history what follows cannot be read. */
  private forgetInflater(): void {
    this.inflater?.release();
    this.inflater = null;
    this.inflated = null;
    this.textFault = true;
  }

  private content(bytes: Uint8Array, start: number, end: number): void {
    const room = Math.min(this.previewSize - this.previewed, end - start);
    if (room > 0) this.keep(bytes.subarray(start, start + room));
    if (this.decoder.messageOpcode !== Opcode.text || this.textFault) return;
    // §8.1: text must be UTF-8, across its frames.
    if (!this.utf8.push(bytes, start, end)) this.badText();
  }

  private keep(bytes: Uint8Array): void {
    const before = this.previewed;
    this.previewed += bytes.length;
    if (this.previewed > this.preview.length) {
      const grown = new Uint8Array(Math.min(this.previewSize, Math.max(this.previewed, 2 * this.preview.length)));
      grown.set(this.preview.subarray(0, before));
      this.preview = grown;
    }
    this.preview.set(bytes, before);
  }

  private endMessage(): void {
    const { decoder } = this;
    const unread = (decoder.messageRsv & 0x40) !== 0 && this.inflater === null;
    if (decoder.messageOpcode === Opcode.text && !this.textFault && !unread && !this.utf8.complete) this.badText();
  }

  private badText(): void {
    this.textFault = true;
    this.wrong = 'UTF8_INVALID';
  }

  private control(at: number): void {
    const { decoder, from, pings } = this;
    const { bytes, start, end, opcode } = decoder;
    const payload = bytes.slice(start, end);
    if (opcode === Opcode.ping) pings.pinged(from, payload, at);
    const close = opcode === Opcode.close ? parseClosePayload(bytes, start, end) : null;
    this.emit({
      ...this.common(at, payload.length, opcode, opcode, true, 0),
      payload,
      inflated: null,
      messageLength: null,
      roundTrip: opcode === Opcode.pong ? pings.ponged(from, payload, at) : null,
      closeCode: close === null || close.fault !== null ? null : close.code,
      closeReason: close?.reason ?? '',
      missing: 0,
    });
    if (close !== null && close.fault !== null) this.fault(close.fault, at, false);
  }

  private frame(at: number, missing: number): void {
    const { decoder, length } = this;
    const { opcode, messageOpcode, fin, fragments, messageRsv, messageLength } = decoder;
    this.inFrame = false;
    this.emit({
      ...this.common(at, length + missing, opcode, messageOpcode, fin, fragments === 1 ? messageRsv : 0),
      payload: this.preview.slice(0, this.previewed),
      inflated: this.inflated,
      messageLength: fin && missing === 0 ? messageLength : null,
      roundTrip: null,
      closeCode: null,
      closeReason: '',
      missing,
    });
    if (this.wrong !== null) this.fault(this.wrong, at, false);
    this.wrong = null;
  }

  private common(at: number, length: number, opcode: number, messageOpcode: number, fin: boolean, rsv: number) {
    const { from } = this;
    const { masked } = this.expectation;
    const wireSize = headerSize(length, masked) + length;
    return { type: 'frame', at, from, opcode, messageOpcode, fin, rsv, masked, length, wireSize } as const;
  }

  private fault(code: FaultCode, at: number, fatal: boolean): void {
    this.emit(faultRecord(code, '', this.from, at, fatal));
  }
}

/** The record of a broken rule; `detail` follows the text of its row. */
export function faultRecord(code: FaultCode, detail: string, from: Side, at: number, fatal: boolean): FaultRecord {
  const { section, text } = rowOf(code);
  return {
    type: 'fault',
    at,
    from,
    code,
    section,
    text: detail === '' ? text : `${text}: ${printable(detail)}`,
    fatal,
  };
}

const UNLIMITED = {
  maxFrameSize: Number.POSITIVE_INFINITY,
  maxMessageSize: Number.POSITIVE_INFINITY,
  maxFragments: Number.POSITIVE_INFINITY,
};
