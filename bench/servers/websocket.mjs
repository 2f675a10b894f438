// The package websocket. Its limits of 64 KiB a frame and 1 MiB a message are raised, and nothing else.

import http from 'node:http';
import https from 'node:https';
import { say, settings } from './control.mjs';
import { installed } from './installed.mjs';

const { mode, cert, key } = settings;
const { server: WebSocketServer } = installed('websocket');
const httpServer = cert ? https.createServer({ cert, key }) : http.createServer();
const most = 16 * 1024 * 1024;
const server = new WebSocketServer({
  httpServer,
  autoAcceptConnections: true,
  maxReceivedFrameSize: most,
  maxReceivedMessageSize: most,
});
const send = (connection, message) => {
  if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
  else connection.sendBytes(message.binaryData);
};
server.on('connect', (connection) => {
  connection.on('error', console.error);
  connection.on('message', (message) => {
    if (mode === 'broadcast') for (const each of server.connections) send(each, message);
    else send(connection, message);
  });
});
httpServer.listen(0, '127.0.0.1', () => say({ port: httpServer.address().port }));
