// The package websocket-driver, joined to sockets as its README does.

import http from 'node:http';
import https from 'node:https';
import { say, settings } from './control.mjs';
import { installed } from './installed.mjs';

const { mode, cert, key } = settings;
const websocket = installed('websocket-driver');
const server = cert ? https.createServer({ cert, key }) : http.createServer();
const all = new Set();
server.on('upgrade', (request, socket, head) => {
  const driver = websocket.http(request);
  socket.setNoDelay(true);
  driver.io.write(head);
  socket.pipe(driver.io).pipe(socket);
  socket.on('error', () => {});
  driver.messages.on('data', (message) => {
    if (mode === 'broadcast') for (const each of all) each.messages.write(message);
    else driver.messages.write(message);
  });
  all.add(driver);
  driver.on('close', () => all.delete(driver));
  driver.start();
});
server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
