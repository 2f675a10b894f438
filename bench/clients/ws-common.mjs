// A client of ws, whichever build of it, with its default options.

import { once } from 'node:events';
import { drive } from './drive.mjs';

export function driveWith({ WebSocket }) {
  drive(async (url, onMessage) => {
    const socket = new WebSocket(url);
    socket.on('message', onMessage);
    await once(socket, 'open');
    return { send: (message) => socket.send(message), unsent: () => socket.bufferedAmount };
  });
}
