/**
 * Wire transcripts: Markdown documents that run. Under each `##` heading a fenced block of the language `transcript` tells
 * what happens to one connection, line by line, and what it answers:
 *
 *     role server [open]          the role; `open`: the handshake took place elsewhere
 *     option NAME VALUE           an option of the connection; `option echo true` answers each message with itself;
 *                                 extensions: `scramble`, `deflate`, or `deflate-shared` without context takeover
 *     in BYTES                    bytes from the peer; lines that follow each other are one chunk
 *     time 5000                   milliseconds pass, all deadlines are kept
 *     end | end reset             the peer ends the transport, or it breaks
 *     do COMMAND                  the application acts
 *     event …                     expected events and
 *     out …                       expected output of what happened before
 */

import {
  ClientConnection,
  type Connection,
  type ConnectionEvent,
  type ConnectionOptions,
  type Extension,
  type PayloadTransform,
  permessageDeflate,
  ServerConnection,
  UsageError,
} from '../../src/index.ts';
import { concat } from './bytes.ts';
import { bytesOf, words } from './notation.ts';
import { drain, established } from './peers.ts';
import { printEvent, printOutput } from './print.ts';
import { constantRandom } from './random.ts';
import { Scramble, ScrambleTransform } from './scramble.ts';

export interface Scenario {
  readonly title: string;
  /** Lines without comments. */
  readonly lines: readonly string[];
}

export interface Play {
  readonly trace: readonly string[];
  readonly events: readonly ConnectionEvent[];
  readonly connection: Connection;
  readonly now: number;
}

