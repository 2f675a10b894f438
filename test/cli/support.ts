/** The command line without a process: `run` with streams that remember, as a pipe or as a terminal. */

import { PassThrough, Readable } from 'node:stream';
import type { Io, Output } from '../../src/cli/io.ts';
import { run } from '../../src/cli/run.ts';
import { serve } from '../../src/server/serve.ts';
import type { Server } from '../../src/server/server.ts';

/** What a command is called in. */
export interface World {
  /** What is piped in. Default nothing: the input ends at once. `null`: it stays open until `end()`. */
  readonly input?: string | Uint8Array | null;
  /** Whether all streams are a terminal. */
  readonly tty?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a command left behind. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An output that remembers. */
class Memory implements Output {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 80;
  private readonly changed: () => void;

  constructor(isTTY: boolean, changed: () => void) {
    this.isTTY = isTTY;
    this.changed = changed;
  }

  /** Takes no more until `read()`. */
  full = false;
  private room: (() => void)[] = [];

  write(data: string | Uint8Array): boolean {
    this.text += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    this.changed();
    return !this.full;
  }

  drained(): Promise<void> {
    return this.full ? new Promise((resolve) => this.room.push(resolve)) : Promise.resolve();
  }

  read(): void {
    this.full = false;
    for (const resolve of this.room.splice(0)) resolve();
  }
}

/** A command under way. */
export class Command {
  readonly ended: Promise<Ended>;
  readonly stdin: PassThrough | Readable;
  readonly stdout: Memory;
  private readonly stderr: Memory;
  private readonly controller = new AbortController();
  private waiting: (() => void)[] = [];

  constructor(argv: readonly string[], { input = '', tty = false, environment = {} }: World = {}) {
    const changed = () => {
      for (const check of this.waiting) check();
    };
    this.stdout = new Memory(tty, changed);
    this.stderr = new Memory(tty, changed);
    this.stdin = input === null ? new PassThrough() : Readable.from(input.length === 0 ? [] : [Buffer.from(input)]);
    const terminal = tty ? new PassThrough() : null;
    terminal?.on('data', (chunk: Buffer) => this.stdout.write(chunk.toString()));
    const io: Io = {
      stdin: Object.assign(this.stdin, { isTTY: tty }),
      stdout: this.stdout,
      stderr: this.stderr,
      environment,
      signal: this.controller.signal,
      terminal,
    };
    this.ended = run(argv, io).then((code) => ({ code, stdout: this.stdout.text, stderr: this.stderr.text }));
  }

  /** Everything that was printed so far. */
  get text(): string {
    return this.stdout.text + this.stderr.text;
  }

  /** Types, or pipes in. */
  write(text: string): this {
    (this.stdin as PassThrough).write(text);
    return this;
  }

  /** Ends the input. */
  end(): this {
    (this.stdin as PassThrough).end();
    return this;
  }

  /** Resolves when something was printed; rejects when the command ended without. */
  until(wanted: string | RegExp): Promise<string> {
    const found = () => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text));
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!found()) return;
        this.waiting = this.waiting.filter((each) => each !== check);
        resolve(this.text);
      };
      this.waiting.push(check);
      check();
      void this.ended.then(() => {
        if (!found()) reject(new Error(`the command ended without ${String(wanted)}:\n${this.text}`));
      }, reject);
    });
  }

  /** As Ctrl-C does. */
  interrupt(): Promise<Ended> {
    this.controller.abort('SIGINT');
    return this.ended;
  }
}

/** Runs a command to its end. */
export function cli(argv: readonly string[], world?: World): Promise<Ended> {
  return new Command(argv, world).ended;
}

/** An echo server of the library, on a free port. */
export function echoServer(options: Parameters<typeof serve>[0] = {}): Promise<Server> {
  return serve({ port: 0, host: '127.0.0.1', ...options }, (socket) => {
    socket.on('message', ({ data, kind }) => {
      socket.send(data, { binary: kind === 'binary' });
    });
  });
}
