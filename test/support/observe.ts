/**
 * Runs a connection through a script and says what could be seen of it from outside. The same script can be delivered in
 * many ways: whole, cut, lent, pulled late. What the engine promises is that nobody can tell.
 */

import {
  type Connection,
  type ConnectionEvent,
  EstablishedConnection,
  type PayloadTransform,
} from '../../src/index.ts';
import { concat, hex } from './bytes.ts';
import { type ReadFrame, readFrames } from './frames.ts';
import { printEvent, printFrame } from './print.ts';
import { seededRandom } from './random.ts';

/** One thing that happens to a connection. */
export type Step =
  | { readonly do: 'receive'; readonly bytes: Uint8Array }
  | { readonly do: 'end'; readonly cause?: Error }
  | { readonly do: 'advance'; readonly by: number }
  | { readonly do: 'command'; readonly run: (connection: Connection, now: number) => void };

/** How bytes reach the connection, and when results are fetched. */
export interface Delivery {
  readonly cut: (bytes: Uint8Array) => readonly Uint8Array[];
  /** Lend one buffer that is spoilt after each loan. */
  readonly borrowed?: 'until-null' | 'keep';
  /** Pull after every piece (default) or once a step. */
  readonly pull?: 'early' | 'late';
  /** Take output after every piece, or at the end only (default). */
  readonly drain?: 'early' | 'end';
  /** Called with each event as it is pulled, before the next one. */
  readonly onEvent?: (connection: Connection, event: ConnectionEvent, now: number) => void;
  /** Called after each step of the machine. */
  readonly check?: (connection: Connection) => void;
}

export interface Observed {
  /** Printed events; the fragments of one message joined. */
  readonly events: readonly string[];
  /** Data of a fragmented delivery that never ended. */
  readonly partial: string;
  readonly output: Uint8Array;
  readonly connection: Connection;
}

export const whole: Delivery['cut'] = (bytes) => [bytes];
export const byteByByte: Delivery['cut'] = (bytes) => Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));

/** Cuts at the given sizes, over and over. */
export function cutAt(sizes: readonly number[]): Delivery['cut'] {
  return (bytes) => {
    if (sizes.length === 0) return [bytes];
    const pieces: Uint8Array[] = [];
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = Math.max(1, sizes[i % sizes.length]!);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    return pieces;
  };
}

/** Cuts in two. */
export function cutOnce(offset: number): Delivery['cut'] {
  return (bytes) =>
    offset <= 0 || offset >= bytes.length ? [bytes] : [bytes.subarray(0, offset), bytes.subarray(offset)];
}

/** Plays `steps` on `connection`. */
export function observe(connection: Connection, steps: readonly Step[], delivery: Delivery, startAt = 0): Observed {
  const events: ConnectionEvent[] = [];
  const output: Uint8Array[] = [];
  const loan = new Uint8Array(delivery.borrowed === undefined ? 0 : 70_000);
  let now = startAt;
  const pull = (): void => {
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
      events.push(event);
      delivery.onEvent?.(connection, event, now);
      delivery.check?.(connection);
    }
    delivery.check?.(connection);
  };
  const drain = (): void => {
    output.push(takeAll(connection, now));
  };
  const receive = (piece: Uint8Array): void => {
    if (delivery.borrowed === undefined || piece.length > loan.length) {
      connection.receive(piece.slice(), now);
      return;
    }
    loan.set(piece);
    connection.receiveBorrowed(loan, now, piece.length);
    if (delivery.borrowed === 'keep') {
      // One event, then the shell needs its buffer back.
      const event = connection.nextEvent();
      if (event !== null) {
        events.push(event);
        delivery.onEvent?.(connection, event, now);
      }
      connection.keepBorrowed();
    } else {
      pull();
    }
    loan.fill(0xee);
  };
  for (const step of steps) {
    switch (step.do) {
      case 'receive':
        for (const piece of delivery.cut(step.bytes)) {
          receive(piece);
          if (delivery.pull !== 'late') pull();
          if (delivery.drain === 'early') drain();
        }
        break;
      case 'end':
        connection.receiveEnd(now, step.cause);
        break;
      case 'advance': {
        // A Close that has not left when its deadline passes was not exchanged: late means later in the same instant.
        drain();
        const end = now + step.by;
        for (let at = connection.nextTimeout(); at <= end; at = connection.nextTimeout()) {
          now = Math.max(now, at);
          connection.handleTimeout(now);
          pull();
        }
        now = end;
        connection.handleTimeout(now);
        break;
      }
      case 'command':
        step.run(connection, now);
        break;
    }
    pull();
    if (delivery.drain === 'early') drain();
  }
  drain();
  pull();
  return { ...joinFragments(events), output: concat(output), connection };
}

