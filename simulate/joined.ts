/**
 * What a gateway adds to a connection: the relay, the backend's connection as the gateway has it, and the process at its other
 * end. The gateway's own classes run here; only Node's socket is another (socket.ts).
 */

import { isUtf8 } from 'node:buffer';
import type { CloseEvent } from '../src/endpoint/events.ts';
import { Backend } from '../src/gateway/backend.ts';
import { Relay } from '../src/gateway/relay.ts';
import { HOLD } from '../src/gateway/stream-framing.ts';
import { seededNumbers } from '../test/support/random.ts';
import { BackendProcess, ExpectedBytes } from './backend.ts';
import { type BackendFault, HARMLESS } from './faults.ts';
import type { Machine } from './fleet.ts';
import type { Host } from './hosts.ts';
import { type ChunkReader, LinkEnd } from './link.ts';
import { contentOf, type Descriptor, isContent, splitterOf } from './messages.ts';
import type { JoinedPlan, Operation } from './plan.ts';
import type { Session } from './session.ts';
import { SimulatedSocket } from './socket.ts';
import { Violation } from './watch.ts';

/** No client of the simulated world closes with it. */
const END_CODE = 1012;
const HIGH_WATER_MARK = 4_000;
const CLOSE_TIMEOUT = 4_000;
/** Some backends freeze for longer. */
const SEND_TIMEOUT = 5_000;
/** What may wait for a backend that has ended. */
const PARTING = 4_194_304;
/** A read of the gateway's, what a decoder may hold, and the frames around both. */
const ONE_TURN = 131_072 + HOLD + 4_096;
/** Whatever a stream of bytes is. */
const ANYTHING: ChunkReader = { read: () => '' };
/** Applications that do so are told no more. */
const DROPPING = ['listener throws', 'listener rejects', 'terminate'];
/** No stall lasts longer. */
const LONGEST_WAY = 25_000;

/** The gateway's part of one session. */
export class Joined {
  /** Where the backend lives. */
  readonly host: Host;
  /** What clients must leave out. */
  readonly without: number | null;
  /** The longest message, in bytes. */
  readonly limit: number;
  /** The client was held when its connection closed: such an endpoint drops what still comes. */
  dropped = false;
  private readonly session: Session;
  private readonly plan: JoinedPlan;
  private readonly machine: Machine;
  private readonly expected: ExpectedBytes;
  private near: LinkEnd<ChunkReader> | null = null;
  private far: LinkEnd<ChunkReader> | null = null;
  private socket: SimulatedSocket | null = null;
  private backend: Backend | null = null;
  private process: BackendProcess | null = null;
  private relay: Relay | null = null;
  private silenced = false;
  private ends = 0;

  constructor(session: Session, plan: JoinedPlan, machine: Machine, host: Host) {
    this.session = session;
    this.plan = plan;
    this.machine = machine;
    this.host = host;
    this.without = splitterOf(plan.framing);
    this.limit = plan.limit;
    this.expected = new ExpectedBytes(session.server, (descriptor) => bytesOf(contentOf(descriptor)));
  }

  // ── the gateway ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Connects to the backend; `then` says whether it was there. */
  dial(then: (connected: boolean) => void): void {
    const { session, plan, machine } = this;
    const { world } = session;
    const chance = seededNumbers(plan.seed ^ 0xbac);
    const endOf = (host: Host, name: string): LinkEnd<ChunkReader> =>
      new LinkEnd(
        host,
        `${plan.key}-${name}`,
        plan.behind,
        ANYTHING,
        chance,
        () => {},
        () => world.delivered(session.server),
      );
    const near = endOf(machine.host, 'near');
    const far = endOf(this.host, 'far');
    near.join(far);
    far.join(near);
    this.near = near;
    this.far = far;
    this.process = new BackendProcess(session, this.host, far, plan);
    const socket = new SimulatedSocket(machine.host, near, (bytes, length) => this.backend!.read(bytes, length));
    // Who does not hear of it, or does not care, is killed by somebody else, when all that is on its way has come.
    socket.on('close', () => {
      if (this.silenced || plan.stubborn) world.later(this.host, LONGEST_WAY, () => this.process?.kill());
    });
    this.socket = socket;
    this.backend = new Backend(socket.asSocket, machine.host.clock);
    world.later(machine.host, plan.dialing, () => then(!socket.destroyed));
  }

  /** The client has its 101. */
  start(): void {
    const { session, plan, machine } = this;
    const { framing, frameType, limit } = plan;
    const rules = {
      framing,
      frameType,
      limit,
      endCode: END_CODE,
      highWaterMark: HIGH_WATER_MARK,
      closeTimeout: CLOSE_TIMEOUT,
      sendTimeout: SEND_TIMEOUT,
    };
    const { memory } = machine.settings.connection;
    this.relay = new Relay(session.server.endpoint, this.backend!, rules, machine.host.clock, memory, () => {
      if (++this.ends > 1) session.world.fail(new Violation(`${plan.key}: its relay ended twice`));
    });
    this.relay.start();
  }

  /** The client left before its 101, or with the relay, which sees to the rest. */
  gone(): void {
    if (this.relay === null) this.backend?.destroy();
  }

