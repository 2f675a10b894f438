/**
 * One message to many connections of a server: who gets it, encoded once, with a result for each. It knows frames and no
 * wire: what a connection cannot take at once is its own affair, and holds up nobody.
 */

import { Opcode } from '../codec/opcode.ts';
import { checkText, loneSurrogate } from '../connection/checks.ts';
import type { Connection } from '../connection/connection.ts';
import type { Settings } from '../connection/options.ts';
import { type SharedFrame, SharedFrames } from '../connection/shared-frames.ts';
import type { SendResult } from '../endpoint/outbox.ts';
import { type Bytes, toBytes } from '../endpoint/payload.ts';
import { UsageError } from '../errors.ts';
import { checkOptions, type Registry, type Target, targetsOf } from './registry.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

/** How a message goes to connections of a server. */
export interface ServerSendOptions {
  /** Text (false) or binary (true). Default: strings are text, bytes are binary. */
  readonly binary?: boolean;
  /** Whether extensions may compress it. Default true. */
  readonly compress?: boolean;
  /**
   * What is done where the peer does not read and more than `highWaterMark` is unsent. `'wait'` (default): the message waits in the connection's own queue,
   * up to `maxBufferedAmount`. `'drop'`: that connection does not get it. `'close'`: that connection is closed with 1008.
   */
  readonly slow?: 'wait' | 'drop' | 'close';
}

/** Who gets a broadcast, and as what. All that is said must hold. */
export interface BroadcastOptions<Context = unknown> extends ServerSendOptions {
  /** Who does not get it: connections, ids or numbers, one or several. */
  readonly except?: Target | Iterable<Target>;
  /** Who gets it: those whose request has this path, or one of these. Compared exactly and without the query. */
  readonly path?: string | readonly string[];
  /** Who gets it: those for which this returns true. */
  filter?(socket: ServerEndpoint<Context>): boolean;
}

/** What became of a broadcast for one connection. */
export interface BroadcastResult<Context = unknown> {
  /** The connection. */
  readonly socket: ServerEndpoint<Context>;
  /** What became of the message on it. */
  readonly result: SendResult;
}

/** A message that is on its way to several. */
interface Parcel {
  /** As it is on connections whose extensions leave it alone. */
  readonly frame: SharedFrame;
  readonly payloadSize: number;
  readonly data: string | Bytes;
  readonly options: ServerSendOptions;
  /** As extensions make it, by the connection's `encodeKey`. */
  readonly changed: Map<string, SharedFrame>;
}

const SEND_OPTIONS = ['binary', 'compress', 'slow'];
const BROADCAST_OPTIONS = [...SEND_OPTIONS, 'except', 'path', 'filter'];
const POLICIES = ['wait', 'drop', 'close'];

/** Sends to the connections of one server. */
export class Broadcaster {
  private readonly registry: Registry;
  private readonly settings: Settings;
  private readonly frames: SharedFrames;

  constructor(registry: Registry, settings: Settings) {
    this.registry = registry;
    this.settings = settings;
    this.frames = new SharedFrames(settings.memory, settings.text);
  }

  /** Sends to each target in order, an unknown one included: its result is `not-open`. */
  send(targets: Iterable<Target>, data: string | Bytes, options: ServerSendOptions): SendResult[] {
    checkSendOptions('send', options, SEND_OPTIONS);
    const sockets = Array.from(targets, (target) => this.registry.find(target));
    const parcel = this.pack(data, options, sockets.length);
    return deliverAll(parcel, () =>
      sockets.map((socket) => (socket === null ? refused('not-open', parcel) : deliver(socket, parcel))),
    );
  }

  /** Sends to those of `candidates` that are open and meant. */
  broadcast(
    candidates: Iterable<ServerEndpoint>,
    data: string | Bytes,
    options: BroadcastOptions,
    where: 'broadcast' | 'publish',
  ): BroadcastResult[] {
    checkSendOptions(where, options, BROADCAST_OPTIONS);
    const { filter } = options;
    const paths = readPaths(options.path, where);
    const left = this.excluded(options.except, where);
    // Everybody is chosen before the first one gets it: a filter that throws has sent nothing.
    const sockets: ServerEndpoint[] = [];
    // A filter may subscribe and close as it likes: who was there when it began is asked, once.
    for (const socket of filter === undefined ? candidates : [...candidates]) {
      if (socket.readyState !== 'open' || left?.has(socket) === true) continue;
      if (paths !== null && !paths.includes(socket.request?.path ?? '')) continue;
      if (filter === undefined || chooses(filter(socket), where)) sockets.push(socket);
    }
    const parcel = this.pack(data, options, sockets.length);
    return deliverAll(parcel, () => sockets.map((socket) => ({ socket, result: deliver(socket, parcel) })));
  }

