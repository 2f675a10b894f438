/**
 * One client and its backend: payload goes both ways as it arrives, whoever reads slowly holds the other back, and whichever side
 * ends first decides how both end. It knows neither names nor how the two came together.
 */

import { isUtf8 } from 'node:buffer';
import type { Memory } from '../codec/memory.ts';
import type { FragmentEvent } from '../connection/events.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import { UsageError } from '../errors.ts';
import type { Clock, Wakeable } from '../transport/transport.ts';
import type { Backend, BackendTaker } from './backend.ts';
import { warn } from './events.ts';
import { StallWatch } from './stall.ts';
import {
  createDecoder,
  createEncoder,
  type Decoder,
  type Encoder,
  type Framing,
  type FramingFault,
  HOLD,
  type MessageSink,
} from './stream-framing.ts';

/** What a backend's bytes become: text, binary, or text where a message is UTF-8. */
export type FrameType = 'text' | 'binary' | 'auto';

/** How payload is carried. */
export interface RelayRules {
  readonly framing: Framing;
  readonly frameType: FrameType;
  /** The longest message, in both directions. */
  readonly limit: number;
  /** The close code that says that the backend ended in order. */
  readonly endCode: number;
  readonly highWaterMark: number;
  /** How long a backend may take to end when its client is gone. */
  readonly closeTimeout: number;
  /** How long either side may take nothing of what waits for it. */
  readonly sendTimeout: number;
}

const TEXT = { binary: false } as const;
/** Above this an endpoint refers to payload until it is written; the memory that a read lies in does not last that long. */
const REFERENCED = 32_768;
/** So much more may wait for a backend that has ended: an endpoint that closes while its client is held drops what comes. */
const PARTING = 4_194_304;

/** Joins an endpoint and a backend until both are gone. */
export class Relay implements BackendTaker, MessageSink, Wakeable {
  private readonly socket: Endpoint;
  private readonly backend: Backend;
  private readonly rules: RelayRules;
  private readonly clock: Clock;
  private readonly memory: Memory;
  private readonly done: (event: CloseEvent, failure: string | null) => void;
  private readonly encoder: Encoder;
  private readonly decoder: Decoder;
  /** What waits for the client while the backend is held. */
  private readonly watch: StallWatch;
  /** Bytes that had left for the client when the watch was last asked. */
  private clientTook = 0;
  /** A message of the backend's has begun to leave. */
  private midMessage = false;
  /** The backend is not read from until the client has taken more. */
  private backendHeld = false;
  /** The client is not read from until the backend has taken more. */
  private clientHeld = false;
  private backendEnded = false;
  private backendOver = false;
  private clientClosed: CloseEvent | null = null;
  /** Why it was broken off, for the operator. */
  private failure: string | null = null;
  private dropAt = 0;
  private finished = false;

  /**
   * @param memory the endpoint's
   * @param done called once, when neither side is left; `failure` is not for clients
   */
  constructor(
    socket: Endpoint,
    backend: Backend,
    rules: RelayRules,
    clock: Clock,
    memory: Memory,
    done: (event: CloseEvent, failure: string | null) => void,
  ) {
    this.socket = socket;
    this.backend = backend;
    this.rules = rules;
    this.clock = clock;
    this.memory = memory;
    this.done = done;
    this.encoder = createEncoder(rules.framing, rules.limit);
    this.decoder = createDecoder(rules.framing, rules.limit, rules.frameType === 'text');
    this.watch = new StallWatch(clock, () => this.clientStalled());
    this.watch.within(rules.sendTimeout);
  }

  /** Begins; for the handler of a server. */
  start(): void {
    const { socket } = this;
    socket.on('fragment', (event) => this.fromClient(event));
    socket.on('drain', () => this.clientDrained());
    socket.on('close', (event) => this.clientGone(event));
    // Of the client's failures `close` tells.
    socket.on('error', () => {});
    this.backend.start(this, this.rules.sendTimeout);
  }

  // ── from the client to the backend ───────────────────────────────────────────────────────────────────────────────────────

  private fromClient({ data, last }: FragmentEvent): void {
    const { backend } = this;
    const { writer } = backend;
    if (!backend.writable) return;
    const fault = this.encoder.encode(data, last, writer);
    if (fault !== null) {
      // What came before it is the backend's, however much of that came at once.
      writer.end();
      this.refuse(fault);
    } else if (writer.unsent >= this.rules.highWaterMark) {
      writer.flush();
      const most = this.rules.highWaterMark + (this.backendEnded ? PARTING : 0);
      if (writer.unsent >= most) {
        this.clientHeld = true;
        this.socket.pause();
      }
    }
  }

  private refuse(fault: FramingFault): void {
    const tooBig = fault === 'too-big';
    const reason = tooBig
      ? 'the message is longer than the gateway takes'
      : "the message holds the octet that ends messages in the backend's framing";
    this.failure ??= reason;
    void this.socket.close(tooBig ? 1009 : 1003, reason);
  }

