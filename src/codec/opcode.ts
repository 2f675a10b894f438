/**
 * Opcodes (RFC 6455 sections 5.2 and 11.8): what a frame is. This file knows no frame and no role.
 */

/** The opcodes of RFC 6455. All others are reserved. */
export const Opcode = {
  /** A fragment after the first of a message (section 5.4). */
  continuation: 0x0,
  /** The first frame of a text message (section 5.6). */
  text: 0x1,
  /** The first frame of a binary message (section 5.6). */
  binary: 0x2,
  /** Begins or answers the closing handshake (section 5.5.1). */
  close: 0x8,
  /** Asks for a pong (section 5.5.2). */
  ping: 0x9,
  /** Answers a ping, or tells that the peer lives (section 5.5.3). */
  pong: 0xa,
} as const;

/** One of the values of {@link Opcode}. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Whether a frame with this opcode (0 to 15) is a control frame: its highest bit is set (RFC 6455 section 5.5). */
export function isControl(opcode: number): boolean {
  return (opcode & 0x8) !== 0;
}

/** Whether this opcode (0 to 15) is reserved: 3 to 7 for data frames, 11 to 15 for control frames (RFC 6455 section 5.2). */
export function isReserved(opcode: number): boolean {
  // The highest of either half has the same lower bits: 2 and 10.
  return (opcode & 0x7) > Opcode.binary;
}
