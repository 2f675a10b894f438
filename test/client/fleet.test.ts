/**
 * T85: what a server sees of a thousand clients that lose it together, on the virtual clock: with jitter a load it can bear,
 * without it the same wave over and over.
 */
import { expect, test } from 'vitest';
import { Simulation } from './simulation.ts';

const CLIENTS = 1_000;

interface Load {
  /** The most arrivals in any second after the first loss. */
  readonly busiest: number;
  /** The same once every client's waits have reached the cap. */
  readonly busiestAtCap: number;
  /** Clients that are open when the server stays. */
  readonly back: number;
  readonly arrivals: number;
}

/** Loses the server again and again, never to be seen for long enough to be called stable, and then has it back. */
function flap(random: (() => number) | null): Load {
  const world = new Simulation(85);
  if (random !== null) world.random = random;
  const { clock } = world;
  const clients = Array.from({ length: CLIENTS }, () => world.client({ pingInterval: null }));
  for (const client of clients) void client.start();
  clock.advance(15_000);
  expect(world.lines.size).toBe(CLIENTS);

  const lostAt = clock.now();
  let cappedAt = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    world.treatment = 'down';
    world.cutAll();
    for (let second = 0; second < 20; second++) {
      clock.advance(1_000);
      // After five failures the longest wait is the cap: 5 s x 1.6^4 is above 30 s.
      if (clients.every(({ info }) => info.retries >= 5)) cappedAt = Math.min(cappedAt, clock.now());
    }
    world.treatment = 'accept';
    clock.advance(3_000);
  }
  const until = clock.now();
  world.treatment = 'accept';
  clock.advance(31_000);
  const { size: back } = world.lines;
  const after = (from: number) => world.arrivals.filter((at) => at > from && at <= until);
  // The cap is reached well before the end: the second bound is about something.
  expect(until - cappedAt).toBeGreaterThan(60_000);
  for (const client of clients) void client.stop();
  clock.advance(10_000);
  expect([clock.pendingAlarms, world.holds, world.lines.size, world.dialling]).toEqual([0, 0, 0, 0]);
  return {
    busiest: mostInASecond(after(lostAt)),
    busiestAtCap: mostInASecond(after(cappedAt)),
    back,
    arrivals: after(lostAt).length,
  };
}

/** In any second, wherever it begins. */
function mostInASecond(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  let most = 0;
  for (let end = 0, begin = 0; end < sorted.length; end++) {
    while (sorted[end]! - sorted[begin]! >= 1_000) begin++;
    most = Math.max(most, end - begin + 1);
  }
  return most;
}

test('T85: no second has more than 400 arrivals, and at the cap none more than 120', { timeout: 120_000 }, () => {
  const load = flap(null);
  expect(load.back).toBe(CLIENTS);
  expect(load.busiest).toBeLessThanOrEqual(400);
  expect(load.busiestAtCap).toBeLessThanOrEqual(120);
  // The bounds are near what happens: a client that hardly tried would pass any.
  expect(load.busiest).toBeGreaterThan(200);
  expect(load.busiestAtCap).toBeGreaterThan(60);
});

test('T85: without jitter the same server sees more than that in both', { timeout: 120_000 }, () => {
  const load = flap(() => 1 - Number.EPSILON);
  expect(load.busiest).toBeGreaterThan(400);
  expect(load.busiestAtCap).toBeGreaterThan(120);
});
