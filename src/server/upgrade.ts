/** A WebSocket server on somebody's `http` or `https` server: it takes the upgrades, everything else stays with them. */

import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ServerConnection } from '../connection/server-connection.ts';
import { UsageError } from '../errors.ts';
import { nodeEnvironment, nodePlatform, publicPlatform, SocketTransport } from '../transport/node/index.ts';
import { Gate } from './gate.ts';
import { ATTACH_RULES, type AttachOptions, type Handler, ServerSettings } from './options.ts';
import { Server, type Source } from './server.ts';

/** A server of `node:http` or `node:https`. */
export type UpgradeServer = HttpServer | HttpsServer;

/**
 * Takes the WebSocket upgrades of an `http` or `https` server.
 *
 * Several may be attached to one server, each with `paths` of its own; one without `paths` gets what the others leave. A path
 * that belongs to none of them is left alone if others listen to `upgrade` too, and answered with 404 otherwise.
 * `close()` ends the connections and stops listening to upgrades; the http server goes on.
 *
 * @throws UsageError naming the option that is unknown or wrong
 * @example
 * const http = createServer((request, response) => response.end('hello\n'));
 * const server = attach(http, { paths: '/chat' }, (socket) => {
 *   socket.on('message', ({ data }) => server.broadcast(data));
 * });
 * http.listen(8080);
 */
export function attach<Context = unknown>(
  httpServer: UpgradeServer,
  options: AttachOptions<Context> = {},
  handler?: Handler<Context>,
): Server<Context> {
  if (typeof httpServer?.on !== 'function' || typeof httpServer.address !== 'function') {
    throw new UsageError('INVALID_ARGUMENT', 'attach: the first argument must be a server of node:http or node:https');
  }
  const settings = new ServerSettings(ATTACH_RULES, options as AttachOptions, 'attach', {
    best: nodePlatform,
    open: publicPlatform,
  });
  if (handler !== undefined && typeof handler !== 'function') {
    throw new UsageError('INVALID_ARGUMENT', 'attach: the handler must be a function');
  }
  const gate = new Gate(settings, (handler as Handler | undefined) ?? null, nodeEnvironment);
  return new Server<Context>(gate, new Attachment(gate, httpServer));
}

/** What is attached to one http server. */
class Attachment implements Source {
  readonly gate: Gate;
  private readonly http: UpgradeServer;

  constructor(gate: Gate, http: UpgradeServer) {
    this.gate = gate;
    this.http = http;
    let junction = junctions.get(http);
    if (junction === undefined) {
      junction = new Junction(http);
      junctions.set(http, junction);
    }
    junction.join(this);
  }

  address(): ReturnType<Source['address']> {
    return this.http.address();
  }

  get url(): string {
    const where = this.address();
    if (where === null) return '';
    if (typeof where === 'string') return `ws+unix:${encodeURIComponent(where).replaceAll('%2F', '/')}`;
    const { address, port } = where;
    const wildcard = address === '::' ? 'localhost' : address === '0.0.0.0' ? '127.0.0.1' : address;
    const secure = typeof (this.http as Partial<HttpsServer>).setSecureContext === 'function';
    return `${secure ? 'wss' : 'ws'}://${wildcard.includes(':') ? `[${wildcard}]` : wildcard}:${port}`;
  }

  /** Until the last connection is gone further upgrades are still taken, to be answered with 503. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  release(): void {
    junctions.get(this.http)?.leave(this);
  }

  ref(): void {
    this.http.ref();
  }

  unref(): void {
    this.http.unref();
  }

  take(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const { method = '', url = '', httpVersion, rawHeaders } = request;
    const { settings, environment } = this.gate;
    if (this.gate.dropped(socket as Socket)) return;
    // The http server's timeout for idle sockets is not for us: an open connection may be silent.
    (socket as Partial<Socket>).setTimeout?.(0);
    (socket as Partial<Socket>).setNoDelay?.(true);
    const bytes = new Uint8Array(head.buffer, head.byteOffset, head.length);
    const parsed = { method, target: url, version: httpVersion, rawHeaders };
    const connection = ServerConnection.fromRequest(
      parsed,
      bytes,
      settings.endpoint.connection,
      environment.clock.now(),
    );
    const seen = { line: `${method} ${url} HTTP/${httpVersion}`, rawHeaders };
    this.gate.admit(connection, new SocketTransport(socket, { internals: settings.internals }), seen);
  }
}

/** The one listener for the upgrades of an http server, for any number of attachments. */
class Junction {
  private readonly http: UpgradeServer;
  private readonly attachments: Attachment[] = [];

  constructor(http: UpgradeServer) {
    this.http = http;
  }

  join(attachment: Attachment): void {
    this.attachments.push(attachment);
    if (this.attachments.length === 1) this.http.on('upgrade', this.dispatch);
  }

  leave(attachment: Attachment): void {
    const index = this.attachments.indexOf(attachment);
    if (index < 0) return;
    this.attachments.splice(index, 1);
    if (this.attachments.length === 0) {
      this.http.off('upgrade', this.dispatch);
      junctions.delete(this.http);
    }
  }

  private readonly dispatch = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
    const path = pathOf(request.url ?? '');
    const { attachments } = this;
    const taker =
      attachments.find(({ gate }) => gate.settings.paths?.has(path) === true) ??
      attachments.find(({ gate }) => gate.settings.paths === null) ??
      // Nobody's: another listener may want it; else somebody has to answer 404.
      (this.http.listenerCount('upgrade') === 1 ? attachments[0] : undefined);
    taker?.take(request, socket, head);
  };
}

const junctions: WeakMap<UpgradeServer, Junction> = new WeakMap();

/** The path of a request target, as `Request.path` has it. */
function pathOf(target: string): string {
  const path = target.replace(/^[a-z]{2,5}:\/\/[^/?]+/i, '').replace(/\?.*$/s, '');
  return path === '' ? '/' : path;
}
