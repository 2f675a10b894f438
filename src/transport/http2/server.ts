/** A WebSocket server on somebody's HTTP/2 server (RFC 8441): it takes the extended CONNECTs, everything else stays there. */

import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { ServerConnection } from '../../connection/server-connection.ts';
import { Attachment, gateFor } from '../../server/attachment.ts';
import type { Gate } from '../../server/gate.ts';
import { Junction } from '../../server/junction.ts';
import type { AttachOptions, Handler } from '../../server/options.ts';
import { Server } from '../../server/server.ts';
import { UpgradeJunction, type UpgradeServer } from '../../server/upgrade.ts';
import { isWebSocketConnect, readConnect } from './heads.ts';
import { Http2ServerTransport } from './stream.ts';

/**
 * Takes the WebSockets of an HTTP/2 server: any number on each connection. Of a server with `allowHTTP1: true` it takes the
 * upgrades of HTTP/1.1 too. The extension of HTTP/2 that this needs is switched on for connections from now on.
 *
 * Several may be attached to one server, each with `paths` of its own; one without `paths` gets what the others leave. An
 * upgrade of HTTP/1.1 that belongs to none of them is left alone if others listen to `upgrade` too.
 * `close()` ends the WebSockets; the HTTP/2 server goes on. Who asks for one when the last has closed is answered with 404, unless
 * somebody else listens to `stream` or `request`.
 *
 * @throws UsageError naming the option that is unknown or wrong; also when another on this server has one of the `paths`, or
 *   has none either
 * @example
 * const http2 = createSecureServer({ key, cert, allowHTTP1: true });
 * const server = attach(http2, { paths: '/chat' }, (socket) => {
 *   socket.on('message', ({ data }) => server.broadcast(data));
 * });
 * http2.listen(8443);
 */
export function attach<Context = unknown>(
  http2Server: Http2Server | Http2SecureServer,
  options: AttachOptions<Context> = {},
  handler?: Handler<Context>,
): Server<Context> {
  const gate = gateFor(http2Server, 'node:http2', options, handler);
  return new Server<Context>(gate, new Http2Attachment(gate, http2Server));
}

/** What is attached to one server, perhaps beside others. */
class Http2Attachment extends Attachment {
  private readonly junction: Http2Junction;
  /** Of HTTP/1.1: others may be attached to it alone. */
  private readonly upgrades: UpgradeJunction;

  constructor(gate: Gate, server: AnyHttp2Server) {
    super(gate, server);
    this.upgrades = UpgradeJunction.of(server as unknown as UpgradeServer);
    this.upgrades.join(this, 'attach');
    this.junction = Http2Junction.of(server);
    this.junction.join(this, 'attach');
  }

  override stop(): Promise<void> {
    this.upgrades.retire(this);
    this.junction.retire(this);
    return super.stop();
  }

  override release(): void {
    this.upgrades.leave(this);
    this.junction.leave(this);
  }

  /** Takes an extended CONNECT. */
  take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
    const { settings, environment } = this.gate;
    const { remoteAddress, remotePort } = stream.session?.socket ?? {};
    const destroy = () => {
      stream.on('error', ignore);
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
    };
    if (this.gate.dropped({ remoteAddress, remotePort, destroy })) return;
    const request = readConnect(headers, rawHeaders);
    const now = environment.clock.now();
    const connection = ServerConnection.fromRequest(request, NONE, settings.endpoint.connection, now);
    const seen = { line: `CONNECT ${request.target} HTTP/2`, rawHeaders };
    this.gate.admit(connection, new Http2ServerTransport(stream), seen, true);
  }
}

type AnyHttp2Server = Http2Server | Http2SecureServer;

/** The listeners of one server for HTTP/2. What is nobody's is answered with 404. */
class Http2Junction extends Junction<Http2Attachment> {
  private readonly server: AnyHttp2Server;

  private constructor(server: AnyHttp2Server) {
    super();
    this.server = server;
  }

  static of(server: AnyHttp2Server): Http2Junction {
    const junction = junctions.get(server) ?? new Http2Junction(server);
    junctions.set(server, junction);
    return junction;
  }

  protected override start(): void {
    const { server } = this;
    // RFC 8441 §3: only who has this from the server may send an extended CONNECT.
    server.updateSettings?.({ enableConnectProtocol: true });
    server.off('stream', this.onStream).on('stream', this.onStream);
    server.on('connect', this.onConnect);
  }

  /** RFC 8441 §3: what was allowed cannot be taken back. So whoever still asks is answered: by us, if there is nobody else. */
  protected override stop(): void {
    this.server.off('connect', this.onConnect);
  }

  private readonly onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    _flags: number,
    rawHeaders: readonly string[],
  ): void => {
    // Who listens to `stream` for all of them, and comes first, has taken it.
    if (!isWebSocketConnect(headers) || stream.headersSent) return;
    const taker = this.takerOf(headers[':path'] ?? '') ?? this.any;
    if (taker !== null) taker.take(stream, headers, rawHeaders);
    else if (this.server.listenerCount('stream') === 1) refuse(stream);
  };

  /** Node answers a CONNECT with 405 unless somebody listens: so do we, but to those that are ours. */
  private readonly onConnect = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    if (isWebSocketConnect(request.headers) || this.server.listenerCount('connect') > 1) return;
    response.statusCode = 405;
    response.end();
  };
}

const junctions: WeakMap<AnyHttp2Server, Http2Junction> = new WeakMap();

function refuse(stream: ServerHttp2Stream): void {
  stream.on('error', ignore);
  stream.respond({ ':status': 404 }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

const NONE = new Uint8Array(0);

function ignore(): void {}
