/** A WebSocket server on somebody's `http` or `https` server: it takes the upgrades, everything else stays with them. */

import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { UsageError } from '../errors.ts';
import { Attachment, gateFor } from './attachment.ts';
import type { Gate } from './gate.ts';
import { Junction, type Taker } from './junction.ts';
import type { AttachOptions, Handler } from './options.ts';
import { Server } from './server.ts';

/** A server of `node:http` or `node:https`. */
export type UpgradeServer = HttpServer | HttpsServer;

/**
 * Takes the WebSocket upgrades of an `http` or `https` server.
 *
 * Several may be attached to one server, each with `paths` of its own; one without `paths` gets what the others leave. A path
 * that belongs to none of them is left alone if others listen to `upgrade` too, and answered with 404 otherwise.
 * `close()` ends the connections and stops listening to upgrades; the http server goes on. From then on another may have its
 * paths.
 *
 * @throws UsageError naming the option that is unknown or wrong; also when another on this server has one of the `paths`, or
 *   has none either, and for a server of HTTP/2 alone
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
  return attachAs('attach', httpServer, options, handler);
}

/**
 * The same for a caller who called something else: errors begin with `who`.
 *
 * @internal
 */
export function attachAs<Context = unknown>(
  who: string,
  httpServer: UpgradeServer,
  options: AttachOptions<Context>,
  handler?: Handler<Context>,
): Server<Context> {
  const gate = gateFor(httpServer, 'node:http or node:https', options, handler, who);
  checkUpgrades(httpServer, who);
  return new Server<Context>(gate, new UpgradeAttachment(gate, httpServer, who));
}

/**
 * Of the servers of node:http2 only those that take HTTP/1.1 too have a timeout for its heads.
 *
 * @throws UsageError unless the server can ever hear of an upgrade
 * @internal
 */
export function checkUpgrades(server: UpgradeServer, who: string): void {
  if (!('updateSettings' in server) || server.headersTimeout !== undefined) return;
  throw new UsageError(
    'INVALID_ARGUMENT',
    `${who}: this server speaks HTTP/2 alone, which has no upgrades: attach to it with sansocket/transport/http2, or make it ` +
      'with createSecureServer({ allowHTTP1: true })',
  );
}

/** What is attached to one http server, perhaps beside others. */
class UpgradeAttachment extends Attachment {
  private readonly junction: UpgradeJunction;

  constructor(gate: Gate, http: UpgradeServer, who: string) {
    super(gate, http);
    this.junction = UpgradeJunction.of(http);
    this.junction.join(this, who);
  }

  override stop(): Promise<void> {
    this.junction.retire(this);
    return super.stop();
  }

  override release(): void {
    this.junction.leave(this);
  }
}

/** Who takes the upgrades of a path. */
interface UpgradeTaker extends Taker {
  upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void;
}

/** The one listener for the upgrades of an http server. @internal */
export class UpgradeJunction extends Junction<UpgradeTaker> {
  private readonly http: UpgradeServer;

  private constructor(http: UpgradeServer) {
    super();
    this.http = http;
  }

  static of(http: UpgradeServer): UpgradeJunction {
    const junction = junctions.get(http) ?? new UpgradeJunction(http);
    junctions.set(http, junction);
    return junction;
  }

  protected override start(): void {
    this.http.on('upgrade', this.dispatch);
  }

  protected override stop(): void {
    this.http.off('upgrade', this.dispatch);
  }

  private readonly dispatch = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void => {
    // Nobody's: another listener may want it; else somebody has to answer 404.
    const taker = this.takerOf(request.url ?? '') ?? (this.http.listenerCount('upgrade') === 1 ? this.any : null);
    taker?.upgrade(request, socket, head);
  };
}

const junctions: WeakMap<UpgradeServer, UpgradeJunction> = new WeakMap();
