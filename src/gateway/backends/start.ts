/** Starts one of the sample servers on its UNIX socket: as the user it is meant to be, or not at all. */

import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from '../../errors.ts';
import { isSegment } from '../name-rules.ts';
import { becomeUser, findUser } from '../privileges.ts';
import type { Framing } from '../stream-framing.ts';
import { listenUnix } from '../unix-socket.ts';
import { Chat } from './chat.ts';
import { echo } from './echo.ts';
import { loadRpcModule, serveRpc } from './jsonrpc.ts';

/** The sample servers. */
export const BACKENDS = ['echo', 'chat', 'jsonrpc'] as const;

/** One of them. */
export type BackendKind = (typeof BACKENDS)[number];

/** How one is started. */
export interface BackendOptions {
  readonly kind: BackendKind;
  /** Where sockets are; made if it is not there. */
  readonly folder: string;
  /** Of the socket, and so of the URL. */
  readonly name: string;
  /** Who it is to be; null: who it is. */
  readonly user: string | null;
  /** Connections that wait for accept. */
  readonly backlog: number;
  readonly framing: Framing;
  /** echo: answers are followed by bytes that look like frames. */
  readonly test: boolean;
  /** chat: commands are understood. */
  readonly commands: boolean;
  /** chat: who says something hears it. */
  readonly echoSelf: boolean;
  /** jsonrpc: the path of a module, or null for the built-in one. */
  readonly module: string | null;
  /** jsonrpc: handed to the module. */
  readonly config: string;
  /** Hears of what modules throw. */
  readonly failed: (error: unknown) => void;
}

/** A sample server that runs. */
export interface RunningBackend {
  readonly path: string;
  /** Ends it, and removes its socket. */
  close(): Promise<void>;
}

/** @throws UsageError, or Node's error, when it cannot be what it is meant to be */
export async function startBackend(options: BackendOptions): Promise<RunningBackend> {
  const { folder, name, user, backlog } = options;
  if (!isSegment(name)) throw new UsageError('INVALID_ARGUMENT', `'${name}' cannot be the name of a socket`);
  const owner = user === null ? null : findUser(user);
  const path = join(resolve(folder), name);
  if (!existsSync(folder)) {
    makeFolder(resolve(folder));
    if (owner !== null && process.geteuid?.() === 0) chownSync(folder, owner.uid, owner.gid);
  }
  // Before anything of the application runs, and before the socket is made: it belongs to the user.
  if (owner !== null) becomeUser(owner);
  const serve = await handlerOf(options);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket);
  });
  const remove = await listenUnix(server, path, { backlog });
  return {
    path,
    async close() {
      await remove();
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Makes a folder and those that it is in. Node's own (`recursive`) never ends where none can be made, as in /proc. */
function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = path; !existsSync(at); at = dirname(at)) missing.push(at);
  for (const at of missing.reverse()) {
    try {
      mkdirSync(at, { mode: 0o755 });
    } catch (error) {
      // Another server may have made it by now.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !existsSync(at)) throw error;
    }
  }
}

async function handlerOf(options: BackendOptions): Promise<(socket: Socket) => void> {
  const { kind, framing, test, config, failed } = options;
  if (kind === 'echo') return (socket) => echo(socket, { test });
  if (kind === 'chat') {
    const chat = new Chat(options);
    return (socket) => chat.join(socket);
  }
  const module = await loadRpcModule(options.module);
  return (socket) => {
    socket.on('error', () => {});
    void serveRpc(socket, module, config, framing, failed);
  };
}
