/**
 * What a driver needs of the world: a byte stream in both directions, and a clock.
 * Adapters implement these two; nothing here or above them reads a platform global.
 */

/** A byte stream with flow control in both directions. Only the driver calls it. */
export interface Transport {
  /** Takes the receiver of everything that happens. Called once; nothing is reported before. */
  start(sink: TransportSink): void;
  /**
   * Writes the chunks, in order, in one system call where possible. They stay unchanged until they are written.
   *
   * @returns the bytes that are accepted but not yet written: 0 when everything has left
   */
  write(chunks: readonly Uint8Array[]): number;
  /** Bytes that were accepted by `write` and are not yet written. */
  readonly unwritten: number;
  /** Ends the outgoing direction once everything is written (TCP FIN). */
  end(): void;
  /** Drops the connection at once, in both directions. `closed` follows. */
  destroy(): void;
  /** Stops reading; bytes already read may still arrive. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Keeps the process alive (the default). */
  ref(): void;
  /** Lets the process end although the connection is open. */
  unref(): void;
  /** Who is connected to whom. */
  readonly addresses: Addresses;
}

/** The two ends of a connection, as far as the transport knows them. */
export interface Addresses {
  /** The peer's address, or null where there is none (UNIX sockets, memory). */
  readonly remoteAddress: string | null;
  /** The peer's port. */
  readonly remotePort: number | null;
  /** Our address. */
  readonly localAddress: string | null;
  /** Our port. */
  readonly localPort: number | null;
  /** Whether the bytes are protected by TLS. */
  readonly secure: boolean;
  /** The certificate that the peer has shown, in DER; null or absent: none, or nobody can tell. */
  readonly peerCertificate?: Uint8Array | null;
}

/** What a transport reports. */
export interface TransportSink {
  /** Bytes came; they belong to the receiver from now on. */
  received(bytes: Uint8Array): void;
  /**
   * The first `length` bytes of a buffer came; the transport uses the buffer again when this call returns. The receiver may
   * scribble on them.
   */
  receivedBorrowed(buffer: Uint8Array, length: number): void;
  /** `unwritten` became smaller. */
  written(): void;
  /** The peer ended its direction (TCP FIN). */
  ended(): void;
  /** Both directions are over; nothing follows. `cause` is set unless it was orderly. */
  closed(cause?: unknown): void;
}

/** A source of time and of wake-ups. */
export interface Clock {
  /** Milliseconds on a monotonic clock. */
  now(): number;
  /** Calls `task.wake()` at `at` or soon after. An early or needless wake-up is harmless. */
  schedule(task: Wakeable, at: number): void;
  /** Forgets the wake-up that was set for `at`. */
  cancel(task: Wakeable, at: number): void;
  /** Calls `run(argument)` when the current call stack has ended and before time passes. */
  defer<T>(run: (argument: T) => void, argument: T): void;
  /** Calls `run(argument)` after other pending input and output had a turn. */
  yield<T>(run: (argument: T) => void, argument: T): void;
  /**
   * Keeps the process alive until the function it gives is called: for wake-ups that nothing else lives to see. Not needed
   * where wake-ups do that by themselves, or where there is no process.
   */
  hold?(): () => void;
}

/** Something a clock can wake. */
export interface Wakeable {
  /** It is time; may come early, never twice for one `schedule`. */
  wake(): void;
}
