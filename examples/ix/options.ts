/**
 * The options of the 4D plugin, and what they are here: seconds become milliseconds, -1 becomes null. None is ignored: the
 * plugin forgets TLS files unless `tls` is there too, and a server's switch for compression altogether.
 */

import { type PermessageDeflateOptions, type ReconnectingClientOptions, UsageError } from '../../src/client/index.ts';
import type { ServeOptions, ServerTlsOptions } from '../../src/server/index.ts';

/** What clients and servers have in common. */
export interface SharedOptions {
  /** Seconds of silence before a ping; -1: none. Default: ours, for who never pings never finds out. */
  readonly pingInterval?: number;
  /** Whether pings are answered. Default true. */
  readonly enablePong?: boolean;
  /** Default false. */
  readonly enablePerMessageDeflate?: boolean;
  /** The command that the plugin lacks, `setPerMessageDeflateOptions`. */
  readonly perMessageDeflateOptions?: Pick<
    PermessageDeflateOptions,
    'clientNoContextTakeover' | 'serverNoContextTakeover' | 'clientMaxWindowBits' | 'serverMaxWindowBits'
  >;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** `'SYSTEM'`, `'NONE'`, a file or PEM. Default: `'SYSTEM'` on a client; on a server no certificate is asked for. */
  readonly caFile?: string;
  readonly ciphers?: string;
  /** Default: as the other options say. What contradicts them is an error. */
  readonly tls?: boolean;
}

/** Options of `Websocket client`. */
export interface ClientOptions extends SharedOptions {
  readonly URL: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The command that the plugin lacks, `addSubProtocol`. */
  readonly subProtocols?: readonly string[];
  /** Default true. */
  readonly enableAutomaticReconnection?: boolean;
  /** Milliseconds. Default 10000. */
  readonly maxWaitBetweenReconnectionRetries?: number;
  /** Milliseconds. Default 1. */
  readonly minWaitBetweenReconnectionRetries?: number;
  /** Whether the certificate may be another host's. It must be valid all the same. Default false. */
  readonly disableHostnameValidation?: boolean;
}

/** Options of `Websocket server`. The first six are fixed when it is made. */
export interface ServerOptions extends SharedOptions {
  /** Default 8080; 0 for any that is free. */
  readonly port?: number;
  /** Default 127.0.0.1, or ::1 with `AF_INET6`. */
  readonly host?: string;
  /** Default 5. */
  readonly backlog?: number;
  /** Default 128. Further ones get 503; the plugin says nothing and hangs up. */
  readonly maxConnections?: number;
  /** From accept to open, TLS included. Default 3. */
  readonly handshakeTimeoutSecs?: number;
  /** `AF_INET` (2), or `AF_INET6` (10 on Linux, 23 on Windows, 30 on macOS). Default 2. */
  readonly addressFamily?: number;
}

/** The names of the options, and their types. Anything else is an error that lists them. */
const SHARED = {
  pingInterval: 'number',
  enablePong: 'boolean',
  enablePerMessageDeflate: 'boolean',
  perMessageDeflateOptions: 'object',
  certFile: 'string',
  keyFile: 'string',
  caFile: 'string',
  ciphers: 'string',
  tls: 'boolean',
} as const;
export const CLIENT_OPTIONS = {
  ...SHARED,
  URL: 'string',
  headers: 'object',
  subProtocols: 'object',
  enableAutomaticReconnection: 'boolean',
  maxWaitBetweenReconnectionRetries: 'number',
  minWaitBetweenReconnectionRetries: 'number',
  disableHostnameValidation: 'boolean',
} as const;
/** Fixed when the server is made. */
export const FIXED_OPTIONS = {
  port: 'number',
  host: 'string',
  backlog: 'number',
  maxConnections: 'number',
  handshakeTimeoutSecs: 'number',
  addressFamily: 'number',
} as const;
export const SERVER_OPTIONS = { ...SHARED, ...FIXED_OPTIONS } as const;

