/**
 * Messages on their way out: which extensions take them, and how they are cut into frames (RFC 6455 sections 5.4 and 5.6).
 * It knows no phases: whether the connection is open has been asked.
 */

import { headerSize, writeHeader } from '../codec/frame-encoder.ts';
import { Opcode } from '../codec/opcode.ts';
import { Utf8Validator } from '../codec/utf8.ts';
import { UsageError } from '../errors.ts';
import type { TransformChain } from '../extension/chain.ts';
import { checkBytes, checkFlag, checkFragmentSize, checkKind, checkText, encodeText, loneSurrogate } from './checks.ts';
import type { Settings } from './options.ts';
import type { Outgoing } from './outgoing.ts';
import type { SharedFrame } from './shared-frames.ts';

/**
 * How one message is sent over a connection of the engine. (That of `sansocket/server`, `/client` and `/endpoint`, for
 * `Endpoint.send`, has `binary` besides.)
 */
export interface SendOptions {
  /** Whether extensions may compress it. Default true. */
  readonly compress?: boolean;
  /**
   * Splits the message into frames of at most so many bytes (RFC 6455 section 5.4). They are queued together, and a pong comes
   * behind them; between the chunks of `sendStream` it need not wait. Default: one frame.
   */
  readonly fragmentSize?: number;
}

/** What is sent fragment by fragment. */
interface FragmentedMessage {
  readonly kind: 'text' | 'binary';
  /** Extensions may change it. */
  readonly compress: boolean;
  validator: Utf8Validator | null;
  first: boolean;
}

/** Cuts messages into frames. Most methods return the bytes on the wire, headers included. */
export class MessageSender {
  /** What an extension threw that could not take a message. */
  refusal: unknown = null;
  private readonly outgoing: Outgoing;
  private readonly settings: Settings;
  private readonly chain: TransformChain | null;
  private fragmented: FragmentedMessage | null = null;

  constructor(outgoing: Outgoing, settings: Settings, chain: TransformChain | null) {
    this.outgoing = outgoing;
    this.settings = settings;
    this.chain = chain;
  }

  /** Whether a message was begun by `fragment` and has not ended. */
  get midMessage(): boolean {
    return this.fragmented !== null;
  }

  /** Servers with the same key make the same of a message; `''`: nothing. Null if no other one does. */
  get encodeKey(): string | null {
    return this.chain === null ? '' : this.chain.encodeKey;
  }

  /** A text message; 0 if too much is unsent, -1 if an extension could not take it. */
  text(text: string | Uint8Array, options: SendOptions | undefined): number {
    this.checkBetween();
    if (typeof text !== 'string') {
      checkBytes(text);
      checkText(this.settings.text, text);
      return this.unless(this.full, Opcode.text, text, options);
    }
    if (options !== undefined || this.chain !== null)
      return this.unless(this.full, Opcode.text, encodeText(this.settings.text, text), options);
    if (this.full) return 0;
    const wireSize = this.outgoing.textFrame(0x80 | Opcode.text, text);
    if (wireSize < 0) throw loneSurrogate();
    return wireSize;
  }

  /** A binary message; 0 if too much is unsent, -1 if an extension could not take it. */
  binary(bytes: Uint8Array, options: SendOptions | undefined): number {
    this.checkBetween();
    checkBytes(bytes);
    if (options !== undefined || this.chain !== null) return this.unless(this.full, Opcode.binary, bytes, options);
    return this.full ? 0 : this.outgoing.frame(0x80 | Opcode.binary, bytes);
  }

  /**
   * A message that was taken before, while there was room: the cap is not asked again, and what an extension cannot take goes as
   * it is. Text is known to be UTF-8.
   */
  taken(kind: 'text' | 'binary', bytes: Uint8Array, options: SendOptions | undefined): number {
    this.checkBetween();
    const wireSize = this.unless(false, Opcode[kind], bytes, options);
    return wireSize >= 0 ? wireSize : this.unless(false, Opcode[kind], bytes, { ...options, compress: false });
  }

