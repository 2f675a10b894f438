/**
 * The client's opening handshake: a request read and judged (RFC 6455 section 4.2.1), and one written (section 4.1).
 * It knows the head's strings, and neither what the application thinks of the request nor the connection it came on.
 */
import type { FaultCode } from '../errors.ts';
import { isValidKey } from './accept-key.ts';
import { countField, extensionsOf, formatFields, type HeaderField, requireArgument } from './field-lines.ts';
import { hasToken, isToken, parseExtensions, parseTokenList } from './header-grammar.ts';
import { Headers } from './headers.ts';
import { isValidHost } from './host.ts';
import { encodeLatin1, equalsIgnoreCase } from './text.ts';

/** A request, as it came. All but the first four fields are read from them when asked for. */
export interface Request {
  /** Always `'GET'` for an upgrade. */
  readonly method: string;
  /** The request target, as it came. */
  readonly target: string;
  /** `'1.1'` */
  readonly version: string;
  /** All header fields, as they came. */
  readonly headers: Headers;
  /** The path of the target, not percent-decoded. Of an absolute target (`GET http://a/b`) only the path counts. */
  readonly path: string;
  /** The query of the target with its `?`, or an empty string. */
  readonly query: string;
  /** The Host header: host, and port if one was given. */
  readonly host: string;
  /** The Origin header; if there are several, joined with `', '`, which is no origin. */
  readonly origin: string | null;
  /** The subprotocols on offer, in the client's order of preference. */
  readonly subprotocols: readonly string[];
  /** Whether an upgrade to WebSocket is asked for. */
  readonly upgrade: boolean;
}

/** What {@link checkRequest} found. `detail` never holds bytes of the peer: it also goes into the answer. */
export interface RequestVerdict {
  readonly request: ReceivedRequest;
  readonly fault: FaultCode | null;
  readonly detail: string;
}

/** The three parts of a request line. */
export interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** Two digits: `'1.1'`. */
  readonly version: string;
}

/** Bytes of all Sec-WebSocket-Protocol values together. */
const MAX_SUBPROTOCOLS_SIZE = 1024;
const NONE: readonly string[] = Object.freeze([]);

/**
 * A request as it came. Cut up while it is judged; then it waits with its connection for years as one flat string, cut up again
 * when somebody asks.
 */
export class ReceivedRequest implements Request {
  readonly method: string;
  readonly version: string;
  /** The target; at rest also name and value of each field alternately, joined with line feeds: `checkRequest` finds none in them. */
  private text: string;
  /** The fields until it rests. */
  private fields: readonly string[] | null;
  private cut: Headers | null = null;

  /** `rawHeaders` is name and value alternately, and nobody's who would change it. */
  constructor(method: string, target: string, version: string, rawHeaders: readonly string[]) {
    // One string each for all requests, rather than a part of this one's head.
    this.method = method === 'GET' ? 'GET' : method;
    this.version = version === '1.1' ? '1.1' : version;
    this.text = target;
    this.fields = rawHeaders;
  }

  get target(): string {
    const end = this.text.indexOf('\n');
    return end < 0 ? this.text : this.text.slice(0, end);
  }

  get headers(): Headers {
    this.cut ??= new Headers([...this.readHeaders().raw]);
    return this.cut;
  }

  /** Lets go of the headers that were cut up while the request was judged; they are cut again when somebody asks. */
  rest(): void {
    if (this.fields !== null) this.text = [this.text, ...this.fields].join('\n');
    this.fields = this.cut = null;
  }

  /** The headers for one look: they are not kept. */
  readHeaders(): Headers {
    return new Headers(this.fields ?? this.text.split('\n').slice(1));
  }

  get path(): string {
    const { target } = this;
    const start = Math.max(pathStart(target), 0);
    const query = target.indexOf('?');
    const path = target.slice(start, query < 0 ? undefined : query);
    return path === '' ? '/' : path;
  }

  get query(): string {
    const { target } = this;
    const query = target.indexOf('?');
    return query < 0 ? '' : target.slice(query);
  }

  get host(): string {
    return this.readHeaders().get('host') ?? '';
  }

  get origin(): string | null {
    return this.readHeaders().get('origin');
  }

  get subprotocols(): readonly string[] {
    return parseTokenList(this.readHeaders().getAll('sec-websocket-protocol')) ?? NONE;
  }

  get upgrade(): boolean {
    return hasToken(this.readHeaders().getAll('upgrade'), 'websocket');
  }

  toJSON(): RequestLine & { readonly headers: Headers } {
    return { method: this.method, target: this.target, version: this.version, headers: this.headers };
  }
}

