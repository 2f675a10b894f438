/**
 * What happens in a world, all of it: who connects when and how, what applications do, and which faults befall whom. A plan
 * follows from its seed alone, and each action stands by itself, so that some can be left out to find those that matter.
 */

import type { EndpointOptions } from '../src/endpoint/options.ts';
import type { FrameType } from '../src/gateway/relay.ts';
import type { Framing } from '../src/gateway/stream-framing.ts';
import type { Phase } from '../src/index.ts';
import { seededNumbers } from '../test/support/random.ts';
import { BACKEND_KINDS, FAULT_KINDS, type FaultKind, isPossible, LISTENER_KINDS } from './faults.ts';
import type { LinkNature } from './link.ts';

/** What applications do when nothing is wrong. */
export const OPERATIONS = [
  'send',
  'burst',
  'ping',
  'pong',
  'drained',
  'stream',
  'broadcast',
  'misuse',
  'finish',
] as const;
export type Operation = (typeof OPERATIONS)[number];

export type Side = 'client' | 'server';

/** One thing that happens on one side of one session. */
export interface Action {
  readonly session: string;
  readonly side: Side;
  readonly kind: Operation | FaultKind;
  /** Milliseconds after the session began; null: when this side is in `phase`, `after` steps later. */
  readonly at: number | null;
  readonly phase: Phase;
  readonly after: number;
  /** From 0 up to 1: how long, how much, how many. */
  readonly size: number;
  readonly seed: number;
}

/** How a server answers a request. */
export interface Answer {
  readonly status: 101 | 403 | 503;
  /** Milliseconds until it is decided. */
  readonly delay: number;
}

/** One connection of a client that does not connect again. */
export interface SessionPlan {
  readonly key: string;
  readonly server: number;
  readonly startAt: number;
  readonly seed: number;
  readonly nature: LinkNature;
  readonly answer: Answer;
  /** Nothing befalls it that may break it: everything must arrive, and it must end cleanly. */
  readonly calm: boolean;
}

/** One connection through a gateway to a process behind it. */
export interface JoinedPlan extends SessionPlan {
  /** How the link between the two is. */
  readonly behind: LinkNature;
  /** Milliseconds until the backend has accepted. */
  readonly dialing: number;
  readonly framing: Framing;
  readonly frameType: FrameType;
  /** The longest message, in bytes. */
  readonly limit: number;
  /** The backend does not end when its client does. */
  readonly stubborn: boolean;
}

/** A client that connects again. */
export interface ClientPlan {
  readonly key: string;
  readonly server: number;
  readonly startAt: number;
  readonly seed: number;
  readonly sends: readonly { readonly at: number; readonly size: number }[];
  /** When it is stopped and started, its network changes. */
  readonly turns: readonly { readonly at: number; readonly do: 'stop' | 'start' | 'networkChanged' }[];
}

/** A world before it begins. */
export interface Plan {
  readonly seed: number;
  /** Milliseconds until everybody is asked to close. */
  readonly duration: number;
  readonly servers: number;
  readonly options: EndpointOptions;
  readonly clientOptions: EndpointOptions;
  readonly sessions: readonly SessionPlan[];
  readonly clients: readonly ClientPlan[];
  readonly joined: readonly JoinedPlan[];
  /** Of the gateways: the longest message. */
  readonly limit: number;
  readonly actions: readonly Action[];
}

const PHASES: readonly Phase[] = ['connecting', 'open', 'close-sent', 'draining', 'failing', 'closed'];
/** Nothing that these do may break a connection. */
const HARMLESS: readonly FaultKind[] = ['shred', 'stall', 'partial write', 'early alarm'];
const HARMLESS_BEHIND: readonly FaultKind[] = [
  'backend shred',
  'backend stall',
  'backend partial write',
  'backend slow reader',
];
/** What strikes an endpoint itself. */
const FRONT_KINDS = FAULT_KINDS.filter((kind) => !BACKEND_KINDS.has(kind));
const SESSIONS = 28;
const CLIENTS = 3;
const JOINED = 8;
/** Attempts of one client for which there are actions. */
const ATTEMPTS = 6;

