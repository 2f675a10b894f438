// A gateway as one writes it with ws: its stream, and pipe() both ways.

import net from 'node:net';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { say, settings } from '../../servers/control.mjs';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 }, () => say({ port: server.address().port }));
server.on('connection', (socket) => {
  const stream = createWebSocketStream(socket);
  const backend = net.connect(settings.path);
  stream.pipe(backend).pipe(stream);
  stream.on('error', () => backend.destroy());
  backend.on('error', () => stream.destroy());
});