/** Splits a request line at its two single spaces (RFC 9112 section 3), or gives `null`. */
export function parseRequestLine(line: string): RequestLine | null {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  if (second <= first + 1) return null;
  const version = versionAt(line, second + 1);
  if (version === null || line.length !== second + 9) return null;
  const method = line.slice(0, first);
  return isToken(method) ? { method, target: line.slice(first + 1, second), version } : null;
}

/** The `d.d` of an `HTTP/d.d` at `at`, or `null`. */
export function versionAt(line: string, at: number): string | null {
  if (!line.startsWith('HTTP/', at) || line.charCodeAt(at + 6) !== 0x2e) return null;
  return isDigit(line.charCodeAt(at + 5)) && isDigit(line.charCodeAt(at + 7)) ? line.slice(at + 5, at + 8) : null;
}

/**
 * Judges a request by section 4.2.1. The first fault wins, in this order: version, method, target, Host, body, Upgrade,
 * Connection, Sec-WebSocket-Version, -Key, -Protocol, -Extensions. A request that passes up to the body but asks for no
 * upgrade to WebSocket is an ordinary one, told by UPGRADE_REQUIRED, and an application may answer it.
 */
export function checkRequest(
  method: string,
  target: string,
  version: string,
  rawHeaders: readonly string[],
): RequestVerdict {
  const request = new ReceivedRequest(method, target, version, rawHeaders);
  const verdict = (fault: FaultCode | null, detail = ''): RequestVerdict => ({ request, fault, detail });

  let hosts = 0;
  let host = '';
  let lengths = 0;
  let length = '0';
  let codings = 0;
  let versions = 0;
  let webSocketVersion = '';
  let keys = 0;
  let key = '';
  const upgrade: string[] = [];
  const connection: string[] = [];
  const protocols: string[] = [];
  const extensions: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    const value = rawHeaders[i + 1]!;
    // The length tells almost all names apart, so that hardly any is compared in vain.
    switch (name.length) {
      case 4:
        if (equalsIgnoreCase(name, 'host')) {
          hosts++;
          host = value;
        }
        break;
      case 7:
        if (equalsIgnoreCase(name, 'upgrade')) upgrade.push(value);
        break;
      case 10:
        if (equalsIgnoreCase(name, 'connection')) connection.push(value);
        break;
      case 14:
        if (equalsIgnoreCase(name, 'content-length')) {
          lengths++;
          length = value;
        }
        break;
      case 17:
        if (equalsIgnoreCase(name, 'sec-websocket-key')) {
          keys++;
          key = value;
        } else if (equalsIgnoreCase(name, 'transfer-encoding')) {
          codings++;
        }
        break;
      case 21:
        if (equalsIgnoreCase(name, 'sec-websocket-version')) {
          versions++;
          webSocketVersion = value;
        }
        break;
      case 22:
        if (equalsIgnoreCase(name, 'sec-websocket-protocol')) protocols.push(value);
        break;
      case 24:
        if (equalsIgnoreCase(name, 'sec-websocket-extensions')) extensions.push(value);
        break;
    }
  }

  // A head read by somebody else may hold what ours cannot.
  if (rawHeaders.some((text) => text.includes('\n'))) return verdict('HEADER_INVALID');
  // §4.2.1 point 1 of RFC 6455: a GET of HTTP/1.1, whose target is a path or an absolute HTTP(S) URI.
  if (version !== '1.1') return verdict('HTTP_VERSION_UNSUPPORTED');
  if (method !== 'GET') return verdict('METHOD_NOT_GET');
  if (!isValidTarget(target))
    return verdict('REQUEST_LINE_INVALID', 'the target is neither a path nor an http address');
  // §4.2.1 point 2: a Host field, and one only, or two readers could see two hosts (RFC 9112 section 3.2).
  if (hosts !== 1) return verdict('HOST_INVALID', hosts === 0 ? 'there is none' : `there are ${hosts}`);
  if (!isValidHost(host)) return verdict('HOST_INVALID', 'it is not a host with or without a port');
  // Bytes of a body would be read as frames, or frames as a body by a proxy in between.
  if (codings > 0) return verdict('BODY_PRESENT', 'Transfer-Encoding');
  if (lengths > 1 || length !== '0') return verdict('BODY_PRESENT', 'Content-Length');
  // §4.2.1 points 3 and 4: tokens of lists, ignoring case.
  if (!hasToken(upgrade, 'websocket')) return verdict('UPGRADE_REQUIRED');
  if (!hasToken(connection, 'upgrade')) return verdict('UPGRADE_INVALID', "Connection lacks 'upgrade'");
  // §4.2.1 point 6 and §4.4.
  if (versions !== 1 || webSocketVersion !== '13') {
    return verdict(
      'VERSION_UNSUPPORTED',
      versions === 1 ? '' : versions === 0 ? 'there is none' : `there are ${versions}`,
    );
  }
  // §4.2.1 point 5, §11.3.1: once only.
  if (keys !== 1) return verdict('KEY_INVALID', keys === 0 ? 'there is none' : `there are ${keys}`);
  if (!isValidKey(key)) return verdict('KEY_INVALID');
  if (protocols.length > 0) {
    const wrong = checkSubprotocols(protocols);
    if (wrong !== null) return verdict('SUBPROTOCOL_INVALID', wrong);
  }
  if (parseExtensions(extensions) === null) return verdict('EXTENSIONS_INVALID');
  return verdict(null);
}