/** Chance with a few habits. */
class Dice {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = seededNumbers(seed);
  }

  get unit(): number {
    return this.next();
  }

  get seed(): number {
    return Math.floor(this.next() * 0x7fff_ffff);
  }

  upTo(most: number): number {
    return Math.floor(this.next() * most);
  }

  yes(chance: number): boolean {
    return this.next() < chance;
  }

  of<T>(...values: readonly T[]): T {
    return values[Math.floor(this.next() * values.length)]!;
  }
}

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const dice = new Dice(seed);
  const options = optionsFrom(dice);
  const clientOptions: EndpointOptions = { ...optionsFrom(dice), compression: options.compression ?? false };
  const duration = 60_000 + dice.upTo(60_000);
  const sessions: SessionPlan[] = [];
  const clients: ClientPlan[] = [];
  const actions: Action[] = [];
  const servers = 1 + dice.upTo(3);
  for (let i = 0; i < SESSIONS; i++) {
    const key = `c${i}`;
    const calm = dice.yes(0.3);
    const startAt = dice.upTo(duration);
    sessions.push({
      key,
      server: dice.upTo(servers),
      startAt,
      seed: dice.seed,
      nature: natureFrom(dice),
      answer: calm ? { status: 101, delay: dice.of(0, 0, 50) } : answerFrom(dice),
      calm,
    });
    planSession(dice, key, calm, actions);
  }
  for (let i = 0; i < CLIENTS; i++) {
    const key = `r${i}`;
    const startAt = dice.upTo(duration / 4);
    const times = (most: number): number[] =>
      Array.from({ length: dice.upTo(most) }, () => startAt + dice.upTo(duration - startAt)).sort((a, b) => a - b);
    clients.push({
      key,
      server: dice.upTo(servers),
      startAt,
      seed: dice.seed,
      sends: times(60).map((at) => ({ at, size: dice.unit })),
      turns: times(6).map((at) => ({ at, do: dice.of('stop', 'start', 'start', 'networkChanged') })),
    });
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) planSession(dice, `${key}.${attempt}`, false, actions);
  }
  const limit = dice.of(Number.POSITIVE_INFINITY, 20_000);
  const joined = Array.from({ length: JOINED }, (_, i) => joinedFrom(dice, `g${i}`, duration, limit, actions));
  return { seed, duration, servers, options, clientOptions, sessions, clients, joined, limit, actions };
}

function joinedFrom(dice: Dice, key: string, duration: number, limit: number, actions: Action[]): JoinedPlan {
  const calm = dice.yes(0.3);
  const plan: JoinedPlan = {
    key,
    server: 0,
    startAt: dice.upTo(duration),
    seed: dice.seed,
    nature: natureFrom(dice),
    answer: calm ? { status: 101, delay: 0 } : answerFrom(dice),
    calm,
    // Who waits for a slow backend closes late, and then not in order.
    behind: { ...natureFrom(dice), ...(calm ? { latency: dice.of(0, 1, 10), jitter: 0 } : {}) },
    dialing: dice.of(0, 1, 30, 500),
    framing: dice.of('nul', 'line', 'length-prefixed', 'length-prefixed', 'chunk'),
    frameType: dice.of('text', 'binary', 'auto'),
    limit,
    stubborn: dice.yes(0.1),
  };
  planSession(dice, key, calm, actions);
  const push = (kind: FaultKind, phase: Phase, at: number | null): void => {
    const after = dice.upTo(phase === 'open' ? 60 : 3);
    actions.push({ session: key, side: 'server', kind, at, phase, after, size: dice.unit, seed: dice.seed });
  };
  for (let n = 4 + dice.upTo(12); n > 0; n--) {
    const kind = calm ? dice.of(...HARMLESS_BEHIND) : dice.of<FaultKind>(...BACKEND_KINDS, 'backend freeze');
    const phase = dice.yes(0.25) ? 'open' : dice.of<Phase>(...PHASES, 'close-sent', 'draining', 'draining');
    push(kind, phase, phase === 'open' && dice.yes(0.5) ? dice.upTo(10_000) : null);
  }
  // Seldom does a backend still speak when the gateway has closed.
  if (!calm && dice.yes(0.4)) {
    const phase = dice.of<Phase>('close-sent', 'draining');
    push('backend misframes', phase, null);
    if (phase === 'close-sent') push('close', 'open', dice.upTo(3_000));
  }
  return plan;
}

