/** `sansocket trace`: shows every frame of a connection, as its client or as a proxy in the middle. */

import { createSecureContext, type TlsOptions } from 'node:tls';
import { domainToASCII } from 'node:url';
import { connect } from '../client/connect.ts';
import { type Address, parseUrl } from '../client/url.ts';
import type { DebugRecord } from '../debug/options.ts';
import type { Endpoint } from '../endpoint/endpoint.ts';
import { clientTls, serverTls } from '../transport/node/tls.ts';
import type { Arguments } from './arguments.ts';
import { CONNECT_FLAGS, connectOptions, tlsOptions, urlOf, withScheme } from './connect-flags.ts';
import { describeError } from './failure-text.ts';
import { FILTER_HELP } from './filter.ts';
import { CommandError, Exit, type Io, interrupted } from './io.ts';
import { readLines, withoutReturn } from './lines.ts';
import { styleFor } from './style.ts';
import { TracePrinter } from './trace-printer.ts';
import { TraceProxy } from './trace-proxy.ts';
import type { Verb } from './verbs.ts';

/** What a proxy does not do itself: its clients do. */
const OF_A_CLIENT = [
  'header',
  'subprotocol',
  'origin',
  'no-compression',
  'handshake-timeout',
  'proxy',
  'redirects',
  'message',
  'wait',
];

export const verb: Verb = {
  usage: ['URL [OPTION...]', '--listen PORT --to URL [OPTION...]'],
  about:
    'Prints one line for each frame: when, on which connection, from the client (▲) or the server (▼), opcode and flags, its ' +
    'size, before and after compression, the round-trip time of pings, and in red what breaks the protocol, with the section ' +
    'of the RFC. With a URL it is the client, and sends the lines of standard input. With --listen it is a proxy: let your ' +
    'client or browser connect to PORT, and everything goes on to the server of --to.',
  flags: {
    listen: { short: 'l', value: 'PORT', help: 'be a proxy on this port of 127.0.0.1; 0 for any that is free' },
    to: { short: 't', value: 'URL', help: 'where the proxy goes on to' },
    host: { value: 'HOST', help: 'listen on this address instead' },
    'listen-cert': { value: 'FILE', help: 'wss for clients of the proxy: its certificate; with --listen-key' },
    'listen-key': { value: 'FILE', help: 'the private key of --listen-cert' },
    'keep-host': { help: 'pass Host and Origin on as they come; by default they become those of --to' },
    filter: { short: 'f', value: 'TERMS', help: 'print only what passes; see below' },
    headers: { help: 'print the headers of the handshake; credentials are left out' },
    hex: { short: 'x', help: 'print payloads in hexadecimal' },
    limit: { value: 'SIZE', help: 'bytes of each payload to print with --hex and --json. Default 256' },
    json: { help: 'one line of JSON a record' },
    message: { short: 'm', value: 'TEXT', multiple: true, help: 'send this, instead of standard input' },
    wait: { short: 'w', value: 'TIME', help: 'after the end of the input, go on for so long. Default 0s' },
    ...CONNECT_FLAGS,
  },
  notes: [
    ['Terms of --filter', FILTER_HELP],
    [
      'Exit codes',
      [
        '0  nothing was broken',
        '1  there was no connection',
        '2  the command line is wrong',
        '3  violations were seen',
      ],
    ],
  ],
  examples: [
    ['sansocket trace wss://echo.example.test/ -m hello --wait 1s', 'one message there and back'],
    ['sansocket trace --listen 9000 --to ws://localhost:8080', 'what a browser says to localhost:8080, by way of 9000'],
    [
      'sansocket trace -l 9000 -t :8080 --listen-cert cert.pem --listen-key key.pem',
      'the same for clients that want wss',
    ],
    ["sansocket trace -l 9000 -t :8080 --filter 'data up,violation'", 'messages of clients, and whatever is wrong'],
  ],
  run: async (given, io) => {
    const printer = new TracePrinter(given, io);
    const port = given.number('listen', 0, 65_535);
    const to = given.text('to');
    if (port === null && to === null) {
      for (const name of ['host', 'keep-host', 'listen-cert', 'listen-key']) {
        if (given.has(name)) throw new CommandError(`--${name} means nothing without --listen`);
      }
      return traceClient(given, io, printer);
    }
    if (port === null) throw new CommandError('--to needs --listen PORT');
    if (to === null) throw new CommandError('--listen needs --to URL');
    return traceProxy(given, io, printer, port, withScheme(to));
  },
};

