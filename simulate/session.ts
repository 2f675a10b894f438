/** One connection of the simulated world: two endpoints, the link between them, and what has befallen it. */

import { Endpoint, type Host as Owner } from '../src/endpoint/endpoint.ts';
import type { EndpointSettings, Environment } from '../src/endpoint/options.ts';
import { ClientConnection, ServerConnection } from '../src/index.ts';
import { ServerEndpoint } from '../src/server/server-endpoint.ts';
import { seededNumbers } from '../test/support/random.ts';
import type { Fleet, Machine } from './fleet.ts';
import type { Host } from './hosts.ts';
import { Joined } from './joined.ts';
import { LinkEnd, type LinkNature } from './link.ts';
import type { Answer, JoinedPlan, Side } from './plan.ts';
import { Peer, Violation } from './watch.ts';
import { WireReader } from './wire.ts';
import type { World } from './world.ts';

const TARGET = { host: 'example.test', target: '/simulation' } as const;

/** How one connection begins. */
export interface Beginning {
  readonly key: string;
  readonly seed: number;
  readonly nature: LinkNature;
  readonly answer: Answer;
  readonly calm: boolean;
  readonly client: Host;
  readonly clientSettings: EndpointSettings;
  readonly server: Machine;
  readonly reconnecting: Fleet | null;
  /** Its server is a gateway, and this is behind it. */
  readonly joined?: { readonly plan: JoinedPlan; readonly host: Host };
}

/** Two peers and the link between them. */
export class Session {
  readonly key: string;
  readonly calm: boolean;
  readonly world: World;
  readonly client: Peer;
  readonly server: Peer;
  /** The client that connects again, if this is an attempt of one. */
  readonly reconnecting: Fleet | null;
  readonly joined: Joined | null;
  /** What may have broken it; while there is nothing, all must go well. */
  readonly damages: Set<string> = new Set();
  private readonly machine: Machine;

  constructor(world: World, beginning: Beginning, owner: Owner = {}) {
    const { key, seed, nature, answer, calm, client, clientSettings, server, joined } = beginning;
    this.world = world;
    this.key = key;
    this.calm = calm;
    this.machine = server;
    this.reconnecting = beginning.reconnecting;
    const chance = seededNumbers(seed);
    const compressed = (): boolean => this.server.end.reader.compressed;
    const endOf = (side: Side, host: Host): LinkEnd =>
      new LinkEnd(
        host,
        `${key}-${side}`,
        nature,
        new WireReader(side === 'client', compressed),
        chance,
        (what) => world.fail(new Violation(`${key} ${side} writes ${what}`)),
        () => world.delivered(this[side]),
      );
    const clientEnd = endOf('client', client);
    const serverEnd = endOf('server', server.host);
    clientEnd.join(serverEnd);
    serverEnd.join(clientEnd);
    this.client = new Peer(this, 'client', client, clientEnd, clientSettings);
    this.server = new Peer(this, 'server', server.host, serverEnd, server.settings);
    this.joined = joined === undefined ? null : new Joined(this, joined.plan, server, joined.host);
    this.client.other = this.server;
    this.server.other = this.client;
    this.open(this.server, this.makeServer(answer));
    const connection = new ClientConnection(TARGET, clientSettings.connection, client.clock.now());
    this.open(this.client, new Endpoint(connection, clientEnd, clientSettings, this.environment(client), owner));
    // Its messages are handed over by the client that connects again.
    if (this.reconnecting !== null) this.client.allow(60_000);
    if (answer.status !== 101) this.damage('refused');
    if (answer.delay > 2_000) this.damage('slow answer');
    if (server.hurtUntil > world.time.now) this.damage('the server stood still');
  }

  /** Begins to read and write. */
  start(): void {
    this.server.host.clock.defer((peer: Peer) => peer.endpoint.start(), this.server);
    this.client.host.clock.defer((peer: Peer) => peer.endpoint.start(), this.client);
  }

  /** Something may have broken it. */
  damage(by: string): void {
    this.damages.add(by);
  }

  /** A host stands still, or its clock jumps: so much for all of its sessions. */
  damageHost(host: Host, by: string): void {
    for (const session of this.world.sessions) {
      if (session.client.host === host || session.server.host === host) session.damage(by);
    }
    this.machine.hurtUntil = this.world.time.now + 60_000;
  }

  get over(): boolean {
    return this.client.over && this.server.over && this.joined?.over !== false;
  }

  private open(peer: Peer, endpoint: Endpoint): void {
    peer.watch(endpoint);
  }

  private environment(host: Host): Environment {
    return { clock: host.clock, warn: () => this.world.warnings++ };
  }

  private makeServer({ status, delay }: Answer): ServerEndpoint {
    const { machine, world, joined } = this;
    const { host, registry, settings } = machine;
    const connection = new ServerConnection(settings.connection, host.clock.now());
    const endpoint: ServerEndpoint = new ServerEndpoint(
      connection,
      this.server.end,
      settings,
      this.environment(host),
      {
        request: () => {
          const decide = (reachable = true): void => {
            if (!reachable) this.damage('no backend');
            if (!reachable) connection.reject(host.clock.now(), 502);
            else if (status === 101) connection.accept(host.clock.now());
            else connection.reject(host.clock.now(), status);
            endpoint.wake();
          };
          if (joined !== null && status === 101) joined.dial(decide);
          else if (delay === 0) decide();
          else world.later(host, delay, decide);
        },
        opened: () => {
          registry.add(endpoint);
          joined?.start();
        },
        closed: () => {
          registry.delete(endpoint);
          joined?.gone();
        },
      },
      registry,
    );
    return endpoint;
  }
}
