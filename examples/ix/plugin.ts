/**
 * The commands of 4D's plugin over IXWebSocket by their own names, with `_` for a space. Where a command waits in 4D, it returns a
 * promise here. Each is a call or two of ours; where the plugin errs, a comment says what is done instead.
 */

import { type AnyClientEvent, EventNumber, ReconnectingClient, UsageError } from '../../src/client/index.ts';
import {
  type AnyEvent,
  type Headers,
  type SendResult,
  type Server,
  type ServerEndpoint,
  serve,
} from '../../src/server/index.ts';
import {
  CLIENT_OPTIONS,
  type ClientOptions,
  checkOptions,
  FIXED_OPTIONS,
  readClient,
  readServer,
  SERVER_OPTIONS,
  type ServerOptions,
} from './options.ts';

/** The callback: the number of the event, the object's id, and what there is to say, as JSON. */
export type Method = (type: EventNumber, id: number, json: string) => unknown;

/** An object of 4D that names a client or a server. */
export interface Named {
  readonly id: number;
}

/** How one message went. */
export interface SendStatus {
  readonly success: boolean;
  readonly compressionError: boolean;
  /** Bytes: a number, where the document says Boolean. */
  readonly payloadSize: number;
  /** Bytes, headers included. */
  readonly wireSize: number;
}

/** What became of a start. The failure is in `errorStr` always; the plugin says `errStr` for servers. */
export interface StartStatus {
  readonly success: boolean;
  readonly uri: string;
  readonly errorStr?: string;
}

interface Client {
  options: ClientOptions;
  readonly client: ReconnectingClient;
}

interface OneServer {
  options: ServerOptions;
  server: Server | null;
  /** It is about to listen. */
  starting: boolean;
}

/** The plugin of one process. */
export class Plugin {
  private readonly clients: Map<number, Client> = new Map();
  private readonly servers: Map<number, OneServer> = new Map();
  private method: Method | null = null;

  // ── the callback ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Has `method` called for Message 0, Open 1, Close 2 and Error 3, and for Ping 4, Pong 5 and Fragment 6, which the plugin keeps
   * to itself. At once: nothing is polled. What it throws is its own defect, and closes that connection with 1011.
   */
  Websocket_SET_METHOD(method: Method | null): void {
    if (method !== null && typeof method !== 'function') {
      throw new UsageError('INVALID_ARGUMENT', 'Websocket SET METHOD: the method must be a function, or null for none');
    }
    this.method = method;
  }

  Websocket_Get_method(): Method | null {
    return this.method;
  }

  // ── clients ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a client, with the smallest free number as its id. With an `id`: what there is to know about that one. */
  Websocket_client(options: ClientOptions): Named;
  Websocket_client(socket: Named): ClientInfo | null;
  Websocket_client(given: ClientOptions | Named): Named | ClientInfo | null {
    if (isNamed(given)) return this.clientInfo(given.id);
    checkOptions('Websocket client', given, CLIENT_OPTIONS);
    const id = freeId(this.clients, 1);
    const client = new ReconnectingClient(given.URL, {
      ...readClient(given, 30),
      onEvent: (_, event) => this.tell(id, event, {}),
    });
    this.clients.set(id, { options: given, client });
    return { id };
  }

  /**
   * Connects. Options beside the `id` count from now on. A first attempt that fails is followed by others, as a connection that is
   * lost: in the plugin by none.
   *
   * @param socket `timeout` in seconds, default 30
   */
  async Websocket_client_start({
    id,
    timeout = 30,
    ...changes
  }: Named & Partial<ClientOptions> & { readonly timeout?: number }): Promise<
    StartStatus & { readonly headers: object; readonly http_status: number; readonly protocol: string }
  > {
    const found = this.clients.get(id);
    if (found === undefined) return { ...unknown('client', id), headers: {}, http_status: 0, protocol: '' };
    const { client } = found;
    checkOptions('Websocket client start', changes, CLIENT_OPTIONS);
    if (client.state === 'stopped') {
      const options = { ...found.options, ...changes };
      // What is not there any more has its default again.
      const cleared = { tls: undefined, pingInterval: undefined } as object;
      client.configure({ url: options.URL, ...cleared, ...readClient(options, timeout) });
      found.options = options;
    } else if (Object.keys(changes).length > 0) {
      throw new UsageError('INVALID_STATE', 'Websocket client start: stop it before its options change');
    }
    const { success, httpStatus, headers, subprotocol, error } = await client.start();
    return {
      success,
      uri: targetOf(found.options.URL),
      headers: tableOf(headers),
      http_status: httpStatus ?? 0,
      protocol: subprotocol,
      ...(error === null ? {} : { errorStr: error.message }),
    };
  }

