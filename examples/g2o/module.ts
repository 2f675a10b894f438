/**
 * The server module of Gothic 2 Online by its own names: events `onWebsocket…`, functions `websocket_…`, and the file
 * `g2ows.json`. Each is a call or two of ours; where the module errs, a comment says what is done instead.
 */

import type { ServeConfig } from '../../src/cli/config.ts';
import {
  type BroadcastResult,
  type Bytes,
  type CloseEvent,
  type SendResult,
  type Server,
  type ServerSendOptions,
  serve,
} from '../../src/server/index.ts';

/** An event handler of a script. What it gets depends on the event. */
export type Handler = (...args: never[]) => unknown;

/** What a script sees: functions, so that it may take those that it needs. */
export interface G2o {
  /** `ws://host:port`, for clients on this machine. */
  readonly url: string;
  /**
   * Has `handler` called at each event. Those of the WebSocket server are
   *
   * - `onWebsocketConnect(url, request)`: the request's path, query and headers are not lost;
   * - `onWebsocketMessage(url, message)`: text is a string and binary a `Uint8Array`, where the module has strings for both;
   * - `onWebsocketClose(url, event)`, or `onWebsocketDisconnect`, with `code` and `reason`. The module's document has the first
   *   name and its code the second; here one is as good as the other.
   *
   * `url` is `ws://ip:port` of the client, or `wss://ip:port` under TLS, where the module says `ws` still.
   */
  addEventHandler(event: string, handler: Handler): void;
  /** Undoes `addEventHandler`. */
  removeEventHandler(event: string, handler: Handler): void;
  /** Calls the handlers of an event: the game's own, such as `onTime`, come this way. */
  callEvent(event: string, ...args: unknown[]): void;
  /** Sends text, or with `sendBinary` binary. To an unknown client that is no error of the script: `code` is `'not-open'`. */
  websocket_send(url: string, message: string | Bytes): SendResult;
  /** Sends binary. */
  websocket_sendBinary(url: string, message: string | Bytes): SendResult;
  /** Sends to all who are connected, and to nobody who is not yet or may not be. One result for each. */
  websocket_sendtoall(message: string | Bytes): BroadcastResult[];
  /** Closes with 1000. Null: there is no such client. */
  websocket_close(url: string, reason?: string): Promise<CloseEvent | null>;
  /** Closes every client with 1000, and resolves when they are gone. */
  stop(): Promise<void>;
}

/**
 * Starts the server, when the game server loads the module.
 *
 * @param log gets a line for what happens to the server and what scripts throw; `null` for silence
 * @param host the address to listen on; all of them, over IPv6 and IPv4, if it is not given
 * @returns rejects if it cannot listen, of which the module says nothing
 */
export async function loadModule(
  config: ServeConfig,
  log: ((line: string) => void) | null = console.log,
  host?: string,
): Promise<G2o> {
  const { port, whitelist, sendBinary, tls } = config;
  const handlers = new Map<string, Set<Handler>>();

  const failed = (event: string, error: unknown) => log?.(`a handler of ${event} failed: ${String(error)}`);
  const callEvent = (event: string, ...args: unknown[]) => {
    for (const handler of [...(handlers.get(event) ?? [])]) {
      try {
        const result = (handler as (...args: unknown[]) => unknown)(...args);
        if (result instanceof Promise) result.catch((error: unknown) => failed(event, error));
      } catch (error) {
        // A mistake in a script is for the log. It costs no client the connection, and no other handler its call.
        failed(event, error);
      }
    }
  };

  const server: Server = await serve(
    {
      port,
      // Decided before the handshake: who is not on the list is answered with 403 and raises no event. In the module it gets
      // as far as a message and a close, both with an empty url.
      allowedAddresses: whitelist,
      ...(host === undefined ? {} : { host }),
      ...(tls === null ? {} : { tls }),
    },
    (socket, request) => {
      const url = socket.id;
      socket.on('open', () => callEvent('onWebsocketConnect', url, request));
      socket.on('message', ({ data }) => callEvent('onWebsocketMessage', url, data));
      socket.on('close', (event) => {
        callEvent('onWebsocketClose', url, event);
        callEvent('onWebsocketDisconnect', url, event);
      });
    },
  );
  server.on('refused', ({ remoteAddress, status, error }) => {
    log?.(`refused ${remoteAddress} ${status === 0 ? '' : `with ${status}`}: ${error.message}`);
  });
  log?.(`WebSocket server started at ${server.url}`);
  if (whitelist.length === 0) log?.('the whitelist is empty: nobody may connect');

  const options: ServerSendOptions = sendBinary ? { binary: true } : {};
  return {
    url: server.url,
    addEventHandler(event, handler) {
      handlers.set(event, (handlers.get(event) ?? new Set()).add(handler));
    },
    removeEventHandler(event, handler) {
      handlers.get(event)?.delete(handler);
    },
    callEvent,
    websocket_send: (url, message) => server.send(url, message, options),
    websocket_sendBinary: (url, message) => server.send(url, message, { binary: true }),
    websocket_sendtoall: (message) => server.broadcast(message, options),
    websocket_close: (url, reason = '') => server.disconnect(url, 1000, reason),
    async stop() {
      await server.close({ code: 1000, reason: 'Server shutdown' });
      log?.('WebSocket server stopped');
    },
  };
}
