/** A WebSocket client on a session of HTTP/2 (RFC 8441): any number of WebSockets on one connection. */

import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { parseUrl } from '../../client/url.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import { UsageError } from '../../errors.ts';
import { openClient } from '../../shell/client.ts';
import { type ShellClientOptions, ShellClientSettings } from '../../shell/options.ts';
import { nodeEnvironment, nodePlatform } from '../node/index.ts';
import { joinChunks } from '../pieces.ts';
import type { TransportSink } from '../transport.ts';
import { readHead, writeResponse } from './heads.ts';
import { Http2Transport } from './stream.ts';

/**
 * Opens a WebSocket on a session of `node:http2`.
 *
 * The session goes wherever it was connected to; the URL says what to ask for there, `ws:` or `wss:`. When the last WebSocket
 * has ended the session goes on: close it yourself.
 *
 * @returns an open endpoint
 * @throws UsageError (as a rejection, like all below) for a URL or an option that is wrong
 * @throws HandshakeError when the server did not answer with a 2xx as it should; `response` holds what it answered
 * @throws TransportError when the session is over, has no TLS although the URL is `wss:`, or the server knows no WebSockets over
 * HTTP/2
 * @throws TimeoutError after `handshakeTimeout`
 * @example
 * const session = http2.connect('https://example.test');
 * const chat = await connect(session, 'wss://example.test/chat');
 * const news = await connect(session, 'wss://example.test/news');
 */
export async function connect(
  session: ClientHttp2Session,
  url: string | URL,
  options: ShellClientOptions = {},
): Promise<Endpoint> {
  if (typeof session?.request !== 'function') {
    throw new UsageError('INVALID_ARGUMENT', 'connect: the first argument must be a session of node:http2');
  }
  const settings = new ShellClientSettings(options, nodePlatform, 'connect');
  const address = parseUrl(String(url));
  if (address.socketPath !== null) {
    throw new UsageError('INVALID_ARGUMENT', 'connect: a ws+unix URL names a socket; the session has one already');
  }
  return openClient(address, settings, nodeEnvironment, async (connection) => {
    await extendedConnect(session);
    // Known only now: before, it may still be connecting.
    if (address.secure && session.encrypted !== true) throw new Error('the URL is wss:, and the session has no TLS');
    const head = joinChunks(connection.takeOutgoing());
    connection.outgoingWritten(head.length, nodeEnvironment.clock.now());
    const { fields, host, key } = readHead(head, 'request');
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': session.encrypted === true ? 'https' : 'http',
      ':authority': host,
      ':path': address.target,
      ...fields,
    });
    return new Http2ClientTransport(stream, key);
  });
}

/** A client's side: the answer becomes the head that the engine reads first. */
class Http2ClientTransport extends Http2Transport {
  private readonly own: ClientHttp2Stream;
  private readonly key: string;

  constructor(stream: ClientHttp2Stream, key: string) {
    super(stream);
    this.own = stream;
    this.key = key;
  }

  override start(sink: TransportSink): void {
    this.own.once('response', (headers: IncomingHttpHeaders) => this.readOwned(writeResponse(headers, this.key)));
    super.start(sink);
  }
}

/** Sessions that were asked: a session takes only so many pings at a time. */
const asked = new WeakMap<ClientHttp2Session, Promise<void>>();

/** RFC 8441 §3: resolves when the server has allowed extended CONNECT; rejects if its settings do not. */
function extendedConnect(session: ClientHttp2Session): Promise<void> {
  if (session.destroyed || session.closed) return Promise.reject(new Error('the session is over'));
  if (allowsConnect(session)) return Promise.resolve();
  let answer = asked.get(session);
  if (answer === undefined) {
    answer = settingsOf(session);
    asked.set(session, answer);
  }
  return answer;
}

function allowsConnect(session: ClientHttp2Session): boolean {
  return session.remoteSettings?.enableConnectProtocol === true;
}

function settingsOf(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = () => reject(new Error('the session ended before the server told its settings'));
    session.once('close', over);
    // Its settings are the first that a server sends: the answer to a ping comes behind them.
    const ask = () =>
      session.ping((error) => {
        session.off('close', over);
        if (error !== null) reject(error);
        else if (allowsConnect(session)) resolve();
        else
          reject(
            new Error('the server has no WebSockets over HTTP/2: it does not set SETTINGS_ENABLE_CONNECT_PROTOCOL'),
          );
      });
    if (session.connecting) session.once('connect', ask);
    else ask();
  });
}
