/** A WebSocket server on somebody's HTTP/2 server (RFC 8441): it takes the extended CONNECTs, everything else stays there. */

import type { IncomingMessage } from 'node:http';
import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { ServerConnection } from '../../connection/server-connection.ts';
import { Attachment, gateFor } from '../../server/attachment.ts';
import type { Gate } from '../../server/gate.ts';
import type { AttachOptions, Handler } from '../../server/options.ts';
import { Server } from '../../server/server.ts';
import { isWebSocketConnect, readConnect } from './heads.ts';
import { Http2ServerTransport } from './stream.ts';

/**
 * Takes the WebSockets of an HTTP/2 server: any number on each connection. Of a server with `allowHTTP1: true` it takes the
 * upgrades of HTTP/1.1 too. The extension of HTTP/2 that this needs is switched on for connections from now on.
 *
 * `close()` ends the WebSockets; the HTTP/2 server goes on.
 *
 * @throws UsageError naming the option that is unknown or wrong
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

/** What is attached to one server. */
class Http2Attachment extends Attachment {
  private readonly server: Http2Server | Http2SecureServer;

  constructor(gate: Gate, server: Http2Server | Http2SecureServer) {
    super(gate, server);
    this.server = server;
    // RFC 8441 §3: only who has this from the server may send an extended CONNECT.
    server.updateSettings?.({ enableConnectProtocol: true });
    server.on('stream', this.onStream);
    server.on('connect', this.onConnect);
    (server as Http2Server).on('upgrade', this.onUpgrade);
  }

  override release(): void {
    this.server.off('stream', this.onStream);
    this.server.off('connect', this.onConnect);
    (this.server as Http2Server).off('upgrade', this.onUpgrade);
  }

  private readonly onStream = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    _flags: number,
    rawHeaders: readonly string[],
  ): void => {
    if (!isWebSocketConnect(headers)) return;
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
    this.gate.admit(connection, new Http2ServerTransport(stream), seen);
  };

  /** Node answers a CONNECT with 405 unless somebody listens: so do we, but to those that are ours. */
  private readonly onConnect = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    if (isWebSocketConnect(request.headers) || this.server.listenerCount('connect') > 1) return;
    response.statusCode = 405;
    response.end();
  };

  private readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Uint8Array): void =>
    this.upgrade(request, socket, head);
}

const NONE = new Uint8Array(0);

function ignore(): void {}
