/**
 * What an endpoint sends: whole messages, one message as a stream with others waiting behind it, and the waits until it has
 * left. It knows the caps and the water mark, not the frames.
 */

import { headerSize } from '../codec/frame-encoder.ts';
import { checkFlag, checkFragmentSize, checkKind, checkText, encodeText } from '../connection/checks.ts';
import type { Connection } from '../connection/connection.ts';
import type { SendOptions as EngineSendOptions } from '../connection/message-sender.ts';
import type { SharedFrame } from '../connection/shared-frames.ts';
import { UsageError } from '../errors.ts';
import type { Clock } from '../transport/transport.ts';
import type { EndpointSettings } from './options.ts';
import { letGo, OutgoingStream, type StreamSource } from './outgoing-stream.ts';
import { type Bytes, toBytes } from './payload.ts';

/** How one message is sent by an endpoint. (That of `sansocket`, the engine, has no `binary`: there the method says it.) */
export interface SendOptions extends EngineSendOptions {
  /** Text (false) or binary (true). Default: strings are text, bytes are binary. */
  readonly binary?: boolean;
}

/** How one message is sent piece by piece. */
export type StreamOptions = Pick<SendOptions, 'compress'>;

/** What became of a message. */
export interface SendResult {
  /** Whether it was queued. False means that nothing was written. */
  readonly success: boolean;
  /** Why not. */
  readonly code: 'not-open' | 'overflow' | 'compression' | null;
  /** Bytes of the message. */
  readonly payloadSize: number;
  /** Bytes that it takes on the wire, headers included. */
  readonly wireSize: number;
  /** Whether an extension could not take the message. */
  readonly compressionError: boolean;
  /** Whether more is welcome; if not, wait for `drain` or `drained()`. */
  readonly writable: boolean;
}

/** What the outbox needs of its endpoint. */
export interface OutboxOwner {
  /** Something was queued. */
  touch(): void;
  /** The source of a stream threw. */
  fail(error: unknown): void;
}

/** The outgoing side of one endpoint. */
export class Outbox {
  /** Messages queued whole. */
  sent = 0;
  /** `open` was told: `drain` may be. */
  opened = false;
  /** The transport is gone: nothing leaves any more. */
  lost = false;
  private readonly connection: Connection;
  private readonly settings: EndpointSettings;
  private readonly clock: Clock;
  private readonly owner: OutboxOwner;
  /** More is welcome below it; what would overflow is not. */
  private readonly mark: number;
  /** Somebody was told that no more is welcome. */
  private full = false;
  private stream: OutgoingStream | null = null;
  private drainWaiters: ((drained: boolean) => void)[] | null = null;
  private streamWaiter: ((drained: boolean) => void) | null = null;

  constructor(connection: Connection, settings: EndpointSettings, clock: Clock, owner: OutboxOwner) {
    this.connection = connection;
    this.settings = settings;
    this.clock = clock;
    this.owner = owner;
    this.mark = Math.min(settings.highWaterMark, settings.connection.maxBufferedAmount);
  }

  /** Bytes accepted and not yet written. */
  get bufferedAmount(): number {
    return this.connection.bufferedAmount + (this.stream === null ? 0 : this.stream.queuedBytes);
  }

  /** Whether what is sent can leave: for what cannot, success would be a lie. */
  private get open(): boolean {
    return this.connection.readyState === 'open' && !this.lost;
  }

  get writable(): boolean {
    if (!this.open) return false;
    if (this.bufferedAmount < this.mark) return true;
    // Whatever it is that waits, a 101 or pongs: who is told so may wait for `drain`.
    this.full = true;
    return false;
  }

  // ── whole messages ─────────────────────────────────────────────────────────────────────────────────────────────────

  send(data: string | Bytes, options?: SendOptions): SendResult {
    if (options !== undefined) checkSendOptions(options);
    const binary = options?.binary;
    if (typeof data === 'string' && binary !== true) return this.message(data, true, options);
    const bytes =
      typeof data === 'string' ? encodeText(this.settings.connection.text, data) : toBytes(data, 'what is sent');
    return this.message(bytes, binary === false, options);
  }

  private message(data: string | Uint8Array, isText: boolean, options?: SendOptions): SendResult {
    const { connection, stream } = this;
    if (!this.open || stream?.closing === true) return refused('not-open', this.sizeOf(data));
    if (stream !== null) return this.queueBehind(stream, data, isText, options);
    const engineOptions = options?.compress === undefined && options?.fragmentSize === undefined ? undefined : options;
    const wireSize = isText
      ? connection.sendText(data, engineOptions)
      : connection.sendBinary(data as Uint8Array, engineOptions);
    this.owner.touch();
    if (wireSize <= 0) {
      const size = this.sizeOf(data);
      return wireSize === 0 ? this.overflowed(size) : refused('compression', size);
    }
    this.sent++;
    const writable = connection.bufferedAmount < this.mark;
    if (!writable) this.full = true;
    const payloadSize = typeof data === 'string' ? this.payloadSize(wireSize, data, engineOptions) : data.length;
    return accepted(payloadSize, wireSize, writable);
  }

