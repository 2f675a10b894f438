/**
 * A WebSocket connection as a state machine: bytes in, events out, time and chance as inputs (RFC 6455 sections 5 to 7).
 * It performs no input or output, reads no clock and draws no randomness; a driver joins it to a transport.
 *
 * Of its role it knows only what the RFC makes depend on it: who masks, and who ends the transport first. The opening
 * handshake is in the subclasses.
 */

import { encodeClosePayload, parseClosePayload } from '../codec/close-payload.ts';
import { Opcode } from '../codec/opcode.ts';
import { ApplicationError, type FailureError, type FaultCode, failure, rowOf, TransportError } from '../errors.ts';
import { TransformChain } from '../extension/chain.ts';
import type { PayloadTransform } from '../extension/extension.ts';
import type { Headers } from '../handshake/headers.ts';
import { checkBytes, checkCount, checkTime, controlPayload, notOpen } from './checks.ts';
import { ControlBudget } from './control-budget.ts';
import { Ending } from './ending.ts';
import type { ClosingEvent, ConnectionEvent } from './events.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Incoming } from './incoming.ts';
import { MessageSender, type SendOptions } from './message-sender.ts';
import type { Settings } from './options.ts';
import { Outgoing } from './outgoing.ts';
import type { SharedFrame } from './shared-frames.ts';
import { type Input, type Phase, type ReadyState, readyStateOf, transition } from './state.ts';

/** Which side of the connection this is. */
export type Role = 'client' | 'server';

/** What both sides settled on when the connection opened. */
export interface Agreement {
  /** The subprotocol in use, or `''`. */
  readonly subprotocol: string;
  /** The Sec-WebSocket-Extensions value, or `''`. */
  readonly extensions: string;
  /** What changes payloads, in the order of the header. */
  readonly transforms: readonly PayloadTransform[];
  /** The peer's headers. */
  readonly headers: Headers;
}

/** Bytes on the wire since the connection began. */
export interface Traffic {
  /** Bytes that came in. */
  readonly received: number;
  /** Bytes that were written. */
  readonly written: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** After an unanswered ping the peer gets this long to take our Close and end (RFC 6455 section 7.1.7). */
const PARTING = 1_000;

/** The part of the engine that both roles share. */
export abstract class Connection {
  /** Which side this is. */
  readonly role: Role;
  /** @internal */
  protected readonly settings: Settings;
  /** @internal */
  protected phase: Phase = 'connecting';
  /** @internal */
  protected now: number;
  /** @internal */
  protected readonly outgoing: Outgoing;
  /** @internal */
  protected reader: Incoming | null;
  /** @internal When the opening handshake, or later the closing one, must be over. */
  protected deadline: number;
  /** @internal */
  protected inputEnded = false;

  private heartbeat: Heartbeat | null = null;
  private events: ConnectionEvent[] | null = null;
  private chain: TransformChain | null = null;
  private messages: MessageSender | null = null;
  private end: Ending | null = null;
  private budget: ControlBudget | null = null;
  private bytesReceived = 0;

  /** @internal */
  protected constructor(role: Role, settings: Settings, startedAt: number) {
    checkTime(startedAt);
    this.role = role;
    this.settings = settings;
    this.now = startedAt;
    this.deadline = startedAt + settings.handshakeTimeout;
    this.outgoing = new Outgoing(settings.memory, settings.text, role === 'client' ? settings.keys : null);
    this.reader = null;
  }

  // ── network ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes bytes from the peer. The buffer, no shared one, is the engine's from now on. Never throws, whatever the bytes are. */
  receive(bytes: Uint8Array, now: number): void {
    this.take(bytes, bytes.length, now, false);
  }

  /**
   * Takes the first `length` bytes of a buffer that is only lent: everything of them that matters is copied out before
   * `nextEvent()` returns null, or in `keepBorrowed()`. The engine may scribble on them until then.
   */
  receiveBorrowed(buffer: Uint8Array, now: number, length: number = buffer.length): void {
    if (this.settings.borrow) this.settings.memory.markVolatile(buffer.buffer);
    this.take(buffer, length, now, true);
  }

  /** Ends the loan of `receiveBorrowed` before everything was pulled. */
  keepBorrowed(): void {
    this.reader?.keep();
  }

