/**
 * A game that talks to another: one script listens, one connects, and both print what their callbacks get.
 *
 *     npx tsx examples/defold/main.ts           both in this process
 *     npx tsx examples/defold/main.ts wss://…   the client alone
 */
import { type Connection, type Data, Websocket } from './websocket.ts';

class Script {
  readonly name: string;
  readonly websocket: Websocket<Script>;
  connection: Connection | null = null;
  /** How many came, and went. */
  guests = 0;

  constructor(name: string) {
    this.name = name;
    this.websocket = new Websocket<Script>(this, { log: (line) => console.log(`${name}: ${line}`) });
  }
}

function websocket_callback(self: Script, conn: Connection, data: Data): void {
  const { websocket } = self;
  const print = (text: string) => console.log(`${self.name}: ${text}`);
  if (data.event === websocket.EVENT_CONNECTED) {
    print(`connected to ${data.ip_address}`);
    if (conn === self.connection) websocket.send(conn, 'hello', { type: websocket.DATA_TYPE_TEXT });
  } else if (data.event === websocket.EVENT_MESSAGE) {
    print(`received '${data.message}'`);
    if (conn === self.connection) websocket.disconnect(conn);
    else websocket.send(conn, `you said ${data.message}`, { type: websocket.DATA_TYPE_TEXT });
  } else if (data.event === websocket.EVENT_ERROR) {
    const { status, response } = data.handshake_response ?? {};
    print(`error: ${data.message}${status === undefined ? '' : ` (${status}: ${response?.trim()})`}`);
  } else if (data.event === websocket.EVENT_DISCONNECTED) {
    print(`disconnected, code ${data.code}`);
    if (conn === self.connection) self.connection = null;
    if (--self.guests === 0) void websocket.stop_listening();
  }
}

const params = { timeout: 3_000, headers: 'X-Game: example\r\n' };
const client = new Script('client');
const [url] = process.argv.slice(2);
if (url === undefined) {
  const server = new Script('server');
  server.guests = 1;
  if (await server.websocket.listen(0, 16, 60, websocket_callback, { host: '127.0.0.1' })) {
    client.connection = client.websocket.connect(`${server.websocket.url}/game`, params, websocket_callback);
  }
} else {
  client.connection = client.websocket.connect(url, params, websocket_callback);
}
