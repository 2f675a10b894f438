// Bun's own server, run by Bun. A message of exactly 16 MiB is what it takes at most by default.

import { say, settings } from './control.mjs';

const { mode, cert, key } = settings;
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  ...(cert ? { tls: { cert, key } } : {}),
  fetch(request, self) {
    return self.upgrade(request) ? undefined : new Response('', { status: 426 });
  },
  websocket: {
    open(socket) {
      if (mode === 'broadcast') socket.subscribe('all');
    },
    message(socket, data) {
      if (mode === 'broadcast') server.publish('all', data);
      else socket.send(data);
    },
  },
});
say({ port: server.port });
