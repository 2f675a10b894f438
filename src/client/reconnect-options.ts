/** The options of a client that connects again: their rules, and what they are after checking. */

import { checkRecord, type Rules, readOptions } from '../connection/options.ts';
import { UsageError } from '../errors.ts';
import { type BackoffRule, type Ending, isRetryable } from './backoff.ts';
import type { QueueOptions } from './outgoing-queue.ts';
import type { AnyClientEvent, ClientListeners } from './reconnect-events.ts';
import type { Reconnecting } from './reconnecting.ts';

/** When a connection is made again, and when not. Durations in milliseconds. */
export interface ReconnectOptions {
  /** No wait is shorter. Default 0. */
  readonly minWait?: number;
  /** No wait is longer, unless the server asks for it. Default 30,000. */
  readonly maxWait?: number;
  /** How much longer than `minWait` the first wait may be; each is anywhere up to its longest. Default 5,000. */
  readonly firstWait?: number;
  /** How many times longer than the one before each next wait may be. Default 1.6. */
  readonly growth?: number;
  /** Retries in a row before the client gives up. Default `null`: it never does. */
  readonly maxRetries?: number | null;
  /** A connection that was open for so long begins a new row. Default 10,000. */
  readonly stableAfter?: number;
  /** The longest `Retry-After` that is kept to; `null`: none is. The wait comes on top of it. Default 300,000. */
  readonly maxRetryAfter?: number | null;
  /**
   * Whether another attempt may end better. Default {@link isRetryable}: not after 1002, 1003 and 1007 to 1010, nor a 4xx other
   * than 408, 425 and 429. After a close of our own it is not asked. What throws, or is no boolean, stops the client.
   */
  readonly retry?: (ending: Ending) => boolean;
}

/** Anything that can say stop once: an `AbortSignal`. */
export interface StopSignal {
  /** Whether it has been said. */
  readonly aborted: boolean;
  /** Why. */
  readonly reason: unknown;
  /** Has `listener` called when it is said. */
  addEventListener(type: 'abort', listener: () => void): void;
  /** Undoes `addEventListener`. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Options of a client that connects again, besides those of a connection. */
export interface ReconnectingOptions {
  /** When it connects again; `null`: never. */
  readonly reconnect?: ReconnectOptions | null;
  /** What may wait while there is no connection; `null`: nothing. */
  readonly queue?: QueueOptions | null;
  /** As of any connection: whole messages (default), or payload as it arrives. */
  readonly delivery?: 'message' | 'fragment';
  /** As of any connection; before its Close `stop()` may take as long again to send what is queued. Default 5,000. */
  readonly closeTimeout?: number | null;
  /** As of any connection: silence in milliseconds after which a ping is sent. Default 25,000. */
  readonly pingInterval?: number | null;
  /** Stops the client, whatever it is doing. */
  readonly signal?: StopSignal;
  /** Listeners, as `on` attaches them. */
  readonly on?: ClientListeners;
  /** One listener for every event; messages go to listeners then, and to no iterator. */
  readonly onEvent?: (client: AnyClient, event: AnyClientEvent) => unknown;
}

/** A client, whatever its options. */
export type AnyClient = Reconnecting<ReconnectingOptions>;

/** `minWait` and `growth` are checked by hand, and stand here by their names. */
const RECONNECT_RULES: Rules = {
  minWait: { kind: 'duration', default: 0 },
  maxWait: { kind: 'duration', default: 30_000 },
  firstWait: { kind: 'duration', default: 5_000 },
  growth: { kind: 'duration', default: 1.6 },
  maxRetries: { kind: 'count', default: null, nullable: true },
  stableAfter: { kind: 'duration', default: 10_000 },
  maxRetryAfter: { kind: 'duration', default: 300_000, nullable: true },
  retry: { kind: 'function', default: isRetryable },
};

/** {@link ReconnectOptions} after checking. */
export interface ReconnectRule extends BackoffRule {
  readonly maxRetries: number | null;
  readonly stableAfter: number;
  readonly maxRetryAfter: number | null;
  readonly retry: (ending: Ending) => boolean;
}

/**
 * The rule that `options` make; null if there is no reconnecting.
 *
 * @throws UsageError naming the option that is wrong
 */
export function readReconnect({ reconnect: given = {}, signal }: ReconnectingOptions): ReconnectRule | null {
  checkSignal(signal, 'client');
  if (given === null) return null;
  const where = 'client: reconnect';
  checkRecord(given, where);
  const { minWait = 0, growth = 1.6 } = given;
  if (!(typeof minWait === 'number' && minWait >= 0)) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'minWait' must be a number of milliseconds from 0`);
  }
  if (!(typeof growth === 'number' && growth >= 1 && growth < Number.POSITIVE_INFINITY)) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'growth' must be a number from 1`);
  }
  const rest = readOptions(RECONNECT_RULES, { ...given, minWait: undefined, growth: undefined }, where);
  const rule = { ...(rest as unknown as ReconnectRule), minWait, growth };
  if (rule.minWait > rule.maxWait) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'minWait' is above 'maxWait'`);
  }
  return rule;
}

/** @throws UsageError unless `signal` can say stop */
export function checkSignal(signal: unknown, where: string): void {
  if (signal === undefined || typeof (signal as Partial<StopSignal> | null)?.addEventListener === 'function') return;
  throw new UsageError('INVALID_OPTION', `${where}: option 'signal' must be an AbortSignal`);
}
