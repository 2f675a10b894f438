/** What is still to be told keeps the process alive, as long as the clock brings it about: a transport that has ended does not. */
import { describe, expect, it } from 'vitest';
import { closePayload, join, OP, pattern } from '../rfc6455/support.ts';
import { type Script, script } from './script.ts';

const never = () => new Promise<never>(() => {});

/** A message came, and the end behind it. */
function ended(made: Script, ...messages: string[]): Script {
  const { feed, peer, transport } = made;
  for (const message of messages) feed(peer(OP.text, message));
  feed(peer(OP.close, closePayload(1000)));
  transport.sink!.ended();
  transport.sink!.closed();
  return made;
}

/** How long it holds the process from now on, to the millisecond. */
async function holding({ clock }: Script, longest = 100_000): Promise<number> {
  const from = clock.now();
  while (clock.holds > 0 && clock.now() - from < longest) await clock.run(1);
  return clock.now() - from;
}

describe('a connection that has ended', () => {
  it('holds the process while its messages wait for somebody, a second, and is told then', async () => {
    const made = script();
    const { endpoint, clock } = made;
    const seen: unknown[] = [];
    endpoint.on('close', ({ code }) => seen.push(code));
    expect(clock.holds).toBe(0);
    made.feed(made.peer(OP.text, 'a'));
    await clock.run(400);
    ended(made);
    expect([clock.holds, seen]).toEqual([1, []]);
    expect(await holding(made)).toBe(600);
    expect([seen, made.warnings.length, clock.pendingAlarms]).toEqual([[1000], 1, 0]);
  });

  it('holds it no longer when somebody takes them', async () => {
    const made = ended(script(), 'a', 'b');
    expect(made.clock.holds).toBe(1);
    const taken: unknown[] = [];
    made.endpoint.on('message', ({ data }) => void taken.push(data));
    await made.clock.settle();
    expect([taken, made.clock.holds, made.clock.pendingAlarms]).toEqual([['a', 'b'], 0, 0]);
  });

  it('holds it for a listener whose promise does not settle, for closeTimeout', async () => {
    const made = script({ closeTimeout: 3_000 });
    made.endpoint.on('message', never);
    ended(made, 'a');
    expect(await holding(made)).toBe(3_000);
    expect(await made.endpoint.closed).toMatchObject({ code: 1000 });
  });

  it('holds nothing where only the application can end the wait', async () => {
    const forGood = script({ closeTimeout: null });
    forGood.endpoint.on('message', never);
    ended(forGood, 'a');
    const paused = script();
    paused.endpoint.on('message', () => paused.endpoint.pause());
    ended(paused, 'a', 'b');
    for (const made of [forGood, paused]) {
      await made.clock.run(100_000);
      expect(made.clock.holds).toBe(0);
      made.endpoint.terminate();
      await made.clock.settle();
      expect([made.clock.holds, made.endpoint.readyState]).toEqual([0, 'closed']);
    }
  });

  it('holds nothing after unref(), whenever that is called', async () => {
    const made = script();
    made.endpoint.unref();
    ended(made, 'a');
    const { endpoint, clock } = made;
    const holds = [clock.holds];
    for (const what of ['ref', 'ref', 'unref', 'unref', 'ref'] as const) {
      endpoint[what]();
      holds.push(clock.holds);
    }
    expect(holds).toEqual([0, 1, 1, 0, 0, 1]);
    await clock.run(1_000);
    expect([clock.holds, await endpoint.closed]).toMatchObject([0, { code: 1000 }]);
    endpoint.ref();
    expect(clock.holds).toBe(0);
  });

  it('holds it until it is closed or dropped in the middle of the wait', async () => {
    for (const how of ['close', 'terminate'] as const) {
      const made = ended(script(), 'a');
      expect(made.clock.holds).toBe(1);
      void made.endpoint[how]();
      await made.clock.settle();
      expect([made.clock.holds, made.clock.pendingAlarms]).toEqual([0, 0]);
    }
  });
});

describe('a connection that is open, and whose transport may be paused, or say nothing of its end', () => {
  it('holds the process while more than it holds waits for somebody', async () => {
    const made = script();
    const { clock, feed, peer, transport } = made;
    for (let i = 0; i < 4; i++) feed(peer(OP.binary, pattern(40_000)));
    expect([transport.paused, clock.holds]).toEqual([true, 1]);
    expect(await holding(made)).toBe(1_000);
    await clock.settle();
    // Nobody takes them, which is what it is open for: its transport keeps the process alive.
    expect([made.endpoint.readyState, transport.paused]).toEqual(['open', false]);
  });

  it('holds it while it closes, for closeTimeout at the most', async () => {
    const made = script({ closeTimeout: 2_000 });
    made.endpoint.resume();
    const closed = made.endpoint.close();
    await made.clock.settle();
    expect(await holding(made)).toBe(2_000);
    expect(await closed).toMatchObject({ error: { code: 'CLOSING_TIMEOUT' } });
  });

  it('holds nothing while somebody takes what comes', async () => {
    const { endpoint, feed, peer, clock } = script();
    endpoint.on('message', async () => {});
    for (let i = 0; i < 10; i++) {
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      expect(clock.holds).toBe(0);
      await clock.run(10);
    }
  });
});

describe('a connection that has lost its transport, with more unread than it holds', () => {
  const options = { pingInterval: 5_000, pongTimeout: 2_000, closeTimeout: 1_000 };
  const flood = ({ feed, peer, transport }: Script) => {
    feed(join(...Array.from({ length: 4 }, () => peer(OP.binary, pattern(40_000)))));
    transport.sink!.closed(new Error('reset'));
  };

  it('holds the process until the heartbeat tells that the peer is gone', async () => {
    const made = script(options);
    made.endpoint.on('message', never);
    flood(made);
    await made.clock.settle();
    expect([made.endpoint.readyState, made.clock.holds]).toEqual(['open', 1]);
    expect(await holding(made)).toBeLessThanOrEqual(5_000 + 2_000 + 1_000 + 1_000);
    expect(await made.endpoint.closed).toMatchObject({ clean: false });
    expect(made.clock.pendingAlarms).toBe(0);
  });

  it('holds it, while it is paused, as long', async () => {
    const made = script(options);
    made.endpoint.on('message', () => {});
    made.endpoint.pause();
    flood(made);
    await made.clock.settle();
    expect(made.clock.holds).toBe(1);
    await holding(made);
    expect(await made.endpoint.closed).toMatchObject({ clean: false });
  });

  it('holds it, when a loop is left and the rest waits for another, a second', async () => {
    const made = script({ ...options, pingInterval: null, maxQueuedMessages: 1 });
    const { endpoint, clock } = made;
    const loop = endpoint[Symbol.asyncIterator]();
    flood(made);
    await clock.settle();
    // Nothing of it ends by itself: a loop may come back when it likes.
    expect([endpoint.readyState, clock.holds]).toEqual(['open', 0]);
    await loop.return!();
    await clock.settle();
    expect(clock.holds).toBe(1);
    expect(await holding(made)).toBe(1_000);
    expect(await endpoint.closed).toMatchObject({ code: 1006 });
  });
});
