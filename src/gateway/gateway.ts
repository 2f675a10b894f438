/**
 * WebSocket clients to servers that know nothing of WebSockets: the path of a URL names a backend, which is connected before the
 * client is accepted, and then payload goes both ways. What may be reached is decided in targets.ts, how it is carried in
 * relay.ts, what happens when sockets are handed over in direct.ts.
 */

import { Memory } from '../codec/memory.ts';
import { rowOf } from '../errors.ts';
import type { Request } from '../handshake/request.ts';
import { isAddressAllowed, readAddressList } from '../server/address-list.ts';
import type { Peer, ServeOptions, Verdict } from '../server/options.ts';
import { serveAs } from '../server/serve.ts';
import type { CloseServerOptions, Server } from '../server/server.ts';
import type { ServerEndpoint } from '../server/server-endpoint.ts';
import { attachAs } from '../server/upgrade.ts';
import { isRefusal, readVerdict } from '../server/verdict.ts';
import { nodeClock } from '../transport/node/clock.ts';
import { nodePlatform } from '../transport/node/platform.ts';
import { type Backend, BackendError, dial, LONGEST_TIMER } from './backend.ts';
import { clientAddress, clientOf } from './client-address.ts';
import { startDirect } from './direct.ts';
import { type GatewayClient, GatewayEmitter, type GatewayEventName, type GatewayListener } from './events.ts';
import { type GatewayOptions, GatewaySettings } from './options.ts';
import { refusalOf } from './refusal.ts';
import { Relay } from './relay.ts';
import { findTarget, type Target } from './targets.ts';

const NOT_ALLOWED = 'its address is not allowed';
/** Of all clients: no option gives them another. */
const memory = Memory.of(nodePlatform.allocate!);

/** Where clients come from. */
export interface Front {
  readonly url: string;
  readonly port: number | null;
  readonly path: string | null;
  close(options?: CloseServerOptions): Promise<void>;
}

/**
 * Starts a gateway: on a port of its own (`port`, or `path` for a UNIX socket, with `tls` or without), or on an `http` or `https`
 * server (`server`).
 *
 * @returns the gateway, when it listens; rejects with Node's error if it cannot
 * @throws UsageError (as a rejection) naming the option that is missing, unknown or wrong
 * @example
 * // ws://localhost:8080/chat is the server on the UNIX socket /run/websocket/chat.
 * const gateway = await createGateway({ docroot: '/run/websocket', port: 8080, framing: 'nul' });
 * gateway.on('refused', ({ status, path, reason }) => console.log(status, path, reason));
 */
export async function createGateway<Context = unknown>(options: GatewayOptions<Context>): Promise<Gateway<Context>> {
  const settings = new GatewaySettings(options as GatewayOptions);
  const events = new GatewayEmitter();
  if (settings.direct) return new Gateway(events, await startDirect(settings, events), () => 0);
  const joiner = new Joiner(settings, events);
  const server = await joiner.start();
  return new Gateway(events, server, () => joiner.size);
}

/** A running gateway. `Context` is what `authorize` gives a client along. */
export class Gateway<Context = unknown> implements AsyncDisposable {
  private readonly events: GatewayEmitter;
  private readonly front: Front;
  private readonly count: () => number;

  /** @internal */
  constructor(events: GatewayEmitter, front: Front, count: () => number) {
    this.events = events;
    this.front = front;
    this.count = count;
  }

  /** `ws://host:port`, `wss://host:port` or `ws+unix:/path`, without the name of a backend. */
  get url(): string {
    return this.front.url;
  }

  /** The TCP port that it listens on, or null. */
  get port(): number | null {
    return this.front.port;
  }

  /** The path of the UNIX socket that it listens on, or null. */
  get path(): string | null {
    return this.front.path;
  }

  /** How many clients are joined to backends; those that were handed over do not count. */
  get connections(): number {
    return this.count();
  }

  /**
   * Listens to an event of the gateway; the returned function undoes it.
   *
   * @throws UsageError when there is no such event
   */
  on<Name extends GatewayEventName>(type: Name, listener: GatewayListener<Name, Context>): () => void {
    return this.events.on(type, listener as GatewayListener<Name>);
  }

  /**
   * Closes as a server does: every client gets 1001, and backends get what was sent and then an end.
   *
   * @throws UsageError as `close` of a server; then nothing closes
   */
  close(options?: CloseServerOptions): Promise<void> {
    return this.front.close(options);
  }

  /** Closes with 1001 and waits for the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A backend that waits for the 101 to its client. */
interface Joined {
  readonly backend: Backend;
  readonly target: Target;
  readonly remoteAddress: string | null;
  /** The application's own. */
  readonly context: unknown;
}

/** Joins clients and backends. */
class Joiner implements Front {
  private readonly settings: GatewaySettings;
  private readonly events: GatewayEmitter;
  private readonly decideFirst: ServeOptions['authorize'];
  private readonly isAllowed: (address: string | null) => boolean;
  private readonly relays: Set<Relay> = new Set();
  /** Why requests were refused, for the operator. */
  private readonly reasons: WeakMap<Request, string> = new WeakMap();
  private server: Server | null = null;
  /** Clients that were joined so far. */
  private joined = 0;
  private emptied: (() => void) | null = null;
  private closing: Promise<void> | null = null;

