/** What `serve` and `attach` give their callers: one server, its connections, and its end. */

import type { AddressInfo } from 'node:net';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { Bytes } from '../endpoint/payload.ts';
import type { ServerEvents, ServerListener } from './events.ts';
import type { Gate, ServerStatistics } from './gate.ts';
import type { BroadcastOptions, BroadcastResult } from './registry.ts';

/** Where connections come from: a listener of our own, or somebody's http server. */
export interface Source {
  /** As `net.Server.address()` gives it; null while it does not listen. */
  address(): AddressInfo | string | null;
  /** `ws://host:port`, `wss://host:port` or `ws+unix:/path`; empty while it does not listen. */
  readonly url: string;
  /** No new connections are taken; resolves when there are none left. Called once. */
  stop(): Promise<void>;
  /** The server is closed. Called once, last. */
  release(): void;
  ref(): void;
  unref(): void;
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
 * A running WebSocket server.
 *
 * @example
 * const server = await serve({ port: 0 }, (socket) => {
 *   socket.on('message', ({ data }) => socket.send(data));
 * });
 * console.log(server.url);
 * await server.close();
 */
export class Server implements AsyncDisposable {
  private readonly gate: Gate;
  private readonly source: Source;
  private closing: Promise<void> | null = null;

  /** @internal */
  constructor(gate: Gate, source: Source) {
    this.gate = gate;
    this.source = source;
  }

  /** The connections that are open: a live view. Those in a handshake, opening or closing, are not in it. */
  get connections(): ReadonlySet<Endpoint> {
    return this.gate.registry.open;
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

  /** `ws://host:port`, `wss://host:port` or `ws+unix:/path`, for `connect` on this machine; empty while it does not listen. */
  get url(): string {
    return this.source.url;
  }

  /** Where the server listens, as `net.Server.address()` tells it. */
  address(): ReturnType<Source['address']> {
    return this.source.address();
  }

  /** Counters since the server began. */
  get statistics(): ServerStatistics {
    return this.gate.statistics;
  }

  /**
   * Listens to an event of the server; the returned function undoes it.
   *
   * @throws UsageError when there is no such event
   */
  on<Name extends keyof ServerEvents>(type: Name, listener: ServerListener<Name>): () => void {
    return this.gate.events.on(type, listener);
  }

  /**
   * Sends one message to every open connection; it is encoded once. Slow peers hold up nobody.
   *
   * @returns one result for each connection that it was meant for
   * @throws UsageError for anything but strings and bytes, a lone surrogate, bytes as text that are not UTF-8
   */
  broadcast(data: string | Bytes, options?: BroadcastOptions): BroadcastResult[] {
    return this.gate.registry.broadcast(data, options);
  }

  /**
   * Closes: no connection is accepted any more, requests that wait for an answer get 503, every connection gets a Close
   * (RFC 6455 section 7.1.2), and what is left after `timeout` is dropped. A second call gives the same promise.
   *
   * @returns resolves when every connection is gone; never rejects
   * @throws UsageError when the code may not be sent, or the reason is longer than 123 bytes
   */
  close(options: CloseServerOptions = {}): Promise<void> {
    if (this.closing !== null) return this.closing;
    const gone = this.gate.close(options);
    this.closing = Promise.all([this.source.stop(), gone]).then(() => {
      this.source.release();
      this.gate.events.emit('close');
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
