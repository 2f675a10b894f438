// The socket itself: `net` writing frames encoded beforehand, one write for each turn.

import net from 'node:net';
import { encodeMessage } from '../load/payload.mjs';
import { settings } from '../servers/control.mjs';
import { drive } from './drive.mjs';

drive(
  (url, onMessage, message, turn) =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(url);
      const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
      const frame = encodeMessage({ data: Buffer.from(message), kind: settings.kind, key });
      const batch = Buffer.concat(Array(turn).fill(frame));
      const socket = net.connect({ host: hostname, port: Number(port), noDelay: true });
      socket.write(
        `GET / HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      socket.once('data', () => {
        socket.on('data', onMessage);
        resolve({ sendTurn: () => socket.write(batch), unsent: () => socket.writableLength });
      });
      socket.on('error', reject);
    }),
);