  /** One fragment of a message that the caller ends. */
  fragment(kind: 'text' | 'binary', data: Bytes, last: boolean): SendResult {
    const { connection } = this;
    checkKind(kind);
    const bytes = toBytes(data, 'a fragment', false);
    checkFlag('last', last);
    if (this.stream !== null)
      throw new UsageError('INVALID_STATE', 'a stream is open already: wait until it has ended');
    if (!this.open) return refused('not-open', bytes.length);
    const wireSize = connection.sendFragment(kind, bytes, last);
    this.owner.touch();
    if (wireSize <= 0) return wireSize === 0 ? this.overflowed(bytes.length) : refused('compression', bytes.length);
    if (last) this.sent++;
    const writable = connection.bufferedAmount < this.mark;
    if (!writable) this.full = true;
    return accepted(bytes.length, wireSize, writable);
  }

  /** Sends a message that was encoded once for many; null if it can be sent, but not so: a client masks, a stream is open, or it is `null`. */
  sendEncoded(frame: SharedFrame | null, payloadSize: number): SendResult | null {
    const { connection, stream } = this;
    if (!this.open) return refused('not-open', payloadSize);
    // Nothing may come between the fragments of a message that somebody else ends.
    if (stream === null && connection.midMessage) return refused('overflow', payloadSize);
    if (frame === null || connection.role === 'client' || stream !== null) return null;
    const wireSize = connection.sendEncoded(frame);
    this.owner.touch();
    if (wireSize === 0) return this.overflowed(payloadSize);
    this.sent++;
    const { writable } = this;
    if (!writable) this.full = true;
    return accepted(payloadSize, wireSize, writable);
  }

  /** Whoever was refused waits for `drain`, even where `maxBufferedAmount` is below `highWaterMark`. */
  private overflowed(payloadSize: number): SendResult {
    if (this.connection.readyState === 'open') this.full = true;
    return refused('overflow', payloadSize);
  }

  /** Bytes of what was not sent; what cannot be UTF-8 has none. */
  private sizeOf(data: string | Uint8Array): number {
    return typeof data === 'string' ? Math.max(0, this.settings.connection.text.byteLength(data)) : data.length;
  }

  private payloadSize(wireSize: number, text: string, options: SendOptions | undefined): number {
    if (options !== undefined || !this.connection.sendsWhole) return this.settings.connection.text.byteLength(text);
    const masked = this.connection.role === 'client' ? 4 : 0;
    const bare = wireSize - masked;
    return bare - (bare < 128 ? 2 : bare < 65_540 ? 4 : 10);
  }

  // ── a stream, and what waits behind it ─────────────────────────────────────────────────────────────────────────────

  sendStream(kind: 'text' | 'binary', source: StreamSource, options: StreamOptions = {}): Promise<SendResult> {
    checkNames(options, 'sendStream', STREAM_OPTIONS);
    if (options.compress !== undefined) checkFlag('compress', options.compress);
    checkKind(kind);
    if (this.stream !== null)
      throw new UsageError('INVALID_STATE', 'a stream is open already: wait until it has ended');
    checkSource(source);
    if (!this.open) {
      letGo(source);
      return Promise.resolve(refused('not-open', 0));
    }
    if (this.connection.midMessage)
      throw new UsageError('INVALID_STATE', 'a fragmented message is under way: end it first');
    const stream = new OutgoingStream(this.connection, this.settings.connection.text, {
      touch: () => this.owner.touch(),
      drained: () => this.belowMark(),
      turn: () => this.nextTurn(),
      dropped: () => this.tellWaiters(false),
    });
    this.stream = stream;
    return stream.run(kind, source, options.compress !== false).then(
      (sent) => {
        this.endStream(stream);
        if (typeof sent === 'string') return refused(sent, 0);
        this.sent++;
        return accepted(sent.payloadSize, sent.wireSize, this.writable);
      },
      (error: unknown) => {
        this.stream = null;
        stream.dropQueued();
        stream.stopTimer();
        this.owner.fail(error);
        throw error;
      },
    );
  }

  private queueBehind(
    stream: OutgoingStream,
    data: string | Uint8Array,
    isText: boolean,
    options?: SendOptions,
  ): SendResult {
    const { text, maxBufferedAmount } = this.settings.connection;
    const bytes = typeof data === 'string' ? encodeText(text, data) : data.slice();
    if (isText && typeof data !== 'string') checkText(text, bytes);
    if (this.bufferedAmount >= maxBufferedAmount) {
      this.connection.overflow();
      this.owner.touch();
      return this.overflowed(bytes.length);
    }
    const wireSize = headerSize(bytes.length, this.connection.role === 'client') + bytes.length;
    stream.queue({ kind: isText ? 'text' : 'binary', bytes, options, wireSize });
    this.full = true;
    return accepted(bytes.length, wireSize, this.writable);
  }

