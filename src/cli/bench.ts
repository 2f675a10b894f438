/** `sansocket bench`: how many messages a server gives back, and how long each takes. */

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { parseUrl } from '../client/url.ts';
import { formatMilliseconds, formatSize } from '../debug/lines.ts';
import type { Arguments } from './arguments.ts';
import { Load, type LoadOptions, type LoadResult } from './bench-load.ts';
import { CONNECT_FLAGS, connectOptions, urlOf } from './connect-flags.ts';
import { CommandError, Exit, type Io, interrupted } from './io.ts';
import { type Style, styleFor } from './style.ts';
import type { Verb } from './verbs.ts';

const PERCENTILES = [0.5, 0.9, 0.99, 0.999] as const;
const BAR = 40;
/** What is measured is compressed only on demand. */
const { 'no-compression': _, ...OTHER_FLAGS } = CONNECT_FLAGS;

export const verb: Verb = {
  usage: ['URL [OPTION...]'],
  about:
    'Measures a server that gives back every message, as sansocket serve does: messages a second, and the time from sending ' +
    'a message to its return. This process shares the machine with the server, and its own work is in the numbers. Servers on ' +
    'other machines are loaded only with --yes.',
  flags: {
    connections: { short: 'c', value: 'N', help: 'connections at a time. Default 10' },
    'in-flight': { short: 'i', value: 'N', help: 'messages of each connection under way at a time. Default 1' },
    size: { short: 'z', value: 'SIZE', help: 'bytes of a message. Default 125' },
    duration: { short: 'd', value: 'TIME', help: 'how long. Default 5s' },
    messages: { short: 'n', value: 'N', help: 'how many, all connections together, instead of a duration' },
    binary: { short: 'b', help: 'send binary messages' },
    yes: { short: 'y', help: 'I may load this server, although it is not on this machine' },
    json: { help: 'print one line of JSON' },
    compression: { help: 'offer permessage-deflate' },
    ...OTHER_FLAGS,
  },
  examples: [
    ['sansocket bench ws://localhost:8080/', 'ten connections, five seconds'],
    ['sansocket bench localhost:8080 -c 100 -i 16 -z 1KiB -b', 'a hundred, with 16 binary messages under way each'],
  ],
  run: async (given, io) => {
    const options = readOptions(given, io);
    const allowed = given.has('yes');
    if (!allowed && (given.has('proxy') || given.has('redirects'))) {
      throw new CommandError('--proxy and --redirects lead to other machines: add --yes if you may load them');
    }
    await requireLocal(options.url, allowed);
    const load = new Load(options);
    const bar = new ProgressBar(io, load);
    let result: LoadResult;
    try {
      result = await load.run();
    } catch (error) {
      if (io.signal.aborted) return interrupted(io);
      throw error;
    } finally {
      bar.close();
    }
    if (given.has('json')) io.stdout.write(`${JSON.stringify(asJson(options, result))}\n`);
    else report(options, result, io);
    return result.lost > 0 || result.messages === 0 ? Exit.failed : Exit.ok;
  },
};

function readOptions(given: Arguments, io: Io): LoadOptions {
  const messages = given.number('messages', 1, 1_000_000_000);
  const duration = given.duration('duration');
  if (messages !== null && duration !== null)
    throw new CommandError('--messages and --duration exclude each other: choose one');
  if (duration === 0) throw new CommandError('--duration must be above 0');
  const size = given.size('size') ?? 125;
  if (size > 64 * 1_048_576) throw new CommandError('--size must be at most 64MiB');
  return {
    url: urlOf(given),
    connections: given.number('connections', 1, 100_000) ?? 10,
    inFlight: given.number('in-flight', 1, 65_536) ?? 1,
    size,
    binary: given.has('binary'),
    messages,
    duration: messages === null ? (duration ?? 5_000) : null,
    connect: {
      ...connectOptions(given),
      compression: given.has('compression'),
      maxMessageSize: Math.max(size, 1_048_576),
    },
    signal: io.signal,
  };
}

