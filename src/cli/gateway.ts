/** `sansocket gateway`: WebSocket clients to servers on UNIX sockets and TCP, and the pages that use them. */

import { type ChildProcess, fork } from 'node:child_process';
import { printableText } from '../debug/lines.ts';
import type { GatewayEvents } from '../gateway/events.ts';
import { createGateway, type Gateway } from '../gateway/gateway.ts';
import { FRAME_TYPES, FRAMINGS, type GatewayOptions, type Route } from '../gateway/options.ts';
import { servePages } from '../gateway/pages.ts';
import type { Arguments } from './arguments.ts';
import { SOCKETS } from './backend.ts';
import { describeReason } from './failure-text.ts';
import { GatewayConfig, isModule, type Module } from './gateway-config.ts';
import { CommandError, Exit, type Io } from './io.ts';
import { jsonLine } from './record-json.ts';
import { replacingStale } from './stale-socket.ts';
import { styleFor } from './style.ts';
import type { Verb } from './verbs.ts';

export const verb: Verb = {
  usage: ['[--docroot DIR] [--route PREFIX=TARGET...] [OPTION...]'],
  about:
    'Lets WebSocket clients talk to servers that know nothing of WebSockets: the path of the URL names a UNIX socket in the ' +
    'docroot, or a route. Payload goes both ways as it arrives. Without --host it listens on this machine only.',
  flags: {
    config: { short: 'c', value: 'FILE', help: 'read options from a JSON file; flags win over it' },
    docroot: { short: 'R', value: 'DIR', help: `the folder of the sockets. Default ${SOCKETS}, without --route` },
    route: { short: 'r', value: 'PREFIX=TARGET', multiple: true, help: 'unix:/PATH or tcp:HOST:PORT for a prefix' },
    allow: { value: 'GLOBS', help: "names that clients may reach, with commas. Default '*'" },
    deny: { value: 'GLOBS', help: 'names that they may not' },
    order: { value: 'WHICH', help: 'deny-first (default) or allow-first: which is asked first' },
    'protocol-as-name': { help: 'a subprotocol may name the socket where the path names none' },
    framing: { short: 'f', value: 'HOW', help: `${FRAMINGS.join(', ')}: messages on the socket. Default chunk` },
    'frame-type': { value: 'TYPE', help: `${FRAME_TYPES.join(', ')}: what they become. Default text` },
    'max-message-size': {
      value: 'SIZE',
      help: 'the longest message, as 64KiB. Default none, with length-prefixed 1MiB',
    },
    'send-timeout': { value: 'TIME', help: 'drop who takes nothing of what waits for it. Default 120s' },
    'end-code': { value: 'CODE', help: 'the close code when a server has ended. Default 1000' },
    compression: { help: 'agree on permessage-deflate with clients that offer it' },
    'ping-interval': { value: 'TIME', help: 'ping a silent client, as 25s' },
    port: { short: 'p', value: 'PORT', help: 'the port; 0 for any that is free. Default 8080' },
    host: { value: 'HOST', help: 'the address to listen on; :: for all. Default 127.0.0.1' },
    unix: { value: 'PATH', help: 'listen on a UNIX socket instead; one that a dead server left is replaced' },
    origin: {
      value: 'ORIGIN',
      multiple: true,
      help: "a web page that may connect; '*' for any. Default: the same host",
    },
    proxy: {
      value: 'ADDRESS',
      multiple: true,
      help: "a proxy whose X-Forwarded-For is believed; 'unix' for UNIX sockets",
    },
    pages: { value: 'DIR', help: 'serve the files of this folder to browsers' },
    cert: { value: 'FILE', help: 'the certificate, for wss; with --key' },
    key: { value: 'FILE', help: 'its private key' },
    direct: {
      value: 'NAME=FILE',
      multiple: true,
      help: 'hand the clients of a name to a module of Node, run as a process of its own',
    },
    quiet: { short: 'q', help: 'print the address and nothing else' },
    json: { help: 'one line of JSON for everything that happens' },
  },
  notes: [
    [
      'Configuration file',
      [
        '{ "port": 8080, "docroot": "sockets", "allow": ["chat", "rpc"], "deny": [],',
        '  "framing": "nul", "pages": "pages" }',
        'Options of createGateway by their names; "mode": "direct" has "processes",',
        '{ "chat": "./chat.js" }. Files are looked for beside this one.',
      ],
    ],
  ],
  examples: [
    ['sansocket gateway -R /run/websocket -f nul', 'ws://127.0.0.1:8080/chat is /run/websocket/chat'],
    ['sansocket gateway -r feed=tcp:127.0.0.1:7000', 'one TCP server, and no sockets'],
    ['sansocket gateway --pages examples/gateway/pages -f nul', 'with the pages that try the sample servers'],
  ],
  run: async (given, io) => {
    const [extra] = given.positionals;
    if (extra !== undefined)
      throw new CommandError(`gateway takes no '${extra}': names of sockets come with the requests`);
    const flags = readFlags(given);
    const file = given.text('config');
    const config = file === null ? null : new GatewayConfig(file);
    const { pages, processes: modules, ...options } = choose(flags, config?.options ?? {});
    const log = new Log(given, io);
    const processes = modules === undefined ? undefined : startProcesses(modules as readonly Module[], log);
    const start = async () => {
      if (pages !== undefined) options['onRequest'] = servePages(pages as string);
      return createGateway({ ...options, ...(processes && { processes }) } as GatewayOptions);
    };
    const gateway = await replacingStale((options['path'] as string | undefined) ?? null, start).catch(
      (error: unknown) => {
        for (const child of Object.values(processes ?? {})) child.kill();
        throw config?.blame(error, flags) ?? error;
      },
    );
    log.listening(gateway);
    gateway.on('open', (event) => log.opened(event));
    gateway.on('close', (event) => log.closed(event));
    gateway.on('refused', (event) => log.refused(event));
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      else io.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await gateway.close();
    return Exit.ok;
  },
};

