/** The addresses of a socket of Node. */

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
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

  get peerCertificate(): Uint8Array | null {
    return certificateOf(this.socket);
  }
}

/** The certificate of the other end of a TLS socket, in DER; a socket that has ended forgets it. */
export function certificateOf(socket: Partial<Socket> | undefined): Uint8Array | null {
  const certificate = (socket as Partial<TLSSocket> | undefined)?.getPeerCertificate?.();
  // Where there is none it is an empty object, and null at the end.
  return certificate?.raw === undefined ? null : new Uint8Array(certificate.raw);
}
