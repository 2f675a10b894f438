/**
 * What a proxy in the middle changes of a request, so that the server finds its own name in it. It is text in and text out.
 */

import type { Address } from '../client/url.ts';

/**
 * The head that goes to `to` in place of the client's. Unless `keepHost`, Host names the server and an Origin of the proxy's own pages becomes one of
 * the server's, and a path of the URL replaces that of the request. What asks for no upgrade ends its connection after the
 * answer, so that the next request comes here again.
 */
export function rewriteHead(
  firstLine: string,
  rawHeaders: readonly string[],
  to: Address,
  keepHost: boolean,
): Uint8Array {
  const [method = '', target = '', version = ''] = firstLine.split(' ');
  const upgrades = fieldOf(rawHeaders, 'upgrade').toLowerCase() === 'websocket';
  const host = fieldOf(rawHeaders, 'host').toLowerCase();
  let head = `${method} ${upgrades && to.target !== '/' ? to.target : target} ${version}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    let value = rawHeaders[i + 1]!;
    switch (name.toLowerCase()) {
      case 'host':
        if (!keepHost) value = to.host;
        break;
      case 'origin':
        if (!keepHost && hostOf(value) === host) value = `${to.secure ? 'https' : 'http'}://${to.host}`;
        break;
      case 'connection':
        if (!upgrades) continue;
        break;
    }
    head += `${name}: ${value}\r\n`;
  }
  if (!upgrades) head += 'Connection: close\r\n';
  return Buffer.from(`${head}\r\n`, 'latin1');
}

function fieldOf(rawHeaders: readonly string[], wanted: string): string {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === wanted) return rawHeaders[i + 1]!;
  }
  return '';
}

/** The host and port of an origin; a port that is the scheme's own is left out, as it is in Host. */
function hostOf(origin: string): string {
  return /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? '';
}
