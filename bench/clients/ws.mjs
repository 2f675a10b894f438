// ws's client with its default options.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { drive } from './drive.mjs';

drive(async (url, onMessage) => {
  const socket = new WebSocket(url);
  socket.on('message', onMessage);
  await once(socket, 'open');
  return { send: (message) => socket.send(message), unsent: () => socket.bufferedAmount };
});
