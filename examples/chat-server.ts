/**
 * Passes what one says to everybody else. Run it with `npx tsx examples/chat-server.ts [port]`, then start
 * `npx tsx examples/client.ts ws://127.0.0.1:8080/?name=ada` in two terminals.
 */
import { serve } from '../src/server/index.ts';

const options = { host: '127.0.0.1', port: Number(process.argv[2] ?? 8080), maxMessageSize: 4096 };
let guests = 0;

const server = await serve(options, (socket, request) => {
  const name = new URLSearchParams(request.query).get('name') || `guest-${++guests}`;

  socket.on('open', () => server.broadcast(`${name} joined`, { except: socket }));
  socket.on('message', ({ kind, data }) => {
    if (kind === 'binary') void socket.close(1003, 'text only');
    else server.broadcast(`${name}: ${data}`, { except: socket });
  });
  socket.on('close', () => server.broadcast(`${name} left`));
});

console.log(`chat on ${server.url}`);
process.once('SIGINT', () => server.close());
