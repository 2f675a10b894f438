/** Two endpoints joined in memory, with a tap on the server's side, or on both. */
import { ClientConnection } from '../../src/connection/client-connection.ts';
import type { Platform } from '../../src/connection/options.ts';
import { ServerConnection } from '../../src/connection/server-connection.ts';
import { type DebugLevel, type DebugRecord, type DebugSink, LineDebug } from '../../src/debug/options.ts';
import { Tap } from '../../src/debug/tap.ts';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import { memoryLink, VirtualClock } from '../../src/transport/memory.ts';

export interface Tapped {
  readonly server: Endpoint;
  readonly client: Endpoint;
  readonly clock: VirtualClock;
  /** Writes bytes in the client's place, if it is `raw`. */
  readonly write: (bytes: string) => void;
  readonly lines: readonly string[];
  readonly records: readonly DebugRecord[];
  readonly failures: readonly unknown[];
}

const DEAF = { received() {}, receivedBorrowed() {}, written() {}, ended() {}, closed() {} };

/** Both ends, watched at `level` from the server's side. */
export function tapped(level: DebugLevel, { sink, raw = false }: { sink?: DebugSink; raw?: boolean } = {}): Tapped {
  const clock = new VirtualClock();
  const link = memoryLink(clock, { latency: 5 });
  const lines: string[] = [];
  const records: DebugRecord[] = [];
  const failures: unknown[] = [];
  const remember: DebugSink = (line, record) => {
    lines.push(line);
    records.push(record);
  };
  const debug = new LineDebug(level, sink ?? remember, 256, (error) => failures.push(error));
  const environment = { clock, warn: () => {} };
  let seed = 1;
  const platform: Platform = {
    random: (into) => {
      for (let i = 0; i < into.length; i++) {
        seed = (seed * 48_271) % 0x7fff_ffff;
        into[i] = seed & 255;
      }
    },
  };
  const settings = new EndpointSettings({ platform });
  const accepting = new ServerConnection(settings.connection, 0);
  const watched = { role: 'server', state: () => accepting.readyState, id: 7 } as const;
  const server = new Endpoint(accepting, new Tap(link.left, watched, clock, debug), settings, environment, {
    request: (endpoint) => {
      accepting.accept(clock.now());
      endpoint.wake();
    },
  });
  const asking = new ClientConnection({ host: 'example.test', target: '/chat' }, settings.connection, 0);
  const client = new Endpoint(asking, link.right, settings, environment);
  server.start();
  if (raw) link.right.start(DEAF);
  else client.start();
  const write = (bytes: string) => void link.right.write([new Uint8Array(Buffer.from(bytes, 'latin1'))]);
  return { server, client, clock, write, lines, records, failures };
}
