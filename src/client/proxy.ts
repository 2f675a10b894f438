/**
 * HTTP proxies (RFC 6455 section 4.1, RFC 9110 section 9.3.6): which one an option names, and the request for a tunnel and
 * its answer as bytes and values. It opens no socket.
 */

import { pureText } from '../codec/utf8.ts';
import { encodeText } from '../connection/checks.ts';
import type { Settings } from '../connection/options.ts';
import { type FaultCode, HandshakeError, printable, UsageError } from '../errors.ts';
import { encodeBase64 } from '../handshake/base64.ts';
import { countField, formatFields } from '../handshake/field-lines.ts';
import { HeadParser } from '../handshake/head-parser.ts';
import { parseStatusLine } from '../handshake/response.ts';
import { encodeLatin1 } from '../handshake/text.ts';
import { type Address, parseUrl, shownUrl } from './url.ts';

/** A proxy, and what it is told besides the host. */
export interface HttpProxy {
  /** Where it is; `secure`: it is spoken to over TLS. */
  readonly address: Address;
  /** Header fields for the proxy and for nobody else. */
  readonly headers: readonly (readonly [string, string])[];
}

/**
 * Reads the URL of a proxy, `http://user:password@host:port` or `https:`. The user and the password, percent-encoded where
 * they must be, become `Proxy-Authorization: Basic`, unless `headers` has that field.
 *
 * @throws UsageError saying what is wrong; `where` names what the URL is from
 */
export function parseProxy(url: string, headers: HttpProxy['headers'], where: string): HttpProxy {
  const refuse = (why: string): never => {
    throw new UsageError('INVALID_OPTION', `${where} must be the URL of an HTTP proxy, http://host:port: ${why}`);
  };
  const [, scheme, userinfo, rest = ''] = /^(https?):\/\/(?:([^/?#]*)@)?([^/?#]*)\/?$/i.exec(url) ?? [];
  if (scheme === undefined) {
    const [, other] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url) ?? [];
    return refuse(
      other === undefined || /^https?$/i.test(other)
        ? `'${shownUrl(url)}' is none`
        : `a proxy of the kind '${printable(other)}' is not supported`,
    );
  }
  let address: Address;
  try {
    address = parseUrl(`${scheme}://${rest}`);
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (userinfo === undefined || userinfo === '' || countField(headers, 'proxy-authorization') > 0)
    return { address, headers };
  let credentials = '';
  try {
    const [user = '', ...password] = userinfo.split(':');
    credentials = `${decodeURIComponent(user)}:${decodeURIComponent(password.join(':'))}`;
  } catch {
    refuse('its user or password has a percent sign that encodes nothing');
  }
  return {
    address,
    headers: [...headers, ['Proxy-Authorization', `Basic ${encodeBase64(encodeText(pureText, credentials))}`]],
  };
}

/** What becomes of an attempt to open a tunnel. */
export type TunnelState = 'waiting' | 'open' | 'refused';

/** Interim responses (1xx) that are passed over before the answer. */
const MOST_INTERIM = 4;
/** How much of a refusal's body is kept. */
const MOST_BODY = 65_536;

/** Asks a proxy for a tunnel to a host: give `request` to it, and to this all that it answers. */
export class Tunnel {
  /** The bytes to send. */
  readonly request: Uint8Array;
  /** Why there is no tunnel, once `push` has said so. */
  error: HandshakeError | null = null;
  private readonly head: Settings['head'];
  private parser: HeadParser;
  private interim = 0;

  /** @throws UsageError when a header cannot be sent */
  constructor(proxy: HttpProxy, target: Address, head: Settings['head']) {
    const name = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname;
    // RFC 9110 section 9.3.6: the port is always said.
    const authority = `${name}:${target.port}`;
    const fields = formatFields(proxy.headers, ['host', 'proxy-authorization']);
    const host = countField(proxy.headers, 'host') > 0 ? '' : `Host: ${authority}\r\n`;
    this.request = encodeLatin1(`CONNECT ${authority} HTTP/1.1\r\n${host}${fields}\r\n`);
    this.head = head;
    this.parser = new HeadParser(head, 'response');
  }

  /** Reads what the proxy sent. */
  push(bytes: Uint8Array): TunnelState {
    let at = 0;
    for (;;) {
      at = this.parser.push(bytes, at, bytes.length);
      const { fault, firstLine, rawHeaders } = this.parser;
      if (fault !== null) return this.refuse(TEXTS[fault] ?? 'its answer is malformed');
      if (at < 0) return 'waiting';
      const line = parseStatusLine(firstLine);
      if (line === null) return this.refuse(`its answer begins with '${firstLine}'`);
      const { status, statusText } = line;
      if (status >= 100 && status < 200) {
        if (++this.interim > MOST_INTERIM) return this.refuse(`more than ${MOST_INTERIM} interim responses`);
        this.parser = new HeadParser(this.head, 'response');
        continue;
      }
      if (status >= 200 && status < 300) {
        // Nobody behind the tunnel has been asked anything yet: what speaks here is the proxy.
        return at === bytes.length ? 'open' : this.refuse('it sent more than its answer');
      }
      const body = bytes.slice(at, at + MOST_BODY);
      this.error = new HandshakeError('PROXY_REFUSED', `${status} ${statusText}`.trim(), status, {
        status,
        statusText,
        rawHeaders,
        body,
      });
      return 'refused';
    }
  }

  private refuse(why: string): TunnelState {
    this.error = new HandshakeError('PROXY_REFUSED', why, 0);
    return 'refused';
  }
}

const TEXTS: { readonly [Fault in FaultCode]?: string } = {
  HEAD_TOO_BIG: 'its answer is longer than maxHeadSize',
  REQUEST_LINE_TOO_LONG: 'the first line of its answer is longer than maxRequestLine',
  TOO_MANY_HEADERS: 'its answer has more headers than maxHeaders',
};
