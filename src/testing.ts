/**
 * For tests and simulations: two endpoints joined in memory, on a clock that moves only when it is told. The same inputs
 * give the same bytes every time, randomness included. It needs no runtime but the language: `sansocket/testing`.
 *
 * @packageDocumentation
 */

import { ClientConnection } from './connection/client-connection.ts';
import type { Connection } from './connection/connection.ts';
import { checkRecord, type Platform } from './connection/options.ts';
import { ServerConnection } from './connection/server-connection.ts';
import { LineDebug } from './debug/options.ts';
import { Tap } from './debug/tap.ts';
import { Endpoint } from './endpoint/endpoint.ts';
import { type EndpointOptions, EndpointSettings, type Environment } from './endpoint/options.ts';
import type { WebSocketError } from './errors.ts';
import type { Request } from './handshake/request.ts';
import { type LinkOptions, type MemoryLink, memoryLink, VirtualClock } from './transport/memory.ts';
import type { Transport } from './transport/transport.ts';

export * from './testing/generate.ts';
export { type LinkOptions, type MemoryLink, MemoryTransport, memoryLink, VirtualClock } from './transport/memory.ts';

/** How two endpoints are joined. */
export interface PairOptions {
  /** Options of the server's endpoint. */
  readonly server?: EndpointOptions;
  /** Options of the client's endpoint. */
  readonly client?: EndpointOptions;
  /** Latency, cuts and window of the link between them. Default: at once, whole, unbounded. */
  readonly link?: LinkOptions;
  /** The request target of the client. Default `/`. */
  readonly target?: string;
  /** The subprotocols that the client offers, in order of preference. Default none. */
  readonly subprotocols?: readonly string[];
  /**
   * Answers the client's request: a subprotocol to accept with, or an HTTP status to refuse with. Default: accepts with the
   * first subprotocol on offer.
   */
  readonly answer?: (request: Request) => string | number;
  /** Where the masking keys start. Default 1. */
  readonly seed?: number;
  /**
   * Takes a transcript of what each side sends and receives, line by line: heads, frames and changes of state. The same inputs
   * give the same lines. Default: none is made.
   */
  readonly transcript?: (line: string) => void;
}

/** Two endpoints, the link between them and the clock that moves all of it. */
export interface Pair {
  /** The server's endpoint. */
  readonly server: Endpoint;
  /** The client's endpoint. */
  readonly client: Endpoint;
  /** Nothing happens until it is told to `settle()` or to `run()`. */
  readonly clock: VirtualClock;
  /** Can be silenced and reset. */
  readonly link: MemoryLink;
  /** What would have been a warning of the process. */
  readonly warnings: readonly WebSocketError[];
}

/**
 * Joins a server and a client in memory. The opening handshake has not begun when it returns: listeners attached at once
 * see everything.
 *
 * @throws UsageError naming the option that is wrong
 * @example
 * const { server, client, clock } = pair();
 * server.on('message', ({ data }) => server.send(data));
 * client.on('message', ({ data }) => console.log(data));
 * await clock.settle();
 * client.send('hello');
 * await clock.settle();
 */
export function pair(options: PairOptions = {}): Pair {
  const clock = new VirtualClock();
  const link = memoryLink(clock, options.link);
  const warnings: WebSocketError[] = [];
  const environment: Environment = { clock, warn: (error) => warnings.push(error) };
  const platform: Platform = { random: seededRandom(options.seed ?? 1) };
  const settingsOf = (given: EndpointOptions | undefined, where: string): EndpointSettings => {
    if (given !== undefined) checkRecord(given, where);
    return new EndpointSettings({ platform, ...given }, where);
  };
  const serverSettings = settingsOf(options.server, 'server');
  const clientSettings = settingsOf(options.client, 'client');

  const { transcript } = options;
  const tapped = (connection: Connection, transport: Transport): Transport => {
    if (transcript === undefined) return transport;
    const lines = new LineDebug(2, transcript, 64, (error) => {
      throw error;
    });
    const watched = {
      role: connection.role,
      state: () => connection.readyState,
      id: connection.role === 'server' ? 1 : 2,
    };
    return new Tap(transport, watched, clock, lines);
  };
  const accepting = new ServerConnection(serverSettings.connection, clock.now());
  const server = new Endpoint(accepting, tapped(accepting, link.left), serverSettings, environment, {
    request(endpoint, request) {
      const answer = options.answer === undefined ? (request.subprotocols[0] ?? '') : options.answer(request);
      if (typeof answer === 'number') accepting.reject(clock.now(), answer);
      else accepting.accept(clock.now(), { subprotocol: answer });
      endpoint.wake();
    },
  });
  const target = { host: 'localhost', target: options.target ?? '/', subprotocols: options.subprotocols ?? [] };
  const connecting = new ClientConnection(target, clientSettings.connection, clock.now());
  const client = new Endpoint(connecting, tapped(connecting, link.right), clientSettings, environment);
  server.start();
  client.start();
  return { server, client, clock, link, warnings };
}

/** Bytes that look random and are the same for the same seed (a Lehmer generator). */
function seededRandom(seed: number): (into: Uint8Array) => void {
  let state = Math.max(1, Math.trunc(seed) % 0x7fff_ffff);
  return (into) => {
    for (let i = 0; i < into.length; i++) {
      state = (state * 48_271) % 0x7fff_ffff;
      into[i] = state >>> 8;
    }
  };
}
