/**
 * One message sent as it is made: a fragment for each chunk of a source, with backpressure. Whole messages queue behind it,
 * and a close waits for it within its own deadline.
 */

import type { TextCodec } from '../codec/utf8.ts';
import { encodeText } from '../connection/checks.ts';
import type { Connection } from '../connection/connection.ts';
import type { SendOptions } from '../connection/message-sender.ts';
import { UsageError } from '../errors.ts';
import type { Clock, Wakeable } from '../transport/transport.ts';
import { type Bytes, toBytes } from './payload.ts';

/**
 * Chunks of one message; strings only in a text message. A source that is not read to its end is let go: by its iterator's
 * `return()`, and a stream of Node is destroyed.
 */
export type StreamSource = AsyncIterable<string | Bytes> | Iterable<string | Bytes>;

/** A whole message that waits until the stream has ended. */
export interface Queued {
  readonly kind: 'text' | 'binary';
  readonly bytes: Uint8Array;
  readonly options: SendOptions | undefined;
  readonly wireSize: number;
}

/** What the stream needs of its endpoint. */
export interface StreamHost {
  touch(): void;
  drained(): Promise<boolean>;
  /** Resolves when others have had their turn. */
  turn(): Promise<void>;
  /** Messages that waited will never leave. */
  dropped(): void;
}

/** No more than this is compressed in one turn. */
const SLICE = 65_536;
/** As many chunks are taken in one turn. */
const CHUNKS = 64;

/** A message under way, fragment by fragment (RFC 6455 section 5.4). */
export class OutgoingStream implements Wakeable {
  /** Bytes of the messages that wait. */
  queuedBytes = 0;
  /** Closes the connection when the stream has ended. */
  close: (() => void) | null = null;
  private readonly connection: Connection;
  private readonly text: TextCodec;
  private readonly host: StreamHost;
  private waiting: Queued[] = [];
  private clock: Clock | null = null;
  private wakeAt = 0;
  private aborted = false;
  /** Ends the wait for the source's next chunk. */
  private stop: (() => void) | null = null;

  constructor(connection: Connection, text: TextCodec, host: StreamHost) {
    this.connection = connection;
    this.text = text;
    this.host = host;
  }

  get closing(): boolean {
    return this.close !== null;
  }

  /** Sends everything; the sizes, or why nothing or not everything was sent. */
  async run(
    kind: 'text' | 'binary',
    source: StreamSource,
    compress: boolean,
  ): Promise<{ payloadSize: number; wireSize: number } | 'not-open' | 'overflow' | 'compression'> {
    const slice = compress && !this.connection.sendsWhole ? SLICE : Number.POSITIVE_INFINITY;
    let payloadSize = 0;
    let wireSize = 0;
    let chunks = 0;
    // A surrogate pair may be cut by the source; its first half waits for the second.
    let half = '';
    for await (const chunk of this.untilAborted(source)) {
      let bytes: Uint8Array;
      if (typeof chunk === 'string') {
        if (kind === 'binary')
          throw new UsageError('INVALID_ARGUMENT', 'sendStream: a binary message takes bytes, not strings');
        const text = half + chunk;
        const cut = isHighSurrogate(text.charCodeAt(text.length - 1)) ? text.length - 1 : text.length;
        half = text.slice(cut);
        bytes = encodeText(this.text, text.slice(0, cut));
      } else {
        if (half !== '') throw halfAlone();
        bytes = toBytes(chunk, 'a chunk of sendStream').slice();
      }
      payloadSize += bytes.length;
      // Not before the first chunk is asked for: a source that fails while the peer is slow must have somebody to tell.
      if (chunks === 0 && (!(await this.host.drained()) || this.over)) return 'not-open';
      for (let at = 0; at === 0 || at < bytes.length; at += slice) {
        if (at > 0) await this.host.turn();
        if (this.over) return 'not-open';
        const taken = this.fragment(kind, bytes.subarray(at, at + slice), false, compress, wireSize > 0);
        this.host.touch();
        if (taken <= 0) return taken < 0 ? 'compression' : 'overflow';
        wireSize += taken;
        if (!(await this.host.drained()) || this.over) return 'not-open';
      }
      // A source that never waits must not keep everybody else waiting.
      if (++chunks % CHUNKS === 0) await this.host.turn();
    }
    if (this.over || !(await this.host.drained()) || this.over) return 'not-open';
    if (half !== '') throw halfAlone();
    const taken = this.fragment(kind, new Uint8Array(0), true, compress, wireSize > 0);
    if (taken <= 0) return taken < 0 ? 'compression' : 'overflow';
    return { payloadSize, wireSize: wireSize + taken };
  }

