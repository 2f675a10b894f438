/** A peer that writes and reads plain bytes on a real socket, for what no WebSocket client would do. */

import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** An opening handshake of a client (RFC 6455 section 4.1). `headers` are added, or replace the one of the same name. */
export function upgradeRequest(target = '/', headers: Readonly<Record<string, string | null>> = {}): string {
  const fields: Record<string, string | null> = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  return [`GET ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

/** A raw connection that remembers what it received. */
export class RawPeer {
  readonly socket: Socket;
  /** Everything so far, one character a byte. */
  received = '';
  /** Resolves when the connection is over, in order or not. */
  readonly closed: Promise<void>;
  private waiting: (() => void)[] = [];

  constructor(where: NetConnectOpts, existing?: Socket) {
    this.socket = existing ?? connect({ ...where, allowHalfOpen: true });
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      for (const check of this.waiting) check();
    });
    this.socket.on('end', () => this.socket.end());
  }

  static async to(port: number, host = '127.0.0.1'): Promise<RawPeer> {
    const peer = new RawPeer({ port, host });
    await once(peer.socket, 'connect');
    return peer;
  }

  write(data: string | Uint8Array): this {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
    return this;
  }

  /** Resolves when `text` was received. */
  until(text: string): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!this.received.includes(text)) return;
        this.waiting = this.waiting.filter((each) => each !== check);
        resolve();
      };
      this.waiting.push(check);
      check();
    });
  }

  /** Ends with a reset, as a crashed peer does. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

/** Sends `bytes` and gives back everything that came until the other side ended. */
export async function exchange(port: number, bytes: string, host?: string): Promise<string> {
  const peer = await RawPeer.to(port, host);
  peer.write(bytes);
  await peer.closed;
  return peer.received;
}

/** The status of an HTTP response. */
export function statusOf(response: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(response)?.[1]);
}
