/**
 * Options: their rules in one table, checked once, never coerced. `null` alone means "off".
 * A wrong, unknown or meaningless option is a `UsageError` that names it.
 */

import type { DecoderRules } from '../codec/frame-decoder.ts';
import { Memory } from '../codec/memory.ts';
import { pureText, type TextCodec } from '../codec/utf8.ts';
import { UsageError } from '../errors.ts';
import type { TransformChain } from '../extension/chain.ts';
import type { Extension } from '../extension/extension.ts';
import type { DeflateCodec } from '../extension/permessage-deflate/codec.ts';
import { Incoming } from './incoming.ts';
import { MaskKeys } from './mask-keys.ts';

/** What the platform lends the engine. All of it is optional: the pure text, allocation and clock-free code is the fallback. */
export interface Platform {
  /** Fills `into` with unpredictable bytes. A client cannot do without (RFC 6455 section 5.3). */
  readonly random?: (into: Uint8Array) => void;
  /** A faster text codec, equal to the pure one in every result. */
  readonly text?: TextCodec;
  /**
   * New memory of `size` bytes, owned by the caller; it need not be zeroed. `shared`: many payloads will lie in it, so that one who
   * gets one must not be able to transfer it all to a worker, if the platform can prevent that.
   */
  readonly allocate?: (size: number, shared: boolean) => Uint8Array;
  /** A faster DEFLATE for the option `compression` of endpoints. */
  readonly deflate?: DeflateCodec;
}

/** The options of a connection. Sizes in bytes, durations in milliseconds. */
export interface ConnectionOptions {
  /** The largest message taken, whole. Default 1 MiB (`null` with `delivery: 'fragment'`). Close code 1009. */
  readonly maxMessageSize?: number | null;
  /**
   * The largest frame taken, as it is on the wire. Default: as `maxMessageSize`; an eighth and 1 KiB more where an extension
   * changes payloads, which may make some of them larger. Close code 1009.
   */
  readonly maxFrameSize?: number | null;
  /** The most fragments of one message, empty ones included. Default 65,536. Close code 1008. */
  readonly maxFragments?: number | null;
  /** The most control frames in 10 s without a data message. Default 1,024. Close code 1008. */
  readonly maxControlFrames?: number | null;
  /** The longest head of the opening handshake. Default 16 KiB. Status 431. */
  readonly maxHeadSize?: number | null;
  /** The longest first line of that head. Default 8 KiB. Status 414. */
  readonly maxRequestLine?: number | null;
  /** The most header lines. Default 100. Status 431. */
  readonly maxHeaders?: number | null;
  /** Server: how much is read ahead of `accept()`. Default 64 KiB; then the transport is paused. */
  readonly maxEarlyData?: number;
  /** Server: whether a valid request that is no upgrade is refused with 426 (default) or shown as a `request` event. */
  readonly plainRequests?: 'refuse' | 'ask';
  /** Server: whether data before the 101 is kept for after `accept()`. Default `'accept'`; `'refuse'` answers 400. */
  readonly earlyData?: 'accept' | 'refuse';
  /** From the start (accept or connect, TLS included) to open. Default 10,000. */
  readonly handshakeTimeout?: number | null;
  /** For the peer's Close, then for its end of the transport, then for listeners that are still busy. Default 5,000. */
  readonly closeTimeout?: number | null;
  /** Silence after which a ping is sent. Default 25,000. */
  readonly pingInterval?: number | null;
  /** How long a ping may stay unanswered in silence, and how long `ping()` waits at all. Default 20,000. */
  readonly pongTimeout?: number | null;
  /** Whether pings are answered at once. Default true. */
  readonly autoPong?: boolean;
  /** Unsent bytes above which no further message is taken. Default 4 MiB. */
  readonly maxBufferedAmount?: number | null;
  /** What happens then: the connection fails with 1008 (default), or the message is refused. */
  readonly overflow?: 'close' | 'refuse';
  /** Whole messages (default), or payload as it arrives. */
  readonly delivery?: 'message' | 'fragment';
  /** With whole messages: also tell of each non-final fragment. Default false. */
  readonly progress?: boolean;
  /** Payloads are valid only until the listener returns, from memory that is used again. Default false. */
  readonly borrow?: boolean;
  /** Text messages as strings (default) or as validated UTF-8 bytes. */
  readonly text?: 'string' | 'bytes';
  /** Extensions to negotiate, in order of preference. Default none. */
  readonly extensions?: readonly Extension[];
  /** What the runtime lends: randomness, text, memory. Default: nothing; a client needs randomness. */
  readonly platform?: Platform;
}

