/** Who is there for long: servers with their registries, and clients that connect again. */

import { type ClientShell, Reconnecting, type ReconnectingOptions } from '../src/client/index.ts';
import type { Endpoint } from '../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../src/endpoint/options.ts';
import { Broadcaster } from '../src/server/broadcast.ts';
import { Registry } from '../src/server/registry.ts';
import { seededNumbers } from '../test/support/random.ts';
import { Host } from './hosts.ts';
import { contentOf, type Descriptor, isContent, numberOf } from './messages.ts';
import type { ClientPlan, Plan } from './plan.ts';
import { Session } from './session.ts';
import { type Peer, Violation } from './watch.ts';
import type { World } from './world.ts';

/** A server: one host, all its connections. */
export class Machine {
  readonly host: Host;
  readonly settings: EndpointSettings;
  readonly registry: Registry = new Registry();
  readonly broadcaster: Broadcaster;
  /** Until when what begins here may suffer. */
  hurtUntil = 0;

  constructor(host: Host, settings: EndpointSettings) {
    this.host = host;
    this.settings = settings;
    this.broadcaster = new Broadcaster(this.registry, settings.connection);
  }
}

/** One client that connects again, and what became of its messages. */
export class Fleet {
  readonly client: Reconnecting<ReconnectingOptions>;
  readonly host: Host;
  private readonly world: World;
  private readonly plan: ClientPlan;
  private readonly machine: Machine;
  private readonly settings: EndpointSettings;
  private readonly chance: () => number;
  private attempts = 0;
  private current: Session | null = null;
  private readonly accepted: Map<number, Descriptor> = new Map();
  private lastSent = 0;
  private open = false;

  constructor(world: World, plan: ClientPlan, all: Plan, machine: Machine) {
    this.world = world;
    this.plan = plan;
    this.machine = machine;
    this.host = new Host(plan.key, world.time);
    this.chance = seededNumbers(plan.seed);
    this.settings = new EndpointSettings({ ...all.clientOptions, platform: world.platform(plan.seed) });
    this.client = new Reconnecting<ReconnectingOptions>('ws://example.test/', {}, this.shell());
    this.client.on('open', () => this.told('open'));
    this.client.on('close', () => this.told('close'));
    this.client.on('stop', () => this.told('stop'));
  }

  start(): void {
    this.world.later(this.host, 0, () => this.turn('start'));
  }

  turn(act: 'stop' | 'start' | 'networkChanged'): void {
    const { client, world, plan } = this;
    world.note(plan.key, 'client', act, 0);
    if (act === 'networkChanged') client.networkChanged();
    else world.owes(`${plan.key} ${act}`, client[act]());
  }

  /** Sends a message: to the connection, or to the queue. */
  send(size: number): void {
    const number = ++this.lastSent;
    const descriptor: Descriptor = { number, text: number % 3 === 0, size: 4 + Math.floor(size * 300) };
    const { success } = this.client.send(contentOf(descriptor));
    if (success) this.accepted.set(number, descriptor);
  }

  /**
   * The server got a message: each at most once, and in order within a connection. A server that stood still may read an old
   * connection after a new one.
   */
  received(peer: Peer, kind: 'text' | 'binary', data: string | Uint8Array): void {
    const { key } = this.plan;
    const plain = kind === 'text' && typeof data !== 'string' ? Buffer.from(data).toString() : data;
    const number = numberOf(plain);
    const descriptor = this.accepted.get(number);
    if (descriptor === undefined) {
      this.world.fail(new Violation(`${key}: message ${number} came twice, or was not accepted`));
    } else if (number <= peer.lastNumber) {
      this.world.fail(new Violation(`${key}: message ${number} came after ${peer.lastNumber}`));
    } else if (!isContent(descriptor, kind, data)) {
      this.world.fail(new Violation(`${key}: message ${number} came as another`));
    }
    this.accepted.delete(number);
    peer.lastNumber = number;
  }

  /** At the end: it is stopped, and nothing is left of it. */
  objection(): string {
    const { info } = this.client;
    if (info.state !== 'stopped') return `is ${info.state}, not stopped`;
    return this.open ? 'was told of an open that never closed' : '';
  }

  private told(type: 'open' | 'close' | 'stop'): void {
    this.world.note(this.plan.key, 'client event', type, 0);
    const wrong = type === 'open' ? this.open : type === 'close' ? !this.open : this.open;
    if (wrong) this.world.fail(new Violation(`${this.plan.key}: ${type} while ${this.open ? 'open' : 'not open'}`));
    this.open = type === 'open';
  }

  private shell(): ClientShell {
    const { world, host, plan, machine } = this;
    return {
      environment: { clock: host.clock, warn: () => world.warnings++ },
      random: this.chance,
      wallClock: () => 1_700_000_000_000 + world.time.now,
      prepare: () => (sink) => {
        if (this.current !== null && !this.current.client.over && this.current.client.opened) {
          world.fail(new Violation(`${plan.key}: dials while a connection is open`));
        }
        let settled = false;
        const settle = (): boolean => {
          const first = !settled;
          settled = true;
          return first;
        };
        const key = `${plan.key}.${++this.attempts}`;
        const session = new Session(
          world,
          {
            key,
            seed: plan.seed + this.attempts,
            nature: {
              latency: 20,
              jitter: 20,
              piece: 1_000,
              window: 65_536,
              borrowed: this.attempts % 2 === 0,
            },
            answer: { status: this.chance() < 0.9 ? 101 : 503, delay: 0 },
            calm: false,
            client: host,
            clientSettings: this.settings,
            server: machine,
            reconnecting: this,
          },
          {
            opened: (endpoint: Endpoint) => void (settle() && sink.opened(endpoint)),
            closed: (_, { error }) => void (settle() && sink.failed(error!)),
          },
        );
        this.current = session;
        world.add(session);
        return {
          abandon: () => {
            if (!settle()) return;
            session.damage('abandoned');
            session.client.endpoint.terminate();
          },
          ref: () => {},
          unref: () => {},
        };
      },
    };
  }
}
