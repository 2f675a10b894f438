/**
 * Sends each line of standard input as a text message and prints what comes.
 * Run it with `npx tsx examples/client.ts [url]`; Ctrl-D closes.
 */
import { createInterface } from 'node:readline';
import { connect } from '../src/client/index.ts';

const socket = await connect(process.argv[2] ?? 'ws://127.0.0.1:8080/');
void socket.ping().then((latency) => console.log(`open, round trip ${latency?.toFixed(2)} ms`));

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => socket.send(line));
lines.on('close', () => socket.close(1000, 'no more lines'));

// Ends on a clean close and throws the failure on any other.
for await (const { data } of socket) console.log(typeof data === 'string' ? `< ${data}` : data);

const { code, reason } = await socket.closed;
console.log(`closed ${code} ${reason}`);
lines.close();
