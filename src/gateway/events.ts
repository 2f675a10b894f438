/** The events of a gateway, for whoever operates it. What they tell is not for clients: it may hold paths. */

import { show } from '../connection/options.ts';
import { ApplicationError, UsageError } from '../errors.ts';
import { nodeEnvironment } from '../transport/node/index.ts';

/** A client and what it reached. */
export interface GatewayClient<Context = unknown> {
  /** Which of this gateway's clients it is, counted from 1: the same in all of its events. */
  readonly connection: number;
  /** The name that its path came to. */
  readonly name: string;
  /** Who it is, behind trusted proxies too; null if that is not known. */
  readonly remoteAddress: string | null;
  /** What `authorize` gave it along, or undefined. */
  readonly context: Context | undefined;
}

/** How a client and its backend ended. */
export interface GatewayClose<Context = unknown> extends GatewayClient<Context> {
  /** The client's close code; 1005 if its Close was empty, 1006 if none came. */
  readonly code: number;
  /** The client's reason, or `''`. */
  readonly reason: string;
  /** What went wrong on either side; null if both ended in order. Not for clients. */
  readonly failure: string | null;
}

/** A client that was refused. */
export interface GatewayRefusal {
  /** What it was answered; 0 if it got no answer. */
  readonly status: number;
  /** The path as it asked for it, or null if no request was read. */
  readonly path: string | null;
  /** Why; not for clients. */
  readonly reason: string;
  /** Who it is, behind trusted proxies too; null if that is not known. */
  readonly remoteAddress: string | null;
}

/** The events of a gateway, and what their listeners get. */
export interface GatewayEvents<Context = unknown> {
  /** A client and its backend are joined; in direct mode: the client was handed over. */
  open: GatewayClient<Context>;
  /** Neither is left. */
  close: GatewayClose<Context>;
  /** A client was refused. */
  refused: GatewayRefusal;
}

/** The name of an event. */
export type GatewayEventName = keyof GatewayEvents;

/** A listener of a gateway. What it throws becomes a process warning. */
export type GatewayListener<Name extends GatewayEventName, Context = unknown> = (
  event: GatewayEvents<Context>[Name],
) => unknown;

const EVENTS: Record<GatewayEventName, true> = { open: true, close: true, refused: true };

/** The listeners of one gateway. */
export class GatewayEmitter {
  private readonly listeners: Map<GatewayEventName, Set<GatewayListener<never>>> = new Map();

  /** @throws UsageError when there is no such event */
  on<Name extends GatewayEventName>(type: Name, listener: GatewayListener<Name>): () => void {
    if (!Object.hasOwn(EVENTS, type)) {
      const known = Object.keys(EVENTS).join(', ');
      throw new UsageError('INVALID_ARGUMENT', `there is no event '${String(type)}'; there are ${known}`);
    }
    if (typeof listener !== 'function') throw new UsageError('INVALID_ARGUMENT', 'a listener must be a function');
    // The same function may listen twice.
    const entry: GatewayListener<Name> = (event) => listener(event);
    const set = this.listeners.get(type) ?? new Set();
    this.listeners.set(type, set.add(entry as GatewayListener<never>));
    return () => {
      set.delete(entry as GatewayListener<never>);
    };
  }

  emit<Name extends GatewayEventName>(type: Name, event: GatewayEvents[Name]): void {
    // Those that it had when this happened: a listener that undoes itself and listens anew waits for the next time.
    for (const listener of [...(this.listeners.get(type) ?? [])]) {
      try {
        const result = (listener as unknown as GatewayListener<Name>)(event);
        Promise.resolve(result).catch(applicationFailed);
      } catch (error) {
        applicationFailed(error);
      }
    }
  }
}

/** A listener or a hook failed. */
export function applicationFailed(error: unknown): void {
  nodeEnvironment.warn(new ApplicationError(error));
}

/** What nobody else hears of. */
export function warn(error: unknown): void {
  process.emitWarning(asError(error));
}

/** What was thrown, which may be anything. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(typeof error === 'string' ? error : show(error));
}
