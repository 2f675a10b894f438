/** A server's end of a connection: an endpoint with a name among its server's, and with topics. */

import type { Connection } from '../connection/connection.ts';
import { Endpoint, type Host } from '../endpoint/endpoint.ts';
import type { EndpointSettings, Environment } from '../endpoint/options.ts';
import type { Transport } from '../transport/transport.ts';
import { canonicalAddress } from './address.ts';
import type { Registry } from './registry.ts';

/** A connection of a server. `Context` is what the application keeps about it in `context`. */
export class ServerEndpoint<Context = unknown> extends Endpoint {
  /** What `authorize` answered as `context`, undefined without it; the application may set it at any time. */
  declare context: Context;
  /** From 1 upwards: no other connection of this server has or gets it. */
  readonly number: number;
  private readonly registry: Registry;
  /** Others may have its address and port too. */
  private readonly shares: boolean;

  /** @internal */
  constructor(
    connection: Connection,
    transport: Transport,
    settings: EndpointSettings,
    environment: Environment,
    host: Host,
    registry: Registry,
    shares = false,
  ) {
    super(connection, transport, settings, environment, host);
    this.registry = registry;
    this.shares = shares;
    this.number = registry.nextNumber();
  }

  /**
   * The peer's address as a URL: `ws://192.0.2.1:50000`, `wss://[2001:db8::1]:50000`, with `wss` where this server ends TLS. Over
   * HTTP/2, where several share one, `#` and the number follow. On a UNIX socket, where peers have no address, `ws+unix:#` and the
   * number.
   */
  get id(): string {
    const { remoteAddress, remotePort, secure } = this;
    if (remoteAddress === null) return `ws+unix:#${this.number}`;
    const address = canonicalAddress(remoteAddress);
    const host = address.includes(':') ? `[${address}]` : address;
    return `${secure ? 'wss' : 'ws'}://${host}:${remotePort}${this.shares ? `#${this.number}` : ''}`;
  }

  /** The topics that it is subscribed to now. */
  get topics(): string[] {
    return [...this.registry.topics.of(this)];
  }

  /**
   * Subscribes to a topic: it gets what `server.publish` sends there, until `unsubscribe` or its end.
   *
   * @returns false if it was subscribed, or is not open
   * @throws UsageError when the topic is no string
   */
  subscribe(topic: string): boolean {
    return this.registry.topics.add(topic, this);
  }

  /**
   * Ends a subscription.
   *
   * @returns false if there was none
   * @throws UsageError when the topic is no string
   */
  unsubscribe(topic: string): boolean {
    return this.registry.topics.delete(topic, this);
  }
}
