/**
 * T86: a link that dies after every number of bytes, in either direction, while both sides send: what arrives is an ordered
 * subset of what was sent, and nothing twice.
 */
import { describe, expect, test } from 'vitest';
import { Simulation } from './simulation.ts';

const MESSAGES = 12;

interface Outcome {
  readonly atServer: readonly string[];
  readonly atClient: readonly string[];
  readonly opened: number;
}

/** Sends from both sides over a link that is cut after `bytes` of one direction, and then over one that holds. */
async function cutAfter(
  bytes: number,
  direction: 'left' | 'right',
  overflow: 'refuse' | 'drop-oldest',
): Promise<Outcome> {
  const world = new Simulation(bytes + 1);
  const { clock } = world;
  let cuts = 0;
  let left = bytes;
  world.link = { latency: 3 };
  const accepted: string[] = [];
  const atClient: string[] = [];
  let opened = 0;
  const client = world.client({ queue: { maxMessages: 8, overflow } });
  client.on('open', () => opened++);
  client.on('message', ({ data }) => atClient.push(String(data)));
  world.onLink = (link) => {
    if (cuts > 0) return;
    const end = link[direction];
    const write = end.write.bind(end);
    end.write = (chunks) => {
      for (const chunk of chunks) {
        const part = chunk.subarray(0, left);
        left -= part.length;
        write([part]);
        if (left === 0 && cuts === 0) {
          cuts++;
          // What was written before the cut arrives; what follows does not.
          clock.schedule({ wake: () => link.reset() }, clock.now() + 3);
        }
      }
      return 0;
    };
  };
  let sentByServer = 0;
  world.onLine = ({ server }) => {
    const tick = () => {
      if (server.readyState !== 'open' || sentByServer === MESSAGES) return;
      server.send(`down ${sentByServer++}`);
      clock.schedule({ wake: tick }, clock.now() + 7);
    };
    tick();
  };
  void client.start();
  for (let i = 0; i < MESSAGES; i++) {
    if (client.send(`up ${i}`).success) accepted.push(`up ${i}`);
    await clock.run(5);
  }
  await clock.run(30_000);
  const stopped = client.stop();
  await clock.run(10_000);
  await stopped;
  expect([clock.pendingAlarms, world.lines.size, world.dialling]).toEqual([0, 0, 0]);
  expectOrderedSubset(world.received, accepted);
  return { atServer: world.received, atClient, opened };
}

/** In order and without duplicates: each is found behind the one before it. */
function expectOrderedSubset(delivered: readonly string[], sent: readonly string[]): void {
  let at = -1;
  for (const message of delivered) {
    const found = sent.indexOf(message, at + 1);
    expect(found, `${message} in ${delivered.join(', ')}`).toBeGreaterThan(at);
    at = found;
  }
}

const sentDown = Array.from({ length: MESSAGES }, (_, i) => `down ${i}`);

describe.each(['refuse', 'drop-oldest'] as const)('T86: a link killed after every byte, queue full: %s', (overflow) => {
  test.each(['right', 'left'] as const)('cut on the %s (the client is right)', async (direction) => {
    // As much as one whole exchange takes, handshake and all.
    let lost = 0;
    let beyond = 0;
    for (let bytes = 1; beyond < 3; bytes++) {
      const { atServer, atClient, opened } = await cutAfter(bytes, direction, overflow);
      expectOrderedSubset(atClient, sentDown);
      if (atServer.length < MESSAGES || atClient.length < MESSAGES) lost++;
      // It was never cut: everything went over one connection.
      beyond = opened === 1 && atServer.length === MESSAGES && atClient.length === MESSAGES ? beyond + 1 : 0;
      expect(opened).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(2_000);
    }
    // Something was lost on the way, or the test has cut nothing.
    expect(lost).toBeGreaterThan(10);
  });
});
