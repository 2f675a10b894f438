/**
 * Whole endpoints over a simulated link with a virtual clock: random cuts, latency, loss, windows and reused read buffers.
 * Each message arrives once and in order, clean closes agree, exactly one close, nothing after it, no wake-up left.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { CloseEvent } from '../../src/endpoint/events.ts';
import { type EndpointOptions, EndpointSettings } from '../../src/endpoint/options.ts';
import { ClientConnection, ServerConnection } from '../../src/index.ts';
import { type LinkOptions, type MemoryLink, memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import { digest } from '../support/bytes.ts';
import { seededNumbers, seededRandom } from '../support/random.ts';

interface Side {
  readonly endpoint: Endpoint;
  readonly log: string[];
  readonly received: string[];
  readonly closes: CloseEvent[];
}

interface World {
  readonly clock: VirtualClock;
  readonly link: MemoryLink;
  readonly client: Side;
  readonly server: Side;
}

function side(endpoint: Endpoint): Side {
  const log: string[] = [];
  const received: string[] = [];
  const closes: CloseEvent[] = [];
  for (const type of ['open', 'ping', 'pong', 'error', 'close'] as const) endpoint.on(type, () => log.push(type));
  endpoint.on('close', (event) => void closes.push(event));
  endpoint.on('message', ({ data }) => {
    log.push('message');
    received.push(typeof data === 'string' ? `text ${data}` : `binary ${data.length} ${digest(data)}`);
  });
  return { endpoint, log, received, closes };
}

function world(seed: number, linkOptions: LinkOptions, options: EndpointOptions = {}): World {
  const clock = new VirtualClock();
  const environment = { clock, warn: () => {} };
  const link = memoryLink(clock, linkOptions);
  const settings = new EndpointSettings({ ...options, platform: { random: seededRandom(seed) } });
  const server = new Endpoint(new ServerConnection(settings.connection, 0), link.right, settings, environment, {
    request: (endpoint) => {
      (endpoint.connection as ServerConnection).accept(clock.now());
      endpoint.wake();
    },
  });
  const target = { host: 'example.test', target: '/' };
  const client = new Endpoint(new ClientConnection(target, settings.connection, 0), link.left, settings, environment);
  const sides = { client: side(client), server: side(server) };
  server.start();
  client.start();
  return { clock, link, ...sides };
}

const linkOptions = fc.record({
  latency: fc.constantFrom(0, 1, 40, 700),
  most: fc.constantFrom(1, 3, 20, 100_000),
  window: fc.constantFrom(1, 50, 1_000_000),
  borrowed: fc.boolean(),
  seed: fc.nat(),
});

function linkFrom({
  latency,
  most,
  window,
  borrowed,
  seed,
}: {
  latency: number;
  most: number;
  window: number;
  borrowed: boolean;
  seed: number;
}): LinkOptions {
  const next = seededNumbers(seed);
  return {
    latency: () => Math.floor(latency * next()),
    cut: (available) => 1 + Math.floor(next() * Math.min(available, most)),
    window,
    borrowed,
  };
}

const sending = fc.record({
  from: fc.constantFrom('client' as const, 'server' as const),
  what: fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.constant(new Uint8Array(40_000).fill(7)),
  ),
  wait: fc.constantFrom(0, 0, 1, 100),
});

function expectOver({ log }: Side): void {
  expect(log.filter((type) => type === 'close').length).toBe(1);
  expect(log.at(-1)).toBe('close');
  expect(log.filter((type) => type === 'error').length).toBeLessThanOrEqual(1);
}

const show = (what: string | Uint8Array): string =>
  typeof what === 'string' ? `text ${what}` : `binary ${what.length} ${digest(what)}`;

describe('two endpoints over a link', () => {
  it('bring each message once and in order, and agree on a clean close', () => {
    fc.assert(
      fc.property(
        linkOptions,
        fc.array(sending, { maxLength: 8 }),
        fc.constantFrom('client', 'server', 'both'),
        (link, sends, closer) => {
          const { clock, client, server } = world(1, linkFrom(link), { highWaterMark: 100 });
          clock.advance(5_000);
          expect([client.log, server.log]).toEqual([['open'], ['open']]);
          const sent = { client: [] as string[], server: [] as string[] };
          for (const { from, what, wait } of sends) {
            const side = from === 'client' ? client : server;
            expect(side.endpoint.send(what).success).toBe(true);
            sent[from].push(show(what));
            clock.advance(wait);
          }
          if (closer !== 'server') void client.endpoint.close(4_001, 'from the client');
          if (closer !== 'client') void server.endpoint.close(4_002, 'from the server');
          clock.advance(400_000);
          // A close by both at once overtakes nothing: what was sent before it still arrives.
          expect(server.received).toEqual(sent.client);
          expect(client.received).toEqual(sent.server);
          const said = {
            client: { code: 4_001, reason: 'from the client' },
            server: { code: 4_002, reason: 'from the server' },
          };
          for (const [each, name, other] of [
            [client, 'client', 'server'],
            [server, 'server', 'client'],
          ] as const) {
            expectOver(each);
            expect(each.log).not.toContain('error');
            expect(each.endpoint.bufferedAmount).toBe(0);
            // What the other said; that is what it heard, if it had nothing of its own to say.
            const heard = said[closer === name ? name : other];
            expect(each.closes).toMatchObject([{ ...heard, clean: true, error: null, remote: closer === other }]);
          }
          expect(clock.pendingAlarms).toBe(0);
        },
      ),
      { numRuns: 120 },
    );
  });

  it('end once each when the link is lost, silently or not, at any moment', () => {
    fc.assert(
      fc.property(
        linkOptions,
        fc.array(sending, { maxLength: 4 }),
        fc.nat(3_000),
        fc.constantFrom('silence', 'reset', 'left', 'right'),
        fc.boolean(),
        (link, sends, moment, how, closing) => {
          const { clock, client, server, link: cable } = world(1, linkFrom(link));
          for (const { from, what } of sends) {
            clock.advance(moment / 8);
            (from === 'client' ? client : server).endpoint.send(what);
          }
          if (closing) void client.endpoint.close();
          clock.advance(moment / 2);
          if (how === 'silence') cable.silence();
          else if (how === 'reset') cable.reset();
          else if (how === 'left') client.endpoint.terminate();
          else server.endpoint.terminate();
          clock.advance(200_000);
          expectOver(client);
          expectOver(server);
          expect(clock.pendingAlarms).toBe(0);
        },
      ),
      { numRuns: 250 },
    );
  });

  it('keep an idle connection alive for an hour', () => {
    const { clock, client, server } = world(1, { latency: 30 });
    clock.advance(3_600_000);
    expect([client.endpoint.readyState, server.endpoint.readyState]).toEqual(['open', 'open']);
    expect(client.log.filter((type) => type === 'pong').length).toBeGreaterThan(50);
  });

  it('survive a listener that scribbles on every buffer once it is drained', async () => {
    const { clock, client, server } = world(1, {
      latency: 3,
      cut: (available) => Math.min(available, 1_000),
      borrowed: true,
    });
    await clock.run(1_000);
    const sizes = [1, 125, 126, 5_000, 32_768, 32_769, 65_535, 65_536, 200_000];
    for (const size of sizes) {
      const data = new Uint8Array(size).fill(size & 0xff);
      server.endpoint.send(data);
      client.endpoint.send(data);
      const drained = Promise.all([server.endpoint.drained(), client.endpoint.drained()]);
      await clock.run(2_000);
      expect(await drained).toEqual([true, true]);
      data.fill(0xee);
      server.endpoint.send('in between');
    }
    await clock.run(2_000);
    const wanted = sizes.map((size) => show(new Uint8Array(size).fill(size & 0xff)));
    expect(server.received).toEqual(wanted);
    expect(client.received.filter((each) => each.startsWith('binary'))).toEqual(wanted);
  });
});