/** Takes and acknowledges all output; what was announced must be what is given. */
export function takeAll(connection: Connection, now: number): Uint8Array {
  const { outgoingLength, bufferedAmount } = connection;
  const bytes = concat(connection.takeOutgoing().map((chunk) => chunk.slice()));
  if (bytes.length !== outgoingLength) throw new Error(`outgoingLength was ${outgoingLength}, not ${bytes.length}`);
  if (bufferedAmount < bytes.length) throw new Error(`bufferedAmount was ${bufferedAmount}, below ${bytes.length}`);
  connection.outgoingWritten(bytes.length, now);
  return bytes;
}

/** Events as text; fragments of a message become one line where the message ends. */
export function joinFragments(events: readonly ConnectionEvent[]): { events: string[]; partial: string } {
  const lines: string[] = [];
  let parts: Uint8Array[] = [];
  for (const event of events) {
    if (event.type !== 'fragment') {
      lines.push(printEvent(event));
      continue;
    }
    if (event.first !== (parts.length === 0)) lines.push('fragment out of order');
    parts.push(event.data);
    if (!event.last) continue;
    lines.push(printEvent({ ...event, first: true, data: concat(parts) }));
    parts = [];
  }
  return { events: lines, partial: hex(concat(parts)) };
}

/** Says how two outputs differ beyond superseded pongs; `early` was drained more often. Empty if they do not. */
export function compareOutputs(early: Uint8Array, late: Uint8Array): string {
  const a = readFrames(early);
  const b = readFrames(late);
  const others = (frames: ReadFrame[]): string =>
    frames
      .filter(({ opcode }) => opcode !== 10)
      .map((each) => printFrame({ ...each, key: null }))
      .join('\n');
  if (others(a) !== others(b)) return `${others(a)}\n-- but late --\n${others(b)}`;
  const pongs = a.filter(({ opcode }) => opcode === 10).map(({ payload }) => hex(payload));
  const latePongs = b.filter(({ opcode }) => opcode === 10).map(({ payload }) => hex(payload));
  if (pongs.at(-1) !== latePongs.at(-1)) return `the last pong is ${pongs.at(-1)}, but late ${latePongs.at(-1)}`;
  let at = 0;
  for (const pong of latePongs) {
    at = pongs.indexOf(pong, at) + 1;
    if (at === 0) return `the late pong ${pong} is not among the early ones`;
  }
  return '';
}

/** Reads frames as the strict opposite would; says what it objects to, or nothing. Invariant 8. */
export function objections(
  output: Uint8Array,
  sender: 'client' | 'server',
  transforms: PayloadTransform[] = [],
): string {
  const frames = readFrames(output);
  const closes = frames.filter(({ opcode }) => opcode === 8).length;
  if (closes > 1) return `${closes} Close frames`;
  if (closes === 1 && frames.at(-1)?.opcode !== 8) return 'a frame after the Close frame';
  const opposite = new EstablishedConnection(
    { role: sender === 'client' ? 'server' : 'client', transforms },
    {
      maxMessageSize: null,
      maxFrameSize: null,
      maxFragments: null,
      maxControlFrames: null,
      platform: { random: seededRandom(1) },
    },
    0,
  );
  opposite.receive(output.slice(), 0);
  for (let event = opposite.nextEvent(); event !== null; event = opposite.nextEvent()) {
    if (event.type === 'closed') return `the opposite role fails: ${event.error?.code}`;
  }
  return opposite.readyState === 'open' || closes === 1 ? '' : 'the opposite role failed';
}
