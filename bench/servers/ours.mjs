// sansocket: echo or broadcast through the public API, every limit and the heartbeat at their defaults.

import { serve } from 'sansocket/server';
import { say, settings } from './control.mjs';

const { mode, cert, key, options } = settings;
const tls = cert ? { tls: { cert, key } } : {};
const server = await serve({ host: '127.0.0.1', port: 0, ...tls, ...options }, (socket) => {
  if (mode === 'broadcast') {
    socket.on('message', ({ data }) => {
      server.broadcast(data);
    });
  } else if (options?.text === 'bytes') {
    socket.on('message', ({ kind, data }) => {
      socket.send(data, kind === 'text' ? { binary: false } : undefined);
    });
  } else {
    socket.on('message', ({ data }) => {
      socket.send(data);
    });
  }
});
say({ port: server.port });
