/**
 * Every way to fail, sorted by whose fault it is.
 *
 * `FAULTS` is the one table: the classes, docs/errors.md and the test "each row is reached" come from it.
 * This file knows no bytes and no state. Bytes of the peer never go into a text unescaped.
 */

/** A row of {@link FAULTS}, with its optional columns. */
export interface FaultRow {
  /** Whose fault it is; the error's class follows from it. */
  readonly kind: 'handshake' | 'protocol' | 'limit' | 'timeout' | 'transport' | 'application';
  /** The HTTP status that a server answers, for faults before the connection is open. */
  readonly status?: number;
  /** The close code put on the wire; absent where nothing can or may be sent (1006 locally, RFC 6455 section 7.1.5). */
  readonly closeCode?: number;
  /** The option whose limit was passed. */
  readonly option?: string;
  /** The RFC and its section. */
  readonly section: string;
  /** What the message of the error begins with. */
  readonly text: string;
}

/** One row for each way a connection can fail; docs/errors.md is this table. @opaque */
// biome-ignore format: a table
export const FAULTS = {
  // Opening handshake, as the server sees it.
  REQUEST_LINE_INVALID: { kind: 'handshake', status: 400, section: 'RFC 9112 3', text: 'the request line is malformed' },
  HEADER_INVALID: { kind: 'handshake', status: 400, section: 'RFC 9112 5', text: 'a header line is malformed' },
  METHOD_NOT_GET: { kind: 'handshake', status: 405, section: 'RFC 6455 4.2.1', text: 'the method of an opening handshake is GET' },
  HTTP_VERSION_UNSUPPORTED: { kind: 'handshake', status: 505, section: 'RFC 6455 4.2.1', text: 'the HTTP version is not 1.1' },
  HOST_INVALID: { kind: 'handshake', status: 400, section: 'RFC 6455 4.2.1', text: 'the Host header is missing, repeated or malformed' },
  BODY_PRESENT: { kind: 'handshake', status: 400, section: 'RFC 6455 4.1', text: 'a message with a body cannot open a WebSocket' },
  UPGRADE_REQUIRED: { kind: 'handshake', status: 426, section: 'RFC 6455 4.2.1', text: 'this address speaks WebSocket: send an Upgrade request' },
  UPGRADE_INVALID: { kind: 'handshake', status: 400, section: 'RFC 6455 4.2.1', text: 'the Upgrade and Connection headers do not ask for a WebSocket' },
  KEY_INVALID: { kind: 'handshake', status: 400, section: 'RFC 6455 4.2.1', text: 'Sec-WebSocket-Key is not exactly one base64 value of 16 bytes' },
  VERSION_UNSUPPORTED: { kind: 'handshake', status: 426, section: 'RFC 6455 4.4', text: 'Sec-WebSocket-Version is not exactly 13' },
  SUBPROTOCOL_INVALID: { kind: 'handshake', status: 400, section: 'RFC 6455 4.1', text: 'Sec-WebSocket-Protocol is not a list of unique tokens' },
  EXTENSIONS_INVALID: { kind: 'handshake', status: 400, section: 'RFC 6455 9.1', text: 'Sec-WebSocket-Extensions is malformed' },
  ORIGIN_REFUSED: { kind: 'handshake', status: 403, section: 'RFC 6455 10.2', text: 'the origin is not allowed (option allowedOrigins)' },
  ADDRESS_REFUSED: { kind: 'handshake', status: 403, section: 'RFC 9110 15.5.4', text: 'the address is not allowed (options allowedAddresses and deniedAddresses)' },
  REQUEST_REFUSED: { kind: 'handshake', section: 'RFC 6455 4.2.2', text: 'the application refused the request' },
  EARLY_DATA: { kind: 'handshake', status: 400, section: 'RFC 6455 4.1', text: 'the client sent data before the connection was open (option earlyData)' },
  HEAD_TOO_BIG: { kind: 'handshake', status: 431, option: 'maxHeadSize', section: 'RFC 6585 5', text: 'the head is longer than maxHeadSize' },
  REQUEST_LINE_TOO_LONG: { kind: 'handshake', status: 414, option: 'maxRequestLine', section: 'RFC 9110 15.5.15', text: 'the first line is longer than maxRequestLine' },
  TOO_MANY_HEADERS: { kind: 'handshake', status: 431, option: 'maxHeaders', section: 'RFC 6585 5', text: 'there are more headers than maxHeaders' },
  // Opening handshake, as the client sees it.
  STATUS_LINE_INVALID: { kind: 'handshake', section: 'RFC 6455 4.1', text: 'the status line is not that of an HTTP/1.1 response' },
  STATUS_UNEXPECTED: { kind: 'handshake', section: 'RFC 6455 4.1', text: 'the server did not answer 101' },
  RESPONSE_UPGRADE_INVALID: { kind: 'handshake', section: 'RFC 6455 4.1', text: 'the Upgrade and Connection headers of the 101 do not say websocket' },
  ACCEPT_MISMATCH: { kind: 'handshake', section: 'RFC 6455 4.1', text: 'Sec-WebSocket-Accept is missing, repeated or does not match the key' },
  SUBPROTOCOL_UNREQUESTED: { kind: 'handshake', section: 'RFC 6455 4.1', text: 'the server chose a subprotocol that was not offered' },
  EXTENSION_UNREQUESTED: { kind: 'handshake', section: 'RFC 6455 9.1', text: 'the server answered an extension or a parameter that was not offered' },
  REDIRECT_REFUSED: { kind: 'handshake', option: 'redirects', section: 'RFC 9110 15.4', text: 'the redirect was not followed' },
  PROXY_REFUSED: { kind: 'handshake', option: 'proxy', section: 'RFC 9110 9.3.6', text: 'the proxy did not open a tunnel' },
  // Data transfer.
  RESERVED_BITS_SET: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.2', text: 'a reserved bit is set that no extension has claimed' },
  RESERVED_OPCODE: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.2', text: 'the opcode is reserved' },
  LENGTH_NOT_MINIMAL: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.2', text: 'the payload length is not in its shortest form' },
  LENGTH_HIGH_BIT_SET: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.2', text: 'the highest bit of a 64-bit payload length is set' },
  MASK_MISSING: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.1', text: 'a client sent a frame that is not masked' },
  MASK_UNEXPECTED: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.1', text: 'a server sent a masked frame' },
  CONTROL_FRAGMENTED: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.5', text: 'a control frame is fragmented' },
  CONTROL_TOO_LONG: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.5', text: 'a control frame is longer than 125 bytes' },
  CONTINUATION_UNEXPECTED: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.4', text: 'a continuation frame came without a message to continue' },
  CONTINUATION_EXPECTED: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.4', text: 'a new message began inside a fragmented one' },
  CLOSE_PAYLOAD_TRUNCATED: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 5.5.1', text: 'a close payload of one byte cannot hold a code' },
  CLOSE_CODE_INVALID: { kind: 'protocol', closeCode: 1002, section: 'RFC 6455 7.4', text: 'the close code may not appear on the wire' },
  UTF8_INVALID: { kind: 'protocol', closeCode: 1007, section: 'RFC 6455 8.1', text: 'the text is not UTF-8' },
  EXTENSION_DATA_INVALID: { kind: 'protocol', closeCode: 1007, section: 'RFC 6455 9', text: 'an extension could not read the payload' },
  DEFLATE_CORRUPT: { kind: 'protocol', closeCode: 1007, section: 'RFC 7692 7.2.2', text: 'the compressed message cannot be inflated' },
  // Limits of ours.
  FRAME_TOO_BIG: { kind: 'limit', closeCode: 1009, option: 'maxFrameSize', section: 'RFC 6455 7.4.1', text: 'a frame is longer than maxFrameSize' },
  MESSAGE_TOO_BIG: { kind: 'limit', closeCode: 1009, option: 'maxMessageSize', section: 'RFC 6455 7.4.1', text: 'a message is longer than maxMessageSize' },
  TOO_MANY_FRAGMENTS: { kind: 'limit', closeCode: 1008, option: 'maxFragments', section: 'RFC 6455 10.4', text: 'a message has more fragments than maxFragments' },
  TOO_MANY_CONTROL_FRAMES: { kind: 'limit', closeCode: 1008, option: 'maxControlFrames', section: 'RFC 6455 10.4', text: 'more control frames than maxControlFrames came in 10 s without a data message' },
  OUTGOING_OVERFLOW: { kind: 'limit', closeCode: 1008, option: 'maxBufferedAmount', section: 'RFC 6455 10.4', text: 'the peer reads too slowly: more than maxBufferedAmount bytes are unsent' },
  // Nobody answered.
  OPENING_TIMEOUT: { kind: 'timeout', status: 408, option: 'handshakeTimeout', section: 'RFC 6455 4.1', text: 'the opening handshake took longer than handshakeTimeout' },
  CLOSING_TIMEOUT: { kind: 'timeout', option: 'closeTimeout', section: 'RFC 6455 7.1.1', text: 'the peer did not complete the closing handshake within closeTimeout' },
  PONG_TIMEOUT: { kind: 'timeout', closeCode: 1011, option: 'pongTimeout', section: 'RFC 6455 5.5.2', text: 'a ping was not answered within pongTimeout' },
  // The wire.
  CONNECT_FAILED: { kind: 'transport', section: 'RFC 6455 4.1', text: 'no connection could be made' },
  PROXY_FAILED: { kind: 'transport', option: 'proxy', section: 'RFC 6455 4.1', text: 'there is no connection to the proxy' },
  TRANSPORT_ENDED: { kind: 'transport', section: 'RFC 6455 7.1.5', text: 'the peer ended the connection without a closing handshake' },
  TRANSPORT_FAILED: { kind: 'transport', section: 'RFC 6455 7.1.5', text: 'the connection was lost' },
  TERMINATED: { kind: 'transport', section: 'RFC 6455 7.1.5', text: 'the connection was dropped by terminate()' },
  // Our own application.
  APPLICATION_FAILED: { kind: 'application', status: 500, closeCode: 1011, section: 'RFC 6455 7.4.1', text: 'the application failed' },
  SERVER_BUSY: { kind: 'handshake', status: 503, section: 'RFC 9110 15.6.4', text: 'the server takes no more connections' },
  PATH_NOT_FOUND: { kind: 'handshake', status: 404, section: 'RFC 9110 15.5.5', text: 'there is no WebSocket at this path' },
} as const;