/** Options by name, those that flags give and no others. */
type Given = Record<string, unknown>;

function readFlags(given: Arguments): Given {
  const options: Given = {};
  const direct = given.texts('direct').map(readDirect);
  const routes = given.texts('route').map(readRoute);
  const docroot = given.text('docroot');
  if (direct.length > 0 && (docroot !== null || routes.length > 0)) {
    throw new CommandError('--direct excludes --docroot and --route: clients go to processes, and not to sockets');
  }
  const twice = direct.find(({ name }, i) => direct.findIndex((other) => other.name === name) !== i);
  if (twice !== undefined) throw new CommandError(`--direct has the name '${twice.name}' twice`);
  if (direct.length > 0) Object.assign(options, { mode: 'direct', processes: direct });
  if (docroot !== null) options['docroot'] = docroot;
  if (routes.length > 0) options['routes'] = routes;
  for (const name of ['allow', 'deny'] as const) {
    const text = given.text(name);
    if (text !== null) options[name] = text;
  }
  if (given.has('protocol-as-name')) options['protocolAsName'] = true;
  if (given.has('compression')) options['compression'] = true;
  if (given.has('unix')) {
    for (const name of ['port', 'host']) {
      if (given.has(name)) throw new CommandError(`--unix and --${name} exclude each other: choose one`);
    }
  }
  const values: Record<string, unknown> = {
    order: given.choice('order', ['deny-first', 'allow-first']),
    framing: given.choice('framing', FRAMINGS),
    frameType: given.choice('frame-type', FRAME_TYPES),
    maxMessageSize: given.size('max-message-size'),
    sendTimeout: given.duration('send-timeout'),
    endCode: given.number('end-code', 1_000, 4_999),
    pingInterval: given.duration('ping-interval'),
    path: given.text('unix'),
    host: given.text('host'),
    port: given.number('port', 0, 65_535),
  };
  for (const [name, value] of Object.entries(values)) if (value !== null) options[name] = value;
  const origins = given.texts('origin');
  if (origins.length > 0) options['allowedOrigins'] = origins.includes('*') ? '*' : origins;
  if (given.has('proxy')) options['trustedProxies'] = given.texts('proxy');
  const pages = given.text('pages');
  if (pages !== null) options['pages'] = pages;
  const [cert, key] = [given.text('cert'), given.text('key')];
  if ((cert === null) !== (key === null)) throw new CommandError('TLS needs both --cert and --key');
  if (cert !== null) options['tls'] = { cert, key };
  return options;
}

/** What flags give takes the place of what the file says, and so does another place to listen, or to go to. */
function choose(flags: Given, file: Given): Given {
  const says = (options: Given, names: readonly string[]) => names.some((name) => Object.hasOwn(options, name));
  const options = { ...file };
  for (const [names, others] of EITHER) {
    if (says(flags, names)) for (const name of others) delete options[name];
  }
  Object.assign(options, flags);
  if (!says(options, [...INDIRECT, ...DIRECT])) options['docroot'] = SOCKETS;
  if (!says(options, SOCKET)) {
    if (!says(options, ['port'])) options['port'] = 8080;
    if (!says(options, ['host'])) options['host'] = '127.0.0.1';
  }
  return options;
}

