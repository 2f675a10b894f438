/** workerd: its raw TCP sockets. A request to the HTTP socket runs the suite; what comes on the TCP socket meets an echo. */
// @ts-expect-error only workerd has it
import { connect as sockets } from 'cloudflare:sockets';
import { webEnvironment, webPlatform } from '../../../src/transport/web/index.ts';
import { connect, socketHandler, socketTransport, type WorkerdSocket } from '../../../src/transport/workerd/index.ts';
import type { Join } from '../../contract/cases.ts';
import { established } from '../../contract/joins/established.ts';
import { clientCases, RAISED } from '../peers.ts';
import { BARE, runSuite, type Shell } from '../suite.ts';
import { patience, peerPort, relayPort, securePeerPort } from './shared.ts';

const idle = () => new Promise<void>((resolve) => setTimeout(resolve, 20));

/** Both ends are ours; the runner's relay joins them. */
const overSockets: Join = (options) =>
  established({ environment: webEnvironment(), platform: webPlatform, idle }, async () => {
    const dial = async () => {
      const socket = sockets(
        { hostname: '127.0.0.1', port: relayPort },
        { secureTransport: 'off', allowHalfOpen: true },
      ) as WorkerdSocket;
      return socketTransport(socket);
    };
    const [server, client] = [await dial(), await dial()];
    return {
      server,
      client,
      reset: () => (client as unknown as { fail(e: Error): void }).fail(new Error('reset by the test')),
    };
  })(options);

const handler = socketHandler({ ...RAISED, subprotocols: ['echo'] }, (socket) => {
  socket.on('message', ({ data }) => void socket.send(data));
});

export default {
  connect: handler,
  async fetch(request: Request): Promise<Response> {
    if (request.method === 'HEAD') return new Response();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const encoder = new TextEncoder();
    const say = (line: string) => void writer.write(encoder.encode(`${line}\n`)).catch(() => {});
    const echoPort = Number(new URL(request.url).searchParams.get('echo'));
    const { overStreams } = await import('../../contract/joins/web.ts');
    const shells: Shell[] = [
      ...BARE,
      { name: 'web streams', join: overStreams },
      { name: 'cloudflare:sockets', join: overSockets },
    ];
    const client = (url: string) => (options: object) => connect(url, { sockets, ...options });
    void runSuite({
      say,
      patience,
      shells,
      extras: [
        ...clientCases('cloudflare:sockets', client(`ws://127.0.0.1:${peerPort}/`)),
        ...clientCases('cloudflare:sockets, TLS', client(`wss://localhost:${securePeerPort}/`)),
        ...clientCases('connect() handler', client(`ws://127.0.0.1:${echoPort}/`)).slice(0, 1),
      ],
    }).finally(() => writer.close());
    return new Response(readable);
  },
};
