/** Run by restart.test.ts as a process of its own: a client whose server is not there. It prints what it does. */
import { ReconnectingClient } from '../../src/client/index.ts';

const [mode] = process.argv.slice(2);
const client = new ReconnectingClient('ws://127.0.0.1:9/', {
  reconnect: { minWait: 150, maxWait: 200, firstWait: 50 },
});
let failures = 0;
client.on('error', ({ code }) => {
  console.log(code);
  failures++;
  if (mode === 'unref') client.unref();
  // The process lived through a wait.
  if (mode === 'stop' && failures === 2) void client.stop();
});
client.on('stop', () => console.log('stopped'));
await client.start();
