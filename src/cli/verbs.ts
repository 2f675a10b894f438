/**
 * The verbs of the command line, in the order of the help. A verb is a file of its own that is loaded when it is called; a new
 * one is a row here.
 */

import type { Arguments, Flags } from './arguments.ts';
import type { Io } from './io.ts';

/** What a verb's file exports as `verb`. */
export interface Verb {
  /** Behind the verb, in the first line of its help: one for each way to call it. */
  readonly usage: readonly string[];
  /** What it does, in a few lines. */
  readonly about: string;
  readonly flags: Flags;
  /** Command lines and what they do. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** Further paragraphs of the help: a title and its lines. */
  readonly notes?: readonly (readonly [title: string, lines: readonly string[]])[];
  /** @returns the exit code; @throws CommandError when the command line is wrong */
  run(given: Arguments, io: Io): Promise<number>;
}

/** A verb before it is loaded. */
export interface VerbRow {
  /** What it does, in one line. */
  readonly summary: string;
  load(): Promise<{ readonly verb: Verb }>;
}

/** Every verb by its name. */
export const VERBS: Readonly<Record<string, VerbRow>> = {
  connect: { summary: 'talk to a WebSocket server, by hand or from a script', load: () => import('./connect.ts') },
  serve: { summary: 'run a server: echo, broadcast or chat', load: () => import('./serve.ts') },
  gateway: { summary: 'WebSocket clients to servers on UNIX sockets and TCP', load: () => import('./gateway.ts') },
  backend: {
    summary: 'the small servers that show the gateway: echo, chat, jsonrpc',
    load: () => import('./backend.ts'),
  },
  trace: { summary: 'see every frame, as a client or as a proxy in the middle', load: () => import('./trace.ts') },
  decode: { summary: 'take bytes apart: heads, frame headers bit by bit', load: () => import('./decode.ts') },
  bench: { summary: 'measure a server that echoes', load: () => import('./bench.ts') },
  key: { summary: 'make a Sec-WebSocket-Key, or the Accept that answers one', load: () => import('./key.ts') },
};
