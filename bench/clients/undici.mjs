// undici's client, with the events of the browser's WebSocket.

import { WebSocket } from 'undici';
import { drive } from './drive.mjs';

drive(
  (url, onMessage) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      socket.addEventListener('message', onMessage);
      socket.addEventListener('error', reject);
      socket.addEventListener('open', () => {
        resolve({ send: (message) => socket.send(message), unsent: () => socket.bufferedAmount });
      });
    }),
);
