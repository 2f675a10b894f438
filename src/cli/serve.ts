/** `sansocket serve`: a server for trying things, from the command line or from a configuration file. */

import { closeCodeText } from '../codec/close-code.ts';
import { printableText } from '../debug/lines.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import type { Request } from '../handshake/request.ts';
import type { RefusedConnection } from '../server/events.ts';
import type { ServeOptions } from '../server/options.ts';
import { serve } from '../server/serve.ts';
import type { Server } from '../server/server.ts';
import type { Arguments } from './arguments.ts';
import { closest } from './arguments.ts';
import { readConfig, type ServeConfig } from './config.ts';
import { describeError } from './failure-text.ts';
import { CommandError, Exit, type Io } from './io.ts';
import { jsonLine } from './record-json.ts';
import { handlerOf, MODES, type Mode } from './serve-modes.ts';
import { replacingStale } from './stale-socket.ts';
import { type Style, styleFor } from './style.ts';
import type { Verb } from './verbs.ts';

export const verb: Verb = {
  usage: ['[echo|broadcast|chat] [OPTION...]'],
  about:
    'Runs a WebSocket server until Ctrl-C, and tells of every connection. echo gives messages back, broadcast passes them to ' +
    'everybody else, chat does so with names (?name=ada). Without --host it listens on this machine only.',
  flags: {
    port: { short: 'p', value: 'PORT', help: 'the port; 0 for any that is free. Default 8080' },
    host: { value: 'HOST', help: 'the address to listen on; :: for all. Default 127.0.0.1, with --config all' },
    unix: { value: 'PATH', help: 'listen on a UNIX socket instead; one that a dead server left is replaced' },
    config: { short: 'c', value: 'FILE', help: 'read a JSON file; flags win over it' },
    path: { value: 'PATH', multiple: true, help: 'serve this path only; others get 404' },
    subprotocol: {
      short: 's',
      value: 'NAME',
      multiple: true,
      help: 'a subprotocol of the server; the first is preferred',
    },
    origin: {
      value: 'ORIGIN',
      multiple: true,
      help: "a web page that may connect; '*' for any. Default: the same host",
    },
    allow: { value: 'ADDRESS', multiple: true, help: 'an address or network that may connect. Default: all' },
    'max-connections': { value: 'N', help: 'further ones get 503' },
    'max-message-size': { value: 'SIZE', help: 'larger messages close with 1009. Default 1MiB' },
    'no-compression': { help: 'refuse permessage-deflate' },
    binary: { short: 'b', help: 'send everything as binary' },
    cert: { value: 'FILE', help: 'the certificate, for wss; with --key' },
    key: { value: 'FILE', help: 'its private key' },
    ca: { value: 'FILE', help: 'ask clients for a certificate of this authority' },
    quiet: { short: 'q', help: 'print the address and nothing else' },
    json: { help: 'one line of JSON for everything that happens' },
  },
  notes: [
    [
      'Configuration file',
      [
        '{ "port": 8080, "sendBinary": false, "whitelist": ["127.0.0.1", "10.0.0.0/8"],',
        '  "tls": { "enabled": true, "certFile": "cert.pem", "keyFile": "key.pem",',
        '           "caFile": "NONE", "disableHostnameValidation": false } }',
        'An empty whitelist lets nobody in. Files are looked for beside this one.',
      ],
    ],
  ],
  examples: [
    ['sansocket serve', 'an echo server on ws://127.0.0.1:8080'],
    ['sansocket serve chat --host :: --port 9000', 'a chat for the whole network'],
    ['sansocket serve broadcast --config g2ows.json', 'as a configuration file says'],
  ],
  run: async (given, io) => {
    const mode = readMode(given);
    const file = given.text('config');
    const config = file === null ? null : readConfig(file);
    const options = serveOptions(given, config);
    const handle = handlerOf(mode, given.has('binary') || config?.sendBinary === true);
    const log = new Log(given, io);
    // Nothing is accepted before `serve` has given the server to us: its handler runs in a later turn.
    let server: Server | null = null;
    const running = await replacingStale(given.text('unix'), () =>
      serve(options, (socket, request) => {
        log.opened(socket, request);
        socket.on('close', (event) => log.closed(socket, event));
        handle(server!, socket, request);
      }),
    );
    server = running;
    running.on('refused', (refused) => log.refused(refused));
    log.listening(running, mode);
    if (config !== null && !given.has('allow')) {
      if (given.has('unix')) log.warn('the whitelist is not used: who comes over a UNIX socket has no address');
      else if (config.whitelist.length === 0) log.warn('the whitelist is empty: nobody may connect');
    }
    await aborted(io.signal);
    await running.close();
    return Exit.ok;
  },
};

function readMode(given: Arguments): Mode {
  const [mode = 'echo', ...more] = given.positionals;
  if (more.length > 0) throw new CommandError(`serve one thing at a time: '${more[0]}' is too many`);
  if (MODES.includes(mode as Mode)) return mode as Mode;
  const meant = closest(mode, MODES);
  const hint = meant === null ? `there are ${MODES.join(', ')}` : `did you mean '${meant}'?`;
  throw new CommandError(`there is no '${mode}' to serve; ${hint}`);
}

