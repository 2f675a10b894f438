/** Several payload transforms applied to one message, each claiming reserved bits of its own (RFC 6455 section 9.1). */

import type { FaultCode } from '../errors.ts';
import type { PayloadTransform } from './extension.ts';

/** The incoming half of a transform. */
export type PayloadDecoder = Pick<PayloadTransform, 'write' | 'read' | 'corrupt' | 'fault'>;

/** The transforms that a connection agreed on, in the order of the header. */
export class TransformChain {
  readonly rsvBits: number;
  private readonly transforms: readonly PayloadTransform[];
  /** The reserved bits of the message that is sent in pieces. */
  private streaming = 0;
  /**
   * The bits of those that took what a later one then threw at: the peer never sees it, and so they are out of step with it. They
   * take no message any more, which each may do without.
   */
  private spent = 0;

  constructor(transforms: readonly PayloadTransform[]) {
    // A copy is as long as it must be; an array that grew has room for 17, for as long as the connection lives.
    this.transforms = transforms.slice();
    this.rsvBits = transforms.reduce((bits, each) => bits | each.rsvBits, 0);
  }

  /** Outgoing: through every transform that takes the message, in order; `rsvBits` says which did. */
  encode(payload: Uint8Array, kind: 'text' | 'binary'): { payload: Uint8Array; rsvBits: number } {
    return this.pass(payload, ~this.spent, kind, true, true);
  }

  /**
   * Outgoing: one piece of a message that is sent as it is made. The first piece decides which transforms take the message,
   * and `rsvBits` of it is for the first frame. Throws for good once one that took the message is out of step.
   */
  encodePiece(piece: Uint8Array, first: boolean, last: boolean): { payload: Uint8Array; rsvBits: number } {
    if (!first && (this.spent & this.streaming) !== 0) throw new Error('the message cannot go on');
    const encoded = this.pass(piece, first ? ~this.spent : this.streaming, null, first, last);
    if (first) this.streaming = encoded.rsvBits;
    return encoded;
  }

  /** Through those with one of `bits`; without a `kind` it is a piece. */
  private pass(
    payload: Uint8Array,
    bits: number,
    kind: 'text' | 'binary' | null,
    first: boolean,
    last: boolean,
  ): { payload: Uint8Array; rsvBits: number } {
    const { spent } = this;
    let current = payload;
    for (const transform of this.transforms) {
      if ((transform.rsvBits & bits) === 0) continue;
      const encoded = kind === null ? transform.encodePiece?.(current, first, last) : transform.encode(current, kind);
      if (encoded == null) continue;
      current = encoded;
      // For good, if another throws now.
      this.spent |= transform.rsvBits;
    }
    const rsvBits = this.spent ^ spent;
    this.spent = spent;
    return { payload: current, rsvBits };
  }

  /** Connections whose chains have the same key encode a message in the same way; `null` if no other one does. */
  get encodeKey(): string | null {
    let key = '';
    for (const transform of this.transforms) {
      if (typeof transform.encodeKey !== 'string') return null;
      key += `${transform.encodeKey};`;
    }
    return key;
  }

  /** Incoming: what undoes the transforms whose bits are set, the last one first. */
  decoderFor(rsvBits: number): PayloadDecoder | null {
    let decoder: PayloadDecoder | null = null;
    for (const transform of this.transforms) {
      if ((transform.rsvBits & rsvBits) === 0) continue;
      decoder = decoder === null ? transform : new Sequence(transform, decoder);
    }
    return decoder;
  }

  release(): void {
    for (const transform of this.transforms) transform.release();
  }
}

/** Two decoders behind each other: what `outer` gives out goes into `inner`. */
class Sequence implements PayloadDecoder {
  private readonly outer: PayloadDecoder;
  private readonly inner: PayloadDecoder;
  private ending = false;

  constructor(outer: PayloadDecoder, inner: PayloadDecoder) {
    this.outer = outer;
    this.inner = inner;
  }

  get corrupt(): boolean {
    return this.outer.corrupt || this.inner.corrupt;
  }

  get fault(): FaultCode {
    return (this.outer.corrupt ? this.outer : this.inner).fault ?? 'EXTENSION_DATA_INVALID';
  }

  write(piece: Uint8Array, last: boolean): void {
    this.outer.write(piece, last);
    this.ending = last;
  }

  read(): Uint8Array | null {
    for (;;) {
      const out = this.inner.read();
      if (out !== null || this.corrupt) return out;
      const next = this.outer.read();
      if (next !== null) {
        this.inner.write(next, false);
      } else if (this.ending) {
        this.ending = false;
        this.inner.write(NONE, true);
      } else {
        return null;
      }
    }
  }
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