  drained(): void {
    if (!this.clientHeld) return;
    this.clientHeld = false;
    this.socket.resume();
  }

  stalled(): void {
    this.breakOff('the backend takes nothing', `it took nothing for ${this.rules.sendTimeout} ms`);
  }

  // ── from the backend to the client ───────────────────────────────────────────────────────────────────────────────────────

  received(bytes: Uint8Array, length: number): void {
    const { socket } = this;
    if (socket.readyState !== 'open') return;
    let fault: FramingFault | null = null;
    try {
      fault = this.decoder.decode(bytes, length, this);
    } catch (error) {
      this.undeliverable(error);
      return;
    }
    if (fault !== null) this.breakOff('the backend sent a message that is too long');
    // Judged when this turn's output has left: nearly always the kernel takes it at once.
    else if (!socket.writable) this.clock.defer(holdBackend, this);
  }

  piece(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const { socket, rules } = this;
    const data = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    if (data.length > REFERENCED) this.memory.markVolatile(bytes.buffer);
    if (last && !this.midMessage) {
      const isText = rules.frameType === 'text' || (rules.frameType === 'auto' && data.length <= HOLD && isUtf8(data));
      const { code } = socket.send(data, isText ? TEXT : undefined);
      if (code === 'compression') throw new Error('a message of a backend could not be compressed');
    } else {
      // What a long message is when it is whole cannot be known before: with `auto` it is binary, however it came.
      this.midMessage = !last;
      const { code } = socket.sendFragment(rules.frameType === 'text' ? 'text' : 'binary', data, last);
      if (code === 'compression') throw new Error('a message of a backend could not be compressed');
    }
  }

  /** @internal */
  holdBackend(): void {
    if (this.backendHeld || this.socket.readyState !== 'open' || this.socket.writable) return;
    this.backendHeld = true;
    this.backend.pause();
    this.clientTook = this.socket.statistics.bytesSent;
    this.watch.moved();
  }

  private clientDrained(): void {
    if (!this.backendHeld) return;
    this.watch.rest();
    this.backendHeld = false;
    this.backend.resume();
  }

  private clientStalled(): void {
    const { bytesSent } = this.socket.statistics;
    if (bytesSent === this.clientTook) {
      this.failure ??= `the client took nothing for ${this.rules.sendTimeout} ms`;
      // No Close would get through either.
      this.socket.terminate();
    } else {
      this.clientTook = bytesSent;
      this.watch.moved();
    }
  }

  /** What is not UTF-8 is the backend's defect, and anything else ours. */
  private undeliverable(error: unknown): void {
    const theirs = error instanceof UsageError;
    if (!theirs) warn(error);
    this.breakOff(theirs ? 'the backend sent text that is not UTF-8' : 'the gateway could not send a message');
  }

  private breakOff(reason: string, failure: string = reason): void {
    this.backendOver = true;
    this.failure ??= failure;
    this.backend.destroy();
    void this.socket.close(1011, reason);
  }

  // ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  ended(): void {
    this.backendEnded = true;
    if (this.backendOver || this.socket.readyState !== 'open') return;
    let whole = false;
    try {
      whole = this.decoder.end(this) === null;
    } catch (error) {
      this.undeliverable(error);
      return;
    }
    // What the client still sends goes to the backend until its Close has come: it may have ended one direction only.
    if (whole) {
      this.drained();
      void this.socket.close(this.rules.endCode);
    } else {
      this.breakOff('the backend ended within a message');
    }
  }

  closed(error: Error | null): void {
    if (!this.backendOver && !this.backendEnded) {
      this.failure ??= error?.message ?? 'the backend failed';
      void this.socket.close(1011, 'the backend failed');
    }
    this.backendOver = true;
    this.finish();
  }

  private clientGone(event: CloseEvent): void {
    this.clientClosed = event;
    this.watch.rest();
    const { backend, clock } = this;
    if (!this.backendOver) {
      backend.writer.end();
      // What it still has to say is read, so that it can end, and dropped.
      backend.resume();
      this.dropAt = clock.now() + this.rules.closeTimeout;
      clock.schedule(this, this.dropAt);
    }
    this.finish();
  }

  /** The backend took too long to end, unless the clock woke us early. */
  wake(): void {
    if (this.clock.now() < this.dropAt) this.clock.schedule(this, this.dropAt);
    else this.drop();
  }

  /** Waits no longer for the backend to end. */
  drop(): void {
    this.failure ??= 'the backend did not end in time';
    this.backend.destroy();
  }

  private finish(): void {
    if (this.finished || this.clientClosed === null || !this.backendOver) return;
    this.finished = true;
    this.clock.cancel(this, this.dropAt);
    this.done(this.clientClosed, this.failure ?? this.clientClosed.error?.message ?? null);
  }
}

function holdBackend(relay: Relay): void {
  relay.holdBackend();
}
