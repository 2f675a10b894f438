/**
 * What the conformance tests share: frames written and read by the letter of RFC 6455 section 5.2, independently of the
 * codec under test, a connection of either role with its peer's hand on the wire, and all cuttings of a byte string.
 */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import {
  ClientConnection,
  type ClientTarget,
  type ClosedEvent,
  type Connection,
  type ConnectionEvent,
  type ConnectionOptions,
  EstablishedConnection,
  type EstablishedOptions,
  type Role,
  ServerConnection,
} from '../../src/index.ts';

export const ROLES: readonly Role[] = ['server', 'client'];
export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Randomness that repeats: a Lehmer generator. */
export function seeded(seed = 1): (into: Uint8Array) => void {
  let state = seed;
  return (into) => {
    for (let i = 0; i < into.length; i++) {
      state = (state * 48_271) % 0x7fff_ffff;
      into[i] = state >>> 8;
    }
  };
}

export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'utf8'));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** `length` bytes that differ from their neighbours. */
export function pattern(length: number, seed = 7): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + seed + (i >>> 8)) & 0xff;
  return out;
}

export interface FrameParts {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  readonly fin?: boolean;
  readonly rsv?: number;
  /** Four octets, or null for no mask. */
  readonly mask?: readonly number[] | null;
  /** Bytes of the length field instead of the shortest: 7, 16 or 64 bits. */
  readonly lengthBits?: 7 | 16 | 64;
  /** Announces this length whatever the payload is. */
  readonly announced?: bigint;
}

const SOME_MASK = [0x37, 0xfa, 0x21, 0x3d] as const;

/** A frame as section 5.2 draws it. */
export function frame(parts: FrameParts): Uint8Array {
  const payload = typeof parts.payload === 'string' ? bytesOf(parts.payload) : (parts.payload ?? new Uint8Array(0));
  const length = parts.announced ?? BigInt(payload.length);
  const bits = parts.lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const mask = parts.mask ?? null;
  const out: number[] = [((parts.fin ?? true) ? 0x80 : 0) | (parts.rsv ?? 0) | parts.opcode];
  const maskBit = mask === null ? 0 : 0x80;
  if (bits === 7) {
    out.push(maskBit | Number(length));
  } else {
    out.push(maskBit | (bits === 16 ? 126 : 127));
    for (let shift = bits - 8; shift >= 0; shift -= 8) out.push(Number((length >> BigInt(shift)) & 0xffn));
  }
  if (mask !== null) out.push(...mask);
  const head = Uint8Array.from(out);
  const body = mask === null ? payload : payload.map((octet, i) => octet ^ mask[i & 3]!);
  return join(head, body);
}

export function closePayload(code: number, reason: string | Uint8Array = ''): Uint8Array {
  const tail = typeof reason === 'string' ? bytesOf(reason) : reason;
  return join(Uint8Array.of(code >> 8, code & 0xff), tail);
}

export interface WireFrame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly mask: readonly number[] | null;
  readonly payload: Uint8Array;
}

/** Reads whole frames; throws if the bytes do not end with one, or a length is not in its shortest form. */
export function readFrames(bytes: Uint8Array): WireFrame[] {
  const frames: WireFrame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const first = view.getUint8(at);
    const second = view.getUint8(at + 1);
    let length = second & 0x7f;
    at += 2;
    if (length === 126) {
      length = view.getUint16(at);
      if (length < 126) throw new Error('not minimal');
      at += 2;
    } else if (length === 127) {
      length = Number(view.getBigUint64(at));
      if (length < 65_536) throw new Error('not minimal');
      at += 8;
    }
    let mask: number[] | null = null;
    if (second >= 0x80) {
      mask = [...bytes.subarray(at, at + 4)];
      at += 4;
    }
    if (at + length > bytes.length) throw new Error('the last frame is not whole');
    const key = mask;
    const raw = bytes.slice(at, at + length);
    const payload = key === null ? raw : raw.map((octet, i) => octet ^ key[i & 3]!);
    at += length;
    frames.push({ fin: first >= 0x80, rsv: first & 0x70, opcode: first & 0x0f, mask, payload });
  }
  return frames;
}

/** A connection under test, with its peer's hand on the wire and virtual time. */
export class Subject<C extends Connection = Connection> {
  now = 0;
  readonly connection: C;
  readonly events: ConnectionEvent[] = [];
  readonly sent: Uint8Array[] = [];

  constructor(connection: C) {
    this.connection = connection;
  }

  get role(): Role {
    return this.connection.role;
  }

  /** A frame as its peer would send it: masked to a server, bare to a client. */
  peer(opcode: number, payload: Uint8Array | string = '', rest: Partial<FrameParts> = {}): Uint8Array {
    return frame({ opcode, payload, mask: this.role === 'server' ? SOME_MASK : null, ...rest });
  }

  /** Bytes arrive; everything that follows is pulled and taken. */
  feed(...parts: readonly Uint8Array[]): this {
    for (const part of parts) {
      this.connection.receive(part.slice(), this.now);
      this.pull();
    }
    return this;
  }

  pull(): this {
    for (let event = this.connection.nextEvent(); event !== null; event = this.connection.nextEvent()) {
      this.events.push(event);
    }
    this.flush();
    return this;
  }

