/** The events of a server, and who listens to them. */

import type { Environment } from '../endpoint/options.ts';
import { ApplicationError, type FailureError, UsageError } from '../errors.ts';
import type { Request } from '../handshake/request.ts';
import type { ServerEndpoint } from './server-endpoint.ts';

/** A connection that ended before it was open. */
export interface RefusedConnection {
  /** The HTTP status that it was answered with; 0 if it got no answer. */
  readonly status: number;
  /** Who it was, or null where there is no address. */
  readonly remoteAddress: string | null;
  /** The peer's port, or null. */
  readonly remotePort: number | null;
  /** Null if none was read. */
  readonly request: Request | null;
  /** Why. Failures of TLS are a `TransportError` whose `cause` is Node's error. */
  readonly error: FailureError;
}

/** The events of a server, and what their listeners get. */
export interface ServerEvents<Context = unknown> {
  /** A connection is open; called after the handler. */
  connection: [socket: ServerEndpoint<Context>, request: Request];
  /** A connection ended before it was open. */
  refused: [refused: RefusedConnection];
  /** The listener failed. Without a listener for this there is a process warning. */
  error: [error: Error];
  /** The server is closed. */
  close: [];
}

/** A listener of a server. What it throws, or rejects with, becomes a process warning. */
export type ServerListener<Name extends keyof ServerEvents, Context = unknown> = (
  ...event: ServerEvents<Context>[Name]
) => unknown;

const EVENTS: Record<keyof ServerEvents, true> = { connection: true, refused: true, error: true, close: true };

/** The listeners of one server. What they throw never reaches the server. */
export class ServerEmitter {
  private readonly environment: Environment;
  private readonly listeners: Map<keyof ServerEvents, readonly ServerListener<never>[]> = new Map();

  constructor(environment: Environment) {
    this.environment = environment;
  }

  /** Listens; the returned function undoes it. */
  on<Name extends keyof ServerEvents>(type: Name, listener: ServerListener<Name>): () => void {
    if (!Object.hasOwn(EVENTS, type)) {
      const known = Object.keys(EVENTS).join(', ');
      throw new UsageError('INVALID_ARGUMENT', `there is no event '${String(type)}'; there are ${known}`);
    }
    if (typeof listener !== 'function') throw new UsageError('INVALID_ARGUMENT', 'a listener must be a function');
    // The same function may listen twice: each undo is for one of them.
    const entry: ServerListener<Name> = (...event) => listener(...event);
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), entry as ServerListener<never>]);
    return () => {
      const rest = (this.listeners.get(type) ?? []).filter((each) => each !== entry);
      if (rest.length > 0) this.listeners.set(type, rest);
      else this.listeners.delete(type);
    };
  }

  /** Whether anybody listens. */
  has(type: keyof ServerEvents): boolean {
    return this.listeners.has(type);
  }

  emit<Name extends keyof ServerEvents>(type: Name, ...event: ServerEvents[Name]): void {
    const warn = (error: unknown) => this.environment.warn(new ApplicationError(error));
    for (const listener of this.listeners.get(type) ?? []) {
      try {
        const result = (listener as unknown as ServerListener<Name>)(...event) as Partial<PromiseLike<unknown>> | null;
        if (typeof result?.then === 'function') void result.then(undefined, warn);
      } catch (error) {
        warn(error);
      }
    }
  }
}