  /** -1 if an extension cannot take it and nothing was sent before. What was begun can neither be taken back nor ended: it throws. */
  private fragment(
    kind: 'text' | 'binary',
    bytes: Uint8Array,
    last: boolean,
    compress: boolean,
    begun: boolean,
  ): number {
    const wireSize = this.connection.sendFragment(kind, bytes, last, compress);
    if (wireSize < 0 && begun) throw this.connection.sender.refusal;
    return wireSize;
  }

  queue(message: Queued): void {
    this.waiting.push(message);
    this.queuedBytes += message.wireSize;
  }

  takeQueued(): Queued[] {
    const { waiting } = this;
    this.waiting = [];
    this.queuedBytes = 0;
    return waiting;
  }

  /** What waits is lost with the stream. */
  dropQueued(): void {
    if (this.takeQueued().length > 0) this.host.dropped();
  }

  /** Closes when the stream has ended, at the latest after `timeout`. */
  closeAfter(close: () => void, clock: Clock, timeout: number): void {
    if (this.close !== null) return;
    this.close = close;
    this.clock = clock;
    this.wakeAt = clock.now() + timeout;
    if (Number.isFinite(timeout)) clock.schedule(this, this.wakeAt);
  }

  wake(): void {
    this.abort();
    this.close?.();
  }

  /** The connection ends without the rest of the stream. */
  abort(): void {
    this.aborted = true;
    this.stop?.();
    this.dropQueued();
    this.stopTimer();
  }

  /** The chunks of the source, ending at once when the connection does: a source may wait for good. */
  private untilAborted(source: StreamSource): AsyncIterableIterator<string | Bytes, undefined> {
    const chunks = iteratorOf(source);
    const leave = async (): Promise<IteratorResult<string | Bytes, undefined>> => {
      letGo(source, chunks);
      return { done: true, value: undefined };
    };
    return {
      next: () =>
        new Promise((resolve, reject) => {
          this.stop = () => resolve(leave());
          Promise.resolve(chunks.next()).then((result) => {
            this.stop = null;
            resolve(result);
          }, reject);
        }),
      return: leave,
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  private get over(): boolean {
    return this.aborted || this.connection.readyState !== 'open';
  }

  /** It has ended: nothing has to be ended any more. */
  stopTimer(): void {
    this.clock?.cancel(this, this.wakeAt);
    this.clock = null;
  }
}

type Chunks = AsyncIterator<string | Bytes> | Iterator<string | Bytes>;

function iteratorOf(source: StreamSource): Chunks {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** As much of a stream of Node as is needed to be rid of it. */
interface NodeStream {
  on(event: 'error', listener: () => void): unknown;
  destroy(): unknown;
}

/** The source will not be read any more. Nobody waits for it to tidy up, and nobody can be told if it fails to. */
export function letGo(source: StreamSource, chunks?: Chunks): void {
  void quietly(() => (chunks ?? iteratorOf(source)).return?.());
  void quietly(() => destroy(source as Partial<NodeStream>));
}

/** The iterator of a stream of Node does that too, but only if it was asked for a chunk before, and has it. */
function destroy(source: Partial<NodeStream>): void {
  if (typeof source.on !== 'function' || typeof source.destroy !== 'function') return;
  // An error that nobody listens to would end the process.
  source.on('error', () => {});
  source.destroy();
}

async function quietly(act: () => unknown): Promise<void> {
  try {
    await act();
  } catch {}
}

function halfAlone(): UsageError {
  return new UsageError('INVALID_ARGUMENT', 'sendStream: a string ends in a lone surrogate, and no string follows');
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
