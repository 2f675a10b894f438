/** What a client needs of the world besides a clock: somebody who dials. Shells implement it; nothing here reads a platform global. */

import type { Endpoint } from '../endpoint/endpoint.ts';
import type { Environment } from '../endpoint/options.ts';
import type { FailureError } from '../errors.ts';

/** A URL as text, or an object that has it as `href`. */
export type UrlLike = string | UrlObject;

/** A `URL`, or what looks like one. */
export interface UrlObject {
  /** The URL as text. */
  readonly href: string;
}

/** What an attempt ends with: one of these is called once, later, unless the attempt is abandoned. */
export interface AttemptSink {
  /** The handshake succeeded. Listeners that are attached now miss nothing. */
  opened(endpoint: Endpoint): void;
  /** There is no connection to be had. */
  failed(error: FailureError): void;
}

/** An attempt under way. */
export interface AttemptHandle {
  /** Gives up: nothing is reported any more. */
  abandon(): void;
  /** Keeps the process alive (the default). */
  ref(): void;
  /** Lets the process end. */
  unref(): void;
}

/** What a shell lends a client. */
export interface ClientShell {
  /** Where the time and the wake-ups come from, and where defects of the application are told. */
  readonly environment: Environment;
  /** From 0 up to, and not including, 1. */
  readonly random: () => number;
  /** Milliseconds since 1970, for a `Retry-After` with a date. */
  readonly wallClock: () => number;
  /**
   * Checks a URL and the options of a connection; the function it gives begins one attempt.
   *
   * @throws UsageError naming what is wrong
   */
  prepare(url: UrlLike, options: object): (sink: AttemptSink) => AttemptHandle;
}
