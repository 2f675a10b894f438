/** A proxy between a real client and a real server that does to their bytes what networks do. */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Way = 'up' | 'down';

/** What happens to each chunk on one way; it may keep, cut or change it. */
export type Fault = (chunk: Buffer, way: Way) => Iterable<Buffer>;

/** Forwards every connection to a port of this machine, through a fault. */
export class FaultProxy {
  readonly port: number;
  /** Bytes that came on each way, over all connections. */
  readonly carried: Record<Way, number> = { up: 0, down: 0 };
  private readonly listener: Server;
  private readonly sockets = new Set<Socket>();
  private stalled = false;

  private constructor(listener: Server, to: number, fault: Fault) {
    this.listener = listener;
    this.port = (listener.address() as { port: number }).port;
    listener.on('connection', (near) => {
      const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
      far.setNoDelay(true);
      near.setNoDelay(true);
      void this.carry(near, far, 'up', fault);
      void this.carry(far, near, 'down', fault);
    });
  }

  static async to(port: number, fault: Fault = (chunk) => [chunk]): Promise<FaultProxy> {
    const listener = createServer({ allowHalfOpen: true });
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new FaultProxy(listener, port, fault);
  }

  /** Nothing passes any more, and nobody is told. */
  stall(): void {
    this.stalled = true;
  }

  /** Both sides get a reset. */
  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Both sides get an end. */
  end(): void {
    for (const socket of this.sockets) socket.end();
  }

  async close(): Promise<void> {
    this.reset();
    this.listener.close();
    await once(this.listener, 'close');
  }

  private async carry(from: Socket, into: Socket, way: Way, fault: Fault): Promise<void> {
    this.sockets.add(from);
    from.on('close', (failed) => {
      this.sockets.delete(from);
      if (failed) into.resetAndDestroy();
    });
    from.on('error', () => {});
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        for (const piece of fault(chunk, way)) {
          if (this.stalled) await FOREVER;
          if (into.destroyed) return;
          this.carried[way] += piece.length;
          // The next piece leaves when this one has, and others had a turn: it is a segment of its own.
          await new Promise((resolve) => into.write(piece, resolve));
          await new Promise(setImmediate);
        }
      }
      if (!this.stalled) into.end();
    } catch {
      into.resetAndDestroy();
    }
  }
}

const FOREVER = new Promise<never>(() => {});

/** Each chunk in pieces of `size` bytes. */
export function pieces(size: number): Fault {
  return function* (chunk) {
    for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size);
  };
}

/** Turns one bit of the byte at an offset of one way. */
export function flip(where: Way, at: number): Fault {
  let passed = 0;
  return (chunk, way) => {
    if (way === where) {
      if (at >= passed && at < passed + chunk.length) chunk[at - passed]! ^= 1;
      passed += chunk.length;
    }
    return [chunk];
  };
}
