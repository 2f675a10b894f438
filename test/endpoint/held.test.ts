/** What is read while nobody can take it: pings are answered, pongs settle, the end is seen, and every event keeps its order. */
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { closePayload, join, OP, pattern, ROLES } from '../rfc6455/support.ts';
import { ScriptTransport, script } from './script.ts';

/** Everything that is told, by name; messages by what is in them. */
function record(endpoint: Endpoint, seen: unknown[] = []): unknown[] {
  for (const type of ['ping', 'pong', 'progress', 'error', 'close'] as const)
    endpoint.on(type, () => void seen.push(type));
  return seen;
}

/** A listener whose promises settle when they are told to. */
function busy(endpoint: Endpoint, seen: unknown[]): { settle: () => void } {
  const waiting: (() => void)[] = [];
  endpoint.on('message', ({ data }) => {
    seen.push(typeof data === 'string' ? data : data.length);
    return new Promise<void>((resolve) => waiting.push(resolve));
  });
  return { settle: () => waiting.shift()?.() };
}

for (const role of ROLES) {
  describe(`a listener's promise is pending, ${role}`, () => {
    it('ping() may be awaited inside it, behind messages that came meanwhile; they keep their order', async () => {
      const { endpoint, feed, peer, clock } = script({}, undefined, { role });
      const seen: unknown[] = [];
      endpoint.on('message', async ({ data }) => {
        seen.push(data);
        seen.push(await endpoint.ping(`for ${data}`));
      });
      feed(peer(OP.text, 'a'));
      await clock.run(30);
      feed(join(peer(OP.text, 'b'), peer(OP.text, 'c'), peer(OP.pong, 'for a')));
      await clock.run(10);
      feed(peer(OP.pong, 'for b'));
      await clock.settle();
      feed(peer(OP.pong, 'for c'));
      await clock.settle();
      expect(seen).toEqual(['a', 30, 'b', 10, 'c', 0]);
    });

    it('pings are answered and a Close is echoed at once, and told in their turn', async () => {
      const { endpoint, feed, peer, clock, transport } = script({}, undefined, { role });
      const seen = record(endpoint);
      const { settle } = busy(endpoint, seen);
      feed(join(peer(OP.text, 'a'), peer(OP.ping, 'p'), peer(OP.text, 'b'), peer(OP.close, closePayload(4000))));
      expect(transport.frames.map(({ opcode }) => opcode)).toEqual([OP.pong, OP.close]);
      expect(endpoint.readyState).toBe('closing');
      transport.sink!.ended();
      transport.sink!.closed();
      await clock.settle();
      expect([endpoint.readyState, seen]).toEqual(['closed', ['a']]);
      settle();
      await clock.settle();
      expect(seen).toEqual(['a', 'ping', 'b']);
      settle();
      await clock.settle();
      expect(seen).toEqual(['a', 'ping', 'b', 'close']);
      expect(await endpoint.closed).toMatchObject({ code: 4000, clean: true, remote: true });
      expect(clock.pendingAlarms).toBe(0);
    });

    it('what waits for output is told at once that the transport is gone', async () => {
      const transport = new ScriptTransport(0);
      const { endpoint, feed, peer, clock } = script({ highWaterMark: 100 }, transport, { role });
      const seen = record(endpoint);
      endpoint.on('message', async () => {
        endpoint.send(pattern(1_000));
        seen.push(await endpoint.drained());
      });
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      await clock.settle();
      transport.sink!.closed(new Error('reset'));
      await clock.settle();
      expect(seen).toEqual([false, false, 'error', 'close']);
      expect(clock.pendingAlarms).toBe(0);
    });
  });
}

