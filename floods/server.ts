/**
 * An echo server of one implementation, as a process of its own: `server.ts ours|ws [deflate]`. Says its port; then answers `mark` with
 * its resident memory after a collection, and `peak` with the most that it was since. Ends with its standard input.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';
import { serve } from '../src/server/index.ts';

const [which, compression] = process.argv.slice(2);
const deflate = compression === 'deflate';
let highest = 0;

function say(line: number): void {
  process.stdout.write(`${line}\n`);
}

function look(): number {
  highest = Math.max(highest, process.memoryUsage.rss());
  return highest;
}

/** The kernel knows the peak between two looks, and can be told to forget it. */
function mark(): void {
  global.gc?.();
  highest = 0;
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Looking has to do.
  }
  say(look());
}

function peak(): number {
  look();
  try {
    const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))!;
    return Math.max(highest, 1_024 * Number(kibibytes));
  } catch {
    return highest;
  }
}

setInterval(look, 10).unref();
createInterface({ input: process.stdin })
  .on('line', (line) => (line === 'mark' ? mark() : say(peak())))
  .on('close', () => process.exit(0));

if (which === 'ours') {
  const server = await serve({ port: 0, host: '127.0.0.1', compression: deflate }, (socket) => {
    socket.on('message', ({ data }) => socket.send(data));
    // Without a listener each failure would be a warning of the application's.
    socket.on('error', () => {});
  });
  say(server.port!);
} else {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 1_048_576, perMessageDeflate: deflate });
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => {});
  });
  server.on('listening', () => say((server.address() as { port: number }).port));
}
