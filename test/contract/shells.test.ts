/** The contract of transports over the shells: TLS, and upgrades of node:http. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from '../../src/client/index.ts';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { attach, type Server, serve } from '../../src/server/index.ts';
import { authority, local as certificate } from '../support/certificates.ts';
import { describeContract, idle, type Join } from './contract.ts';

async function joinThrough(
  server: Server,
  url: string,
  accepted: Promise<Endpoint>,
  options: Parameters<typeof connect>[1],
  dispose: () => Promise<unknown>,
): ReturnType<Join> {
  const client = await connect(url, options);
  const other = await accepted;
  return {
    client,
    server: other,
    until: (promise) => promise,
    idle,
    reset() {
      const { transport } = client as unknown as { transport: { socket: { destroy(error: Error): void } } };
      transport.socket.destroy(new Error('reset by the test'));
    },
    async dispose() {
      client.terminate();
      other.terminate();
      await server.close();
      await dispose();
    },
  };
}

describeContract('TLS', async ({ server: serverOptions, client: clientOptions }) => {
  let accept: (endpoint: Endpoint) => void = () => {};
  const accepted = new Promise<Endpoint>((resolve) => (accept = resolve));
  const { key, cert } = certificate;
  const server = await serve({ ...serverOptions, port: 0, host: '127.0.0.1', tls: { key, cert } }, accept);
  const url = `wss://localhost:${server.port}/`;
  const tls = { ca: authority };
  return joinThrough(server, url, accepted, { ...clientOptions, tls, family: 4 }, async () => {});
});

describeContract('http upgrade', async ({ server: serverOptions, client: clientOptions }) => {
  let accept: (endpoint: Endpoint) => void = () => {};
  const accepted = new Promise<Endpoint>((resolve) => (accept = resolve));
  const http = createServer();
  const server = attach(http, serverOptions ?? {}, accept);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  return joinThrough(server, url, accepted, { ...clientOptions }, () => new Promise((resolve) => http.close(resolve)));
});