type Kind = 'size' | 'count' | 'duration' | 'boolean' | 'list' | 'object' | 'function' | 'string' | readonly string[];

/** The rule of one option. */
export interface Rule {
  readonly kind: Kind;
  readonly default?: unknown;
  /** `null` turns it off. */
  readonly nullable?: boolean;
  /** The methods that an object must have. */
  readonly has?: readonly string[];
}

/** A table of options by name. */
export type Rules = Readonly<Record<string, Rule>>;

/** The rules of {@link ConnectionOptions}. */
export const CONNECTION_RULES = {
  maxMessageSize: { kind: 'size', default: 1_048_576, nullable: true },
  maxFrameSize: { kind: 'size', default: 1_048_576, nullable: true },
  maxFragments: { kind: 'count', default: 65_536, nullable: true },
  maxControlFrames: { kind: 'count', default: 1_024, nullable: true },
  maxHeadSize: { kind: 'size', default: 16_384, nullable: true },
  maxRequestLine: { kind: 'size', default: 8_192, nullable: true },
  maxHeaders: { kind: 'count', default: 100, nullable: true },
  maxEarlyData: { kind: 'size', default: 65_536 },
  plainRequests: { kind: ['refuse', 'ask'], default: 'refuse' },
  earlyData: { kind: ['accept', 'refuse'], default: 'accept' },
  handshakeTimeout: { kind: 'duration', default: 10_000, nullable: true },
  closeTimeout: { kind: 'duration', default: 5_000, nullable: true },
  pingInterval: { kind: 'duration', default: 25_000, nullable: true },
  pongTimeout: { kind: 'duration', default: 20_000, nullable: true },
  autoPong: { kind: 'boolean', default: true },
  maxBufferedAmount: { kind: 'size', default: 4_194_304, nullable: true },
  overflow: { kind: ['close', 'refuse'], default: 'close' },
  delivery: { kind: ['message', 'fragment'], default: 'message' },
  progress: { kind: 'boolean', default: false },
  borrow: { kind: 'boolean', default: false },
  text: { kind: ['string', 'bytes'], default: 'string' },
  extensions: { kind: 'list', default: [] },
  platform: { kind: 'object', default: {} },
} as const;

/**
 * Reads `given` by `rules`: every option is checked, absent ones get their default, unknown ones are refused.
 *
 * @throws UsageError naming the option, what it is and what it may be
 */
export function readOptions(rules: Rules, given: object, where: string): Record<string, unknown> {
  if (!isRecord(given)) throw noRecord(given, where);
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name)) {
      throw wrong(`${where}: there is no option '${name}'; known are ${Object.keys(rules).join(', ')}`);
    }
  }
  const values: Record<string, unknown> = {};
  const source = given as Record<string, unknown>;
  for (const [name, rule] of Object.entries(rules)) {
    const value = source[name];
    if (value === undefined) {
      values[name] = rule.default;
      continue;
    }
    const wanted = value === null && rule.nullable === true ? '' : complaint(rule, value);
    if (wanted !== '') {
      const off = rule.nullable === true ? ' (or null for off)' : '';
      throw wrong(`${where}: option '${name}' must be ${wanted}${off}, not ${show(value)}`);
    }
    values[name] = value;
  }
  return values;
}

/**
 * To be called before options are copied or taken apart: what is not their own is lost there without a word. Where they are
 * read by their names alone, as the engine does it, nothing can be lost.
 *
 * @throws UsageError unless options are an object, and all of them its own properties
 */
export function checkRecord(given: unknown, where: string): void {
  if (!isRecord(given)) throw noRecord(given, where);
  checkOwn(given, where);
  for (const name of Object.getOwnPropertyNames(given)) {
    if (!Object.prototype.propertyIsEnumerable.call(given, name)) throw notOwn(name, 'not enumerable', where);
  }
}

