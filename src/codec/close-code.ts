/**
 * Close codes (RFC 6455 sections 7.4 and 11.7, and the IANA registry it founded): which exist, and which may be on the
 * wire. This file knows no payload, no fault and no role.
 */

/** The close codes that have a name. Three of them (1005, 1006, 1015) tell how a connection ended and are never sent. */
export const CloseCode = {
  /** The purpose of the connection is fulfilled. */
  normal: 1000,
  /** The endpoint goes away: a server shuts down, a user leaves the page. */
  goingAway: 1001,
  /** The peer broke the protocol. */
  protocolError: 1002,
  /** The peer sent a kind of data that the endpoint does not take. */
  unsupportedData: 1003,
  /** Local only: the peer's Close frame had no code. */
  noStatus: 1005,
  /** Local only: the connection ended without a Close frame. */
  abnormal: 1006,
  /** The payload did not match the kind of message, as text that is not UTF-8. */
  invalidPayload: 1007,
  /** The peer broke a policy; the code for what no other code says. */
  policyViolation: 1008,
  /** A message is too big to be processed. */
  messageTooBig: 1009,
  /** A client misses an extension that the server did not agree to. */
  mandatoryExtension: 1010,
  /** The endpoint failed. */
  internalError: 1011,
  /** IANA registry: the service restarts; come back after a while. */
  serviceRestart: 1012,
  /** IANA registry: the service is overloaded; try again later. */
  tryAgainLater: 1013,
  /** IANA registry: a gateway had an invalid answer from the server behind it. */
  badGateway: 1014,
  /** Local only: the TLS handshake failed. */
  tlsHandshake: 1015,
} as const;

/** One of the values of {@link CloseCode}. Applications have 4000 to 4999 besides, so that a close code is any `number`. */
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

const TEXTS: Readonly<Record<CloseCode, string>> = {
  1000: 'normal closure',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'unsupported data',
  1005: 'no close code received',
  1006: 'abnormal closure',
  1007: 'invalid payload',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'mandatory extension missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
  1015: 'TLS handshake failed',
};

/** Whether a peer may send this code (0 to 65535) in a Close frame. */
export function isReceivableCloseCode(code: number): boolean {
  // §7.4.1: 1005, 1006 and 1015 MUST NOT be set in a Close frame. §7.4.2: 0-999 are not used, 1004 and the rest up to 2999
  // are reserved for the protocol, 3000-3999 are registered and 4000-4999 private.
  if (code < 3000) return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
  return code <= 4999;
}

/** Whether we may send this code: the receivable ones. Takes any number, as it comes from an application. */
export function isSendableCloseCode(code: number): boolean {
  return Number.isInteger(code) && isReceivableCloseCode(code);
}

/** A few words for people, as `'going away'`. Not stable: do not compare it. */
export function closeCodeText(code: number): string {
  const text: string | undefined = Object.hasOwn(TEXTS, code) ? TEXTS[code as CloseCode] : undefined;
  if (text !== undefined) return text;
  if (!isSendableCloseCode(code)) return 'not a valid close code';
  return code < 4000 ? 'a registered code of a library or framework' : 'a private code of the application';
}
