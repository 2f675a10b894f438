/** Gateways, backends and clients for the tests, and folders that go away with them. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts';
import { exchange, statusOf, upgradeRequest } from '../support/sockets.ts';

const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** Runs at the end of the test; the last one first. */
export function cleanUp(act: () => unknown): void {
  undo.push(act);
}

/** A folder for sockets, short enough for their paths. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'gw-'));
  cleanUp(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A server on a UNIX socket or a TCP port; its clients are dropped at the end. */
export async function backend(where: string | number, handler: (socket: Socket) => void): Promise<NetServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    handler(socket);
  });
  if (typeof where === 'string') server.listen(where);
  else server.listen(where, '127.0.0.1');
  await once(server, 'listening');
  cleanUp(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return server;
}

/** Sends everything back, and ends when the other side does. */
export function echo(socket: Socket): void {
  socket.pipe(socket);
}

/** A gateway on a free port of the loopback. */
export async function gateway(options: GatewayOptions): Promise<Gateway> {
  const own = options.server !== undefined || options.path !== undefined ? {} : { port: 0, host: '127.0.0.1' };
  const running = await createGateway({ ...own, ...options });
  cleanUp(() => running.close({ timeout: 50 }));
  return running;
}

/** The whole answer to an upgrade request for a target. */
export function ask(
  port: number,
  target: string,
  headers: Readonly<Record<string, string | null>> = {},
): Promise<string> {
  return exchange(port, upgradeRequest(target, { Connection: 'Upgrade', ...headers }));
}

/** The status that a refused request is answered with. */
export async function refused(
  port: number,
  target: string,
  headers: Readonly<Record<string, string | null>> = {},
): Promise<number> {
  return statusOf(await ask(port, target, headers));
}

/** Everything a stream sends until it ends. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A promise that somebody else settles. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
