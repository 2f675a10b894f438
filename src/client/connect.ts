/** A WebSocket client on Node's sockets: dials, and hands over an open endpoint or says why there is none. */

import { connect as connectNet, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, createSecureContext } from 'node:tls';
import { domainToASCII } from 'node:url';
import { ClientConnection } from '../connection/client-connection.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import { TimeoutError, TransportError, UsageError } from '../errors.ts';
import { nodeEnvironment, nodePlatform, publicPlatform, SocketTransport } from '../transport/node/index.ts';
import { readCallback } from '../transport/node/socket.ts';
import { staticReadOptions } from '../transport/node/static-read.ts';
import { clientTls } from '../transport/node/tls.ts';
import type { Wakeable } from '../transport/transport.ts';
import { ClientSettings, type ConnectOptions } from './options.ts';
import { type Address, parseUrl } from './url.ts';

/**
 * Opens a WebSocket connection (RFC 6455 section 4.1).
 *
 * `ws:` and `http:` URLs are plain, `wss:` and `https:` use TLS, `ws+unix:/path/of/socket:/path?query` dials a UNIX socket. One
 * deadline, `handshakeTimeout`, holds for name resolution, TCP, TLS and the opening handshake together. Messages wait until
 * somebody takes them: nothing is lost between this and the first listener.
 *
 * @returns an open endpoint
 * @throws UsageError (as a rejection, like all below) for a URL or an option that is wrong; nothing was dialled
 * @throws HandshakeError when the server did not answer with a proper 101; `response` holds what it answered
 * @throws TransportError when there is no connection to be had, or it broke; `cause` is Node's error
 * @throws TimeoutError after `handshakeTimeout`
 * @example
 * const socket = await connect('wss://example.test/chat', { subprotocols: ['chat.v2'] });
 * socket.send('hello');
 * for await (const { data } of socket) console.log(data);
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Endpoint> {
  const startedAt = nodeEnvironment.clock.now();
  if (typeof url !== 'string' && typeof (url as Partial<URL> | null)?.href !== 'string') {
    throw new UsageError('INVALID_ARGUMENT', `connect: the URL must be a string or a URL, not ${String(url)}`);
  }
  const settings = new ClientSettings(options, { best: nodePlatform, open: publicPlatform });
  const address = parseUrl(typeof url === 'string' ? url : url.href, domainToASCII);
  const dial = prepareDial(address, options);
  const { signal, origin } = options;
  const connection = new ClientConnection(
    {
      host: address.host,
      target: address.target,
      subprotocols: settings.subprotocols,
      headers: settings.headers,
      ...(origin === undefined ? {} : { origin }),
    },
    settings.endpoint.connection,
    startedAt,
  );
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    new Attempt(connection, settings, options, dial(), startedAt, resolve, reject);
  });
}

/** What is needed to dial is read before anything is dialled. */
function prepareDial(address: Address, options: ConnectOptions): () => Socket {
  const { tls, socketPath = address.socketPath ?? undefined, autoSelectFamily, family, localAddress } = options;
  if (options.socketPath !== undefined && address.socketPath !== null) {
    throw new UsageError(
      'INVALID_OPTION',
      "connect: option 'socketPath' and a ws+unix URL both name a socket: choose one",
    );
  }
  if (socketPath === '') throw new UsageError('INVALID_OPTION', "connect: option 'socketPath' is empty");
  if (tls !== undefined && !address.secure) {
    throw new UsageError('INVALID_OPTION', "connect: option 'tls' means nothing with a URL that is not wss: or https:");
  }
  const where: NetConnectOpts & ConnectionOptions =
    socketPath !== undefined
      ? { path: socketPath }
      : {
          host: address.hostname,
          port: address.port,
          ...(autoSelectFamily === undefined ? {} : { autoSelectFamily }),
          ...(family === undefined ? {} : { family }),
          ...(localAddress === undefined ? {} : { localAddress }),
        };
  // Half-open: whether the peer's end is also ours is for the engine to say.
  const common = {
    ...where,
    allowHalfOpen: true,
    ...(options.internals === false ? {} : staticReadOptions(readCallback)),
  };
  if (!address.secure) return () => connectNet(common as NetConnectOpts);
  const secure = clientTls(tls ?? {}, address.hostname, 'connect');
  try {
    const secureContext = createSecureContext(secure);
    // Whatever is dialled, the certificate must be the host's (RFC 9110 section 4.3.4).
    return () => connectTls({ ...common, ...secure, secureContext, host: address.hostname });
  } catch (error) {
    throw new UsageError('INVALID_OPTION', `connect: option 'tls' cannot be used: ${(error as Error).message}`);
  }
}

