/** What the simulation found, each as small as it can be. */

import { expect, it } from 'vitest';
import { pair } from '../../src/testing.ts';

it('seed 9: nothing is told before open, not even that output has left', async () => {
  const { server, clock } = pair({ server: { highWaterMark: 10 } });
  const log: string[] = [];
  for (const type of ['open', 'drain'] as const) server.on(type, () => log.push(type));
  server.pause();
  await clock.run(10);
  expect(server.send('x'.repeat(100)).writable).toBe(false);
  await clock.run(10);
  expect([server.bufferedAmount, log]).toEqual([0, []]);
  server.resume();
  await clock.run(10);
  expect(log).toEqual(['open', 'drain']);
});

it('seed 20: nothing is told after close, whatever the transport still writes', async () => {
  const { server, clock } = pair({ server: { highWaterMark: 10 }, link: { latency: 50, window: 1 } });
  const log: string[] = [];
  for (const type of ['open', 'drain', 'error', 'close'] as const) server.on(type, () => log.push(type));
  await clock.run(1_000);
  server.send('x'.repeat(100));
  await clock.settle();
  server.terminate();
  await clock.run(1_000);
  void server.close();
  await clock.run(1_000);
  expect(log).toEqual(['open', 'error', 'close']);
});

it('seed 21424: what comes while an endpoint is paused and closing is dropped, and what comes behind it too', async () => {
  const { server, client, clock } = pair({ server: { delivery: 'fragment' }, link: { latency: 100 } });
  const got: string[] = [];
  server.on('fragment', ({ data, first, last }) => got.push(`${data.length} ${first} ${last}`));
  await clock.run(1_000);
  client.sendFragment('binary', new Uint8Array(5), false);
  await clock.run(90);
  server.pause();
  void server.close();
  await clock.run(50);
  client.sendFragment('binary', new Uint8Array(6), true);
  server.resume();
  const { closed } = server;
  await clock.run(1_000);
  expect(got).toEqual([]);
  expect(await closed).toMatchObject({ clean: true, code: 1000 });
});
