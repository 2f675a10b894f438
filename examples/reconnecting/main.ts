/**
 * A client that outlives its server.
 *
 *     npx tsx examples/reconnecting/main.ts              a server of its own, which it takes away twice
 *     npx tsx examples/reconnecting/main.ts wss://…      any server; lines of standard input are sent, Ctrl-D ends
 */
import { createInterface } from 'node:readline';
import { ReconnectingClient } from '../../src/client/index.ts';
import { serve } from '../../src/server/index.ts';

const [url] = process.argv.slice(2);
if (url === undefined) await demonstrate();
else await talk(url);

/** Prints what becomes of a connection and of those that follow it. */
function watch(client: ReconnectingClient): ReconnectingClient {
  client.on('open', ({ retries }) => console.log(`open${retries > 0 ? ` again, failures before: ${retries}` : ''}`));
  client.on('message', ({ data }) => console.log(`< ${data}`));
  client.on('error', ({ reason, waitTime }) => {
    console.log(waitTime === null ? `gave up: ${reason}` : `${reason}; again in ${waitTime} ms`);
  });
  client.on('close', ({ code, clean, waitTime }) => {
    if (clean && waitTime !== null) console.log(`closed with ${code}; again in ${waitTime} ms`);
  });
  client.on('stop', () => console.log('stopped'));
  return client;
}

async function talk(to: string): Promise<void> {
  const client = watch(new ReconnectingClient(to, { proxy: 'environment', redirects: 5 }));
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { success, code, wireSize } = client.send(line);
    if (!success) console.log(`not sent: ${code}`);
    else if (wireSize === 0) console.log('waits for a connection');
  });
  lines.on('close', () => client.stop());
  client.on('stop', () => lines.close());
  await client.start();
}

async function demonstrate(): Promise<void> {
  const start = (port: number) =>
    serve({ host: '127.0.0.1', port }, (socket) => {
      socket.on('message', ({ data }) => socket.send(`heard ${data}`));
    });
  let server = await start(0);
  const port = server.port!;
  // Shorter waits than the default's, for a demonstration.
  const reconnect = { firstWait: 200, maxWait: 1_000 };
  const client = watch(new ReconnectingClient(`ws://127.0.0.1:${port}/`, { reconnect }));
  const next = (type: 'open' | 'message') =>
    new Promise<void>((resolve) => {
      const off = client.on(type, () => {
        off();
        resolve();
      });
    });

  await client.start();
  client.send('one');
  await next('message');

  // A farewell: 1001, and everybody knows.
  await server.close();
  // There is no connection now: the message waits in the queue.
  client.send('two');
  server = await start(port);
  await next('message');

  // None: the connection breaks.
  for (const socket of server.connections) socket.terminate();
  await next('open');

  await client.stop();
  await server.close();
}