  // ── what happens ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the application of a server does, the backend does here; false if it is the gateway's to do. */
  perform(operation: Operation, size: number, seed: number): boolean {
    const { process } = this;
    const most = seed % 11 === 0 ? 12_000 : 400;
    switch (operation) {
      case 'send':
      case 'broadcast':
        process?.send(Math.floor(size * (seed % 40 === 1 ? 90_000 : 600)), seed % 2 === 0);
        return true;
      case 'burst':
        for (let i = 3 + (seed % 40); i > 0; i--) process?.send(Math.floor(size * most), i % 2 === 0);
        return true;
      case 'stream':
        process?.send(Math.floor(size * 3_000), seed % 2 === 0, this.session.calm ? 10 : 1 + 3_000 * size);
        return true;
      case 'finish':
        process?.finish();
        return true;
      case 'drained':
        return true;
      default:
        return false;
    }
  }

  /** A fault behind the gateway; false if there is nothing to strike at. */
  strike(kind: BackendFault, size: number): boolean {
    const { session, near, far, process } = this;
    const { calm } = session;
    if (near === null || far === null || process === null || process.over) return false;
    switch (kind) {
      case 'backend shred':
        near.shred(1 + Math.floor(size * 400));
        far.shred(1 + Math.floor(size * 400));
        return true;
      case 'backend partial write':
        near.narrow(1 + Math.floor(size * 60));
        return true;
      case 'backend stall':
        near.stall(calm ? HARMLESS * size : 20_000 * size * size);
        far.stall(calm ? HARMLESS * size : 20_000 * size * size);
        if (calm) return true;
        break;
      case 'backend slow reader':
        process.rest(calm ? HARMLESS * size : 15_000 * size);
        if (calm) return true;
        break;
      case 'backend freeze':
        this.host.freeze(30_000 * size * size * size);
        break;
      case 'backend reset':
        near.reset();
        far.reset();
        break;
      case 'backend silence':
        this.silenced = true;
        near.deafen();
        far.deafen();
        break;
      case 'backend misframes':
        if (!process.misframe()) return false;
        break;
      case 'backend end':
        process.finish();
        // An end in order breaks nothing.
        return true;
    }
    session.damage(kind);
    return true;
  }

  /** Whoever runs the backends finds those that are silent, and restarts them: a gateway that waits for one does not read its client. */
  restart(): void {
    if (!this.silenced) return;
    this.near?.reset();
    this.far?.reset();
  }

  // ── what must hold ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** The client got a message. */
  told(kind: 'text' | 'binary', data: string | Uint8Array): void {
    const { session, plan } = this;
    const { client, server } = session;
    const bytes = bytesOf(data);
    const isText = plan.frameType === 'text' || (plan.frameType === 'auto' && bytes.length <= HOLD && isUtf8(bytes));
    if (isText !== (kind === 'text')) client.broken(`${bytes.length} bytes of a backend came as ${kind}`);
    if (plan.framing === 'chunk') {
      const objection = this.expected.take(bytes);
      if (objection !== '') client.broken(`got ${objection}`);
      return;
    }
    const sent: Descriptor | undefined = server.sent[server.delivered];
    if (sent === undefined) client.broken(`a message of ${data.length} that its backend did not send`);
    else if (!isContent(sent, sent.text ? 'text' : 'binary', bytes)) {
      client.broken(`message ${sent.number} of its backend came as another`);
    }
    server.arrived();
  }

  /** Nothing is lost without a word: who hears that the backend has ended in order has heard all of it, unless it left itself. */
  clientClosed({ clean, code, remote }: CloseEvent): void {
    const { session } = this;
    const { client, server, damages } = session;
    if (!client.trusting || !clean) return;
    const left = server.sent.length - server.delivered;
    const dropped = DROPPING.some((how) => damages.has(how));
    if (code === END_CODE && remote && left > 0 && !dropped) {
      client.broken(`the backend's end came before ${left} of its messages`);
    }
    if (code === END_CODE && !this.process!.finished) client.broken('is told of an end that was none');
    if (
      damages.size === 1 &&
      damages.has('backend misframes') &&
      server.closeEvent?.remote === false &&
      code !== 1011
    ) {
      client.broken(`a backend that misframes was told as ${code}`);
    }
  }

  /** Whoever reads slowly holds the other back: the gateway keeps no more than a turn's worth of either. */
  checkBounds(): void {
    const { backend, session, machine, process } = this;
    const { server, client } = session;
    if (backend === null) return;
    if (this.clientHeld && server.phase !== 'open') this.dropped = true;
    const { unsent } = backend.writer;
    const mostUnsent = HIGH_WATER_MARK + client.longest + 8 + (process?.finished === true ? PARTING : 0);
    if (server.trusting && unsent > mostUnsent)
      server.broken(`${unsent} bytes wait for the backend, above ${mostUnsent}`);
    const { bufferedAmount } = server.endpoint;
    const most = machine.settings.highWaterMark + ONE_TURN;
    if (bufferedAmount > most)
      server.broken(`${bufferedAmount} bytes of the backend wait for the client, above ${most}`);
  }

  /** The gateway does not read its client, as the backend does not read: so it does not look for the client either. */
  get clientHeld(): boolean {
    return (this.relay as unknown as { clientHeld: boolean } | null)?.clientHeld === true;
  }

  /** Both ends of the backend's connection are over, and the relay. */
  get over(): boolean {
    const { socket, process } = this;
    if (socket === null || process === null) return true;
    if (this.relay !== null && this.ends === 0) return false;
    return socket.destroyed && process.over;
  }

  /** What is wrong in the end, or nothing. */
  objection(): string {
    if (!this.over) return `its backend stays: ${this.relay !== null ? `relay ended ${this.ends} times` : 'no relay'}`;
    this.process?.expected.next();
    this.expected.next();
    return '';
  }

  /** The client's own end may leave unheard what the backend said meanwhile. */
  get clientLeft(): boolean {
    return this.session.server.closeEvent?.remote === true;
  }
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data;
}
