/** What a browser never sends reaches the demo, too. */
import { expect, test } from 'vitest';
import { startDemo } from '../../examples/demo/server.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';

test('a target that is no URL opens a chat like any other: its query is read as the request has it', async () => {
  const demo = await startDemo([0]);
  const { port } = new URL(demo.url);
  const peer = await RawPeer.to(Number(port));
  peer.write(upgradeRequest('http://demo:99999/chat?name=ada', { Host: `127.0.0.1:${port}` }));
  await peer.until('"name":"ada"');
  expect(statusOf(peer.received)).toBe(101);
  expect(peer.received).toContain('"type":"welcome"');
  peer.socket.destroy();
  await demo.close();
});
