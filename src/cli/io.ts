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
  /** Aborts on SIGINT, SIGTERM and SIGHUP, with the name as its reason; a second one ends the process. */
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
} as const;

/** One of the values of {@link Exit}. */
export type Exit = (typeof Exit)[keyof typeof Exit];

/** What asks a command to stop, and the exit code of one that was not done then: that by which a shell tells of the signal. */
export const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type Signal = keyof typeof SIGNALS;

/** The exit code of a command that was interrupted before it was done. */
export function interrupted({ signal }: Io): number {
  return SIGNALS[signal.reason as Signal];
}

/** The command line, or a file that it names, is wrong. The text is for people and names what is wrong. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/**
 * A stream of Node as an output. A reader that is gone ends the process quietly: `| head` is not a failure. A disk that is full
 * is one, told on standard error. A terminal that is gone has sent SIGHUP: what that ends still ends in order.
 */
export function outputOf(stream: NodeJS.WriteStream): Output {
  let draining: Promise<void> | null = null;
  let gone = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (stream.isTTY === true && error.code === 'EIO') {
      gone = true;
      stream.emit('drain');
      return;
    }
    if (error.code === 'EPIPE') process.exit(Exit.ok);
    if (stream !== process.stderr) process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
    process.exit(Exit.failed);
  });
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
    write: (data) => gone || stream.write(data),
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
