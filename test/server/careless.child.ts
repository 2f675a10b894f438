/**
 * Run by admission.test.ts as a process of its own: a server and a client without a listener for anything meet whatever can fail a
 * connection. It says so when it is still there.
 */
import { type AddressInfo, createServer } from 'node:net';
import { connect } from '../../src/client/index.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { serve } from '../../src/server/index.ts';
import { EXAMPLE_KEY, frame } from '../support/frames.ts';
import { RawPeer, upgradeRequest } from '../support/sockets.ts';

const times = { closeTimeout: 100, handshakeTimeout: 500 };
const server = await serve({ port: 0, host: '127.0.0.1', ...times });
const wrong = frame({ opcode: 1, rsv: 0x40, key: EXAMPLE_KEY });
const half = frame({ opcode: 1, key: EXAMPLE_KEY, payload: new Uint8Array(50) }).subarray(0, 20);
for (const frames of [wrong, half, null]) {
  for (const reset of [false, true]) {
    const peer = await RawPeer.to(server.port!);
    peer.write(frames === null ? 'GET nonsense' : upgradeRequest());
    if (frames !== null) {
      await peer.until('\r\n\r\n');
      peer.write(frames);
      await new Promise(setImmediate);
    }
    if (reset) peer.reset();
    else if (frames !== wrong) peer.socket.end();
    await peer.closed;
  }
}

const proper = (key: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`;
const answers = [
  () => 'HTTP/1.1 101\r\n\r\n',
  () => 'nonsense\r\n\r\n',
  () => '',
  // A frame with a reserved bit, behind a proper answer.
  (key: string) => `${proper(key)}\xc1\x00`,
];
const theirs = createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', (head) => {
    const [, key] = /Sec-WebSocket-Key: (\S+)/.exec(head.toString('latin1'))!;
    socket.end(answers.shift()!(key!), 'latin1');
  });
});
await new Promise<void>((resolve) => theirs.listen(0, '127.0.0.1', resolve));
const url = `ws://127.0.0.1:${(theirs.address() as AddressInfo).port}/`;
while (answers.length > 1) await connect(url, times).catch(() => {});
const client = await connect(url, times);
client.resume();
const { error } = await client.closed;
theirs.close();
await server.close({ timeout: 100 });
console.log(`still there, after ${error?.code}`);
