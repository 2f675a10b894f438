/** The load of `sansocket bench`: connections that send a message when the one before has come back. */

import { connect } from '../client/connect.ts';
import type { ConnectOptions } from '../client/options.ts';
import type { MessageEvent } from '../connection/events.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { Histogram } from './histogram.ts';

/** What is to be sent, and until when. */
export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  /** Messages of each connection that are under way at a time. */
  readonly inFlight: number;
  readonly size: number;
  readonly binary: boolean;
  /** Milliseconds, or null for no end but that of `messages`. */
  readonly duration: number | null;
  /** Messages of all connections together, or null. */
  readonly messages: number | null;
  readonly connect: ConnectOptions;
  readonly signal: AbortSignal;
}

/** What was measured. */
export interface LoadResult {
  readonly latency: Histogram;
  /** Milliseconds from the first message to the last answer; with a `duration` to its end, so that a silence counts. */
  readonly elapsed: number;
  readonly messages: number;
  /** Bytes on the wire of this side, in and out, while it ran. */
  readonly received: number;
  readonly sent: number;
  /** Milliseconds that it took to open the connections. */
  readonly opening: number;
  /** Connections that ended before the load did. */
  readonly lost: number;
}

/** Nobody gave anything back for so long: what is there is no echo server. */
const PATIENCE = 10_000;
/** Connections that are opened at a time. */
const OPENING = 64;

/** A number of connections under load. */
export class Load {
  readonly latency: Histogram = new Histogram();
  /** Milliseconds since the first message, or 0. */
  private startedAt = 0;
  private readonly options: LoadOptions;
  private readonly data: string | Uint8Array;
  private readonly sockets: Endpoint[] = [];
  private sent = 0;
  private lost = 0;
  private stopped = false;
  private lastAnswer = 0;
  private finished: (() => void) | null = null;

  constructor(options: LoadOptions) {
    this.options = options;
    const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(Math.ceil(options.size / 26)).slice(0, options.size);
    this.data = options.binary ? new Uint8Array(Buffer.from(text)) : text;
  }

  /** How much is done, from 0 to 1. */
  get progress(): number {
    const { duration, messages } = this.options;
    if (this.startedAt === 0) return 0;
    const byTime = duration === null ? 0 : (performance.now() - this.startedAt) / duration;
    const byCount = messages === null ? 0 : this.latency.count / messages;
    return Math.min(1, Math.max(byTime, byCount));
  }

  /** Rejects with the first failure to connect, or when no answer comes. */
  async run(): Promise<LoadResult> {
    const before = performance.now();
    try {
      await this.open();
      const opening = performance.now() - before;
      const bytesBefore = this.bytes();
      this.startedAt = this.lastAnswer = performance.now();
      await this.load();
      const endedAt = this.options.duration === null ? this.lastAnswer : performance.now();
      const bytes = this.bytes();
      return {
        latency: this.latency,
        elapsed: Math.max(0.001, endedAt - this.startedAt),
        messages: this.latency.count,
        received: bytes.received - bytesBefore.received,
        sent: bytes.sent - bytesBefore.sent,
        opening,
        lost: this.lost,
      };
    } finally {
      this.stopped = true;
      for (const socket of this.sockets) void socket.close();
      await Promise.all(this.sockets.map(({ closed }) => closed));
    }
  }

  private async open(): Promise<void> {
    const { connections, url, connect: options, signal } = this.options;
    let next = 0;
    const opener = async () => {
      while (next < connections) {
        next++;
        this.sockets.push(await connect(url, { ...options, signal }));
      }
    };
    const openers = Array.from({ length: Math.min(OPENING, connections) }, opener);
    // Those that open after the first failure are closed as well.
    const results = await Promise.allSettled(openers);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private load(): Promise<void> {
    const { duration, signal, inFlight } = this.options;
    return new Promise((resolve, reject) => {
      const timer = duration === null ? null : setTimeout(() => this.finish(), duration);
      const watch = setInterval(() => {
        if (performance.now() - this.lastAnswer < PATIENCE) return;
        done();
        reject(
          Object.assign(new Error('no answer came for 10 s: the server must give back every message'), {
            code: 'ENOECHO',
          }),
        );
      }, 1_000);
      const stop = () => this.finish();
      const done = () => {
        if (timer !== null) clearTimeout(timer);
        clearInterval(watch);
        signal.removeEventListener('abort', stop);
        this.stopped = true;
      };
      this.finished = () => {
        done();
        resolve();
      };
      signal.addEventListener('abort', stop, { once: true });
      for (const socket of this.sockets) new Runner(socket, this, inFlight).start();
    });
  }

  private finish(): void {
    const { finished } = this;
    this.finished = null;
    finished?.();
  }

  /** Sends one message if there is one to send. */
  send(socket: Endpoint): boolean {
    const { messages, binary } = this.options;
    if (this.stopped || (messages !== null && this.sent >= messages)) return false;
    this.sent++;
    return socket.send(this.data, { binary }).success;
  }

  answered(latency: number, now: number): void {
    if (this.stopped) return;
    this.latency.add(latency);
    this.lastAnswer = now;
    if (this.latency.count === this.options.messages) this.finish();
  }

  ended(): void {
    if (this.stopped) return;
    this.lost++;
    if (this.lost === this.sockets.length) this.finish();
  }

  private bytes(): { received: number; sent: number } {
    let received = 0;
    let sent = 0;
    for (const { statistics } of this.sockets) {
      received += statistics.bytesReceived;
      sent += statistics.bytesSent;
    }
    return { received, sent };
  }
}

/** One connection: remembers when its messages left, oldest first, as they come back in order. */
class Runner {
  private readonly socket: Endpoint;
  private readonly load: Load;
  private readonly inFlight: number;
  private readonly times: Float64Array;
  private first = 0;
  private count = 0;

  constructor(socket: Endpoint, load: Load, inFlight: number) {
    this.socket = socket;
    this.load = load;
    this.inFlight = inFlight;
    this.times = new Float64Array(inFlight);
  }

  start(): void {
    this.socket.on('message', this.onMessage);
    this.socket.on('close', () => this.load.ended());
    for (let i = 0; i < this.inFlight; i++) this.send();
  }

  private readonly onMessage = (_: MessageEvent): void => {
    if (this.count === 0) return;
    const now = performance.now();
    const latency = now - this.times[this.first]!;
    this.first = (this.first + 1) % this.inFlight;
    this.count--;
    this.load.answered(latency, now);
    this.send();
  };

  private send(): void {
    const at = (this.first + this.count) % this.inFlight;
    if (!this.load.send(this.socket)) return;
    this.times[at] = performance.now();
    this.count++;
  }
}
