/**
 * Whether to connect again, and after how long: pure functions of what happened, of chance and of the time. They hold no
 * state and know no socket.
 */

import type { CloseEvent } from '../endpoint/events.ts';
import { type FailureError, HandshakeError } from '../errors.ts';
import { Headers } from '../handshake/headers.ts';
import { parseHttpDate } from './http-date.ts';

/** How waits grow. Durations in milliseconds. */
export interface BackoffRule {
  /** No wait is shorter. */
  readonly minWait: number;
  /** No wait is longer. */
  readonly maxWait: number;
  /** The longest first wait, on top of `minWait`. */
  readonly firstWait: number;
  /** How many times longer each next one may be. */
  readonly growth: number;
}

/**
 * The wait before a retry, with full jitter: anywhere from `minWait` to `min(maxWait, minWait + firstWait × growth^retries)`,
 * so that clients that lost one server together do not come back together.
 *
 * @param retries how many there were since the connection was last stable
 * @param chance from 0 up to, and not including, 1
 */
export function backoffWait(rule: BackoffRule, retries: number, chance: number): number {
  // A large power is Infinity, and the smaller of the two is still `maxWait`.
  const longest = Math.min(rule.maxWait, rule.minWait + rule.firstWait * rule.growth ** retries);
  return rule.minWait + chance * (longest - rule.minWait);
}

/** The wait after an ending that is worth another attempt, in whole milliseconds. `failures` counts it as well. */
export function waitAfter(
  rule: BackoffRule & { readonly maxRetryAfter: number | null },
  failures: number,
  { error }: Ending,
  chance: number,
  wallClock: number,
): number {
  const asked = Math.min(retryAfter(error, wallClock), rule.maxRetryAfter ?? 0);
  // On top of what the server asks for: it tells all of its clients the same.
  return Math.round(asked + backoffWait(rule, failures - 1, chance));
}

/** How an attempt or a connection ended. */
export interface Ending {
  /** The close code: the peer's, or ours if we failed the connection; 1006 if there was none. */
  readonly code: number;
  /** The HTTP status of the server's or the proxy's refusal, or null. */
  readonly httpStatus: number | null;
  /** The peer's reason, or the text of the error. */
  readonly reason: string;
  /** Why it failed, or null after a clean close. */
  readonly error: FailureError | null;
}

/** Protocol errors, and what the peer says would come out the same again (RFC 6455 section 7.4.1). */
const FINAL_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010]);
/** Those statuses of 4xx that say "not now" (RFC 9110 section 15.5.9, RFC 8470, RFC 6585). */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** Whether another attempt may end better: not after 1002, 1003 and 1007 to 1010, nor a 4xx other than 408, 425 and 429. */
export function isRetryable({ code, httpStatus }: Ending): boolean {
  if (httpStatus !== null && httpStatus >= 400 && httpStatus < 500) return PASSING_STATUSES.has(httpStatus);
  return !FINAL_CODES.has(code);
}

/** How a connection that failed, or never opened, ended. */
export function endingOf(error: FailureError): Ending {
  const code = 'closeCode' in error ? error.closeCode : 1006;
  const httpStatus = error instanceof HandshakeError && error.status > 0 ? error.status : null;
  return { code, httpStatus, reason: error.message, error };
}

/** How a connection that was open ended: by our own verdict, unless the peer's Close said why. */
export function endingOfClose({ error, code, reason }: CloseEvent): Ending {
  return error === null || code !== 1006 ? { code, httpStatus: null, reason, error } : endingOf(error);
}

/** How a connection may end when the peer does not answer our Close. */
const UNANSWERED: ReadonlySet<string> = new Set(['CLOSING_TIMEOUT', 'TRANSPORT_ENDED', 'TRANSPORT_FAILED']);

/**
 * Whether we ended it ourselves: then it is not for the client to begin again.
 *
 * @param closeQueued whether there was a Close of ours, however it fared
 */
export function isOwnClose({ clean, remote, error }: CloseEvent, closeQueued: boolean): boolean {
  if (remote || error === null) return clean && !remote;
  return error.code === 'TERMINATED' || (closeQueued && UNANSWERED.has(error.code));
}

/**
 * How long a refusal asks to be left alone (RFC 9110 section 10.2.3), in milliseconds: 0 if it does not say, or not in a
 * form that can be read.
 *
 * @param wallClock milliseconds since 1970, for a date without the server's own `Date` beside it
 */
export function retryAfter(error: FailureError | null, wallClock: number): number {
  if (!(error instanceof HandshakeError) || error.response === null) return 0;
  const headers = new Headers(error.response.rawHeaders);
  const value = headers.get('retry-after') ?? '';
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const until = parseHttpDate(value);
  if (until === null) return 0;
  // Two times of one clock, where there are two: ours may be wrong by hours.
  return Math.max(0, until - (parseHttpDate(headers.get('date') ?? '') ?? wallClock));
}
