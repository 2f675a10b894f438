/**
 * The incoming side of an open connection: frames become messages or fragments, under all limits. Control frames are handed
 * over as they come. It knows no phases: what a Close means, and what is answered, is decided above.
 */

import { ByteQueue } from '../codec/byte-queue.ts';
import { FrameDecoder, Step } from '../codec/frame-decoder.ts';
import type { PooledBuffer } from '../codec/memory.ts';
import { Opcode } from '../codec/opcode.ts';
import { Utf8Validator } from '../codec/utf8.ts';
import { viewOf } from '../codec/view.ts';
import type { FaultCode } from '../errors.ts';
import type { PayloadDecoder, TransformChain } from '../extension/chain.ts';
import type { ConnectionEvent } from './events.ts';
import { MessageAssembler } from './message-assembler.ts';
import type { Settings } from './options.ts';

/** What `next` found when it is no event. */
export type Found = 'control' | 'fault' | 'pause';

/** Reads frames and makes events of them, one at a time. */
export class Incoming {
  queue: ByteQueue = new ByteQueue();
  /** After `'control'`: its opcode and its payload `bytes[start, end)`; see {@link FrameDecoder}. */
  readonly decoder: FrameDecoder;
  /** After `'fault'`. */
  fault: FaultCode | null = null;

  /** Frames come masked: this is a server's reader. */
  readonly masked: boolean;
  /** The reserved bits that extensions have claimed. */
  readonly rsvBits: number;
  /** The extensions of the connection that reads. */
  chain: TransformChain | null = null;
  private readonly settings: Settings;
  private assembler: MessageAssembler | null = null;
  private assembling = false;
  private lent: PooledBuffer | null = null;
  private fragments: FragmentCutter | null = null;
  /** Bytes that a transform may still make in this call. */
  private budget = 0;

  constructor(settings: Settings, masked: boolean, rsvBits: number) {
    this.masked = masked;
    this.rsvBits = rsvBits;
    this.settings = settings;
    this.decoder = new FrameDecoder(settings.decoderRules(masked, rsvBits));
  }

  /** The next event, or what else was found, or null when more bytes are needed; `'pause'` after `budget` expanded bytes. */
  next(budget: number): ConnectionEvent | Found | null {
    this.budget = budget;
    if (this.lent !== null) {
      this.lent.release();
      this.lent = null;
    }
    const { decoder, queue } = this;
    for (;;) {
      // It holds a piece at least: there is an event, or a fault.
      if (this.fragments?.active === true) return this.fragments.next() ?? this.fail(this.fragments.fault!);
      if (this.assembler?.expanding === true) {
        const found = this.expand(this.assembler);
        if (found !== null) return found;
      }
      const step = decoder.next(queue);
      if (step === Step.data) {
        const found = this.data();
        if (found !== null) return found;
      } else if (step === Step.control) {
        return 'control';
      } else if (step === Step.fault) {
        return this.fail(decoder.fault!);
      } else {
        if (this.assembling) this.assembler!.spill(decoder.messageLength);
        decoder.release();
        return null;
      }
    }
  }

  /** Takes over bytes that came before the connection was open. */
  adopt(queue: ByteQueue): void {
    this.queue = queue;
  }

  /** Copies out what lies in a chunk that is only lent. */
  keep(): void {
    // What is assembled may lie in an earlier loan than the current chunk.
    if (this.assembling) this.assembler!.spill(this.decoder.messageLength);
    this.queue.keep();
  }

  /** Nothing is unread or half read: another connection may use this reader. */
  get idle(): boolean {
    return this.queue.length === 0 && this.decoder.idle && !this.assembling && !this.expanding && this.lent === null;
  }

  /** Whether there is more to read without further input. */
  get pending(): boolean {
    return this.queue.length > 0 || this.expanding;
  }

  /** Whether a transform has output left of what was read. */
  get expanding(): boolean {
    return this.fragments?.active === true || this.assembler?.expanding === true;
  }

  /** Bytes held for a message that is not complete. */
  get retained(): number {
    return this.queue.length + (this.assembler?.retained ?? 0);
  }

  /** Throws away what is unread. What is lent stays so until its listener returns, which nobody can tell: the collector takes it. */
  dispose(): void {
    this.queue.clear();
    this.assembler?.dispose();
  }

