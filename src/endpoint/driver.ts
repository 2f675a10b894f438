/**
 * Joins a connection to a transport and a clock: bytes in, events to the consumer, output in one write a turn, one wake-up.
 * It decides nothing about the protocol.
 */

import type { Connection } from '../connection/connection.ts';
import type { ConnectionEvent } from '../connection/events.ts';
import type { Clock, Transport, TransportSink, Wakeable } from '../transport/transport.ts';
import { PORTION, Portions } from './portions.ts';

/** Events a turn; then other connections have theirs. */
const BUDGET = 1_024;
/** The same in bytes, where extensions make much of little. */
const BYTES = 262_144;

/** Who takes the events. */
export interface Consumer {
  /** Whether another event is welcome now. */
  readonly ready: boolean;
  /** Whether there is something that it will tell when the clock says so. */
  readonly waits: boolean;
  /** Takes one event; called only while `ready`. */
  take(event: ConnectionEvent): void;
  /** Output left: `connection.bufferedAmount` became smaller. */
  progressed(): void;
  /** The transport is gone: no output will leave any more. What came before is still to be taken. */
  lost(): void;
}

/** Runs one connection over one transport. */
export class Driver implements TransportSink, Wakeable {
  private readonly connection: Connection;
  private readonly transport: Transport;
  private readonly clock: Clock;
  private readonly consumer: Consumer;
  private readonly highWaterMark: number;
  private unwritten = 0;
  private wakeAt: number = Number.POSITIVE_INFINITY;
  private inTurn = false;
  private deferred = false;
  private yielding = false;
  /** What may be pulled before others have a turn, however many turns of ours that takes: a listener's promise ends one. */
  private budget = BUDGET;
  private room = BYTES;
  private paused = false;
  private finished = false;
  private over = false;
  private broken = false;
  private referenced = true;
  private release: (() => void) | null = null;
  private portions: Portions | null = null;

  /** Whether the transport is gone. */
  get lost(): boolean {
    return this.over;
  }

  /** `highWaterMark`: unwritten bytes (default of endpoints: 64 KiB) above which output waits in the connection. */
  constructor(connection: Connection, transport: Transport, clock: Clock, consumer: Consumer, highWaterMark: number) {
    this.connection = connection;
    this.transport = transport;
    this.clock = clock;
    this.consumer = consumer;
    this.highWaterMark = highWaterMark;
  }

  /** Begins to read and write. */
  start(): void {
    this.transport.start(this);
    this.turn();
  }

  received(bytes: Uint8Array): void {
    this.replenish();
    this.connection.receive(bytes, this.clock.now());
    this.turn();
  }

  receivedBorrowed(buffer: Uint8Array, length: number): void {
    this.replenish();
    this.connection.receiveBorrowed(buffer, this.clock.now(), length);
    this.turn();
    this.connection.keepBorrowed();
  }

  written(): void {
    this.turn();
  }

  ended(): void {
    this.connection.receiveEnd(this.clock.now());
    this.turn();
  }

  closed(cause?: unknown): void {
    this.over = true;
    // If nobody takes events, only the heartbeat can tell that the peer is gone.
    if (this.paused) this.connection.resumeInput(this.clock.now());
    this.broken = cause !== undefined;
    this.connection.receiveEnd(this.clock.now(), cause);
    this.loseOutput(this.transport.unwritten);
    this.consumer.lost();
    this.turn();
  }

  /** Something was queued outside of a turn: it leaves when the current call stack has ended. */
  touch(): void {
    if (this.inTurn || this.deferred) return;
    this.deferred = true;
    this.clock.defer(runTouched, this);
  }

  /** Keeps the process alive, the transport or what is left to be told. */
  ref(): void {
    this.transport.ref();
    this.referenced = true;
    this.linger();
  }

  /** Lets the process end. */
  unref(): void {
    this.transport.unref();
    this.referenced = false;
    this.linger();
  }

  /** Keeps the process alive until the clock brings about what is next, where the transport does not: gone, paused, or read to its end. */
  private linger(): void {
    const { consumer, connection, clock } = this;
    const ending = this.wakeAt !== Number.POSITIVE_INFINITY && (this.over || connection.readyState === 'closing');
    if (this.referenced && (ending || consumer.waits)) {
      this.release ??= clock.hold?.() ?? null;
    } else if (this.release !== null) {
      this.release();
      this.release = null;
    }
  }

  /** Runs `act` as part of a turn: what it does to the connection is told after it. */
  within(act: () => void): void {
    const outside = !this.inTurn;
    this.inTurn = true;
    act();
    if (!outside) return;
    this.inTurn = false;
    this.turn();
  }