/** §4.1 point 10: tokens, none twice. The list may be spread over several fields (§11.3.4). */
function checkSubprotocols(values: readonly string[]): string | null {
  let size = 0;
  for (const value of values) size += value.length;
  if (size > MAX_SUBPROTOCOLS_SIZE) return `it is longer than ${MAX_SUBPROTOCOLS_SIZE} bytes`;
  const list = parseTokenList(values);
  if (list === null) return 'an element is empty or not a token';
  return new Set(list).size < list.length ? 'an element is repeated' : null;
}

/** Visible ASCII without a fragment, in origin-form or in absolute-form (RFC 9112 section 3.2). */
function isValidTarget(target: string): boolean {
  for (let i = 0; i < target.length; i++) {
    const unit = target.charCodeAt(i);
    if (unit <= 0x20 || unit > 0x7e || unit === 0x23) return false;
  }
  return pathStart(target) >= 0;
}

/** Where the path begins: 0, or behind the authority of an absolute URI, which nobody reads; -1 for any other form. */
function pathStart(target: string): number {
  if (target.charCodeAt(0) === 0x2f) return 0;
  const colon = target.indexOf('://');
  // The longest scheme has five letters; what follows a later colon is no scheme.
  if (colon < 2 || colon > 5 || !isWebScheme(target.slice(0, colon).toLowerCase())) return -1;
  const start = colon + 3;
  let i = start;
  while (i < target.length && target.charCodeAt(i) !== 0x2f && target.charCodeAt(i) !== 0x3f) i++;
  return i === start ? -1 : i;
}

function isWebScheme(scheme: string): boolean {
  return scheme === 'http' || scheme === 'https' || scheme === 'ws' || scheme === 'wss';
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** What goes into a request. */
export interface RequestParts {
  /** Path and query: begins with `/`. */
  readonly target: string;
  /** The Host header: the port only when it is not the scheme's default (section 4.1 point 4). */
  readonly host: string;
  /** 16 random bytes as base64: made by the engine, and not judged here. */
  readonly key: string;
  readonly origin: string | null;
  /** In order of preference. */
  readonly subprotocols: readonly string[];
  /** The Sec-WebSocket-Extensions value; empty for none. */
  readonly extensions: string;
  /** More fields. Host and Origin given here replace the two above. */
  readonly headers: readonly HeaderField[];
}

/**
 * The bytes of a request that {@link checkRequest} has nothing to say against (section 4.1).
 *
 * @throws UsageError INVALID_ARGUMENT naming what cannot be sent
 */
export function formatRequest(parts: RequestParts): Uint8Array {
  const { target, host, key, origin, subprotocols, extensions, headers } = parts;
  requireArgument(
    typeof target === 'string' && target.startsWith('/') && isValidTarget(target),
    'the target is no path',
    target,
  );
  requireArgument(typeof host === 'string' && isValidHost(host), 'the host is malformed', host);
  const more = formatFields(headers, ['host', 'origin', 'user-agent']);

  let head = `GET ${target} HTTP/1.1\r\n`;
  const given = headers.find(([name]) => equalsIgnoreCase(name, 'host'));
  if (given === undefined) head += `Host: ${host}\r\n`;
  else requireArgument(isValidHost(given[1]), 'the header Host is malformed', given[1]);
  head += `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n`;
  if (subprotocols.length > 0) {
    for (const name of subprotocols) requireArgument(isToken(name), 'a subprotocol is not a token', name);
    const list = subprotocols.join(', ');
    const wrong = checkSubprotocols([list]);
    requireArgument(wrong === null, `the list of subprotocols: ${wrong}`, list);
    head += `Sec-WebSocket-Protocol: ${list}\r\n`;
  }
  if (extensions !== '') {
    head += `Sec-WebSocket-Extensions: ${extensionsOf(extensions)}\r\n`;
  }
  if (origin !== null && countField(headers, 'origin') === 0) head += formatFields([['Origin', origin]], []);
  return encodeLatin1(`${head}${more}\r\n`);
}