  constructor(settings: GatewaySettings, events: GatewayEmitter) {
    this.settings = settings;
    this.events = events;
    const { authorize, allowedAddresses, deniedAddresses } = settings.client;
    this.decideFirst = authorize;
    const allowed = readAddressList(allowedAddresses, 'allowedAddresses', 'gateway');
    const denied = readAddressList(deniedAddresses, 'deniedAddresses', 'gateway');
    this.isAllowed = (address) => isAddressAllowed(address, allowed, denied);
  }

  async start(): Promise<this> {
    const { settings } = this;
    const { onRequest } = settings.client;
    // Behind proxies that we trust lists are about those whom they speak for: they are looked at here, whatever is asked for.
    const behind: ServeOptions = {
      allowedAddresses: null,
      deniedAddresses: null,
      ...(typeof onRequest === 'function' && {
        onRequest: (request, peer) => this.answerPlain(onRequest, request, peer),
      }),
    };
    const options: ServeOptions = {
      ...settings.client,
      delivery: 'fragment',
      borrow: true,
      maxBufferedAmount: null,
      maxMessageSize: settings.maxClientMessage,
      ...(settings.trusted === null ? {} : behind),
      authorize: (request, peer) => this.authorize(request, peer),
    };
    const handler = (socket: ServerEndpoint) => this.join(socket);
    if (settings.server !== null) this.server = attachAs('gateway', settings.server, options, handler);
    else this.server = await serveAs('gateway', options, handler);
    this.server.on('refused', ({ status, request, error, remoteAddress }) => {
      const reason = (request === null ? undefined : this.reasons.get(request)) ?? error.message;
      const address = request === null ? remoteAddress : this.addressOf(request, remoteAddress);
      this.events.emit('refused', { status, path: request?.path ?? null, reason, remoteAddress: address });
    });
    return this;
  }

  get size(): number {
    return this.relays.size;
  }

  get url(): string {
    return this.server!.url;
  }

  get port(): number | null {
    return this.server!.port;
  }

  get path(): string | null {
    return this.server!.path;
  }

  close(options?: CloseServerOptions): Promise<void> {
    // What is wrong with the options is thrown before anything closes.
    this.closing ??= this.end(this.server!.close(options), options?.timeout);
    return this.closing;
  }

  private async end(clientsGone: Promise<void>, timeout: number | null | undefined): Promise<void> {
    // A backend has its own time to end, unless the caller has less.
    const drop = () => {
      for (const relay of this.relays) relay.drop();
    };
    const timer = typeof timeout === 'number' ? setTimeout(drop, Math.min(timeout, LONGEST_TIMER)) : undefined;
    await clientsGone;
    if (this.relays.size > 0) {
      await new Promise<void>((resolve) => {
        this.emptied = resolve;
      });
    }
    clearTimeout(timer);
  }

  private addressOf(request: Request, peer: string | null): string | null {
    return clientAddress(peer, request.headers, this.settings.trusted);
  }

  /** A request that asks for no upgrade, by way of a proxy that we trust. */
  private answerPlain(
    onRequest: NonNullable<ServeOptions['onRequest']>,
    request: Request,
    peer: Peer,
  ): ReturnType<NonNullable<ServeOptions['onRequest']>> {
    const remoteAddress = this.addressOf(request, peer.remoteAddress);
    if (this.isAllowed(remoteAddress)) return onRequest(request, clientOf(peer, remoteAddress));
    this.events.emit('refused', { status: 403, path: request.path, reason: NOT_ALLOWED, remoteAddress });
    return { status: 403, body: `${rowOf('ADDRESS_REFUSED').text}\n` };
  }

  /** Connects to the backend before the client hears anything. */
  private async authorize(request: Request, peer: Peer): Promise<Verdict> {
    const remoteAddress = this.addressOf(request, peer.remoteAddress);
    if (this.settings.trusted !== null && !this.isAllowed(remoteAddress)) {
      this.reasons.set(request, NOT_ALLOWED);
      return false;
    }
    const verdict = await this.decideFirst?.(request, clientOf(peer, remoteAddress));
    // Read before the backend hears anything: what nobody understands is no yes.
    const acceptance = readVerdict(verdict);
    if (acceptance === false || isRefusal(acceptance)) return acceptance;
    try {
      const { settings } = this;
      const target = await findTarget(settings.names, request.path, request.subprotocols);
      // Who leaves before the 101 takes the backend along.
      const backend = await dial(target.address, target.file, settings.connectTimeout, peer.signal);
      const { subprotocol } = target;
      const context: Joined = { backend, target, remoteAddress, context: acceptance.context };
      return { ...acceptance, ...(subprotocol === null ? {} : { subprotocol }), context };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      this.reasons.set(request, error.message);
      return refusalOf(error);
    }
  }

  private join(socket: ServerEndpoint): void {
    const { backend, target, remoteAddress, context } = socket.context as Joined;
    const client: GatewayClient = { connection: ++this.joined, name: target.name, remoteAddress, context };
    const rules = this.settings.rulesFor(target);
    const relay = new Relay(socket, backend, rules, nodeClock, memory, ({ code, reason }, failure) => {
      this.relays.delete(relay);
      this.events.emit('close', { ...client, code, reason, failure });
      if (this.relays.size === 0) this.emptied?.();
    });
    this.relays.add(relay);
    this.events.emit('open', client);
    relay.start();
  }
}
