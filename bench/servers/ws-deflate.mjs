// ws with compression: echo, with the parameters that the suite gives.

import { WebSocketServer } from 'ws';
import { say, settings } from './control.mjs';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: settings.perMessageDeflate });
server.on('listening', () => say({ port: server.address().port }));
server.on('connection', (socket) => {
  socket.on('error', console.error);
  socket.on('message', (data, isBinary) => {
    socket.send(data, { binary: isBinary });
  });
});
