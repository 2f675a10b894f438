// sansocket/transport/deno, run by Deno: the same echo as Deno's own server, every limit and the heartbeat at their defaults.

import { serve } from 'sansocket/transport/deno';
import { say, settings } from './control.mjs';

const { cert, key, options } = settings;
const tls = cert ? { tls: { cert, key } } : {};
const server = serve({ hostname: '127.0.0.1', port: 0, ...tls, ...options }, (socket) => {
  socket.on('message', ({ data }) => {
    socket.send(data);
  });
});
say({ port: server.port });
