/**
 * From an address to a stream of Node that is ready for the opening handshake: TCP, TLS or a UNIX socket, straight or through
 * the tunnel of a proxy. Everything that can be checked before something is dialled is.
 */

import { connect as connectNet, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createSecureContext } from 'node:tls';
import type { Settings } from '../connection/options.ts';
import { type FailureError, TransportError, UsageError } from '../errors.ts';
import { onRead } from '../transport/node/socket-events.ts';
import { socketPathFault } from '../transport/node/socket-path.ts';
import { staticReadOptions } from '../transport/node/static-read.ts';
import { type ClientTlsOptions, clientTls } from '../transport/node/tls.ts';
import type { ConnectOptions } from './options.ts';
import { type HttpProxy, Tunnel } from './proxy.ts';
import type { Address } from './url.ts';

/** Who waits for the stream: one of these is called once, later, unless the dial is given up. */
export interface DialSink {
  /** Nothing was read from it yet; errors are the receiver's from now on. */
  connected(socket: Socket): void;
  failed(error: FailureError): void;
}

/** A way to an address, ready to be taken any number of times. */
export interface Route {
  readonly address: Address;
  readonly proxy: HttpProxy | null;
  readonly head: Settings['head'];
  /** Dials the proxy, or the address itself. */
  readonly first: () => Socket;
  /** TLS with the address inside of the tunnel; null if it has none. */
  readonly inner: ((tunnel: Socket) => Socket) | null;
}

/**
 * Checks all that is needed to dial.
 *
 * @throws UsageError naming the option that is wrong
 */
export function prepareRoute(
  address: Address,
  proxy: HttpProxy | null,
  options: ConnectOptions,
  head: Settings['head'],
): Route {
  const { autoSelectFamily, family, localAddress } = options;
  if (proxy !== null && address.socketPath !== null) {
    throw new UsageError('INVALID_OPTION', "connect: option 'proxy' means nothing with a UNIX socket");
  }
  const fault = address.socketPath === null ? null : socketPathFault(address.socketPath);
  if (fault !== null) throw new UsageError('INVALID_ARGUMENT', `connect: the path of the UNIX socket ${fault}`);
  if (localAddress !== undefined && isIP(localAddress) === 0) {
    throw new UsageError(
      'INVALID_OPTION',
      `connect: option 'localAddress' must be an IP address, not '${localAddress}'`,
    );
  }
  if (address.socketPath !== null) {
    const idle = (['autoSelectFamily', 'family', 'localAddress'] as const).find((name) => options[name] !== undefined);
    if (idle !== undefined) {
      throw new UsageError('INVALID_OPTION', `connect: option '${idle}' means nothing with a UNIX socket`);
    }
  }
  const host = proxy === null ? address : proxy.address;
  const where: NetConnectOpts & ConnectionOptions =
    host.socketPath !== null
      ? { path: host.socketPath }
      : {
          host: host.hostname,
          port: host.port,
          ...(autoSelectFamily === undefined ? {} : { autoSelectFamily }),
          ...(family === undefined ? {} : { family }),
          ...(localAddress === undefined ? {} : { localAddress }),
        };
  // Half-open: whether the peer's end is also ours is for the engine to say.
  const outer = { ...where, allowHalfOpen: true };
  const own = options.internals === false ? {} : staticReadOptions(onRead);
  const secure = address.secure ? tlsOptions(options.tls ?? {}, address.hostname, 'tls') : null;
  if (proxy === null) {
    const direct = { ...outer, ...own };
    const first =
      secure === null ? () => connectNet(direct as NetConnectOpts) : () => connectTls({ ...direct, ...secure });
    return { address, proxy, head, first, inner: null };
  }
  // Refused now if a header cannot be sent.
  new Tunnel(proxy, address, head);
  // What the environment names may be either.
  if (options.proxyTls !== undefined && !host.secure && options.proxy !== 'environment') {
    throw new UsageError('INVALID_OPTION', "connect: option 'proxyTls' means nothing with a proxy that is not https:");
  }
  const outerSecure = host.secure ? tlsOptions(options.proxyTls ?? {}, host.hostname, 'proxyTls') : null;
  return {
    address,
    proxy,
    head,
    first: () =>
      outerSecure === null ? connectNet(outer as NetConnectOpts) : connectTls({ ...outer, ...outerSecure }),
    inner: secure === null ? null : (tunnel) => connectTls({ ...secure, socket: tunnel }),
  };
}

