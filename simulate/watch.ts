/**
 * One endpoint under watch: what its application is told, in which order, and whether every invariant of
 * docs/architecture.md holds, after every step of its host.
 */

import type { Endpoint } from '../src/endpoint/endpoint.ts';
import type { CloseEvent, EventName } from '../src/endpoint/events.ts';
import type { EndpointSettings } from '../src/endpoint/options.ts';
import { type Connection, type Phase, ProtocolError } from '../src/index.ts';
import type { Wakeable } from '../src/transport/transport.ts';
import type { Host } from './hosts.ts';
import type { LinkEnd } from './link.ts';
import { type Descriptor, isContent } from './messages.ts';
import type { Action } from './plan.ts';
import type { Session } from './session.ts';

/** The transitions that may be seen from outside. */
const STATES = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;
const LISTENED = ['open', 'ping', 'pong', 'drain', 'error', 'close'] as const;

/** A broken invariant. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** One side of a session. */
export class Peer {
  readonly session: Session;
  readonly host: Host;
  readonly end: LinkEnd;
  readonly role: 'client' | 'server';
  readonly settings: EndpointSettings;
  other!: Peer;
  endpoint!: Endpoint;
  /** What was accepted to be sent, and how much of it the other side got. */
  readonly sent: Descriptor[] = [];
  delivered = 0;
  /** Messages here need not be those that the other side sent. */
  trusting = true;
  /** Promises that the endpoint owes: by name, how many. */
  readonly owed: Map<string, number> = new Map();
  closeEvent: CloseEvent | null = null;
  /** Actions that wait for a phase, and those that wait for a listener to be called in it. */
  readonly armed: { action: Action; after: number }[] = [];
  readonly inside: Action[] = [];
  opened = false;
  /** The last message of a client that connects again. */
  lastNumber = 0;
  /** A source of `sendStream` has not ended. */
  streaming = false;
  private errors = 0;
  private state = 0;
  /** Bytes of the longest message that was handed over. */
  longest = 0;
  private largest = 0;
  private parts: Uint8Array[] = [];
  private lastPhase: Phase | null = null;

  constructor(session: Session, role: 'client' | 'server', host: Host, end: LinkEnd, settings: EndpointSettings) {
    this.session = session;
    this.role = role;
    this.host = host;
    this.end = end;
    this.settings = settings;
  }

  get name(): string {
    return `${this.session.key} ${this.role}`;
  }

  get phase(): Phase {
    return (this.endpoint.connection as unknown as { phase: Phase }).phase;
  }

  /** Between two frames, all of them read, and ready for the next event. */
  get atFrameBoundary(): boolean {
    const { reader } = this.endpoint.connection as unknown as { reader: unknown };
    return this.phase === 'open' && reader === null && this.endpoint.ready;
  }

  get over(): boolean {
    return this.closeEvent !== null;
  }

  /** Attaches listeners to everything. */
  watch(endpoint: Endpoint): void {
    this.endpoint = endpoint;
    for (const type of LISTENED) endpoint.on(type, (event) => this.heard(type, event));
    // There the relay listens.
    if (this.role === 'server' && this.session.joined !== null) return;
    if (this.settings.connection.byFragment) {
      endpoint.on('fragment', ({ kind, data, first, last }) => {
        if (first !== (this.parts.length === 0)) this.broken(`a fragment with first ${first} in the wrong place`);
        this.parts.push(data.slice());
        if (last) {
          const whole = Buffer.concat(this.parts);
          this.parts = [];
          this.take(kind, whole);
        }
        return this.heard('fragment', null);
      });
    } else {
      endpoint.on('message', ({ kind, data }) => {
        this.take(kind, data);
        return this.heard('message', null);
      });
    }
  }

  // ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────

  private take(kind: 'text' | 'binary', data: string | Uint8Array): void {
    const { other, session } = this;
    if (!this.trusting) return;
    session.world.note(this.name, 'got', kind, data.length);
    if (session.reconnecting !== null && this.role === 'server') {
      session.reconnecting.received(this, kind, data);
      return;
    }
    if (session.joined !== null) {
      session.joined.told(kind, data);
      return;
    }
    const expected = other.sent[other.delivered];
    if (expected === undefined) this.broken(`a message of ${data.length} that nobody sent`);
    else if (!isContent(expected, kind, data)) {
      this.broken(
        `message ${expected.number} (${expected.text ? 'text' : 'binary'}, ${expected.size}) came as another`,
      );
    }
    other.arrived();
  }

  /** The other side has got the next message. */
  arrived(): void {
    this.delivered++;
    if (this.delivered <= 64) return;
    this.sent.splice(0, this.delivered);
    this.delivered = 0;
  }

  private heard(type: EventName, event: unknown): unknown {
    const { world } = this.session;
    world.note(this.name, 'event', type, 0);
    if (this.closeEvent !== null) this.broken(`the event ${type} after close`);
    if (type === 'open') {
      if (this.opened) this.broken('a second open');
      this.opened = true;
    } else if (!this.opened && type !== 'error' && type !== 'close') {
      this.broken(`the event ${type} before open`);
    } else if (this.errors > 0 && type !== 'close') {
      this.broken(`the event ${type} after an error`);
    }
    if (type === 'error' && ++this.errors > 1) this.broken('a second error');
    if (type === 'close') this.heardClose(event as CloseEvent);
    return this.actInside(type);
  }

