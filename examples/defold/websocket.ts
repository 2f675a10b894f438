/**
 * Defold's `websocket` module by its own names, the server of its fork included: one callback for all events, data in a table,
 * numbers for everything. Each function is a call or two of ours; where the module errs, a comment says what is done instead.
 */

import { type ConnectOptions, connect as dial } from '../../src/client/index.ts';
import {
  type Bytes,
  type DebugOptions,
  type DebugSink,
  type Endpoint,
  type FailureError,
  HandshakeError,
  Headers,
  type SendResult,
  type ServeOptions,
  type Server,
  serve,
  UsageError,
} from '../../src/server/index.ts';

/** The four events. */
export const EVENT_CONNECTED = 0;
export const EVENT_DISCONNECTED = 1;
export const EVENT_MESSAGE = 2;
export const EVENT_ERROR = 3;

/** What `send` makes of a message: the opcodes of RFC 6455. */
export const DATA_TYPE_TEXT = 1;
export const DATA_TYPE_BINARY = 2;

/** The states that one can see. Those of the handshake pass inside of `STATE_CONNECTING`. */
export type State = 'STATE_CONNECTING' | 'STATE_CONNECTED' | 'STATE_DISCONNECTING' | 'STATE_DISCONNECTED';

/** Those of ours that have a name of their own; all others are on the way to the end. */
const STATES: ReadonlyMap<string, State> = new Map([
  ['connecting', 'STATE_CONNECTING'],
  ['open', 'STATE_CONNECTED'],
  ['closed', 'STATE_DISCONNECTED'],
]);

function stateOf(ours: string): State {
  return STATES.get(ours) ?? 'STATE_DISCONNECTING';
}

/** What a server answered. */
export interface HandshakeResponse {
  readonly status: number;
  /** By name, in lower case. Fields of the same name are joined with a comma; in the module the last one wins. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, as text. */
  readonly response: string;
}

/** What a callback gets. */
export interface Data {
  readonly event: number;
  /** `EVENT_MESSAGE`: what came, a string for text and bytes for binary. `EVENT_ERROR`: why. `EVENT_DISCONNECTED`: the reason. */
  readonly message: string | Uint8Array;
  /** `EVENT_DISCONNECTED`: the close code, always; 1005 if there was none, 1006 if no Close came. */
  readonly code?: number;
  /** Of clients: with `EVENT_CONNECTED`, and with an `EVENT_ERROR` of a server that refused. */
  readonly handshake_response?: HandshakeResponse;
  /** Of connections that came to `listen`. */
  readonly request_method?: string;
  /** The same: path and query. */
  readonly request_resource?: string;
  /** The address of the other end, as documented; the module gives the local one. Absent until there is a connection. */
  readonly ip_address?: string;
  /** Its port. */
  readonly port?: number;
  /** Our end. */
  readonly local_ip_address?: string;
  readonly local_port?: number;
}

/** Takes all events. `self` is the script instance. */
export type Callback<Self> = (self: Self, connection: Connection, data: Data) => unknown;

/** The parameters of `connect`. */
export interface Params {
  /** Milliseconds for names, TCP, TLS and the handshake together. Default 3000. */
  readonly timeout?: number;
  /** Lines joined with CRLF. An empty line, which would end the head, is refused, and so is anything that is no header. */
  readonly headers?: string;
  /** Subprotocols, with commas between them. The server must answer one of these or none. */
  readonly protocol?: string;
}

/** What scripts hold. */
export class Connection {
  /** Null until it is open. */
  endpoint: Endpoint | null = null;
  /** Ends an attempt. */
  readonly abort: AbortController = new AbortController();
  /** Its `EVENT_DISCONNECTED` was told. */
  over = false;

  /** Where it is. */
  get state(): State {
    if (this.over) return 'STATE_DISCONNECTED';
    return this.endpoint === null ? 'STATE_CONNECTING' : stateOf(this.endpoint.readyState);
  }
}

/** What `game.project` says about it, and where lines go. */
export interface ModuleOptions {
  /** `websocket.debug`. 0: nothing. 1: states. 2: frames and bytes too, without credentials. Default 0. */
  readonly debug?: 0 | 1 | 2;
  /** Takes lines of `debug`, and what callbacks throw. Default: the console. */
  readonly log?: (line: string) => void;
}