function planSession(dice: Dice, session: string, calm: boolean, actions: Action[]): void {
  const life = dice.of(50, 2_000, 10_000, 40_000);
  const side = (): Side => dice.of('client', 'server');
  const push = (kind: Action['kind'], more: Partial<Action> = {}): void => {
    actions.push({
      session,
      side: side(),
      kind,
      at: dice.upTo(life),
      phase: 'open',
      after: dice.upTo(12),
      size: dice.unit,
      seed: dice.seed,
      ...more,
    });
  };
  for (let n = 2 + dice.upTo(24); n > 0; n--) {
    const kind = dice.of<Operation>(
      'send',
      'send',
      'send',
      'burst',
      'ping',
      'pong',
      'drained',
      'stream',
      'broadcast',
      'misuse',
    );
    push(kind, dice.yes(0.4) ? { at: null } : {});
  }
  for (let n = 4 + dice.upTo(14); n > 0; n--) {
    const kind = calm ? dice.of(...HARMLESS) : dice.of(...FRONT_KINDS);
    const possible = PHASES.filter((phase) => isPossible(kind, phase));
    // What hits an open connection hard leaves no other phase to see: the later ones get their share.
    const phase = dice.yes(0.25) ? 'open' : dice.of(...possible, 'draining');
    if (!isPossible(kind, phase)) continue;
    const timed = !LISTENER_KINDS.has(kind) && phase === 'open' && dice.yes(0.5);
    const where = side();
    push(kind, { side: where, phase, at: timed ? dice.upTo(life) : null, after: dice.upTo(phase === 'open' ? 60 : 3) });
    if (!LISTENER_KINDS.has(kind) || phase === 'open' || phase === 'closed') continue;
    // Little is told so late: messages of a peer that has not seen our Close, and that output has left.
    const far = where === 'client' ? 'server' : 'client';
    const talker = phase === 'close-sent' ? far : where;
    const moment = dice.upTo(life);
    push('partial write', { side: talker, at: moment, size: 0 });
    push('stall', { side: talker, at: moment, size: 0.35 });
    push('burst', { side: talker, at: moment + 1 });
    if (phase === 'failing') push('garbage', { side: where, at: moment + 100 });
    else push('finish', { side: phase === 'draining' ? far : where, at: moment + 100 });
  }
  const closer = dice.of<'client' | 'server' | 'both'>('client', 'server', 'both');
  if (closer !== 'server') push('finish', { side: 'client', at: life });
  if (closer !== 'client') push('finish', { side: 'server', at: life });
}

function natureFrom(dice: Dice): LinkNature {
  return {
    latency: dice.of(0, 0, 1, 20, 120),
    jitter: dice.of(0, 0, 5, 80),
    piece: dice.of(7, 100, 1_500, 100_000),
    window: dice.of(1, 200, 65_536, 10_000_000),
    borrowed: dice.yes(0.4),
  };
}

function answerFrom(dice: Dice): Answer {
  return { status: dice.yes(0.9) ? 101 : dice.of(403, 503), delay: dice.of(0, 0, 0, 30, 500, 12_000) };
}

function optionsFrom(dice: Dice): EndpointOptions {
  return {
    closeTimeout: dice.of(3_000, 5_000),
    pingInterval: dice.yes(0.1) ? null : dice.of(2_000, 10_000, 25_000),
    pongTimeout: dice.of(3_000, 20_000),
    highWaterMark: dice.of(64, 1_000, 65_536),
    maxBufferedAmount: dice.of(3_000, 200_000, 4_194_304),
    overflow: dice.of('close', 'refuse'),
    delivery: dice.yes(0.25) ? 'fragment' : 'message',
    text: dice.yes(0.2) ? 'bytes' : 'string',
    borrow: dice.yes(0.2),
    concurrency: dice.of(1, 1, 4),
    ...(dice.yes(0.12) ? { compression: true } : {}),
  };
}
