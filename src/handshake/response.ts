/**
 * The server's answer to the opening handshake: written (RFC 6455 section 4.2.2), as a 101 or as a refusal, and judged by
 * the client (section 4.1). It knows the head's strings, not who decided and why.
 */
import { pureText } from '../codec/utf8.ts';
import { type FaultCode, printable, rowOf, UsageError } from '../errors.ts';
import type { ExtensionOffer } from '../extension/extension.ts';
import { acceptKey } from './accept-key.ts';
import { countField, extensionsOf, formatFields, type HeaderField } from './field-lines.ts';
import { hasToken, parseExtensions } from './header-grammar.ts';
import type { Headers } from './headers.ts';
import { versionAt } from './request.ts';
import { encodeLatin1, equalsIgnoreCase } from './text.ts';

/** What goes into a 101. */
export interface AcceptParts {
  /** The request's Sec-WebSocket-Key, which was judged with it. */
  readonly key: string;
  /** One of the client's, which were judged with its request. */
  readonly subprotocol: string | null;
  /** The Sec-WebSocket-Extensions value; empty for none. */
  readonly extensions: string;
  readonly headers: readonly HeaderField[];
}

/**
 * The bytes of a 101 (section 4.2.2 point 5).
 *
 * @throws UsageError INVALID_ARGUMENT naming what cannot be sent
 */
export function formatAccept(parts: AcceptParts): Uint8Array {
  const { key, subprotocol, extensions, headers } = parts;
  let head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
  head += `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n`;
  if (subprotocol !== null) head += `Sec-WebSocket-Protocol: ${subprotocol}\r\n`;
  if (extensions !== '') head += `Sec-WebSocket-Extensions: ${extensionsOf(extensions)}\r\n`;
  return encodeLatin1(`${head}${formatFields(headers, [])}\r\n`);
}

/** What goes into a refusal, or into the answer to a request that asked for no upgrade. */
export interface RejectionParts {
  /** 200 to 599. */
  readonly status: number;
  readonly headers: readonly HeaderField[];
  /** A string goes as UTF-8. */
  readonly body: string | Uint8Array | null;
}

/** Seconds after which a client may ask again whom a server had no room for (RFC 9110 section 15.6.4). */
const RETRY_AFTER = 5;

/** The statuses that have no body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS: readonly number[] = [204, 205, 304];

/**
 * The bytes of a response that is the last on its connection. It says its length, so that a client that keeps the
 * connection open does not wait, and `Connection: close`, so that none sends a second request.
 *
 * @throws UsageError INVALID_ARGUMENT naming what cannot be sent
 */
