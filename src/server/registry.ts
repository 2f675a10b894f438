/**
 * The open connections of a server, and what is sent to all of them at once. It knows no listener and no handshake.
 */

import { headerSize, writeHeader } from '../codec/frame-encoder.ts';
import { Opcode } from '../codec/opcode.ts';
import type { TextCodec } from '../codec/utf8.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { SendResult } from '../endpoint/outbox.ts';
import { type Bytes, toBytes } from '../endpoint/payload.ts';
import { UsageError } from '../errors.ts';

/** Who gets a broadcast, and as what. */
export interface BroadcastOptions {
  /** Text (false) or binary (true). Default: strings are text, bytes are binary. */
  readonly binary?: boolean;
  /** Who does not get it: one connection or several. */
  readonly except?: Endpoint | Iterable<Endpoint>;
  /** Who gets it: those for which this returns true. */
  readonly filter?: (socket: Endpoint) => boolean;
}

/** What became of a broadcast for one connection. */
export interface BroadcastResult {
  /** The connection. */
  readonly socket: Endpoint;
  /** What became of the message on it. */
  readonly result: SendResult;
}

/** The connections of one server from open to their end. */
export class Registry {
  /** Those that are open now: a live view. */
  readonly open: ReadonlySet<Endpoint>;
  private readonly members: Set<Endpoint> = new Set();
  private readonly text: TextCodec;

  constructor(text: TextCodec) {
    this.text = text;
    this.open = new OpenView(this.members);
  }

  /** The connections that are open or closing. */
  get size(): number {
    return this.members.size;
  }

  add(endpoint: Endpoint): void {
    this.members.add(endpoint);
  }

  delete(endpoint: Endpoint): boolean {
    return this.members.delete(endpoint);
  }

  /** Those that are open or closing, as they are now. */
  list(): Endpoint[] {
    return [...this.members];
  }

  /**
   * Sends one message to many; it is encoded once. A connection that reads too slowly has its own limits and holds up nobody.
   *
   * @returns one result for each connection that it was meant for
   * @throws UsageError for anything but strings and bytes, a lone surrogate, bytes as text that are not UTF-8
   */
  broadcast(data: string | Bytes, options: BroadcastOptions = {}): BroadcastResult[] {
    const { binary, filter } = options;
    if (binary !== undefined && typeof binary !== 'boolean') {
      throw new UsageError('INVALID_ARGUMENT', 'broadcast: binary must be true or false');
    }
    if (filter !== undefined && typeof filter !== 'function') {
      throw new UsageError('INVALID_ARGUMENT', 'broadcast: filter must be a function');
    }
    const isBinary = binary ?? typeof data !== 'string';
    const { frame, payloadSize } = this.encode(data, isBinary);
    const left = excluded(options.except);
    // Everybody is chosen before the first one gets it: a filter that throws has sent nothing.
    const targets: Endpoint[] = [];
    for (const socket of this.open) {
      if (left?.has(socket) !== true && (filter === undefined || filter(socket))) targets.push(socket);
    }
    return targets.map((socket) => {
      const result = socket.sendEncoded(frame, payloadSize) ?? socket.send(data, { binary: isBinary });
      return { socket, result };
    });
  }

  private encode(data: string | Bytes, binary: boolean): { frame: Uint8Array; payloadSize: number } {
    const first = 0x80 | (binary ? Opcode.binary : Opcode.text);
    const { text } = this;
    if (typeof data === 'string') {
      const size = text.byteLength(data);
      if (size < 0) throw new UsageError('INVALID_ARGUMENT', 'the text has a lone surrogate and cannot be UTF-8');
      const header = headerSize(size, false);
      const frame = new Uint8Array(header + size);
      writeHeader(frame, 0, first, size, false, 0);
      text.encodeInto(data, frame, header);
      return { frame, payloadSize: size };
    }
    const bytes = toBytes(data, 'what is broadcast');
    if (!binary && !text.isValid(bytes, 0, bytes.length)) {
      throw new UsageError('INVALID_ARGUMENT', 'the bytes to send as text are not UTF-8: send them as binary');
    }
    const header = headerSize(bytes.length, false);
    const frame = new Uint8Array(header + bytes.length);
    writeHeader(frame, 0, first, bytes.length, false, 0);
    frame.set(bytes, header);
    return { frame, payloadSize: bytes.length };
  }
}

function excluded(except: BroadcastOptions['except']): ReadonlySet<Endpoint> | null {
  if (except === undefined) return null;
  // An endpoint is iterable in its own way: its messages are not connections.
  if (Symbol.iterator in except) return new Set(except);
  return new Set([except]);
}

/** Of a server's connections those that are open: a closing one is still held, but nothing can be sent to it. */
class OpenView implements ReadonlySet<Endpoint> {
  private readonly members: ReadonlySet<Endpoint>;

  constructor(members: ReadonlySet<Endpoint>) {
    this.members = members;
  }

  get size(): number {
    let count = 0;
    for (const endpoint of this.members) if (endpoint.readyState === 'open') count++;
    return count;
  }

  has(endpoint: Endpoint): boolean {
    return this.members.has(endpoint) && endpoint.readyState === 'open';
  }

  *values(): SetIterator<Endpoint> {
    for (const endpoint of this.members) if (endpoint.readyState === 'open') yield endpoint;
  }

  keys(): SetIterator<Endpoint> {
    return this.values();
  }

  *entries(): SetIterator<[Endpoint, Endpoint]> {
    for (const endpoint of this.values()) yield [endpoint, endpoint];
  }

  [Symbol.iterator](): SetIterator<Endpoint> {
    return this.values();
  }

  forEach(callback: (value: Endpoint, key: Endpoint, set: ReadonlySet<Endpoint>) => void, thisArg?: unknown): void {
    for (const endpoint of this.values()) callback.call(thisArg, endpoint, endpoint, this);
  }
}