/** Whatever is dialled, the certificate must be the host's (RFC 9110 section 4.3.4). */
function tlsOptions(options: ClientTlsOptions, hostname: string, option: 'tls' | 'proxyTls'): ConnectionOptions {
  const where = option === 'tls' ? 'connect' : 'connect: proxyTls';
  const secure = clientTls(options, hostname, where);
  try {
    return { ...secure, secureContext: createSecureContext(secure), host: hostname };
  } catch (error) {
    throw new UsageError('INVALID_OPTION', `connect: option '${option}' cannot be used: ${(error as Error).message}`);
  }
}

/** One walk along a route. */
export class Dial {
  private readonly route: Route;
  private readonly sink: DialSink;
  private readonly tunnel: Tunnel | null;
  /** What is dialled now: the first connection, then the TLS inside of its tunnel. */
  socket: Socket;
  private tunnelled = false;
  private over = false;

  constructor(route: Route, sink: DialSink) {
    this.route = route;
    this.sink = sink;
    this.tunnel = route.proxy === null ? null : new Tunnel(route.proxy, route.address, route.head);
    this.socket = route.first();
    this.socket.setNoDelay(true);
    this.watch();
  }

  /** Gives up: nothing is reported any more. */
  destroy(): void {
    if (this.over) return;
    this.over = true;
    this.socket.destroy();
  }

  private watch(): void {
    const { socket } = this;
    socket.on('error', this.onError);
    socket.on('close', this.onClose);
    // Not before the certificate is checked: the request may carry credentials.
    socket.once((socket as { encrypted?: boolean }).encrypted === true ? 'secureConnect' : 'connect', this.onReady);
  }

  private readonly onReady = (): void => {
    if (this.over) return;
    const { tunnel, socket } = this;
    if (tunnel === null || this.tunnelled) {
      this.finish(socket);
      return;
    }
    socket.on('data', this.onAnswer);
    socket.once('end', this.onClose);
    socket.write(tunnel.request);
  };

  private readonly onAnswer = (bytes: Uint8Array): void => {
    const { socket, tunnel } = this;
    const state = tunnel!.push(bytes);
    if (state === 'waiting') return;
    if (state === 'refused') {
      this.fail(tunnel!.error!);
      return;
    }
    this.tunnelled = true;
    socket.off('data', this.onAnswer);
    socket.off('end', this.onClose);
    const { inner } = this.route;
    if (inner === null) {
      // It flows on: whoever takes it listens before the next bytes come.
      this.finish(socket);
      return;
    }
    socket.pause();
    this.socket = inner(socket);
    this.watch();
  };

  private finish(socket: Socket): void {
    this.over = true;
    socket.off('error', this.onError);
    socket.off('close', this.onClose);
    this.sink.connected(socket);
  }

  private readonly onError = (error: Error): void => {
    // What Node says when each of several addresses failed has no text of its own.
    if (error instanceof AggregateError && error.message === '') {
      error.message = error.errors.map((each: Error) => each.message).join(', ');
    }
    this.fail(new TransportError(this.fault, error));
  };

  private readonly onClose = (): void => {
    const why = this.fault === 'PROXY_FAILED' ? 'it ended the connection without an answer' : 'the peer ended it';
    this.fail(new TransportError(this.fault, new Error(why)));
  };

  private get fault(): 'PROXY_FAILED' | 'CONNECT_FAILED' {
    return this.tunnel === null || this.tunnelled ? 'CONNECT_FAILED' : 'PROXY_FAILED';
  }

  private fail(error: FailureError): void {
    // An error that comes late has a listener still: it would end the process otherwise.
    if (this.over) return;
    this.destroy();
    this.sink.failed(error);
  }
}
