/** How a listener is reached from this machine, as a URL for `connect`. */

import { type AddressInfo, isIP } from 'node:net';

/**
 * `ws://host:port`, `wss://host:port` or `ws+unix:/path`; empty for what does not listen.
 *
 * @param where as `net.Server.address()` gives it
 * @param host what it was told to listen on, if that is known: a certificate may be about the name
 */
export function listeningUrl(where: AddressInfo | string | null, secure: boolean, host?: string): string {
  if (where === null) return '';
  if (typeof where === 'string') return `ws+unix:${encodeURIComponent(where).replaceAll('%2F', '/')}`;
  return `${secure ? 'wss' : 'ws'}://${dialable(host ?? where.address)}:${where.port}`;
}

/** All addresses are no address to dial. */
function dialable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return 'localhost';
  return isIP(host) === 6 ? `[${host}]` : host;
}
