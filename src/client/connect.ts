/** A WebSocket client on Node's sockets: dials, and hands over an open endpoint or says why there is none. */

import type { Socket } from 'node:net';
import { domainToASCII } from 'node:url';
import { ClientConnection } from '../connection/client-connection.ts';
import { show } from '../connection/options.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import { type FailureError, HandshakeError, TimeoutError, TransportError, UsageError } from '../errors.ts';
import { tapFor } from '../transport/node/debug.ts';
import { publishClose, publishOpen, publishRefused } from '../transport/node/diagnostics.ts';
import { nodeEnvironment, nodePlatform, publicPlatform, SocketTransport } from '../transport/node/index.ts';
import type { Wakeable } from '../transport/transport.ts';
import type { AttemptHandle, AttemptSink, UrlLike } from './client-shell.ts';
import { Dial, type DialSink, prepareRoute, type Route } from './dial.ts';
import { ClientSettings, type ConnectOptions } from './options.ts';
import { chooseProxy } from './proxy-environment.ts';
import { isRedirect, isSameOrigin, redirectTarget, withoutCredentials } from './redirect.ts';
import { type Address, parseUrl } from './url.ts';

/**
 * Opens a WebSocket connection (RFC 6455 section 4.1).
 *
 * `ws:` and `http:` URLs are plain, `wss:` and `https:` use TLS, `ws+unix:/path/of/socket:/path?query` dials a UNIX socket. One
 * deadline, `handshakeTimeout`, holds for name resolution, proxy, TCP, TLS, redirects and the opening handshake together.
 * Messages wait a second for somebody to take them: nothing is lost between this and a first listener that is attached by then.
 *
 * @returns an open endpoint
 * @throws UsageError (as a rejection, like all below) for a URL or an option that is wrong; nothing was dialled
 * @throws HandshakeError when the server did not answer with a proper 101, or a proxy with a tunnel; `response` holds what it
 * answered
 * @throws TransportError when there is no connection to be had, or it broke; `cause` is Node's error
 * @throws TimeoutError after `handshakeTimeout`
 * @example
 * const socket = await connect('wss://example.test/chat', { subprotocols: ['chat.v2'] });
 * socket.send('hello');
 * for await (const { data } of socket) console.log(data);
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<Endpoint> {
  const startedAt = nodeEnvironment.clock.now();
  const plan = new ConnectPlan(url, options);
  const first = plan.connection(plan.first, startedAt);
  const { signal } = options;
  // A copy: it was checked as it is now.
  const on = { ...options.on };
  if (signal?.aborted === true) throw signal.reason;
  return new Promise((resolve, reject) => {
    const abort = () => {
      attempt.abandon();
      settle();
      reject(signal!.reason);
    };
    const settle = () => signal?.removeEventListener('abort', abort);
    const attempt = new Attempt(plan, first, startedAt, {
      opened(endpoint) {
        settle();
        // Before `open` is delivered, and not for a connection that never opens: that one rejects.
        endpoint.listen(on);
        resolve(endpoint);
      },
      failed(error) {
        settle();
        reject(error);
      },
    });
    signal?.addEventListener('abort', abort);
  });
}

/** Where to ask, and with what. */
interface Hop {
  readonly route: Route;
  readonly headers: readonly (readonly [string, string])[];
  readonly options: ConnectOptions;
}

/** A URL and its options, checked; serves any number of attempts. */
export class ConnectPlan {
  readonly settings: ClientSettings;
  readonly first: Hop;
  private readonly options: ConnectOptions;

  /** @throws UsageError for a URL or an option that is wrong */
  constructor(url: UrlLike, options: ConnectOptions) {
    if (typeof url !== 'string' && typeof (url as { href?: unknown } | null)?.href !== 'string') {
      throw new UsageError('INVALID_ARGUMENT', `connect: the URL must be a string or a URL, not ${show(url)}`);
    }
    this.settings = new ClientSettings(options, { best: nodePlatform, open: publicPlatform });
    // A copy: a redirect is followed later.
    this.options = { ...options };
    const address = parseUrl(typeof url === 'string' ? url : url.href, domainToASCII);
    if (options.socketPath !== undefined && address.socketPath !== null) {
      throw new UsageError(
        'INVALID_OPTION',
        "connect: option 'socketPath' and a ws+unix URL both name a socket: choose one",
      );
    }
    if (options.socketPath === '') throw new UsageError('INVALID_OPTION', "connect: option 'socketPath' is empty");
    if (options.tls !== undefined && !address.secure && this.settings.redirects === 0) {
      throw new UsageError(
        'INVALID_OPTION',
        "connect: option 'tls' means nothing with a URL that is not wss: or https:",
      );
    }
    const { socketPath } = options;
    this.first = this.hop(
      socketPath === undefined ? address : { ...address, socketPath },
      options,
      this.settings.headers,
    );
  }

  /** The engine's side of one hop. @throws UsageError when the request cannot be written */
  connection({ route, headers }: Hop, startedAt: number): ClientConnection {
    const { origin } = this.options;
    const { subprotocols, endpoint } = this.settings;
    const { host, target } = route.address;
    const wanted = { host, target, subprotocols, headers, ...(origin === undefined ? {} : { origin }) };
    return new ClientConnection(wanted, endpoint.connection, startedAt);
  }

