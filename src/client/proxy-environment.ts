/** The proxy that the environment names for an address, as most command line tools read it. It dials nothing. */

import { BlockList, isIP } from 'node:net';
import { UsageError } from '../errors.ts';
import { type HttpProxy, parseProxy } from './proxy.ts';
import type { Address } from './url.ts';

/** Environment variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for `target`: of `https_proxy` for `wss:`, of `http_proxy` for `ws:`, else of `all_proxy`; null if none is named, or
 * `no_proxy` lists the host. Lower case wins over upper case.
 *
 * @throws UsageError naming the variable that cannot be used
 */
export function proxyFromEnvironment(target: Address, env: Variables, headers: HttpProxy['headers']): HttpProxy | null {
  const found = firstOf(env, target.secure ? 'https_proxy' : 'http_proxy') ?? firstOf(env, 'all_proxy');
  if (found === null || isExempt(target, firstOf(env, 'no_proxy')?.value ?? '')) return null;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(found.value) ? found.value : `http://${found.value}`;
  return parseProxy(url, headers, `the environment variable ${found.name}`);
}

function firstOf(env: Variables, name: string): { readonly name: string; readonly value: string } | null {
  const upper = name.toUpperCase();
  // A CGI program gets a request's header `Proxy` as HTTP_PROXY: whoever asks would choose our way.
  const names = name === 'http_proxy' && env['REQUEST_METHOD'] !== undefined ? [name] : [name, upper];
  for (const each of names) {
    const value = env[each]?.trim();
    if (value !== undefined && value !== '') return { name: each, value };
  }
  return null;
}

/**
 * Whether `list` has the host: `*`, a name (which stands for all below it, with or without a leading dot), an address, a block
 * of addresses such as `10.0.0.0/8`, each with or without a port.
 */
function isExempt({ hostname, port }: Address, list: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === '') return false;
      if (entry === '*') return true;
      // Without brackets the colons of an IPv6 address are its own, and so is what follows the last.
      const [, bracketed, plain = entry, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
      if (digits !== undefined && Number(digits) !== port) return false;
      const pattern = bracketed ?? plain;
      if (pattern === '') return false;
      return isIP(host) === 0 ? isBelow(host, pattern) : isWithin(host, pattern);
    });
}

function isBelow(host: string, pattern: string): boolean {
  const name = pattern.replace(/^\*?\./, '').replace(/\.$/, '');
  return name !== '' && (host === name || host.endsWith(`.${name}`));
}

function isWithin(host: string, pattern: string): boolean {
  const [address = '', prefix, ...more] = pattern.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  const width = family === 4 ? 32 : 128;
  const bits = prefix === undefined ? width : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (bits < 0 || bits > width) return false;
  const block = new BlockList();
  block.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return block.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');
}

/** @throws UsageError unless `option` is a URL, false or `'environment'` */
export function chooseProxy(
  option: unknown,
  target: Address,
  headers: HttpProxy['headers'],
  env: Variables,
): HttpProxy | null {
  if (option === undefined || option === false) return null;
  if (option === 'environment') return target.socketPath === null ? proxyFromEnvironment(target, env, headers) : null;
  const url = typeof option === 'string' ? option : (option as Partial<URL> | null)?.href;
  if (typeof url !== 'string') {
    throw new UsageError('INVALID_OPTION', "connect: option 'proxy' must be a URL, 'environment' or false");
  }
  return parseProxy(url, headers, "connect: option 'proxy'");
}