/** The scenarios of a document. */
export function scenariosOf(markdown: string): Scenario[] {
  const scenarios: Scenario[] = [];
  for (const [, title = '', block = ''] of markdown.matchAll(/^## (.*)\n[\s\S]*?```transcript\n([\s\S]*?)```/gm)) {
    const lines = block.split('\n').map((line) => line.replace(/(^|\s\s)#.*$/, '').trim());
    scenarios.push({ title, lines: lines.filter((line) => line !== '') });
  }
  return scenarios;
}

const isSetting = (line: string): boolean => /^(role|option)\b/.test(line);
const isExpectation = (line: string): boolean => /^(event|out)\b/.test(line);

/** Settings and steps: what is played. Bytes that come in one after the other are one step. */
export function stepsOf({ lines }: Scenario): (string | Uint8Array)[] {
  const steps: (string | Uint8Array)[] = [];
  let previous = '';
  for (const line of lines) {
    const follows = previous.startsWith('in ');
    previous = line;
    if (isSetting(line) || isExpectation(line)) continue;
    if (!line.startsWith('in ')) steps.push(line);
    else {
      const bytes = bytesOf(line.slice(3));
      const last = steps.at(-1);
      if (last instanceof Uint8Array && follows) steps[steps.length - 1] = concat([last, bytes]);
      else steps.push(bytes);
    }
  }
  return steps;
}

/** The expected trace: a mark for each step, then what it answers. */
export function expectedOf({ lines }: Scenario): string[] {
  const trace: string[] = [];
  let previous = '';
  for (const line of lines) {
    if (isSetting(line)) continue;
    if (isExpectation(line)) trace.push(line);
    else if (!(line.startsWith('in ') && previous.startsWith('in '))) trace.push(line.startsWith('in ') ? 'in' : line);
    previous = line;
  }
  return trace;
}

/** The fewest bytes that come in until everything came. */
export function sizeOf(scenario: Scenario): number {
  return stepsOf(scenario).reduce((sum, step) => sum + (typeof step === 'string' ? 0 : step.length), 0);
}

/**
 * Plays a scenario. `cut` cuts the bytes of each step; `most` stops after so many bytes have come in.
 */
export function play(
  scenario: Scenario,
  cut: (bytes: Uint8Array) => readonly Uint8Array[],
  most = Number.POSITIVE_INFINITY,
): Play {
  const { connection, echo } = create(scenario);
  const trace: string[] = [];
  const all: ConnectionEvent[] = [];
  let now = 0;
  let room = most;
  let found: ConnectionEvent[] = [];
  const pull = (): void => {
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
      found.push(event);
      all.push(event);
      if (echo && event.type === 'message' && connection.readyState === 'open') {
        if (event.kind === 'text') connection.sendText(event.data);
        else connection.sendBinary(event.data);
      }
    }
  };
  const settle = (mark: string): void => {
    pull();
    const output = printOutput(drain(connection, now)).map((line) => `out ${line}`);
    pull();
    trace.push(mark, ...joinAdjacent(found).map((event) => `event ${printEvent(event)}`), ...output);
    found = [];
  };
  for (const step of stepsOf(scenario)) {
    if (typeof step !== 'string') {
      const bytes = step.subarray(0, room);
      room -= bytes.length;
      for (const piece of cut(bytes)) {
        connection.receive(piece.slice(), now);
        pull();
      }
      settle('in');
      if (room === 0) break;
      continue;
    }
    const [verb, ...rest] = words(step);
    if (verb === 'time') {
      const end = now + Number(rest[0]);
      for (let at = connection.nextTimeout(); at <= end; at = connection.nextTimeout()) {
        now = Math.max(now, at);
        connection.handleTimeout(now);
        pull();
      }
      now = end;
    } else if (verb === 'end') connection.receiveEnd(now, rest[0] === 'reset' ? new Error('reset') : undefined);
    else if (verb === 'do') command(connection, rest, now);
    else throw new Error(`unknown step: ${step}`);
    settle(step);
  }
  return { trace, events: all, connection, now };
}

function create({ lines }: Scenario): { connection: Connection; echo: boolean } {
  const options: Record<string, unknown> = {};
  let role = '';
  let echo = false;
  for (const line of lines) {
    const [verb, name = '', value = ''] = words(line);
    if (verb === 'role') role = `${name} ${value}`.trim();
    if (verb !== 'option') continue;
    if (name === 'echo') echo = value === 'true';
    else
      options[name] =
        name === 'extensions' ? [extension(value)] : /^(\d+|true|false|null)$/.test(value) ? JSON.parse(value) : value;
  }
  const given = { ...options, platform: { random: constantRandom() } } as ConnectionOptions;
  switch (role) {
    case 'server':
      return { connection: new ServerConnection(given, 0), echo };
    case 'client': {
      const target = { host: 'example.test', target: '/chat', subprotocols: ['chat', 'superchat'] };
      return { connection: new ClientConnection(target, given, 0), echo };
    }
    case 'server open':
    case 'client open': {
      const { extensions = [], ...rest } = given;
      const side = role.startsWith('server') ? 'server' : 'client';
      const transforms = extensions.map((each) =>
        each instanceof Scramble ? new ScrambleTransform(0x40, 0x2a, 7) : agreed(each, side),
      );
      return { connection: established(side, rest, transforms), echo };
    }
    default:
      throw new Error(`a role is missing: '${role}'`);
  }
}

function extension(name: string): Extension {
  if (name === 'scramble') return new Scramble();
  return permessageDeflate({
    threshold: 0,
    windowBits: 15,
    memory: name === 'deflate-shared' ? 'shared' : 'dedicated',
  });
}

/** What one side of two with the same extension has when the handshake is over. */
function agreed(each: Extension, side: 'server' | 'client'): PayloadTransform {
  const { answer, transform } = each.accept(each.offer()[0]!)!;
  return side === 'server' ? transform : each.agree(answer)!;
}

function command(connection: Connection, [name = '', ...args]: string[], now: number): void {
  const bytes = (index: number): Uint8Array => (args[index] === undefined ? new Uint8Array(0) : bytesOf(args[index]!));
  const text = (index: number): string => Buffer.from(bytes(index)).toString('utf8');
  const server = connection as ServerConnection;
  try {
    if (name === 'nothing') return;
    if (name === 'accept') server.accept(now, args[0] === undefined ? {} : { subprotocol: args[0] });
    else if (name === 'reject') server.reject(now, Number(args[0]), args[1] === undefined ? {} : { body: text(1) });
    else if (name === 'send-text') connection.sendText(text(0));
    else if (name === 'send-binary') connection.sendBinary(bytes(0));
    else if (name === 'send-fragments') connection.sendBinary(bytes(1), { fragmentSize: Number(args[0]) });
    else if (name === 'fragment') connection.sendFragment(args[0] as 'text', bytes(1), args[2] === 'last');
    else if (name === 'ping') connection.ping(now, args[0] === undefined ? undefined : bytes(0));
    else if (name === 'pong') connection.pong(bytes(0));
    else if (name === 'close')
      connection.close(now, args[0] === undefined ? null : Number(args[0]), args[1] === undefined ? '' : text(1));
    else if (name === 'fail') connection.fail(now, new Error('test'));
    else if (name === 'terminate') connection.terminate(now);
    else throw new Error(`unknown command: ${name}`);
  } catch (error) {
    // A connection that ended early in a test of its death refuses what the transcript goes on to do.
    if (!(error instanceof UsageError)) throw error;
  }
}

/** The fragments of one message that came right behind each other are one: how they were cut must not matter. */
function joinAdjacent(events: readonly ConnectionEvent[]): ConnectionEvent[] {
  const out: ConnectionEvent[] = [];
  for (const event of events) {
    const last = out.at(-1);
    if (event.type === 'fragment' && last?.type === 'fragment' && !last.last) {
      out[out.length - 1] = { ...last, data: concat([last.data, event.data]), last: event.last };
    } else out.push(event);
  }
  return out;
}

/** The document with its expectations replaced by what happens: for writing, never for tests. */
export function rewrite(markdown: string): string {
  return markdown.replace(
    /(^## .*\n[\s\S]*?```transcript\n)([\s\S]*?)(```)/gm,
    (all, before: string, block: string, after: string) => {
      const [scenario] = scenariosOf(all);
      const { trace } = play(scenario!, (bytes) => [bytes]);
      const answers: string[][] = [];
      for (const line of trace) {
        if (isExpectation(line)) answers.at(-1)!.push(line);
        else answers.push([]);
      }
      const lines = block.split('\n').filter((line) => !isExpectation(line.trim()) && line !== '');
      const out: string[] = [];
      let step = -1;
      lines.forEach((line, i) => {
        out.push(line);
        if (isSetting(line) || line.startsWith('#')) return;
        const next = lines[i + 1] ?? '';
        if (line.startsWith('in ') && next.startsWith('in ')) return;
        out.push(...(answers[++step] ?? []).map((answer) => `  ${answer}`));
      });
      return `${before}${out.join('\n')}\n${after}`;
    },
  );
}