  /** Where the answer of `hop` sends us. @throws HandshakeError when we do not go there */
  redirected({ route, headers, options }: Hop, response: NonNullable<HandshakeError['response']>): Hop {
    const address = redirectTarget(route.address, response, domainToASCII);
    if (isSameOrigin(route.address, address)) return this.hop(address, options, headers);
    // What proves who we are was meant for the first host, and is not given back on a way that others chose.
    const { cert: _, key: __, passphrase: ___, servername: ____, ...tls } = options.tls ?? {};
    return this.hop(address, { ...options, tls }, withoutCredentials(headers));
  }

  private hop(address: Address, options: ConnectOptions, headers: Hop['headers']): Hop {
    const proxy = chooseProxy(options.proxy, address, this.settings.proxyHeaders, process.env);
    const route = prepareRoute(address, proxy, options, this.settings.endpoint.connection.head);
    return { route, headers, options };
  }
}

/** One attempt, from dialling to open or failed, redirects included. */
export class Attempt implements AttemptHandle, Wakeable, DialSink {
  private readonly plan: ConnectPlan;
  private readonly sink: AttemptSink;
  private readonly startedAt: number;
  private readonly deadline: number;
  private hop: Hop;
  private connection: ClientConnection;
  private redirects: number;
  private dial: Dial | null = null;
  private endpoint: Endpoint | null = null;
  private referenced = true;
  private settled = false;

  /** `connection` is that of the plan's first hop. */
  constructor(plan: ConnectPlan, connection: ClientConnection, startedAt: number, sink: AttemptSink) {
    this.plan = plan;
    this.sink = sink;
    this.startedAt = startedAt;
    this.hop = plan.first;
    this.connection = connection;
    this.redirects = plan.settings.redirects;
    this.deadline = startedAt + plan.settings.endpoint.connection.handshakeTimeout;
    this.walk();
  }

  /** Gives up: nothing is reported any more. */
  abandon(): void {
    if (this.settled) return;
    this.settle();
    this.dial?.destroy();
    this.endpoint?.terminate();
  }

  ref(): void {
    this.referenced = true;
    this.dial?.socket.ref();
    this.endpoint?.ref();
  }

  unref(): void {
    this.referenced = false;
    this.dial?.socket.unref();
    this.endpoint?.unref();
  }

  /** Where there is a connection the engine keeps the deadline itself; but it leaves a server that has refused us time to go. */
  wake(): void {
    if (this.endpoint === null) this.fail(new TimeoutError('OPENING_TIMEOUT'));
    else if (this.endpoint.readyState === 'closing') this.endpoint.terminate();
  }

  /** @hidden */
  connected(socket: Socket): void {
    const { settings } = this.plan;
    this.dial = null;
    const transport = new SocketTransport(socket, { internals: settings.internals });
    const tap = tapFor(settings.debug, this.connection, transport, nodeEnvironment.clock);
    let wasOpen = false;
    const endpoint = new Endpoint(this.connection, tap ?? transport, settings.endpoint, nodeEnvironment, {
      opened: () => {
        this.settle();
        wasOpen = true;
        publishOpen('client', endpoint);
        this.sink.opened(endpoint);
      },
      closed: (_, event) => {
        if (wasOpen) publishClose('client', endpoint, event);
        else if (this.endpoint === endpoint) this.refused(event);
      },
    });
    if (tap !== null) tap.socket = endpoint;
    this.endpoint = endpoint;
    if (!this.referenced) endpoint.unref();
    endpoint.start();
  }

  /** @hidden */
  failed(error: FailureError): void {
    this.fail(error);
  }

  private refused({ error }: CloseEvent): void {
    if (this.settled) return;
    this.endpoint = null;
    const response = error instanceof HandshakeError ? error.response : null;
    if (response === null || !isRedirect(response) || this.plan.settings.redirects === 0) {
      this.fail(error ?? new TransportError('TRANSPORT_ENDED'));
      return;
    }
    if (this.redirects-- === 0) {
      const why = `more than ${this.plan.settings.redirects} in a row`;
      this.fail(new HandshakeError('REDIRECT_REFUSED', why, response.status, response));
      return;
    }
    try {
      this.hop = this.plan.redirected(this.hop, response);
      this.connection = this.plan.connection(this.hop, this.startedAt);
    } catch (refusal) {
      this.fail(
        refusal instanceof UsageError
          ? new HandshakeError('REDIRECT_REFUSED', refusal.message, response.status, response)
          : (refusal as HandshakeError),
      );
      return;
    }
    this.walk();
  }

  private walk(): void {
    nodeEnvironment.clock.schedule(this, this.deadline);
    this.dial = new Dial(this.hop.route, this);
    if (!this.referenced) this.dial.socket.unref();
  }

  private fail(error: FailureError): void {
    if (this.settled) return;
    const { endpoint } = this;
    this.abandon();
    publishRefused('client', endpoint, error);
    this.sink.failed(error);
  }

  private settle(): void {
    this.settled = true;
    nodeEnvironment.clock.cancel(this, this.deadline);
  }
}
