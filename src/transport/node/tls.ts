/**
 * TLS options as users give them, read into what `node:tls` takes: one place for servers and clients, so that no path to a
 * connection loses one of them.
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  type SecureVersion,
  type TlsOptions,
} from 'node:tls';
import { checkRecord, type Rules, readOptions } from '../../connection/options.ts';
import { UsageError } from '../../errors.ts';

/** PEM as text or bytes, or the path of a file that holds it: text with `-----BEGIN` in it is PEM, any other is a path. */
export type Pem = string | Uint8Array;

/** What servers and clients have in common. */
export interface TlsCommon {
  /** The certificate, with the chain that leads to the authority. With `key`, or neither of them. */
  readonly cert?: Pem;
  /** The private key of `cert`. */
  readonly key?: Pem;
  /** Of an encrypted `key`. */
  readonly passphrase?: string;
  /**
   * The authorities that the peer's certificate must lead to; `'SYSTEM'`: those Node trusts; `'NONE'`: the peer's certificate is
   * not checked.
   */
  readonly ca?: Pem | readonly Pem[] | 'SYSTEM' | 'NONE';
  /** In OpenSSL's notation. */
  readonly ciphers?: string;
  /** The oldest TLS version taken. Default: Node's. */
  readonly minVersion?: SecureVersion;
  /** The newest TLS version taken. Default: Node's. */
  readonly maxVersion?: SecureVersion;
}

/** TLS on a server. `cert` and `key` are required: there is no way back to plain text. */
export interface ServerTlsOptions extends TlsCommon {
  readonly cert: Pem;
  readonly key: Pem;
  /** Whether clients are asked for a certificate. Default: only if `ca` names authorities. */
  readonly requestCert?: boolean;
  /** Whether a client without a valid certificate is turned away, where one is asked for. Default true. */
  readonly rejectUnauthorized?: boolean;
}

/** TLS on a client. */
export interface ClientTlsOptions extends TlsCommon {
  /** The name to ask for (SNI) and to find in the certificate. Default: the URL's host; no SNI for an address. */
  readonly servername?: string;
  /** Whether the server's certificate must be valid. Default true. */
  readonly rejectUnauthorized?: boolean;
  /** Whether the certificate must be the host's; apart from that it is checked all the same. Default true. */
  readonly checkHostname?: boolean;
}

