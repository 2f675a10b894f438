/** Events of an endpoint: their order, the consumer they wait for, listeners that fail, and holding back. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { pair } from '../../src/testing.ts';
import { closePayload, join, OP, pattern } from '../rfc6455/support.ts';
import { ScriptTransport, script } from './script.ts';

const TYPES = ['open', 'message', 'ping', 'pong', 'drain', 'error', 'close'] as const;

describe('order', () => {
  it('open, then anything, then at most one error, then exactly one close, on both sides', async () => {
    const { client, server, clock } = pair();
    const seen: string[] = [];
    for (const type of TYPES) {
      client.on(type, () => seen.push(`client ${type}`));
      server.on(type, () => seen.push(`server ${type}`));
    }
    await clock.settle();
    client.send('hi');
    void server.ping();
    await clock.settle();
    await Promise.all([client.close(1000, 'bye'), clock.run(10_000)]);
    const of = (side: string) => seen.filter((each) => each.startsWith(side)).map((each) => each.split(' ')[1]);
    expect(of('client').filter((type) => type !== 'drain')).toEqual(['open', 'ping', 'close']);
    expect(of('server').filter((type) => type !== 'drain')).toEqual(['open', 'message', 'pong', 'close']);
  });

  it('row 21: open has the headers of the other side, the subprotocol and the extensions, on both sides', async () => {
    const compression = { windowBits: 15 };
    const { client, server, clock } = pair({ subprotocols: ['v2'], client: { compression }, server: { compression } });
    const told: unknown[] = [];
    for (const [side, header] of [
      [client, 'sec-websocket-accept'],
      [server, 'sec-websocket-key'],
    ] as const) {
      side.on('open', ({ headers, subprotocol, extensions }) => {
        told.push([headers.has(header), subprotocol, extensions]);
      });
      side.resume();
    }
    await clock.settle();
    const each = [true, 'v2', 'permessage-deflate'];
    expect(told).toEqual([each, each]);
  });

  it('a failure is error, then close; a clean end has no error', async () => {
    const { client, server, clock, link } = pair();
    const seen: string[] = [];
    for (const type of ['error', 'close'] as const) client.on(type, () => seen.push(type));
    client.resume();
    server.resume();
    await clock.settle();
    link.reset();
    await clock.settle();
    expect(seen).toEqual(['error', 'close']);
    expect(await client.closed).toMatchObject({ code: 1006, error: { code: 'TRANSPORT_FAILED' } });
    expect(await server.closed).toMatchObject({ code: 1006 });
    expect(clock.pendingAlarms).toBe(0);
  });

  it('an unknown event, or a listener that is no function, is a UsageError', () => {
    const { endpoint } = script();
    expect(() => endpoint.on('data' as 'message', () => {})).toThrow(UsageError);
    expect(() => endpoint.on('message', 'x' as unknown as () => void)).toThrow(UsageError);
  });

  it('on() returns its own undo, and several listeners hear each event in order', async () => {
    const { endpoint, feed, peer, clock } = script();
    const seen: string[] = [];
    const undo = [1, 2, 3].map((n) => endpoint.on('message', ({ data }) => seen.push(`${n}${data}`)));
    feed(peer(OP.text, 'a'));
    undo[1]!();
    undo[1]!();
    feed(peer(OP.text, 'b'));
    undo[0]!();
    undo[2]!();
    feed(peer(OP.text, 'c'));
    endpoint.on('message', ({ data }) => seen.push(`4${data}`));
    await clock.settle();
    feed(peer(OP.text, 'd'));
    expect(seen).toEqual(['1a', '2a', '3a', '1b', '3b', '4c', '4d']);
  });
});

describe('the consumer', () => {
  for (const borrowed of [false, true]) {
    it(`nothing is lost between open and the first listener (borrowed: ${borrowed})`, async () => {
      const { client, server, clock } = pair({ link: { borrowed, cut: () => 7 } });
      await clock.settle();
      for (let i = 0; i < 50; i++) client.send(`message ${i}`);
      await clock.settle();
      expect(server.statistics.messagesReceived).toBe(0);
      const taken: unknown[] = [];
      server.on('message', ({ data }) => taken.push(data));
      await clock.settle();
      expect(taken).toEqual(Array.from({ length: 50 }, (_, i) => `message ${i}`));
    });
  }

  it('open listeners run although nobody takes messages yet; resume() drops them', async () => {
    const { client, server, clock } = pair();
    let opened = 0;
    server.on('open', () => opened++);
    client.resume();
    await clock.settle();
    expect(opened).toBe(1);
    client.send('dropped');
    await clock.settle();
    server.resume();
    await clock.settle();
    expect(server.statistics.messagesReceived).toBe(1);
  });

  it('one kind at a time: a second is a UsageError, until the first is gone', async () => {
    const { endpoint } = script({ delivery: 'fragment' });
    const undo = endpoint.on('fragment', () => {});
    expect(() => endpoint.fragments()).toThrow(UsageError);
    undo();
    const iterator = endpoint.fragments();
    expect(() => endpoint.on('fragment', () => {})).toThrow(UsageError);
    expect(() => endpoint.fragments()).toThrow(UsageError);
    await iterator.return!();
    endpoint.on('fragment', () => {});
  });

  it('of what is not delivered is a UsageError that names the option', () => {
    const whole = script().endpoint;
    expect(() => whole.on('fragment', () => {})).toThrow("on('fragment') needs the option delivery: 'fragment'");
    expect(() => whole.fragments()).toThrow("fragments() needs the option delivery: 'fragment'");
    const pieces = script({ delivery: 'fragment' }).endpoint;
    expect(() => pieces.on('message', () => {})).toThrow("on('message') needs the option delivery: 'message'");
    expect(() => pieces[Symbol.asyncIterator]()).toThrow("iteration needs the option delivery: 'message'");
  });

  it('what an iterator leaves behind goes to the next consumer, in order', async () => {
    const { client, server, clock } = pair();
    await clock.settle();
    for (let i = 0; i < 40; i++) client.send(String(i));
    const seen: (string | Uint8Array)[] = [];
    const first = server[Symbol.asyncIterator]();
    await clock.settle();
    seen.push((await first.next()).value!.data);
    await first.return!();
    client.send('40');
    await clock.settle();
    const second = server[Symbol.asyncIterator]();
    await clock.settle();
    for (let i = 0; i < 5; i++) seen.push((await second.next()).value!.data);
    await second.return!();
    const undo = server.on('message', ({ data }) => {
      seen.push(data);
      if (data === '20') undo();
    });
    await clock.settle();
    expect(seen.at(-1)).toBe('20');
    server.on('message', ({ data }) => seen.push(data));
    await clock.settle();
    expect(seen).toEqual(Array.from({ length: 41 }, (_, i) => String(i)));
  });

  it('what an iterator leaves behind comes one at a time to a listener that returns promises', async () => {
    const { client, server, clock } = pair();
    await clock.settle();
    for (let i = 0; i < 6; i++) client.send(String(i));
    const iterator = server[Symbol.asyncIterator]();
    await clock.settle();
    await iterator.return!();
    const seen: (string | Uint8Array)[] = [];
    const settle: (() => void)[] = [];
    server.on('message', ({ data }) => {
      seen.push(data);
      return new Promise<void>((resolve) => settle.push(resolve));
    });
    for (let i = 1; i <= 6; i++) {
      await clock.settle();
      expect(seen.length).toBe(i);
      settle.shift()!();
    }
    expect(seen).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('what an iterator leaves behind counts once', async () => {
    for (const [delivery, count] of [
      ['message', 3],
      ['fragment', 2],
    ] as const) {
      const { endpoint, feed, peer, clock } = script({ delivery });
      const iterator = delivery === 'message' ? endpoint[Symbol.asyncIterator]() : endpoint.fragments();
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      feed(delivery === 'message' ? peer(OP.text, 'c') : peer(OP.text, 'c', false));
      await iterator.return!();
      expect(endpoint.statistics.messagesReceived).toBe(0);
      endpoint.on(delivery, () => {});
      await clock.settle();
      expect(endpoint.statistics.messagesReceived).toBe(count);
    }
  });

  it('fragments() needs delivery by fragment', () => {
    expect(() => script().endpoint.fragments()).toThrow(UsageError);
  });

  it('borrowed payloads cannot go to an iterator: they would change before they are looked at', () => {
    expect(() => script({ borrow: true }).endpoint[Symbol.asyncIterator]()).toThrow(UsageError);
    expect(() => script({ borrow: true, delivery: 'fragment' }).endpoint.fragments()).toThrow(UsageError);
  });
});

describe('listeners that fail', () => {
  it('T56, sync: error event, 1011 on the wire, one close; with an error listener no warning', async () => {
    for (const listening of [true, false]) {
      const { endpoint, feed, peer, clock, transport, warnings } = script();
      const errors: unknown[] = [];
      if (listening) endpoint.on('error', (error) => errors.push(error));
      const cause = new Error('mine');
      endpoint.on('message', () => {
        throw cause;
      });
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      await clock.run(5_000);
      expect(await endpoint.closed).toMatchObject({ error: { name: 'ApplicationError', cause } });
      expect(errors.length).toBe(listening ? 1 : 0);
      expect(warnings.length).toBe(listening ? 0 : 1);
      expect(transport.frames.map((each) => [...each.payload.subarray(0, 2)])).toEqual([[3, 0xf3]]);
    }
  });

  it('T56, async: the same, and the connection is held until it settles', async () => {
    const { endpoint, feed, peer, clock, warnings } = script();
    let calls = 0;
    endpoint.on('message', async () => {
      calls++;
      await Promise.resolve();
      throw new Error('later');
    });
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
    await clock.run(10_000);
    expect(calls).toBe(1);
    expect(await endpoint.closed).toMatchObject({ error: { code: 'APPLICATION_FAILED' } });
    expect(warnings.length).toBe(1);
  });

  it('a throw in open, error and close listeners neither escapes nor repeats events', async () => {
    const { client, server, clock, warnings } = pair();
    const seen: string[] = [];
    for (const type of ['open', 'error', 'close'] as const) {
      client.on(type, () => {
        seen.push(type);
        throw new Error(type);
      });
    }
    server.resume();
    await clock.run(20_000);
    expect(seen).toEqual(['open', 'error', 'close']);
    expect(client.readyState).toBe('closed');
    expect(server.readyState).toBe('closed');
    expect(warnings.length).toBeLessThanOrEqual(3);
  });

  it.each([
    ['throws', () => fail()],
    ['rejects', async () => fail()],
  ])('onListenerError that %s itself ends with 1011', async (_, onListenerError) => {
    const { endpoint, feed, peer, clock } = script({ onListenerError });
    endpoint.on('message', () => {
      throw new Error('bad');
    });
    feed(peer(OP.text, 'a'));
    await clock.run(5_000);
    expect(await endpoint.closed).toMatchObject({ error: { cause: { message: 'worse' } } });
  });
});

describe('holding back', () => {
  it('a promise holds back the next event; concurrency allows more at once', async () => {
    for (const concurrency of [1, 3]) {
      const { endpoint, feed, peer, clock, transport } = script({ concurrency });
      const release: (() => void)[] = [];
      endpoint.on('message', () => new Promise<void>((resolve) => release.push(resolve)));
      // More than one read's worth: what is held has a bound, then the peer is held back.
      feed(join(...Array.from({ length: 10 }, () => peer(OP.binary, pattern(40_000)))));
      await clock.settle();
      expect(release.length).toBe(concurrency);
      expect(transport.paused).toBe(true);
      for (let i = 0; i < 10; i++) {
        release[i]!();
        await clock.settle();
        expect(release.length).toBe(Math.min(10, i + 1 + concurrency));
      }
      expect(transport.paused).toBe(false);
    }
  });

  it('pause() stops events, resume() goes on where they stopped', async () => {
    const { endpoint, feed, peer, clock } = script();
    const taken: unknown[] = [];
    endpoint.on('message', ({ data }) => {
      taken.push(data);
      endpoint.pause();
    });
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.text, 'c')));
    await clock.settle();
    expect(taken).toEqual(['a']);
    endpoint.resume();
    await clock.settle();
    expect(taken).toEqual(['a', 'b']);
  });

  it('pause() while output waits and resume() in drain: what was read meanwhile is taken', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, feed, peer, clock } = script({ highWaterMark: 100 }, transport);
    const seen: unknown[] = [];
    endpoint.on('message', ({ data }) => {
      seen.push(data);
      if (!endpoint.send(pattern(200)).writable) endpoint.pause();
    });
    endpoint.on('drain', () => {
      seen.push('drain');
      endpoint.resume();
    });
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
    await clock.settle();
    expect([seen, transport.paused]).toEqual([['a'], true]);
    transport.drain();
    await clock.settle();
    expect([seen, transport.paused]).toEqual([['a', 'drain', 'b', 'drain'], false]);
  });

  it('T70: a turn has a budget of events: then others have theirs, and nothing is lost', () => {
    const { endpoint, feed, peer, clock } = script();
    let taken = 0;
    endpoint.on('message', () => taken++);
    feed(join(...Array.from({ length: 5_000 }, () => peer(OP.text, ''))));
    expect(taken).toBe(1_024);
    const others: number[] = [];
    const look = (turns: number) => {
      others.push(taken);
      if (turns > 1) clock.yield(look, turns - 1);
    };
    clock.yield(look, 4);
    clock.runDue();
    expect(taken).toBe(5_000);
    expect(others).toEqual([2_048, 3_072, 4_096, 5_000]);
  });

  it('T70: so it has with listeners that return promises, though each of those ends a turn', async () => {
    const { endpoint, feed, peer, clock } = script();
    let taken = 0;
    endpoint.on('message', async () => void taken++);
    const given: number[] = [];
    const { yield: real } = clock;
    clock.yield = (run, argument) => {
      given.push(taken);
      real.call(clock, run as (argument: unknown) => void, argument);
    };
    feed(join(...Array.from({ length: 5_000 }, () => peer(OP.text, ''))));
    await clock.settle();
    expect(taken).toBe(5_000);
    // Those that are held behind the first one count when they are pulled.
    expect(given.length).toBe(4);
    expect(Math.max(...given.map((each, i) => each - (given[i - 1] ?? 0)))).toBeLessThanOrEqual(1_024);
  });

  it('an end that comes while events are held back: close() and terminate() resolve all the same', async () => {
    const paused = script();
    paused.endpoint.on('message', () => {});
    paused.endpoint.pause();
    paused.endpoint.terminate();
    await paused.clock.settle();
    expect(await paused.endpoint.closed).toMatchObject({ error: { code: 'TERMINATED' } });
    const busy = script();
    let result: unknown = null;
    busy.endpoint.on('message', async () => {
      result = await busy.endpoint.close(1000);
    });
    busy.feed(busy.peer(OP.text, 'please'));
    await busy.clock.settle();
    busy.feed(busy.peer(OP.close, closePayload(1000)));
    await busy.clock.run(20_000);
    expect(result).toMatchObject({ type: 'close' });
    expect(busy.clock.pendingAlarms).toBe(0);
  });

  it('a close listener of a socket that nobody reads is told when the transport is gone', async () => {
    const { endpoint, clock, transport } = script();
    const seen: string[] = [];
    endpoint.on('close', () => seen.push('close'));
    transport.sink!.closed(new Error('reset'));
    await clock.settle();
    expect(seen).toEqual(['close']);
  });
});

describe('large payloads, lent', () => {
  for (const text of ['string', 'bytes'] as const) {
    it(`borrow: an echo over a transport that drains late arrives intact (text: ${text})`, async () => {
      const transport = new ScriptTransport(1_000);
      const { endpoint, feed, peer, clock } = script({ borrow: true, text, maxMessageSize: 1 << 20 }, transport);
      endpoint.on('message', ({ data, kind }) => {
        endpoint.send(data, { binary: kind === 'binary' });
      });
      const sizes = [10, 40_000, 200_000, 33_000, 130_000, 5, 70_000];
      for (const size of sizes) feed(peer(OP.binary, pattern(size, size)), true);
      for (const size of sizes) feed(peer(OP.text, 'é'.repeat(size >> 1)), true);
      for (let i = 0; i < 300; i++) {
        transport.drain(7_000);
        clock.runDue();
      }
      const { frames } = transport;
      expect(frames.map((each) => each.payload.length)).toEqual([...sizes, ...sizes.map((size) => size & ~1)]);
      for (const [i, size] of sizes.entries()) {
        expect(Buffer.compare(frames[i]!.payload, pattern(size, size))).toBe(0);
      }
      for (const { payload } of frames.slice(sizes.length)) {
        expect(payload.every((octet, i) => octet === (i % 2 === 0 ? 0xc3 : 0xa9))).toBe(true);
      }
      await clock.settle();
    });
  }
});

function fail(): never {
  throw new Error('worse');
}
