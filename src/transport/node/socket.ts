/**
 * A `net.Socket`, a `tls.TLSSocket` or any other duplex stream of Node as a transport. It moves bytes and reports what
 * happens; it knows nothing of WebSockets.
 */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { markAsUntransferable } from 'node:worker_threads';
import type { Addresses, Transport, TransportSink } from '../transport.ts';
import { type Handle, handleOf, writeDirectly, writeError } from './direct-write.ts';
import { SocketAddresses } from './socket-addresses.ts';
import { onData, onEnd, onRead, take } from './socket-events.ts';
import { useStaticRead } from './static-read.ts';
import { defersWrites, writeStream } from './stream-write.ts';

/** How a socket is used. */
export interface SocketTransportOptions {
  /** Bytes that were read before, as `node:http` hands over with an upgrade. */
  readonly head?: Uint8Array;
  /** Whether Node's internals may be used, to read into a shared buffer and to write past the stream. Default true. */
  readonly internals?: boolean;
  /**
   * Whether bytes are copied on their way in and out: for a stream within the process, which hands them on as they are and
   * calls back before anybody has read them. Default: for all but sockets of `node:net` and `node:tls`.
   */
  readonly copies?: boolean;
}

/** One stream of Node, in both directions. */
export class SocketTransport implements Transport {
  private readonly socket: Duplex;
  private readonly head: Uint8Array | null;
  private readonly internals: boolean;
  private readonly copies: boolean;
  private readonly encrypted: boolean;
  private readonly deferring: boolean;
  /** Everything is written to it, past the stream; null: to the stream. */
  private handle: Handle | null = null;
  /** Writes to it that are under way. */
  private flying = 0;
  private sink: TransportSink | null = null;
  private error: unknown = undefined;
  private onWritten: (() => void) | null = null;
  /** What was unwritten when that was last asked. */
  private left = 0;
  private remote: string | null = null;
  private port: number | null = null;

  /** Takes the stream over: errors and the end of it are reported to the sink from now on. */
  constructor(socket: Duplex, options: SocketTransportOptions = {}) {
    this.socket = socket;
    this.head = options.head !== undefined && options.head.length > 0 ? options.head : null;
    this.internals = options.internals !== false;
    this.copies = options.copies ?? !(socket instanceof Socket);
    this.encrypted = (socket as { encrypted?: boolean }).encrypted === true;
    this.deferring = defersWrites(socket);
    take(socket, this);
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    const { socket } = this;
    const { remoteAddress, remotePort } = socket as Partial<Socket>;
    this.remote = remoteAddress ?? null;
    this.port = remotePort ?? null;
    socket.on('end', onEnd);
    if (this.internals && !this.copies && !this.deferring) this.handle = handleOf(socket as Socket);
    if (this.head !== null) this.readOwned(this.head);
    if (this.internals && useStaticRead(socket as Socket, onRead)) socket.resume();
    else socket.on('data', onData);
    if (socket.destroyed) queueMicrotask(() => this.closed());
  }

  get unwritten(): number {
    // A stream that failed, or was destroyed, forgets what it had not written. It has not left for all that.
    if (!this.broken) this.left = this.handle === null ? this.socket.writableLength : this.waiting(this.handle);
    return this.left;
  }

  write(given: readonly Uint8Array[]): number {
    const { socket, handle } = this;
    if (handle !== null) return this.writePast(handle, given);
    const chunks = this.copies ? [Buffer.concat(given)] : given;
    writeStream(socket, chunks, this.deferring, this);
    return this.broken ? this.lose(chunks) : this.unwritten;
  }

  /** @internal */
  get afterWrite(): () => void {
    this.onWritten ??= () => this.sink?.written();
    return this.onWritten;
  }

  private writePast(handle: Handle, chunks: readonly Uint8Array[]): number {
    if (chunks.length === 0) return this.unwritten;
    const code = writeDirectly(handle, chunks, this);
    if (code < 0) {
      this.socket.destroy(writeError(code));
      return this.lose(chunks);
    }
    if (code > 0) this.flying++;
    this.refresh();
    this.left = this.waiting(handle);
    return this.left;
  }

  /** The stream would do it: who writes is not idle. */
  private refresh(): void {
    const { timeout } = this.socket as Socket;
    if (timeout) (this.socket as Socket).setTimeout(timeout);
  }

  private waiting(handle: Handle): number {
    return this.flying === 0 ? 0 : handle.writeQueueSize;
  }

  /** @internal */
  wrote(error: Error | null): void {
    this.flying--;
    if (this.broken) return;
    this.refresh();
    if (error === null) this.sink?.written();
    else this.socket.destroy(error);
  }

  private get broken(): boolean {
    return this.socket.destroyed || this.socket.errored !== null;
  }

  /** What was given to a stream that could not write it stays unwritten; `close` follows. */
  private lose(chunks: readonly Uint8Array[]): number {
    for (const chunk of chunks) this.left += chunk.length;
    return this.left;
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  ref(): void {
    (this.socket as Partial<Socket>).ref?.();
  }

  unref(): void {
    (this.socket as Partial<Socket>).unref?.();
  }

  get addresses(): Addresses {
    return new SocketAddresses(this.socket as Partial<Socket>, this.remote, this.port, this.encrypted);
  }

  /** @internal */
  readBorrowed(buffer: Uint8Array, length: number): void {
    this.sink?.receivedBorrowed(buffer, length);
  }

  /** @internal */
  readOwned(chunk: Uint8Array): void {
    // What comes from within the process is still that of whoever wrote it.
    const bytes = this.copies ? new Uint8Array(chunk) : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    // Whoever gets a payload in it must not take the rest away before it is read.
    markAsUntransferable(bytes.buffer);
    this.sink?.received(bytes);
  }

  /** @internal */
  ended(): void {
    this.sink?.ended();
  }

  /** @internal */
  failed(error: unknown): void {
    this.error ??= error;
  }

  /** @internal */
  closed(): void {
    const { sink } = this;
    this.sink = null;
    this.handle = null;
    sink?.closed(this.error);
  }
}
