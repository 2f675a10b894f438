/** The flags about a connection that several verbs share, and the options that they become. */

import type { ConnectOptions } from '../client/options.ts';
import type { Arguments, Flags } from './arguments.ts';
import { CommandError } from './io.ts';

/** Of whoever connects. */
export const CONNECT_FLAGS: Flags = {
  header: { short: 'H', value: 'LINE', multiple: true, help: "a further header: 'Name: value'" },
  subprotocol: { short: 's', value: 'NAME', multiple: true, help: 'offer a subprotocol; the first is preferred' },
  origin: { value: 'ORIGIN', help: 'send an Origin header, as a browser would' },
  'no-compression': { help: 'do not offer permessage-deflate' },
  'handshake-timeout': { value: 'TIME', help: 'give up after so long. Default 10s' },
  proxy: { value: 'URL', help: "an HTTP proxy; 'environment': as HTTPS_PROXY and its kin say. Default none" },
  redirects: { value: 'N', help: 'follow so many redirects. Default 0' },
  ca: { value: 'FILE', help: "the authority that the server's certificate must lead to" },
  cert: { value: 'FILE', help: "the client's certificate, with --key" },
  key: { value: 'FILE', help: "the client's private key" },
  servername: { value: 'NAME', help: 'the name to ask for, and to find in the certificate' },
  insecure: { short: 'k', help: 'take any certificate' },
};

/** @throws CommandError for what no connection could have; options are checked by the client itself */
export function connectOptions(given: Arguments): ConnectOptions {
  const options: Record<string, unknown> = { compression: !given.has('no-compression') };
  const headers = given.texts('header').map(readHeader);
  if (headers.length > 0) options['headers'] = headers;
  const subprotocols = given.texts('subprotocol');
  if (subprotocols.length > 0) options['subprotocols'] = subprotocols;
  const origin = given.text('origin');
  if (origin !== null) options['origin'] = origin;
  const timeout = given.duration('handshake-timeout');
  if (timeout !== null) options['handshakeTimeout'] = timeout;
  const proxy = given.text('proxy');
  if (proxy !== null) options['proxy'] = proxy;
  const redirects = given.number('redirects', 0, 20);
  if (redirects !== null) options['redirects'] = redirects;
  const tls = tlsOptions(given);
  if (tls !== null) options['tls'] = tls;
  return options as ConnectOptions;
}

/** The TLS options, or null if none was given. */
export function tlsOptions(given: Arguments): Record<string, unknown> | null {
  const tls: Record<string, unknown> = {};
  for (const name of ['ca', 'cert', 'key', 'servername'] as const) {
    const value = given.text(name);
    if (value !== null) tls[name] = value;
  }
  if (given.has('insecure')) {
    if (given.has('ca')) throw new CommandError('--ca and --insecure exclude each other: choose one');
    tls['ca'] = 'NONE';
  }
  return Object.keys(tls).length === 0 ? null : tls;
}

/** @throws CommandError unless it is 'Name: value' */
function readHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new CommandError(`--header must be 'Name: value', not '${line}'`);
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
}

/** The URL of a command line, with a scheme if it was left out. @throws CommandError if there is none, or too many */
export function urlOf(given: Arguments): string {
  const [url, ...more] = given.positionals;
  if (url === undefined) throw new CommandError('a URL is missing, as ws://localhost:8080/');
  if (more.length > 0) throw new CommandError(`there is one URL too many: '${more[0]}'`);
  return withScheme(url);
}

/** `localhost:8080/path` and `:8080` are what people type. */
export function withScheme(url: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url) || /^ws\+unix:/i.test(url)) return url;
  return url.startsWith(':') ? `ws://localhost${url}` : `ws://${url}`;
}
