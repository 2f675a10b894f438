/**
 * Two transports joined in memory, with a link between them that can be slow, cut, broken or silent, and a clock that moves
 * only when told. Everything is deterministic: simulations and tests replay exactly.
 */

import type { Addresses, Clock, Transport, TransportSink, Wakeable } from './transport.ts';

/** A clock that stands still until it is told to go on. */
export class VirtualClock implements Clock {
  private time: number;
  private readonly alarms: Map<Wakeable, number> = new Map();
  private deferred: (() => void)[] = [];
  private yielded: (() => void)[] = [];
  private holding = 0;

  /** `startAt` is the first time it shows, in milliseconds. */
  constructor(startAt = 0) {
    this.time = startAt;
  }

  now(): number {
    return this.time;
  }

  schedule(task: Wakeable, at: number): void {
    if (at === Number.POSITIVE_INFINITY) this.alarms.delete(task);
    else this.alarms.set(task, at);
  }

  cancel(task: Wakeable, at: number): void {
    if (this.alarms.get(task) === at) this.alarms.delete(task);
  }

  defer<T>(run: (argument: T) => void, argument: T): void {
    this.deferred.push(() => run(argument));
  }

  yield<T>(run: (argument: T) => void, argument: T): void {
    this.yielded.push(() => run(argument));
  }

  hold(): () => void {
    this.holding++;
    return () => {
      this.holding--;
    };
  }

  /** How often a process would be kept alive just now, besides by its sockets. */
  get holds(): number {
    return this.holding;
  }

  /** Wake-ups that are set. */
  get pendingAlarms(): number {
    return this.alarms.size;
  }

  /** When the next wake-up is due, or `Infinity`. */
  get nextAlarm(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.alarms.values());
  }

  /** Runs everything that is due now; time does not move. Returns whether there was anything. */
  runDue(): boolean {
    let ran = false;
    for (;;) {
      const tasks = this.deferred.length > 0 ? this.deferred : this.yielded;
      if (tasks.length > 0) {
        if (tasks === this.deferred) this.deferred = [];
        else this.yielded = [];
        for (const task of tasks) task();
      } else {
        const due = [...this.alarms].find(([, at]) => at <= this.time);
        if (due === undefined) return ran;
        this.alarms.delete(due[0]);
        due[0].wake();
      }
      ran = true;
    }
  }

  /** Moves time on by `duration`, stopping at every wake-up on the way. */
  advance(duration: number): void {
    const end = this.time + duration;
    this.runDue();
    for (let next = this.nextAlarm; next <= end; next = this.nextAlarm) {
      this.time = Math.max(this.time, next);
      this.runDue();
    }
    this.time = end;
    this.runDue();
  }

  /** Runs what is due, and what promises then add, until everything rests; time does not move. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 4; ) {
      idle = this.runDue() ? 0 : idle + 1;
      for (let i = 0; i < 8; i++) await Promise.resolve();
    }
  }

  /** `advance`, letting promises settle at every wake-up. */
  async run(duration: number): Promise<void> {
    const end = this.time + duration;
    await this.settle();
    for (let next = this.nextAlarm; next <= end; next = this.nextAlarm) {
      this.time = Math.max(this.time, next);
      await this.settle();
    }
    this.time = end;
    await this.settle();
  }
}

/** How a link treats what is sent over it. */
export interface LinkOptions {
  /** Milliseconds until a write arrives. Default 0. */
  readonly latency?: number | (() => number);
  /** How many of the `available` bytes arrive in one piece. Default: all of a write. */
  readonly cut?: (available: number) => number;
  /** Bytes on their way, and unread, that still count as written. Default: no bound. */
  readonly window?: number;
  /** Whether bytes are lent in a buffer that is used again (as Node's static reads) instead of given away. Default false. */
  readonly borrowed?: boolean;
}

/** Two transports whose bytes arrive at each other. */
export interface MemoryLink {
  /** One end. */
  readonly left: MemoryTransport;
  /** The other end. */
  readonly right: MemoryTransport;
  /**
   * From now on nothing arrives and nobody is told: the cable is cut. With a side, only what that side sends is lost: the
   * link is half-open.
   */
  silence(sender?: 'left' | 'right'): void;
  /** Breaks the link for both sides at once. */
  reset(cause?: Error): void;
}

/** Joins two transports. */
export function memoryLink(clock: Clock, options: LinkOptions = {}): MemoryLink {
  const left = new MemoryTransport(clock, options, 'left');
  const right = new MemoryTransport(clock, options, 'right');
  left.join(right);
  right.join(left);
  return {
    left,
    right,
    silence(sender) {
      if (sender !== 'right') left.silent = true;
      if (sender !== 'left') right.silent = true;
    },
    reset(cause = new Error('the link was reset')) {
      left.break(cause);
      right.break(cause);
    },
  };
}

