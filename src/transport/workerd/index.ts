/**
 * WebSocket servers and clients on the raw TCP sockets of workerd (Cloudflare Workers): `sansocket/transport/workerd`. Every
 * connection has a clock of its own, as a Worker must not touch one request's socket from another's timer.
 *
 * @packageDocumentation
 */

import { checkRecord } from '../../connection/options.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import { UsageError } from '../../errors.ts';
import type { ShellClientOptions, ShellHandler, ShellServerOptions } from '../../shell/options.ts';
import { ShellServer } from '../../shell/server.ts';
import { connectThrough } from '../web/connect.ts';
import { webEnvironment, webPlatform } from '../web/index.ts';
import { type ReadableBytes, WebStreamTransport, type WritableBytes } from '../web-streams.ts';

export type {
  ShellClientOptions,
  ShellHandler,
  ShellServerOptions,
  ShellVerdict,
  Signal,
} from '../../shell/options.ts';
export { ShellServer } from '../../shell/server.ts';
export type { ReadableBytes, WritableBytes } from '../web-streams.ts';

/** What is used of a `Socket` of workerd. @opaque */
export interface WorkerdSocket {
  readonly readable: ReadableBytes;
  readonly writable: WritableBytes;
  readonly opened: Promise<{ readonly remoteAddress?: string; readonly localAddress?: string }>;
  close(): Promise<void>;
}

/** `connect` of the module `cloudflare:sockets`. */
export type WorkerdConnect = (
  address: { hostname: string; port: number },
  options: { secureTransport: 'on' | 'off'; allowHalfOpen: boolean },
) => WorkerdSocket;

/** Options of `connect`. */
export interface WorkerdConnectOptions extends ShellClientOptions {
  /** `connect` of `cloudflare:sockets`: this package imports nothing that other runtimes lack. */
  readonly sockets: WorkerdConnect;
}

/**
 * The `connect` handler of a Worker, for what arrives on a socket of plain TCP.
 *
 * @returns what takes a socket; its promise resolves when the connection is over, and keeps the Worker's request alive till then
 * @throws UsageError naming the option that is unknown or wrong
 * @example
 * export default {
 *   connect: socketHandler({ paths: ['/echo'] }, (socket) => {
 *     socket.on('message', ({ data }) => socket.send(data));
 *   }),
 * };
 */
export function socketHandler(
  options: ShellServerOptions = {},
  handler?: ShellHandler,
): (socket: WorkerdSocket) => Promise<void> {
  // Made with the first connection: timers are not for the time before.
  const server = new ShellServer(options, handler, webEnvironment(), webPlatform, 'socketHandler');
  return async (socket) => {
    const transport = await socketTransport(socket, false);
    await server.admit(transport, webEnvironment())?.closed;
  };
}

/**
 * Opens a WebSocket connection from a Worker: `ws:` or `wss:`.
 *
 * @returns an open endpoint
 * @throws UsageError, HandshakeError, TransportError or TimeoutError (as a rejection), as `connect` of `sansocket/client`
 * @example
 * import { connect as sockets } from 'cloudflare:sockets';
 * const socket = await connect('wss://example.test/chat', { sockets });
 */
export async function connect(url: string | URL, options: WorkerdConnectOptions): Promise<Endpoint> {
  if ((options as unknown) !== undefined) checkRecord(options, 'connect');
  const { sockets, ...rest } = options ?? {};
  if (typeof sockets !== 'function') {
    throw new UsageError(
      'INVALID_OPTION',
      "connect: option 'sockets' must be connect of the module cloudflare:sockets",
    );
  }
  return connectThrough(url, rest, webEnvironment(), ({ hostname, port, secure }, onGivenUp) => {
    const options = { secureTransport: secure ? 'on' : 'off', allowHalfOpen: true } as const;
    const socket = sockets({ hostname, port }, options);
    onGivenUp(() => void socket.close().catch(() => {}));
    return socketTransport(socket, secure);
  });
}

/** A socket of workerd as a transport, when it is open; it is closed when both directions are over. `secure`: it is one of TLS. */
export async function socketTransport(socket: WorkerdSocket, secure = false): Promise<WebStreamTransport> {
  const { remoteAddress, localAddress } = await socket.opened;
  return new WebStreamTransport(socket, {
    addresses: { ...remote(remoteAddress), ...local(localAddress), secure },
    close: () => void socket.close().catch(() => {}),
  });
}

function remote(text?: string): { remoteAddress: string | null; remotePort: number | null } {
  const { host, port } = split(text);
  return { remoteAddress: host, remotePort: port };
}

function local(text?: string): { localAddress: string | null; localPort: number | null } {
  const { host, port } = split(text);
  return { localAddress: host, localPort: port };
}

/** `127.0.0.1:8080` or `[::1]:8080` */
function split(text = ''): { host: string | null; port: number | null } {
  const [, host = null, port = null] = /^\[?(.*?)\]?:(\d+)$/.exec(text) ?? [];
  return { host, port: port === null ? null : Number(port) };
}
