/** What is used of Deno, described here so that the package needs no types of Deno's. */

/** An address of Deno's network. @opaque */
export interface NetAddr {
  readonly hostname?: string;
  readonly port?: number;
}

/** A `Deno.TcpConn` or a `Deno.TlsConn`. @opaque */
export interface DenoConn {
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on?: boolean): void;
  handshake?(): Promise<unknown>;
  ref?(): void;
  unref?(): void;
}

/** A `Deno.Listener`. @opaque */
export interface DenoListener {
  readonly addr: NetAddr;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** The part of the global `Deno` that the shell calls. */
export interface DenoNet {
  listen(options: { port: number; hostname?: string }): DenoListener;
  listenTls(options: { port: number; hostname?: string; cert: string; key: string }): DenoListener;
  connect(options: { port: number; hostname: string }): Promise<DenoConn>;
  connectTls(options: { port: number; hostname: string; caCerts?: readonly string[] }): Promise<DenoConn>;
}
