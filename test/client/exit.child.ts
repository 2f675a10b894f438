/** Run by exit.test.ts as a process of its own: a client that has nothing but its connection. It prints what it is told. */
import { connect, ReconnectingClient } from '../../src/client/index.ts';

const [url = '', mode] = process.argv.slice(2);
if (mode === 'reconnecting') {
  const client = new ReconnectingClient(url, { reconnect: { firstWait: 10, maxWait: 10 } });
  client.on('close', ({ code, waitTime }) => console.log(code, waitTime === null ? 'over' : 'again'));
  client.on('stop', () => console.log('stopped'));
  await client.start();
  client.send('telemetry');
} else {
  const socket = await connect(url, { closeTimeout: 300 });
  if (mode === 'busy' || mode === 'unref') {
    socket.on('message', () => {
      if (mode === 'unref') socket.unref();
      return new Promise(() => {});
    });
  }
  socket.on('close', ({ code }) => console.log('close', code));
  socket.send('here');
  console.log('closed', (await socket.closed).code);
}