/** @throws UsageError naming the option that is unknown or of another type */
export function checkOptions(command: string, options: object, known: Readonly<Record<string, string>>): void {
  if (typeof options !== 'object' || options === null) {
    throw new UsageError('INVALID_ARGUMENT', `${command}: the options must be an object, not ${String(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const type = Object.hasOwn(known, name) ? known[name] : undefined;
    if (type === undefined) {
      const names = Object.keys(known).join(', ');
      throw new UsageError('INVALID_OPTION', `${command}: there is no option '${name}'; there are ${names}`);
    }
    if (typeof value !== type || value === null) {
      throw new UsageError('INVALID_OPTION', `${command}: option '${name}' must be of type ${type}`);
    }
  }
}

/** @param timeout seconds for the first attempt and each that follows */
export function readClient(options: ClientOptions, timeout: number): ReconnectingClientOptions {
  const { URL: url, headers = {}, subProtocols = [], enableAutomaticReconnection = true } = options;
  const { maxWaitBetweenReconnectionRetries: maxWait = 10_000, disableHostnameValidation } = options;
  const { minWaitBetweenReconnectionRetries: minWait = 1 } = options;
  const secure = /^(wss|https):/i.test(url);
  if (options.tls !== undefined && options.tls !== secure) {
    throw new UsageError('INVALID_OPTION', `option 'tls' is ${options.tls}, and the URL says otherwise: ${url}`);
  }
  const tls = {
    ...filesOf(options),
    ...(disableHostnameValidation === undefined ? {} : { checkHostname: !disableHostnameValidation }),
  };
  return {
    ...sharedOf(options),
    headers,
    subprotocols: subProtocols,
    handshakeTimeout: timeout * 1_000,
    // 100 ms, and twice as much each time. Within that chance has the say, also before the first: a fleet does not come back
    // all at once.
    reconnect: enableAutomaticReconnection ? { firstWait: 100, growth: 2, maxWait, minWait } : null,
    // As in the plugin, `send` does not wait for a connection.
    queue: null,
    ...(Object.keys(tls).length === 0 ? {} : { tls }),
  };
}

export function readServer(options: ServerOptions): ServeOptions {
  const { port = 8080, backlog = 5, maxConnections = 128, handshakeTimeoutSecs = 3 } = options;
  const family = familyOf(options.addressFamily ?? 2);
  const { host = family === 4 ? '127.0.0.1' : '::1', tls } = options;
  const files = filesOf(options);
  const { cert, key } = files;
  // There is no way back to plain text.
  if (tls === true && (cert === undefined || key === undefined)) {
    throw new UsageError('INVALID_OPTION', "option 'tls' is true: it needs certFile and keyFile");
  }
  if (tls === false && Object.keys(files).length > 0) {
    throw new UsageError('INVALID_OPTION', "option 'tls' is false, and there are options of TLS: choose one");
  }
  // The plugin's server wants certificates of everybody, unless told `NONE`; here it must be told `SYSTEM`.
  const requestCert = options.caFile === 'SYSTEM' ? { requestCert: true } : {};
  const secure = Object.keys(files).length > 0 ? ({ ...files, ...requestCert } as ServerTlsOptions) : null;
  return {
    ...sharedOf(options),
    port,
    host,
    family,
    backlog,
    maxConnections,
    handshakeTimeout: handshakeTimeoutSecs * 1_000,
    ...(secure === null ? {} : { tls: secure }),
  };
}

function sharedOf({ pingInterval, enablePong = true, enablePerMessageDeflate = false, ...rest }: SharedOptions) {
  return {
    ...(pingInterval === undefined ? {} : { pingInterval: pingInterval === -1 ? null : pingInterval * 1_000 }),
    autoPong: enablePong,
    compression: enablePerMessageDeflate && (rest.perMessageDeflateOptions ?? true),
    // For `Fragment`.
    progress: true,
  };
}

function filesOf({ certFile, keyFile, caFile, ciphers }: SharedOptions): {
  cert?: string;
  key?: string;
  ca?: string;
  ciphers?: string;
} {
  return {
    ...(certFile === undefined ? {} : { cert: certFile }),
    ...(keyFile === undefined ? {} : { key: keyFile }),
    ...(caFile === undefined ? {} : { ca: caFile }),
    ...(ciphers === undefined ? {} : { ciphers }),
  };
}

function familyOf(addressFamily: number): 4 | 6 {
  if (addressFamily === 2) return 4;
  if ([10, 23, 30].includes(addressFamily)) return 6;
  throw new UsageError('INVALID_OPTION', "option 'addressFamily' must be AF_INET (2) or AF_INET6 (10, 23 or 30)");
}