const PORT = ['port', 'host'];
const SOCKET = ['path'];
const INDIRECT = ['docroot', 'routes'];
const DIRECT = ['mode', 'options', 'processes'];
/** Who gives one of the first wants none of the others. */
const EITHER = [
  [PORT, SOCKET],
  [SOCKET, PORT],
  [INDIRECT, DIRECT],
  [DIRECT, INDIRECT],
] as const;

function readRoute(text: string): Route {
  const [, prefix, path, host, port] = /^([^=]*)=(?:unix:(.+)|tcp:(.+):(\d+))$/.exec(text) ?? [];
  if (prefix === undefined) {
    throw new CommandError(`--route must be PREFIX=unix:/PATH or PREFIX=tcp:HOST:PORT, not '${text}'`);
  }
  if (path !== undefined) return { prefix, path };
  return { prefix, host: host!.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** @throws CommandError unless it is NAME=FILE, and there is such a file */
function readDirect(text: string): Module {
  const [, name, file] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || file === undefined) throw new CommandError(`--direct must be NAME=FILE, not '${text}'`);
  if (!isModule(file)) throw new CommandError(`--direct: there is no module '${file}'`);
  return { name, file };
}

function startProcesses(modules: readonly Module[], log: Log): Record<string, ChildProcess> {
  const processes = modules.map(({ name, file }) => {
    const child = fork(file);
    // The gateway ends with its own signal; its processes with the channel to it.
    child.unref();
    child.channel?.unref();
    child.on('exit', (code, signal) => log.lost(name, file, signal ?? `code ${code}`));
    return [name, child] as const;
  });
  return Object.fromEntries(processes);
}

/** Tells of clients, for people on standard output or as JSON. */
class Log {
  private readonly io: Io;
  private readonly json: boolean;
  private readonly quiet: boolean;
  private readonly paint: ReturnType<typeof styleFor>;

  constructor(given: Arguments, io: Io) {
    this.io = io;
    this.json = given.has('json');
    this.quiet = given.has('quiet');
    this.paint = styleFor(io.stdout, io.environment);
  }

  listening({ url, port }: Gateway): void {
    if (this.json) this.emit({ type: 'listening', url, port });
    else this.io.stdout.write(`gateway on ${this.paint.bold(url)}\n`);
  }

  opened(event: GatewayEvents['open']): void {
    if (this.json) this.emit({ type: 'open', ...event });
    else this.line(`#${event.connection} open   ${name(event)}`);
  }

  closed(event: GatewayEvents['close']): void {
    const { connection, code, reason } = event;
    const failure = event.failure === null ? null : describeReason(event.failure);
    if (this.json) this.emit({ type: 'close', ...event, failure });
    else {
      const quoted = reason === '' ? '' : ` "${printableText(reason)}"`;
      const text = `#${connection} closed ${name(event)} ${code}${quoted}`;
      this.line(failure === null ? text : this.paint.yellow(`${text}: ${failure}`));
    }
  }

  refused(event: GatewayEvents['refused']): void {
    const { status, path, reason, remoteAddress } = event;
    if (this.json) this.emit({ type: 'refused', ...event, reason: describeReason(reason) });
    else {
      const who = `${printableText(path ?? '')} ${remoteAddress ?? 'a peer'}`;
      this.line(this.paint.yellow(`refused ${status === 0 ? '' : `${status} `}${who}: ${describeReason(reason)}`));
    }
  }

  /** A process of direct mode has ended: whoever asks for it gets 502 from now on. */
  lost(name: string, file: string, how: string): void {
    // Ctrl-C is for them as well.
    if (this.io.signal.aborted) return;
    const text = `the process of '${name}' (${file}) has ended with ${how}`;
    if (this.json) this.emit({ type: 'warning', text });
    else
      this.io.stderr.write(
        `${styleFor(this.io.stderr, this.io.environment).yellow('warning:')} ${printableText(text)}\n`,
      );
  }

  private line(text: string): void {
    if (!this.quiet) this.io.stdout.write(`${text}\n`);
  }

  private emit(line: object): void {
    if (!this.quiet || (line as { type?: string }).type === 'listening')
      this.io.stdout.write(`${jsonLine({ ...line })}\n`);
  }
}

function name({ name: of, remoteAddress }: GatewayEvents['open']): string {
  return `${printableText(of)} ${remoteAddress ?? 'a peer'}`;
}