async function traceClient(given: Arguments, io: Io, printer: TracePrinter): Promise<number> {
  const url = urlOf(given);
  const wait = given.duration('wait') ?? 0;
  const options = connectOptions(given);
  const sink = (_: string, record: DebugRecord) => {
    if (record.type !== 'state') printer.record(record, 1);
  };
  let socket: Endpoint;
  try {
    socket = await connect(url, {
      ...options,
      signal: io.signal,
      debug: { level: 2, sink, previewSize: printer.previewSize },
      // What is looked at is not kept: it may be of any size.
      delivery: 'fragment',
      on: { fragment: () => printer.behind ?? undefined },
    });
  } catch (error) {
    if (io.signal.aborted) return interrupted(io);
    if (printer.violations === 0 || !(error instanceof Error)) throw error;
    // An answer that breaks the protocol is what one looks for, and no failure to look.
    return told(error, printer, io);
  }
  io.signal.addEventListener('abort', () => void socket.close(), { once: true });
  let failure: unknown = null;
  const input = feed(given, io, socket).then(
    async () => {
      const time = new Promise((resolve) => void setTimeout(resolve, wait).unref());
      if (wait > 0) await Promise.race([socket.closed, time]);
      return socket.close();
    },
    (reason: unknown) => {
      failure = reason;
      return socket.close();
    },
  );
  const { error } = await Promise.race([socket.closed, input]);
  if (failure !== null) throw failure;
  return told(error, printer, io);
}

/** What there is to say at the end, and how it was. */
function told(error: Error | null, { violations }: TracePrinter, io: Io): number {
  if (error !== null) {
    io.stderr.write(`${styleFor(io.stderr, io.environment).red('error:')} ${describeError(error)}\n`);
  }
  if (violations > 0) return Exit.violation;
  return error === null ? Exit.ok : Exit.failed;
}

async function feed(given: Arguments, io: Io, socket: Endpoint): Promise<void> {
  const messages = given.texts('message');
  for (const text of messages) socket.send(text);
  if (messages.length > 0) return;
  for await (const line of readLines(io.stdin)) {
    const { success, writable } = socket.send(withoutReturn(line), { binary: false });
    if (!success) return;
    if (!writable) await socket.drained();
  }
}

async function traceProxy(given: Arguments, io: Io, printer: TracePrinter, port: number, url: string): Promise<number> {
  if (given.positionals.length > 0) throw new CommandError('with --listen the URL is that of --to');
  for (const name of OF_A_CLIENT) {
    if (given.has(name) || given.texts(name).length > 0) {
      throw new CommandError(`--${name} means nothing with --listen: the client that connects decides it`);
    }
  }
  const to: Address = parseUrl(url, domainToASCII);
  const tls = tlsOptions(given);
  if (tls !== null && !to.secure) {
    throw new CommandError(
      'TLS options mean nothing with a --to that is neither wss: nor https:; for clients of the proxy there are ' +
        '--listen-cert and --listen-key',
    );
  }
  const secure = to.secure ? clientTls(tls ?? {}, to.hostname, 'trace') : null;
  const listenTls = listenTlsOf(given);
  const keepHost = given.has('keep-host');
  const { previewSize } = printer;
  const proxy = new TraceProxy({ to, tls: secure, listenTls, keepHost, previewSize }, printer);
  const host = given.text('host') ?? '127.0.0.1';
  const chosen = await proxy.listen(port, host);
  const shown = `${listenTls === null ? 'ws' : 'wss'}://${host.includes(':') ? `[${host}]` : host}:${chosen}`;
  if (given.has('json'))
    io.stdout.write(`${JSON.stringify({ type: 'listening', url: shown, port: chosen, to: url })}\n`);
  else io.stdout.write(`tracing ${styleFor(io.stdout, io.environment).bold(shown)} -> ${url}\n`);
  if (!io.signal.aborted) await new Promise((resolve) => io.signal.addEventListener('abort', resolve, { once: true }));
  await proxy.close();
  return printer.violations > 0 ? Exit.violation : Exit.ok;
}

function listenTlsOf(given: Arguments): TlsOptions | null {
  const [cert, key] = [given.text('listen-cert'), given.text('listen-key')];
  if (cert === null && key === null) return null;
  if (cert === null || key === null)
    throw new CommandError('wss for clients needs both --listen-cert and --listen-key');
  let tls: TlsOptions;
  try {
    tls = serverTls({ cert, key }, 'trace');
  } catch (error) {
    // --cert and --key are about the other side.
    throw new CommandError((error as Error).message.replace(/^trace: /, '').replace(/'tls\.(\w+)'/, '--listen-$1'));
  }
  try {
    createSecureContext(tls);
  } catch (error) {
    throw new CommandError(`--listen-cert and --listen-key cannot be used: ${(error as Error).message}`);
  }
  return tls;
}
