/** Endpoints over HTTP/2: the shells of node:http2 on a real socket. */
import { connect as connectHttp2, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Endpoint } from '../../../src/endpoint/endpoint.ts';
import { attach, connect } from '../../../src/transport/http2/index.ts';
import type { Join } from '../cases.ts';
import { shells } from './established.ts';

export const overHttp2: Join = async (options) => {
  const http2 = createServer();
  let accept: (endpoint: Endpoint) => void = () => {};
  const accepted = new Promise<Endpoint>((resolve) => {
    accept = resolve;
  });
  const server = attach(http2, options.server ?? {}, accept);
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const origin = `127.0.0.1:${(http2.address() as AddressInfo).port}`;
  const session = connectHttp2(`http://${origin}`);
  const connecting = connect(session, `ws://${origin}/`, options.client ?? {});
  return shells(
    () => new Promise((resolve) => setTimeout(resolve, 20)),
    accepted,
    connecting,
    () => session.destroy(),
    async () => {
      session.destroy();
      await server.close();
      await new Promise((resolve) => http2.close(resolve));
    },
  );
};