  /** The stream has ended: what waited behind it leaves, all of it, for it was accepted; then the Close. */
  private endStream(stream: OutgoingStream): void {
    if (this.stream !== stream) return;
    const { connection } = this;
    this.stream = null;
    stream.stopTimer();
    for (const { kind, bytes, options } of stream.takeQueued()) {
      if (!this.open) break;
      connection.sendAccepted(kind, bytes, options);
      this.sent++;
    }
    stream.close?.();
    this.owner.touch();
  }

  /** Lets an open stream end before the Close, for at most `closeTimeout`; false if there is none to wait for. */
  closeBehindStream(close: () => void): boolean {
    if (this.stream === null || this.connection.readyState !== 'open') return false;
    this.stream.closeAfter(close, this.clock, this.settings.connection.closeTimeout);
    return true;
  }

  // ── waiting until it has left ──────────────────────────────────────────────────────────────────────────────────────

  drained(): Promise<boolean> {
    // What a lost transport had not written counts as unsent no more.
    if (this.lost) return Promise.resolve(false);
    if (this.bufferedAmount === 0) return Promise.resolve(this.connection.readyState !== 'closed');
    return new Promise((resolve) => {
      this.drainWaiters ??= [];
      this.drainWaiters.push(resolve);
    });
  }

  /** For a stream: lets others have theirs. */
  private nextTurn(): Promise<void> {
    return new Promise((resolve) => this.clock.yield(resolve, undefined));
  }

  /** For a stream: what queues behind it must not keep it waiting. */
  private belowMark(): Promise<boolean> {
    if (this.lost) return Promise.resolve(false);
    if (this.connection.bufferedAmount < this.settings.highWaterMark) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.streamWaiter = resolve;
    });
  }

  /** Has `drain` told when everything has left, also if it was never said that no more is welcome. */
  expectDrain(): void {
    this.full = true;
  }

  /** Output left; true when everything did and somebody waits for `drain`. */
  progressed(): boolean {
    if (this.streamWaiter !== null && this.connection.bufferedAmount < this.settings.highWaterMark) {
      this.streamWaiter(true);
      this.streamWaiter = null;
    }
    if (!this.full && this.drainWaiters === null) return false;
    if (this.bufferedAmount !== 0) return false;
    this.tellWaiters(true);
    if (!this.full || !this.opened) return false;
    this.full = false;
    return true;
  }

  /** The connection is over. */
  end(): void {
    // What the transport still writes is nobody's news.
    this.full = false;
    this.giveUp();
    this.stream = null;
  }

  /** Nobody waits any more for what will never leave: a listener that does would hold back the end itself. */
  giveUp(): void {
    this.lost = true;
    this.stream?.abort();
    this.tellWaiters(false);
    this.streamWaiter?.(false);
    this.streamWaiter = null;
  }

  private tellWaiters(drained: boolean): void {
    const waiters = this.drainWaiters;
    this.drainWaiters = null;
    if (waiters !== null) for (const resolve of waiters) resolve(drained);
  }
}

const SEND_OPTIONS = ['binary', 'compress', 'fragmentSize'];
const STREAM_OPTIONS = ['compress'];

/** @throws UsageError naming what is wrong with the options of a message */
export function checkSendOptions(options: SendOptions): void {
  checkNames(options, 'send', SEND_OPTIONS);
  if (options.binary !== undefined) checkFlag('binary', options.binary);
  if (options.compress !== undefined) checkFlag('compress', options.compress);
  checkFragmentSize(options.fragmentSize);
}

/** A `compress: false` that is misspelt would compress a secret. */
function checkNames(options: object, where: string, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new UsageError('INVALID_ARGUMENT', `${where} takes its options as an object: { ${known.join(', ')} }`);
  }
  for (const name in options) {
    if (known.includes(name)) continue;
    throw new UsageError(
      'INVALID_ARGUMENT',
      `${where}: there is no option '${name}'; known ${known.length > 1 ? 'are' : 'is'} ${known.join(', ')}`,
    );
  }
}

function checkSource(source: unknown): void {
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = Object(source) as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  // A string is iterable, and so are bytes: each character would be a fragment.
  const whole = typeof source === 'string' || ArrayBuffer.isView(source);
  if ((typeof later === 'function' || typeof now === 'function') && !whole) return;
  throw new UsageError('INVALID_ARGUMENT', 'sendStream takes an iterable of chunks: an array, a generator, a stream');
}

function accepted(payloadSize: number, wireSize: number, writable: boolean): SendResult {
  return { success: true, code: null, payloadSize, wireSize, compressionError: false, writable };
}

function refused(code: 'not-open' | 'overflow' | 'compression', payloadSize: number): SendResult {
  return { success: false, code, payloadSize, wireSize: 0, compressionError: code === 'compression', writable: false };
}
