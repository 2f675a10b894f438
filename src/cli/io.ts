/**
 * What a command has of the world: its streams, whether they are terminals, the environment, and the signal that asks it to
 * stop. Commands take it as an argument, so that a test is a terminal or a pipe as it likes.
 */

import type { Readable } from 'node:stream';

/** Where text goes. */
export interface Output {
  /** Whether a person looks at it. */
  readonly isTTY: boolean;
  /** Characters in a line of the terminal. */
  readonly columns: number;
  /** Returns false when more would be too much; `drained` resolves when there is room again. */
  write(data: string | Uint8Array): boolean;
  drained(): Promise<void>;
}

/** The world of one command. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborts on SIGINT and SIGTERM; a second one ends the process. */
  readonly signal: AbortSignal;
  /** The terminal's own stream for line editing; null where there is none. */
  readonly terminal: NodeJS.WritableStream | null;
}

/** How a command ended. */
export const Exit = {
  /** It did what it was asked to do. */
  ok: 0,
  /** There was no connection, or it failed. */
  failed: 1,
  /** The command line, or a file that it names, is wrong; nothing was done. */
  usage: 2,
  /** What was looked at breaks the protocol. */
  violation: 3,
  /** It was interrupted before it was done, as a shell tells of a program that SIGINT ended. */
  interrupted: 130,
} as const;

/** One of the values of {@link Exit}. */
export type Exit = (typeof Exit)[keyof typeof Exit];

/** The command line, or a file that it names, is wrong. The text is for people and names what is wrong. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/**
 * A stream of Node as an output. A reader that is gone ends the process quietly: `| head` is not a failure. A disk that is full
 * is one, told on standard error.
 */
export function outputOf(stream: NodeJS.WriteStream): Output {
  let draining: Promise<void> | null = null;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(Exit.ok);
    if (stream !== process.stderr) process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
    process.exit(Exit.failed);
  });
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
    write: (data) => stream.write(data),
    drained: () => {
      // Any number may wait for it.
      draining ??= new Promise((resolve) => {
        stream.once('drain', () => {
          draining = null;
          resolve();
        });
      });
      return draining;
    },
  };
}
