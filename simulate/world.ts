/**
 * A world: servers, clients and links on one time line, everything that is planned for them, and the verdict. The same plan
 * gives the same world, step by step; `hash` says whether it was the same.
 */

import { EndpointSettings } from '../src/endpoint/options.ts';
import type { Platform } from '../src/index.ts';
import type { ServerEndpoint } from '../src/server/server-endpoint.ts';
import { seededNumbers, seededRandom } from '../test/support/random.ts';
import { isFault, LISTENER_KINDS, strike } from './faults.ts';
import { Fleet, Machine } from './fleet.ts';
import { Host, WorldTime } from './hosts.ts';
import { perform } from './operations.ts';
import type { Action, JoinedPlan, Plan, SessionPlan } from './plan.ts';
import { Session } from './session.ts';
import { Table } from './table.ts';
import { checkNoticed, judge } from './verdict.ts';
import { type Peer, Violation } from './watch.ts';

/** More steps than this in one instant: it will never come to rest. */
const MOST_AT_ONCE = 400_000;
/** Long enough for every deadline there is, one behind the other, whatever the clocks did. */
const IDLE = 160_000;
const TRACED = 400_000;

/** How a world ended. */
export interface Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly faults: number;
  readonly sessions: number;
  readonly hash: number;
  readonly table: Table;
  readonly failure: Violation | null;
  /** The step at which it failed. */
  readonly failedAt: number;
  readonly trace: readonly string[];
}

/** A world under way. */
export class World {
  readonly time: WorldTime = new WorldTime();
  /** Those that are not over. */
  readonly sessions: Set<Session> = new Set();
  readonly table: Table = new Table();
  steps = 0;
  warnings = 0;
  /** Promises under way: they want their turn. */
  restless = 0;
  private readonly plan: Plan;
  private readonly hosts: Host[] = [];
  private readonly machines: Machine[] = [];
  private readonly gateways: Machine[] = [];
  private readonly fleets: Fleet[] = [];
  private readonly director: Host;
  private readonly bySession: Map<string, Action[]> = new Map();
  private readonly peersOf: Map<Host, Peer[]> = new Map();
  private readonly chance: () => number;
  private readonly owed: Map<string, number> = new Map();
  private readonly trace: string[] | null;
  private readonly allocate = (size: number): Uint8Array => new Uint8Array(size);
  private failure: Violation | null = null;
  private failedAt = 0;
  private hash = 0x811c_9dc5;
  private count = 0;

  constructor(plan: Plan, traced = false) {
    this.plan = plan;
    this.trace = traced ? [] : null;
    this.chance = seededNumbers(plan.seed ^ 0x5eed);
    this.director = this.host('director');
    for (const action of plan.actions) {
      const list = this.bySession.get(action.session);
      if (list === undefined) this.bySession.set(action.session, [action]);
      else list.push(action);
    }
    // The first server is for those who shall come to no harm.
    for (let i = 0; i <= plan.servers; i++) {
      const settings = new EndpointSettings({ ...plan.options, platform: this.platform(plan.seed + i) });
      this.machines.push(new Machine(this.host(`server ${i}`), settings));
    }
    // Likewise the first gateway. Their endpoints are as src/gateway makes them.
    for (const name of ['calm gateway', 'gateway'] as const) {
      const settings = new EndpointSettings({
        ...plan.options,
        delivery: 'fragment',
        borrow: true,
        maxBufferedAmount: null,
        maxMessageSize: Number.isFinite(plan.limit) ? plan.limit : null,
        platform: this.platform(plan.seed - 1),
      });
      this.gateways.push(new Machine(this.host(name), settings));
    }
    this.machines.push(...this.gateways);
  }

  /** Runs it to its end. */
  async run(): Promise<Outcome> {
    try {
      await this.live();
    } catch (error) {
      this.fail(error instanceof Violation ? error : new Violation(`threw ${(error as Error)?.stack ?? error}`));
    }
    const { steps, hash, table, failure, failedAt } = this;
    const trace = this.trace ?? [];
    return {
      seed: this.plan.seed,
      steps,
      faults: table.total,
      sessions: this.count,
      hash: hash >>> 0,
      table,
      failure,
      failedAt,
      trace,
    };
  }

