/** What the simulation found, each as small as it can be. */

import { expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { Backend } from '../../src/gateway/backend.ts';
import { Relay } from '../../src/gateway/relay.ts';
import { pair, type VirtualClock } from '../../src/testing.ts';

it('world 9: nothing is told before open, not even that output has left', async () => {
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

it('world 20: nothing is told after close, whatever the transport still writes', async () => {
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

it('world 21424: what comes while an endpoint is paused and closing is dropped, and what comes behind it too', async () => {
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

it('world 54: who finds an endpoint not writable is told when it is, even if only its 101 had not left', async () => {
  const { server, clock } = pair({ server: { highWaterMark: 10 }, link: { latency: 50, window: 1 } });
  const log: unknown[] = [];
  server.on('message', () => {});
  server.on('open', () => log.push(server.writable));
  server.on('drain', () => log.push('drain'));
  await clock.run(1_000);
  expect(log).toEqual([false, 'drain']);
});

/** A relay to a backend that takes everything, and reads none of it. */
function relayed(server: Endpoint, clock: VirtualClock): { relay: Relay; got: string[]; dropped: () => number } {
  const got: string[] = [];
  let dropped = 0;
  const backend = {
    writable: true,
    writer: {
      unsent: 0,
      write(bytes: Uint8Array): void {
        this.unsent += bytes.length;
        got.push(Buffer.from(bytes).toString());
      },
      flush() {},
      end() {},
    },
    start() {},
    pause() {},
    resume() {},
    destroy() {
      dropped++;
    },
  };
  const rules = {
    framing: 'chunk',
    frameType: 'auto',
    limit: 10_000,
    endCode: 1012,
    highWaterMark: 100,
    closeTimeout: 3_000,
    sendTimeout: 60_000,
  } as const;
  const relay = new Relay(server, backend as unknown as Backend, rules, clock, Memory.shared, () => {});
  relay.start();
  return { relay, got, dropped: () => dropped };
}

it('world 148: T69: what a client said before it heard of its backend’s end arrives, though it was held', async () => {
  const { server, client, clock } = pair({ server: { delivery: 'fragment' } });
  const { relay, got } = relayed(server, clock);
  client.resume();
  await clock.run(10);
  client.send('a'.repeat(100));
  await clock.run(10);
  client.send('more');
  await clock.run(10);
  expect(got).toEqual(['a'.repeat(100)]);
  relay.ended();
  client.send('and more');
  await clock.run(10);
  expect(got.slice(1).join('|')).toBe('more|and more');
  expect(await client.closed).toMatchObject({ code: 1012, clean: true });
});

it('world 84: T69: a clock that wakes a relay early drops no backend', async () => {
  const { server, client, clock } = pair({ server: { delivery: 'fragment' } });
  const { relay, dropped } = relayed(server, clock);
  client.resume();
  await clock.run(10);
  void client.close();
  await clock.run(10);
  relay.wake();
  await clock.run(2_900);
  expect(dropped()).toBe(0);
  await clock.run(200);
  expect(dropped()).toBe(1);
});
