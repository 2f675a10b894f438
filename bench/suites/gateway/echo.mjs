// The backend of the gateway suite: echoes on a UNIX socket.

import net from 'node:net';
import { say, settings } from '../../servers/control.mjs';

const server = net.createServer((socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => {});
});
server.listen(settings.path, () => say({ ready: true }));
