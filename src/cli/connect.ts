/** `sansocket connect`: a conversation with a server, typed by a person or by a script. */

import { closeCodeText, isReceivableCloseCode } from '../codec/close-code.ts';
import type { MessageEvent } from '../connection/events.ts';
import { formatMilliseconds, formatSize, hex, printableText } from '../debug/lines.ts';
import type { CloseEvent } from '../endpoint/events.ts';
import type { Arguments } from './arguments.ts';
import { CONNECT_FLAGS, connectOptions, urlOf } from './connect-flags.ts';
import { describeError } from './failure-text.ts';
import { CommandError, Exit, type Io, interrupted } from './io.ts';
import { type Agreed, countOf, type Line, openLine } from './line.ts';
import { readAll, readLines, withoutReturn } from './lines.ts';
import { Prompt } from './prompt.ts';
import { jsonLine, payloadJson } from './record-json.ts';
import { type Style, styleFor } from './style.ts';
import type { Verb } from './verbs.ts';

const COMMANDS = ['/ping', '/pong', '/close', '/binary', '/info', '/help'];

const COMMAND_HELP = [
  '/ping [TEXT]           ask for a pong, and tell the round-trip time',
  '/pong [TEXT]           send a pong that nobody asked for',
  '/binary HEX            send bytes, written in hexadecimal',
  '/close [CODE [REASON]] close the connection; 1000 without a code',
  '/info                  what there is to know about the connection',
  '//TEXT                 send a message that begins with /',
];

export const verb: Verb = {
  usage: ['URL [OPTION...]'],
  about:
    'Opens a WebSocket connection. In a terminal, what you type is sent and what comes is shown above your line. In a pipe, ' +
    'every line of standard input is a message, every message is a line of standard output (a binary one is written as it ' +
    'is), and the connection closes when the input ends.',
  flags: {
    ...CONNECT_FLAGS,
    message: { short: 'm', value: 'TEXT', multiple: true, help: 'send this, instead of standard input' },
    binary: { short: 'b', help: 'send binary messages' },
    whole: { help: 'standard input is one message, not one a line' },
    once: { short: '1', help: 'end after the first message that comes' },
    wait: { short: 'w', value: 'TIME', help: 'after the end of the input, go on for so long. Default 0s' },
    'ping-interval': { value: 'TIME', help: 'send a ping after so much silence. Default 25s' },
    'max-message-size': { value: 'SIZE', help: 'larger messages close with 1009. Default 1MiB' },
    reconnect: { short: 'r', help: 'when the connection is lost, connect again' },
    json: { help: 'one line of JSON for everything that happens' },
  },
  notes: [
    ['In a terminal', [...COMMAND_HELP, 'Ctrl-D                 close and leave']],
    [
      'Exit codes',
      [
        '0  the connection was closed with 1000, 1001 or without a code',
        '1  it could not be opened, was lost, or was closed with another code',
        '2  the command line is wrong',
      ],
    ],
  ],
  examples: [
    ['sansocket connect wss://echo.example.test/', 'talk by hand'],
    ['echo \'{"op":"time"}\' | sansocket connect --once localhost:8080 | jq .', 'ask once, and use the answer'],
    ["sansocket connect -H 'Authorization: Bearer x' --json --wait 1h URL </dev/null", 'log what a server sends'],
  ],
  run: async (given, io) => new Conversation(given, io).run(),
};

/** One connection and whoever talks over it. */
class Conversation {
  private readonly given: Arguments;
  private readonly io: Io;
  private readonly style: Style;
  private readonly json: boolean;
  private readonly binary: boolean;
  private readonly once: boolean;
  private readonly wait: number;
  private readonly url: string;
  private readonly startedAt: number = performance.now();
  private line: Line | null = null;
  private prompt: Prompt | null = null;
  private answered: (() => void) | null = null;
  private readonly answer: Promise<void>;

  constructor(given: Arguments, io: Io) {
    this.given = given;
    this.io = io;
    this.style = styleFor(io.stdout, io.environment);
    this.json = given.has('json');
    this.binary = given.has('binary');
    this.once = given.has('once');
    this.wait = given.duration('wait') ?? 0;
    this.url = urlOf(given);
    this.answer = new Promise((resolve) => {
      this.answered = resolve;
    });
  }