/** A bench is an attack on whoever did not ask for it. @throws CommandError unless the server is on this machine */
async function requireLocal(url: string, allowed: boolean): Promise<void> {
  const { hostname, socketPath } = parseUrl(url, domainToASCII);
  if (allowed || socketPath !== null) return;
  const addresses =
    isIP(hostname) !== 0 ? [hostname] : (await lookup(hostname, { all: true })).map(({ address }) => address);
  if (addresses.every(isLoopback)) return;
  throw new CommandError(`${hostname} is not this machine: add --yes if you may load it`);
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address);
}

/** On a terminal: how far it is. */
class ProgressBar {
  private readonly io: Io;
  private readonly timer: NodeJS.Timeout | null;
  private readonly style: Style;
  private drawn = false;

  constructor(io: Io, load: Load) {
    this.io = io;
    this.style = styleFor(io.stderr, io.environment);
    this.timer = io.stderr.isTTY ? setInterval(() => this.draw(load.progress, load.latency.count), 100) : null;
    this.timer?.unref();
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    if (this.drawn) this.io.stderr.write('\r\x1b[K');
  }

  private draw(progress: number, messages: number): void {
    this.drawn = true;
    const width = Math.max(10, Math.min(BAR, this.io.stderr.columns - 40));
    const full = Math.round(progress * width);
    const bar = this.style.cyan('█'.repeat(full)) + this.style.dim('░'.repeat(width - full));
    const percent = `${Math.round(progress * 100)}`.padStart(3);
    this.io.stderr.write(`\r\x1b[K${bar} ${percent} %  ${grouped(messages)} messages`);
  }
}

function report(options: LoadOptions, result: LoadResult, io: Io): void {
  const { bold, dim, cyan, yellow } = styleFor(io.stdout, io.environment);
  const { latency, elapsed, messages, received, sent, opening, lost } = result;
  const seconds = elapsed / 1_000;
  const kind = options.binary ? 'binary' : 'text';
  const lines = [
    `${options.connections} connections to ${options.url}, ${options.inFlight} x ${formatSize(options.size)} ${kind} under way each`,
    `opened in ${formatMilliseconds(opening)}, ran for ${formatMilliseconds(elapsed)}`,
    '',
    `${bold(grouped(messages / seconds))} messages/s  ${dim(`${grouped(messages)} there and back`)}`,
    `${formatSize(Math.round(sent / seconds))}/s sent, ${formatSize(Math.round(received / seconds))}/s received`,
  ];
  if (messages === 0) lines.push(yellow('no answer came: the server must give back every message'));
  if (lost > 0) lines.push(yellow(`${lost} connections were lost`));
  if (messages > 0) {
    lines.push('', bold('latency'));
    lines.push(`  least ${formatMilliseconds(latency.least)}  mean ${formatMilliseconds(latency.mean)}`);
    for (const share of PERCENTILES) {
      lines.push(`  ${nameOf(share).padEnd(5)} ${formatMilliseconds(latency.percentile(share))}`);
    }
    lines.push(`  most  ${formatMilliseconds(latency.most)}`, '');
    const rows = latency.rows(12);
    const highest = Math.max(...rows.map(({ count }) => count));
    for (const { to, count } of rows) {
      const bar = '█'.repeat(Math.round((BAR * count) / highest)) || (count > 0 ? '▏' : '');
      lines.push(`  ${dim('≤')} ${formatMilliseconds(to).padStart(8)}  ${cyan(bar)} ${dim(grouped(count))}`);
    }
  }
  io.stdout.write(`${lines.join('\n')}\n`);
}

function asJson(options: LoadOptions, result: LoadResult): Record<string, unknown> {
  const { latency, elapsed, messages, received, sent, opening, lost } = result;
  const { url, connections, inFlight, size, binary } = options;
  const percentiles = PERCENTILES.map((share) => [nameOf(share), rounded(latency.percentile(share))] as const);
  const { least, mean, most } = latency;
  return {
    ...{ url, connections, inFlight, size, binary, messages },
    ...{ elapsed: rounded(elapsed), opening: rounded(opening), lost, received, sent },
    messagesPerSecond: rounded(messages / (elapsed / 1_000)),
    latency:
      messages === 0
        ? null
        : { least: rounded(least), mean: rounded(mean), ...Object.fromEntries(percentiles), most: rounded(most) },
  };
}

/** To the microsecond, as the records of other verbs. */
function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

function nameOf(share: number): string {
  return `p${String(share * 100).replace('.', '')}`;
}

function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}