/**
 * An `authorize` that is inherited, or the getter or method of a class, would be read by some and overlooked by others. An
 * instance with nothing but properties of its own is as good as a literal, and so is an object of another realm.
 *
 * @throws UsageError naming what is inherited
 */
export function checkOwn(given: object, where: string): void {
  let from: object | null = Object.getPrototypeOf(given);
  while (from !== null && !isRoot(from)) {
    for (const name of Object.getOwnPropertyNames(from)) {
      if (name !== 'constructor') throw notOwn(name, 'inherited', where);
    }
    from = Object.getPrototypeOf(from);
  }
}

/** Whether it is `Object.prototype`, of this realm or another. */
function isRoot(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

function notOwn(name: string, what: string, where: string): UsageError {
  return wrong(
    `${where}: '${name}' is ${what}: give an object whose own properties are the options, as in { ${name}: … }`,
  );
}

function noRecord(given: unknown, where: string): UsageError {
  return wrong(`${where}: options must be an object, not ${show(given)}`);
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function complaint({ kind, has }: Rule, value: unknown): string {
  if (typeof kind !== 'string') {
    return kind.includes(value as string) ? '' : kind.map((each) => `'${each}'`).join(' or ');
  }
  switch (kind) {
    case 'size':
    case 'count':
      return Number.isSafeInteger(value) && (value as number) > 0
        ? ''
        : `a whole ${kind === 'size' ? 'number of bytes' : 'number'} above 0`;
    case 'duration':
      return Number.isFinite(value) && (value as number) > 0 ? '' : 'a number of milliseconds above 0';
    case 'list':
      return Array.isArray(value) ? '' : 'an array';
    case 'object':
      if (isRecord(value) && (has === undefined || hasMethods(value, has))) return '';
      return `an object${has === undefined ? '' : ` with ${has}`}`;
    default:
      return typeof value === kind ? '' : `a ${kind}`;
  }
}

/** A value of the caller's, for an error about it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return String(value);
}

/** The same, with text so that all of it can be seen. */
export function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : show(value);
}

/** What a shell lends, and what its caller lends instead. @throws UsageError when that is no object, or not all its own */
export function withPlatform(lent: Platform, own: Platform | undefined, where: string): Platform {
  if (own !== undefined) checkRecord(own, `${where}: platform`);
  return { ...lent, ...own };
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * The options of a connection after checking, with the platform's parts in place. One instance serves any number of
 * connections. @opaque
 */
export class Settings {
  readonly maxMessageSize: number;
  readonly maxFrameSize: number;
  /** The same where extensions change payloads. */
  readonly maxChangedFrameSize: number;
  readonly maxFragments: number;
  readonly maxControlFrames: number;
  readonly head: {
    readonly maxHeadSize: number | null;
    readonly maxRequestLine: number | null;
    readonly maxHeaders: number | null;
  };
  readonly maxEarlyData: number;
  readonly refuseEarlyData: boolean;
  readonly askPlainRequests: boolean;
  readonly handshakeTimeout: number;
  readonly closeTimeout: number;
  readonly pingInterval: number;
  readonly pongTimeout: number;
  readonly autoPong: boolean;
  readonly maxBufferedAmount: number;
  readonly refuseOverflow: boolean;
  readonly byFragment: boolean;
  readonly progress: boolean;
  readonly borrow: boolean;
  readonly textAsBytes: boolean;
  readonly extensions: readonly Extension[];
  readonly text: TextCodec;
  readonly memory: Memory;
  /** Where masking keys and nonces come from; null when no randomness was injected. */
  readonly keys: MaskKeys | null;
  private rules: DecoderRules | null = null;
  private readonly readers: { readonly server: Incoming[]; readonly client: Incoming[] } = { server: [], client: [] };

  private constructor(options: ConnectionOptions) {
    const o = readOptions(CONNECTION_RULES, options, 'connection') as Required<ConnectionOptions>;
    const byFragment = o.delivery === 'fragment';
    const whole = options.maxMessageSize === undefined && byFragment ? null : o.maxMessageSize;
    this.maxMessageSize = whole ?? NEVER;
    this.maxFrameSize = (options.maxFrameSize === undefined ? whole : o.maxFrameSize) ?? NEVER;
    this.maxChangedFrameSize =
      options.maxFrameSize === undefined
        ? this.maxFrameSize + Math.ceil(this.maxFrameSize / 8) + 1_024
        : this.maxFrameSize;
    this.maxFragments = o.maxFragments ?? NEVER;
    this.maxControlFrames = o.maxControlFrames ?? NEVER;
    this.head = { maxHeadSize: o.maxHeadSize, maxRequestLine: o.maxRequestLine, maxHeaders: o.maxHeaders };
    this.maxEarlyData = o.maxEarlyData;
    this.askPlainRequests = o.plainRequests === 'ask';
    this.refuseEarlyData = o.earlyData === 'refuse';
    this.handshakeTimeout = o.handshakeTimeout ?? NEVER;
    this.closeTimeout = o.closeTimeout ?? NEVER;
    this.pingInterval = o.pingInterval ?? NEVER;
    this.pongTimeout = o.pongTimeout ?? NEVER;
    this.autoPong = o.autoPong;
    this.maxBufferedAmount = o.maxBufferedAmount ?? NEVER;
    this.refuseOverflow = o.overflow === 'refuse';
    this.byFragment = byFragment;
    this.progress = o.progress;
    this.borrow = o.borrow;
    this.textAsBytes = o.text === 'bytes';
    this.extensions = [...o.extensions];
    for (const extension of this.extensions) checkExtension(extension);
    readOptions(PLATFORM_RULES, o.platform, 'connection: platform');
    this.text = o.platform.text ?? pureText;
    this.memory = o.platform.allocate === undefined ? Memory.shared : Memory.of(o.platform.allocate);
    this.keys = o.platform.random === undefined ? null : MaskKeys.of(o.platform.random);
  }

  /** The rules of a server's decoder without extensions are one object for all its connections. */
  decoderRules(masked: boolean, rsvBits: number): DecoderRules {
    if (this.rules !== null && this.rules.masked === masked && this.rules.rsvBits === rsvBits) return this.rules;
    const { maxMessageSize, maxFragments } = this;
    const maxFrameSize = rsvBits === 0 ? this.maxFrameSize : this.maxChangedFrameSize;
    this.rules = { masked, rsvBits, maxFrameSize, maxMessageSize, maxFragments };
    return this.rules;
  }

  /** A reader: an idle connection has none, the few that read just now share some. */
  takeReader(masked: boolean, chain: TransformChain | null): Incoming {
    const rsvBits = chain === null ? 0 : chain.rsvBits;
    const readers = masked ? this.readers.server : this.readers.client;
    const last = readers.length - 1;
    const reader =
      last >= 0 && readers[last]!.rsvBits === rsvBits ? readers.pop()! : new Incoming(this, masked, rsvBits);
    reader.chain = chain;
    return reader;
  }

  /** Takes an idle reader back. */
  putReader(reader: Incoming): void {
    const readers = reader.masked ? this.readers.server : this.readers.client;
    reader.chain = null;
    if (readers.length < 16) readers.push(reader);
    else readers[0] = reader;
  }

  /** @throws UsageError naming the option that is wrong */
  static from(options: ConnectionOptions | Settings): Settings {
    return options instanceof Settings ? options : new Settings(options);
  }
}

const PLATFORM_RULES: Rules = {
  random: { kind: 'function' },
  text: { kind: 'object', has: ['decode'] },
  allocate: { kind: 'function' },
  deflate: { kind: 'object', has: ['deflater'] },
};

function checkExtension(extension: Extension): void {
  const { name, rsvBits } = Object(extension) as Extension;
  const isExtension = typeof name === 'string' && hasMethods(extension, ['offer', 'accept', 'agree']);
  if (isExtension && Number.isInteger(rsvBits) && (rsvBits & ~0x70) === 0) return;
  throw wrong("connection: each of 'extensions' must be an Extension");
}

function wrong(text: string): UsageError {
  return new UsageError('INVALID_OPTION', text);
}

function hasMethods(part: object, methods: readonly string[]): boolean {
  return methods.every((method) => typeof (part as Record<string, unknown>)[method] === 'function');
}