/** One attempt, from dialling to open or failed. */
class Attempt implements Wakeable {
  private readonly endpoint: Endpoint;
  private readonly socket: Socket;
  private readonly options: ConnectOptions;
  private readonly reject: (reason: unknown) => void;
  private readonly deadline: number;
  private settled = false;
  private started = false;

  constructor(
    connection: ClientConnection,
    settings: ClientSettings,
    options: ConnectOptions,
    socket: Socket,
    startedAt: number,
    resolve: (endpoint: Endpoint) => void,
    reject: (reason: unknown) => void,
  ) {
    this.socket = socket;
    this.options = options;
    this.reject = reject;
    const transport = new SocketTransport(socket, { internals: options.internals !== false });
    this.endpoint = new Endpoint(connection, transport, settings.endpoint, nodeEnvironment, {
      opened: (endpoint) => {
        this.settle();
        // Before `open` is delivered, and not for a connection that never opens: that one rejects.
        if (options.on !== undefined) endpoint.listen(options.on);
        resolve(endpoint);
      },
      closed: (_, { error }) => this.fail(error ?? new TransportError('TRANSPORT_ENDED')),
    });
    socket.setNoDelay(true);
    socket.once('error', this.onError);
    socket.once('close', this.onClose);
    // Not before the certificate is checked: the request may carry credentials.
    const ready = (socket as { encrypted?: boolean }).encrypted === true ? 'secureConnect' : 'connect';
    socket.once(ready, this.onReady);
    options.signal?.addEventListener('abort', this.onAbort);
    this.deadline = startedAt + settings.endpoint.connection.handshakeTimeout;
    nodeEnvironment.clock.schedule(this, this.deadline);
  }

  /** Nobody answered, and there is no connection yet. From then on the deadline is the engine's. */
  wake(): void {
    this.drop(new TimeoutError('OPENING_TIMEOUT'));
  }

  private readonly onReady = (): void => {
    if (this.settled) return;
    this.started = true;
    nodeEnvironment.clock.cancel(this, this.deadline);
    this.socket.off('error', this.onError);
    this.socket.off('close', this.onClose);
    this.endpoint.start();
  };

  private readonly onError = (error: Error): void => {
    // What Node says when each of several addresses failed has no text of its own.
    if (error instanceof AggregateError && error.message === '') {
      error.message = error.errors.map((each: Error) => each.message).join(', ');
    }
    this.drop(new TransportError('TRANSPORT_FAILED', error));
  };

  private readonly onClose = (): void => {
    this.drop(new TransportError('TRANSPORT_ENDED'));
  };

  private readonly onAbort = (): void => {
    const { reason } = this.options.signal!;
    if (!this.started) {
      this.drop(reason);
    } else if (!this.settled) {
      this.fail(reason);
      this.endpoint.terminate();
    }
  };

  /** Ends an attempt that has no connection yet. */
  private drop(reason: unknown): void {
    this.fail(reason);
    this.socket.destroy();
  }

  private fail(reason: unknown): void {
    if (this.settled) return;
    this.settle();
    this.reject(reason);
  }

  private settle(): void {
    this.settled = true;
    nodeEnvironment.clock.cancel(this, this.deadline);
    this.options.signal?.removeEventListener('abort', this.onAbort);
  }
}
