/**
 * A connection whose opening handshake took place elsewhere: an adopted socket, or an HTTP/2 stream (RFC 8441). It begins in
 * state open.
 */

import { UsageError } from '../errors.ts';
import type { PayloadTransform } from '../extension/extension.ts';
import { Headers } from '../handshake/headers.ts';
import { Connection, type Role } from './connection.ts';
import { type ConnectionOptions, Settings } from './options.ts';

/** What the handshake elsewhere settled. */
export interface EstablishedOptions {
  /** Which side this is: a client masks. */
  readonly role: Role;
  /** Default `''`. */
  readonly subprotocol?: string;
  /** The agreed Sec-WebSocket-Extensions value, and the transforms that follow from it. Default none. */
  readonly extensions?: string;
  /** What changes payloads, in the order of the header. Default none. */
  readonly transforms?: readonly PayloadTransform[];
  /** Bytes of frames that were read with the handshake. */
  readonly head?: Uint8Array;
  /** The peer's headers. */
  readonly headers?: Headers;
}

/** A connection that is open from the start; its first event is `open`. */
export class EstablishedConnection extends Connection {
  /** @throws UsageError naming the option that is wrong, or a client's missing randomness */
  constructor(agreed: EstablishedOptions, options: ConnectionOptions | Settings, startedAt: number) {
    const settings = Settings.from(options);
    if (agreed.role !== 'client' && agreed.role !== 'server') {
      throw new UsageError('INVALID_OPTION', "connection: 'role' must be 'client' or 'server'");
    }
    if (agreed.role === 'client' && settings.keys === null) {
      throw new UsageError(
        'INVALID_OPTION',
        'a client needs randomness: give platform.random, as crypto.getRandomValues',
      );
    }
    super(agreed.role, settings, startedAt);
    const { head } = agreed;
    if (head !== undefined && head.length > 0) this.incoming.queue.push(head, head.length, false);
    this.establish({
      subprotocol: agreed.subprotocol ?? '',
      extensions: agreed.extensions ?? '',
      transforms: agreed.transforms ?? [],
      headers: agreed.headers ?? new Headers([]),
    });
  }

  // It is never connecting: nobody asks for these.
  /** @internal */
  declare protected readonly nextOpening: never;
  /** @internal */
  declare protected readonly readsOpening: never;
  /** @internal */
  declare protected readonly closeOpening: never;
  /** @internal */
  declare protected readonly openingTimeout: never;
  /** @internal */
  declare protected readonly failOpening: never;
}
