/**
 * The client's side of the opening handshake (RFC 6455 section 4.1): the request is queued at once, the response is checked
 * to the letter.
 */

import { type FailureError, type FaultCode, failure, HandshakeError, TransportError, UsageError } from '../errors.ts';
import { encodeBase64 } from '../handshake/base64.ts';
import { decodeChunked } from '../handshake/chunked.ts';
import { HeadParser } from '../handshake/head-parser.ts';
import { Headers } from '../handshake/headers.ts';
import { agreeExtensions, offerExtensions } from '../handshake/negotiate.ts';
import { formatRequest } from '../handshake/request.ts';
import { checkResponse, parseStatusLine } from '../handshake/response.ts';
import { Connection } from './connection.ts';
import { type ConnectionOptions, Settings } from './options.ts';

/** What the client asks for. */
export interface ClientTarget {
  /** The value of the Host header: the port only when it is not the scheme's default. */
  readonly host: string;
  /** Path and query: begins with `/`. */
  readonly target: string;
  /** In order of preference. */
  readonly subprotocols?: readonly string[];
  /** The Origin header. Default: none. */
  readonly origin?: string;
  /** Further headers. */
  readonly headers?: Iterable<readonly [string, string]>;
}

/** Interim responses (1xx) that are passed over before the answer. */
const MOST_INTERIM = 4;
/** How much of a refusal's body is kept. */
const MOST_BODY = 65_536;

interface Refusal {
  readonly status: number;
  readonly statusText: string;
  readonly rawHeaders: readonly string[];
  readonly chunked: boolean;
  /** How much of the body is wanted: its Content-Length, or `MOST_BODY`. */
  readonly wanted: number;
  store: Uint8Array;
  length: number;
  /** Chunks before this are whole; -1: so is the last one. */
  next: number;
}

/** The client's side of one connection. */
export class ClientConnection extends Connection {
  private parser: HeadParser | null;
  private key: string;
  private interim = 0;
  private readonly offered: readonly string[];
  private refusal: Refusal | null = null;

  /**
   * @param startedAt when the connection attempt began, before DNS, TCP and TLS
   * @throws UsageError naming the option that is wrong, or the missing randomness
   */
  constructor(target: ClientTarget, options: ConnectionOptions | Settings, startedAt: number) {
    const settings = Settings.from(options);
    if (settings.keys === null) {
      throw new UsageError(
        'INVALID_OPTION',
        'a client needs randomness: give platform.random, as crypto.getRandomValues',
      );
    }
    super('client', settings, startedAt);
    // §4.1: "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded"
    this.key = encodeBase64(settings.keys.bytes(16));
    this.offered = [...(target.subprotocols ?? [])];
    this.parser = new HeadParser(settings.head, 'response');
    this.outgoing.append(
      formatRequest({
        target: target.target,
        host: target.host,
        key: this.key,
        origin: target.origin ?? null,
        subprotocols: this.offered,
        extensions: offerExtensions(settings.extensions),
        headers: [...(target.headers ?? [])],
      }),
    );
  }

  /** @internal */
  protected override nextOpening(): void {
    const { queue } = this.incoming;
    while (queue.position < queue.end || queue.advance()) {
      const { parser } = this;
      if (parser === null) {
        this.readBody(queue.bytes.subarray(queue.position, queue.end));
        queue.position = queue.end;
        continue;
      }
      const next = parser.push(queue.bytes, queue.position, queue.end);
      if (parser.fault !== null) {
        this.failOpening(parser.fault, '');
        return;
      }
      if (next < 0) {
        queue.position = queue.end;
        continue;
      }
      queue.position = next;
      this.examine(parser);
      if (this.phase !== 'connecting') return;
    }
  }

  /** @internal */
  protected override get readsOpening(): boolean {
    return true;
  }

  /** @internal */
  protected override closeOpening(): void {
    this.outgoing.dispose();
    this.refuse(new TransportError('TERMINATED'), 'close-out');
  }