  /** Stops: a wait or an attempt at once, a connection by its closing handshake. It does not connect again. */
  async Websocket_client_stop({
    id,
    code = 1000,
    reason = 'Normal closure',
  }: Named & { readonly code?: number; readonly reason?: string }): Promise<ClientInfo | null> {
    await this.clients.get(id)?.client.stop(code, reason);
    return this.clientInfo(id);
  }

  /** Sends text, or bytes as binary. Not connected is no success, and no error. */
  Websocket_client_send({ id, message = '' }: Named & { readonly message?: string | Uint8Array }): SendStatus {
    const found = this.clients.get(id);
    return found === undefined ? NOTHING_SENT : sendStatusOf(found.client.send(message));
  }

  /** Stops and forgets it; nothing more is told of it. */
  async Websocket_client_clear({ id }: Named): Promise<{ readonly success: boolean }> {
    const found = this.clients.get(id);
    if (found === undefined) return { success: false };
    this.clients.delete(id);
    await found.client.clear();
    return { success: true };
  }

  // ── servers ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a server, with the largest free negative number as its id. With an `id`: who is connected to that one. */
  Websocket_server(options?: ServerOptions): Named;
  Websocket_server(socket: Named): ServerInfo | null;
  Websocket_server(given: ServerOptions | Named = {}): Named | ServerInfo | null {
    if (isNamed(given)) return this.serverInfo(given.id);
    checkOptions('Websocket server', given, SERVER_OPTIONS);
    readServer(given);
    const id = freeId(this.servers, -1);
    this.servers.set(id, { options: given, server: null, starting: false });
    return { id };
  }

  /** Listens. Options beside the `id` count from now on, but for those that are fixed. */
  async Websocket_server_start({
    id,
    ...changes
  }: Named & Partial<ServerOptions>): Promise<StartStatus & { readonly port: number }> {
    const found = this.servers.get(id);
    if (found === undefined) return { ...unknown('server', id), port: 0 };
    const failed = (errorStr: string) => ({ success: false, uri: '', port: 0, errorStr });
    if (found.server !== null || found.starting) return failed('it is started already');
    checkOptions('Websocket server start', changes, SERVER_OPTIONS);
    for (const name of Object.keys(FIXED_OPTIONS) as (keyof ServerOptions)[]) {
      if (changes[name] === undefined || changes[name] === found.options[name]) continue;
      throw new UsageError('INVALID_OPTION', `Websocket server start: '${name}' is fixed when the server is made`);
    }
    const options = { ...found.options, ...changes };
    const settings = readServer(options);
    found.starting = true;
    try {
      const server = await serve({ ...settings, onEvent: (socket, event) => this.tell(id, event, about(socket)) });
      if (this.servers.get(id) !== found) {
        await server.close();
        return failed('it was cleared meanwhile');
      }
      found.server = server;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      return failed((error as Error).message);
    } finally {
      found.starting = false;
    }
    found.options = options;
    return { success: true, uri: found.server.url, port: found.server.port! };
  }

  /** Closes every connection, and waits until they are gone. It may be started again. */
  async Websocket_server_stop({
    id,
    code = 1000,
    reason = 'Normal closure',
  }: Named & { readonly code?: number; readonly reason?: string }): Promise<void> {
    const found = this.servers.get(id);
    const server = found?.server ?? null;
    if (found === undefined || server === null) return;
    await server.close({ code, reason });
    if (found.server === server) found.server = null;
  }

  /**
   * Sends to those whose request was for `uri`, one or several; to all without it. A `uri` of the plugin is a path, and whoever
   * asked for the same one is meant too: a `client`, as events and statuses have it, is one alone.
   */
  Websocket_server_send({
    id,
    message = '',
    uri = [],
  }: Named & { readonly message?: string | Uint8Array; readonly uri?: string | readonly string[] }): {
    readonly statuses: readonly (SendStatus & { readonly uri: string; readonly client: string })[];
  } {
    const wanted = typeof uri === 'string' ? [uri] : uri;
    const meant = (socket: ServerEndpoint) => wanted.includes(socket.request!.target) || wanted.includes(socket.id);
    const chosen = wanted.length === 0 || wanted.every((each) => each === '') ? {} : { filter: meant };
    const results = this.servers.get(id)?.server?.broadcast(message, chosen) ?? [];
    return {
      statuses: results.map(({ socket, result }) => ({
        uri: socket.request!.target,
        client: socket.id,
        ...sendStatusOf(result),
      })),
    };
  }

  /** Stops and forgets it. */
  async Websocket_server_clear({ id }: Named): Promise<{ readonly success: boolean }> {
    if (!this.servers.has(id)) return { success: false };
    await this.Websocket_server_stop({ id });
    return { success: this.servers.delete(id) };
  }

  // ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  private clientInfo(id: number): ClientInfo | null {
    const found = this.clients.get(id);
    if (found === undefined) return null;
    const { client, options } = found;
    const { readyState, url, bufferedAmount, reconnect, maxWait, pingInterval } = client.info;
    return {
      readyState,
      URL: url,
      perMessageDeflateOptionsEnabled: options.enablePerMessageDeflate ?? false,
      pingInterval: pingInterval === null ? -1 : pingInterval / 1_000,
      bufferedAmount,
      automaticReconnectionEnabled: reconnect,
      maxWaitBetweenReconnectionRetries: maxWait ?? 0,
    };
  }

  private serverInfo(id: number): ServerInfo | null {
    const found = this.servers.get(id);
    if (found === undefined) return null;
    return { clients: [...(found.server?.connections ?? [])].map(about) };
  }

  private tell(id: number, event: AnyEvent | AnyClientEvent, from: object): unknown {
    if (event.type === 'stop' || event.type === 'drain' || event.type === 'drop') return;
    return this.method?.(EventNumber[event.type], id, JSON.stringify({ ...this.content(id, event), ...from }));
  }

  private content(id: number, event: AnyEvent | AnyClientEvent): object {
    switch (event.type) {
      case 'message':
        return { ...payloadOf(event.data), binary: event.kind === 'binary', wireSize: event.wireSize };
      case 'open': {
        const { headers, subprotocol: protocol, extensions } = event;
        const uri = targetOf(this.clients.get(id)?.options.URL ?? '');
        return { uri, headers: tableOf(headers), protocol, extensions };
      }
      case 'close': {
        const { code, reason, remote } = event;
        return { code, reason, remote };
      }
      case 'error': {
        const { error } = event;
        const { retries = 0, waitTime = null, httpStatus = null } = event as Partial<typeof event & Retry>;
        const decompressionError = error.code === 'DEFLATE_CORRUPT';
        const retry = { retries, wait_time: waitTime ?? 0, http_status: httpStatus ?? 0 };
        return { ...retry, reason: error.message, decompressionError };
      }
      case 'ping':
      case 'pong':
        return payloadOf(event.payload);
      case 'progress':
        return { binary: event.kind === 'binary', received: event.received, total: event.total };
      default:
        return {};
    }
  }
}

/** What a client's `error` has and a server's has not: nobody connects again there. */
interface Retry {
  readonly retries: number;
  readonly waitTime: number | null;
  readonly httpStatus: number | null;
}

/** What there is to know about a client. */
export interface ClientInfo {
  readonly readyState: 'connecting' | 'open' | 'closing' | 'closed';
  readonly URL: string;
  readonly perMessageDeflateOptionsEnabled: boolean;
  /** Seconds; -1: off. */
  readonly pingInterval: number;
  readonly bufferedAmount: number;
  readonly automaticReconnectionEnabled: boolean;
  /** Milliseconds. */
  readonly maxWaitBetweenReconnectionRetries: number;
}

/** Who is connected: those that are open; the plugin counts those in their handshake as well. */
export interface ServerInfo {
  readonly clients: readonly About[];
}

/** A client of a server, in events and lists. */
export interface About {
  readonly uri: string;
  /** `ws://ip:port` */
  readonly client: string;
  readonly remoteIp: string;
  readonly remotePort: number;
}

const NOTHING_SENT: SendStatus = { success: false, compressionError: false, payloadSize: 0, wireSize: 0 };

function about(socket: ServerEndpoint): About {
  const { id, remoteAddress, remotePort, request } = socket;
  return { uri: request!.target, client: id, remoteIp: remoteAddress!, remotePort: remotePort! };
}

function sendStatusOf({ success, compressionError, payloadSize, wireSize }: SendResult): SendStatus {
  return success ? { success, compressionError, payloadSize, wireSize } : { ...NOTHING_SENT, compressionError };
}

/** JSON has no bytes: what is binary is in `base64`. The plugin takes it for text, and what is no UTF-8 is lost. */
function payloadOf(data: string | Uint8Array): object {
  return typeof data === 'string' ? { str: data } : { str: '', base64: Buffer.from(data).toString('base64') };
}

/** Path and query, as the request has them. */
function targetOf(url: string): string {
  if (url === '') return '';
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function tableOf(headers: Headers): object {
  // Without a prototype: a header may be called __proto__.
  const table: Record<string, string> = Object.create(null);
  for (const [name] of headers) table[name] = headers.get(name)!;
  return table;
}

function unknown(what: string, id: number): StartStatus {
  return { success: false, uri: '', errorStr: `there is no ${what} ${id}` };
}

function isNamed(value: object): value is Named {
  return typeof value === 'object' && value !== null && 'id' in value;
}

function freeId(taken: ReadonlyMap<number, unknown>, step: 1 | -1): number {
  let id: number = step;
  while (taken.has(id)) id += step;
  return id;
}
