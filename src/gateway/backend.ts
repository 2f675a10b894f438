/**
 * The gateway's connection to a backend: a stream socket that reads only when somebody takes what it reads. It knows neither
 * messages nor WebSockets.
 */

import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { nodeClock } from '../transport/node/clock.ts';
import { type OnRead, staticReadOptions } from '../transport/node/static-read.ts';
import type { Clock } from '../transport/transport.ts';
import { BackendWriter } from './backend-writer.ts';
import type { SocketFile } from './socket-file.ts';

/** Where a backend listens. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Who gets what a backend sends. */
export interface BackendTaker {
  /** Takes `bytes[0, length)`, which are lent until it returns. */
  received(bytes: Uint8Array, length: number): void;
  /** The backend will send nothing more. */
  ended(): void;
  /** Everything that was written has left. */
  drained(): void;
  /** Nothing of what waits for the backend has left for the time that it was given. */
  stalled(): void;
  /** Both directions are over; `error` is set unless that was orderly. */
  closed(error: Error | null): void;
}

/** A timer of Node with more than these 24 days would fire at once. */
export const LONGEST_TIMER = 0x7fff_ffff;

/** Between two tries, in milliseconds. */
const SHORTEST_PAUSE = 5;
const LONGEST_PAUSE = 100;

const BACKEND = Symbol('sansocket backend');

type Carrier = Socket & { [BACKEND]?: Backend };

/** Why there is no backend to talk to. `message` is for the operator alone: it may hold paths. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
  /** What the client is answered. */
  readonly status: 403 | 404 | 502 | 504;

  constructor(status: BackendError['status'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** One connection to a backend. */
export class Backend {
  readonly writer: BackendWriter;
  private readonly socket: Socket;
  private taker: BackendTaker | null = null;
  private error: Error | null = null;
  private inputEnded = false;
  private over = false;
  private told = false;

  /** `socket` is not read from before `start()`. */
  constructor(socket: Socket, clock: Clock) {
    socket.pause();
    (socket as Carrier)[BACKEND] = this;
    this.socket = socket;
    this.writer = new BackendWriter(
      socket,
      clock,
      () => this.taker?.drained(),
      () => this.taker?.stalled(),
    );
    socket.on('error', (error) => {
      this.error ??= error;
    });
    socket.on('end', () => {
      this.inputEnded = true;
      this.tell();
    });
    socket.on('close', () => {
      this.over = true;
      this.writer.watch.rest();
      this.tell();
    });
  }

  /** Resolves when it is connected; rejects with a {@link BackendError} when it cannot be, or when what is `left` of `timeout` is over. */
  connected(timeout: number, left: number): Promise<void> {
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          reject(tooSlow(timeout));
          socket.destroy();
        },
        Math.min(left, LONGEST_TIMER),
      );
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.once('close', () => {
        clearTimeout(timer);
        reject(refused(this.error));
      });
    });
  }

  /**
   * Begins to read. What happened before is told at once.
   *
   * @param sendTimeout how long the backend may take nothing of what waits for it, in milliseconds
   */
  start(taker: BackendTaker, sendTimeout: number): void {
    this.taker = taker;
    this.writer.watch.within(sendTimeout);
    this.socket.resume();
    if (this.over || this.inputEnded) this.tell();
  }

  /** Whether the backend can still be written to. */
  get writable(): boolean {
    return this.socket.writable;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Drops the connection; what was written and has not left is lost. */
  destroy(): void {
    this.socket.destroy();
  }

  /** @internal */
  read(bytes: Uint8Array, length: number): void {
    this.taker?.received(bytes, length);
  }

  private tell(): void {
    const { taker } = this;
    if (taker === null) return;
    if (this.inputEnded && !this.told) {
      this.told = true;
      taker.ended();
    }
    if (this.over) {
      this.taker = null;
      taker.closed(this.error);
    }
  }
}

/**
 * Connects to a backend.
 *
 * @param file what was found at the address, to be the same after connecting; it is released
 * @param gone drops the connection when it aborts: nobody waits for it any more
 */
export async function dial(
  address: Address,
  file: SocketFile | null,
  timeout: number,
  gone: AbortSignal,
): Promise<Backend> {
  const giveUpAt = nodeClock.now() + timeout;
  let backend: Backend | null = null;
  gone.addEventListener('abort', () => backend?.destroy(), { once: true });
  try {
    for (let pause = SHORTEST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      backend = new Backend(open(file === null ? address : { path: file.address }), nodeClock);
      if (gone.aborted) backend.destroy();
      try {
        // The last try is at the end of the time, and wants a moment of its own.
        await backend.connected(timeout, Math.max(1, giveUpAt - nodeClock.now()));
        if (file !== null && !(await file.isSame()))
          throw new BackendError(404, 'it was replaced while it was looked at');
        return backend;
      } catch (error) {
        backend.destroy();
        // The queue of a UNIX socket is full: where TCP waits for its turn, the kernel wants to be asked again.
        if (!isQueueFull(error) || gone.aborted) throw error;
        const rest = giveUpAt - nodeClock.now();
        if (rest <= 0) throw tooSlow(timeout, error);
        await new Promise((resolve) => setTimeout(resolve, Math.min(pause, rest)));
      }
    }
  } finally {
    await file?.release();
  }
}

function open(address: Address): Socket {
  const options: object = {
    ...address,
    // Whether the backend's end is the end of all is for the relay to say.
    allowHalfOpen: true,
    noDelay: true,
    ...staticReadOptions(onRead),
  };
  return connect(options as NetConnectOpts);
}

function isQueueFull(error: unknown): boolean {
  return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EAGAIN';
}

function tooSlow(timeout: number, cause?: unknown): BackendError {
  return new BackendError(504, `it did not accept the connection within ${timeout} ms`, cause);
}

function refused(error: Error | null): BackendError {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return new BackendError(
    code === 'ENOENT' ? 404 : 502,
    code ?? error?.message ?? 'it ended at once',
    error ?? undefined,
  );
}

const onRead: OnRead = function read(length, bytes) {
  (this as Carrier)[BACKEND]?.read(bytes, length);
  return true;
};
