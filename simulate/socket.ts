/**
 * A socket of Node as the gateway uses one, over a link of the simulated world. What is written is only referred to until the
 * kernel takes it: who changes it before is found out.
 */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { TransportSink } from '../src/transport/transport.ts';
import type { Host } from './hosts.ts';
import type { ChunkReader, LinkEnd } from './link.ts';

/** What the kernel takes at once. */
const KERNEL = 65_536;

interface Write {
  readonly bytes: Uint8Array;
  readonly written: () => void;
  at: number;
}

/** One end of a stream, with `allowHalfOpen`. */
export class SimulatedSocket extends EventEmitter implements TransportSink {
  writableLength = 0;
  destroyed = false;
  private readonly host: Host;
  private readonly link: LinkEnd<ChunkReader>;
  private readonly read: (bytes: Uint8Array, length: number) => void;
  private readonly queue: Write[] = [];
  private leaving = false;
  private paused = true;

  /** `read` gets what comes, as `onread` does. */
  constructor(host: Host, link: LinkEnd<ChunkReader>, read: (bytes: Uint8Array, length: number) => void) {
    super();
    this.host = host;
    this.link = link;
    this.read = read;
    link.pause();
    link.start(this);
  }

  /** For those that want one of Node. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  get writable(): boolean {
    return !this.leaving && !this.destroyed;
  }

  write(bytes: Uint8Array, written: () => void): boolean {
    this.queue.push({ bytes, written, at: 0 });
    this.writableLength += bytes.length;
    this.pump();
    return this.writableLength === 0;
  }

  end(): void {
    this.leaving = true;
    this.pump();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.link.destroy();
  }

  pause(): void {
    this.paused = true;
    this.link.pause();
  }

  resume(): void {
    this.paused = false;
    this.link.resume();
  }

  private pump(): void {
    const { queue, link } = this;
    while (queue.length > 0 && link.unwritten === 0 && !this.destroyed) {
      const first = queue[0]!;
      const { bytes, at } = first;
      first.at = Math.min(bytes.length, at + KERNEL);
      link.write([bytes.subarray(at, first.at)]);
      if (first.at < bytes.length) continue;
      queue.shift();
      this.writableLength -= bytes.length;
      this.host.network.defer(first.written, undefined);
    }
    if (queue.length === 0 && this.leaving) link.end();
  }

  // ── what the link reports ──────────────────────────────────────────────────────────────────────────────────────────

  received(bytes: Uint8Array): void {
    this.took(bytes, bytes.length);
  }

  receivedBorrowed(buffer: Uint8Array, length: number): void {
    this.took(buffer, length);
  }

  /** Between two reads there is what they deferred. */
  private took(bytes: Uint8Array, length: number): void {
    this.link.pause();
    this.read(bytes, length);
    this.host.network.defer(resume, this);
  }

  /** @internal */
  goOn(): void {
    if (!this.paused && !this.destroyed) this.link.resume();
  }

  written(): void {
    this.pump();
  }

  ended(): void {
    this.emit('end');
  }

  closed(cause?: unknown): void {
    this.destroyed = true;
    if (cause !== undefined) this.emit('error', cause);
    this.emit('close');
  }
}

function resume(socket: SimulatedSocket): void {
  socket.goOn();
}