function serveOptions(given: Arguments, config: ServeConfig | null): ServeOptions {
  const options: Record<string, unknown> = { compression: !given.has('no-compression') };
  const unix = given.text('unix');
  if (unix !== null) {
    for (const name of ['port', 'host']) {
      if (given.has(name)) throw new CommandError(`--unix and --${name} exclude each other: choose one`);
    }
    options['path'] = unix;
  } else {
    options['port'] = given.number('port', 0, 65_535) ?? config?.port ?? 8080;
    const host = given.text('host') ?? (config === null ? '127.0.0.1' : null);
    if (host !== null) options['host'] = host;
  }
  if (given.has('path')) options['paths'] = given.texts('path');
  if (given.has('subprotocol')) options['subprotocols'] = given.texts('subprotocol');
  const origins = given.texts('origin');
  if (origins.length > 0) options['allowedOrigins'] = origins.includes('*') ? '*' : origins;
  if (given.has('allow')) options['allowedAddresses'] = given.texts('allow');
  // Who comes over a UNIX socket has no address: its rights say who may.
  else if (config !== null && unix === null) options['allowedAddresses'] = config.whitelist;
  const maxConnections = given.number('max-connections', 1, 1_000_000);
  if (maxConnections !== null) options['maxConnections'] = maxConnections;
  const maxMessageSize = given.size('max-message-size');
  if (maxMessageSize !== null) options['maxMessageSize'] = maxMessageSize;
  const tls = tlsOf(given, config);
  if (tls !== null) options['tls'] = tls;
  return options as ServeOptions;
}

function tlsOf(given: Arguments, config: ServeConfig | null): ServeOptions['tls'] | null {
  const [cert, key, ca] = ['cert', 'key', 'ca'].map((name) => given.text(name)) as (string | null)[];
  if (cert === null && key === null && ca === null) return config?.tls ?? null;
  if (cert === null || key === null || cert === undefined || key === undefined) {
    throw new CommandError('TLS needs both --cert and --key');
  }
  return { cert, key, ...(typeof ca === 'string' ? { ca } : {}) };
}

/** Tells of connections, for people on standard output or as JSON. */
class Log {
  private readonly io: Io;
  private readonly style: Style;
  private readonly json: boolean;
  private readonly quiet: boolean;
  private readonly numbers: WeakMap<Endpoint, number> = new WeakMap();
  private count = 0;

  constructor(given: Arguments, io: Io) {
    this.io = io;
    this.style = styleFor(io.stdout, io.environment);
    this.json = given.has('json');
    this.quiet = given.has('quiet');
  }

  listening(server: Server, mode: Mode): void {
    const { bold, dim } = this.style;
    if (this.json) this.emit({ type: 'listening', url: server.url, port: server.port, mode });
    else this.io.stdout.write(`${mode} on ${bold(server.url)}${this.io.stdout.isTTY ? dim('  Ctrl-C ends it') : ''}\n`);
  }

  opened(socket: Endpoint, { target }: Request): void {
    const number = ++this.count;
    this.numbers.set(socket, number);
    const { subprotocol, extensions } = socket;
    if (this.json) {
      const { remoteAddress, remotePort } = socket;
      this.emit({ type: 'open', connection: number, remoteAddress, remotePort, target, subprotocol, extensions });
      return;
    }
    const agreed = [subprotocol, extensions].filter((text) => text !== '').join('; ');
    this.line(
      `#${number} open   ${whereabouts(socket)} ${printableText(target)}${agreed === '' ? '' : ` (${agreed})`}`,
    );
  }

  closed(socket: Endpoint, { code, reason, clean, error }: CloseEvent): void {
    const number = this.numbers.get(socket) ?? 0;
    const { messagesReceived, messagesSent, bytesReceived, bytesSent } = socket.statistics;
    if (this.json) {
      const counts = { messagesReceived, messagesSent, bytesReceived, bytesSent };
      const failed = error === null ? {} : { error: describeError(error) };
      this.emit({ type: 'close', connection: number, code, reason, clean, ...failed, ...counts });
      return;
    }
    const why = error === null ? '' : `: ${describeError(error)}`;
    const quoted = reason === '' ? '' : ` "${printableText(reason)}"`;
    const text = `#${number} closed ${code} (${closeCodeText(code)})${quoted}${why}; ${messagesReceived} in, ${messagesSent} out`;
    this.line(error === null ? text : this.style.yellow(text));
  }

  refused({ status, remoteAddress, request, error }: RefusedConnection): void {
    const target = request?.target ?? null;
    if (this.json) {
      this.emit({ type: 'refused', status, remoteAddress, target, error: describeError(error) });
      return;
    }
    const text = `refused ${status === 0 ? '' : `${status} `}${remoteAddress ?? 'a peer'} ${printableText(target ?? '')}`;
    this.line(this.style.yellow(`${text.trimEnd()}: ${describeError(error)}`));
  }

  warn(text: string): void {
    if (this.json) this.emit({ type: 'warning', text });
    else this.io.stderr.write(`${styleFor(this.io.stderr, this.io.environment).yellow('warning:')} ${text}\n`);
  }

  private emit(record: Record<string, unknown>): void {
    if (this.quiet && record['type'] !== 'listening') return;
    this.io.stdout.write(`${jsonLine(record)}\n`);
  }

  private line(text: string): void {
    if (!this.quiet) this.io.stdout.write(`${text}\n`);
  }
}

function whereabouts({ remoteAddress, remotePort }: Endpoint): string {
  if (remoteAddress === null) return 'a UNIX socket';
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