  private data(): ConnectionEvent | Found | null {
    const { decoder, settings } = this;
    if (settings.byFragment) return this.fragment();
    if (decoder.firstPiece) {
      if (decoder.lastPiece && decoder.fin && decoder.messageRsv === 0) {
        // The common case: a message in one frame, all of it here.
        return this.message(decoder.bytes, decoder.start, decoder.end);
      }
      this.assembler ??= new MessageAssembler(settings.memory, settings.maxMessageSize);
      const isText = decoder.messageOpcode === Opcode.text;
      this.assembler.begin(isText, this.transform(), settings.borrow || (isText && !settings.textAsBytes));
      this.assembling = true;
    }
    return this.assemble(this.assembler!);
  }

  private assemble(assembler: MessageAssembler): ConnectionEvent | Found | null {
    const { decoder } = this;
    const last = decoder.lastPiece && decoder.fin;
    const fault = assembler.add(decoder.bytes, decoder.start, decoder.end, decoder.messageLength, last);
    if (fault !== null) return this.fail(fault);
    return assembler.expanding ? this.expand(assembler) : this.added(assembler, last);
  }

  private expand(assembler: MessageAssembler): ConnectionEvent | Found | null {
    const { decoder } = this;
    const before = assembler.size;
    const fault = assembler.expand(this.budget);
    if (fault !== null) return this.fail(fault);
    this.budget -= assembler.size - before;
    if (!assembler.expanding) return this.added(assembler, decoder.lastPiece && decoder.fin);
    // Our caller returns null now, and that ends a loan: what is behind this piece is not read yet.
    this.queue.keep();
    return 'pause';
  }

  /** A piece is in the assembler. */
  private added(assembler: MessageAssembler, last: boolean): ConnectionEvent | Found | null {
    const { decoder } = this;
    if (!last) {
      if (!this.settings.progress || !decoder.lastPiece) return null;
      return { type: 'progress', kind: this.kind, received: decoder.messageLength, total: null };
    }
    this.assembling = false;
    if (!assembler.finish()) return this.assembled(assembler);
    const { bytes, start, end } = assembler;
    assembler.bytes = NONE;
    return this.message(bytes, start, end);
  }

  /** A message whose bytes lie in the chunk being read. */
  private message(bytes: Uint8Array, start: number, end: number): ConnectionEvent | Found {
    const { decoder, settings, queue } = this;
    const { wireSize } = decoder;
    if (decoder.messageOpcode === Opcode.text) {
      if (!settings.textAsBytes) {
        const data = settings.text.decode(bytes, start, end);
        if (data === null) return this.fail('UTF8_INVALID');
        return { type: 'message', kind: 'text', data, wireSize };
      }
      if (!settings.text.isValid(bytes, start, end)) return this.fail('UTF8_INVALID');
    }
    let data: Uint8Array;
    const owned = !(queue.borrowed && bytes === queue.bytes);
    if (settings.borrow) data = viewOf(bytes, start, end);
    else if (owned) data = settings.memory.keep(bytes, start, end);
    else data = settings.memory.copy(bytes, start, end);
    return this.binary(data, wireSize);
  }

  /** A message that was collected over several chunks. */
  private assembled(assembler: MessageAssembler): ConnectionEvent | Found {
    const { decoder, settings } = this;
    const { wireSize } = decoder;
    const { bytes, end } = assembler;
    if (decoder.messageOpcode === Opcode.text && !settings.textAsBytes) {
      const data = settings.text.decode(bytes, 0, end);
      assembler.takePooled()?.release();
      return data === null ? this.fail('UTF8_INVALID') : { type: 'message', kind: 'text', data, wireSize };
    }
    if (assembler.unjudged && !settings.text.isValid(bytes, 0, end)) return this.fail('UTF8_INVALID');
    if (settings.borrow) {
      this.lent = assembler.takePooled();
      return this.binary(bytes.subarray(0, end), wireSize);
    }
    return this.binary(assembler.takeStored(), wireSize);
  }

  private binary(data: Uint8Array, wireSize: number): ConnectionEvent {
    if (this.decoder.messageOpcode === Opcode.binary)
      return { type: 'message', kind: 'binary', data: data as Uint8Array<ArrayBuffer>, wireSize };
    // With `text: 'bytes'` a text message carries bytes; the type says string for everybody else.
    return { type: 'message', kind: 'text', data, wireSize } as unknown as ConnectionEvent;
  }

