/** What `serve` and `attach` give their callers: one server, its connections, and its end. */

import type { AddressInfo } from 'node:net';
import { checkClose } from '../codec/close-payload.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import type { SendResult } from '../endpoint/outbox.ts';
import type { Bytes } from '../endpoint/payload.ts';
import { UsageError } from '../errors.ts';
import type { ServerTlsOptions } from '../transport/node/tls.ts';
import type { AddressList } from './address-list.ts';
import type { BroadcastOptions, BroadcastResult, ServerSendOptions } from './broadcast.ts';
import type { ServerEvents, ServerListener } from './events.ts';
import type { Gate } from './gate.ts';
import type { ServerMetrics, ServerStatistics } from './metrics.ts';
import { checkOptions, type Target, targetsOf } from './registry.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

/** Where connections come from: a listener of our own, or somebody's http server. */
export interface Source {
  /** As `net.Server.address()` gives it; null while somebody else's server does not listen. A listener of ours keeps it. */
  address(): AddressInfo | string | null;
  /** `ws://host:port`, `wss://host:port` or `ws+unix:/path`; empty while there is no address. */
  readonly url: string;
  /** No new connections are taken; resolves when there are none left. Called once. */
  stop(): Promise<void>;
  /** The server is closed. Called once, last. */
  release(): void;
  ref(): void;
  unref(): void;
  /** Takes another certificate; absent where TLS is not this server's affair. */
  replaceTls?(tls: ServerTlsOptions): void;
}

/** How a server closes. */
export interface CloseServerOptions {
  /** The close code that every connection gets. Default 1001, "going away". */
  readonly code?: number;
  /** The reason of the Close frames. Default none. */
  readonly reason?: string;
  /** Milliseconds after which what is left is dropped; null: never. Default: the option `closeTimeout`. */
  readonly timeout?: number | null;
}

/**
 * A running WebSocket server. `Context` is what the application keeps with each connection, in `socket.context`.
 *
 * @example
 * const server = await serve({ port: 0 }, (socket) => {
 *   socket.on('message', ({ data }) => socket.send(data));
 * });
 * console.log(server.url);
 * await server.close();
 */
export class Server<Context = unknown> implements AsyncDisposable {
  private readonly gate: Gate;
  private readonly source: Source;
  private closing: Promise<void> | null = null;

  /** @internal */
  constructor(gate: Gate, source: Source) {
    this.gate = gate;
    this.source = source;
  }

  /** The connections that are open: a live view. Those in a handshake, opening or closing, are not in it. */
  get connections(): ReadonlySet<ServerEndpoint<Context>> {
    return this.gate.registry.open as ReadonlySet<ServerEndpoint<Context>>;
  }

  /**
   * The open connection with this `id` or `number`, or null.
   *
   * @throws UsageError when it is no string and no number
   */
  get(target: Target): ServerEndpoint<Context> | null {
    return this.gate.registry.find(target) as ServerEndpoint<Context> | null;
  }

  /** The TCP port that the server listens on, or null. */
  get port(): number | null {
    const address = this.address();
    return address !== null && typeof address === 'object' ? address.port : null;
  }

  /** The path of the UNIX socket that the server listens on, or null. */
  get path(): string | null {
    const address = this.address();
    return typeof address === 'string' ? address : null;
  }

  /** `ws://host:port`, `wss://host:port` or `ws+unix:/path`, for `connect` on this machine; empty while there is no address. */
  get url(): string {
    return this.source.url;
  }

  /**
   * Where the server listens, as `net.Server.address()` tells it. That of `serve` stays when it is closed; one that is attached has
   * none while its http server does not listen.
   */
  address(): ReturnType<Source['address']> {
    return this.source.address();
  }

  /** A few counters. They cost nothing; {@link Server.metrics} has them all. */
  get statistics(): ServerStatistics {
    return this.gate.statistics;
  }

  /** Everything that is counted, as a plain object; it takes a look at each connection. */
  metrics(): ServerMetrics {
    return this.gate.metrics();
  }

  /** The option `allowedAddresses` as a list that can be changed: it counts from the next connection on. Null: all may connect. */
  get allowedAddresses(): AddressList | null {
    return this.gate.settings.allowedAddresses;
  }

  /** The option `deniedAddresses`, likewise. Null: there is none. */
  get deniedAddresses(): AddressList | null {
    return this.gate.settings.deniedAddresses;
  }

  /** The topics that somebody is subscribed to. */
  get topics(): string[] {
    return this.gate.registry.topics.names;
  }

  /**
   * Who is subscribed to a topic now.
   *
   * @throws UsageError when the topic is no string
   */
  subscribers(topic: string): ServerEndpoint<Context>[] {
    return [...this.gate.registry.topics.to(topic)] as ServerEndpoint<Context>[];
  }

  /**
   * Listens to an event of the server; the returned function undoes it.
   *
   * @throws UsageError when there is no such event
   */
  on<Name extends keyof ServerEvents>(type: Name, listener: ServerListener<Name, Context>): () => void {
    return this.gate.events.on(type, listener as ServerListener<Name>);
  }