describe('the end', () => {
  it('a listener that waits for it gets it after closeTimeout, and so does one whose promise never settles', async () => {
    for (const cause of ['close', 'fault', 'reset'] as const) {
      const { endpoint, feed, peer, clock, transport } = script({ closeTimeout: 3_000 });
      const seen = record(endpoint);
      endpoint.on('message', async ({ data }) => {
        seen.push(data);
        if (data === 'a') await endpoint.closed;
        seen.push(`${data} done`);
        if (data === 'b') await new Promise(() => {});
      });
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      if (cause === 'close') feed(peer(OP.close, closePayload(1000)));
      if (cause === 'fault') feed(peer(3, ''));
      transport.sink!.closed(cause === 'reset' ? new Error('reset') : undefined);
      await clock.run(2_999);
      expect(seen).toEqual(['a']);
      await clock.run(1);
      const told = cause === 'close' ? ['close'] : ['error', 'close'];
      expect(seen).toEqual(['a', 'b', 'b done', ...told, 'a done']);
      expect(clock.pendingAlarms).toBe(0);
    }
  });

  it('every listener that settles gives the next one as much time', async () => {
    const { endpoint, feed, peer, clock, transport } = script({ closeTimeout: 1_000 });
    const seen = record(endpoint);
    const { settle } = busy(endpoint, seen);
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.text, 'c'), peer(OP.close, '')));
    transport.sink!.closed();
    for (const data of ['a', 'b', 'c']) {
      expect(seen.at(-1)).toBe(data);
      await clock.run(999);
      settle();
      await clock.settle();
    }
    expect(seen).toEqual(['a', 'b', 'c', 'close']);
  });

  it('without closeTimeout it waits for good, until the application closes or drops the socket', async () => {
    for (const how of ['close', 'terminate'] as const) {
      const { endpoint, feed, peer, clock, transport } = script({ closeTimeout: null });
      const seen = record(endpoint);
      busy(endpoint, seen);
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.close, '')));
      transport.sink!.closed();
      await clock.run(1_000_000);
      expect(seen).toEqual(['a']);
      void endpoint[how]();
      await clock.settle();
      // What is closed is taken to its end, what is dropped is dropped.
      expect(seen).toEqual(how === 'close' ? ['a', 'b', 'close'] : ['a', 'close']);
      expect(await endpoint.closed).toMatchObject({ code: 1005 });
    }
  });

  it('a listener that fails drops what is held, as what is unread, and the end is told', async () => {
    for (const over of [false, true]) {
      const { endpoint, feed, peer, clock, transport, warnings } = script();
      const seen = record(endpoint);
      let fail: (error: Error) => void = () => {};
      endpoint.on('message', ({ data }) => {
        seen.push(data);
        return new Promise((_, reject) => (fail = reject));
      });
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      if (over) transport.sink!.closed();
      fail(new Error('mine'));
      await clock.settle();
      if (!over) transport.sink!.closed();
      await clock.settle();
      expect(seen).toEqual(['a', 'error', 'close']);
      expect(warnings.length).toBe(over ? 1 : 0);
      expect(clock.pendingAlarms).toBe(0);
    }
  });

  it('terminate() in the first that is handed out at the end: the others hear it, then the end, and nothing more', async () => {
    const { endpoint, feed, peer, clock, transport } = script();
    const seen = record(endpoint);
    const { settle } = busy(endpoint, seen);
    endpoint.on('message', ({ data }) => {
      if (data === 'b') endpoint.terminate();
    });
    endpoint.on('message', ({ data }) => void seen.push(`second ${data}`));
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.text, 'c')));
    transport.sink!.closed();
    settle();
    await clock.settle();
    expect(seen).toEqual(['a', 'second a', 'b', 'second b', 'error', 'close']);
  });

  it('messages that came before it wait a second for a first consumer', async () => {
    for (const consumer of ['listener', 'iterator', 'nobody'] as const) {
      const { endpoint, feed, peer, clock, transport, warnings } = script();
      const seen = record(endpoint);
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.close, '')));
      transport.sink!.closed();
      await clock.run(900);
      if (consumer === 'listener') endpoint.on('message', ({ data }) => void seen.push(data));
      if (consumer === 'iterator') {
        void (async () => {
          for await (const { data } of endpoint) seen.push(data);
          seen.push('done');
        })();
      }
      await clock.run(200);
      const want = { listener: ['a', 'b', 'close'], iterator: ['close', 'a', 'b', 'done'], nobody: ['close'] };
      expect(seen).toEqual(want[consumer]);
      expect(warnings.length).toBe(consumer === 'nobody' ? 1 : 0);
      expect(endpoint.statistics.messagesReceived).toBe(2);
      expect(clock.pendingAlarms).toBe(0);
    }
  });

  it('a paused socket keeps what it holds for resume()', async () => {
    const { endpoint, feed, peer, clock, transport } = script();
    const seen = record(endpoint);
    const { settle } = busy(endpoint, seen);
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.close, '')));
    endpoint.pause();
    transport.sink!.closed();
    settle();
    await clock.run(100_000);
    expect(seen).toEqual(['a']);
    endpoint.resume();
    await clock.settle();
    expect(seen).toEqual(['a', 'b']);
    settle();
    await clock.settle();
    expect(seen).toEqual(['a', 'b', 'close']);
  });

  it('an iterator gets all that came, however slow it is', async () => {
    const { endpoint, feed, peer, clock, transport } = script({ maxQueuedMessages: 2 });
    const iterator = endpoint[Symbol.asyncIterator]();
    feed(join(...Array.from({ length: 20 }, (_, i) => peer(OP.text, `${i}`)), peer(3, '')));
    transport.sink!.closed();
    await clock.run(60_000);
    const seen: unknown[] = [];
    for (let i = 0; i < 20; i++) seen.push((await iterator.next()).value!.data);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    await expect(iterator.next()).rejects.toMatchObject({ code: 'RESERVED_OPCODE' });
    expect(await endpoint.closed).toMatchObject({ error: { code: 'RESERVED_OPCODE' } });
  });
});

