/** The options of permessage-deflate: checked once, never coerced; a wrong one is a `UsageError` that names it. */

import { UsageError } from '../../errors.ts';
import type { DeflateCodec } from './codec.ts';
import { LEAST_WINDOW_BITS, MOST_WINDOW_BITS } from './parameters.ts';

/**
 * How messages are compressed. The same options serve a client and a server.
 *
 * What a connection keeps between messages, by the window bits of each direction and once that much was sent or received
 * (before, it is less: memory follows what really passed):
 *
 * | window bits       | 8-10   | 11    | 12    | 13    | 14     | 15     |
 * |-------------------|--------|-------|-------|-------|--------|--------|
 * | to compress       | 10 KiB | 16 KiB| 32 KiB| 64 KiB| 128 KiB| 192 KiB|
 * | to decompress     | 4 KiB  | 4 KiB | 8 KiB | 16 KiB| 32 KiB | 64 KiB |
 *
 * Without context takeover a direction keeps nothing: what it needs is shared by all connections with the same options.
 */
export interface PermessageDeflateOptions {
  /** From 1 (fast) to 9 (small). Default 6. */
  readonly level?: number;
  /** From 1 to 9: how well repetitions are found in large windows; each step halves or doubles the memory for it. Default 8. */
  readonly memoryLevel?: number;
  /**
   * From 8 to 15: 2 to this power bytes is how far repetitions are found, and remembered from message to message. The
   * default of the two below. Default: 12 on a server, which takes 40 KiB a connection (52 with zlib) for output that is a
   * tenth larger than with 15; 15 on a client.
   */
  readonly windowBits?: number;
  /** The same for what the server sends. A client with less than 15 asks the server for it. */
  readonly serverMaxWindowBits?: number;
  /** The same for what the client sends. A server with less than 15 asks the client for it. */
  readonly clientMaxWindowBits?: number;
  /** Whether the server forgets each message once it is sent. On a client: whether it asks for that. Default false. */
  readonly serverNoContextTakeover?: boolean;
  /** Whether the client forgets each message once it is sent. On a server: whether it asks for that. Default false. */
  readonly clientNoContextTakeover?: boolean;
  /** Messages of fewer bytes are sent as they are. Default: 64 with context takeover, 1,024 without. */
  readonly threshold?: number;
  /** Messages of more bytes are sent as they are, lest one keeps all others waiting; `null` for none. Default 256 KiB. */
  readonly compressLimit?: number | null;
  /**
   * What connections keep between messages. `'dedicated'` (default): their windows, as above. `'shared'`: nothing, neither
   * side takes a context over. `'none'`: nothing, and what we send is not compressed; only what the peer sends may be.
   */
  readonly memory?: 'dedicated' | 'shared' | 'none';
  /** Another DEFLATE than the pure one, equal but for speed. */
  readonly codec?: DeflateCodec;
}

/** The options after checking; `null` where the role or the agreement decides. */
export interface DeflateSettings {
  readonly level: number;
  readonly memoryLevel: number;
  readonly serverMaxWindowBits: number | null;
  readonly clientMaxWindowBits: number | null;
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly threshold: number | null;
  readonly compressLimit: number;
  readonly memory: 'dedicated' | 'shared' | 'none';
  readonly codec: DeflateCodec | null;
}

const KNOWN =
  'level, memoryLevel, windowBits, serverMaxWindowBits, clientMaxWindowBits, serverNoContextTakeover, ' +
  'clientNoContextTakeover, threshold, compressLimit, memory, codec';

/** @throws UsageError naming the option that is wrong */
export function readDeflateOptions(options: PermessageDeflateOptions): DeflateSettings {
  if (typeof options !== 'object' || options === null) throw wrong('options must be an object', options);
  const known = KNOWN.split(', ');
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new UsageError('INVALID_OPTION', `permessage-deflate: there is no option '${name}'; known are ${KNOWN}`);
  }
  const windowBits = whole(options, 'windowBits', LEAST_WINDOW_BITS, MOST_WINDOW_BITS);
  const memory = options.memory === undefined ? 'dedicated' : options.memory;
  if (memory !== 'dedicated' && memory !== 'shared' && memory !== 'none') {
    throw wrong("option 'memory' must be 'dedicated' or 'shared' or 'none'", memory);
  }
  const forgets = memory !== 'dedicated';
  const { codec } = options;
  if (codec !== undefined && (typeof codec?.deflater !== 'function' || typeof codec.inflater !== 'function')) {
    throw wrong("option 'codec' must be a DeflateCodec", codec);
  }
  return {
    level: whole(options, 'level', 1, 9) ?? 6,
    memoryLevel: whole(options, 'memoryLevel', 1, 9) ?? 8,
    serverMaxWindowBits: whole(options, 'serverMaxWindowBits', LEAST_WINDOW_BITS, MOST_WINDOW_BITS) ?? windowBits,
    clientMaxWindowBits: whole(options, 'clientMaxWindowBits', LEAST_WINDOW_BITS, MOST_WINDOW_BITS) ?? windowBits,
    serverNoContextTakeover: flag(options, 'serverNoContextTakeover', forgets),
    clientNoContextTakeover: flag(options, 'clientNoContextTakeover', forgets),
    threshold: whole(options, 'threshold', 0, Number.MAX_SAFE_INTEGER),
    compressLimit:
      options.compressLimit === null
        ? Number.POSITIVE_INFINITY
        : (whole(options, 'compressLimit', 1, Number.MAX_SAFE_INTEGER) ?? 262_144),
    memory,
    codec: codec ?? null,
  };
}

type NumberOption =
  | 'level'
  | 'memoryLevel'
  | 'windowBits'
  | 'serverMaxWindowBits'
  | 'clientMaxWindowBits'
  | 'threshold'
  | 'compressLimit';

function whole(options: PermessageDeflateOptions, name: NumberOption, least: number, most: number): number | null {
  const value = options[name];
  if (value === undefined) return null;
  if (Number.isSafeInteger(value) && value !== null && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of bytes, at least ${least}` : `from ${least} to ${most}`;
  const off = name === 'compressLimit' ? ' (or null for off)' : '';
  throw wrong(`option '${name}' must be a whole number ${range}${off}`, value);
}

function flag(
  options: PermessageDeflateOptions,
  name: 'serverNoContextTakeover' | 'clientNoContextTakeover',
  forgets: boolean,
): boolean {
  const value = options[name];
  if (value === undefined) return forgets;
  if (typeof value !== 'boolean') throw wrong(`option '${name}' must be a boolean`, value);
  if (!value && forgets) {
    throw wrong(`option '${name}' cannot be false unless memory is 'dedicated'; it must be true`, value);
  }
  return value;
}

function wrong(what: string, value: unknown): UsageError {
  const shown =
    typeof value === 'string'
      ? `'${value}'`
      : typeof value === 'function'
        ? 'a function'
        : typeof value === 'object' && value !== null
          ? 'an object'
          : String(value);
  return new UsageError('INVALID_OPTION', `permessage-deflate: ${what}, not ${shown}`);
}
