// A server of ws, whichever build of it: echo as its README writes it.

import { createServer } from 'node:https';
import { say, settings } from './control.mjs';

export function serveWith({ WebSocket, WebSocketServer }) {
  const { mode, cert, key } = settings;
  const secure = cert ? createServer({ cert, key }) : null;
  const server = new WebSocketServer(secure ? { server: secure } : { host: '127.0.0.1', port: 0 });
  const ready = () => say({ port: (secure ?? server).address().port });
  if (secure) secure.listen(0, '127.0.0.1', ready);
  else server.on('listening', ready);

  server.on('connection', (socket) => {
    socket.on('error', console.error);
    if (mode === 'broadcast') {
      socket.on('message', (data, isBinary) => {
        for (const client of server.clients)
          if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
      });
    } else {
      socket.on('message', (data, isBinary) => {
        socket.send(data, { binary: isBinary });
      });
    }
  });
}
