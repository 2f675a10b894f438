/**
 * WebSocket servers and clients on Deno's own sockets: `sansocket/transport/deno`. (Those of `sansocket/server` and
 * `sansocket/client` run on Deno too, on its `node:net`.)
 *
 * @packageDocumentation
 */

import { checkRecord } from '../../connection/options.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import type { Environment } from '../../endpoint/options.ts';
import type { PemPair, ShellClientOptions, ShellHandler, ShellServerOptions } from '../../shell/options.ts';
import { ShellServer } from '../../shell/server.ts';
import { connectThrough } from '../web/connect.ts';
import { webEnvironment, webPlatform } from '../web/index.ts';
import type { DenoListener, DenoNet } from './api.ts';
import { DenoConnTransport } from './conn.ts';

export type {
  PemPair,
  ShellClientOptions,
  ShellHandler,
  ShellServerOptions,
  ShellVerdict,
  Signal,
} from '../../shell/options.ts';
export { ShellServer } from '../../shell/server.ts';
export type { DenoConn, DenoListener, NetAddr } from './api.ts';
export { DenoConnTransport } from './conn.ts';

declare const Deno: DenoNet;

/** Milliseconds. */
const ACCEPT_AGAIN = 50;

/** What this process lends its endpoints. */
export const denoEnvironment: Environment = /* @__PURE__ */ webEnvironment();

/** Options of `serve`. */
export interface DenoServeOptions extends ShellServerOptions {
  /** The TCP port; 0 for any that is free. */
  readonly port: number;
  /** The address or name to listen on. Default: as `Deno.listen`, all of IPv4. */
  readonly hostname?: string;
  /** TLS with this certificate, in PEM; there is no plain text then. */
  readonly tls?: PemPair;
}

/** Options of `connect`. */
export interface DenoConnectOptions extends ShellClientOptions {
  /** Of `wss:` URLs: certificate authorities to trust besides the system's, in PEM. */
  readonly caCerts?: readonly string[];
}

/** A server that listens. */
export class DenoServer extends ShellServer {
  /** The TCP port. */
  readonly port: number;
  private readonly listener: DenoListener;
  private readonly secure: boolean;

  /** See {@link serve}. */
  constructor(options: DenoServeOptions, handler?: ShellHandler) {
    checkRecord(options, 'serve');
    const { port, hostname, tls, ...rest } = options;
    super(rest, handler, denoEnvironment, webPlatform, 'serve');
    const where = hostname === undefined ? { port } : { port, hostname };
    this.secure = tls !== undefined;
    this.listener = tls === undefined ? Deno.listen(where) : Deno.listenTls({ ...where, ...tls });
    this.port = this.listener.addr.port ?? port;
    void this.acceptAll();
  }

  override close(code?: number, reason?: string): Promise<void> {
    const closed = super.close(code, reason);
    try {
      this.listener.close();
    } catch {
      // It is closed already.
    }
    return closed;
  }

  private async acceptAll(): Promise<void> {
    for (;;) {
      try {
        const conn = await this.listener.accept();
        this.admit(new DenoConnTransport(conn, this.secure));
        // Last: where the peer is gone already some systems refuse it, and a connection that nobody has is never closed.
        if (!this.secure) conn.setNoDelay?.(true);
      } catch (error) {
        if (isName(error, 'BadResource') || isName(error, 'Interrupted')) return;
        // A connection that could not be accepted is no reason to stop, nor, where no file is left to open, to try all the time.
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_AGAIN));
      }
    }
  }
}

/**
 * Starts a WebSocket server on `Deno.listen`.
 *
 * @throws UsageError naming the option that is unknown or wrong; Deno's error if it cannot listen
 * @example
 * const server = serve({ port: 8080 }, (socket) => {
 *   socket.on('message', ({ data }) => socket.send(data));
 * });
 */
export function serve(options: DenoServeOptions, handler?: ShellHandler): DenoServer {
  return new DenoServer(options, handler);
}

/**
 * Opens a WebSocket connection on `Deno.connect`: `ws:` or `wss:`.
 *
 * @returns an open endpoint
 * @throws UsageError, HandshakeError, TransportError or TimeoutError (as a rejection), as `connect` of `sansocket/client`
 */
export async function connect(url: string | URL, options: DenoConnectOptions = {}): Promise<Endpoint> {
  checkRecord(options, 'connect');
  const { caCerts, ...rest } = options;
  return connectThrough(url, rest, denoEnvironment, async ({ hostname, port, secure }, onGivenUp) => {
    const where = { hostname, port };
    const conn = await (secure
      ? Deno.connectTls(caCerts === undefined ? where : { ...where, caCerts })
      : Deno.connect(where));
    const transport = new DenoConnTransport(conn, secure);
    onGivenUp(() => transport.destroy());
    // Not before the certificate is checked, which Deno would leave to the first read or write.
    if (secure) await conn.handshake?.();
    else conn.setNoDelay?.(true);
    return transport;
  });
}

function isName(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
