/**
 * Messages on their way out: which extensions take them, and how they are cut into frames (RFC 6455 sections 5.4 and 5.6).
 * It knows no phases: whether the connection is open has been asked.
 */

import { Opcode } from '../codec/opcode.ts';
import { Utf8Validator } from '../codec/utf8.ts';
import { UsageError } from '../errors.ts';
import type { TransformChain } from '../extension/chain.ts';
import { checkBytes, checkFragmentSize, checkText, encodeText, loneSurrogate } from './checks.ts';
import type { Settings } from './options.ts';
import type { Outgoing } from './outgoing.ts';

/** How one message is sent. */
export interface SendOptions {
  /** Whether extensions may compress it. Default true. */
  readonly compress?: boolean;
  /** Splits the message into frames of at most so many bytes (RFC 6455 section 5.4). Default: one frame. */
  readonly fragmentSize?: number;
}

/** What is sent fragment by fragment. */
interface FragmentedMessage {
  readonly kind: 'text' | 'binary';
  validator: Utf8Validator | null;
  first: boolean;
}

/** Cuts messages into frames. All methods return the bytes on the wire, headers included. */
export class MessageSender {
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

  /** Whether no extension changes messages. */
  get plain(): boolean {
    return this.chain === null;
  }

  /** A text message; 0 if too much is unsent. */
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

  /** A binary message; 0 if too much is unsent. */
  binary(bytes: Uint8Array, options: SendOptions | undefined): number {
    this.checkBetween();
    checkBytes(bytes);
    if (options !== undefined || this.chain !== null) return this.unless(this.full, Opcode.binary, bytes, options);
    return this.full ? 0 : this.outgoing.frame(0x80 | Opcode.binary, bytes);
  }

  /** A message that was taken before, while there was room: the cap is not asked again. Text is known to be UTF-8. */
  taken(kind: 'text' | 'binary', bytes: Uint8Array, options: SendOptions | undefined): number {
    this.checkBetween();
    return this.unless(false, Opcode[kind], bytes, options);
  }

  /** Frames that were encoded elsewhere; 0 if too much is unsent. */
  encoded(frames: Uint8Array): number {
    this.checkBetween();
    if (this.full) return 0;
    this.outgoing.append(frames);
    return frames.length;
  }

  /** One fragment of a message. */
  fragment(kind: 'text' | 'binary', bytes: Uint8Array, last: boolean): number {
    checkBytes(bytes);
    if (this.fragmented !== null && this.fragmented.kind !== kind) {
      throw new UsageError('INVALID_STATE', `a fragmented ${this.fragmented.kind} message is under way: end it first`);
    }
    const message = this.fragmented ?? { kind, validator: kind === 'text' ? new Utf8Validator() : null, first: true };
    if (message.validator !== null) {
      const validator = message.validator.clone();
      if (!validator.push(bytes, 0, bytes.length) || (last && !validator.complete)) {
        throw new UsageError('INVALID_ARGUMENT', 'the fragment to send as text is not UTF-8');
      }
      message.validator = validator;
    }
    const opcode = message.first ? Opcode[kind] : Opcode.continuation;
    this.fragmented = last ? null : message;
    message.first = false;
    return this.outgoing.frame((last ? 0x80 : 0) | opcode, bytes);
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
    if (full) return 0;
    let payload = bytes;
    let first: number = opcode;
    if (this.chain !== null && options?.compress !== false) {
      const encoded = this.chain.encode(bytes, opcode === Opcode.text ? 'text' : 'binary');
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
}
