/**
 * Both directions of one connection, as somebody sees them who only listens: the opening handshake, what was agreed in it,
 * and the frames. It changes nothing, answers nothing, and needs no connection of its own: a log, or a proxy in the middle,
 * gives it what passes by.
 */

import { Inflate } from '../extension/permessage-deflate/inflate.ts';
import { NAME as DEFLATE, readParameters, termsOf } from '../extension/permessage-deflate/parameters.ts';
import { HeadParser } from '../handshake/head-parser.ts';
import { parseExtensions } from '../handshake/header-grammar.ts';
import { Headers } from '../handshake/headers.ts';
import { checkRequest, parseRequestLine } from '../handshake/request.ts';
import { checkResponse, parseStatusLine } from '../handshake/response.ts';
import { type Expectation, FrameReader, faultRecord } from './frame-reader.ts';
import { PingLedger } from './ping-ledger.ts';
import type { Side, WireRecord } from './records.ts';
import { redact } from './redact.ts';

/** Heads are read with room to spare: whether they are too long is for the endpoints to say. */
const HEAD_LIMITS = { maxHeadSize: 262_144, maxRequestLine: 65_536, maxHeaders: 1_000 };
/** Bytes that a client sent before the answer was seen, and that wait for it. */
const MAX_EARLY = 65_536;
const PREVIEW = 256;
const NONE = new Uint8Array(0);

/** A request that was read by somebody else. */
export interface SeenRequest {
  /** Its first line. */
  readonly line: string;
  /** Name and value alternately. */
  readonly rawHeaders: readonly string[];
}

/** How a {@link WireReader} is set up. */
export interface WireReaderOptions {
  /** Bytes of each payload that are kept for the record. Default 256. */
  readonly previewSize?: number;
  /** Whether there is a record for the bytes of each call. Default false. */
  readonly bytes?: boolean;
  /** The request, where an HTTP server has read it already: the client's bytes begin behind its head. */
  readonly request?: SeenRequest;
}

/**
 * Reads what passes between a client and a server.
 *
 * @example
 * const reader = new WireReader((record) => console.log(record));
 * reader.read('client', request, 0);
 * reader.read('server', response, 1.5);
 */
export class WireReader {
  private readonly emit: (record: WireRecord) => void;
  private readonly previewSize: number;
  private readonly tellBytes: boolean;
  private readonly sides: { readonly client: Direction; readonly server: Direction };
  private readonly pings: PingLedger = new PingLedger();
  private key = '';
  private subprotocols: readonly string[] = [];
  private offered = '';
  private upgrading = false;
  private early: Uint8Array[] | null = [];
  private earlyLength = 0;

  /** `emit` takes each record as it is made. */
  constructor(emit: (record: WireRecord) => void, options: WireReaderOptions = {}) {
    this.emit = emit;
    this.previewSize = options.previewSize ?? PREVIEW;
    this.tellBytes = options.bytes ?? false;
    this.sides = { client: new Direction('client'), server: new Direction('server') };
    const { request } = options;
    if (request === undefined) return;
    this.sides.client.head = null;
    this.requestHead(request.line, request.rawHeaders, 0, 0);
  }

  /** Takes bytes that `from` sent, at `at` milliseconds. They are not changed, and not kept. */
  read(from: Side, bytes: Uint8Array, at: number): void {
    const direction = this.sides[from];
    direction.wireSize += bytes.length;
    let rest = bytes;
    while (direction.head !== null && rest.length > 0) rest = this.readHead(direction, direction.head, rest, at);
    if (rest.length > 0) this.behindHead(direction, rest, at);
  }

  /** `from` will send nothing more. */
  end(from: Side, at: number): void {
    const direction = this.sides[from];
    if (direction.ended) return;
    direction.ended = true;
    direction.frames?.end(at);
    this.emit({ type: 'end', at, from, wireSize: direction.wireSize });
  }

  /** Returns what is behind the head, if that is complete. */
  private readHead(direction: Direction, head: HeadParser, bytes: Uint8Array, at: number): Uint8Array {
    const { from } = direction;
    const end = head.push(bytes, 0, bytes.length);
    direction.headSize += end < 0 ? bytes.length : end;
    if (end < 0 && head.fault === null) return NONE;
    direction.head = null;
    if (head.fault !== null) {
      this.emit(faultRecord(head.fault, '', from, at, true));
      this.giveUp(direction);
      return NONE;
    }
    if (from === 'client') this.requestHead(head.firstLine, head.rawHeaders, direction.headSize, at);
    else this.responseHead(head.firstLine, head.rawHeaders, direction.headSize, at);
    return bytes.subarray(end);
  }

  private behindHead(direction: Direction, bytes: Uint8Array, at: number): void {
    if (direction.opaque) return;
    if (direction.frames === null) {
      this.wait(bytes);
      return;
    }
    if (this.tellBytes) this.emit({ type: 'bytes', at, from: direction.from, bytes: new Uint8Array(bytes) });
    direction.frames.read(bytes, at);
  }

