/** Run by namespaces.ts inside of a namespace: 20 connections, or their server, and how they ended. Ends with its input. */
import { connect } from '../../src/client/index.ts';
import type { CloseEvent } from '../../src/endpoint/events.ts';
import { serve } from '../../src/server/index.ts';

const COUNT = 20;
const heartbeat = { pingInterval: 500, pongTimeout: 500 };
/** What a busy machine may add to both, and the second in which a Close may still leave. */
const SLACK = 10_000;
const [role, url] = process.argv.slice(2);
const lastHeard: number[] = [];
const ends: string[] = [];

function ended(socket: number, { code, error }: CloseEvent): void {
  const silence = performance.now() - lastHeard[socket]!;
  const bounds =
    silence <= heartbeat.pingInterval + heartbeat.pongTimeout + SLACK ? 'within bounds' : `after ${silence} ms`;
  ends.push(`${code} ${error?.code} ${bounds}`);
  if (ends.length === COUNT) console.log(`${COUNT} closed: ${[...new Set(ends)].join('; ')}`);
}

process.stdin.resume().on('end', () => process.exit());
if (role === 'server') {
  let count = 0;
  const server = await serve({ port: 0, host: '0.0.0.0', ...heartbeat }, (socket) => {
    const number = count++;
    lastHeard[number] = performance.now();
    for (const event of ['ping', 'pong', 'message'] as const) {
      socket.on(event, () => {
        lastHeard[number] = performance.now();
      });
    }
    socket.on('close', (event) => ended(number, event));
  });
  console.log(server.port);
} else {
  for (let i = 0; i < COUNT; i++) {
    const socket = await connect(url!, heartbeat);
    lastHeard[i] = performance.now();
    for (const event of ['ping', 'pong', 'message'] as const) {
      socket.on(event, () => {
        lastHeard[i] = performance.now();
      });
    }
    socket.on('close', (event) => ended(i, event));
    await socket.ping();
  }
  console.log('open');
}