  private async live(): Promise<void> {
    const { plan, director } = this;
    for (const each of plan.sessions) {
      this.begin(each, this.machines[each.calm ? 0 : 1 + (each.server % plan.servers)]!, null);
    }
    for (const each of plan.joined) this.begin(each, this.gateways[each.calm ? 0 : 1]!, each);
    for (const each of plan.clients) {
      const fleet = new Fleet(this, each, plan, this.machines[1 + (each.server % plan.servers)]!);
      this.hosts.push(fleet.host);
      this.fleets.push(fleet);
      this.later(director, each.startAt, () => fleet.start());
      for (const { at, size } of each.sends) this.later(fleet.host, at, () => fleet.send(size));
      for (const turn of each.turns) this.later(fleet.host, turn.at, () => fleet.turn(turn.do));
    }
    await this.until(plan.duration);
    await this.until(this.time.now + IDLE);
    if (this.failure === null) await this.checkAlive();
    for (const session of this.sessions) {
      session.joined?.restart();
      const [one, two] = this.chance() < 0.5 ? [session.client, session.server] : [session.server, session.client];
      const side = one.over ? two : one;
      if (!side.over) side.owes('close', side.endpoint.close(1000, 'the end'));
      this.steps++;
    }
    for (const fleet of this.fleets) fleet.turn('stop');
    await this.until(this.time.now + IDLE);
    if (this.failure === null) this.checkEnd();
  }

  /** A client connects when its time has come; `joined`: through a gateway. */
  private begin(each: SessionPlan, server: Machine, joined: JoinedPlan | null): void {
    this.later(this.director, each.startAt, () => {
      const { clientOptions } = this.plan;
      const session = new Session(this, {
        ...each,
        client: this.host(each.key),
        clientSettings: new EndpointSettings({ ...clientOptions, platform: this.platform(each.seed) }),
        server,
        reconnecting: null,
        ...(joined === null ? {} : { joined: { plan: joined, host: this.host(`${each.key} backend`) } }),
      });
      this.add(session);
    });
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  private async until(end: number): Promise<void> {
    let atOnce = 0;
    let turn = 0;
    while (this.failure === null) {
      const { hosts } = this;
      let ran = false;
      for (let i = 0; i < hosts.length && this.failure === null; i++) {
        const host = hosts[(i + turn) % hosts.length]!;
        if (host.nextAt > this.time.now || !host.step()) continue;
        ran = true;
        this.steps++;
        this.checkHost(host);
        if (this.restless > 0) {
          await null;
          await null;
          await null;
        }
      }
      turn = Math.floor(this.chance() * 64);
      if (atOnce++ > MOST_AT_ONCE) {
        const busy = hosts.filter(({ nextAt }) => nextAt <= this.time.now);
        const what = busy.map(({ name, pendingNames }) => `${name}: ${pendingNames}`);
        this.fail(new Violation(`does not come to rest: ${what.join('; ')}`));
      }
      if (ran) continue;
      if (this.restless > 0) {
        for (let i = 0; i < 24; i++) await null;
        if (hosts.some(({ nextAt }) => nextAt <= this.time.now)) continue;
      }
      let next = Number.POSITIVE_INFINITY;
      for (const host of hosts) next = Math.min(next, host.nextAt);
      this.prune();
      if (next > this.time.now) atOnce = 0;
      if (next > end) {
        this.time.now = end;
        return;
      }
      this.time.now = Math.max(this.time.now, next);
    }
  }

  private checkHost(host: Host): void {
    const peers = this.peersOf.get(host);
    if (peers === undefined) return;
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!;
      peer.check();
      if (peer.armed.length > 0) peer.fire();
    }
  }