  private heardClose(event: CloseEvent): void {
    this.closeEvent = event;
    if (this.streaming) this.session.damage('closed while streaming');
    // Nobody here saw the result of what a client that connects again handed over.
    if (event.error?.code === 'OUTGOING_OVERFLOW') this.session.damage('overflow');
    const { code, reason, clean, error } = event;
    this.session.world.note(this.name, 'closed', `${code} ${clean ? 'clean' : (error?.code ?? '?')}`, code);
    if (clean !== (error === null)) this.broken(`clean ${clean} with the error ${error?.code}`);
    if (error instanceof ProtocolError && this.trusting) this.broken(`blames its peer without a cause: ${error.code}`);
    const theirs = this.other.end.reader.close;
    if (code !== 1006 && this.trusting && (theirs === null || theirs.code !== code || theirs.reason !== reason)) {
      this.broken(`closed with ${code} '${reason}', but the peer's Close was ${theirs?.code} '${theirs?.reason}'`);
    }
    if (clean && (this.end.reader.close === null || code === 1006)) {
      this.broken('clean, but both Closes were not exchanged');
    }
    if (this.role === 'client') this.session.joined?.clientClosed(event);
  }

  /** What a listener of the application does in a bad moment. */
  private actInside(type: EventName): unknown {
    const { inside } = this;
    if (inside.length === 0) return undefined;
    const { phase } = this;
    const index = inside.findIndex((action) => action.phase === phase);
    if (index < 0) return undefined;
    const [action] = inside.splice(index, 1);
    return this.session.world.actInListener(this, action!, type);
  }

  // ── after every step ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Holds the invariants of this side; tells the trace of a new phase. */
  check(): void {
    const { connection } = this.endpoint;
    const state = STATES[connection.readyState];
    if (state < this.state) this.broken(`went back to ${connection.readyState}`);
    this.state = state;
    if (state === 3) this.checkEnd(connection);
    else this.checkBounds(connection);
    const { phase } = this;
    if (phase !== this.lastPhase) {
      this.lastPhase = phase;
      this.session.world.note(this.name, 'phase', phase, 0);
    }
  }

  /** Invariant 7: the end is the end. */
  private checkEnd(connection: Connection): void {
    if (connection.nextTimeout() !== Number.POSITIVE_INFINITY) this.broken('closed, with a deadline');
    if (connection.outgoingLength !== 0) this.broken('closed, with bytes to send');
    if (connection.retainedBytes !== 0) this.broken('closed, and retains bytes');
    if (this.host.holds((this.endpoint as unknown as { driver: Wakeable }).driver)) this.broken('closed, with a timer');
  }

  /** Invariant 6: what is retained is bounded by the limits and the chunk last fed. */
  private checkBounds(connection: Connection): void {
    const { maxMessageSize, maxBufferedAmount } = this.settings.connection;
    const { retainedBytes, bufferedAmount } = connection;
    if (retainedBytes > 2 * Math.min(maxMessageSize, 4_194_304) + 200_000)
      this.broken(`retains ${retainedBytes} bytes`);
    if (bufferedAmount < connection.outgoingLength) this.broken('bufferedAmount is below outgoingLength');
    const most = maxBufferedAmount + this.largest + 4_096;
    if (bufferedAmount > most) this.broken(`has ${bufferedAmount} bytes unsent, above ${most}`);
    if (this.role === 'server') this.session.joined?.checkBounds();
    if (this.state !== 1 && !Number.isFinite(connection.nextTimeout())) {
      this.broken(`${connection.readyState} without a deadline`);
    }
  }

  /** Does what waited for the phase that this side is in. */
  fire(): void {
    const { armed, phase } = this;
    for (let i = 0; i < armed.length; i++) {
      const each = armed[i]!;
      if (each.action.phase !== phase || each.after-- > 0) continue;
      armed.splice(i--, 1);
      this.session.world.act(this, each.action);
      if (this.phase !== phase) return;
    }
  }

  /** The application has handed over a message. */
  accepted(descriptor: Descriptor, wireSize: number): void {
    this.sent.push(descriptor);
    this.session.world.note(this.name, 'sent', descriptor.text ? 'text' : 'binary', descriptor.size);
    this.largest = Math.max(this.largest, wireSize);
    this.longest = Math.max(this.longest, 4 * descriptor.size + 12);
  }

  /** It was refused after all. */
  takeBack(descriptor: Descriptor): void {
    const at = this.sent.indexOf(descriptor, this.delivered);
    if (at < 0) this.broken(`message ${descriptor.number} was refused, and sent`);
    this.sent.splice(at, 1);
  }

  /** Room for what an unfinished stream may have queued behind it. */
  allow(bytes: number): void {
    this.largest = Math.max(this.largest, bytes);
  }

  /** The endpoint owes an answer. */
  owes<T>(what: string, promise: Promise<T>, then: (value: T) => void = () => {}): void {
    this.owed.set(what, (this.owed.get(what) ?? 0) + 1);
    this.session.world.restless++;
    const settled = (): void => {
      this.session.world.restless--;
      const left = this.owed.get(what)! - 1;
      if (left === 0) this.owed.delete(what);
      else this.owed.set(what, left);
    };
    promise.then(
      (value) => {
        settled();
        then(value);
      },
      (error: unknown) => {
        settled();
        if (what !== 'sendStream') this.session.world.fail(new Violation(`${this.name}: ${what} rejected: ${error}`));
      },
    );
  }

  /** Tells the world: an endpoint takes what its listeners throw. */
  broken(what: string): never {
    const violation = new Violation(`${this.name} (${this.phase}): ${what}`);
    this.session.world.fail(violation);
    throw violation;
  }
}