  private fragment(): ConnectionEvent | Found | null {
    const { decoder } = this;
    this.fragments ??= new FragmentCutter(this.settings);
    const { fragments } = this;
    if (decoder.firstPiece) fragments.begin(this.kind, this.transform());
    const last = decoder.lastPiece && decoder.fin;
    const owned = !(this.queue.borrowed && decoder.bytes === this.queue.bytes);
    const event = fragments.add(decoder.bytes, decoder.start, decoder.end, last, owned);
    return event ?? (fragments.fault === null ? null : this.fail(fragments.fault));
  }

  private get kind(): 'text' | 'binary' {
    return this.decoder.messageOpcode === Opcode.text ? 'text' : 'binary';
  }

  private transform(): PayloadDecoder | null {
    return this.chain === null ? null : this.chain.decoderFor(this.decoder.messageRsv);
  }

  private fail(fault: FaultCode): 'fault' {
    this.fault = fault;
    return 'fault';
  }
}

/** Cuts a message into `fragment` events as it arrives: nothing is collected. */
class FragmentCutter {
  fault: FaultCode | null = null;
  /** A transform has output left. */
  active = false;
  private readonly settings: Settings;
  private readonly validator: Utf8Validator = new Utf8Validator();
  private kind: 'text' | 'binary' = 'binary';
  private transform: PayloadDecoder | null = null;
  private first = false;
  private total = 0;
  /** What a transform made, held back. */
  private piece: Uint8Array | null = null;
  /** The output of the transform after the one at hand ends the message. */
  private last = false;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  begin(kind: 'text' | 'binary', transform: PayloadDecoder | null): void {
    this.kind = kind;
    this.transform = transform;
    this.first = true;
    this.total = 0;
  }

  add(bytes: Uint8Array, start: number, end: number, last: boolean, owned: boolean): ConnectionEvent | null {
    this.last = last;
    if (this.transform !== null) {
      this.transform.write(bytes.subarray(start, end), last);
      this.active = true;
      return this.next();
    }
    if (start === end && !last) return null;
    const { settings } = this;
    const { memory } = settings;
    let piece: Uint8Array;
    if (settings.borrow) piece = viewOf(bytes, start, end);
    else piece = owned ? memory.keep(bytes, start, end) : memory.copy(bytes, start, end);
    return this.isText(piece, piece.length) ? this.emit(piece, last) : this.fail('UTF8_INVALID');
  }

  /** What the transform made. One piece is held back while there is input, so that the last one can say that it is. */
  next(): ConnectionEvent | null {
    const transform = this.transform!;
    for (;;) {
      const out = transform.read();
      if (transform.corrupt) return this.fail(transform.fault ?? 'EXTENSION_DATA_INVALID');
      if (out === null) {
        // Before the end nothing is held for longer than there is input: the next piece may be a long time coming.
        this.active = false;
        const { piece, last } = this;
        this.piece = null;
        return piece !== null || last ? this.emit(piece ?? NONE, last) : null;
      }
      if (out.length === 0) continue;
      // Judged as it comes, not as it leaves: when a fault shows, and which, must not depend on how the output was cut.
      const room = Math.min(out.length, this.settings.maxMessageSize - this.total);
      if (!this.isText(out, room)) return this.fail('UTF8_INVALID');
      if (room < out.length) return this.fail('MESSAGE_TOO_BIG');
      this.total += room;
      const held = this.piece;
      this.piece = this.settings.memory.copy(out, 0, out.length);
      if (held !== null) return this.emit(held, false);
    }
  }

  private isText(bytes: Uint8Array, length: number): boolean {
    return this.kind === 'binary' || this.validator.push(bytes, 0, length);
  }

  private emit(data: Uint8Array, last: boolean): ConnectionEvent | null {
    if (last && this.kind === 'text' && !this.validator.complete) return this.fail('UTF8_INVALID');
    const { first } = this;
    this.first = false;
    return { type: 'fragment', kind: this.kind, data: data as Uint8Array<ArrayBuffer>, first, last };
  }

  private fail(fault: FaultCode): null {
    this.active = false;
    this.fault = fault;
    return null;
  }
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
