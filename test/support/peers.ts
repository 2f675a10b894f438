/** Connections ready for use: open from the start, or opened by a real handshake, and two of them joined. */

import {
  ClientConnection,
  type Connection,
  type ConnectionEvent,
  type ConnectionOptions,
  EstablishedConnection,
  type PayloadTransform,
  type Role,
  ServerConnection,
} from '../../src/index.ts';
import { type Delivery, takeAll } from './observe.ts';
import { seededRandom } from './random.ts';

/** An open connection; its `open` event is already taken. */
export function established(
  role: Role,
  options: ConnectionOptions = {},
  transforms: readonly PayloadTransform[] = [],
  seed = 7,
): Connection {
  const connection = new EstablishedConnection(
    { role, transforms },
    { ...options, platform: { random: seededRandom(seed), ...options.platform } },
    0,
  );
  connection.nextEvent();
  return connection;
}

/** A client that has queued its request. */
export function connecting(
  options: ConnectionOptions = {},
  subprotocols: readonly string[] = [],
  seed = 7,
): ClientConnection {
  return new ClientConnection(
    { host: 'example.test', target: '/chat', subprotocols },
    { ...options, platform: { random: seededRandom(seed), ...options.platform } },
    0,
  );
}

/** Takes and acknowledges all output. */
export function drain(connection: Connection, now = 0): Uint8Array {
  return takeAll(connection, now);
}

/** Pulls all events. */
export function pull(connection: Connection): ConnectionEvent[] {
  const events: ConnectionEvent[] = [];
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) events.push(event);
  return events;
}

/** Two connections that a transport in memory joins: it ends its directions as the engine asks, and moves one piece at a time. */
export class Joined {
  readonly left: Connection;
  readonly right: Connection;
  readonly events: { readonly left: ConnectionEvent[]; readonly right: ConnectionEvent[] } = { left: [], right: [] };
  /** All bytes that each side gave out. */
  readonly output: { readonly left: Uint8Array[]; readonly right: Uint8Array[] } = { left: [], right: [] };
  now = 0;
  private readonly cut: Delivery['cut'];
  private readonly ended = { left: false, right: false };
  /** Called with each event, so that peers can react. */
  onEvent: (connection: Connection, event: ConnectionEvent, now: number) => void = () => {};

  constructor(left: Connection, right: Connection, cut: Delivery['cut'] = (bytes) => [bytes]) {
    this.left = left;
    this.right = right;
    this.cut = cut;
  }

  /** Carries what both sides have, both ways, once. Returns whether anything moved. */
  step(): boolean {
    const there = this.carry('left', 'right');
    const back = this.carry('right', 'left');
    return there || back;
  }

  /** Carries until nothing moves. Throws if that takes more than `most` steps. */
  rest(most = 1_000): void {
    for (let i = 0; this.step(); i++) if (i > most) throw new Error(`no rest after ${most} steps`);
  }

  /** Lets time pass: every deadline is kept. */
  advance(duration: number): void {
    const end = this.now + duration;
    this.rest();
    for (;;) {
      const next = Math.min(this.left.nextTimeout(), this.right.nextTimeout());
      if (next > end) break;
      this.now = Math.max(this.now, next);
      this.left.handleTimeout(this.now);
      this.right.handleTimeout(this.now);
      this.rest();
    }
    this.now = end;
  }

  private carry(from: 'left' | 'right', to: 'left' | 'right'): boolean {
    const sender = this[from];
    const receiver = this[to];
    let moved = this.take(from);
    if (sender.outgoingLength > 0) {
      moved = true;
      for (const chunk of sender.takeOutgoing()) {
        this.output[from].push(chunk.slice());
        sender.outgoingWritten(chunk.length, this.now);
        for (const piece of this.cut(chunk.slice())) {
          receiver.receive(piece.slice(), this.now);
          this.take(to);
        }
      }
    }
    if (sender.outgoingEnded && !this.ended[from]) {
      this.ended[from] = true;
      receiver.receiveEnd(this.now);
      moved = true;
    }
    return this.take(to) || moved;
  }

  private take(side: 'left' | 'right'): boolean {
    const connection = this[side];
    let any = false;
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
      any = true;
      this.events[side].push(event);
      this.onEvent(connection, event, this.now);
    }
    return any;
  }
}

/** A client and a server that have opened by a handshake over each other. */
export function openPair(
  clientOptions: ConnectionOptions = {},
  serverOptions: ConnectionOptions = {},
  cut?: Delivery['cut'],
): Joined {
  const client = connecting(clientOptions);
  const server = new ServerConnection(serverOptions, 0);
  const joined = new Joined(client, server, cut);
  joined.onEvent = (connection, event, now) => {
    if (event.type === 'request') (connection as ServerConnection).accept(now);
  };
  joined.rest();
  return joined;
}
