/**
 * What was seen on a wire, as plain objects: heads, frames, faults, ends, and the states in between. They print, compare
 * and serialize; who shows them to people is elsewhere.
 */

import type { FaultCode } from '../errors.ts';

/** Who sent the bytes that a record is about. */
export type Side = 'client' | 'server';

/** A head of the opening handshake went by (RFC 6455 section 4). */
export interface HeadRecord {
  readonly type: 'head';
  /** Milliseconds since the connection began. */
  readonly at: number;
  /** Who sent it. */
  readonly from: Side;
  /** The request line or the status line. */
  readonly line: string;
  /** Name and value of each field; values of fields that carry credentials are `[redacted]`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Bytes on the wire. */
  readonly wireSize: number;
}

/** A frame went by (RFC 6455 section 5.2). */
export interface FrameRecord {
  readonly type: 'frame';
  /** Milliseconds since the connection began, when the frame was complete. */
  readonly at: number;
  /** Who sent it. */
  readonly from: Side;
  /** The frame's opcode: 0 for a continuation. */
  readonly opcode: number;
  /** The opcode of the message that it belongs to; its own, if it is a control frame. */
  readonly messageOpcode: number;
  /** The last fragment of its message, or the only one. */
  readonly fin: boolean;
  /** The reserved bits that are set: 0x40 for RSV1, 0x20, 0x10. */
  readonly rsv: number;
  /** Whether the payload was masked. */
  readonly masked: boolean;
  /** Bytes of payload, as on the wire. */
  readonly length: number;
  /** Bytes on the wire, the header included. */
  readonly wireSize: number;
  /** The first bytes of the payload, unmasked and decompressed. */
  readonly payload: Uint8Array;
  /** Bytes of payload after decompression, or null where the message is not compressed, or cannot be followed. */
  readonly inflated: number | null;
  /** Of the last frame of a message: bytes of the whole message on the wire, headers left out. Else null. */
  readonly messageLength: number | null;
  /** Of a pong: milliseconds since the ping that it answers went by the same place, or null. */
  readonly roundTrip: number | null;
  /** Of a Close with a valid payload: its code, 1005 if it is empty. Else null. */
  readonly closeCode: number | null;
  /** Of a Close: its reason, or `''`. */
  readonly closeReason: string;
  /** Bytes that never came: the connection ended inside the frame. */
  readonly missing: number;
}

/** Somebody broke a rule. What follows from the same side is no longer read, unless `fatal` is false. */
export interface FaultRecord {
  readonly type: 'fault';
  /** Milliseconds since the connection began. */
  readonly at: number;
  /** Who sent it. */
  readonly from: Side;
  /** The row of `FAULTS`. */
  readonly code: FaultCode;
  /** The RFC and its section. */
  readonly section: string;
  /** What is wrong, for people. */
  readonly text: string;
  /** Whether the reader has lost its place, or goes on with the next frame. */
  readonly fatal: boolean;
}

/** One side will send nothing more. */
export interface EndRecord {
  readonly type: 'end';
  /** Milliseconds since the connection began. */
  readonly at: number;
  /** Who sent it. */
  readonly from: Side;
  /** All bytes of this side, the head included. */
  readonly wireSize: number;
}

/** The bytes of one read or write, behind the opening handshake and as they are on the wire. */
export interface BytesRecord {
  readonly type: 'bytes';
  /** Milliseconds since the connection began. */
  readonly at: number;
  /** Who sent it. */
  readonly from: Side;
  /** A copy. */
  readonly bytes: Uint8Array;
}

/** A connection changed its state. */
export interface StateRecord {
  readonly type: 'state';
  /** Milliseconds since the connection began. */
  readonly at: number;
  /** The state that it left. */
  readonly before: string;
  /** The state that it is in now. */
  readonly state: string;
}

/** What can be seen on a wire by who only looks at its bytes. */
export type WireRecord = HeadRecord | FrameRecord | FaultRecord | EndRecord | BytesRecord;
