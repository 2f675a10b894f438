/** Bun: its own sockets, and those of node:. */
import type { Endpoint } from '../../../src/endpoint/endpoint.ts';
import { connect, serve } from '../../../src/transport/bun/index.ts';
import type { Join } from '../../contract/cases.ts';
import { shells } from '../../contract/joins/established.ts';
import { overPorts, overStreams, webLent } from '../../contract/joins/web.ts';
import { clientCases, serverCase } from '../peers.ts';
import { BARE, runSuite } from '../suite.ts';
import { nodeExtras, nodeShells } from './node-shells.ts';
import { patience, peerPort } from './shared.ts';

const say = (line: string) => console.log(line);

const overBun: Join = async (options) => {
  let accept: (endpoint: Endpoint) => void = () => {};
  const accepted = new Promise<Endpoint>((resolve) => {
    accept = resolve;
  });
  const server = serve({ ...options.server, port: 0, hostname: '127.0.0.1' }, accept);
  const connecting = connect(`ws://127.0.0.1:${server.port}/`, options.client);
  return shells(webLent.idle, accepted, connecting, drop, () => server.close());
};

/** Drops the socket under an endpoint. */
function drop(endpoint: Endpoint): void {
  const { transport } = endpoint as unknown as { transport: { failed(cause: unknown): void; destroy(): void } };
  transport.failed(new Error('reset by the test'));
  transport.destroy();
}

await runSuite({
  say,
  patience,
  shells: [
    ...BARE,
    { name: 'web streams', join: overStreams },
    { name: 'message port', join: overPorts },
    { name: 'Bun.listen', join: overBun },
    ...nodeShells,
  ],
  extras: [
    ...clientCases('Bun.listen', (options) => connect(`ws://127.0.0.1:${peerPort}/`, options)),
    serverCase('Bun.listen', say, async (handler, options) => {
      const server = serve({ ...options, port: 0, hostname: '127.0.0.1' }, handler);
      return { port: server.port, close: () => server.close() };
    }),
    ...nodeExtras(say),
  ],
});
process.exit(0);
