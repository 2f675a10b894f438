/**
 * A proxy in the middle: takes TCP connections, joins each to the server, lets everything through and tells what passes. Of what
 * passes it changes the head of the first request, and nothing if it is told so.
 */

import { connect as connectNet, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TlsOptions,
} from 'node:tls';
import type { Address } from '../client/url.ts';
import type { Side } from '../debug/records.ts';
import { WireReader } from '../debug/wire-reader.ts';
import { HeadParser } from '../handshake/head-parser.ts';
import { parseRequestLine } from '../handshake/request.ts';
import { rewriteHead } from './trace-head.ts';
import type { TracePrinter } from './trace-printer.ts';

const HEAD_LIMITS = { maxHeadSize: 65_536, maxRequestLine: 16_384, maxHeaders: 200 };
const MOST_CONNECTIONS = 1_000;
const HANDSHAKE_TIMEOUT = 10_000;

/** Where and how a proxy works. */
export interface ProxyOptions {
  readonly to: Address;
  /** To the server, for `node:tls`; null for plain TCP. */
  readonly tls: ConnectionOptions | null;
  /** From clients; null for plain TCP. */
  readonly listenTls: TlsOptions | null;
  /** Leaves Host and Origin as they came. */
  readonly keepHost: boolean;
  /** Bytes of each payload that are kept for printing. */
  readonly previewSize: number;
}

/** A listening proxy. */
export class TraceProxy {
  private readonly options: ProxyOptions;
  private readonly printer: TracePrinter;
  private readonly server: Server;
  private readonly pairs: Set<Pair> = new Set();
  private readonly sockets: Set<Socket> = new Set();
  private readonly startedAt: number = performance.now();
  private count = 0;

  constructor(options: ProxyOptions, printer: TracePrinter) {
    this.options = options;
    this.printer = printer;
    const common = { allowHalfOpen: true, noDelay: true };
    const accept = (socket: Socket) => this.accept(socket);
    const { listenTls } = options;
    if (listenTls === null) {
      this.server = createServer(common, accept);
    } else {
      this.server = createTlsServer({ ...common, ...listenTls, handshakeTimeout: HANDSHAKE_TIMEOUT }, accept);
      this.server.on('tlsClientError', (error: Error, socket: Socket) => this.notSecured(error, socket));
      // Those that are in their handshake belong to no pair yet.
      this.server.on('connection', (socket: Socket) => {
        this.sockets.add(socket);
        socket.once('close', () => this.sockets.delete(socket));
      });
    }
    this.server.maxConnections = MOST_CONNECTIONS;
  }

  /** Resolves with the port. Rejects with Node's error if it cannot listen. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const { server } = this;
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        // A connection that could not be accepted is no reason to end.
        server.on('error', (error) => this.printer.note(this.now(), 0, `no connection: ${error.message}`, true));
        resolve((server.address() as { port: number }).port);
      });
    });
  }

  /** Drops every connection. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      for (const pair of this.pairs) pair.destroy();
      for (const socket of this.sockets) socket.destroy();
    });
  }

  private now(): number {
    return performance.now() - this.startedAt;
  }

  private notSecured(error: Error, socket: Socket): void {
    socket.destroy();
    // What OpenSSL says stands in a line of its own with places in its source.
    const { reason, code, message } = error as Error & { reason?: string; code?: string };
    this.printer.note(this.now(), ++this.count, `no TLS with the client: ${reason ?? code ?? message}`, true);
  }

  private accept(client: Socket): void {
    const number = ++this.count;
    const pair = new Pair(client, number, this.options, this.printer, () => this.now());
    this.pairs.add(pair);
    client.once('close', () => this.pairs.delete(pair));
  }
}

/** A client's connection and the one to the server that goes with it. */
class Pair {
  private readonly client: Socket;
  private readonly server: Socket;
  private readonly number: number;
  private readonly options: ProxyOptions;
  private readonly printer: TracePrinter;
  private readonly now: () => number;
  private readonly reader: WireReader;
  /** Reads the first request until it has been passed on. */
  private head: HeadParser | null;
  private held: Uint8Array[] = [];
  /** Those that wait for the printer; who waits for room on the other side alone is not among them. */
  private readonly holding: Set<Socket> = new Set();
  private connected = false;
  private failed = false;

