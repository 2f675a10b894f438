/** Run by process.test.ts: an echo server that ends in order on SIGTERM, and blocks its event loop when it is told to. */
import { serve } from '../../src/server/index.ts';

const server = await serve(
  { port: 0, host: '127.0.0.1', pingInterval: 50, pongTimeout: 250, handshakeTimeout: 30_000 },
  (socket) => {
    socket.on('message', ({ data }) => {
      if (data === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
      socket.send(data);
    });
  },
);
process.on('SIGTERM', () => void server.close({ code: 1_001, reason: 'restart' }));
console.log(server.port);
