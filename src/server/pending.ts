/** A connection of a server that is not open yet, as the application may see it, and what the gate remembers of it. */

import type { Endpoint } from '../endpoint/endpoint.ts';
import type { HandshakeError } from '../errors.ts';
import type { Clock, Wakeable } from '../transport/transport.ts';
import type { Peer } from './options.ts';

/** Who asks to connect. */
export class Pending implements Peer, Wakeable {
  /** It was one too many when it came. */
  readonly surplus: boolean;
  /** Why it was refused, if we refused it. */
  error: HandshakeError | null = null;
  /** A plain request was answered: neither refused nor ever to be open. */
  answered = false;
  context: unknown = undefined;
  private readonly endpoint: Endpoint;
  private readonly clock: Clock;
  private controller: AbortController | null = null;
  private wakeAt: number = Number.POSITIVE_INFINITY;

  constructor(endpoint: Endpoint, clock: Clock, surplus: boolean) {
    this.endpoint = endpoint;
    this.clock = clock;
    this.surplus = surplus;
  }

  get remoteAddress(): string | null {
    return this.endpoint.remoteAddress;
  }

  get remotePort(): number | null {
    return this.endpoint.remotePort;
  }

  get secure(): boolean {
    return this.endpoint.secure;
  }

  get peerCertificate(): Uint8Array | null {
    return this.endpoint.peerCertificate;
  }

  /** Made when it is asked for: few hooks do. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      const { connection, readyState } = this.endpoint;
      if (readyState === 'connecting') this.arm(connection.nextTimeout());
      else if (readyState !== 'open') this.controller.abort();
    }
    return this.controller.signal;
  }

  /** Nobody waits for an answer any more. */
  abort(): void {
    this.rest();
    this.controller?.abort();
  }

  /** It is open. */
  rest(): void {
    this.clock.cancel(this, this.wakeAt);
  }

  /** @hidden `handshakeTimeout` has passed: the peer is told so, and may take its time to leave. */
  wake(): void {
    const { wakeAt } = this;
    const { readyState } = this.endpoint;
    const now = this.clock.now();
    if (now < wakeAt) this.arm(wakeAt);
    // The peer has its answer first: what a hook makes of the signal must not become one.
    else if (readyState === 'connecting') this.arm(now + 1);
    else if (readyState !== 'open') this.abort();
  }

  private arm(at: number): void {
    this.wakeAt = at;
    this.clock.schedule(this, at);
  }
}
