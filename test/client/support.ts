/** Servers for tests of the client on real sockets: raw ones, and proxies that open tunnels. */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { local } from '../support/certificates.ts';

const closers: (() => unknown)[] = [];

/** To be called after each test. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** Has `close` called by `closeAll`. */
export function closeLater(close: () => unknown): void {
  closers.push(close);
}

export interface RawServer {
  readonly port: number;
  /** The head of each request. */
  readonly heads: string[];
  readonly sockets: Socket[];
}

/** A server of raw sockets; `answer` gets the head of each request. */
export async function rawServer(
  answer: (head: string, socket: Socket) => void,
  certificate: typeof local | null = null,
): Promise<RawServer> {
  const heads: string[] = [];
  const sockets: Socket[] = [];
  const take = (socket: Socket): void => {
    sockets.push(socket);
    let head = '';
    const read = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', read);
      heads.push(head);
      answer(head, socket);
    };
    socket.on('error', () => {});
    socket.on('data', read);
  };
  const server: Server = certificate === null ? createServer(take) : createTlsServer(certificate, take);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeLater(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { port, heads, sockets };
}

/** A proxy that opens a tunnel for each CONNECT, to 127.0.0.1 whatever the host. */
export function tunnelProxy(certificate: typeof local | null = null): Promise<RawServer> {
  return rawServer((head, socket) => {
    const [, port] = /^CONNECT \S+:(\d+) HTTP/.exec(head) ?? [];
    if (port === undefined) {
      socket.end('HTTP/1.1 405 Method Not Allowed\r\n\r\n');
      return;
    }
    const target = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    target.on('error', () => socket.destroy());
    socket.on('close', () => target.destroy());
    target.on('close', () => socket.destroy());
  }, certificate);
}
