/** What the clients on sockets with the names of the web have in common: a URL, options, and then the runtime's way to dial. */

import { type Address, parseUrl } from '../../client/url.ts';
import type { Endpoint } from '../../endpoint/endpoint.ts';
import type { Environment } from '../../endpoint/options.ts';
import { UsageError } from '../../errors.ts';
import { type OnGivenUp, openClient } from '../../shell/client.ts';
import { type ShellClientOptions, ShellClientSettings } from '../../shell/options.ts';
import type { Transport } from '../transport.ts';
import { webPlatform } from './index.ts';

/**
 * Opens a `ws:` or `wss:` URL.
 *
 * @param dial connects to the address, with TLS where it is `secure`; what it rejects with becomes a TransportError
 * @throws UsageError, HandshakeError, TransportError or TimeoutError (as a rejection)
 */
export async function connectThrough(
  url: string | URL,
  options: ShellClientOptions,
  environment: Environment,
  dial: (address: Address, onGivenUp: OnGivenUp) => Promise<Transport>,
): Promise<Endpoint> {
  const settings = new ShellClientSettings(options, webPlatform, 'connect');
  const address = parseUrl(String(url), (host) => new URL(`http://${host}`).hostname);
  if (address.socketPath !== null) {
    throw new UsageError('INVALID_ARGUMENT', 'connect: ws+unix URLs are not for this shell');
  }
  return openClient(address, settings, environment, async (_, onGivenUp) => dial(address, onGivenUp));
}