  async run(): Promise<number> {
    const { given, io } = this;
    const interval = given.duration('ping-interval');
    const maxMessageSize = given.size('max-message-size');
    const options = {
      ...connectOptions(given),
      ...(interval === null ? {} : { pingInterval: interval }),
      ...(maxMessageSize === null ? {} : { maxMessageSize }),
    };
    if (interval === 0) throw new CommandError('--ping-interval must be above 0');
    try {
      this.line = await openLine(this.url, options, given.has('reconnect'), io.signal, {
        message: (event) => this.message(event),
        pong: (latency) => this.pong(latency),
        opened: (agreed) => this.opened(agreed),
        waiting: (text) => this.waiting(text),
      });
    } catch (error) {
      if (io.signal.aborted) return interrupted(io);
      if (this.json && error instanceof Error) this.emit({ type: 'error', message: printableText(error.message) });
      throw error;
    }
    // A line that comes back would never tell that it did not begin.
    if (io.signal.aborted) return interrupted(io);
    const { line } = this;
    const close = () => void line.close(1000, '');
    io.signal.addEventListener('abort', close, { once: true });
    try {
      const event = await this.talk(line);
      return line.opened ? this.closed(event, line.unsent) : this.unconnected(line.failure);
    } finally {
      this.prompt?.close();
      io.signal.removeEventListener('abort', close);
    }
  }

  /** Until the end: of the connection, or of the input and what is waited for behind it. */
  private async talk(line: Line): Promise<CloseEvent> {
    let failure: unknown = null;
    const input = this.feed(line).then(
      async () => {
        const { once, wait } = this;
        if (once || wait > 0) {
          await Promise.race([line.closed, ...(once ? [this.answer] : []), ...(wait > 0 ? [sleep(wait)] : [])]);
        } else if (this.prompt === null) {
          // Who leaves a terminal waits for nothing.
          await line.settled();
        }
        return line.close(1000, '');
      },
      (error: unknown) => {
        failure = error;
        return line.close(1000, '');
      },
    );
    // A message may come, or the connection end, while the input waits for a person.
    if (this.once) void this.answer.then(() => line.close(1000, ''));
    const event = await Promise.race([line.closed, input]);
    if (failure !== null) throw failure;
    return event;
  }

  /** Sends what there is to send; resolves when there is nothing more. */
  private async feed(line: Line): Promise<void> {
    const { given, io, binary } = this;
    const messages = given.texts('message');
    for (const text of messages) await line.send(binary ? Buffer.from(text) : text, binary);
    if (messages.length > 0) return;
    if (io.terminal !== null) {
      await line.settled();
      if (line.opened) await this.type(line, io.terminal);
    } else if (given.has('whole')) {
      await this.sendBytes(line, await readAll(io.stdin));
    } else {
      for await (const bytes of readLines(io.stdin)) {
        if (!(await this.sendBytes(line, binary ? bytes : withoutReturn(bytes)))) return;
      }
    }
  }

  private sendBytes(line: Line, bytes: Uint8Array): Promise<boolean> {
    return line.send(bytes, this.binary);
  }

  // ── a person ───────────────────────────────────────────────────────────────────────────────────────────────────────

  private type(line: Line, terminal: NodeJS.WritableStream): Promise<void> {
    return new Promise((resolve) => {
      this.prompt = new Prompt(this.io.stdin, terminal, this.style.dim('> '), COMMANDS, {
        line: (text) => {
          if (text.startsWith('/') && !text.startsWith('//')) this.command(line, text);
          else if (text !== '') void this.typed(line, text.startsWith('//') ? text.slice(1) : text);
        },
        ended: resolve,
      });
    });
  }

  private async typed(line: Line, text: string): Promise<void> {
    const sent = await line.send(this.binary ? Buffer.from(text) : text, this.binary);
    if (!sent) this.status('not sent: there is no connection', null);
  }

  private command(line: Line, text: string): void {
    const [, name = '', rest = ''] = /^(\/\S*)\s*(.*)$/s.exec(text) ?? [];
    try {
      switch (name) {
        case '/ping':
          void line.ping(rest).then((latency) => {
            // With --ping-interval every pong is told as it comes.
            if (latency !== null && !this.given.has('ping-interval')) this.pong(latency);
          });
          break;
        case '/pong':
          line.pong(rest);
          break;
        case '/binary':
          void line.send(bytesOf(rest), true);
          break;
        case '/close':
          this.close(line, rest);
          break;
        case '/info':
          this.show(line.describe());
          break;
        case '/help':
          this.show(COMMAND_HELP.join('\n'));
          break;
        default:
          this.show(`there is no command ${printableText(name)}; there are ${COMMANDS.join(', ')}, and // sends a /`);
      }
    } catch (error) {
      this.show(this.style.red((error as Error).message));
    }
  }

