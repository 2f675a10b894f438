/** Run by close.test.ts as a process of its own: it must end without anybody ending it. */
import { connect } from '../../src/client/index.ts';
import { serve } from '../../src/server/index.ts';

const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
  socket.on('message', ({ data }) => socket.send(data));
});
const client = await connect(server.url);
client.send('echo');
for await (const { data } of client) {
  console.log(data);
  break;
}
await client.close();
if (process.argv[2] === 'close') await server.close();
else server.unref();
console.log('done');
