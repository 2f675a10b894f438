/** A peer that ends its direction right behind its Close and reads on: it gets all that was queued, and our Close. */
import { createServer, connect as dial, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import { EstablishedConnection } from '../../src/index.ts';
import { nodeEnvironment, nodePlatform, SocketTransport } from '../../src/transport/node/index.ts';
import { closePayload, frame, join, OP, pattern, readFrames } from '../rfc6455/support.ts';

it('half-open: Close and FIN of a peer that reads slowly', async () => {
  const listener = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve));
  const peer = dial({ port: (listener.address() as { port: number }).port, host: '127.0.0.1', allowHalfOpen: true });
  const settings = new EndpointSettings({ platform: nodePlatform, maxBufferedAmount: null });
  const connection = new EstablishedConnection({ role: 'server' }, settings.connection, nodeEnvironment.clock.now());
  const endpoint = new Endpoint(connection, new SocketTransport(await accepted), settings, nodeEnvironment);
  endpoint.resume();
  endpoint.start();
  for (let i = 0; i < 200; i++) endpoint.send(pattern(50_000, i));
  peer.pause();
  peer.end(frame({ opcode: OP.close, payload: closePayload(1000), mask: [1, 2, 3, 4] }));
  const { closed } = endpoint;
  await new Promise<void>((resolve) => {
    const wait = () => (endpoint.readyState === 'open' ? setImmediate(wait) : resolve());
    wait();
  });
  const chunks: Uint8Array[] = [];
  peer.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  peer.resume();
  await new Promise((resolve) => peer.once('close', resolve));
  const frames = readFrames(join(...chunks));
  expect(frames.length).toBe(201);
  expect(frames.at(-1)!.opcode).toBe(OP.close);
  expect(await closed).toMatchObject({ code: 1000, clean: true, remote: true });
  await new Promise((resolve) => listener.close(resolve));
});
