#!/usr/bin/env node
/** The executable: `sansocket`. */

import { Exit, type Io, outputOf } from './io.ts';
import { run } from './run.ts';

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // Who asks twice does not want to wait for closing handshakes.
    if (stop.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    stop.abort(name);
  });
}

const io: Io = {
  stdin: process.stdin,
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
  environment: process.env,
  signal: stop.signal,
  terminal: process.stdin.isTTY && process.stdout.isTTY ? process.stdout : null,
};

process.exitCode = Exit.failed;
process.exitCode = await run(process.argv.slice(2), io);
// Standard input may still be open, and would keep the process alive.
process.stdin.unref?.();
process.stdin.pause();
