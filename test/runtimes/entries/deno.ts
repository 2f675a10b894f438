/** Deno: its own sockets, and those of node:. */
import { connect, serve } from '../../../src/transport/deno/index.ts';
import { runOwnSockets } from './own-sockets.ts';

await runOwnSockets({
  name: 'Deno.listen',
  serve,
  connect,
  trust: (authority) => ({ caCerts: [authority] }),
  // Deno 2.9: close() leaves the socket to the peer until the handshake has ended.
  dropsHandshakes: false,
});
process.exit(0);