  /** @internal */
  protected override openingTimeout(): void {
    if (this.refusal !== null) this.giveRefusal(this.refusal);
    else this.ending.error = failure('OPENING_TIMEOUT');
    this.finish('deadline');
  }

  /** @internal A body that ended with the connection is whole. */
  protected override openingLost(): void {
    if (this.refusal !== null) this.ending.error = refused(this.refusal);
  }

  /** @internal */
  protected override failOpening(
    code: FaultCode,
    detail: string,
    // What a server would answer is not what came here.
    error: FailureError = new HandshakeError(code, detail, 0),
  ): void {
    this.outgoing.dispose();
    this.refuse(error, 'fail');
  }

  private examine(parser: HeadParser): void {
    const line = parseStatusLine(parser.firstLine);
    if (line === null) {
      this.failOpening('STATUS_LINE_INVALID', parser.firstLine);
      return;
    }
    if (line.status < 200 && line.status !== 101) {
      if (++this.interim > MOST_INTERIM)
        this.failOpening('STATUS_UNEXPECTED', `more than ${MOST_INTERIM} interim responses`);
      else this.parser = new HeadParser(this.settings.head, 'response');
      return;
    }
    this.parser = null;
    const headers = new Headers(parser.rawHeaders);
    if (line.status !== 101) {
      this.beginRefusal(line.status, line.statusText, headers);
      return;
    }
    const { extensions } = this.settings;
    const { fault, detail, subprotocol, answers } = checkResponse({
      ...line,
      headers,
      key: this.key,
      subprotocols: this.offered,
    });
    if (fault !== null) {
      this.failOpening(fault, detail);
      return;
    }
    const agreed = agreeExtensions(answers, extensions);
    if (agreed === null) {
      this.failOpening('EXTENSION_UNREQUESTED', headers.get('sec-websocket-extensions')!);
      return;
    }
    this.key = '';
    this.establish({
      subprotocol,
      extensions: headers.get('sec-websocket-extensions') ?? '',
      transforms: agreed.transforms,
      headers,
    });
  }

  private beginRefusal(status: number, statusText: string, headers: Headers): void {
    const length = Number(headers.get('content-length') || 'none');
    const bodiless = status === 204 || status === 304;
    const wanted = bodiless ? 0 : Number.isSafeInteger(length) && length >= 0 ? Math.min(length, MOST_BODY) : MOST_BODY;
    const chunked = headers.get('transfer-encoding')?.toLowerCase().includes('chunked') === true;
    const refusal = { status, statusText, rawHeaders: headers.raw, chunked, wanted, store: NONE, length: 0, next: 0 };
    this.refusal = refusal;
    if (wanted === 0) this.giveRefusal(refusal);
  }

  private readBody(piece: Uint8Array): void {
    const refusal = this.refusal!;
    const taken = piece.subarray(0, refusal.wanted - refusal.length);
    const length = refusal.length + taken.length;
    if (length > refusal.store.length) {
      const larger = new Uint8Array(Math.min(refusal.wanted, Math.max(length, 2 * refusal.store.length)));
      larger.set(refusal.store);
      refusal.store = larger;
    }
    refusal.store.set(taken, refusal.length);
    refusal.length = length;
    if (refusal.chunked && taken.includes(0x0a))
      refusal.next = decodeChunked(refusal.store.subarray(0, length), refusal.next).next;
    if (length === refusal.wanted || refusal.next < 0) this.giveRefusal(refusal);
  }

  private giveRefusal(refusal: Refusal): void {
    this.refuse(refused(refusal), 'fail');
  }
}

function refused({ status, statusText, rawHeaders, store, length, chunked }: Refusal): HandshakeError {
  const body = store.slice(0, length);
  const response = { status, statusText, rawHeaders, body: chunked ? decodeChunked(body).body : body };
  return new HandshakeError('STATUS_UNEXPECTED', `${status} ${statusText}`.trim(), status, response);
}

const NONE = /* @__PURE__ */ new Uint8Array(0);