  /** Pulls events while the consumer takes them, then writes what has come together. */
  turn(): void {
    if (this.inTurn) return;
    this.inTurn = true;
    const { connection, consumer, transport } = this;
    const whole = connection.sendsWhole;
    let { budget, room } = this;
    let unwelcome: boolean;
    do {
      while (consumer.ready) {
        if (budget === 0 || room <= 0) {
          this.giveWay();
          break;
        }
        const event = connection.nextEvent(whole ? Number.POSITIVE_INFINITY : room);
        if (event === null) {
          if (!connection.expanding) break;
          room = 0;
          continue;
        }
        budget--;
        if (!whole && (event.type === 'message' || event.type === 'fragment')) room -= event.data.length;
        consumer.take(event);
      }
      this.budget = budget;
      this.room = room;
      unwelcome = !consumer.ready;
    } while (this.flush() && connection.readyState === 'closing');
    this.inTurn = false;
    // What a `drain` listener sends was queued behind this turn's write, and what it resumes is still unread.
    const queued = !this.over && connection.outgoingLength > 0 && transport.unwritten <= this.highWaterMark;
    if (queued || (unwelcome && consumer.ready)) this.touch();
    this.settle();
    this.linger();
  }

  /** The clock's alarm: a deadline may have passed. */
  wake(): void {
    this.wakeAt = Number.POSITIVE_INFINITY;
    // Bytes that are already readable are looked at before a timeout is judged: a stalled process must not blame its peers.
    if (this.connection.nextTimeout() <= this.clock.now()) this.clock.yield(judge, this);
    else this.settle();
  }

  /** Acts on what is overdue. */
  judge(): void {
    this.connection.handleTimeout(this.clock.now());
    this.turn();
  }

  /** Ends the wait of `touch`. */
  touched(): void {
    this.deferred = false;
    this.resume();
  }

  /** Ends the wait of a turn that ran out of budget: others have had theirs. */
  yielded(): void {
    this.yielding = false;
    this.replenish();
    this.resume();
  }

  private replenish(): void {
    this.budget = BUDGET;
    this.room = BYTES;
  }

  private resume(): void {
    // What was held back is looked at now: deadlines that follow from it count from now.
    this.connection.advance(this.clock.now());
    this.turn();
  }

  private giveWay(): void {
    if (this.yielding) return;
    this.yielding = true;
    this.clock.yield(runYielded, this);
  }

  /** Writes once what is queued, unless the transport still holds too much; true if there was progress. */
  private flush(): boolean {
    if (this.over) return this.loseOutput();
    const { connection, transport } = this;
    const queued = connection.outgoingLength;
    let unwritten = transport.unwritten;
    const offered = this.unwritten;
    // What it takes at once makes room for more.
    while (connection.outgoingLength > 0 && unwritten <= this.highWaterMark)
      unwritten = transport.write(connection.takeOutgoing(this.nextPortion()));
    const taken = queued - connection.outgoingLength;
    const written = offered + taken - unwritten;
    this.unwritten = unwritten;
    if (written > 0) {
      connection.outgoingWritten(written, connection.readyState === 'open' ? 0 : this.clock.now());
      this.consumer.progressed();
    }
    if (!this.finished && connection.outgoingEnded) {
      this.finished = true;
      transport.end();
    }
    return taken > 0 || written > 0;
  }

  private nextPortion(): number {
    if (this.connection.outgoingLength <= PORTION) return PORTION;
    this.portions ??= new Portions();
    return this.portions.next(this.clock.now());
  }

  /** What was not written never will be: that is a broken transport too, whatever it says of itself. True if that is news. */
  private loseOutput(unwritten = 0): boolean {
    const { connection, clock } = this;
    if (this.broken || unwritten + connection.outgoingLength === 0) return false;
    this.broken = true;
    connection.receiveEnd(clock.now(), new Error('closed before all was written'));
    return true;
  }

  /** Holds the transport back while bytes are not welcome, and sets the alarm if a deadline came nearer. */
  private settle(): void {
    const { connection, transport } = this;
    if (connection.readyState === 'closed') {
      if (this.wakeAt !== Number.POSITIVE_INFINITY) this.clock.cancel(this, this.wakeAt);
      this.wakeAt = Number.POSITIVE_INFINITY;
      if (!this.over) transport.destroy();
      return;
    }
    const hold = !connection.wantsInput;
    if (hold !== this.paused && !this.over) {
      this.paused = hold;
      if (hold) {
        transport.pause();
        connection.suspendInput();
      } else {
        connection.resumeInput(this.clock.now());
        transport.resume();
      }
    }
    const at = connection.nextTimeout();
    if (at < this.wakeAt) {
      if (this.wakeAt !== Number.POSITIVE_INFINITY) this.clock.cancel(this, this.wakeAt);
      this.wakeAt = at;
      this.clock.schedule(this, at);
    }
  }
}

function runTouched(driver: Driver): void {
  driver.touched();
}

function runYielded(driver: Driver): void {
  driver.yielded();
}

function judge(driver: Driver): void {
  driver.judge();
}
