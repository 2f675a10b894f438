// The WebSocket that a runtime has built in: Bun's and Deno's.

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