  /** Forgets what is over, so that a long day does not become a slow one. */
  private prune(): void {
    for (const session of this.sessions) {
      if (!session.over) continue;
      const { client, server } = session;
      if (client.owed.size > 0 || server.owed.size > 0 || client.armed.length + server.armed.length > 0) continue;
      if (client.host.pending > 0 && session.reconnecting === null) continue;
      if (session.joined !== null && session.joined.host.pending > 0) continue;
      judge(session);
      this.sessions.delete(session);
      for (const peer of [client, server]) {
        const peers = this.peersOf.get(peer.host)!;
        peers.splice(peers.indexOf(peer), 1);
      }
      if (session.reconnecting === null) this.hosts.splice(this.hosts.indexOf(client.host), 1);
      if (session.joined !== null) this.hosts.splice(this.hosts.indexOf(session.joined.host), 1);
    }
  }

  // ── for those who live in it ───────────────────────────────────────────────────────────────────────────────────────

  /** Memory is the world's own: where the last one stopped in a shared piece would show in how output is cut. */
  platform(seed: number): Platform {
    return { random: seededRandom(seed), allocate: this.allocate };
  }

  private host(name: string): Host {
    const host = new Host(name, this.time);
    this.hosts.push(host);
    return host;
  }

  /** A connection begins: its actions are armed. */
  add(session: Session): void {
    this.count++;
    this.sessions.add(session);
    for (const peer of [session.client, session.server]) {
      const peers = this.peersOf.get(peer.host) ?? [];
      this.peersOf.set(peer.host, peers);
      peers.push(peer);
    }
    for (const action of this.bySession.get(session.key) ?? []) {
      const peer = session[action.side];
      if (LISTENER_KINDS.has(action.kind)) peer.inside.push(action);
      else if (action.at === null) peer.armed.push({ action, after: action.after });
      else this.later(peer.host, action.at, () => this.act(peer, action));
    }
    session.start();
  }

  /** Runs `act` as a task of the host, `duration` milliseconds from now. */
  later(host: Host, duration: number, act: () => void): void {
    const { network } = host;
    network.schedule({ wake: act }, network.now() + Math.floor(duration));
  }

  /** Does what is planned for one side. */
  act(peer: Peer, action: Action): void {
    const { kind, size, seed } = action;
    const { phase } = peer;
    if (!isFault(kind)) {
      this.note(peer.name, 'does', kind, 0);
      perform(kind, peer, size, seed, this.machineOf(peer));
      return;
    }
    if (kind === 'close' && phase === 'connecting') peer.session.damage('closed while connecting');
    this.note(peer.name, 'fault', kind, Math.floor(1_000 * size));
    if (strike(kind, peer, size, seed)) this.table.add(kind, phase);
  }

  /** Misbehaves in a listener; what is returned is the listener's. */
  actInListener(peer: Peer, action: Action, type: string): unknown {
    const { kind, size, seed, phase } = action;
    // What is sent there goes ahead of what waits: that is another order, and a test of its own.
    if (type === 'open' && peer.session.reconnecting !== null) return undefined;
    // An endpoint of a gateway's says nothing but what its backend says.
    if (kind === 'operation in a listener' && peer.role === 'server' && peer.session.joined !== null) return undefined;
    this.note(peer.name, `in ${type}`, kind, 0);
    this.table.add(kind as Parameters<Table['add']>[0], phase);
    switch (kind) {
      case 'listener throws':
        peer.session.damage(kind);
        throw new Error('a listener threw');
      case 'listener rejects':
        peer.session.damage(kind);
        this.restless++;
        return Promise.resolve().then(() => {
          this.restless--;
          throw new Error('a listener rejected');
        });
      case 'slow listener': {
        peer.session.damage(kind);
        const { promise, resolve } = gate();
        this.restless++;
        this.later(peer.host, 8_000 * size, resolve);
        // The endpoint has its turn first.
        const told = (): void => {};
        void promise
          .then(told)
          .then(told)
          .then(told)
          .then(() => this.restless--);
        return promise;
      }
      default: {
        const acts = [
          'send',
          'ping',
          'stream',
          'terminate',
          'close',
          'slow reader',
          'burst',
          'broadcast',
          'misuse',
        ] as const;
        const act = acts[seed % acts.length]!;
        if (!isFault(act)) perform(act, peer, size, seed, this.machineOf(peer));
        else strike(act, peer, size, seed);
        return undefined;
      }
    }
  }

