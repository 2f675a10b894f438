import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { BackendWriter } from '../../src/gateway/backend-writer.ts';
import { VirtualClock } from '../../src/transport/memory.ts';
import { nodeClock } from '../../src/transport/node/clock.ts';
import type { Clock } from '../../src/transport/transport.ts';
import { backend, cleanUp, deferred, folder } from './support.ts';

interface Stuck {
  readonly writer: BackendWriter;
  readonly socket: Socket;
  readonly peer: Socket;
  readonly drained: () => number;
  readonly stalled: () => number;
}

/** A writer to somebody who does not read before they are asked to. */
async function stuck(clock: Clock = nodeClock): Promise<Stuck> {
  const path = `${folder()}/b`;
  const accepted = deferred<Socket>();
  await backend(path, (each) => accepted.resolve(each.pause()));
  const socket = connect(path);
  cleanUp(() => socket.destroy());
  const peer = await accepted.promise;
  if (socket.connecting) await once(socket, 'connect');
  let count = 0;
  let stalls = 0;
  const writer = new BackendWriter(
    socket,
    clock,
    () => count++,
    () => stalls++,
  );
  return { writer, socket, peer, drained: () => count, stalled: () => stalls };
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

test('T69: a backend that takes nothing of what waits for it is found out, one that takes a little is not', async () => {
  const clock = new VirtualClock();
  const { writer, socket, peer, stalled } = await stuck(clock);
  writer.watch.within(1_000);
  const write = (size: number) => {
    writer.write(new Uint8Array(size));
    clock.runDue();
  };
  // What the kernel takes at once waits for nobody.
  write(10);
  expect(clock.pendingAlarms).toBe(0);
  while (socket.writableLength === 0) write(50_000);
  for (let i = 0; i < 8; i++) write(131_072);
  clock.advance(900);
  // It reads a part of it: the time begins anew, as long as more waits.
  let got = 0;
  const before = socket.writableLength;
  peer.on('data', (chunk) => {
    got += chunk.length;
    peer.pause();
  });
  while (socket.writableLength === before) {
    peer.resume();
    await turn();
  }
  expect(socket.writableLength).toBeGreaterThan(0);
  // More that is written is no progress.
  clock.advance(500);
  write(1_000);
  clock.advance(400);
  expect(stalled()).toBe(0);
  clock.advance(100);
  expect([stalled(), clock.pendingAlarms]).toEqual([1, 0]);
  peer.removeAllListeners('data').on('data', (chunk) => (got += chunk.length));
  peer.resume();
  await vi.waitFor(() => expect(writer.unsent).toBe(0));
  clock.advance(10_000);
  expect([stalled(), clock.pendingAlarms]).toEqual([1, 0]);
});

test('T69: the watch forgets a backend that is gone', async () => {
  const clock = new VirtualClock();
  const { writer, socket, peer, stalled } = await stuck(clock);
  socket.on('error', () => {});
  socket.on('close', () => writer.watch.rest());
  writer.watch.within(1_000);
  while (socket.writableLength === 0) {
    writer.write(new Uint8Array(50_000));
    clock.runDue();
  }
  expect(clock.pendingAlarms).toBe(1);
  peer.destroy();
  await new Promise((resolve) => socket.once('close', resolve));
  expect(clock.pendingAlarms).toBe(0);
  // A clock may wake late whom it was told to forget.
  writer.watch.wake();
  clock.advance(10_000);
  expect(stalled()).toBe(0);
});