  private close(line: Line, rest: string): void {
    const [, digits, reason = ''] = /^(\d+)?\s*(.*)$/s.exec(rest) ?? [];
    if (digits === undefined && reason !== '') throw new Error('a close code is a number: /close 1000 reason');
    const code = digits === undefined ? 1000 : Number(digits);
    if (!isReceivableCloseCode(code)) throw new Error(`the close code ${code} may not be sent`);
    void line.close(code, reason);
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  private opened({ subprotocol, extensions }: Agreed): void {
    const details = [subprotocol, extensions].filter((text) => text !== '').map(printableText);
    const agreed = details.length === 0 ? '' : ` (${details.join('; ')})`;
    this.status(`connected to ${this.url}${agreed}`, { type: 'open', url: this.url, subprotocol, extensions });
  }

  /** Returns a promise while standard output is slower than the peer: then the peer waits. */
  private message(event: MessageEvent): Promise<void> | undefined {
    const { io, json, style } = this;
    if (this.once && this.answered === null) return undefined;
    let room = true;
    if (json) {
      const { kind, data, wireSize } = event;
      const payload = kind === 'text' ? { data } : payloadJson(false, data);
      room = this.emit({ type: 'message', kind, ...payload, wireSize });
    } else if (io.stdout.isTTY) {
      const text =
        event.kind === 'text' ? shown(event.data) : `binary ${formatSize(event.data.length)}  ${dump(event.data)}`;
      this.show(`${style.dim('<')} ${event.kind === 'text' ? style.cyan(text) : style.yellow(text)}`);
    } else if (event.kind === 'text') {
      room = io.stdout.write(`${event.data}\n`);
    } else {
      room = io.stdout.write(event.data);
    }
    if (this.once) {
      this.answered?.();
      this.answered = null;
    }
    return room ? undefined : io.stdout.drained();
  }

  private pong(latency: number): void {
    if (this.json) this.emit({ type: 'pong', latency });
    else if (this.io.stdout.isTTY) this.show(this.style.dim(`pong after ${formatMilliseconds(latency)}`));
  }

  private closed(event: CloseEvent, unsent: number): number {
    const { code, reason, clean, remote, error } = event;
    const orderly = error === null && unsent === 0 && (code === 1000 || code === 1001 || code === 1005);
    const quoted = reason === '' ? '' : ` "${printableText(reason)}"`;
    const why = error === null ? '' : `: ${describeError(error)}`;
    const left = unsent === 0 ? '' : `; ${countOf(unsent)} not sent`;
    const text = `closed ${code} (${closeCodeText(code)})${quoted}${why}${left}`;
    if (this.json) {
      const told = { ...(error === null ? {} : { error: error.message }), ...(unsent === 0 ? {} : { unsent }) };
      this.emit({ type: 'close', code, reason, clean, remote, ...told });
    }
    if (!orderly) {
      this.prompt?.close();
      this.io.stderr.write(`${styleFor(this.io.stderr, this.io.environment).red(text)}\n`);
    } else if (!this.json && this.io.stdout.isTTY) {
      this.show(this.style.dim(text));
    }
    if (this.io.signal.aborted) return interrupted(this.io);
    return orderly ? Exit.ok : Exit.failed;
  }

  /** It ended before there was a connection that could be closed. */
  private unconnected(failure: Error | null): number {
    const { io, json } = this;
    if (io.signal.aborted) return interrupted(io);
    const text = failure === null ? 'there was no connection' : describeError(failure);
    if (json) this.emit({ type: 'error', message: text });
    io.stderr.write(`${styleFor(io.stderr, io.environment).red('error:')} ${text}\n`);
    return Exit.failed;
  }

  /** Whoever reads a pipe does not see why nothing comes. */
  private waiting(text: string): void {
    this.status(text, { type: 'waiting', text });
    if (!this.json && !this.io.stdout.isTTY) this.io.stderr.write(`${text}\n`);
  }

  /** Tells a person, or a script that reads JSON; a plain pipe is told nothing but messages. */
  private status(text: string, record: Record<string, unknown> | null): void {
    if (this.json) {
      if (record !== null) this.emit(record);
    } else if (this.io.stdout.isTTY) {
      this.show(this.style.dim(text));
    }
  }

  /** Returns false when whoever reads it should be waited for. */
  private emit(record: Record<string, unknown>): boolean {
    const at = Math.round((performance.now() - this.startedAt) * 1_000) / 1_000;
    return this.show(jsonLine({ at, ...record }));
  }

  private show(text: string): boolean {
    if (this.prompt === null) return this.io.stdout.write(`${text}\n`);
    this.prompt.print(text);
    return true;
  }
}

/** A message as a terminal may have it: its line breaks and tabs, and nothing else that would move the cursor. */
function shown(text: string): string {
  return text
    .split('\n')
    .map((line) => line.split('\t').map(printableText).join('\t'))
    .join('\n  ');
}

function dump(bytes: Uint8Array): string {
  return `${hex(bytes.subarray(0, 24))}${bytes.length > 24 ? ' …' : ''}`;
}

function bytesOf(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  if (digits === '' || digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) {
    throw new Error('/binary takes bytes in hexadecimal, as 00 ff 10');
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

function sleep(duration: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, duration).unref());
}
