/**
 * A whole conversation, from the first byte of the opening handshake to the last Close: the peer disappears after every byte, by FIN,
 * RST and silence. Each time there is one defined close, and no timer, listener, promise or transport is left. T54.
 */

import { describe, expect, it } from 'vitest';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import type { CloseEvent } from '../../src/endpoint/events.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import { ClientConnection, ServerConnection } from '../../src/index.ts';
import { type LinkOptions, type MemoryTransport, memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import type { TransportSink } from '../../src/transport/transport.ts';
import { concat } from '../support/bytes.ts';
import { seededRandom } from '../support/random.ts';

type Role = 'client' | 'server';

/** The first sends text, fragments and pings; both close. */
const CLIENT_SAYS = ['hällo', 'x'.repeat(130)];
const SERVER_SAYS = ['€', 'y'.repeat(200)];
const NOBODY: TransportSink = { received() {}, receivedBorrowed() {}, written() {}, ended() {}, closed() {} };

function endpointOf(role: Role, transport: MemoryTransport, clock: VirtualClock, log: string[]): Endpoint {
  // The same chance each time: what was recorded answers the same request.
  const settings = new EndpointSettings({ platform: { random: seededRandom(role === 'client' ? 1 : 2) } });
  const environment = { clock, warn: () => {} };
  const connection =
    role === 'server'
      ? new ServerConnection(settings.connection, 0)
      : new ClientConnection({ host: 'example.test', target: '/' }, settings.connection, 0);
  const endpoint = new Endpoint(connection, transport, settings, environment, {
    request: () => {
      (connection as ServerConnection).accept(clock.now());
      endpoint.wake();
    },
  });
  endpoint.on('open', () => log.push('open'));
  endpoint.on('ping', () => log.push('ping'));
  endpoint.on('message', ({ data }) => log.push(`message ${data}`));
  endpoint.on('error', ({ code }) => log.push(`error ${code}`));
  endpoint.on('close', ({ code, clean }) => log.push(`close ${code} ${clean}`));
  return endpoint;
}

/** The conversation between two endpoints, as bytes to each of them and as what each was told. */
function record(): { readonly [R in Role]: { readonly bytes: Uint8Array; readonly log: readonly string[] } } {
  const clock = new VirtualClock();
  const link = memoryLink(clock);
  const logs = { client: [] as string[], server: [] as string[] };
  const client = endpointOf('client', link.left, clock, logs.client);
  const server = endpointOf('server', link.right, clock, logs.server);
  const written = [link.left, link.right].map((transport) => {
    const all: Uint8Array[] = [];
    const write = transport.write.bind(transport);
    transport.write = (chunks) => {
      all.push(...chunks.map((chunk) => chunk.slice()));
      return write(chunks);
    };
    return all;
  });
  server.start();
  client.start();
  clock.runDue();
  for (const text of CLIENT_SAYS) client.send(text, { fragmentSize: 50 });
  for (const text of SERVER_SAYS) server.send(text, { fragmentSize: 70 });
  void client.ping('a');
  void server.ping('b');
  clock.runDue();
  void server.close(1001, 'away');
  clock.runDue();
  return {
    client: { bytes: concat(written[1]!), log: logs.client },
    server: { bytes: concat(written[0]!), log: logs.server },
  };
}

const CONVERSATION = record();

const DEATHS = {
  FIN: (raw: MemoryTransport) => raw.end(),
  RST: (_: MemoryTransport, link: { reset(): void }) => link.reset(),
  silence: (_: MemoryTransport, link: { silence(): void }) => link.silence(),
} as const;

/** What one endpoint makes of the first `most` bytes of the conversation and the death of its peer. */
async function replay(role: Role, most: number, death: keyof typeof DEATHS, options: LinkOptions = {}) {
  const clock = new VirtualClock();
  const link = memoryLink(clock, options);
  const log: string[] = [];
  const endpoint = endpointOf(role, link.right, clock, log);
  link.left.start(NOBODY);
  endpoint.start();
  clock.runDue();
  link.left.write([CONVERSATION[role].bytes.slice(0, most)]);
  clock.runDue();
  const settled: string[] = [];
  const closed: CloseEvent[] = [];
  void endpoint.ping().then(() => settled.push('ping'));
  void endpoint.drained().then(() => settled.push('drained'));
  void endpoint.closed.then((event) => closed.push(event));
  DEATHS[death](link.left, link);
  await clock.run(200_000);
  return { log, settled, closed, clock, endpoint };
}

describe('the conversation', () => {
  it('is a whole one', () => {
    for (const role of ['client', 'server'] as const) {
      expect(CONVERSATION[role].log[0]).toBe('open');
      expect(CONVERSATION[role].log).toContain('ping');
      expect(CONVERSATION[role].log.filter((line) => line.startsWith('message')).length).toBe(2);
      expect(CONVERSATION[role].bytes.length).toBeGreaterThan(300);
    }
    expect(CONVERSATION.client.log.at(-1)).toBe('close 1001 true');
  });

  describe.each(['client', 'server'] as const)('with a %s that is left alone', (role) => {
    it.each(Object.keys(DEATHS) as (keyof typeof DEATHS)[])('T54: by %s, after every byte', async (death) => {
      const { bytes } = CONVERSATION[role];
      let last = 0;
      for (let most = 0; most <= bytes.length; most++) {
        const { log, settled, closed, clock, endpoint } = await replay(role, most, death);
        const where = `after ${most} of ${bytes.length} bytes: ${log.join(', ')}`;
        expect(log.filter((line) => line.startsWith('close')).length, where).toBe(1);
        expect(log.at(-1), where).toMatch(/^close/);
        expect(settled.sort(), where).toEqual(['drained', 'ping']);
        expect(closed.length, where).toBe(1);
        expect(closed[0]!.clean, where).toBe(closed[0]!.error === null);
        expect(clock.pendingAlarms, where).toBe(0);
        expect([endpoint.readyState, endpoint.bufferedAmount], where).toEqual(['closed', 0]);
        // The more came, the more is told: nothing that was told after fewer bytes is missing.
        const told = log.filter((line) => /^(open|message|ping)/.test(line)).length;
        expect(told, where).toBeGreaterThanOrEqual(last);
        last = told;
      }
      expect(last).toBe(CONVERSATION[role].log.filter((line) => /^(open|message|ping)/.test(line)).length);
    });

    it('byte by byte, lent or given, it is told the same', async () => {
      const { bytes } = CONVERSATION[role];
      const whole = (await replay(role, bytes.length, 'FIN')).log;
      for (const borrowed of [false, true]) {
        for (const size of [1, 2, 3, 7]) {
          expect((await replay(role, bytes.length, 'FIN', { cut: () => size, borrowed })).log).toEqual(whole);
        }
      }
    });
  });
});
