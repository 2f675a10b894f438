/** Several payload transforms applied to one message, each claiming reserved bits of its own (RFC 6455 section 9.1). */

import type { FaultCode } from '../errors.ts';
import type { PayloadTransform } from './extension.ts';

/** The transforms that a connection agreed on, in the order of the header. */
export class TransformChain {
  readonly rsvBits: number;
  private readonly transforms: readonly PayloadTransform[];
  /** The reserved bits of the message that is sent in pieces. */
  private streaming = 0;

  constructor(transforms: readonly PayloadTransform[]) {
    // A copy is as long as it must be; an array that grew has room for 17, for as long as the connection lives.
    this.transforms = transforms.slice();
    this.rsvBits = transforms.reduce((bits, each) => bits | each.rsvBits, 0);
  }

  /** Outgoing: through every transform that takes the message, in order; `rsvBits` says which did. */
  encode(payload: Uint8Array, kind: 'text' | 'binary'): { payload: Uint8Array; rsvBits: number } {
    let rsvBits = 0;
    let current = payload;
    for (const transform of this.transforms) {
      const encoded = transform.encode(current, kind);
      if (encoded === null) continue;
      current = encoded;
      rsvBits |= transform.rsvBits;
    }
    return { payload: current, rsvBits };
  }

  /**
   * Outgoing: one piece of a message that is sent as it is made. The first piece decides which transforms take the message,
   * and `rsvBits` of it is for the first frame.
   */
  encodePiece(piece: Uint8Array, first: boolean, last: boolean): { payload: Uint8Array; rsvBits: number } {
    if (first) this.streaming = 0;
    let current = piece;
    for (const transform of this.transforms) {
      if (!first && (transform.rsvBits & this.streaming) === 0) continue;
      const encoded = transform.encodePiece?.(current, first, last) ?? null;
      if (encoded === null) continue;
      current = encoded;
      this.streaming |= transform.rsvBits;
    }
    return { payload: current, rsvBits: this.streaming };
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
  decoderFor(rsvBits: number): PayloadTransform | null {
    let decoder: PayloadTransform | null = null;
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
class Sequence implements PayloadTransform {
  readonly rsvBits: number;
  private readonly outer: PayloadTransform;
  private readonly inner: PayloadTransform;
  private ending = false;

  constructor(outer: PayloadTransform, inner: PayloadTransform) {
    this.outer = outer;
    this.inner = inner;
    this.rsvBits = outer.rsvBits | inner.rsvBits;
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

  encode(): null {
    return null;
  }

  release(): void {}
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