const COMMON_RULES: Rules = {
  cert: { kind: 'object', default: undefined },
  key: { kind: 'object', default: undefined },
  passphrase: { kind: 'string', default: undefined },
  ca: { kind: 'list', default: undefined },
  ciphers: { kind: 'string', default: undefined },
  minVersion: { kind: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'], default: undefined },
  maxVersion: { kind: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'], default: undefined },
};

const SERVER_RULES: Rules = {
  ...COMMON_RULES,
  requestCert: { kind: 'boolean', default: undefined },
  rejectUnauthorized: { kind: 'boolean', default: undefined },
};

const CLIENT_RULES: Rules = {
  ...COMMON_RULES,
  servername: { kind: 'string', default: undefined },
  rejectUnauthorized: { kind: 'boolean', default: undefined },
  checkHostname: { kind: 'boolean', default: true },
};

/**
 * The options of a TLS server.
 *
 * @throws UsageError naming what is missing, wrong, or cannot be read
 */
export function serverTls(options: ServerTlsOptions, where: string): TlsOptions {
  const common = readCommon(SERVER_RULES, options, where);
  if (common.cert === undefined) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'tls' needs both 'cert' and 'key'`);
  }
  const { rejectUnauthorized, requestCert = common.ca !== undefined } = options;
  return definedOnly({
    ...common,
    requestCert,
    rejectUnauthorized: verdict(options.ca, rejectUnauthorized, where),
  });
}

/** The TLS of a server that runs: its options can be changed, and what is not named stays. */
export class ServerTls {
  /** For `node:tls`. */
  readonly secure: TlsOptions;
  /** With what the files held when they were read: they may be others by now, or out of reach. */
  private readonly given: Partial<ServerTlsOptions>;

  /** @throws UsageError as {@link serverTls} */
  constructor(options: ServerTlsOptions, where: string) {
    this.secure = serverTls(options, where);
    const { cert, key, ca = options.ca } = this.secure;
    this.given = definedOnly({ ...options, cert, key, ca } as ServerTlsOptions);
  }

  /**
   * The same with another certificate and key, and whatever else is named. A passphrase belongs to its key, and goes with it.
   *
   * @throws UsageError naming what is missing or wrong, or what Node cannot change
   */
  with(changes: ServerTlsOptions, where: string): ServerTls {
    checkRecord(changes, where);
    const { cert: _, key: __, passphrase: ___, ...kept } = this.given;
    const next = new ServerTls({ ...kept, ...definedOnly(changes) }, where);
    for (const name of ['requestCert', 'rejectUnauthorized'] as const) {
      if (next.secure[name] === this.secure[name]) continue;
      // Authorities say by default whether clients are asked: they would count for nobody, or all others would.
      const who = changes[name] === undefined ? `'ca' cannot change '${name}'` : `'${name}' cannot be changed`;
      throw new UsageError('INVALID_OPTION', `${where}: ${who} while the server runs`);
    }
    return next;
  }
}

/**
 * The options of a TLS client that dials `host`, a name or an address.
 *
 * @throws UsageError naming what is wrong or cannot be read
 */
export function clientTls(options: ClientTlsOptions, host: string, where: string): ConnectionOptions {
  const common = readCommon(CLIENT_RULES, options, where);
  const { servername } = options;
  if (servername !== undefined && isIP(servername) !== 0) {
    throw new UsageError('INVALID_OPTION', `${where}: option 'tls.servername' must be a name: an address has no SNI`);
  }
  // RFC 6066 section 3: a name without its final dot, and no address. Node checks an address against the certificate by `host`.
  const name = servername ?? (isIP(host) === 0 ? host.replace(/\.$/, '') : '');
  return definedOnly({
    ...common,
    servername: name,
    rejectUnauthorized: verdict(options.ca, options.rejectUnauthorized, where),
    checkServerIdentity: options.checkHostname === false ? () => undefined : checkServerIdentity,
  });
}

interface Common {
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly ca?: string[];
  readonly ciphers?: string;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

function readCommon(rules: Rules, options: TlsCommon, where: string): Common {
  checkRecord(options, `${where}: tls`);
  // What may have one of several types is checked here, under a stand-in for the table.
  const { cert, key, ca, ...plain } = options;
  const stand: Record<string, unknown> = { ...plain };
  readOptions(rules, stand, `${where}: tls`);
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('INVALID_OPTION', `${where}: 'tls.cert' and 'tls.key' must be both present, or both absent`);
  }
  const { passphrase, ciphers, minVersion, maxVersion } = options;
  const named = minVersion !== undefined || maxVersion !== undefined;
  if (named && (minVersion ?? DEFAULT_MIN_VERSION) > (maxVersion ?? DEFAULT_MAX_VERSION)) {
    const why = minVersion === undefined ? `: it is ${DEFAULT_MIN_VERSION} unless you say so` : '';
    throw new UsageError('INVALID_OPTION', `${where}: 'tls.minVersion' is above 'tls.maxVersion'${why}`);
  }
  return definedOnly({
    cert: cert === undefined ? undefined : readPem(cert, `${where}: 'tls.cert'`),
    key: key === undefined ? undefined : readPem(key, `${where}: 'tls.key'`),
    ca: readAuthorities(ca, where),
    passphrase,
    ciphers,
    minVersion,
    maxVersion,
  }) as Common;
}

function readAuthorities(ca: TlsCommon['ca'], where: string): string[] | undefined {
  if (ca === undefined || ca === 'SYSTEM' || ca === 'NONE') return undefined;
  const list = Array.isArray(ca) ? (ca as readonly Pem[]) : [ca as Pem];
  if (list.length === 0) throw new UsageError('INVALID_OPTION', `${where}: 'tls.ca' names no authority`);
  return list.map((each) => readPem(each, `${where}: 'tls.ca'`));
}

function verdict(ca: TlsCommon['ca'], rejectUnauthorized: boolean | undefined, where: string): boolean {
  if (ca !== 'NONE') return rejectUnauthorized ?? true;
  if (rejectUnauthorized === true) {
    throw new UsageError(
      'INVALID_OPTION',
      `${where}: 'tls.ca' is 'NONE' and 'tls.rejectUnauthorized' is true: choose one`,
    );
  }
  return false;
}

function readPem(pem: unknown, what: string): string {
  let text: string;
  if (pem instanceof Uint8Array) {
    text = Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1');
  } else if (typeof pem !== 'string' || pem === '') {
    throw new UsageError('INVALID_OPTION', `${what} must be PEM as text or bytes, or the path of a file`);
  } else if (pem.includes('-----BEGIN')) {
    return pem;
  } else {
    try {
      text = readFileSync(pem, 'latin1');
    } catch (error) {
      throw new UsageError(
        'INVALID_OPTION',
        `${what}: cannot read ${JSON.stringify(pem)}: ${(error as Error).message}`,
      );
    }
  }
  if (!text.includes('-----BEGIN')) {
    const source = typeof pem === 'string' ? `the file ${JSON.stringify(pem)}` : 'what was given';
    throw new UsageError('INVALID_OPTION', `${what}: ${source} is not PEM`);
  }
  return text;
}

function definedOnly<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