export function formatRejection(parts: RejectionParts): Uint8Array {
  const { status, headers } = parts;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new UsageError('INVALID_ARGUMENT', `a status must be an integer from 200 to 599: ${String(status)}`);
  }
  const body = bodyBytes(parts.body);
  const bodiless = BODILESS.includes(status);
  if (bodiless && body.length > 0) {
    throw new UsageError('INVALID_ARGUMENT', `a response with the status ${status} has no body`);
  }
  const more = formatFields(headers, ['content-type', 'allow', 'location', 'retry-after', 'date']);

  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`;
  if (status === 426) {
    // RFC 9110 section 15.5.22: a 426 names the protocol; section 7.8: Upgrade is always announced in Connection.
    // §4.2.2 point 4 and §4.4: a version that is not ours is answered with the one that is.
    head += 'Upgrade: websocket\r\nConnection: close, Upgrade\r\nSec-WebSocket-Version: 13\r\n';
  } else {
    head += 'Connection: close\r\n';
  }
  if (status === 405 && countField(headers, 'allow') === 0) head += 'Allow: GET\r\n';
  if (status === 503 && countField(headers, 'retry-after') === 0) head += `Retry-After: ${RETRY_AFTER}\r\n`;
  if (body.length > 0 && countField(headers, 'content-type') === 0)
    head += 'Content-Type: text/plain; charset=utf-8\r\n';
  // RFC 9110 section 8.6: never in a 204; in a 304 it would tell the length of what is not sent.
  if (status !== 204 && status !== 304) head += `Content-Length: ${body.length}\r\n`;
  const bytes = encodeLatin1(`${head}${more}\r\n`);
  const message = new Uint8Array(bytes.length + body.length);
  message.set(bytes);
  message.set(body, bytes.length);
  return message;
}

/**
 * The answer to a request that failed by itself: the status of the fault, and one line of text for whoever looks into it.
 *
 * @param head it was a HEAD: the answer tells the length of the text, and has none (RFC 9110 section 9.3.2)
 */
export function rejectionFor(fault: FaultCode, detail: string, head = false): Uint8Array {
  const { status, text } = rowOf(fault);
  const body = bodyBytes(detail === '' ? `${text}\n` : `${text}: ${printable(detail)}\n`);
  const message = formatRejection({ status: status ?? 403, headers: [], body });
  return head ? message.subarray(0, -body.length) : message;
}

function bodyBytes(body: string | Uint8Array | null): Uint8Array {
  if (body === null) return new Uint8Array(0);
  if (body instanceof Uint8Array) return body;
  if (typeof body !== 'string') throw new UsageError('INVALID_ARGUMENT', 'a body must be a string or bytes');
  const bytes = new Uint8Array(body.length * 3);
  const length = pureText.encodeInto(body, bytes, 0);
  if (length < 0) throw new UsageError('INVALID_ARGUMENT', 'a body must not hold a lone surrogate');
  return bytes.subarray(0, length);
}

/** The parts of a status line. */
export interface StatusLine {
  /** Two digits: `'1.1'`. */
  readonly version: string;
  readonly status: number;
  readonly statusText: string;
}

/**
 * Splits a status line (RFC 9112 section 4), or gives `null`. The space behind the status may be missing if nothing
 * follows it: servers that send no reason leave it out, and no two readers can disagree about it.
 */
export function parseStatusLine(line: string): StatusLine | null {
  const version = versionAt(line, 0);
  if (version === null || line.charCodeAt(8) !== 0x20) return null;
  let status = 0;
  for (let i = 9; i < 12; i++) {
    const digit = line.charCodeAt(i) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return null;
    status = status * 10 + digit;
  }
  if (status < 100 || (line.length > 12 && line.charCodeAt(12) !== 0x20)) return null;
  return { version, status, statusText: line.slice(13) };
}

/** A response, and what it has to answer. */
export interface ResponseParts extends StatusLine {
  readonly headers: Headers;
  /** The Sec-WebSocket-Key that was sent. */
  readonly key: string;
  /** The subprotocols that were offered. */
  readonly subprotocols: readonly string[];
}

/** What {@link checkResponse} found; `subprotocol` and `answers` are empty with a fault. Who offered what is not judged here. */
export interface ResponseVerdict {
  readonly fault: FaultCode | null;
  readonly detail: string;
  readonly subprotocol: string;
  readonly answers: readonly ExtensionOffer[];
}

/**
 * Judges the answer to our request by section 4.1. The first fault wins: version, status, body, Upgrade, Connection,
 * Sec-WebSocket-Accept, -Protocol, -Extensions.
 */
export function checkResponse(parts: ResponseParts): ResponseVerdict {
  const { headers } = parts;
  if (parts.version !== '1.1') return failed('STATUS_LINE_INVALID', `HTTP/${parts.version}`);
  // §4.1 response point 1.
  if (parts.status !== 101) return failed('STATUS_UNEXPECTED', `${parts.status} ${parts.statusText}`.trim());
  // RFC 9110 section 15.2: a 1xx ends with its head. Who announces more means other bytes by it than we would read.
  if (headers.has('transfer-encoding')) return failed('BODY_PRESENT', 'Transfer-Encoding');
  const lengths = headers.getAll('content-length');
  if (lengths.length > 1 || (lengths.length === 1 && lengths[0] !== '0'))
    return failed('BODY_PRESENT', 'Content-Length');
  // §4.1 response point 2: the value itself, not one of a list.
  const upgrade = headers.getAll('upgrade');
  if (upgrade.length !== 1 || !equalsIgnoreCase(upgrade[0]!, 'websocket')) {
    return failed('RESPONSE_UPGRADE_INVALID', 'Upgrade is not websocket');
  }
  // §4.1 response point 3.
  if (!hasToken(headers.getAll('connection'), 'upgrade')) {
    return failed('RESPONSE_UPGRADE_INVALID', "Connection lacks 'upgrade'");
  }
  // §4.1 response point 4, §11.3.3: once only. The head parser has taken the space around it.
  const accept = headers.getAll('sec-websocket-accept');
  if (accept.length !== 1) {
    return failed('ACCEPT_MISMATCH', accept.length === 0 ? 'there is none' : `there are ${accept.length}`);
  }
  if (accept[0] !== acceptKey(parts.key)) return failed('ACCEPT_MISMATCH', accept[0]!);
  // §4.1 response point 6, §11.3.4: once only, and one of ours to the letter.
  const subprotocols = headers.getAll('sec-websocket-protocol');
  const subprotocol = subprotocols[0] ?? '';
  if (subprotocols.length > 1 || (subprotocols.length === 1 && !parts.subprotocols.includes(subprotocol))) {
    return failed('SUBPROTOCOL_UNREQUESTED', subprotocols.join(', '));
  }
  // §4.1 response point 5.
  const values = headers.getAll('sec-websocket-extensions');
  const answers = parseExtensions(values);
  if (answers === null) return failed('EXTENSION_UNREQUESTED', values.join(', '));
  return { fault: null, detail: '', subprotocol, answers };
}

function failed(fault: FaultCode, detail: string): ResponseVerdict {
  return { fault, detail, subprotocol: '', answers: [] };
}

/** Reason phrases (RFC 9110 section 15, RFC 6585). A status without one goes with none. */
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  511: 'Network Authentication Required',
};