  private machineOf(peer: Peer): Machine | null {
    return peer.role === 'client' ? null : (this.machines.find(({ host }) => host === peer.host) ?? null);
  }

  /** The server's side of a connection, by its endpoint. */
  peerOf(endpoint: ServerEndpoint): Peer | null {
    for (const session of this.sessions) if (session.server.endpoint === endpoint) return session.server;
    return null;
  }

  /** A piece is about to be delivered: what came of the one before is held to account. */
  delivered(peer: Peer): void {
    this.steps++;
    peer.check();
  }

  /** Something is owed by one that is no endpoint. */
  owes(what: string, promise: Promise<unknown>): void {
    this.restless++;
    this.owed.set(what, (this.owed.get(what) ?? 0) + 1);
    promise.then(
      () => {
        this.restless--;
        const left = this.owed.get(what)! - 1;
        if (left === 0) this.owed.delete(what);
        else this.owed.set(what, left);
      },
      (error: unknown) => this.fail(new Violation(`${what} rejected: ${error}`)),
    );
  }

  /** Goes into the hash, and into the trace if there is one. */
  note(who: string, what: string, detail: string, value: number): void {
    let { hash } = this;
    hash = Math.imul(hash ^ (this.time.now | 0), 0x0100_0193);
    hash = Math.imul(hash ^ value, 0x0100_0193);
    hash = Math.imul(hash ^ this.steps, 0x0100_0193);
    for (let i = 0; i < who.length; i++) hash = Math.imul(hash ^ who.charCodeAt(i), 0x0100_0193);
    for (let i = 0; i < detail.length; i++) hash = Math.imul(hash ^ detail.charCodeAt(i), 0x0100_0193);
    this.hash = hash;
    if (this.trace === null) return;
    if (this.trace.length >= TRACED) this.trace.splice(0, TRACED / 2);
    this.trace.push(
      `${String(this.steps).padStart(7)} ${this.time.now.toFixed(0).padStart(7)} ms  ${who}: ${what} ${detail} ${value || ''}`,
    );
  }

  /** The first failure counts. */
  fail(failure: Violation): void {
    if (this.failure !== null) return;
    this.failure = failure;
    this.failedAt = this.steps;
  }

  // ── the verdict ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** After a long silence: half-open links were noticed, and whole ones answer. */
  private async checkAlive(): Promise<void> {
    const answers: { peer: Peer; latency: number | null | undefined }[] = [];
    for (const session of this.sessions) {
      checkNoticed(session);
      const { damages, client, server } = session;
      for (const peer of [client, server]) {
        if (damages.size > 0 || peer.phase !== 'open') continue;
        const answer: { peer: Peer; latency: number | null | undefined } = { peer, latency: undefined };
        answers.push(answer);
        peer.owes('ping', peer.endpoint.ping(), (latency) => {
          answer.latency = latency;
        });
      }
    }
    await this.until(this.time.now + 2_000);
    for (const { peer, latency } of answers) {
      if (typeof latency !== 'number') peer.broken(`a ping was not answered: ${latency}`);
    }
  }

  /** Invariant 9, and that nothing is left behind. */
  private checkEnd(): void {
    for (const session of this.sessions) judge(session);
    for (const fleet of this.fleets) {
      const objection = fleet.objection();
      if (objection !== '') this.fail(new Violation(`${fleet.host.name} ${objection}`));
    }
    for (const { registry, host } of this.machines) {
      if (registry.size > 0) this.fail(new Violation(`${host.name} still has ${registry.size} connections`));
    }
    for (const host of this.hosts) {
      if (host.pending > 0) this.fail(new Violation(`${host.name} still has ${host.pendingNames}`));
    }
    if (this.owed.size > 0) this.fail(new Violation(`owed: ${[...this.owed.keys()].join(', ')}`));
    if (this.restless !== 0) this.fail(new Violation(`${this.restless} promises never settled`));
  }
}

function gate(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
