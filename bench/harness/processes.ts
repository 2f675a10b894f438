// Child processes: pinned to a core where `taskset` exists, spoken to in lines, and never left behind.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Which core a process gets: the one under test and the one that loads it are kept apart. */
export type Place = 'tested' | 'load';

const cores = findCores();
const children = new Set<ChildProcess>();

/** The cores used, or null where processes cannot be pinned. */
export function pinnedCores(): Readonly<Record<Place, number>> | null {
  return cores;
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

export class Child {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #errors: string[] = [];
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(place: Place, command: readonly string[], wantsInput = true) {
    const words = cores === null ? command : ['taskset', '-c', String(cores[place]), ...command];
    const child = spawn(words[0]!, words.slice(1), { stdio: [wantsInput ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    this.#process = child;
    children.add(child);
    const ended = () => {
      children.delete(child);
      this.#ended = true;
      this.#wake?.();
    };
    child.on('error', (error) => {
      this.#errors.push(error.message);
      ended();
    });
    child.on('close', ended);
    child.stdin?.on('error', () => {});
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.#lines.push(line);
      this.#wake?.();
    });
    createInterface({ input: child.stderr! }).on('line', (line) => {
      if (this.#errors.length < 40) this.#errors.push(line);
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** The next line of output, parsed as JSON. Rejects when the process ends or stays silent for too long. */
  async next<T>(timeout: number): Promise<T> {
    const deadline = performance.now() + timeout;
    while (this.#lines.length === 0) {
      const left = deadline - performance.now();
      if (this.#ended) throw new Error(this.#explain('ended'));
      if (left <= 0) throw new Error(this.#explain(`said nothing for ${timeout} ms`));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return JSON.parse(this.#lines.shift()!) as T;
  }

  /** Ends the process: politely by closing its stdin, then with a signal. */
  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.#wait(500);
    if (this.#ended) return;
    this.#process.kill('SIGKILL');
    await this.#wait(2000);
  }

  async #wait(timeout: number): Promise<void> {
    if (this.#ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.#process.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #explain(what: string): string {
    const reason = this.#errors.find((line) => /error|:/i.test(line) && !/^(file|node):/.test(line.trim()));
    return reason === undefined ? `a process ${what}` : `a process ${what}: ${reason.trim()}`;
  }
}

function findCores(): Record<Place, number> | null {
  if (process.platform !== 'linux' || spawnSync('taskset', ['-V']).status !== 0) return null;
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const allowed: number[] = [];
  for (const range of list.split(',')) {
    const [from, to = from] = range.split('-').map(Number);
    for (let core = from!; core <= to!; core++) allowed.push(core);
  }
  return allowed.length < 2 ? null : { tested: allowed[0]!, load: allowed[1]! };
}
