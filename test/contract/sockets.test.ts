/** The contract of transports over Node's sockets: TCP and UNIX, with and without Node's internals. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type ListenOptions, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterAll } from 'vitest';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import { EstablishedConnection } from '../../src/index.ts';
import { nodeEnvironment, nodePlatform, publicPlatform, SocketTransport } from '../../src/transport/node/index.ts';
import { describeContract, idle, type Join } from './contract.ts';

function over(listen: () => ListenOptions, internals: boolean): Join {
  return async (options) => {
    const listener = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve) => listener.listen(listen(), resolve));
    const address = listener.address();
    const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
    const target =
      typeof address === 'string' ? { path: address } : { port: (address as { port: number }).port, host: '127.0.0.1' };
    const dialed = dial({ ...target, allowHalfOpen: true });
    const sockets = { server: await accepted, client: dialed };
    const { clock } = nodeEnvironment;
    const make = (role: 'server' | 'client') => {
      const platform = internals ? nodePlatform : publicPlatform;
      const settings = new EndpointSettings({ platform, ...options[role] });
      const connection = new EstablishedConnection({ role }, settings.connection, clock.now());
      const transport = new SocketTransport(sockets[role], { internals });
      const endpoint = new Endpoint(connection, transport, settings, nodeEnvironment);
      endpoint.start();
      return endpoint;
    };
    const pair = { server: make('server'), client: make('client') };
    return {
      ...pair,
      until: (promise) => promise,
      idle,
      reset() {
        if (typeof address === 'string') sockets.client.destroy(new Error('reset by the test'));
        else sockets.client.resetAndDestroy();
      },
      async dispose() {
        pair.client.terminate();
        pair.server.terminate();
        await new Promise((resolve) => listener.close(resolve));
      },
    };
  };
}

const directory = mkdtempSync(joinPath(tmpdir(), 'sansocket-'));
let count = 0;
const unix = () => ({ path: joinPath(directory, `${count++}.sock`) });
const tcp = () => ({ port: 0, host: '127.0.0.1' });
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeContract('net', over(tcp, true));
describeContract('net, public API only', over(tcp, false));
describeContract('UNIX socket', over(unix, true));