  /** Output leaves and is written at once. */
  flush(): this {
    const chunks = this.connection.takeOutgoing();
    let size = 0;
    for (const chunk of chunks) {
      this.sent.push(chunk.slice());
      size += chunk.length;
    }
    if (size > 0) this.connection.outgoingWritten(size, this.now);
    return this;
  }

  end(cause?: unknown): this {
    this.connection.receiveEnd(this.now, cause);
    return this.pull();
  }

  /** Time goes on to `now`, stopping at every deadline on the way. */
  until(now: number): this {
    for (let next = this.connection.nextTimeout(); next <= now; next = this.connection.nextTimeout()) {
      this.now = Math.max(this.now, next);
      this.connection.handleTimeout(this.now);
      this.pull();
    }
    this.now = now;
    this.connection.handleTimeout(now);
    return this.pull();
  }

  /** All bytes that left so far. */
  get wire(): Uint8Array {
    return join(...this.sent);
  }

  /** All frames that left since the connection opened here. */
  get frames(): WireFrame[] {
    return readFrames(this.wire);
  }

  get closeFrames(): WireFrame[] {
    return this.frames.filter((each) => each.opcode === OP.close);
  }

  /** The code of the only Close frame that was sent; null if it was empty. */
  get closeCode(): number | null {
    const found = this.closeFrames;
    expect(found.length).toBe(1);
    const { payload } = found[0]!;
    return payload.length === 0 ? null : (payload[0]! << 8) | payload[1]!;
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  get closed(): ClosedEvent {
    const all = this.events.filter((event) => event.type === 'closed');
    expect(all.length).toBe(1);
    expect(this.events.at(-1)).toBe(all[0]);
    return all[0]!;
  }

  /** What was delivered as messages. */
  get messages(): (string | Uint8Array)[] {
    return this.events.flatMap((event) => (event.type === 'message' ? [event.data] : []));
  }
}

/** An open connection; its `open` event is already pulled and forgotten. */
export function open(
  role: Role,
  options: ConnectionOptions = {},
  agreed: Partial<EstablishedOptions> = {},
): Subject<EstablishedConnection> {
  const settings = { pingInterval: null, ...options, platform: { random: seeded(), ...options.platform } };
  const subject = new Subject(new EstablishedConnection({ role, ...agreed }, settings, 0));
  subject.pull();
  expect(subject.types).toEqual(['open']);
  subject.events.length = 0;
  return subject;
}

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The Sec-WebSocket-Accept that answers a key (section 1.3), by the platform's own SHA-1. */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export const REQUEST_LINES: readonly string[] = [
  'GET /chat?x=1 HTTP/1.1',
  'Host: server.example.com',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Version: 13',
];

/** A head of these lines. */
export function head(lines: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
}

/** The valid request with lines replaced by name (null removes one) and lines added. */
export function request(
  changes: Readonly<Record<string, string | null>> = {},
  more: readonly string[] = [],
): Uint8Array {
  const lines: string[] = [];
  for (const line of REQUEST_LINES) {
    const name = line.slice(0, Math.max(line.indexOf(':'), 0)) || 'line';
    const change = changes[name];
    if (change === null) continue;
    lines.push(change ?? line);
  }
  return head([...lines, ...more]);
}

export function server(options: ConnectionOptions = {}): Subject<ServerConnection> {
  return new Subject(new ServerConnection(options, 0));
}

/** A client whose request has left. */
export function client(
  target: Partial<ClientTarget> = {},
  options: ConnectionOptions = {},
): Subject<ClientConnection> & { key: string } {
  const settings = { ...options, platform: { random: seeded(), ...options.platform } };
  const connection = new ClientConnection({ host: 'server.example.com', target: '/chat', ...target }, settings, 0);
  const subject = new Subject(connection).pull();
  const key = /Sec-WebSocket-Key: (\S+)/.exec(textOf(subject.wire))?.[1] ?? '';
  return Object.assign(subject, { key });
}

/** The right answer to a key, with lines replaced by name (null removes one) and lines added. */
export function response(
  key: string,
  changes: Readonly<Record<string, string | null>> = {},
  more: readonly string[] = [],
): Uint8Array {
  const lines = [
    ['line', 'HTTP/1.1 101 Switching Protocols'],
    ['Upgrade', 'Upgrade: websocket'],
    ['Connection', 'Connection: Upgrade'],
    ['Sec-WebSocket-Accept', `Sec-WebSocket-Accept: ${acceptFor(key)}`],
  ].flatMap(([name, line]) => {
    const change = changes[name!];
    return change === null ? [] : [change ?? line!];
  });
  return head([...lines, ...more]);
}

/** The status and the text of the only response that left. */
export function answerOf(subject: Subject): { status: number; text: string } {
  const text = Buffer.from(subject.wire).toString('latin1');
  expect(text.match(/HTTP\/1\.1 /g)?.length).toBe(1);
  return { status: Number(text.slice(9, 12)), text };
}

/** Every cutting that matters: whole, byte by byte, and in two at each offset. */
export function* cuts(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  yield [bytes];
  yield Array.from(bytes, (octet) => Uint8Array.of(octet));
  for (let at = 1; at < bytes.length; at++) yield [bytes.subarray(0, at), bytes.subarray(at)];
}