  private take(bytes: Uint8Array, length: number, now: number, borrowed: boolean): void {
    checkBytes(bytes);
    checkCount(length, bytes.length);
    this.advance(now);
    this.bytesReceived += length;
    switch (this.phase) {
      case 'open':
      case 'close-sent':
        this.heartbeat!.received(this.now);
        break;
      case 'connecting':
        break;
      default:
        // §5.5.1, §7.1.7: after a Close was received, or the connection failed, data is no longer looked at.
        return;
    }
    this.incoming.queue.push(bytes, length, borrowed);
  }

  /**
   * The peer will send nothing more. `cause` is the transport's error if it broke rather than ended.
   */
  receiveEnd(now: number, cause?: unknown): void {
    this.advance(now);
    this.inputEnded = true;
    if (cause !== undefined) this.ending.lose(cause);
  }

  /** `byteCount` of the bytes that were taken have been written. */
  outgoingWritten(byteCount: number, now: number): void {
    checkCount(byteCount, NEVER);
    this.advance(now);
    if (this.phase === 'closed') return;
    this.outgoing.written(byteCount);
    // As long as what precedes our Close is leaving, or our answer to a request, the peer cannot be expected to end. One that
    // failed the open connection has no more time than it was given.
    const patient = this.phase !== 'failing' || this.heartbeat === null;
    if (patient && byteCount > 0 && this.readyState === 'closing')
      this.deadline = this.now + this.settings.closeTimeout;
  }

  /** Gives out what is ready to be written, in order; of more than 64 KiB at most `most` bytes. It stays unchanged until written. */
  takeOutgoing(most?: number): readonly Uint8Array[] {
    return this.outgoing.take(most);
  }

  /** Bytes that `takeOutgoing` would return. */
  get outgoingLength(): number {
    return this.outgoing.length;
  }

  /** Nothing will follow what was taken: end the outgoing direction of the transport. */
  get outgoingEnded(): boolean {
    if (this.outgoing.length !== 0) return false;
    switch (this.phase) {
      case 'failing':
      case 'closed':
        return true;
      case 'draining':
        // §7.1.1: "the server MUST close the connection first" in the normal case.
        return this.role === 'server';
      default:
        return false;
    }
  }

  /** Whether bytes are welcome. While it is heeded, what the engine retains is bounded by its limits. */
  get wantsInput(): boolean {
    switch (this.phase) {
      case 'closed':
        return false;
      case 'open':
      case 'close-sent':
        return this.unread === 0 && this.reader?.expanding !== true;
      case 'connecting':
        return this.unread < this.settings.maxEarlyData;
      default:
        return true;
    }
  }

  // ── application ────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The next event, or null when there is none until something more happens; or when `budget` bytes of a compressed message have
   * been inflated and `hasPendingInput` is still true, for drivers that let others have their turn.
   */
  nextEvent(budget: number = NEVER): ConnectionEvent | null {
    if (this.events !== null) {
      const event = this.events.shift()!;
      if (this.events.length === 0) this.events = null;
      return event;
    }
    switch (this.phase) {
      case 'open':
      case 'close-sent':
        return this.nextIncoming(budget);
      case 'connecting':
        this.nextOpening();
        if (this.events === null && this.phase === 'connecting' && this.inputEnded) this.gone();
        if (this.events !== null || this.phase !== 'connecting') return this.nextEvent();
        this.keepBorrowed();
        return null;
      case 'closed':
        return null;
      default:
        if (!this.overNow) return null;
        this.gone();
        return this.nextEvent();
    }
  }

  /** Whether `nextEvent()` has more to give without further input. */
  get hasPendingInput(): boolean {
    if (this.events !== null) return true;
    switch (this.phase) {
      case 'open':
      case 'close-sent':
        return this.inputEnded || this.reader?.pending === true;
      case 'connecting':
        return this.inputEnded || (this.unread > 0 && this.readsOpening);
      case 'closed':
        return false;
      default:
        return this.overNow;
    }
  }

  /** @internal Whether the budget of `nextEvent` ran out inside a message. */
  get expanding(): boolean {
    return this.reader?.expanding === true;
  }

  /**
   * Sends a text message; bytes must be UTF-8.
   *
   * @returns the bytes it takes on the wire, headers included; 0 if too much is unsent, -1 if an extension could not take it
   * @throws UsageError when the connection is not open, a fragmented message is under way, or the text is not well-formed
   */
  sendText(text: string | Uint8Array, options?: SendOptions): number {
    return this.sender.text(text, options) || this.overflow();
  }

