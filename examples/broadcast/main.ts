/**
 * A broadcast server: what one connection sends, all others get, text as text and binary as binary. Run it with
 * `npx tsx examples/broadcast/main.ts [port]` and connect any WebSocket clients to it. It shows what a server can do with many
 * connections: topics, policies for slow peers, an address list, caps, metrics.
 *
 * - Connect to `/`, and you get what everybody else sends.
 * - Connect to `/rooms/NAME`, and you get what others send in that room.
 */
import { fileURLToPath } from 'node:url';
import { EventNumber, type Server, serve } from '../../src/server/index.ts';

/** What is kept with each connection. */
export interface Visitor {
  /** The topic that it sends to, or null for everybody. */
  readonly room: string | null;
}

/** Starts the server; `log` gets a line for each event of each connection. */
export async function start(port: number, log: (line: string) => void = () => {}): Promise<Server<Visitor>> {
  const server: Server<Visitor> = await serve<Visitor>(
    {
      port,
      host: '127.0.0.1',
      allowedAddresses: ['127.0.0.0/8', '::1'],
      maxConnections: 10_000,
      maxConnectionsPerAddress: 1_000,
      authorize: ({ path }) => {
        const [, room] = /^\/rooms\/([\w-]{1,32})$/.exec(path) ?? [];
        if (room === undefined && path !== '/') return { status: 404, body: 'connect to / or /rooms/NAME\n' };
        return { context: { room: room ?? null } };
      },
      onEvent: (socket, event) => log(`${EventNumber[event.type]} ${event.type} ${socket.id}`),
    },
    (socket) => {
      const { room } = socket.context;
      if (room !== null) socket.subscribe(room);
      socket.on('message', ({ kind, data }) => {
        // A peer that does not read misses messages; it holds up nobody, and is not closed for it.
        const options = { except: socket, binary: kind === 'binary', slow: 'drop' } as const;
        if (room === null) server.broadcast(data, { ...options, path: '/' });
        else server.publish(room, data, options);
      });
    },
  );
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await start(Number(process.argv[2] ?? 8080), console.log);
  console.log(`broadcast on ${server.url}; Ctrl-C prints what was counted, and ends`);
  process.once('SIGINT', () => {
    console.log(server.metrics());
    void server.close();
  });
}