/** The name of a row of {@link FAULTS}. */
export type FaultCode = keyof typeof FAULTS;

type CodesOf<Kind extends FaultRow['kind']> = {
  [Code in FaultCode]: (typeof FAULTS)[Code]['kind'] extends Kind ? Code : never;
}[FaultCode];

/** The faults of the opening handshake. */
export type HandshakeFault = CodesOf<'handshake'>;
/** The faults a peer commits against the RFC once the connection is open. */
export type ProtocolFault = CodesOf<'protocol'>;

/** The base of all errors of this package. `code` is stable; `message` is for people. */
export abstract class WebSocketError extends Error {
  /** What happened, as a stable name. */
  abstract readonly code: string;
}

/**
 * Our caller asked for something impossible; it was thrown at once and nothing changed.
 * `code` says what was wrong: an option, an argument, or the moment.
 */
export class UsageError extends WebSocketError {
  override readonly name = 'UsageError';
  /** What was wrong: an option, an argument, or the moment. */
  readonly code: 'INVALID_OPTION' | 'INVALID_ARGUMENT' | 'INVALID_STATE';

  /** For shells that check arguments of their own. */
  constructor(code: UsageError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** What a client may read of the answer that refused it. */
export interface RefusedResponse {
  /** The HTTP status. */
  readonly status: number;
  /** The reason phrase, as it came. */
  readonly statusText: string;
  /** Name and value alternately, as they came. */
  readonly rawHeaders: readonly string[];
  /** At most 64 KiB of the body, as far as it arrived. */
  readonly body: Uint8Array;
}

/** The opening handshake failed (RFC 6455 section 4). `status` is the HTTP status that was sent or received, 0 if none. */
export class HandshakeError extends WebSocketError {
  override readonly name = 'HandshakeError';
  /** The row of {@link FAULTS}. */
  readonly code: FaultCode;
  /** The RFC and its section. */
  readonly section: string;
  /** The HTTP status that was sent or received; 0 if none. */
  readonly status: number;
  /** The server's answer, on a client that got one. */
  readonly response: RefusedResponse | null;

  /** `detail` follows the text of the row, made printable. */
  constructor(
    code: FaultCode,
    detail = '',
    status: number = rowOf(code).status ?? 0,
    response: RefusedResponse | null = null,
  ) {
    super(describe(code, detail));
    this.code = code;
    this.section = rowOf(code).section;
    this.status = status;
    this.response = response;
  }
}

/** The peer broke the RFC; `closeCode` (1002 or 1007) is what it was told. */
export class ProtocolError extends WebSocketError {
  override readonly name = 'ProtocolError';
  /** The row of {@link FAULTS}. */
  readonly code: FaultCode;
  /** The RFC and its section. */
  readonly section: string;
  /** The close code that the peer was sent. */
  readonly closeCode: number;

  /** `detail` follows the text of the row, made printable. */
  constructor(code: FaultCode, detail = '') {
    super(describe(code, detail));
    this.code = code;
    this.section = rowOf(code).section;
    this.closeCode = rowOf(code).closeCode ?? 1002;
  }

  /** Whether it was a compressed message that could not be read (RFC 7692 section 7.2.2). */
  get decompressionError(): boolean {
    return this.code === 'DEFLATE_CORRUPT';
  }
}

/** The peer stayed within the RFC but passed a limit of ours; `option` names it. */
export class LimitError extends WebSocketError {
  override readonly name = 'LimitError';
  /** The row of {@link FAULTS}. */
  readonly code: FaultCode;
  /** The RFC and its section. */
  readonly section: string;
  /** The close code that the peer was sent. */
  readonly closeCode: number;
  /** The option that sets the limit. */
  readonly option: string;

  /** `detail` follows the text of the row, made printable. */
  constructor(code: FaultCode, detail = '') {
    super(describe(code, detail));
    this.code = code;
    this.section = rowOf(code).section;
    this.closeCode = rowOf(code).closeCode ?? 1008;
    this.option = rowOf(code).option ?? '';
  }
}

/** Nobody answered in time; `option` names the deadline. */
export class TimeoutError extends WebSocketError {
  override readonly name = 'TimeoutError';
  /** The row of {@link FAULTS}. */
  readonly code: FaultCode;
  /** The RFC and its section. */
  readonly section: string;
  /** The option that sets the deadline. */
  readonly option: string;

  /** `detail` follows the text of the row, made printable. */
  constructor(code: FaultCode, detail = '') {
    super(describe(code, detail));
    this.code = code;
    this.section = rowOf(code).section;
    this.option = rowOf(code).option ?? '';
  }
}

/** The wire broke; `cause` is the transport's own error, if it had one. */
export class TransportError extends WebSocketError {
  override readonly name = 'TransportError';
  /** The row of {@link FAULTS}. */
  readonly code: FaultCode;
  /** The RFC and its section. */
  readonly section: string;

  /** `cause` is the transport's own error, if it had one. */
  constructor(code: FaultCode, cause?: unknown) {
    super(describe(code, cause instanceof Error ? cause.message : ''), cause === undefined ? undefined : { cause });
    this.code = code;
    this.section = rowOf(code).section;
  }
}

/** The application failed while it handled the connection; `cause` is what it threw. */
export class ApplicationError extends WebSocketError {
  override readonly name = 'ApplicationError';
  /** The row of {@link FAULTS}. */
  readonly code: FaultCode = 'APPLICATION_FAILED';
  /** The RFC and its section. */
  readonly section: string = rowOf('APPLICATION_FAILED').section;
  /** The close code that the peer was sent. */
  readonly closeCode = 1011;

  /** `cause` is what the application threw. */
  constructor(cause: unknown) {
    super(describe('APPLICATION_FAILED', cause instanceof Error ? cause.message : ''), { cause });
  }
}

/** Why a connection failed: every error but {@link UsageError}. */
export type FailureError =
  | HandshakeError
  | ProtocolError
  | LimitError
  | TimeoutError
  | TransportError
  | ApplicationError;

/** The error of a row. `detail` is appended to its text after being made printable; `cause` goes to the kinds that have one. */
export function failure(code: FaultCode, detail = '', cause?: unknown): FailureError {
  switch (FAULTS[code].kind) {
    case 'handshake':
      return new HandshakeError(code, detail);
    case 'protocol':
      return new ProtocolError(code, detail);
    case 'limit':
      return new LimitError(code, detail);
    case 'timeout':
      return new TimeoutError(code, detail);
    case 'transport':
      return new TransportError(code, cause);
    case 'application':
      return new ApplicationError(cause);
  }
}

/** The row of a fault, with its optional columns. */
export function rowOf(code: FaultCode): FaultRow {
  return FAULTS[code];
}

/** Makes a peer's text fit for a message: printable ASCII, at most 100 characters. */
export function printable(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    if (out.length >= 100) return `${out}…`;
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && unit < 0x7f && unit !== 0x5c) out += text[i];
    else out += unit < 0x100 ? `\\x${unit.toString(16).padStart(2, '0')}` : `\\u${unit.toString(16).padStart(4, '0')}`;
  }
  return out;
}

function describe(code: FaultCode, detail: string): string {
  const text = FAULTS[code].text;
  return detail === '' ? text : `${text}: ${printable(detail)}`;
}
