/**
 * The seam for extensions (RFC 6455 section 9): how one is offered, answered and applied to payloads.
 * It knows neither HTTP nor connections; `handshake/negotiate` prints and parses the header.
 */

import type { FaultCode } from '../errors.ts';

/** One parameter: `name` or `name=value`. */
export interface ExtensionParameter {
  /** A token. */
  readonly name: string;
  /** A token, or null for a name alone. */
  readonly value: string | null;
}

/** One element of a Sec-WebSocket-Extensions header. */
export interface ExtensionOffer {
  /** The registered token of the extension. */
  readonly name: string;
  /** In the order of the header. */
  readonly parameters: readonly ExtensionParameter[];
}

/** What a server settles on for one offer: the answer that goes on the wire, and the transform that follows from it. */
export interface ExtensionAgreement {
  /** What goes into the Sec-WebSocket-Extensions of the 101. */
  readonly answer: ExtensionOffer;
  /** What changes payloads from now on. */
  readonly transform: PayloadTransform;
}

/** An extension, ready to be negotiated for any number of connections. */
export interface Extension {
  /** The registered token, in lower case. */
  readonly name: string;
  /** The reserved bits it claims: 0x40 (RSV1), 0x20 (RSV2), 0x10 (RSV3) or a sum of them; with none it changes no payload. */
  readonly rsvBits: number;
  /** Client: the offers, in order of preference. */
  offer(): readonly ExtensionOffer[];
  /** Server: settles one offer, or declines it with `null` so that the next one is tried. */
  accept(offer: ExtensionOffer): ExtensionAgreement | null;
  /** Client: takes the server's answer, or `null` if it is not one that the offers allow. */
  agree(answer: ExtensionOffer): PayloadTransform | null;
}

/** Changes payloads of one connection, in both directions. Synchronous; never keeps the bytes it is given. */
export interface PayloadTransform {
  /** The bits set on the first frame of a transformed message. */
  readonly rsvBits: number;
  /**
   * Outgoing: transforms one whole message. If it throws, the message is not sent, or is sent as it is where it had been taken
   * before: what it makes later must not refer to it.
   *
   * @returns the payload to send with the bits set (owned by the caller), or `null` to send the message as it is
   */
  encode(payload: Uint8Array, kind: 'text' | 'binary'): Uint8Array | null;
  /**
   * Outgoing: transforms one piece of a message whose end is not known yet. Without it, and when the first piece gives
   * `null`, such messages are sent as they are. What throws can be given again.
   */
  encodePiece?(piece: Uint8Array, first: boolean, last: boolean): Uint8Array | null;
  /** Outgoing: transforms with the same key make the same of a message. `null` or absent: only this one does. */
  readonly encodeKey?: string | null;
  /**
   * Incoming: gives a piece of payload of a message whose first frame had the bits set, then `read` is called until it
   * returns `null`. `last` marks the end of the message; the piece may be empty.
   */
  write(piece: Uint8Array, last: boolean): void;
  /** The next piece of output (valid until the next call), or `null` when all input so far is used up. */
  read(): Uint8Array | null;
  /** Set once the input cannot be read: the connection fails with 1007. */
  readonly corrupt: boolean;
  /** Why it fails then. Default `EXTENSION_DATA_INVALID`. */
  readonly fault?: FaultCode;
  /** Gives memory back; called once, when the connection ends. */
  release(): void;
}
