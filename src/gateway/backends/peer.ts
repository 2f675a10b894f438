/** A client of a sample server: messages over a stream, in one of the framings, with backpressure. */

import type { Socket } from 'node:net';
import { createDecoder, createEncoder, type Framing, type MessageSink } from '../stream-framing.ts';

const LIMIT = 1_048_576;
/** Unsent bytes above which a client is not read from. */
const HIGH = 1_048_576;
/** Unsent bytes above which a client that others talk to is dropped. */
const HOPELESS = 16_777_216;

/** One client. */
export class Peer implements MessageSink {
  private readonly socket: Socket;
  private readonly encoder: ReturnType<typeof createEncoder>;
  private readonly decoder: ReturnType<typeof createDecoder>;
  private readonly take: (message: Uint8Array) => void;
  private parts: Uint8Array[] = [];
  private busy = 0;
  private ended = false;

  /** `take` gets each message, `closed` is called once. */
  constructor(socket: Socket, framing: Framing, take: (message: Uint8Array) => void, closed: () => void) {
    this.socket = socket;
    this.take = take;
    this.encoder = createEncoder(framing, LIMIT);
    this.decoder = createDecoder(framing, LIMIT, false);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.received(chunk));
    socket.on('drain', () => this.flow());
    socket.on('end', () => {
      this.ended = true;
      this.decoder.end(this);
      this.flow();
    });
    socket.on('close', closed);
  }

  /** Sends a message; what cannot be framed drops the client. */
  send(message: Uint8Array): void {
    const { socket } = this;
    if (!socket.writable) return;
    if (socket.writableLength > HOPELESS) {
      socket.destroy();
      return;
    }
    socket.cork();
    const fault = this.encoder.encode(message, true, { write: (bytes) => void socket.write(bytes) });
    process.nextTick(() => socket.uncork());
    if (fault !== null) socket.destroy();
    else if (socket.writableLength > HIGH) socket.pause();
  }

  /** An answer is being made: too many at a time, and the client waits. */
  begin(): void {
    if (++this.busy >= 64) this.socket.pause();
  }

  done(): void {
    this.busy--;
    this.flow();
  }

  piece(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const part = bytes.slice(start, end);
    // Most messages come in one read.
    if (last && this.parts.length === 0) {
      this.take(part);
      return;
    }
    this.parts.push(part);
    if (!last) return;
    const message = Buffer.concat(this.parts);
    this.parts = [];
    this.take(message);
  }

  private received(chunk: Buffer): void {
    if (this.decoder.decode(chunk, chunk.length, this) !== null) this.socket.destroy();
  }

  /** Reads on when there is room, and ends when everything was answered. */
  private flow(): void {
    const { socket } = this;
    if (this.busy < 64 && socket.writableLength <= HIGH) socket.resume();
    if (this.ended && this.busy === 0) socket.end();
  }
}
