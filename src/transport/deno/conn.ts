/** A `Deno.Conn` as a transport: reads into one buffer that grows with what comes, and writes what has come together. */

import { joinChunks } from '../pieces.ts';
import type { Addresses, Transport, TransportSink } from '../transport.ts';
import type { DenoConn } from './api.ts';

/** An idle connection keeps this much; a busy one up to `LARGEST`. */
const SMALLEST = 4_096;
const LARGEST = 131_072;

/** One TCP or TLS connection of Deno. */
export class DenoConnTransport implements Transport {
  readonly addresses: Addresses;
  /** Bytes that the system has not taken yet. */
  unwritten = 0;
  private readonly conn: DenoConn;
  private sink: TransportSink | null = null;
  private buffer: Uint8Array = new Uint8Array(SMALLEST);
  private queued: Uint8Array[] = [];
  private writing = false;
  private reading = false;
  private paused = false;
  private ending = false;
  private readOver = false;
  private writeOver = false;
  private over = false;

  /** Takes the connection over; `secure`: it is one of TLS. */
  constructor(conn: DenoConn, secure = false) {
    this.conn = conn;
    const { localAddr, remoteAddr } = conn;
    this.addresses = {
      remoteAddress: remoteAddr.hostname ?? null,
      remotePort: remoteAddr.port ?? null,
      localAddress: localAddr.hostname ?? null,
      localPort: localAddr.port ?? null,
      secure,
    };
  }

  start(sink: TransportSink): void {
    this.sink = sink;
    void this.read();
  }

  write(chunks: readonly Uint8Array[]): number {
    if (this.over || this.ending) return 0;
    for (const chunk of chunks) this.unwritten += chunk.length;
    this.queued.push(...chunks);
    if (!this.writing) void this.flush();
    return this.unwritten;
  }

  end(): void {
    if (this.over || this.ending) return;
    this.ending = true;
    if (!this.writing) void this.flush();
  }

  destroy(): void {
    if (!this.over) this.finish(undefined);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    void this.read();
  }

  ref(): void {
    this.conn.ref?.();
  }

  unref(): void {
    this.conn.unref?.();
  }

  private async read(): Promise<void> {
    if (this.reading || this.readOver) return;
    this.reading = true;
    try {
      while (!this.paused && !this.over) {
        const length = await this.conn.read(this.buffer);
        if (this.over) break;
        if (length === null) {
          this.readOver = true;
          this.sink?.ended();
          this.settle();
          break;
        }
        this.sink?.receivedBorrowed(this.buffer, length);
        if (length === this.buffer.length && length < LARGEST) this.buffer = new Uint8Array(8 * length);
        else if (length < SMALLEST && this.buffer.length > SMALLEST) this.buffer = new Uint8Array(SMALLEST);
      }
    } catch (error) {
      this.finish(error);
    }
    this.reading = false;
  }

  private async flush(): Promise<void> {
    this.writing = true;
    try {
      // What a listener of `written` sends joins the queue.
      while (this.queued.length > 0) {
        const bytes = this.queued.length === 1 ? this.queued[0]! : joinChunks(this.queued);
        this.queued = [];
        for (let at = 0; at < bytes.length; ) {
          const written = await this.conn.write(at === 0 ? bytes : bytes.subarray(at));
          if (this.over) return;
          at += written;
          this.unwritten -= written;
          this.sink?.written();
        }
      }
      this.writing = false;
      if (!this.ending || this.writeOver) return;
      this.writeOver = true;
      await this.conn.closeWrite();
      this.settle();
    } catch (error) {
      this.finish(error);
    }
  }

  private settle(): void {
    if (this.readOver && this.writeOver) this.finish(undefined);
  }

  private finish(cause: unknown): void {
    if (this.over) return;
    this.over = true;
    this.queued = [];
    try {
      this.conn.close();
    } catch {
      // It is closed already.
    }
    // Later: whoever called us is in the middle of a turn.
    queueMicrotask(() => {
      const { sink } = this;
      this.sink = null;
      sink?.closed(cause);
    });
  }
}
