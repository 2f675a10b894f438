/** A `Deno.Conn` as a transport: reads into one buffer that grows with what comes, and writes what has come together. */

import { BufferedTransport } from '../buffered.ts';
import type { Transport } from '../transport.ts';
import type { DenoConn } from './api.ts';

/** An idle connection keeps this much; a busy one up to `LARGEST`. */
const SMALLEST = 4_096;
const LARGEST = 131_072;

/** One TCP or TLS connection of Deno. */
export class DenoConnTransport extends BufferedTransport implements Transport {
  private readonly conn: DenoConn;
  private buffer: Uint8Array = new Uint8Array(SMALLEST);

  /** Takes the connection over; `secure`: it is one of TLS. */
  constructor(conn: DenoConn, secure = false) {
    const { localAddr, remoteAddr } = conn;
    super({
      remoteAddress: remoteAddr.hostname ?? null,
      remotePort: remoteAddr.port ?? null,
      localAddress: localAddr.hostname ?? null,
      localPort: localAddr.port ?? null,
      secure,
    });
    this.conn = conn;
  }

  override ref(): void {
    this.conn.ref?.();
  }

  override unref(): void {
    this.conn.unref?.();
  }

  protected override fetch(): void {
    this.conn.read(this.buffer).then(this.onRead, this.onError);
  }

  private readonly onRead = (length: number | null): void => {
    if (!this.readDone()) return;
    if (length === null) {
      this.readEnded();
      return;
    }
    const { buffer } = this;
    this.sink?.receivedBorrowed(buffer, length);
    if (length === buffer.length && length < LARGEST) this.buffer = new Uint8Array(Math.min(8 * length, LARGEST));
    else if (length < SMALLEST && buffer.length > SMALLEST) this.buffer = new Uint8Array(SMALLEST);
    this.read();
  };

  protected override flush(): void {
    const bytes = this.queue.next();
    this.busy = true;
    this.conn.write(bytes).then((length) => {
      this.busy = false;
      this.queue.back(bytes.subarray(length));
      this.wrote(length);
    }, this.onError);
  }

  protected override shut(): void {
    this.conn.closeWrite().then(() => this.writeEnded(), this.onError);
  }

  protected override release(): void {
    try {
      this.conn.close();
    } catch {
      // It is closed already.
    }
  }

  private readonly onError = (error: unknown): void => this.fail(error);
}
