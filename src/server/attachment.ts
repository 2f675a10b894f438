/**
 * What is common to WebSockets on somebody else's HTTP server, of whatever version: its address is theirs, its connections are
 * ours, and an upgrade of HTTP/1.1 is taken in one way.
 */

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ServerConnection } from '../connection/server-connection.ts';
import { UsageError } from '../errors.ts';
import { nodeEnvironment, nodePlatform, publicPlatform, SocketTransport } from '../transport/node/index.ts';
import { Gate } from './gate.ts';
import type { Taker } from './junction.ts';
import { listeningUrl } from './listening-url.ts';
import { ATTACH_RULES, type AttachOptions, type Handler, ServerSettings } from './options.ts';
import type { Source } from './server.ts';

/** The part of an HTTP server that is needed of it. */
export interface HostServer {
  address(): ReturnType<Source['address']>;
  ref(): unknown;
  unref(): unknown;
  /** Only a server with TLS has it. */
  readonly setSecureContext?: unknown;
}

/** Whether something can be attached to it. */
export function isHostServer(host: unknown): boolean {
  const server = host as { on?: unknown; address?: unknown; setTimeout?: unknown } | null | undefined;
  // The last is what those of node:net and node:tls lack, which never hear of a request.
  return [server?.on, server?.address, server?.setTimeout].every((method) => typeof method === 'function');
}

/**
 * The gate of what is attached to `host`.
 *
 * @param who what the caller called, for errors
 * @throws UsageError naming what is wrong: the server, which must be one of `modules`, an option, or the handler
 */
export function gateFor(host: unknown, modules: string, options: object, handler: unknown, who = 'attach'): Gate {
  if (!isHostServer(host)) {
    throw new UsageError('INVALID_ARGUMENT', `${who}: the first argument must be a server of ${modules}`);
  }
  const settings = new ServerSettings(ATTACH_RULES, options as AttachOptions, who, {
    best: nodePlatform,
    open: publicPlatform,
  });
  if (handler !== undefined && typeof handler !== 'function') {
    throw new UsageError('INVALID_ARGUMENT', `${who}: the handler must be a function`);
  }
  return new Gate(settings, (handler as Handler | undefined) ?? null, nodeEnvironment);
}

/** Connections that come by way of an HTTP server. */
export abstract class Attachment implements Source, Taker {
  readonly gate: Gate;
  private readonly host: HostServer;

  constructor(gate: Gate, host: HostServer) {
    this.gate = gate;
    this.host = host;
  }

  abstract release(): void;

  get paths(): ReadonlySet<string> | null {
    return this.gate.settings.paths;
  }

  address(): ReturnType<Source['address']> {
    return this.host.address();
  }

  get url(): string {
    return listeningUrl(this.address(), typeof this.host.setSecureContext === 'function');
  }

  /** Until the last connection is gone further requests are still taken, to be answered with 503. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  ref(): void {
    this.host.ref();
  }

  unref(): void {
    this.host.unref();
  }

  /** Takes an upgrade of HTTP/1.1. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const { method = '', url = '', httpVersion, rawHeaders } = request;
    const { settings, environment } = this.gate;
    if (this.gate.dropped(socket as Socket)) return;
    // The http server's timeout for idle sockets is not for us: an open connection may be silent.
    (socket as Partial<Socket>).setTimeout?.(0);
    (socket as Partial<Socket>).setNoDelay?.(true);
    // Those of https are not half-open: whether the peer's end is also ours is for the engine to say.
    socket.allowHalfOpen = true;
    const parsed = { method, target: url, version: httpVersion, rawHeaders };
    const now = environment.clock.now();
    const connection = ServerConnection.fromRequest(parsed, NONE, settings.endpoint.connection, now);
    const seen = { line: `${method} ${url} HTTP/${httpVersion}`, rawHeaders };
    this.gate.admit(connection, new SocketTransport(socket, { head, internals: settings.internals }), seen);
  }
}

const NONE = new Uint8Array(0);