  constructor(client: Socket, number: number, options: ProxyOptions, printer: TracePrinter, now: () => number) {
    this.client = client;
    this.number = number;
    this.options = options;
    this.printer = printer;
    this.now = now;
    this.head = options.keepHost && options.to.target === '/' ? null : new HeadParser(HEAD_LIMITS);
    this.reader = new WireReader((record) => printer.record(record, number), { previewSize: options.previewSize });
    printer.note(now(), number, `${client.remoteAddress ?? ''}:${client.remotePort ?? ''} connected`);
    this.server = this.dial();
    this.join(client, this.server, 'client');
    this.join(this.server, client, 'server');
  }

  destroy(): void {
    this.client.destroy();
    this.server.destroy();
  }

  private dial(): Socket {
    const { to, tls } = this.options;
    const where = to.socketPath === null ? { host: to.hostname, port: to.port } : { path: to.socketPath };
    const common = { ...where, allowHalfOpen: true, noDelay: true };
    const socket = tls === null ? connectNet(common as NetConnectOpts) : connectTls({ ...common, ...tls });
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      this.connected = true;
    });
    return socket;
  }

  private join(source: Socket, target: Socket, from: Side): void {
    source.on('data', (chunk: Buffer) => {
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
      this.reader.read(from, bytes, this.now());
      const room = from === 'client' && this.head !== null ? this.readHead(this.head, bytes) : target.write(bytes);
      if (!room) source.pause();
      // Nobody passes faster than it can be printed.
      if (this.printer.behind !== null) this.hold(source, target, this.printer.behind);
    });
    target.on('drain', () => {
      if (!this.holding.has(source)) source.resume();
    });
    source.on('end', () => {
      this.reader.end(from, this.now());
      if (from === 'client') this.release();
      target.end();
    });
    source.on('error', (error) => this.lost(from, error));
    source.on('close', () => {
      this.reader.end(from, this.now());
      if (from === 'client') this.release();
      // What is on its way to the other side still arrives there.
      target.destroySoon();
    });
  }

  private hold(source: Socket, target: Socket, until: Promise<void>): void {
    source.pause();
    this.holding.add(source);
    void until.then(() => {
      this.holding.delete(source);
      if (!target.writableNeedDrain) source.resume();
    });
  }

  /** The client has ended, and the head will not: what came of it passes as it is. */
  private release(): void {
    this.head = null;
    if (this.held.length > 0 && this.server.writable) this.server.write(Buffer.concat(this.held));
    this.held = [];
  }

  /** Holds the first request until it is whole, and passes on what the server should read. */
  private readHead(head: HeadParser, bytes: Uint8Array): boolean {
    this.held.push(new Uint8Array(bytes));
    const end = head.push(bytes, 0, bytes.length);
    if (end < 0 && head.fault === null) return true;
    this.head = null;
    const { held } = this;
    this.held = [];
    // What is no request is for the server to judge.
    if (head.fault !== null || parseRequestLine(head.firstLine) === null) return this.server.write(Buffer.concat(held));
    const { to, keepHost } = this.options;
    this.server.write(rewriteHead(head.firstLine, head.rawHeaders, to, keepHost));
    return this.server.write(bytes.slice(end));
  }

  private lost(from: Side, error: Error): void {
    if (this.failed) return;
    this.failed = true;
    const { to } = this.options;
    if (from === 'client' || this.connected) {
      this.printer.note(this.now(), this.number, `the ${from} was lost: ${error.message}`, true);
      return;
    }
    const where = to.socketPath ?? to.host;
    this.printer.note(this.now(), this.number, `cannot connect to ${where}: ${error.message}`, true);
    const body = `sansocket trace cannot connect to ${where}\n`;
    this.client.end(
      `HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}