/**
 * The module for one script instance: `self` is what its callbacks get first. One listens at a time, but there may be any
 * number of modules in a process.
 */
export class Websocket<Self> {
  readonly EVENT_CONNECTED: number = EVENT_CONNECTED;
  readonly EVENT_DISCONNECTED: number = EVENT_DISCONNECTED;
  readonly EVENT_MESSAGE: number = EVENT_MESSAGE;
  readonly EVENT_ERROR: number = EVENT_ERROR;
  readonly DATA_TYPE_TEXT: number = DATA_TYPE_TEXT;
  readonly DATA_TYPE_BINARY: number = DATA_TYPE_BINARY;
  private readonly self: Self;
  private readonly log: (line: string) => void;
  private readonly debug: DebugOptions;
  private server: Server | null = null;
  private listening = false;

  constructor(self: Self, { debug = 0, log = console.log }: ModuleOptions = {}) {
    this.self = self;
    this.log = log;
    const sink: DebugSink = (line, record) => {
      if (record.type !== 'state') log(line);
      else if (stateOf(record.before) !== stateOf(record.state)) {
        log(`${stateOf(record.before)} -> ${stateOf(record.state)}`);
      }
    };
    this.debug = { level: debug, sink };
  }

  /**
   * Connects, and tells the callback what becomes of it: `EVENT_CONNECTED`, or `EVENT_ERROR` and `EVENT_DISCONNECTED`.
   *
   * @param options of our `connect`, for what has no name here
   * @throws UsageError when an argument is none
   */
  connect(url: string, params: Params, callback: Callback<Self>, options: ConnectOptions = {}): Connection {
    const { timeout = 3_000, headers = '', protocol = '', ...rest } = params;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) {
      throw new UsageError('INVALID_OPTION', `connect: there is no '${unknown}'; there are timeout, headers, protocol`);
    }
    const connection = new Connection();
    const tell = this.teller(connection, callback);
    const opened = dial(url, {
      debug: this.debug,
      handshakeTimeout: timeout,
      headers,
      subprotocols: protocol.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()])),
      ...options,
      signal: connection.abort.signal,
    });
    opened.then(
      (endpoint) => {
        this.watch(connection, endpoint, tell);
        // It was told to, when it was open and nobody knew.
        if (connection.abort.signal.aborted) void endpoint.close();
      },
      (error: FailureError) => {
        connection.over = true;
        if (!connection.abort.signal.aborted) tell(EVENT_ERROR, error.message, refusal(error));
        tell(EVENT_DISCONNECTED, '', { code: 1006 });
      },
    );
    return connection;
  }

  /**
   * Sends a message: binary, unless `type` says `DATA_TYPE_TEXT`. While there is no connection it is not sent, which the result
   * says; the module throws then.
   *
   * @throws UsageError when an argument is none; the connection lives
   */
  send(connection: Connection, message: string | Bytes, options: { readonly type?: number } = {}): SendResult {
    const { type = DATA_TYPE_BINARY } = options;
    if (type !== DATA_TYPE_BINARY && type !== DATA_TYPE_TEXT) {
      throw new UsageError('INVALID_ARGUMENT', `send: type must be DATA_TYPE_BINARY or DATA_TYPE_TEXT, not ${type}`);
    }
    const { endpoint } = checked(connection);
    if (endpoint !== null) return endpoint.send(message, { binary: type === DATA_TYPE_BINARY });
    const nothing = { payloadSize: 0, wireSize: 0, compressionError: false, writable: false };
    return { success: false, code: 'not-open', ...nothing };
  }

  /**
   * Closes. What was sent leaves first, and then the Close; the module drops both. An attempt ends at once, without an
   * `EVENT_ERROR`.
   *
   * @throws UsageError when the code may not be sent, or the reason is longer than 123 bytes
   */
  disconnect(connection: Connection, code = 1000, reason = ''): void {
    const { endpoint, abort } = checked(connection);
    if (endpoint === null) abort.abort();
    else void endpoint.close(code, reason);
  }

  /**
   * Listens on all addresses. Any browser may connect, Firefox as well: the module wants `Connection` to be "Upgrade" and nothing
   * else. What is no handshake gets an answer that says so.
   *
   * @param max_connections more than these get 503. Outgoing ones do not count, as they do in the module
   * @param connection_timeout seconds from accept to open
   * @param options of our `serve`, for what has no name here
   * @returns false if the port cannot be had
   * @throws UsageError when it listens already, or an argument is none
   */
  async listen(
    port: number,
    max_connections: number,
    connection_timeout: number,
    callback: Callback<Self>,
    options: ServeOptions = {},
  ): Promise<boolean> {
    if (this.listening) throw new UsageError('INVALID_STATE', 'listen: it listens already');
    this.listening = true;
    const settings: ServeOptions = {
      port,
      maxConnections: max_connections,
      handshakeTimeout: connection_timeout * 1_000,
      debug: this.debug,
      ...options,
    };
    try {
      this.server = await serve(settings, (endpoint, { method, target }) => {
        const connection = new Connection();
        const request = { request_method: method, request_resource: target };
        this.watch(connection, endpoint, this.teller(connection, callback, request));
      });
      return true;
    } catch (error) {
      this.listening = false;
      if (error instanceof UsageError) throw error;
      this.log(`cannot listen: ${(error as Error).message}`);
      return false;
    }
  }

  /**
   * Stops, and closes every connection that came in with 1001: each has its `EVENT_DISCONNECTED`. In the module they are left
   * behind with callbacks that are gone.
   *
   * @returns resolves when they are gone
   * @throws UsageError when it does not listen
   */
  async stop_listening(): Promise<void> {
    const { server } = this;
    if (server === null) throw new UsageError('INVALID_STATE', 'stop_listening: it does not listen');
    this.server = null;
    await server.close();
    this.listening = false;
  }

  /** Where it listens, or an empty string. */
  get url(): string {
    return this.server?.url ?? '';
  }

  private watch(connection: Connection, endpoint: Endpoint, tell: Tell): void {
    connection.endpoint = endpoint;
    const about = endpoint.request === null ? { handshake_response: responseOf(101, endpoint.headers) } : {};
    // It is open: `connect` has given it, or the handler of `serve` got it.
    tell(EVENT_CONNECTED, '', about);
    endpoint.on('message', ({ data }) => tell(EVENT_MESSAGE, data));
    // Told also of an end that came before this.
    void endpoint.closed.then(({ code, reason, error }) => {
      connection.over = true;
      if (error !== null) tell(EVENT_ERROR, error.message);
      tell(EVENT_DISCONNECTED, reason, { code });
    });
  }

  private teller(connection: Connection, callback: Callback<Self>, request: object = {}): Tell {
    if (typeof callback !== 'function') throw new UsageError('INVALID_ARGUMENT', 'the callback must be a function');
    const failed = (error: unknown) => this.log(`a callback failed: ${String(error)}`);
    return (event, message, more = {}) => {
      // As in Defold, a script's mistake is printed, and the connection goes on. A promise holds the next event back.
      try {
        const data = { event, message, ...more, ...request, ...addressesOf(connection.endpoint) };
        const result = callback(this.self, connection, data);
        return result instanceof Promise ? result.catch(failed) : undefined;
      } catch (error) {
        return failed(error);
      }
    };
  }
}

type Tell = (event: number, message: string | Uint8Array, more?: Partial<Data>) => unknown;

function checked(connection: unknown): Connection {
  if (connection instanceof Connection) return connection;
  throw new UsageError('INVALID_ARGUMENT', 'the first argument must be a connection, as connect and callbacks give it');
}

function addressesOf(endpoint: Endpoint | null): Partial<Data> {
  if (endpoint === null || endpoint.remoteAddress === null) return {};
  const { remoteAddress, remotePort, localAddress, localPort } = endpoint;
  return {
    ip_address: remoteAddress,
    port: remotePort!,
    local_ip_address: localAddress!,
    local_port: localPort!,
  };
}

function refusal(error: FailureError): Partial<Data> {
  if (!(error instanceof HandshakeError) || error.response === null) return {};
  const { status, rawHeaders, body } = error.response;
  return { handshake_response: responseOf(status, new Headers(rawHeaders), Buffer.from(body).toString()) };
}

function responseOf(status: number, headers: Headers, response = ''): HandshakeResponse {
  // Without a prototype: a header may be called __proto__.
  const table: Record<string, string> = Object.create(null);
  for (const [name] of headers) table[name.toLowerCase()] = headers.get(name)!;
  return { status, headers: table, response };
}
