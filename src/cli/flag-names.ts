/** What options of the library are called on the command line: an error names what was typed, or what there is to type. */

import type { Flags } from './arguments.ts';

/** Those whose flags are not just written otherwise. */
const FLAGS: Readonly<Record<string, string>> = {
  allowedAddresses: 'allow',
  allowedOrigins: 'origin',
  headers: 'header',
  onRequest: 'pages',
  path: 'unix',
  paths: 'path',
  processes: 'direct',
  routes: 'route',
  subprotocols: 'subprotocol',
  trustedProxies: 'proxy',
};

/** An error of the library in the words of a verb with these flags. */
export function inFlags(text: string, flags: Flags): string {
  return text
    .replace(/\boption '(\w+)'/g, (all, name: string) => (name === 'tls' ? 'TLS' : (flagOf(name, flags) ?? all)))
    .replace(/'tls\.(\w+)'/g, (all, name: string) => flagOf(name, flags) ?? all)
    .replace(' (or null for off)', '')
    .replace(/\bsend binary$/, (all) => (Object.hasOwn(flags, 'binary') ? 'add --binary' : all));
}

function flagOf(name: string, flags: Flags): string | null {
  const flag = FLAGS[name] ?? name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return Object.hasOwn(flags, flag) ? `--${flag}` : null;
}
