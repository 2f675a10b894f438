/**
 * WebSocket servers and clients on Bun's own sockets: `sansocket/transport/bun`. (Those of `sansocket/server` and
 * `sansocket/client` run on Bun too, on its `node:net`.)
 *
 * @packageDocumentation
 */

import { checkRecord } from '../../connection/options.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import type { Environment } from '../../endpoint/options.ts';
import { deferred } from '../../shell/client.ts';
import type { PemPair, ShellClientOptions, ShellHandler, ShellServerOptions } from '../../shell/options.ts';
import { ShellServer } from '../../shell/server.ts';
import { connectThrough } from '../web/connect.ts';
import { webEnvironment, webPlatform, webTimers } from '../web/index.ts';
import type { BunListener, BunNet } from './api.ts';
import { type BunSocketData, BunSocketTransport, bunHandlers } from './socket.ts';

export type {
  PemPair,
  ShellClientOptions,
  ShellHandler,
  ShellServerOptions,
  ShellVerdict,
  Signal,
} from '../../shell/options.ts';
export { ShellServer } from '../../shell/server.ts';
export type { BunHandlers, BunListener, BunSocket } from './api.ts';
export { type BunSocketData, BunSocketTransport, bunHandlers } from './socket.ts';

declare const Bun: BunNet;

/** What this process lends its endpoints. */
export const bunEnvironment: Environment = /* @__PURE__ */ webEnvironment({
  ...webTimers,
  yield: (run, argument) => void setImmediate(run, argument),
});

/** Options of `serve`. */
export interface BunServeOptions extends ShellServerOptions {
  /** The TCP port; 0 for any that is free. */
  readonly port: number;
  /** The address or name to listen on. Default `0.0.0.0`. */
  readonly hostname?: string;
  /** TLS with this certificate, in PEM; there is no plain text then. */
  readonly tls?: PemPair;
}

/** Options of `connect`. */
export interface BunConnectOptions extends ShellClientOptions {
  /** Of `wss:` URLs: a certificate authority to trust, in PEM. Default: the system's. */
  readonly ca?: string;
}

/** A server that listens. */
export class BunServer extends ShellServer {
  /** The TCP port. */
  readonly port: number;
  private readonly listener: BunListener;

  /** See {@link serve}. */
  constructor(options: BunServeOptions, handler?: ShellHandler) {
    checkRecord(options, 'serve');
    const { port, hostname = '0.0.0.0', tls, ...rest } = options;
    super(rest, handler, bunEnvironment, webPlatform, 'serve');
    this.listener = Bun.listen<BunSocketData>({
      hostname,
      port,
      allowHalfOpen: true,
      ...(tls === undefined ? {} : { tls }),
      socket: {
        ...bunHandlers,
        open: (socket) => {
          socket.data = { transport: null };
          socket.setNoDelay?.(true);
          this.admit(new BunSocketTransport(socket, tls !== undefined));
        },
      },
    });
    this.port = this.listener.port;
  }

  override close(code?: number, reason?: string): Promise<void> {
    const closed = super.close(code, reason);
    this.listener.stop();
    return closed;
  }
}

/**
 * Starts a WebSocket server on `Bun.listen`.
 *
 * @throws UsageError naming the option that is unknown or wrong; Bun's error if it cannot listen
 * @example
 * const server = serve({ port: 8080 }, (socket) => {
 *   socket.on('message', ({ data }) => socket.send(data));
 * });
 */
export function serve(options: BunServeOptions, handler?: ShellHandler): BunServer {
  return new BunServer(options, handler);
}

/**
 * Opens a WebSocket connection on `Bun.connect`: `ws:` or `wss:`.
 *
 * @returns an open endpoint
 * @throws UsageError, HandshakeError, TransportError or TimeoutError (as a rejection), as `connect` of `sansocket/client`
 */
export async function connect(url: string | URL, options: BunConnectOptions = {}): Promise<Endpoint> {
  checkRecord(options, 'connect');
  const { ca, ...rest } = options;
  return connectThrough(url, rest, bunEnvironment, ({ hostname, port, secure }, onGivenUp) => {
    const tls = { serverName: hostname, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) };
    const { promise, resolve, reject } = deferred<BunSocketTransport>();
    Bun.connect<BunSocketData>({
      hostname,
      port,
      allowHalfOpen: true,
      data: { transport: null },
      ...(secure ? { tls } : {}),
      socket: {
        ...bunHandlers,
        open(socket) {
          socket.setNoDelay?.(true);
          const transport = new BunSocketTransport(socket, secure);
          onGivenUp(() => transport.destroy());
          if (!secure) resolve(transport);
        },
        handshake(socket, authorized, error) {
          // Not before the certificate is checked: the request may carry credentials.
          if (authorized && socket.data.transport !== null) resolve(socket.data.transport);
          else reject(error ?? new Error('the certificate is not trusted'));
        },
        close(socket, error) {
          reject(error ?? new Error('the peer ended it'));
          socket.data.transport?.closed(error);
        },
        connectError: (_, error) => reject(error),
      },
    }).catch(reject);
    return promise;
  });
}
