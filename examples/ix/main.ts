/**
 * What a 4D method does with the plugin: a server and a client, one callback, and the status of every command.
 *
 *     npx tsx examples/ix/main.ts
 */
import { Plugin } from './plugin.ts';

const NAMES = ['Message', 'Open', 'Close', 'Error', 'Ping', 'Pong', 'Fragment'];
const ix = new Plugin();

let heard: () => void = () => {};
const answered = new Promise<void>((resolve) => {
  heard = resolve;
});

ix.Websocket_SET_METHOD((type, id, json) => {
  console.log(`${NAMES[type]}(${type}) of ${id < 0 ? 'server' : 'client'} ${id}: ${json}`);
  const { str, uri } = JSON.parse(json);
  if (id < 0 && NAMES[type] === 'Message') ix.Websocket_server_send({ id, uri, message: `heard ${str}` });
  if (id > 0 && NAMES[type] === 'Message') heard();
});

const server = ix.Websocket_server({ port: 0, maxConnections: 16 });
const { uri } = await ix.Websocket_server_start(server);
const client = ix.Websocket_client({ URL: `${uri}/room`, headers: { 'X-User': 'ada' }, pingInterval: 30 });
console.log('start', await ix.Websocket_client_start({ ...client, timeout: 5 }));
console.log('send', ix.Websocket_client_send({ ...client, message: 'hello' }));
await answered;
console.log('info', ix.Websocket_client(client));
console.log('clients', ix.Websocket_server(server)?.clients.length);
await ix.Websocket_client_stop({ ...client, code: 1000, reason: 'done' });
console.log('clear', await ix.Websocket_client_clear(client), await ix.Websocket_server_clear(server));
