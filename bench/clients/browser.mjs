// Drives a client that has the events of the browser's WebSocket.

import { drive } from './drive.mjs';

export function driveBrowserLike(WebSocket) {
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
}
