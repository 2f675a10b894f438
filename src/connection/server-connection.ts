/**
 * The server's side of the opening handshake (RFC 6455 section 4.2): a head is read, checked and shown to the application;
 * nothing behind it is looked at until `accept()`.
 */

import { type FailureError, type FaultCode, failure, HandshakeError, UsageError } from '../errors.ts';
import type { ExtensionOffer } from '../extension/extension.ts';
import { HeadParser } from '../handshake/head-parser.ts';
import { parseExtensions } from '../handshake/header-grammar.ts';
import { acceptExtensions } from '../handshake/negotiate.ts';
import { checkRequest, parseRequestLine, type ReceivedRequest } from '../handshake/request.ts';
import { formatAccept, formatRejection, rejectionFor } from '../handshake/response.ts';
import { Connection } from './connection.ts';
import { type ConnectionOptions, Settings } from './options.ts';

/** A request that somebody else has parsed, as `node:http` does. */
export interface ParsedRequest {
  /** The method, as it came: `'GET'`. */
  readonly method: string;
  /** The request target, as it came. */
  readonly target: string;
  /** `'1.1'` */
  readonly version: string;
  /** Name and value alternately, as they came. */
  readonly rawHeaders: readonly string[];
}

/** What a server answers with a 101. */
export interface AcceptOptions {
  /** One of the subprotocols that the client offered. Default: none. */
  readonly subprotocol?: string;
  /** Further headers of the 101. */
  readonly headers?: Iterable<readonly [string, string]>;
}

/** What a server answers otherwise. */
export interface RejectOptions {
  /** Further headers of the answer. */
  readonly headers?: Iterable<readonly [string, string]>;
  /** Text is sent as UTF-8. Default: empty. */
  readonly body?: string | Uint8Array;
}

/** The server's side of one connection. */
export class ServerConnection extends Connection {
  private parser: HeadParser | null;
  /** The request that is before the application. */
  private request: ReceivedRequest | null = null;
  /** The method is HEAD. */
  private head = false;

  /**
   * @param startedAt when the transport was accepted, before TLS
   * @throws UsageError naming the option that is wrong
   */
  constructor(options: ConnectionOptions | Settings, startedAt: number) {
    super('server', Settings.from(options), startedAt);
    this.parser = new HeadParser(this.settings.head);
  }

  /**
   * A connection whose request was parsed elsewhere. The same checks apply; `head` is what came behind it.
   */
  static fromRequest(
    parsed: ParsedRequest,
    head: Uint8Array,
    options: ConnectionOptions | Settings,
    startedAt: number,
  ): ServerConnection {
    const connection = new ServerConnection(options, startedAt);
    connection.parser = null;
    if (head.length > 0) connection.incoming.queue.push(head, head.length, false);
    connection.examine(parsed.method, parsed.target, parsed.version, [...parsed.rawHeaders]);
    return connection;
  }

  /**
   * Opens the connection (RFC 6455 section 4.2.2).
   *
   * @returns false if the connection ended while the application was deciding
   * @throws UsageError when there is no request to accept, or the subprotocol was not offered, or a header is not legal
   */
  accept(now: number, options: AcceptOptions = {}): boolean {
    this.advance(now);
    if (this.phase !== 'connecting') return false;
    const request = this.decidable('accept');
    if (!request.upgrade) {
      throw new UsageError('INVALID_STATE', 'the request is no WebSocket upgrade: answer it with reject()');
    }
    const { settings } = this;
    const subprotocol = options.subprotocol ?? '';
    // §4.2.2: the subprotocol is "either null or one of the values offered by the client".
    if (subprotocol !== '' && !request.subprotocols.includes(subprotocol)) {
      throw new UsageError('INVALID_ARGUMENT', `the subprotocol '${subprotocol}' was not offered by the client`);
    }
    const headers = request.readHeaders();
    const offers =
      settings.extensions.length === 0 ? null : parseExtensions(headers.getAll('sec-websocket-extensions'));
    if (settings.refuseEarlyData && this.incoming.queue.length > 0) {
      this.failOpening('EARLY_DATA', '');
      return true;
    }
    const { header, transforms } = acceptExtensions(offers ?? NO_OFFERS, settings.extensions);
    let response: Uint8Array;
    try {
      response = formatAccept({
        key: headers.get('sec-websocket-key')!,
        subprotocol: subprotocol === '' ? null : subprotocol,
        extensions: header,
        headers: [...(options.headers ?? [])],
      });
    } catch (error) {
      for (const each of transforms) each.release();
      throw error;
    }
    this.request = null;
    request.rest();
    this.outgoing.append(response);
    this.establish({ subprotocol, extensions: header, transforms, headers });
    return true;
  }

  /**
   * Answers the request with a status other than 101; the transport ends after it.
   *
   * @returns false if the connection ended while the application was deciding
   * @throws UsageError when there is no request to answer, or the status or a header is not legal
   */
  reject(now: number, status: number, options: RejectOptions = {}): boolean {
    this.advance(now);
    if (this.phase !== 'connecting') return false;
    const request = this.decidable('reject');
    const response = formatRejection({ status, headers: [...(options.headers ?? [])], body: options.body ?? null });
    this.outgoing.append(response);
    this.refuse(new HandshakeError(request.upgrade ? 'REQUEST_REFUSED' : 'UPGRADE_REQUIRED', '', status));
    return true;
  }

  /** @internal */
  protected override nextOpening(): void {
    const { parser } = this;
    if (parser === null) return;
    const { queue } = this.incoming;
    while (queue.position < queue.end || queue.advance()) {
      const next = parser.push(queue.bytes, queue.position, queue.end);
      if (parser.fault !== null) {
        this.failOpening(parser.fault, '');
        return;
      }
      if (next >= 0) {
        queue.position = next;
        this.parser = null;
        const line = parseRequestLine(parser.firstLine);
        if (line === null) this.failOpening('REQUEST_LINE_INVALID', '');
        else this.examine(line.method, line.target, line.version, parser.rawHeaders);
        return;
      }
      queue.position = queue.end;
    }
  }

  /** @internal */
  protected override get readsOpening(): boolean {
    return this.parser !== null;
  }

  /** @internal A server that closes before it has answered is going away. */
  protected override closeOpening(): void {
    this.failOpening('SERVER_BUSY', '');
  }

  /** @internal */
  protected override openingTimeout(): void {
    this.failOpening('OPENING_TIMEOUT', '');
  }

  /** @internal */
  protected override failOpening(code: FaultCode, detail: string, error: FailureError = failure(code, detail)): void {
    this.outgoing.append(rejectionFor(code, detail, this.head));
    this.refuse(error);
  }

  private examine(method: string, target: string, version: string, rawHeaders: readonly string[]): void {
    const { request, fault, detail } = checkRequest(method, target, version, rawHeaders);
    this.head = method === 'HEAD';
    if (fault !== null && !(fault === 'UPGRADE_REQUIRED' && this.settings.askPlainRequests)) {
      this.failOpening(fault, detail);
      return;
    }
    this.request = request;
    this.emit({ type: 'request', request });
  }

  private decidable(command: string): ReceivedRequest {
    if (this.request === null) throw new UsageError('INVALID_STATE', `there is no request to ${command}`);
    return this.request;
  }
}

const NO_OFFERS: readonly ExtensionOffer[] = [];