describe('order and bounds', () => {
  it('progress stays in front of its message, also when it was held', async () => {
    const { endpoint, feed, peer, clock } = script({ progress: true });
    const seen = record(endpoint);
    const { settle } = busy(endpoint, seen);
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b', false), peer(OP.continuation, 'c'), peer(OP.pong, '')));
    for (let i = 0; i < 3; i++) {
      await clock.settle();
      settle();
    }
    await clock.settle();
    expect(seen).toEqual(['a', 'progress', 'bc', 'pong']);
  });

  it('with concurrency above 1 messages begin in order, never more at once', async () => {
    const { endpoint, feed, peer, clock } = script({ concurrency: 3 });
    const begun: unknown[] = [];
    const settle: (() => void)[] = [];
    let open = 0;
    let most = 0;
    endpoint.on('message', ({ data }) => {
      begun.push(data);
      most = Math.max(most, ++open);
      return new Promise<void>((resolve) => settle.push(resolve)).then(() => open--);
    });
    const all = Array.from({ length: 20 }, (_, i) => `${i}`);
    for (const data of all) feed(peer(OP.text, data));
    for (let i = 0; i < 20; i++) {
      await clock.settle();
      // The last first.
      settle.pop()?.();
    }
    await clock.settle();
    expect([begun, most]).toEqual([all, 3]);
  });

  for (const borrowed of [false, true]) {
    it(`what is held is bounded, and none of it changes while it waits (lent: ${borrowed})`, async () => {
      const { endpoint, feed, peer, clock, transport } = script({ borrow: true, pingInterval: null });
      const seen: Uint8Array[] = [];
      let settle: () => void = () => {};
      endpoint.on('message', ({ data }) => {
        seen.push((data as Uint8Array).slice());
        return new Promise<void>((resolve) => (settle = resolve));
      });
      const sent: Uint8Array[] = [];
      for (let i = 0; i < 200 && !transport.paused; i++) {
        sent.push(pattern(1_000, i));
        feed(peer(OP.binary, sent[i]!), borrowed);
      }
      // 64 KiB are held; the one behind it lies unread.
      expect(sent.length).toBeGreaterThan(50);
      expect(sent.length).toBeLessThan(70);
      expect(endpoint.connection.retainedBytes).toBeLessThan(1_100);
      for (let i = 0; i < sent.length; i++) {
        await clock.settle();
        settle();
      }
      await clock.settle();
      expect(seen.map((each, i) => Buffer.compare(each, sent[i]!))).toEqual(sent.map(() => 0));
      expect(transport.paused).toBe(false);
    });
  }

  it('T24: a flood of pings at a busy listener is bounded too', async () => {
    const { endpoint, feed, peer, clock } = script({ maxControlFrames: null });
    const seen = record(endpoint);
    const { settle } = busy(endpoint, seen);
    feed(join(peer(OP.text, 'a'), ...Array.from({ length: 5_000 }, () => peer(OP.ping, 'x'))));
    await clock.settle();
    expect(endpoint.connection.retainedBytes).toBeGreaterThan(4_000 * 7);
    settle();
    await clock.settle();
    expect(seen.length).toBe(5_001);
  });

  it('pings that nobody listens to are not held', async () => {
    const { endpoint, feed, peer, clock } = script({ maxControlFrames: null });
    const seen: unknown[] = [];
    busy(endpoint, seen);
    feed(join(peer(OP.text, 'a'), ...Array.from({ length: 5_000 }, () => peer(OP.ping, 'x'))));
    await clock.settle();
    expect(endpoint.connection.retainedBytes).toBe(0);
  });

  it('close() inside a listener hands out what is held, and what comes until the peer has closed', async () => {
    const { endpoint, feed, peer, clock, transport } = script();
    const seen = record(endpoint);
    endpoint.on('message', async ({ data }) => {
      seen.push(data);
      if (data === 'a') seen.push((await endpoint.close(4001)).code);
      else await new Promise(() => {});
    });
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.text, 'c')));
    await clock.settle();
    feed(join(peer(OP.text, 'd'), peer(OP.close, closePayload(4001))));
    transport.sink!.ended();
    await clock.settle();
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'close', 4001]);
  });

  it('a listener that leaves while others wait: they go to the next one', async () => {
    const { endpoint, feed, peer, clock, warnings } = script();
    const seen: unknown[] = [];
    const undo = endpoint.on('message', async ({ data }) => {
      seen.push(`first ${data}`);
      undo();
      await endpoint.ping('p');
    });
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.text, 'c')));
    await clock.run(5_000);
    feed(peer(OP.pong, 'p'));
    await clock.run(500);
    endpoint.on('message', ({ data }) => void seen.push(`second ${data}`));
    await clock.run(5_000);
    expect(seen).toEqual(['first a', 'second b', 'second c']);
    expect(warnings).toEqual([]);
  });
});

