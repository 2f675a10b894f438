/** A WebSocket server on somebody's `http` or `https` server: it takes the upgrades, everything else stays with them. */

import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { Attachment, gateFor } from './attachment.ts';
import type { Gate } from './gate.ts';
import type { AttachOptions, Handler } from './options.ts';
import { Server } from './server.ts';

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
  const gate = gateFor(httpServer, 'node:http or node:https', options, handler);
  return new Server<Context>(gate, new UpgradeAttachment(gate, httpServer));
}

/** What is attached to one http server, perhaps beside others. */
class UpgradeAttachment extends Attachment {
  private readonly http: UpgradeServer;

  constructor(gate: Gate, http: UpgradeServer) {
    super(gate, http);
    this.http = http;
    let junction = junctions.get(http);
    if (junction === undefined) {
      junction = new Junction(http);
      junctions.set(http, junction);
    }
    junction.join(this);
  }

  override release(): void {
    junctions.get(this.http)?.leave(this);
  }
}

/** The one listener for the upgrades of an http server, for any number of attachments. */
class Junction {
  private readonly http: UpgradeServer;
  private readonly attachments: UpgradeAttachment[] = [];

  constructor(http: UpgradeServer) {
    this.http = http;
  }

  join(attachment: UpgradeAttachment): void {
    this.attachments.push(attachment);
    if (this.attachments.length === 1) this.http.on('upgrade', this.dispatch);
  }

  leave(attachment: UpgradeAttachment): void {
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
    taker?.upgrade(request, socket, head);
  };
}

const junctions: WeakMap<UpgradeServer, Junction> = new WeakMap();

/** The path of a request target, as `Request.path` has it. */
function pathOf(target: string): string {
  const path = target.replace(/^[a-z]{2,5}:\/\/[^/?]+/i, '').replace(/\?.*$/s, '');
  return path === '' ? '/' : path;
}
