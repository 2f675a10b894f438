/** A connection of a server that is not open yet, as the application may see it, and what the gate remembers of it. */

import type { Endpoint } from '../endpoint/endpoint.ts';
import type { HandshakeError } from '../errors.ts';
import type { Peer } from './options.ts';

/** Who asks to connect. */
export class Pending implements Peer {
  /** It was one too many when it came. */
  readonly surplus: boolean;
  /** Why it was refused, if we refused it. */
  error: HandshakeError | null = null;
  /** A plain request was answered: neither refused nor ever to be open. */
  answered = false;
  context: unknown = undefined;
  private readonly endpoint: Endpoint;
  private controller: AbortController | null = null;
  private gone = false;

  constructor(endpoint: Endpoint, surplus: boolean) {
    this.endpoint = endpoint;
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

  /** Made when it is asked for: few hooks do. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.gone) this.controller.abort();
    return this.controller.signal;
  }

  abort(): void {
    this.gone = true;
    this.controller?.abort();
  }
}