interface Packet {
  /** null: the end. */
  bytes: Uint8Array | null;
  readonly at: number;
}

/** One end of a {@link MemoryLink}. */
export class MemoryTransport implements Transport, Wakeable {
  readonly addresses: Addresses;
  /** Nothing is delivered to the other side any more. */
  silent = false;
  private readonly clock: Clock;
  private readonly options: LinkOptions;
  private readonly scratch: Uint8Array;
  private peer: MemoryTransport | null = null;
  private sink: TransportSink | null = null;
  /** What is on its way to this side. */
  private readonly arriving: Packet[] = [];
  private inFlight = 0;
  private planned = 0;
  private paused = false;
  private delivering = false;
  private endSent = false;
  private endReceived = false;
  private over = false;

  /** See {@link memoryLink}, which makes both ends. */
  constructor(clock: Clock, options: LinkOptions, name: string) {
    this.clock = clock;
    this.options = options;
    this.scratch = new Uint8Array(options.borrowed === true ? 65_536 : 0);
    this.addresses = { remoteAddress: name, remotePort: 0, localAddress: name, localPort: 0, secure: false };
  }

  /** @internal */
  join(peer: MemoryTransport): void {
    this.peer = peer;
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    this.plan();
  }

  get unwritten(): number {
    return Math.max(0, this.inFlight - (this.options.window ?? Number.POSITIVE_INFINITY));
  }

  write(chunks: readonly Uint8Array[]): number {
    if (this.over || this.endSent) return 0;
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.inFlight += chunk.length;
      // A copy: what is written may be used again as soon as it counts as written.
      this.send(chunk.slice());
    }
    return this.unwritten;
  }

  end(): void {
    if (this.over || this.endSent) return;
    this.endSent = true;
    this.send(null);
    this.finish();
  }

  destroy(): void {
    if (this.over) return;
    if (!this.endSent) this.send(null);
    this.close(undefined);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.plan();
  }

  ref(): void {}

  unref(): void {}

  /** Breaks this side as a reset by the peer would. */
  break(cause: Error): void {
    if (!this.over) this.close(cause);
  }

  /** Delivers what has arrived. */
  wake(): void {
    if (this.delivering) return;
    this.delivering = true;
    while (!this.paused && !this.over && this.arriving.length > 0 && this.arriving[0]!.at <= this.clock.now()) {
      const packet = this.arriving[0]!;
      if (packet.bytes === null) {
        this.arriving.shift();
        this.endReceived = true;
        this.sink?.ended();
        this.finish();
        continue;
      }
      const available = packet.bytes.length;
      const wish =
        this.options.cut === undefined ? available : Math.max(1, Math.min(available, this.options.cut(available)));
      const size = this.options.borrowed === true ? Math.min(wish, this.scratch.length) : wish;
      const piece = packet.bytes.slice(0, size);
      if (size === available) this.arriving.shift();
      else packet.bytes = packet.bytes.subarray(size);
      this.deliver(piece);
      this.peer?.delivered(size);
    }
    this.delivering = false;
    this.plan();
  }

  private deliver(piece: Uint8Array): void {
    if (this.options.borrowed !== true) {
      this.sink?.received(piece);
      return;
    }
    this.scratch.set(piece);
    this.sink?.receivedBorrowed(this.scratch, piece.length);
    // Whoever kept a view of the loan sees it spoilt.
    this.scratch.fill(0xee);
  }

  private delivered(size: number): void {
    const before = this.unwritten;
    this.inFlight -= size;
    if (before > 0 && this.unwritten < before) this.clock.defer((self: MemoryTransport) => self.sink?.written(), this);
  }

  private send(bytes: Uint8Array | null): void {
    const { peer } = this;
    if (this.silent || peer === null || peer.over) {
      if (bytes !== null && !this.silent) this.inFlight -= bytes.length;
      return;
    }
    const { latency } = this.options;
    const delay = typeof latency === 'function' ? latency() : (latency ?? 0);
    const last = peer.arriving.at(-1)?.at ?? 0;
    peer.arriving.push({ bytes, at: Math.max(last, this.clock.now() + delay) });
    peer.plan();
  }

  private plan(): void {
    if (this.sink === null || this.paused || this.over || this.delivering || this.arriving.length === 0) return;
    this.planned = this.arriving[0]!.at;
    this.clock.schedule(this, this.planned);
  }

  private finish(): void {
    if (this.endSent && this.endReceived && !this.over) this.close(undefined);
  }

  private close(cause: Error | undefined): void {
    this.over = true;
    this.arriving.length = 0;
    this.clock.cancel(this, this.planned);
    this.clock.defer((self: MemoryTransport) => {
      const { sink } = self;
      self.sink = null;
      sink?.closed(cause);
    }, this);
  }
}
