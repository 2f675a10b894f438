/** The shells on node: modules, which Deno and Bun have too. */
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer, connect as dial, type Socket } from 'node:net';
import { connect } from '../../../src/client/index.ts';
import { serve } from '../../../src/server/index.ts';
import { attach, connect as connectOverHttp2 } from '../../../src/transport/http2/index.ts';
import { nodeEnvironment, nodePlatform, SocketTransport } from '../../../src/transport/node/index.ts';
import { established } from '../../contract/joins/established.ts';
import { overHttp2 } from '../../contract/joins/http2.ts';
import { authority, local } from '../../support/certificates.ts';
import { clientCases, serverCase } from '../peers.ts';
import type { Extra, Shell } from '../suite.ts';
import { peerPort, securePeerPort } from './shared.ts';

const idle = () => new Promise<void>((resolve) => setTimeout(resolve, 20));

const overNet = established({ environment: nodeEnvironment, platform: nodePlatform, idle }, async () => {
  const listener = createServer({ allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  const { port } = listener.address() as AddressInfo;
  const client = dial({ port, host: '127.0.0.1', allowHalfOpen: true });
  const server = await accepted;
  return {
    server: new SocketTransport(server),
    client: new SocketTransport(client),
    reset: () => client.destroy(new Error('reset by the test')),
    dispose: () => new Promise((resolve) => listener.close(resolve)),
  };
});

export const nodeShells: readonly Shell[] = [
  { name: 'node:net', join: overNet },
  { name: 'node:http2', join: overHttp2 },
];

export function nodeExtras(say: (line: string) => void): readonly Extra[] {
  return [
    ...clientCases('node:net', (options) => connect(`ws://127.0.0.1:${peerPort}/`, options)),
    serverCase('node:net', say, async (handler, options) => {
      const server = await serve({ ...options, port: 0, host: '127.0.0.1' }, handler);
      return { port: server.port!, close: () => server.close() };
    }),
    ...clientCases('node:tls', (options) =>
      connect(`wss://localhost:${securePeerPort}/`, { ...options, tls: { ca: authority } }),
    ),
    serverCase(
      'node:tls',
      say,
      async (handler, options) => {
        const server = await serve({ ...options, port: 0, host: '127.0.0.1', tls: local }, handler);
        return { port: server.port!, close: () => server.close() };
      },
      true,
    ),
    {
      shell: 'node:http2',
      name: 'several WebSockets on one connection',
      async run() {
        const http2 = createHttp2();
        const server = attach(http2, { subprotocols: ['echo'] }, (socket) => {
          socket.on('message', ({ data }) => void socket.send(data));
        });
        await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
        const origin = `127.0.0.1:${(http2.address() as AddressInfo).port}`;
        const session = connectHttp2(`http://${origin}`);
        const sockets = await Promise.all(
          Array.from({ length: 20 }, () => connectOverHttp2(session, `ws://${origin}/`, { subprotocols: ['echo'] })),
        );
        const echoes = sockets.map(async (socket, i) => {
          socket.send(`message ${i}`);
          for await (const { data } of socket) return data === `message ${i}` && socket.subprotocol === 'echo';
          return false;
        });
        const right = (await Promise.all(echoes)).filter(Boolean).length;
        if (right !== 20 || server.connections.size !== 20) throw new Error(`${right} of 20 are right`);
        await Promise.all(sockets.map((socket) => socket.close()));
        session.close();
        await server.close();
        await new Promise((resolve) => http2.close(resolve));
      },
    },
  ];
}