  /**
   * Sends a binary message. Bytes above 32 KiB are referenced, not copied, by a server: leave them unchanged until they are
   * written.
   *
   * @returns the bytes it takes on the wire, headers included; 0 if too much is unsent, -1 if an extension could not take it
   * @throws UsageError when the connection is not open or a fragmented message is under way
   */
  sendBinary(bytes: Uint8Array, options?: SendOptions): number {
    return this.sender.binary(bytes, options) || this.overflow();
  }

  /**
   * Sends one fragment of a message; `last` ends it. Control frames may go in between, other messages may not (RFC 6455
   * section 5.4). Whether extensions may compress the message is said with its first fragment.
   *
   * @returns the bytes it takes on the wire, header included; 0 if too much is unsent to begin a message, -1 if an extension
   * could not take it: then nothing was sent of it
   * @throws UsageError when the connection is not open, another kind is under way, or text is not UTF-8
   */
  sendFragment(kind: 'text' | 'binary', bytes: Uint8Array, last: boolean, compress = true): number {
    return this.sender.fragment(kind, bytes, last, compress) || this.overflow();
  }

  /** Whether `sendFragment` began a message that has not ended. */
  get midMessage(): boolean {
    return this.messages?.midMessage === true;
  }

  /**
   * Queues a message that was encoded once for many connections. Only for servers: a client's frames are masked.
   *
   * @internal
   */
  sendEncoded(frame: SharedFrame): number {
    return this.sender.encoded(frame) || this.overflow();
  }

  /** @internal Sends a message that waited behind a stream: it was accepted, `maxBufferedAmount` is not asked again. */
  sendAccepted(kind: 'text' | 'binary', bytes: Uint8Array, options?: SendOptions): number {
    return this.sender.taken(kind, bytes, options);
  }

  /** Whether no extension changes messages. */
  get sendsWhole(): boolean {
    return this.chain === null;
  }

  /** A ping payload that no other ping of this connection has, unless the application chose it. */
  nextPingPayload(): Uint8Array {
    return this.heartbeat === null ? NONE : this.heartbeat.nextPayload();
  }

  /**
   * Sends a ping; its pong arrives as an event with the round-trip time.
   *
   * @throws UsageError when the connection is not open or the payload is longer than 125 bytes
   */
  ping(now: number, payload?: Uint8Array): void {
    if (this.phase !== 'open') throw notOpen(this.readyState);
    this.advance(now);
    const data = payload === undefined ? this.heartbeat!.nextPayload() : controlPayload(payload);
    this.outgoing.frame(0x80 | Opcode.ping, data);
    this.heartbeat!.sent(data, this.now);
  }

  /** Sends a pong, asked for or not (RFC 6455 section 5.5.3). Throws like `ping`. */
  pong(payload: Uint8Array = NONE): void {
    if (this.phase !== 'open') throw notOpen(this.readyState);
    const data = controlPayload(payload);
    // §5.5.3: an unsolicited pong does not take the place of one that is owed.
    if (this.settings.autoPong) this.outgoing.frame(0x80 | Opcode.pong, data);
    else this.outgoing.setPong(data);
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7.1.2). What is queued leaves first. Without a code the Close is empty.
   * Closing again, or after the connection failed, does nothing.
   *
   * @throws UsageError when the code may not be sent or the reason is longer than 123 bytes
   */
  close(now: number, code: number | null = null, reason = ''): void {
    const payload = encodeClosePayload(code, reason);
    this.advance(now);
    if (this.phase === 'connecting') {
      this.closeOpening();
    } else if (this.phase === 'open') {
      this.move('close-out');
      this.queueClose(payload);
    }
  }

  /** Fails the connection because the application did: Close 1011, then the end (RFC 6455 section 7.1.7). */
  fail(now: number, cause: unknown): void {
    this.advance(now);
    if (this.phase === 'connecting') this.failOpening('APPLICATION_FAILED', '', new ApplicationError(cause));
    else this.failWith(new ApplicationError(cause));
  }

  /** Drops the connection: no Close, no output, `closed` with 1006. The caller destroys the transport. */
  terminate(now: number): void {
    this.advance(now);
    if (this.phase === 'closed') return;
    this.ending.error ??= new TransportError('TERMINATED');
    this.finish('transport-gone');
  }

  // ── clock ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Time goes on; a smaller `now` than the last is the last. For a driver that pulls after a pause: what comes of events that
   * waited counts from `now`.
   */
  advance(now: number): void {
    if (now <= this.now) return;
    checkTime(now);
    this.now = now;
  }