  /**
   * Sends a message to one connection, or to several in their order; it is encoded once. A connection is named by itself, its
   * `id` or its `number`. One that is not there, or not open any more, is no error: its result has the code `'not-open'`.
   *
   * @returns the result, or the results in the order of the targets
   * @throws UsageError for anything but strings and bytes, a lone surrogate, bytes as text that are not UTF-8, a wrong option;
   *   nobody got anything then
   * @example
   * server.send('ws://192.0.2.1:50000', 'hello');
   * server.send([1, 2, 3], 'hello to three', { slow: 'drop' });
   */
  send(to: Target, data: string | Bytes, options?: ServerSendOptions): SendResult;
  send(to: Iterable<Target>, data: string | Bytes, options?: ServerSendOptions): SendResult[];
  send(
    to: Target | Iterable<Target>,
    data: string | Bytes,
    options: ServerSendOptions = {},
  ): SendResult | SendResult[] {
    const targets = targetsOf(to, 'send: to');
    const results = this.gate.broadcaster.send(targets.list, data, options);
    return targets.one ? results[0]! : results;
  }

  /**
   * Sends one message to every open connection, or to those that the options choose; it is encoded once. Slow peers hold up
   * nobody: what waits for them waits in their own queue, and `slow` says for how long.
   *
   * @returns one result for each connection that it was meant for
   * @throws UsageError for anything but strings and bytes, a lone surrogate, bytes as text that are not UTF-8, a wrong option;
   *   nobody got anything then
   * @example
   * server.broadcast('hello', { except: socket, path: '/chat', slow: 'drop' });
   */
  broadcast(data: string | Bytes, options: BroadcastOptions<Context> = {}): BroadcastResult<Context>[] {
    const { registry, broadcaster } = this.gate;
    const chosen = options as BroadcastOptions;
    return broadcaster.broadcast(registry.list(), data, chosen, 'broadcast') as BroadcastResult<Context>[];
  }

  /**
   * Sends one message to every connection that has subscribed to a topic (`socket.subscribe`), like {@link Server.broadcast}.
   *
   * @returns one result for each connection that it was meant for; none if nobody is subscribed
   * @throws UsageError as `broadcast`, and when the topic is no string
   */
  publish(topic: string, data: string | Bytes, options: BroadcastOptions<Context> = {}): BroadcastResult<Context>[] {
    const { registry, broadcaster } = this.gate;
    const chosen = options as BroadcastOptions;
    return broadcaster.broadcast(registry.topics.to(topic), data, chosen, 'publish') as BroadcastResult<Context>[];
  }

  /**
   * Closes one connection, named by itself, its `id` or its `number`.
   *
   * @returns resolves with how it ended; with null at once if there is no such open connection
   * @throws UsageError when the code may not be sent, the reason is longer than 123 bytes, or the target is none
   */
  disconnect(target: Target, code = 1000, reason = ''): Promise<CloseEvent | null> {
    checkClose(code, reason);
    return this.gate.registry.find(target)?.close(code, reason) ?? Promise.resolve(null);
  }

  /**
   * Takes another certificate and key for the connections from now on; those that are there keep theirs. Authorities, ciphers
   * and versions of TLS that are named change too. What is not named, or undefined, stays as it was given to `serve`, or here
   * the last time; of a file, what was read then. Only the passphrase goes with its key. Whether clients are asked for a
   * certificate, and need a valid one, cannot be changed.
   *
   * @throws UsageError naming what is missing, wrong, cannot be read or does not fit; then everything stays as it was. Also
   *   when the server has no TLS of its own: an `https` server to which it is attached has `setSecureContext`
   */
  replaceTls(tls: ServerTlsOptions): void {
    const { source } = this;
    if (source.replaceTls === undefined) {
      throw new UsageError('INVALID_STATE', "replaceTls: this server has no TLS of its own (option 'tls' of serve)");
    }
    source.replaceTls(tls);
  }

  /**
   * Closes: no connection is accepted any more, requests that wait for an answer get 503, every connection gets a Close
   * (RFC 6455 section 7.1.2), and what is left after `timeout` is dropped. A second call gives the same promise.
   *
   * @returns resolves when every connection is gone; never rejects
   * @throws UsageError when the code may not be sent, or the reason is longer than 123 bytes
   */
  close(options: CloseServerOptions = {}): Promise<void> {
    checkOptions('close', options, ['code', 'reason', 'timeout']);
    if (this.closing !== null) return this.closing;
    const { code = 1001, reason = '', timeout = this.gate.settings.closeTimeout } = options;
    checkClose(code, reason);
    if (timeout !== null && (typeof timeout !== 'number' || !(timeout > 0))) {
      throw new UsageError('INVALID_ARGUMENT', 'close: timeout must be a number of milliseconds above 0, or null');
    }
    let done = (): void => {};
    // Before anybody hears of it: whose signal aborts, or who listens to `refused`, may close it too.
    this.closing = new Promise((resolve) => {
      done = resolve;
    });
    const gone = this.gate.close(code, reason, timeout ?? Number.POSITIVE_INFINITY);
    void Promise.all([gone, this.source.stop()]).then(() => {
      this.source.release();
      this.gate.events.emit('close');
      done();
    });
    return this.closing;
  }

  /** Closes with 1001 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Keeps the process alive while the server listens (the default). */
  ref(): this {
    this.source.ref();
    return this;
  }

  /** Lets the process end although the server listens. Its connections have an `unref` of their own. */
  unref(): this {
    this.source.unref();
    return this;
  }
}
