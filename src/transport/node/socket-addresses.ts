/** The addresses of a socket of Node. */

import type { Socket } from 'node:net';
import type { Addresses } from '../transport.ts';

/** Each is asked for by itself: for our own address Node makes a system call, and remembers what it said. */
export class SocketAddresses implements Addresses {
  readonly secure: boolean;
  private readonly socket: Partial<Socket>;
  private readonly remote: string | null;
  private readonly port: number | null;

  /** `remote` and `port`: the peer's, as they were at the start; a socket that has ended forgets them. */
  constructor(socket: Partial<Socket>, remote: string | null, port: number | null, secure: boolean) {
    this.socket = socket;
    this.remote = remote;
    this.port = port;
    this.secure = secure;
  }

  get remoteAddress(): string | null {
    return this.remote ?? this.socket.remoteAddress ?? null;
  }

  get remotePort(): number | null {
    return this.port ?? this.socket.remotePort ?? null;
  }

  get localAddress(): string | null {
    return this.socket.localAddress ?? null;
  }

  get localPort(): number | null {
    return this.socket.localPort ?? null;
  }
}