  /** An id or number that nobody has excludes nobody. */
  private excluded(except: BroadcastOptions['except'], where: string): ReadonlySet<ServerEndpoint> | null {
    if (except === undefined) return null;
    const sockets = Array.from(targetsOf(except, `${where}: except`).list, (target) => this.registry.find(target));
    return new Set(sockets.filter((socket) => socket !== null));
  }

  /** @throws UsageError for what cannot be sent as it is meant */
  private pack(data: string | Bytes, options: ServerSendOptions, receivers: number): Parcel {
    const { text } = this.settings;
    const binary = options.binary ?? typeof data !== 'string';
    const bytes = typeof data === 'string' ? null : toBytes(data, 'what is sent');
    const payloadSize = bytes === null ? text.byteLength(data as string) : bytes.length;
    if (payloadSize < 0) throw loneSurrogate();
    if (bytes !== null && !binary) checkText(text, bytes);
    const opcode = binary ? Opcode.binary : Opcode.text;
    const frame = this.frames.encode(opcode, bytes ?? (data as string), payloadSize, receivers > 1);
    return { frame, payloadSize, data, options: { ...options, binary }, changed: new Map() };
  }
}

/** @throws UsageError for what is neither: a promise would choose everybody */
function chooses(verdict: unknown, where: string): boolean {
  if (typeof verdict === 'boolean') return verdict;
  throw new UsageError('INVALID_ARGUMENT', `${where}: filter must answer true or false`);
}

/** Runs `act`, which delivers the parcel; its memory is given back in any case. */
function deliverAll<T>(parcel: Parcel, act: () => T): T {
  try {
    return act();
  } finally {
    parcel.frame.slab?.release();
  }
}

function deliver(socket: ServerEndpoint, parcel: Parcel): SendResult {
  const { slow = 'wait', binary = false, compress } = parcel.options;
  if (slow !== 'wait' && isSlow(socket)) {
    if (slow === 'close') void socket.close(1008, 'reads too slowly');
    return refused('overflow', parcel);
  }
  const result = socket.sendEncoded(frameFor(socket.connection, parcel), parcel.payloadSize);
  if (result !== null) return result;
  return socket.send(parcel.data, compress === undefined ? { binary } : { binary, compress });
}

/** The frame that this connection shares with others; null if it makes its own. */
function frameFor(connection: Connection, { frame, payloadSize, options, changed }: Parcel): SharedFrame | null {
  // What cannot be sent to any more is refused whatever the frame.
  if (options.compress === false || connection.readyState !== 'open') return frame;
  const key = connection.sender.encodeKey;
  if (key === null) return null;
  if (key === '') return frame;
  const known = changed.get(key);
  if (known !== undefined) return known;
  const payload = frame.bytes.subarray(frame.bytes.length - payloadSize);
  const bytes = connection.sender.whole(options.binary === true ? 'binary' : 'text', payload);
  if (bytes === null) return null;
  const made: SharedFrame = { bytes, slab: null, start: 0 };
  changed.set(key, made);
  return made;
}

/** Whether more than `highWaterMark` waits behind what the peer did not take. What this turn has queued does not count by itself. */
function isSlow({ connection, readyState, writable }: ServerEndpoint): boolean {
  return readyState === 'open' && !writable && connection.bufferedAmount > connection.outgoingLength;
}

function refused(code: 'not-open' | 'overflow', { payloadSize }: Parcel): SendResult {
  return { success: false, code, payloadSize, wireSize: 0, compressionError: false, writable: false };
}

/** @throws UsageError naming the option that is unknown or wrong */
function checkSendOptions(where: string, options: BroadcastOptions, known: readonly string[]): void {
  checkOptions(where, options, known);
  const refuse = (text: string): never => {
    throw new UsageError('INVALID_ARGUMENT', `${where}: ${text}`);
  };
  const { binary, compress, slow, filter } = options;
  if (binary !== undefined && typeof binary !== 'boolean') refuse('binary must be true or false');
  if (compress !== undefined && typeof compress !== 'boolean') refuse('compress must be true or false');
  if (slow !== undefined && !POLICIES.includes(slow)) refuse("slow must be 'wait', 'drop' or 'close'");
  if (filter !== undefined && typeof filter !== 'function') refuse('filter must be a function');
}

function readPaths(path: BroadcastOptions['path'], where: string): readonly string[] | null {
  if (path === undefined) return null;
  const paths: readonly unknown[] = Array.isArray(path) ? path : [path];
  if (paths.every((each) => typeof each === 'string')) return paths;
  throw new UsageError('INVALID_ARGUMENT', `${where}: path must be a path or an array of paths`);
}
