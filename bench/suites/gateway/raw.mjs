// The same two sockets joined by pipe(), without WebSockets.

import net from 'node:net';
import { say, settings } from '../../servers/control.mjs';

const server = net.createServer({ noDelay: true }, (socket) => {
  const backend = net.connect(settings.path);
  socket.pipe(backend).pipe(socket);
  socket.on('error', () => backend.destroy());
  backend.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
