/** `sansocket/testing` as its users have it: faults of the link, transcripts, and what is made from lists of numbers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EstablishedConnection } from '../../src/index.ts';
import {
  bytesFrom,
  chunksFrom,
  framesFrom,
  type PairOptions,
  pair,
  playSession,
  type SessionStep,
  sessionFrom,
} from '../../src/testing.ts';

const choices = fc.array(fc.nat(), { maxLength: 60 });

async function opened(options: PairOptions = {}): Promise<ReturnType<typeof pair>> {
  const both = pair(options);
  both.server.resume();
  both.client.resume();
  await both.clock.run(100);
  return both;
}

test('a link that is silent one way only: who hears nothing finds out, the other hears that', async () => {
  const { server, client, link, clock } = await opened({ server: { pingInterval: null } });
  link.silence('left');
  await clock.run(60_000);
  expect(await client.closed).toMatchObject({ code: 1006, error: { code: 'PONG_TIMEOUT' } });
  expect(server.readyState).toBe('closed');
});

test('a transcript tells both sides, and is the same each time', async () => {
  const record = async () => {
    const lines: string[] = [];
    const { client, clock } = await opened({ transcript: (line) => lines.push(line), link: { latency: 5 } });
    client.send('hello');
    await clock.run(100);
    void client.close(4000, 'enough');
    await clock.run(100);
    return lines;
  };
  const lines = await record();
  expect(await record()).toEqual(lines);
  const text = lines.join('\n');
  for (const said of ['GET / HTTP/1.1', '101', 'hello', '4000', 'enough']) expect(text).toContain(said);
});

test('framesFrom: every list gives frames that our own decoder takes, however they are cut', () => {
  fc.assert(
    fc.property(choices, choices, fc.constantFrom('server' as const, 'client' as const), (list, cuts, role) => {
      const frames = framesFrom(list, role);
      const bytes = bytesFrom(list, role);
      const connection = new EstablishedConnection(
        { role },
        { platform: { random: (into) => into.fill(1) }, maxMessageSize: null, maxControlFrames: null },
        0,
      );
      for (const chunk of chunksFrom(cuts, bytes)) connection.receive(chunk, 0);
      let messages = 0;
      for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
        if (event.type === 'message') messages++;
        expect(event.type).not.toBe('closed');
      }
      expect(messages).toBe(frames.filter(({ opcode, fin }) => opcode < 8 && fin).length);
      expect(connection.readyState).toBe('open');
    }),
  );
});

test('chunksFrom: the chunks are the bytes, and share no memory with them', () => {
  fc.assert(
    fc.property(choices, fc.uint8Array({ maxLength: 500 }), (cuts, bytes) => {
      const chunks = chunksFrom(cuts, bytes);
      expect(chunks.flatMap((chunk) => [...chunk])).toEqual([...bytes]);
      for (const chunk of chunks) expect(chunk.buffer).not.toBe(bytes.buffer);
    }),
  );
});

test('odd numbers are choices too', () => {
  for (const list of [[], [Number.NaN], [-3, 1.5, Number.POSITIVE_INFINITY, 2 ** 53]]) {
    expect(Array.isArray(framesFrom(list, 'server'))).toBe(true);
    expect(Array.isArray(sessionFrom(list))).toBe(true);
  }
});

test('sessionFrom and playSession: what is sent before an end arrives once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(choices, fc.nat(20), async (list, latency) => {
      const both = pair({
        link: { latency },
        server: { maxBufferedAmount: null },
        client: { maxBufferedAmount: null },
      });
      const got: (string | Uint8Array)[] = [];
      both.server.on('message', ({ data }) => void got.push(data));
      both.client.resume();
      await both.clock.run(1_000);
      const steps = sessionFrom(list);
      await playSession(both, steps);
      await both.clock.run(1_000);
      const end = steps.findIndex(({ type }) => type === 'close' || type === 'terminate');
      const before = end < 0 ? steps : steps.slice(0, end);
      const sent = steps.filter(isClientData).map(({ data }) => String(data));
      // Behind an end of the server's the client may still have sent; nothing is lost, doubled or out of its order.
      expect(got.map(String)).toEqual(sent.slice(0, got.length));
      if (steps[end]?.type !== 'terminate')
        expect(got.length).toBeGreaterThanOrEqual(before.filter(isClientData).length);
    }),
    { numRuns: 50 },
  );
});

function isClientData(step: SessionStep): step is Extract<SessionStep, { data: unknown }> {
  return (step.type === 'text' || step.type === 'binary') && step.from === 'client';
}
