/** Connections with permessage-deflate: two of ours joined by a real handshake, or one of ours with a peer's hand on the wire. */

import type { PermessageDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import { permessageDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import {
  type Connection,
  type ConnectionEvent,
  type ConnectionOptions,
  EstablishedConnection,
  type Extension,
  type Role,
  ServerConnection,
} from '../../src/index.ts';
import { concat } from '../support/bytes.ts';
import { EXAMPLE_KEY, type FrameParts, frame, type ReadFrame, readFrames } from '../support/frames.ts';
import { connecting, drain, Joined, pull } from '../support/peers.ts';
import { seededRandom } from '../support/random.ts';

/** The fault of data that cannot be inflated, and its close code. */
export const CORRUPT = 'DEFLATE_CORRUPT';

export interface PairOptions {
  readonly server?: PermessageDeflateOptions | null;
  readonly client?: PermessageDeflateOptions | null;
  readonly connection?: ConnectionOptions;
  readonly cut?: (bytes: Uint8Array) => readonly Uint8Array[];
}

/** Two open connections: left is the server. Events up to `open` are forgotten. */
export function openPair({ server = {}, client = {}, connection = {}, cut }: PairOptions = {}): Joined {
  const extensionsOf = (options: PermessageDeflateOptions | null): readonly Extension[] =>
    options === null ? [] : [permessageDeflate(options)];
  const accepting = new ServerConnection({ ...connection, extensions: extensionsOf(server) }, 0);
  const asking = connecting({ ...connection, extensions: extensionsOf(client) });
  const pair = new Joined(accepting, asking, cut);
  pair.onEvent = (_, event, now) => {
    if (event.type === 'request') accepting.accept(now);
  };
  pair.rest();
  const opens = [...pair.events.left, ...pair.events.right].flatMap((event) => (event.type === 'open' ? [event] : []));
  if (opens.length !== 2) throw new Error('the connections are not open');
  if (opens[0]!.extensions !== opens[1]!.extensions) throw new Error('they do not agree');
  pair.events.left.length = pair.events.right.length = 0;
  return pair;
}

/** One open connection that was agreed on with `options`; frames of its peer are written by hand. */
export class Subject {
  readonly connection: Connection;
  readonly role: Role;
  readonly events: ConnectionEvent[] = [];
  private readonly sent: Uint8Array[] = [];

  constructor(role: Role, options: PermessageDeflateOptions = {}, connection: ConnectionOptions = {}) {
    this.role = role;
    const extension = permessageDeflate(options);
    const [offer] = extension.offer();
    const { answer, transform } = permessageDeflate(options).accept(offer!)!;
    const transforms = [role === 'server' ? transform : extension.agree(answer)!];
    this.connection = new EstablishedConnection(
      { role, transforms },
      { pingInterval: null, ...connection, platform: { random: seededRandom(3) } },
      0,
    );
    this.connection.nextEvent();
  }

  /** The peer sends a frame. */
  receive(parts: FrameParts): this {
    const key = this.role === 'server' ? EXAMPLE_KEY : null;
    this.connection.receive(frame({ key, ...parts }), 0);
    return this.pull();
  }

  pull(): this {
    this.events.push(...pull(this.connection));
    this.sent.push(drain(this.connection).slice());
    return this;
  }

  /** What was delivered since the last call. */
  get messages(): (string | Uint8Array)[] {
    const all = this.events.flatMap((event) => (event.type === 'message' ? [event.data] : []));
    this.events.length = 0;
    return all;
  }

  get frames(): ReadFrame[] {
    return readFrames(concat(this.sent));
  }

  /** The code of the Close frame that was sent, if there is one. */
  get closeCode(): number | null {
    const close = this.frames.find(({ opcode }) => opcode === 8);
    return close === undefined ? null : (close.payload[0]! << 8) | close.payload[1]!;
  }

  /** The fault that the connection failed with, once its transport has ended. */
  get fault(): string | undefined {
    this.connection.receiveEnd(0);
    this.pull();
    const closed = this.events.find((event) => event.type === 'closed');
    return closed?.type === 'closed' ? closed.error?.code : undefined;
  }
}
