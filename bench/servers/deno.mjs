// Deno's own server, run by Deno.

import { say, settings } from './control.mjs';

const { mode, cert, key } = settings;
const all = new Set();
Deno.serve(
  {
    hostname: '127.0.0.1',
    port: 0,
    ...(cert ? { cert, key } : {}),
    onListen: ({ port }) => say({ port }),
  },
  (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = 'arraybuffer';
    if (mode === 'broadcast') {
      socket.onopen = () => all.add(socket);
      socket.onclose = () => all.delete(socket);
      socket.onmessage = ({ data }) => {
        for (const each of all) if (each.readyState === 1) each.send(data);
      };
    } else {
      socket.onmessage = ({ data }) => socket.send(data);
    }
    return response;
  },
);