  /** When `handleTimeout` wants to be called, or `Infinity`. */
  nextTimeout(): number {
    switch (this.phase) {
      case 'open': {
        const { pingDue, pongDue } = this.heartbeat!;
        return pingDue < pongDue ? pingDue : pongDue;
      }
      case 'closed':
        return NEVER;
      default:
        return this.deadline;
    }
  }

  /** Acts on deadlines that have passed; early calls are harmless. */
  handleTimeout(now: number): void {
    this.advance(now);
    if (this.phase === 'open') {
      const heartbeat = this.heartbeat!;
      if (heartbeat.pongDue <= this.now) {
        this.failWith(failure('PONG_TIMEOUT'));
        this.deadline = this.now + Math.min(PARTING, this.settings.closeTimeout);
      } else if (heartbeat.pingDue <= this.now) {
        this.ping(this.now);
      }
    } else if (this.phase !== 'closed' && this.deadline <= this.now) {
      if (this.phase === 'connecting') this.openingTimeout();
      else this.finish('deadline');
    }
  }

  /** We do not read for a while: silence proves nothing, no ping is overdue. */
  suspendInput(): void {
    this.heartbeat?.suspend();
  }

  /** We read again. */
  resumeInput(now: number): void {
    this.advance(now);
    this.heartbeat?.resume(this.now);
  }

  // ── what can be asked ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The state as the WebSocket API names it. */
  get readyState(): ReadyState {
    return readyStateOf(this.phase);
  }

  /** @internal The phase by its name, for traces. */
  get phaseName(): Phase {
    return this.phase;
  }

  /** @internal Whether our Close was queued. */
  get closeQueued(): boolean {
    return this.end?.closeQueued === true;
  }

  /** Bytes queued or taken that are not yet written. */
  get bufferedAmount(): number {
    return this.outgoing.unsent;
  }

  /** Bytes of received data that are held: unread, or part of a message that is not complete. */
  get retainedBytes(): number {
    return this.reader === null ? 0 : this.reader.retained;
  }

  /** All bytes that came in, and all that were written. */
  get traffic(): Traffic {
    return { received: this.bytesReceived, written: this.outgoing.writtenTotal };
  }

  // ── for the opening handshakes ─────────────────────────────────────────────────────────────────────────────────────

  /** @internal Reads on in the opening handshake; may emit events. */
  protected abstract nextOpening(): void;
  /** @internal Whether the opening handshake looks at bytes: not while the application decides. */
  protected abstract get readsOpening(): boolean;
  /** @internal */
  protected abstract closeOpening(): void;
  /** @internal */
  protected abstract openingTimeout(): void;
  /** @internal */
  protected abstract failOpening(code: FaultCode, detail: string, error?: FailureError): void;
  /** @internal How an opening that was cut off is reported. */
  protected openingLost(): void {}

  /** @internal The opening handshake succeeded. */
  protected establish(agreement: Agreement): void {
    this.move('established');
    const { settings } = this;
    this.heartbeat = new Heartbeat(settings.pingInterval, settings.pongTimeout, this.now);
    if (agreement.transforms.length > 0) {
      this.chain = new TransformChain(agreement.transforms);
      const { reader } = this; // Its decoder knows no reserved bits: what it holds comes along.
      this.reader = null;
      if (reader !== null) this.incoming.adopt(reader.queue);
    }
    const { subprotocol, extensions, headers } = agreement;
    this.emit({ type: 'open', subprotocol, extensions, headers });
  }

  /** @internal The reader of this connection, while it has bytes to read or a message half read. */
  protected get incoming(): Incoming {
    this.reader ??= this.settings.takeReader(this.role === 'server', this.chain);
    return this.reader;
  }

  private get unread(): number {
    return this.reader === null ? 0 : this.reader.queue.length;
  }

  private dropInput(): void {
    this.reader?.dispose();
    this.reader = null;
  }

  /** @internal */
  protected emit(event: ConnectionEvent): void {
    this.events ??= [];
    this.events.push(event);
  }

  /** @internal */
  protected move(input: Input): void {
    this.phase = transition(this.phase, input);
  }

  /** @internal The opening handshake failed: what is queued leaves, then the transport ends. */
  protected refuse(error: FailureError, input: 'refused' | 'close-out' | 'fail' = 'refused'): void {
    this.ending.error = error;
    this.move(input);
    this.dropInput();
    this.deadline = this.now + this.settings.closeTimeout;
  }