describe('ping() does not wait for good', () => {
  it('null after pongTimeout when more lies in front of the pong than is held', async () => {
    const { endpoint, feed, peer, clock } = script({ pongTimeout: 4_000 });
    const seen: unknown[] = [];
    endpoint.on('message', async ({ data }) => {
      seen.push(data.length);
      if (data.length === 1) seen.push(await endpoint.ping());
    });
    feed(peer(OP.text, 'a'));
    await clock.settle();
    feed(
      join(peer(OP.binary, pattern(100_000)), peer(OP.binary, pattern(2)), peer(OP.pong, Uint8Array.of(0, 0, 0, 1))),
    );
    await clock.run(3_999);
    expect(seen).toEqual([1]);
    await clock.run(1);
    expect(seen).toEqual([1, null, 100_000, 2]);
    // The pong was seen after all.
    expect(endpoint.latency).toBe(4_000);
    expect(endpoint.readyState).toBe('open');
  });

  it('null after pongTimeout from a peer that sends, but never answers', async () => {
    const { endpoint, feed, peer, clock } = script({ pongTimeout: 1_000 });
    endpoint.on('message', () => {});
    const pings = [endpoint.ping('a'), endpoint.ping('b')];
    const settled: unknown[] = [];
    for (const ping of pings) void ping.then((latency) => settled.push(latency));
    for (let i = 0; i < 11; i++) {
      await clock.run(100);
      feed(peer(OP.text, 'alive'));
    }
    expect([settled, endpoint.readyState]).toEqual([[null, null], 'open']);
  });
});

describe('the transport breaks while a listener waits for what will never happen, and more is unread than is held', () => {
  const unread = (peer: (opcode: number, payload: Uint8Array) => Uint8Array) =>
    join(...Array.from({ length: 4 }, () => peer(OP.binary, pattern(60_000))));
  const waits: Readonly<Record<string, (endpoint: Endpoint) => Promise<unknown>>> = {
    'drained()': (endpoint) => endpoint.drained(),
    'ping()': (endpoint) => endpoint.ping(),
    'sendStream()': async (endpoint) => {
      const { success } = await endpoint.sendStream('binary', [pattern(90_000), pattern(90_000)]);
      return success;
    },
  };
  for (const [name, wait] of Object.entries(waits)) {
    it(`${name} settles, the messages that came are told, and then the end`, async () => {
      const { endpoint, feed, peer, clock } = script({ pongTimeout: null }, new ScriptTransport(0));
      const seen: unknown[] = [];
      endpoint.on('close', ({ code }) => void seen.push(code));
      endpoint.on('message', async ({ data }) => {
        seen.push(data.length);
        endpoint.send(pattern(100_000));
        seen.push(await wait(endpoint));
      });
      feed(unread(peer));
      await clock.settle();
      expect(seen).toEqual([60_000]);
      const { sink } = (endpoint as unknown as { transport: ScriptTransport }).transport;
      sink!.closed(new Error('ECONNRESET'));
      await clock.settle();
      const answer = name === 'ping()' ? null : false;
      expect(seen).toEqual([...Array.from({ length: 4 }, () => [60_000, answer]).flat(), 1006]);
    });
  }
});
