// The socket itself: `net` (or `tls`) echo of the same bytes. In mode 'handshake' a canned 101 and a canned Close.

import net from 'node:net';
import tls from 'node:tls';
import { say, settings } from './control.mjs';

const { mode, cert, key } = settings;
const ANSWER =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const CLOSE = Buffer.from([0x88, 0x02, 0x03, 0xe8]);

function echo(socket) {
  socket.on('data', (data) => socket.write(data));
  socket.on('error', () => {});
}

function handshake(socket) {
  let answered = false;
  socket.on('data', () => {
    if (answered) socket.end(CLOSE);
    else socket.write(ANSWER);
    answered = true;
  });
  socket.on('error', () => {});
}

const listener = mode === 'handshake' ? handshake : echo;
// Without noDelay a TLS echo of more than one record waits for delayed acknowledgements.
const server = cert ? tls.createServer({ cert, key, noDelay: true }, listener) : net.createServer(listener);
server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
