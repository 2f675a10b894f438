/**
 * What runtimes with the globals of the web lend to endpoints, pages and workers included: `sansocket/transport/web`. Deno,
 * Bun and workerd have them too, and use this.
 *
 * @example
 * const endpoint = new Endpoint(connection, new WebStreamTransport({ readable, writable }), settings, webEnvironment());
 *
 * @packageDocumentation
 */

import { pureText, type TextCodec } from '../../codec/utf8.ts';
import type { Platform } from '../../connection/options.ts';
import type { Environment } from '../../endpoint/options.ts';
import { LONGEST, TimerClock, type Timers } from '../timer-clock.ts';

export { MessagePortTransport, type PortLike } from '../message-port.ts';
export { TimerClock, type Timers } from '../timer-clock.ts';
export {
  type ReadableBytes,
  type StreamTransportOptions,
  WebStreamTransport,
  type WritableBytes,
} from '../web-streams.ts';

/** The most that `crypto.getRandomValues` gives at once. */
const MOST_RANDOM = 65_536;

/** Randomness and text of the web's globals. */
export const webPlatform: Platform = {
  random: (into) => {
    for (let at = 0; at < into.length; at += MOST_RANDOM) {
      crypto.getRandomValues(into.subarray(at, at + MOST_RANDOM) as Uint8Array<ArrayBuffer>);
    }
  },
  ...(typeof (String.prototype as { isWellFormed?: unknown }).isWellFormed === 'function' ? { text: webText() } : {}),
};

/** The timers of the web: `setTimeout`, `queueMicrotask`, `performance.now()`. */
export const webTimers: Timers = {
  now: () => performance.now(),
  after(run, delay) {
    const timer = setTimeout(run, delay);
    // Where a timer can keep a process alive, ours need not, unless they are asked to: connections do.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer);
  },
  defer: (run, argument) => queueMicrotask(() => run(argument)),
  yield: (run, argument) => void setTimeout(run, 0, argument),
  hold() {
    const timer = setTimeout(() => {}, LONGEST);
    return () => clearTimeout(timer);
  },
};

/**
 * What a page, a worker or a process lends its endpoints. One for all of them will do, unless a runtime forbids that one
 * request's timer touches another's connection, as Workers do.
 *
 * @param timers default: those of the web
 */
export function webEnvironment(timers: Timers = webTimers): Environment {
  return { clock: new TimerClock(timers), warn: (error) => console.error(error) };
}

function webText(): TextCodec {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const encoder = new TextEncoder();
  return {
    ...pureText,
    decode(bytes, start, end) {
      // Short texts are not worth a call into native code (measured).
      if (end - start <= 16) return pureText.decode(bytes, start, end);
      try {
        return decoder.decode(bytes.subarray(start, end));
      } catch {
        return null;
      }
    },
    encodeInto(text, into, at) {
      if (text.length <= 16) return pureText.encodeInto(text, into, at);
      return text.isWellFormed() ? encoder.encodeInto(text, into.subarray(at)).written : -1;
    },
  };
}
