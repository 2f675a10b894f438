/**
 * What the clients on a runtime's own sockets have in common: a request, one deadline over dialling and the opening
 * handshake, and a promise for how that ends. Each adds only how it dials.
 */

import { ClientConnection } from '../connection/client-connection.ts';
import { Endpoint } from '../endpoint/endpoint.ts';
import type { Environment } from '../endpoint/options.ts';
import { type FailureError, TimeoutError, TransportError } from '../errors.ts';
import type { Transport, Wakeable } from '../transport/transport.ts';
import type { ShellClientSettings } from './options.ts';

/** Where to go: the Host header, and path and query. */
export interface Destination {
  readonly host: string;
  readonly target: string;
}

/** Tells how to let go of what is dialled and not yet a transport; done at once if it was given up already. */
export type OnGivenUp = (drop: () => void) => void;

/**
 * Dials and opens.
 *
 * @param dial gives the transport, once; what it rejects with becomes a TransportError
 * @returns an open endpoint
 * @throws UsageError (as a rejection, like all below) when the request cannot be written
 * @throws HandshakeError when the server did not answer with a proper 101
 * @throws TransportError when there is no connection to be had, or it broke
 * @throws TimeoutError after `handshakeTimeout`
 */
export async function openClient(
  destination: Destination,
  settings: ShellClientSettings,
  environment: Environment,
  dial: (connection: ClientConnection, onGivenUp: OnGivenUp) => Promise<Transport>,
): Promise<Endpoint> {
  const { signal, on, origin, subprotocols, headers } = settings;
  if (signal?.aborted === true) throw signal.reason;
  const { clock } = environment;
  const wanted = { ...destination, subprotocols, headers, ...(origin === null ? {} : { origin }) };
  const connection = new ClientConnection(wanted, settings.endpoint.connection, clock.now());
  const { promise, resolve, reject } = deferred<Endpoint>();
  let endpoint: Endpoint | null = null;
  let drop: (() => void) | null = null;
  let settled = false;
  const settle = () => {
    settled = true;
    clock.cancel(deadline, deadline.at);
    signal?.removeEventListener('abort', abort);
  };
  const fail = (error: unknown) => {
    if (settled) return;
    settle();
    reject(error);
    if (endpoint === null) drop?.();
    else endpoint.terminate();
  };
  const abort = () => fail(signal?.reason);
  // Where there is a transport the engine keeps it itself; but it leaves a server that has refused us time to go.
  const deadline: Wakeable & { readonly at: number } = {
    at: clock.now() + settings.endpoint.connection.handshakeTimeout,
    wake() {
      if (endpoint === null) fail(new TimeoutError('OPENING_TIMEOUT'));
      else if (endpoint.readyState === 'closing') endpoint.terminate();
    },
  };
  const open = (opened: Endpoint) => {
    try {
      if (on !== null) opened.listen(on);
    } catch (error) {
      fail(error);
      return;
    }
    settle();
    resolve(opened);
  };
  clock.schedule(deadline, deadline.at);
  signal?.addEventListener('abort', abort);
  const onGivenUp: OnGivenUp = (act) => {
    if (settled) act();
    else drop = act;
  };
  dial(connection, onGivenUp).then(
    (transport) => {
      if (settled) {
        transport.destroy();
        return;
      }
      endpoint = new Endpoint(connection, transport, settings.endpoint, environment, {
        opened: open,
        closed: (_, { error }) => fail(error ?? new TransportError('TRANSPORT_ENDED')),
      });
      endpoint.start();
    },
    (error: unknown) => fail(dialError(error)),
  );
  return promise;
}

function dialError(error: unknown): FailureError {
  return error instanceof TransportError ? error : new TransportError('CONNECT_FAILED', error);
}

/** `Promise.withResolvers`, which is not everywhere yet. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
