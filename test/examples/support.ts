/** Runs an example as its header says, and what its tests have in common. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const children: ChildProcess[] = [];

// A test that failed has left its own behind.
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

export interface Run {
  readonly child: ChildProcess;
  /** Everything printed so far, on either stream. */
  readonly printed: string;
  /** Resolves when `text` was printed; rejects if the process ends before. */
  until(text: string): Promise<void>;
  /** Resolves with the exit status. */
  readonly ended: Promise<number | null>;
}

/** The path of a file of the examples. */
export function exampleFile(name: string): string {
  return EXAMPLES + name;
}

/** `npx tsx examples/<name> …args` */
export function runExample(name: string, ...args: string[]): Run {
  return run(process.execPath, ['--import', 'tsx', exampleFile(name), ...args]);
}

export function run(command: string, args: readonly string[]): Run {
  const child = spawn(command, args, { timeout: 25_000, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let printed = '';
  let over = false;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of waiting) check();
  };
  const take = (chunk: Buffer) => {
    printed += chunk.toString();
    look();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (status) => {
      over = true;
      look();
      resolve(status);
    });
  });
  return {
    child,
    ended,
    get printed() {
      return printed;
    },
    until: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (printed.includes(text)) resolve();
          else if (over) reject(new Error(`it ended without ${JSON.stringify(text)}: ${printed}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Resolves when `condition` holds; the test's own timeout bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
