/**
 * One frame header held against the rules of its receiver (RFC 6455 section 5). A pure function over two octets and two
 * facts; the RFC's rule stands over each case.
 */

import type { FaultCode } from '../errors.ts';

/** What a receiver expects of every frame. */
export interface FrameRules {
  /** Frames come masked: the receiver is a server. */
  readonly masked: boolean;
  /** Reserved bits that the extensions in use have claimed (0x40, 0x20, 0x10). */
  readonly rsvBits: number;
}

/**
 * Checks the first two octets of a frame.
 *
 * @param continuing whether a fragmented message is under way
 * @returns the rule that is broken, or null
 */
export function checkFrame(first: number, second: number, rules: FrameRules, continuing: boolean): FaultCode | null {
  const opcode = first & 0x0f;
  const rsv = first & 0x70;
  // §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values." What an extension
  // claims here marks a message, so it is legal on the first frame of a data message only.
  if (rsv !== 0 && ((rsv & ~rules.rsvBits) !== 0 || (opcode !== 1 && opcode !== 2))) return 'RESERVED_BITS_SET';
  if (opcode >= 8) {
    // §5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
    if (opcode > 10) return 'RESERVED_OPCODE';
    // §5.5: "All control frames [...] MUST NOT be fragmented."
    if ((first & 0x80) === 0) return 'CONTROL_FRAGMENTED';
    // §5.5: "All control frames MUST have a payload length of 125 bytes or less"
    if ((second & 0x7f) > 125) return 'CONTROL_TOO_LONG';
  } else if (opcode === 0) {
    // §5.4: a continuation belongs to a message whose first frame had FIN clear.
    if (!continuing) return 'CONTINUATION_UNEXPECTED';
  } else {
    if (opcode > 2) return 'RESERVED_OPCODE';
    // §5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another message"
    if (continuing) return 'CONTINUATION_EXPECTED';
  }
  // §5.1: "The server MUST close the connection upon receiving a frame that is not masked." "A client MUST close a
  // connection if it detects a masked frame."
  if (second >= 0x80 !== rules.masked) return rules.masked ? 'MASK_MISSING' : 'MASK_UNEXPECTED';
  return null;
}