  /** A message in one frame that has no mask, not queued; null if an extension could not take it. */
  whole(kind: 'text' | 'binary', bytes: Uint8Array): Uint8Array | null {
    const encoded = this.changed(kind, bytes);
    if (encoded === null) return null;
    const { payload, rsvBits } = encoded;
    const header = headerSize(payload.length, false);
    const frame = new Uint8Array(header + payload.length);
    writeHeader(frame, 0, 0x80 | rsvBits | Opcode[kind], payload.length, false, 0);
    frame.set(payload, header);
    return frame;
  }

  /** A message that was encoded for many; 0 if too much is unsent. */
  encoded(frame: SharedFrame): number {
    this.checkBetween();
    if (this.full) return 0;
    this.outgoing.share(frame);
    return frame.bytes.length;
  }

  /**
   * One fragment of a message; 0 if too much is unsent to begin one, -1 if an extension could not take it. The message is as it
   * was then.
   */
  fragment(kind: 'text' | 'binary', bytes: Uint8Array, last: boolean, compress: boolean): number {
    checkKind(kind);
    checkBytes(bytes);
    checkFlag('last', last);
    checkFlag('compress', compress);
    if (this.fragmented !== null && this.fragmented.kind !== kind) {
      throw new UsageError('INVALID_STATE', `a fragmented ${this.fragmented.kind} message is under way: end it first`);
    }
    const message = this.fragmented ?? {
      kind,
      compress,
      validator: kind === 'text' ? new Utf8Validator() : null,
      first: true,
    };
    const validator = message.validator?.clone() ?? null;
    if (validator !== null && (!validator.push(bytes, 0, bytes.length) || (last && !validator.complete))) {
      throw new UsageError('INVALID_ARGUMENT', 'the fragment to send as text is not UTF-8');
    }
    if (message.first && this.full) return 0;
    let payload = bytes;
    let first: number = message.first ? Opcode[kind] : Opcode.continuation;
    if (this.chain !== null && message.compress) {
      try {
        const encoded = this.chain.encodePiece(bytes, message.first, last);
        payload = encoded.payload;
        if (message.first) first |= encoded.rsvBits;
      } catch (error) {
        this.refusal = error;
        return -1;
      }
    }
    message.validator = validator;
    this.fragmented = last ? null : message;
    message.first = false;
    return this.outgoing.frame((last ? 0x80 : 0) | first, payload);
  }

  /** A Close follows: the message that was begun stays without an end. */
  abandon(): void {
    this.fragmented = null;
  }

  private get full(): boolean {
    return this.outgoing.unsent >= this.settings.maxBufferedAmount;
  }

  /** §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another message". */
  private checkBetween(): void {
    if (this.fragmented !== null)
      throw new UsageError('INVALID_STATE', 'a fragmented message is under way: end it first');
  }

  /** A message that extensions may change or that may be split into fragments, unless there is no room. */
  private unless(full: boolean, opcode: Opcode, bytes: Uint8Array, options: SendOptions | undefined): number {
    const size = options?.fragmentSize;
    checkFragmentSize(size);
    if (options?.compress !== undefined) checkFlag('compress', options.compress);
    if (full) return 0;
    let payload = bytes;
    let first: number = opcode;
    if (this.chain !== null && options?.compress !== false) {
      const encoded = this.changed(opcode === Opcode.text ? 'text' : 'binary', bytes);
      if (encoded === null) return -1;
      payload = encoded.payload;
      first |= encoded.rsvBits;
    }
    if (size === undefined || payload.length <= size) return this.outgoing.frame(0x80 | first, payload);
    let wireSize = 0;
    for (let at = 0; at < payload.length; at += size) {
      const last = at + size >= payload.length;
      wireSize += this.outgoing.frame((last ? 0x80 : 0) | (at === 0 ? first : 0), payload.subarray(at, at + size));
    }
    return wireSize;
  }

  /** What extensions make of a message, or null if one of them threw. */
  private changed(kind: 'text' | 'binary', bytes: Uint8Array): { payload: Uint8Array; rsvBits: number } | null {
    try {
      return this.chain === null ? { payload: bytes, rsvBits: 0 } : this.chain.encode(bytes, kind);
    } catch (error) {
      this.refusal = error;
      return null;
    }
  }
}
