#!/usr/bin/env node
/** The executable: `sansocket`. */

import { getEventListeners } from 'node:events';
import { isatty } from 'node:tty';
import { Exit, type Io, outputOf, SIGNALS, type Signal } from './io.ts';
import { run } from './run.ts';

const stop = new AbortController();
for (const [name, code] of Object.entries(SIGNALS) as [Signal, number][]) {
  process.on(name, () => {
    // Who asks twice does not want to wait for closing handshakes; where nobody listens, nothing was begun that has to be ended.
    if (stop.signal.aborted || getEventListeners(stop.signal, 'abort').length === 0) process.exit(code);
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
// Node aborts where it would give back a terminal that is gone. What such a terminal has sent ends it without that.
const streams = [process.stdin, process.stdout, process.stderr];
if (stop.signal.reason === 'SIGHUP' && streams.some(({ isTTY, fd }) => isTTY && !isatty(fd))) {
  process.removeAllListeners('SIGHUP');
  process.kill(process.pid, 'SIGHUP');
}
