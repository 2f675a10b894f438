/** Run by warning.test.ts as a process of its own: what its listener throws is told on standard error. */
import { connect } from '../../src/client/index.ts';
import { serve } from '../../src/server/index.ts';

const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
  socket.on('message', () => {
    throw new TypeError('a defect of the application', { cause: new RangeError('and what it came from') });
  });
});
const client = await connect(server.url);
client.send('go');
client.resume();
await client.closed;
await server.close();
