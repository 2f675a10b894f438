import { connect, type Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { BackendWriter } from '../../src/gateway/backend-writer.ts';
import { nodeClock } from '../../src/transport/node/clock.ts';
import { backend, cleanUp, deferred, folder } from './support.ts';

/** A writer to somebody who does not read before they are asked to. */
async function stuck(): Promise<{ writer: BackendWriter; socket: Socket; peer: Socket; drained: () => number }> {
  const path = `${folder()}/b`;
  const accepted = deferred<Socket>();
  await backend(path, (each) => accepted.resolve(each.pause()));
  const socket = connect(path);
  cleanUp(() => socket.destroy());
  const peer = await accepted.promise;
  let count = 0;
  const writer = new BackendWriter(socket, nodeClock, () => count++);
  return { writer, socket, peer, drained: () => count };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('T69: bytes that dribble in while a backend does not read are joined, not kept a buffer each', async () => {
  const { writer, socket, peer, drained } = await stuck();
  const sent: number[] = [];
  const write = (bytes: Uint8Array) => {
    for (const octet of bytes) sent.push(octet);
    writer.write(bytes);
  };
  while (socket.writableLength === 0) {
    write(new Uint8Array(50_000).fill(sent.length / 50_000));
    await turn();
  }
  const [before, called] = [process.memoryUsage().arrayBuffers, drained()];
  for (let i = 0; i < 400; i++) {
    write(Uint8Array.of(i & 0xff));
    await turn();
  }
  // A buffer of 128 KiB for each byte would be 50 MiB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1_048_576);
  expect(drained()).toBe(called);
  expect(writer.unsent).toBeGreaterThan(400);
  const got: Buffer[] = [];
  peer.on('data', (chunk) => got.push(chunk)).resume();
  await vi.waitFor(() => expect(Buffer.concat(got).length).toBe(sent.length));
  expect(Buffer.concat(got).equals(Buffer.from(sent))).toBe(true);
  await vi.waitFor(() => expect(drained()).toBeGreaterThan(called));
  expect(writer.unsent).toBe(0);
});

test('an end takes along what was joined', async () => {
  const { writer, socket, peer } = await stuck();
  let size = 0;
  while (socket.writableLength === 0) {
    writer.write(new Uint8Array(50_000));
    size += 50_000;
    await turn();
  }
  writer.write(Uint8Array.of(1, 2, 3));
  await turn();
  writer.end();
  writer.end();
  writer.write(Uint8Array.of(4));
  const got: Buffer[] = [];
  peer.on('data', (chunk) => got.push(chunk)).resume();
  await new Promise((resolve) => peer.once('end', resolve));
  const all = Buffer.concat(got);
  expect([all.length, ...all.subarray(-3)]).toEqual([size + 3, 1, 2, 3]);
});

test('a backend that is reset while it holds things up takes the rest along', async () => {
  const { writer, socket, peer, drained } = await stuck();
  socket.on('error', () => {});
  while (socket.writableLength === 0) {
    writer.write(new Uint8Array(50_000));
    await turn();
  }
  const called = drained();
  writer.write(Uint8Array.of(1));
  peer.destroy();
  await new Promise((resolve) => socket.once('close', resolve));
  writer.write(Uint8Array.of(2));
  await turn();
  writer.end();
  expect(drained()).toBe(called);
});
