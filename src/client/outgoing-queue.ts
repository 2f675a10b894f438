/**
 * Messages that wait for a connection, in order, bounded in number and in bytes. A message that is taken is gone from here,
 * whatever becomes of it: nothing is ever sent twice. It knows no connection.
 */

import { pureText } from '../codec/utf8.ts';
import { checkText, loneSurrogate } from '../connection/checks.ts';
import { checkRecord, type Rules, readOptions } from '../connection/options.ts';
import { checkSendOptions, type SendOptions } from '../endpoint/outbox.ts';
import { type Bytes, toBytes } from '../endpoint/payload.ts';

/** Bounds of what waits while there is no connection. */
export interface QueueOptions {
  /** Messages that may wait. Default 256. */
  readonly maxMessages?: number;
  /** Bytes of payload that may wait. Default 1 MiB. */
  readonly maxBytes?: number;
  /** What happens to one too many: it is refused (default), or the oldest make room and are lost. */
  readonly overflow?: 'refuse' | 'drop-oldest';
}

const QUEUE_RULES: Rules = {
  maxMessages: { kind: 'count', default: 256 },
  maxBytes: { kind: 'size', default: 1_048_576 },
  overflow: { kind: ['refuse', 'drop-oldest'], default: 'refuse' },
};

/** One message that waits. */
export interface Waiting {
  readonly data: string | Uint8Array;
  readonly options: SendOptions | undefined;
  readonly size: number;
}

/** A bounded queue of messages. */
export class OutgoingQueue {
  /** Messages that made room for others, or were never sent. */
  dropped = 0;
  /** Bytes of payload that wait. */
  bytes = 0;
  private maxMessages = 0;
  private maxBytes = 0;
  private dropsOldest = false;
  private messages: (Waiting | null)[] = [];
  /** Where the oldest lies: taking one moves nothing. */
  private first = 0;
  private readonly told: (message: Waiting) => void;

  /** `told` hears of each message that is dropped. */
  constructor(told: (message: Waiting) => void) {
    this.told = told;
  }

  /** Messages that wait. */
  get length(): number {
    return this.messages.length - this.first;
  }

  /**
   * Takes other bounds; null: nothing is ever kept.
   *
   * @throws UsageError naming the option that is wrong
   */
  configure(options: QueueOptions | null, where: string): void {
    if (options !== null) checkRecord(options, where);
    const read = options === null ? null : (readOptions(QUEUE_RULES, options, where) as Required<QueueOptions>);
    this.maxMessages = read?.maxMessages ?? 0;
    this.maxBytes = read?.maxBytes ?? 0;
    this.dropsOldest = read?.overflow === 'drop-oldest';
  }

  /** Whether anything may wait at all. */
  get enabled(): boolean {
    return this.maxMessages > 0;
  }

  /** Whether another message is welcome. */
  get hasRoom(): boolean {
    return this.length < this.maxMessages && this.bytes < this.maxBytes;
  }

  /**
   * What `data` is as a message, copied so that its owner may use the bytes again. All that a connection would refuse is
   * refused here: later there is nobody to tell.
   *
   * @throws UsageError as `Endpoint.send` does
   */
  prepare(data: string | Bytes, options: SendOptions | undefined): Waiting {
    if (options !== undefined) checkSendOptions(options);
    const copied = options === undefined ? undefined : copyOf(options);
    if (typeof data === 'string') {
      const size = pureText.byteLength(data);
      if (size < 0) throw loneSurrogate();
      return { data, options: copied, size };
    }
    const bytes = toBytes(data, 'what is sent').slice();
    if (options?.binary === false) checkText(pureText, bytes);
    return { data: bytes, options: copied, size: bytes.length };
  }

  /** Adds a message; false if there is no room for it. */
  push(message: Waiting): boolean {
    if (!this.enabled || message.size > this.maxBytes) return false;
    const full = () => this.length >= this.maxMessages || this.bytes + message.size > this.maxBytes;
    if (full() && !this.dropsOldest) return false;
    while (full()) this.drop(this.take()!);
    this.messages.push(message);
    this.bytes += message.size;
    return true;
  }

  /** The oldest message, which is no longer here; null if there is none. */
  take(): Waiting | null {
    if (this.length === 0) return null;
    const message = this.messages[this.first]!;
    this.messages[this.first++] = null;
    this.bytes -= message.size;
    // The empty places go in batches: each message is moved once at the most, on average.
    if (this.first * 2 >= this.messages.length) {
      this.messages = this.messages.slice(this.first);
      this.first = 0;
    }
    return message;
  }

  /** A message that was taken goes nowhere. */
  drop(message: Waiting): void {
    this.dropped++;
    this.told(message);
  }

  /** Drops everything. */
  clear(): void {
    for (let message = this.take(); message !== null; message = this.take()) this.drop(message);
  }
}

/** All that a connection would read, wherever it finds it: a `compress: false` that was lost would compress a secret. */
function copyOf({ binary, compress, fragmentSize }: SendOptions): SendOptions {
  return { binary, compress, fragmentSize } as SendOptions;
}
