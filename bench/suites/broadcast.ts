// One message to a thousand connections: deliveries a second, one message at a time and sixteen in a turn; and what peers
// that never read cost the others and the server.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Bench, type Contender, interleave, serverContender, startServer } from '../harness/bench.ts';
import type { LoadOptions, Sample } from '../harness/load-generator.ts';
import { type Peer, peersFor } from '../harness/peers.ts';
import { type Row, type SuiteReport, summarise } from '../harness/result.ts';
import { median } from '../harness/statistics.ts';

const CONNECTIONS = 1000;
const SIZE = 128;
/** Connections that never read, and what may wait for each of them. */
const SILENT = 50;
const MOST_WAITING = 1_048_576;

export async function broadcast(bench: Bench): Promise<SuiteReport> {
  const rows: Row[] = [];
  for (const kind of ['binary', 'text']) {
    for (const depth of [1, 16]) {
      const load = { mode: 'broadcast', kind, size: SIZE, connections: CONNECTIONS, depth };
      const name = `${SIZE} B ${kind} to ${load.connections} connections, ${depth} a turn`;
      if (!name.includes(bench.options.filter)) continue;
      const outcomes = await interleave(bench, name, peersFor('server'), (peer) =>
        serverContender(bench, peer, { mode: 'broadcast' }, load),
      );
      rows.push(summarise(name, 'delivery', outcomes));
    }
  }
  const name = `${SIZE} B binary to ${CONNECTIONS} connections, 16 a turn, and ${SILENT} that never read`;
  if (name.includes(bench.options.filter)) rows.push(await runSilent(bench, name));
  return { suite: 'broadcast', rows };
}

/** What is learned beside the deliveries a second. */
interface Cost {
  /** Deliveries to those that read, with the silent ones there divided by without them. */
  readonly ratio: number;
  /** MiB of resident memory that came with them, a silent connection. */
  readonly memory: number;
}

async function runSilent(bench: Bench, name: string): Promise<Row> {
  const costs: Cost[] = [];
  const outcomes = await interleave(bench, name, ['ours'], (peer) => silentContender(bench, peer, costs));
  const row = summarise(name, 'delivery', outcomes);
  if (costs.length === 0) return row;
  const ratio = median(costs.map((cost) => cost.ratio)).toFixed(2);
  const memory = median(costs.map((cost) => cost.memory)).toFixed(2);
  const note = `${ratio} of the rate without them; ${memory} MiB for each, of at most ${MOST_WAITING / 1_048_576}`;
  return { ...row, peers: row.peers.map((entry) => ({ ...entry, notes: [...entry.notes, note] })) };
}

/** Measures twice a round: without the silent connections, and with them. */
async function silentContender(bench: Bench, entry: Peer, costs: Cost[]): Promise<Contender> {
  const load = { mode: 'broadcast', kind: 'binary', size: SIZE, connections: CONNECTIONS, depth: 16 };
  const options = { maxBufferedAmount: MOST_WAITING, overflow: 'refuse' };
  return {
    async measure() {
      // A fresh server each time: memory once used by a process is seldom given back.
      const { server, port } = await startServer(entry, { mode: 'broadcast', options }, ['--expose-gc']);
      const silent: Socket[] = [];
      const residentSize = async () => {
        server.say('memory');
        return (await server.next<{ rss: number }>(10_000)).rss;
      };
      try {
        // Long enough to fill what may wait, and what the kernel takes besides.
        const fill = { ...load, size: 3_000, connections: 10 };
        await measureLoad(bench, server.pid, port, fill);
        const alone = await measureLoad(bench, server.pid, port, load);
        const before = await residentSize();
        for (let i = 0; i < SILENT; i++) silent.push(await openSilent(port));
        const filled = await measureLoad(bench, server.pid, port, fill);
        const together = await measureLoad(bench, server.pid, port, load);
        if (filled.messages === 0) throw new Error('nothing was delivered beside connections that never read');
        const after = await residentSize();
        costs.push({
          ratio: together.messages / together.seconds / (alone.messages / alone.seconds),
          memory: (after - before) / 1_048_576 / SILENT,
        });
        return together;
      } finally {
        for (const socket of silent) socket.destroy();
        await server.stop();
      }
    },
    stop: async () => {},
  };
}

async function measureLoad(bench: Bench, pid: number, port: number, load: LoadOptions): Promise<Sample> {
  const { duration, warmup } = bench.options;
  const program = bench.load.start('load', { port, pid, ...load, warmup, duration });
  try {
    return await program.next<Sample>(warmup + duration + 30_000);
  } finally {
    await program.stop();
  }
}

/** A connection that opens and then reads nothing, ever. */
async function openSilent(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(
    'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  await once(socket, 'readable');
  return socket;
}