  // ── private ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private nextIncoming(budget: number): ConnectionEvent | null {
    const { reader } = this;
    const found = reader === null ? null : reader.next(budget);
    if (found === null) {
      if (reader?.idle) {
        this.reader = null;
        this.settings.putReader(reader);
      }
      if (!this.inputEnded) return null;
      this.gone();
      return this.nextEvent();
    }
    if (typeof found === 'object') {
      if (found.type === 'message' || (found.type === 'fragment' && found.last)) this.budget?.renew();
      return found;
    }
    if (found === 'fault') {
      this.failWith(failure(reader!.fault!));
      return this.nextEvent();
    }
    // No event of a control frame: it failed the connection.
    return found === 'pause' ? null : (this.control() ?? this.nextEvent());
  }

  private control(): ConnectionEvent | null {
    const { decoder } = this.incoming;
    const { bytes, start, end } = decoder;
    if (decoder.opcode === Opcode.close) return this.receiveClose(bytes, start, end);
    this.budget ??= new ControlBudget(this.settings.maxControlFrames, this.now);
    if (!this.budget.allows(this.now)) {
      this.failWith(failure('TOO_MANY_CONTROL_FRAMES'));
      return null;
    }
    const payload = this.settings.memory.copy(bytes, start, end) as Uint8Array<ArrayBuffer>;
    if (decoder.opcode === Opcode.ping) {
      // §5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a
      // Close frame." After our own Close nothing more is sent.
      if (this.settings.autoPong && this.phase === 'open') this.outgoing.setPong(payload.slice());
      return { type: 'ping', payload };
    }
    return { type: 'pong', payload, latency: this.heartbeat!.answered(payload, this.now) };
  }

  private receiveClose(bytes: Uint8Array, start: number, end: number): ConnectionEvent | null {
    const { code, reason, fault } = parseClosePayload(bytes, start, end);
    if (fault !== null) {
      this.failWith(failure(fault));
      return null;
    }
    const echo = bytes.slice(start, end);
    const { ending } = this;
    const close: ClosingEvent = { type: 'closing', code, reason };
    ending.receive(close);
    this.move('close-in');
    this.dropInput();
    if (ending.closeQueued) {
      this.deadline = this.now + this.settings.closeTimeout;
    } else {
      // §5.5.1: "the endpoint typically echos the status code it received"; some peers wait for their reason too.
      this.move('close-out');
      this.queueClose(echo);
    }
    return close;
  }

  private queueClose(payload: Uint8Array): void {
    this.ending.closeQueued = true;
    this.messages?.abandon();
    this.outgoing.flushPong();
    this.outgoing.frame(0x80 | Opcode.close, payload);
    this.deadline = this.now + this.settings.closeTimeout;
  }

  /** §7.1.7: fails the connection; the peer is told why if it still can be. */
  private failWith(error: FailureError): void {
    if (this.phase === 'closed' || this.phase === 'failing' || this.phase === 'draining') return;
    this.ending.error = error;
    const { closeCode, text } = rowOf(error.code);
    if (closeCode !== undefined && !this.ending.closeQueued) this.queueClose(encodeClosePayload(closeCode, text));
    this.move('fail');
    this.dropInput();
    this.deadline = this.now + this.settings.closeTimeout;
  }

  /** @internal A message comes, and there is no room. */
  overflow(): 0 {
    if (!this.settings.refuseOverflow) this.failWith(failure('OUTGOING_OVERFLOW'));
    return 0;
  }

  /** Whether the end has come: a peer that ended its direction can still read what is left for it, a broken transport cannot. */
  private get overNow(): boolean {
    return this.inputEnded && (this.ending.lost || this.outgoing.unsent === 0);
  }

  /** The transport is gone, in order or broken. */
  private gone(): void {
    if (this.phase === 'connecting') this.openingLost();
    this.finish('transport-gone');
  }

  /** @internal §7.1.4: the connection is closed. */
  protected finish(input: 'transport-gone' | 'deadline'): void {
    const { unsent } = this.outgoing;
    this.move(input);
    this.dropInput();
    this.outgoing.dispose();
    this.chain?.release();
    this.emit(this.ending.closed(input, unsent));
  }

  /** @internal How it ends, from the moment that it begins to. */
  protected get ending(): Ending {
    this.end ??= new Ending();
    return this.end;
  }

  /** @internal What sends messages, while that is possible. */
  get sender(): MessageSender {
    if (this.phase !== 'open') throw notOpen(this.readyState);
    this.messages ??= new MessageSender(this.outgoing, this.settings, this.chain);
    return this.messages;
  }
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
