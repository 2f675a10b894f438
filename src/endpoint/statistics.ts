/** What is counted of one endpoint. */

/** Counters of one connection. */
export interface Statistics {
  /** Bytes on the wire, the opening handshake included. */
  readonly bytesReceived: number;
  /** Bytes on the wire that were written, the opening handshake included. */
  readonly bytesSent: number;
  /** Messages delivered whole, or to their last fragment. */
  readonly messagesReceived: number;
  /** Messages queued whole. */
  readonly messagesSent: number;
}
