/** Runs python's websockets (Debian: python3-websockets) against our server: `npx tsx test/peers/python.ts`. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { type Server, serve } from '../../src/server/index.ts';
import { RAISED } from './exchange.ts';

function echo(socket: Endpoint): void {
  socket.on('message', async ({ data }) => {
    if (data === 'ping me') socket.send(`latency ${await socket.ping()}`);
    else if (data === 'close me') void socket.close(4001, 'as asked');
    else if (data === 'fragment me') socket.send(data, { fragmentSize: 3 });
    else socket.send(data);
  });
}

function game(socket: Endpoint, server: Server): void {
  socket.on('open', () => {
    socket.send(`Hello, ws://${socket.remoteAddress}:${socket.remotePort}`);
  });
  socket.on('message', ({ data }) => {
    server.broadcast(data, { filter: (other) => other.request?.path === '/game' });
  });
}

const server: Server = await serve(
  // A listener that waits for a pong must not hold back the pong itself.
  { port: 0, host: '127.0.0.1', paths: ['/echo', '/game'], concurrency: 2, compression: true, ...RAISED },
  (socket, request) => {
    if (request.path === '/echo') echo(socket);
    else game(socket, server);
  },
);
const script = fileURLToPath(new URL('./python_client.py', import.meta.url));
// Debian's own interpreter is the one that has Debian's package.
const child = spawn('/usr/bin/python3', [script, server.url], {
  stdio: ['ignore', 'inherit', 'inherit'],
  timeout: 120_000,
});
const status = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)));
await server.close();
process.exitCode = status;
