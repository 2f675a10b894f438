/** Two endpoints that are open from the start, over two transports of any kind. */
import { Endpoint } from '../../../src/endpoint/endpoint.ts';
import { EndpointSettings, type Environment } from '../../../src/endpoint/options.ts';
import { EstablishedConnection, type Platform } from '../../../src/index.ts';
import type { Transport } from '../../../src/transport/transport.ts';
import type { Join, Joined } from '../cases.ts';

/** What a runtime lends the endpoints of a join. */
export interface Lent {
  readonly environment: Environment;
  readonly platform: Platform;
  readonly idle: () => Promise<void>;
}

/** What joins the transports, breaks them, and ends with them. */
export interface Link {
  readonly server: Transport;
  readonly client: Transport;
  readonly reset: () => void;
  readonly dispose?: () => unknown;
}

export function established({ environment, platform, idle }: Lent, link: () => Link | Promise<Link>): Join {
  return async (options): Promise<Joined> => {
    const { server, client, reset, dispose } = await link();
    const make = (role: 'server' | 'client', transport: Transport) => {
      const settings = new EndpointSettings({ platform, ...options[role] });
      const connection = new EstablishedConnection({ role }, settings.connection, environment.clock.now());
      const endpoint = new Endpoint(connection, transport, settings, environment);
      endpoint.start();
      return endpoint;
    };
    const pair = { server: make('server', server), client: make('client', client) };
    return {
      ...pair,
      until: (promise) => promise,
      idle,
      reset,
      async dispose() {
        pair.client.terminate();
        pair.server.terminate();
        await dispose?.();
      },
    };
  };
}

/** Two endpoints whose handshake went through a shell's own server and client. */
export async function shells(
  idle: () => Promise<void>,
  accepted: Promise<Endpoint>,
  connecting: Promise<Endpoint>,
  reset: (client: Endpoint) => void,
  dispose: () => unknown,
): Promise<Joined> {
  const client = await connecting;
  const server = await accepted;
  return {
    client,
    server,
    until: (promise) => promise,
    idle,
    reset: () => reset(client),
    async dispose() {
      client.terminate();
      server.terminate();
      await dispose();
    },
  };
}
