/**
 * Sends every message back. Run it with `npx tsx examples/echo-server.ts [port]`.
 *
 * An application imports from 'sansocket/server'; inside of this repository the sources run without a build.
 */
import { serve } from '../src/server/index.ts';

const server = await serve({ host: '127.0.0.1', port: Number(process.argv[2] ?? 8080) }, (socket) => {
  // A listener that returns a promise is given no further message until it settles: a client that does not read what
  // it is sent is not read from either.
  socket.on('message', ({ data }) => {
    const { writable } = socket.send(data);
    return writable ? undefined : socket.drained();
  });
  socket.on('close', ({ code, reason }) => console.log(`closed ${code} ${reason}`));
});

console.log(`echo on ${server.url}`);
process.once('SIGINT', () => server.close());
