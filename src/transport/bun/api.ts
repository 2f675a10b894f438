/** What is used of Bun, described here so that the package needs no types of Bun's. */

/** A socket of `Bun.listen` or `Bun.connect`; `data` is whatever its owner keeps with it. @opaque */
export interface BunSocket<T> {
  data: T;
  readonly remoteAddress: string;
  readonly remotePort?: number;
  readonly localAddress?: string;
  readonly localPort: number;
  write(bytes: Uint8Array): number;
  shutdown(halfClose?: boolean): void;
  end(): void;
  terminate?(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay?(on?: boolean): boolean;
}

/** One set of functions for all sockets of a listener. @opaque */
export interface BunHandlers<T> {
  /** What `data` gives; a Buffer if nothing is said. */
  readonly binaryType: 'uint8array';
  open(socket: BunSocket<T>): void;
  data(socket: BunSocket<T>, bytes: Uint8Array): void;
  drain(socket: BunSocket<T>): void;
  end(socket: BunSocket<T>): void;
  close(socket: BunSocket<T>, error?: unknown): void;
  error(socket: BunSocket<T>, error: unknown): void;
  connectError?(socket: BunSocket<T>, error: unknown): void;
  handshake?(socket: BunSocket<T>, authorized: boolean, error: Error | null): void;
}

/** A listener of `Bun.listen`. @opaque */
export interface BunListener {
  readonly port: number;
  readonly hostname: string;
  stop(closeActiveConnections?: boolean): void;
}

/** The part of the global `Bun` that the shell calls. */
export interface BunNet {
  listen<T>(options: {
    hostname: string;
    port: number;
    allowHalfOpen: boolean;
    tls?: { cert: string; key: string };
    socket: BunHandlers<T>;
  }): BunListener;
  connect<T>(options: {
    hostname: string;
    port: number;
    allowHalfOpen: boolean;
    data: T;
    tls?: { ca?: string; serverName: string; rejectUnauthorized: boolean };
    socket: BunHandlers<T>;
  }): Promise<BunSocket<T>>;
}
