/**
 * Serves one connection over its own standard input and output: an echo. `parent.ts` starts it.
 *
 * Standard output belongs to the WebSocket: whatever is to be read by people goes to standard error, so `console.error` and never
 * `console.log`. When the connection is over, nothing keeps this process, and it ends.
 */
import { Endpoint, EndpointSettings } from '../../src/endpoint/index.ts';
import { ServerConnection } from '../../src/index.ts';
import { nodeEnvironment, nodePlatform } from '../../src/transport/node/index.ts';
import { overStdio } from './transport.ts';

const { clock } = nodeEnvironment;
const settings = new EndpointSettings({ platform: nodePlatform });
const connection = new ServerConnection(settings.connection, clock.now());
const transport = overStdio(process.stdin, process.stdout);
const socket = new Endpoint(connection, transport, settings, nodeEnvironment, {
  request(endpoint) {
    connection.accept(clock.now());
    endpoint.wake();
  },
});
// A parent that does not read what it is sent is not read from either.
socket.on('message', ({ data }) => {
  const { writable } = socket.send(data);
  return writable ? undefined : socket.drained();
});
socket.on('close', ({ code }) => console.error(`child: closed with ${code}`));
socket.start();
