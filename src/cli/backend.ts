/** `sansocket backend`: the sample servers of the gateway, on UNIX sockets, with the flags that their document gives them. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { printableText } from '../debug/lines.ts';
import { UsageError } from '../errors.ts';
import { BACKENDS, type BackendKind, type BackendOptions, startBackend } from '../gateway/backends/start.ts';
import { FRAMINGS } from '../gateway/options.ts';
import { type Arguments, closest } from './arguments.ts';
import { CommandError, Exit, type Io } from './io.ts';
import { styleFor } from './style.ts';
import type { Verb } from './verbs.ts';

/** Where the document has its sockets. */
export const SOCKETS = '/var/run/websocket';
/** Tells the process that goes into the background which of the two it is. */
const BEHIND = 'SANSOCKET_BEHIND';

export const verb: Verb = {
  usage: ['echo|chat|jsonrpc [OPTION...]'],
  about:
    "A small server on a UNIX socket, for 'sansocket gateway': echo gives bytes back, chat passes messages to everybody else, " +
    'jsonrpc answers JSON-RPC 2.0. The socket is for its owner and group (0660); one that a dead server left is replaced, a ' +
    'live one never.',
  flags: {
    root: { short: 'R', value: 'DIR', help: `the folder of the sockets, made if it is not there. Default ${SOCKETS}` },
    name: { short: 'n', value: 'NAME', help: 'the name of the socket, and in the URL. Default: that of the server' },
    user: { short: 'u', value: 'USER', help: 'become this user, or do not start' },
    'max-clients': { short: 'm', value: 'N', help: 'clients that wait to be accepted. Default 50' },
    daemon: { short: 'D', help: 'go into the background when it listens, and print the process' },
    framing: { short: 'f', value: 'HOW', help: `${FRAMINGS.join(', ')}: as the gateway's. Default chunk` },
    test: { short: 't', help: 'echo: answers are followed by bytes that look like a pong and a Close' },
    commands: { short: 'w', help: 'chat: understand WSHello, WSPrivate and WSWhois' },
    'echo-self': { help: 'chat: who says something hears it too' },
    library: {
      short: 'L',
      value: 'FILE',
      help: 'jsonrpc: the module whose methods are served. Default: echo, add, time',
    },
    config: { short: 'C', value: 'TEXT', help: "jsonrpc: handed to the module's init()" },
  },
  notes: [
    [
      'A module for jsonrpc',
      [
        'export function init(config) {',
        "  const greet = { params: ['name'], run: (name) => 'hello ' + name };",
        '  return { methods: { greet } };',
        '}',
        'It is called for every client; what it returns may have a release(), called when the client is gone.',
      ],
    ],
  ],
  examples: [
    ['sansocket backend echo -R /run/user/1000/ws', 'ws://HOST/echo, behind a gateway with that docroot'],
    ['sansocket backend chat -w -f nul', 'a chat with names, its messages ended by NUL'],
    ['sansocket backend jsonrpc -L ./methods.mjs -f line', 'methods of your own, a line each'],
  ],
  run: async (given, io) => {
    const options = readOptions(given, io);
    if (given.has('daemon') && io.environment[BEHIND] === undefined) return detach(io);
    const behind = io.environment[BEHIND] !== undefined && process.send !== undefined;
    const running = await startBackend(options).catch((error: unknown) => {
      const usage = error instanceof UsageError;
      if (behind) process.send?.({ error: error instanceof Error ? error.message : String(error), usage });
      throw error;
    });
    if (behind) {
      process.send?.({ path: running.path });
      process.disconnect();
    } else {
      io.stdout.write(`${options.kind} on ${running.path}\n`);
    }
    await aborted(io.signal);
    await running.close();
    return Exit.ok;
  },
};

function readOptions(given: Arguments, io: Io): BackendOptions {
  const [kind, ...more] = given.positionals;
  if (kind === undefined) throw new CommandError(`which one: ${BACKENDS.join(', ')}?`);
  if (more.length > 0) throw new CommandError(`one server at a time: '${more[0]}' is too many`);
  if (!BACKENDS.includes(kind as BackendKind)) {
    const meant = closest(kind, BACKENDS);
    throw new CommandError(
      `there is no backend '${kind}'; ${meant === null ? `there are ${BACKENDS.join(', ')}` : `did you mean '${meant}'?`}`,
    );
  }
  for (const [flag, owner] of Object.entries(OWNERS)) {
    if (given.has(flag) && owner !== kind) throw new CommandError(`--${flag} is for ${owner}, not for ${kind}`);
  }
  return {
    kind: kind as BackendKind,
    folder: given.text('root') ?? SOCKETS,
    name: given.text('name') ?? kind,
    user: given.text('user'),
    backlog: given.number('max-clients', 1, 65_535) ?? 50,
    framing: given.choice('framing', FRAMINGS) ?? 'chunk',
    test: given.has('test'),
    commands: given.has('commands'),
    echoSelf: given.has('echo-self'),
    module: given.text('library'),
    config: given.text('config') ?? '',
    failed: (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      io.stderr.write(`${text.split('\n').map(printableText).join('\n')}\n`);
    },
  };
}

const OWNERS: Readonly<Record<string, BackendKind>> = {
  test: 'echo',
  commands: 'chat',
  'echo-self': 'chat',
  library: 'jsonrpc',
  config: 'jsonrpc',
};

/** Starts itself once more, and ends when the other one listens, or with what kept it from that. */
async function detach(io: Io): Promise<number> {
  const [, script = '', ...words] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, script, ...words], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [BEHIND]: '1' },
  });
  const ended = once(child, 'exit').then(() => [{ error: 'the server ended before it listened', usage: false }]);
  const [told] = (await Promise.race([once(child, 'message'), ended])) as [
    { path?: string; error?: string; usage?: boolean },
  ];
  if (told.error !== undefined) {
    if (told.usage === true) throw new CommandError(told.error);
    io.stderr.write(`${styleFor(io.stderr, io.environment).red('error:')} ${printableText(told.error)}\n`);
    return Exit.failed;
  }
  io.stdout.write(`${child.pid} on ${told.path}\n`);
  child.unref();
  return Exit.ok;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