  /** A client that is ahead of the answer: what its bytes mean is not known yet. */
  private wait(bytes: Uint8Array): void {
    if (this.early === null) return;
    this.earlyLength += bytes.length;
    if (this.earlyLength > MAX_EARLY) this.giveUp(this.sides.client);
    else this.early.push(new Uint8Array(bytes));
  }

  private giveUp(direction: Direction): void {
    direction.opaque = true;
    if (direction.from === 'client') this.early = null;
  }

  private requestHead(line: string, rawHeaders: readonly string[], wireSize: number, at: number): void {
    this.emit({ type: 'head', at, from: 'client', line, headers: redact(rawHeaders), wireSize });
    const parts = parseRequestLine(line);
    if (parts === null) {
      this.emit(faultRecord('REQUEST_LINE_INVALID', '', 'client', at, false));
      return;
    }
    const { request, fault, detail } = checkRequest(parts.method, parts.target, parts.version, rawHeaders);
    const headers = new Headers(rawHeaders);
    // A request for something else than a WebSocket is nobody's mistake.
    const expected = fault === 'UPGRADE_REQUIRED' || (fault === 'METHOD_NOT_GET' && headers.get('upgrade') === null);
    if (fault !== null && !expected) this.emit(faultRecord(fault, detail, 'client', at, false));
    this.upgrading = fault === null;
    this.key = headers.get('sec-websocket-key') ?? '';
    this.offered = headers.get('sec-websocket-extensions') ?? '';
    this.subprotocols = request.subprotocols;
  }

  private responseHead(line: string, rawHeaders: readonly string[], wireSize: number, at: number): void {
    const headers = new Headers(rawHeaders);
    this.emit({ type: 'head', at, from: 'server', line, headers: redact(rawHeaders), wireSize });
    const status = parseStatusLine(line);
    if (status === null) this.emit(faultRecord('STATUS_LINE_INVALID', '', 'server', at, true));
    if (status !== null && status.status < 200 && status.status !== 101) {
      // RFC 9110 section 15.2: an interim response, and the answer is still to come.
      this.sides.server.awaitHead();
      return;
    }
    if (status?.status !== 101) {
      this.giveUp(this.sides.client);
      this.giveUp(this.sides.server);
      return;
    }
    if (this.upgrading) {
      const { key, subprotocols } = this;
      const { fault, detail, answers } = checkResponse({ ...status, headers, key, subprotocols });
      if (fault !== null) this.emit(faultRecord(fault, detail, 'server', at, false));
      // An empty value is no list.
      const offers = parseExtensions([this.offered]) ?? [];
      const unasked = answers.find(({ name }) => !offers.some((offer) => offer.name === name));
      if (unasked !== undefined) this.emit(faultRecord('EXTENSION_UNREQUESTED', unasked.name, 'server', at, false));
    }
    this.open(headers.getAll('sec-websocket-extensions'), at);
  }

  private open(answered: readonly string[], at: number): void {
    const { client, server } = this.sides;
    const { toServer, toClient } = expectationsOf(answered);
    const emit = this.emit;
    client.frames = new FrameReader('client', toServer, this.previewSize, this.pings, emit);
    server.frames = new FrameReader('server', toClient, this.previewSize, this.pings, emit);
    const early = this.early ?? [];
    this.early = null;
    for (const bytes of early) this.behindHead(client, bytes, at);
  }
}

/** What is known of one direction. */
class Direction {
  readonly from: Side;
  /** Reads the head; null once it is read. */
  head: HeadParser | null = null;
  headSize = 0;
  frames: FrameReader | null = null;
  /** What follows is no WebSocket, or cannot be followed: its bytes are only counted. */
  opaque = false;
  ended = false;
  wireSize = 0;

  constructor(from: Side) {
    this.from = from;
    this.awaitHead();
  }

  awaitHead(): void {
    this.head = new HeadParser(HEAD_LIMITS, this.from === 'client' ? 'request' : 'response');
    this.headSize = 0;
  }
}

/** What the extensions of the 101 let both directions do. */
function expectationsOf(answered: readonly string[]): { toServer: Expectation; toClient: Expectation } {
  const answers = parseExtensions(answered) ?? [];
  const expect = (masked: boolean, rsvBits: number, inflater: Inflate | null, independent: boolean): Expectation => ({
    masked,
    rsvBits,
    inflater,
    independent,
  });
  if (answers.length === 0) return { toServer: expect(true, 0, null, true), toClient: expect(false, 0, null, true) };
  const [answer] = answers;
  const parameters =
    answers.length === 1 && answer!.name === DEFLATE ? readParameters(answer!.parameters, false) : null;
  // What we do not know may use every bit, and change every payload.
  if (parameters === null)
    return { toServer: expect(true, 0x70, null, true), toClient: expect(false, 0x70, null, true) };
  const terms = termsOf(parameters);
  return {
    toServer: expect(true, 0x40, new Inflate(terms.clientMaxWindowBits), terms.clientNoContextTakeover),
    toClient: expect(false, 0x40, new Inflate(terms.serverMaxWindowBits), terms.serverNoContextTakeover),
  };
}
