/** An endpoint whose transport is in the test's hand: it writes as much as it is told to, and records all that it is given. */

import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { type EndpointOptions, EndpointSettings } from '../../src/endpoint/options.ts';
import { EstablishedConnection, type EstablishedOptions, type WebSocketError } from '../../src/index.ts';
import { VirtualClock } from '../../src/transport/memory.ts';
import type { Addresses, Transport, TransportSink } from '../../src/transport/transport.ts';
import { frame, join, readFrames, seeded, type WireFrame } from '../rfc6455/support.ts';

/** A transport that drains only when it is told to. */
export class ScriptTransport implements Transport {
  readonly addresses: Addresses = {
    remoteAddress: '192.0.2.1',
    remotePort: 1,
    localAddress: '192.0.2.2',
    localPort: 2,
    secure: false,
  };
  sink: TransportSink | null = null;
  unwritten = 0;
  /** Bytes that leave at once. */
  appetite: number;
  /** Copies of all that was given, or only their length. */
  readonly chunks: Uint8Array[] = [];
  given = 0;
  writes = 0;
  paused = false;
  ended = false;
  destroyed = false;
  keeping = true;

  constructor(appetite = Number.POSITIVE_INFINITY) {
    this.appetite = appetite;
  }

  start(sink: TransportSink): void {
    this.sink = sink;
  }

  write(chunks: readonly Uint8Array[]): number {
    this.writes++;
    for (const chunk of chunks) {
      this.given += chunk.length;
      this.unwritten += chunk.length;
      if (this.keeping) this.chunks.push(chunk.slice());
    }
    this.eat();
    return this.unwritten;
  }

  private eat(): void {
    const size = Math.min(this.unwritten, this.appetite);
    this.unwritten -= size;
    this.appetite -= size;
  }

  /** The kernel takes `size` more bytes. */
  drain(size = Number.POSITIVE_INFINITY): void {
    this.appetite += size;
    this.eat();
    this.sink?.written();
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.sink?.closed();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  ref(): void {}
  unref(): void {}

  get wire(): Uint8Array {
    return join(...this.chunks);
  }

  get frames(): WireFrame[] {
    return readFrames(this.wire);
  }
}

/** What came of `script`. */
export interface Script {
  readonly endpoint: Endpoint;
  readonly transport: ScriptTransport;
  readonly clock: VirtualClock;
  readonly warnings: WebSocketError[];
  /** Bytes come from the peer, lent or given away. */
  readonly feed: (bytes: Uint8Array, borrowed?: boolean) => void;
  /** A frame as the peer of this role would send it. */
  readonly peer: (opcode: number, payload?: Uint8Array | string, fin?: boolean) => Uint8Array;
}

/** An open endpoint over a transport in the test's hand. It has no consumer yet. */
export function script(
  options: EndpointOptions = {},
  transport: ScriptTransport = new ScriptTransport(),
  agreed: Partial<EstablishedOptions> = {},
): Script {
  const clock = new VirtualClock();
  const warnings: WebSocketError[] = [];
  const settings = new EndpointSettings({ platform: { random: seeded() }, ...options });
  const role = agreed.role ?? 'server';
  const connection = new EstablishedConnection({ ...agreed, role }, settings.connection, 0);
  const environment = { clock, warn: (error: WebSocketError) => warnings.push(error) };
  const endpoint = new Endpoint(connection, transport, settings, environment);
  endpoint.start();
  const scratch = new Uint8Array(131_072);
  return {
    endpoint,
    transport,
    clock,
    warnings,
    feed(bytes, borrowed = false) {
      if (!borrowed) {
        transport.sink!.received(bytes.slice());
        return;
      }
      for (let at = 0; at < bytes.length; at += scratch.length) {
        const piece = bytes.subarray(at, at + scratch.length);
        scratch.set(piece);
        transport.sink!.receivedBorrowed(scratch, piece.length);
        scratch.fill(0xee);
      }
    },
    peer: (opcode, payload = '', fin = true) =>
      frame({ opcode, payload, fin, mask: role === 'server' ? [9, 8, 7, 6] : null }),
  };
}
