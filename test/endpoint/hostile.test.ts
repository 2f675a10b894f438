/** Listeners, sources and callers that do what they should not, at every event: nothing hangs, repeats, leaks or escapes. */
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { type EventName, onAnyEvent } from '../../src/endpoint/index.ts';
import { UsageError } from '../../src/index.ts';
import { pair } from '../../src/testing.ts';
import { bytesOf, closePayload, join, OP, pattern } from '../rfc6455/support.ts';
import { ScriptTransport, script } from './script.ts';

const EVENTS = ['open', 'message', 'progress', 'ping', 'pong', 'drain', 'error', 'close'] as const;

const ACTIONS: Record<string, (endpoint: Endpoint) => unknown> = {
  throws: () => {
    throw new Error('mine');
  },
  'throws null': () => {
    throw null;
  },
  rejects: () => Promise.reject(new Error('mine')),
  'rejects later': () => new Promise((_, reject) => queueMicrotask(() => reject(new Error('mine')))),
  'never settles': () => new Promise(() => {}),
  'is a thenable that throws': () => ({
    // biome-ignore lint/suspicious/noThenProperty: a thenable of somebody else.
    then() {
      throw new Error('mine');
    },
  }),
  'settles twice': () => ({
    // biome-ignore lint/suspicious/noThenProperty: a thenable of somebody else.
    then(settled: () => void) {
      settled();
      settled();
    },
  }),
  closes: (endpoint) => void endpoint.close(4001),
  'closes, and waits': (endpoint) => endpoint.close(4001),
  'waits for the end': (endpoint) => endpoint.closed,
  terminates: (endpoint) => endpoint.terminate(),
  sends: (endpoint) => void endpoint.send(pattern(3_000)),
  'sends, and waits': async (endpoint) => {
    endpoint.send(pattern(3_000));
    await endpoint.drained();
  },
  pings: (endpoint) => endpoint.ping(),
  pauses: (endpoint) => {
    endpoint.pause();
    queueMicrotask(() => endpoint.resume());
  },
  'listens more': (endpoint) => {
    endpoint.on('message', () => {});
    endpoint.on('ping', () => {});
  },
  streams: (endpoint) => {
    endpoint.sendStream('text', ['a', 'b']).catch(() => {});
  },
};

const FAILING = new Set(['throws', 'throws null', 'rejects', 'rejects later', 'is a thenable that throws']);

describe('T56: what a listener may do', () => {
  for (const event of EVENTS) {
    for (const [name, act] of Object.entries(ACTIONS)) {
      it(`in ${event} it ${name}: one open, at most one error, one close, and nothing is left`, async () => {
        const { server, client, clock, warnings } = pair({
          server: { progress: true, highWaterMark: 1_000, maxBufferedAmount: null, closeTimeout: 1_000 },
          link: { window: 500, latency: 5, cut: () => 700 },
        });
        const seen: string[] = [];
        for (const each of EVENTS) server.on(each, () => void seen.push(each));
        let acted = false;
        server.on(event, () => {
          if (acted) return undefined;
          acted = true;
          return act(server);
        });
        const clientSaw: number[] = [];
        client.on('close', ({ code }) => void clientSaw.push(code));
        client.on('message', () => {});
        await clock.run(50);
        client.send('text', { fragmentSize: 2 });
        void client.ping();
        if (server.readyState === 'open') {
          server.send(pattern(2_000));
          void server.ping();
        }
        await clock.run(200);
        client.send('more');
        await clock.run(200);
        if (event === 'error') client.terminate();
        else void client.close(4000);
        await clock.run(120_000);
        expect(acted, 'the event came').toBe(true);
        expect([server.readyState, client.readyState]).toEqual(['closed', 'closed']);
        for (const once of ['open', 'close'] as const) expect(seen.filter((each) => each === once)).toEqual([once]);
        expect(seen.filter((each) => each === 'error').length).toBeLessThan(2);
        expect([seen[0], seen.at(-1)]).toEqual(['open', 'close']);
        if (seen.includes('error')) expect(seen.at(-2)).toBe('error');
        expect(clientSaw.length).toBe(1);
        // It failed while the connection was open, and the client is told that much.
        if (FAILING.has(name) && event !== 'error' && event !== 'close') {
          expect(clientSaw).toEqual([1011]);
          expect((await server.closed).error).toMatchObject({ name: 'ApplicationError' });
        }
        expect((await server.closed).type).toBe('close');
        expect(warnings.length).toBeLessThan(2);
        expect(clock.pendingAlarms).toBe(0);
        expect(server.bufferedAmount).toBe(0);
      });
    }
  }

  it('listeners that are removed or added while the event is told: this telling goes to those there were', async () => {
    const { endpoint, feed, peer, clock } = script();
    const seen: string[] = [];
    for (const type of ['ping', 'message'] as const) {
      const undo: (() => void)[] = [];
      const once = (name: string) => {
        const remove = endpoint.on(type, () => {
          seen.push(`${type} ${name}`);
          remove();
          if (name === 'a') undo[1]!();
          if (name === 'a') endpoint.on(type, () => void seen.push(`${type} new`));
        });
        undo.push(remove);
      };
      once('a');
      once('b');
    }
    feed(join(peer(OP.ping, ''), peer(OP.text, 'x')));
    await clock.settle();
    expect(seen).toEqual(['ping a', 'ping b', 'message a', 'message b']);
    seen.length = 0;
    feed(join(peer(OP.ping, ''), peer(OP.text, 'x')));
    await clock.settle();
    expect(seen).toEqual(['ping new', 'message new']);
  });

  it('the same listener twice is two listeners; each undo removes one', () => {
    const { endpoint, feed, peer } = script();
    let calls = 0;
    const listener = () => void calls++;
    const undo = [endpoint.on('message', listener), endpoint.on('message', listener)];
    feed(peer(OP.text, 'x'));
    expect(calls).toBe(2);
    undo[0]!();
    undo[0]!();
    feed(peer(OP.text, 'x'));
    expect(calls).toBe(3);
  });

  it('what only resembles a promise holds events back like one, whatever it does', async () => {
    const told: unknown[] = [];
    const { endpoint, feed, peer, clock } = script({ onListenerError: (error) => void told.push(error) });
    const mine = new Error('mine');
    const thens: ((settled: () => void, failed: (error: Error) => void) => void)[] = [
      (settled) => [settled(), settled()],
      () => {
        throw mine;
      },
      (settled, failed) => [failed(mine), settled()],
      (settled) => {
        settled();
        throw mine;
      },
    ];
    let open = 0;
    let most = 0;
    const begun: unknown[] = [];
    endpoint.on('message', ({ data }) => {
      begun.push(data);
      // biome-ignore lint/suspicious/noThenProperty: a thenable of somebody else.
      if (Number(data) < thens.length) return { then: thens[Number(data)] };
      most = Math.max(most, ++open);
      return Promise.resolve().then(() => void open--);
    });
    feed(join(...Array.from({ length: 8 }, (_, i) => peer(OP.text, `${i}`))));
    await clock.settle();
    expect(begun).toEqual(Array.from({ length: 8 }, (_, i) => `${i}`));
    expect([most, told, endpoint.readyState]).toEqual([1, [mine, mine], 'open']);
  });

  it('onListenerError is told of each, by event, and the connection lives', async () => {
    const told: [unknown, EventName][] = [];
    const { endpoint, feed, peer, clock } = script({
      onListenerError: (error, _, event) => void told.push([(error as Error).message, event]),
    });
    endpoint.on('ping', () => {
      throw new Error('one');
    });
    endpoint.on('message', () => Promise.reject(new Error('two')));
    feed(join(peer(OP.ping, ''), peer(OP.text, 'x'), peer(OP.text, 'y')));
    await clock.settle();
    expect(told).toEqual([
      ['one', 'ping'],
      ['two', 'message'],
      ['two', 'message'],
    ]);
    expect(endpoint.readyState).toBe('open');
  });
});

it('listen() and onAnyEvent() attach all of their listeners, or none', () => {
  const { endpoint, feed, peer } = script();
  let calls = 0;
  const listener = () => void calls++;
  expect(() => endpoint.listen({ message: listener, ping: listener, pogn: listener } as never)).toThrow("'pogn'");
  feed(peer(OP.ping, ''));
  expect(calls).toBe(0);
  class Handlers {
    message = listener;
    ping(): void {}
  }
  expect(() => endpoint.listen(new Handlers())).toThrow("'ping' is inherited");
  expect(() => onAnyEvent(endpoint, 'fragment', listener)).toThrow("delivery: 'fragment'");
  feed(peer(OP.ping, ''));
  expect(calls).toBe(0);
  endpoint.listen({ message: listener, ping: listener, pong: undefined } as never);
  feed(join(peer(OP.ping, ''), peer(OP.text, '')));
  expect(calls).toBe(2);
});

describe('iteration broken off', () => {
  it('with next() calls waiting: they end, and nothing of what comes is lost', async () => {
    const { endpoint, feed, peer, clock } = script();
    const iterator = endpoint[Symbol.asyncIterator]();
    const waiting = [iterator.next(), iterator.next()];
    await iterator.return!();
    expect(await Promise.all(waiting)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    feed(peer(OP.text, 'x'));
    const again = endpoint[Symbol.asyncIterator]();
    await clock.settle();
    expect((await again.next()).value).toMatchObject({ data: 'x' });
  });

  it('by a throw in the loop: the connection is open, and the rest goes to the next loop', async () => {
    const { endpoint, feed, peer, clock } = script({ maxQueuedMessages: 2 });
    feed(join(...['a', 'b', 'c', 'd', 'e'].map((data) => peer(OP.text, data))));
    const seen: unknown[] = [];
    const broken = (async () => {
      for await (const { data } of endpoint) {
        seen.push(data);
        throw new Error('mine');
      }
    })();
    const outcome = expect(broken).rejects.toThrow('mine');
    await clock.settle();
    await outcome;
    const rest = (async () => {
      for await (const { data } of endpoint) if (seen.push(data) === 5) break;
    })();
    await clock.settle();
    await rest;
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('fragments() broken off in the middle of a message: the next one goes on where it was', async () => {
    const { endpoint, feed, peer, clock } = script({ delivery: 'fragment', maxQueuedMessages: 1 });
    feed(join(peer(OP.binary, 'ab', false), peer(OP.continuation, 'cd', false), peer(OP.continuation, 'ef')));
    const begun = (async () => {
      for await (const { first } of endpoint.fragments()) return first;
      return null;
    })();
    await clock.settle();
    expect(await begun).toBe(true);
    const rest: unknown[] = [];
    const done = (async () => {
      for await (const { data, last } of endpoint.fragments()) {
        rest.push(String.fromCharCode(...data));
        if (last) break;
      }
    })();
    await clock.settle();
    await done;
    expect(rest).toEqual(['cd', 'ef']);
  });

  it('a loop that pings in its body, behind more messages than it has room for', async () => {
    const { server, client, clock } = pair({ server: { maxQueuedMessages: 2 }, link: { latency: 10 } });
    client.resume();
    const seen: unknown[] = [];
    void (async () => {
      for await (const { data } of server) seen.push([data, await server.ping()]);
    })();
    await clock.run(100);
    for (let i = 0; i < 10; i++) client.send(`${i}`);
    await clock.run(1_000);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => [`${i}`, 20]));
  });
});

describe('sendStream', () => {
  it('what is no iterable of chunks is a UsageError, and the connection lives', () => {
    const { endpoint } = script();
    for (const source of [undefined, null, 5, {}, () => [], pattern(4), new ArrayBuffer(4), { [Symbol.iterator]: 1 }]) {
      expect(() => endpoint.sendStream('binary', source as never)).toThrow(UsageError);
    }
    expect(endpoint.readyState).toBe('open');
    expect(endpoint.send('x').success).toBe(true);
  });

  it('a source that never ends and never waits leaves others their turn', async () => {
    const { endpoint, clock, transport } = script();
    transport.keeping = false;
    let made = 0;
    function* source() {
      for (;;) {
        made++;
        yield made % 2 === 0 ? pattern(100) : pattern(0);
      }
    }
    const sent = endpoint.sendStream('binary', source());
    for (let i = 0; i < 5; i++) {
      clock.runDue();
      for (let each = 0; each < 1_000; each++) await Promise.resolve();
    }
    expect(made).toBeGreaterThan(64);
    expect(made).toBeLessThan(1_000);
    endpoint.terminate();
    await clock.settle();
    expect(await sent).toMatchObject({ success: false, code: 'not-open' });
  });

  it('a source that throws after close() was called: one end, and no alarm is left', async () => {
    const { endpoint, clock, transport } = script({ closeTimeout: 60_000, pingInterval: null });
    let fail: (error: Error) => void = () => {};
    async function* source() {
      yield 'a';
      await new Promise((_, reject) => (fail = reject));
    }
    const outcome = expect(endpoint.sendStream('text', source())).rejects.toThrow('mine');
    await clock.settle();
    const closed = endpoint.close(4000);
    fail(new Error('mine'));
    await clock.settle();
    await outcome;
    transport.sink!.closed();
    await clock.settle();
    expect(await closed).toMatchObject({ error: { code: 'APPLICATION_FAILED' } });
    expect(clock.pendingAlarms).toBe(0);
  });

  it('is over by a Close of the peer: the source is told, and the result is not-open', async () => {
    const { endpoint, feed, peer, clock } = script();
    let returned = false;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<string>>(() => {}),
        return: () => {
          returned = true;
          return Promise.reject(new Error('nobody hears this'));
        },
      }),
    };
    const sent = endpoint.sendStream('text', source);
    await clock.settle();
    feed(peer(OP.close, closePayload(1000)));
    await clock.run(10_000);
    expect(await sent).toMatchObject({ success: false, code: 'not-open' });
    expect(returned).toBe(true);
  });

  it('what finds no room behind a stream is refused, or fails the connection, as without one', async () => {
    for (const overflow of ['refuse', 'close'] as const) {
      const { endpoint, clock, transport } = script({ maxBufferedAmount: 1_000, overflow });
      const sent = endpoint.sendStream('text', {
        [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<string>>(() => {}) }),
      });
      await clock.settle();
      expect(endpoint.send(pattern(2_000)).success).toBe(true);
      expect(endpoint.send('é')).toMatchObject({ success: false, code: 'overflow', payloadSize: 2 });
      await clock.settle();
      expect(endpoint.readyState).toBe(overflow === 'refuse' ? 'open' : 'closing');
      expect(transport.frames.map(({ opcode }) => opcode)).toEqual(overflow === 'refuse' ? [] : [OP.close]);
      endpoint.terminate();
      await clock.settle();
      expect(await sent).toMatchObject({ success: false, code: 'not-open' });
      expect(endpoint.send('é')).toMatchObject({ success: false, code: 'not-open', payloadSize: 2 });
    }
  });

  it('in a message listener, awaited, behind a transport that drains late', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, feed, peer, clock } = script({ highWaterMark: 500 }, transport);
    const seen: unknown[] = [];
    endpoint.on('message', async ({ data }) => {
      const { success } = await endpoint.sendStream('binary', [pattern(600), pattern(600), pattern(600)]);
      seen.push([data, success]);
    });
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
    for (let i = 0; i < 100; i++) {
      transport.drain(100);
      await clock.settle();
    }
    expect(seen).toEqual([
      ['a', true],
      ['b', true],
    ]);
  });
});

describe('maxBufferedAmount', () => {
  for (const overflow of ['refuse', 'close'] as const) {
    it(`holds for messages that are sent in fragments, whatever a begun one takes, overflow: '${overflow}'`, async () => {
      const transport = new ScriptTransport(0);
      const { endpoint, clock } = script({ maxBufferedAmount: 1_000, overflow }, transport);
      for (const last of [false, false, true]) {
        expect(endpoint.sendFragment('binary', pattern(900), last).success).toBe(true);
      }
      expect(endpoint.sendFragment('text', pattern(1), false)).toEqual({
        success: false,
        code: 'overflow',
        payloadSize: 1,
        wireSize: 0,
        compressionError: false,
        writable: false,
      });
      await clock.settle();
      expect(endpoint.readyState).toBe(overflow === 'refuse' ? 'open' : 'closing');
      let drains = 0;
      endpoint.on('drain', () => void drains++);
      transport.drain();
      await clock.settle();
      if (overflow === 'close') return;
      expect(drains).toBe(1);
      expect(endpoint.sendFragment('text', bytesOf('x'), true).success).toBe(true);
    });
  }

  it('a stream waits for room before it begins', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 500, maxBufferedAmount: 1_000 }, transport);
    endpoint.send(pattern(5_000));
    const sent = endpoint.sendStream('binary', [pattern(10)]);
    await clock.settle();
    expect(endpoint.bufferedAmount).toBe(5_004);
    transport.drain();
    await clock.settle();
    expect(await sent).toMatchObject({ success: true, payloadSize: 10 });
  });

  it('a stream that finds none says so, where the water mark is above the limit', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 9_000, maxBufferedAmount: 1_000 }, transport);
    endpoint.send(pattern(5_000));
    const sent = endpoint.sendStream('binary', [pattern(10)]);
    await clock.settle();
    transport.drain();
    await clock.settle();
    expect(await sent).toMatchObject({ success: false, code: 'overflow' });
    expect(transport.frames.at(-1)).toMatchObject({ opcode: OP.close });
  });
});

describe('T54: the end', () => {
  it('close() again, with another code: the first counts, wrong arguments are wrong all the same', async () => {
    const { endpoint, feed, peer, clock, transport } = script();
    endpoint.resume();
    const ends = [endpoint.close(4000, 'first'), endpoint.close(4001, 'second'), endpoint.close()];
    expect(() => endpoint.close(999)).toThrow(UsageError);
    await clock.settle();
    expect(transport.frames.map(({ payload }) => [...payload.subarray(0, 2)])).toEqual([[0x0f, 0xa0]]);
    feed(peer(OP.close, closePayload(4000)));
    transport.sink!.ended();
    await clock.settle();
    const told = await Promise.all(ends);
    expect(told.every((each) => each === told[0])).toBe(true);
    expect(await endpoint.close(4002)).toBe(told[0]);
    expect(() => endpoint.close(5000)).toThrow(UsageError);
  });

  it('whatever is called after it does nothing and says so', async () => {
    const { endpoint, clock } = script();
    endpoint.on('message', () => {});
    endpoint.terminate();
    await clock.settle();
    expect(endpoint.send('x')).toMatchObject({ success: false, code: 'not-open' });
    expect(endpoint.sendFragment('binary', pattern(1), true)).toMatchObject({ success: false, code: 'not-open' });
    expect(await endpoint.sendStream('text', ['x'])).toMatchObject({ success: false, code: 'not-open' });
    expect(await endpoint.drained()).toBe(false);
    expect(await endpoint.ping()).toBe(null);
    expect(endpoint.pong()).toBe(false);
    endpoint.pause();
    endpoint.resume();
    endpoint.terminate();
    endpoint.wake();
    expect(endpoint.ref().unref()).toBe(endpoint);
    await clock.settle();
    expect([endpoint.readyState, endpoint.writable, endpoint.bufferedAmount]).toEqual(['closed', false, 0]);
    expect(clock.pendingAlarms).toBe(0);
  });

  it('closed is one promise, however often it is asked for', async () => {
    const { endpoint, clock } = script();
    expect(endpoint.closed).toBe(endpoint.closed);
    endpoint.terminate();
    await clock.settle();
    expect(endpoint.closed).toBe(endpoint.closed);
    const late = script().endpoint;
    late.terminate();
    expect(await late.closed).toMatchObject({ error: { code: 'TERMINATED' } });
  });

  it('a peer that ends its direction without a Close: what it sent is taken, then the end is told', async () => {
    for (const promise of [false, true]) {
      const { endpoint, feed, peer, clock, transport } = script();
      const seen: unknown[] = [];
      endpoint.on('message', ({ data }) => {
        seen.push(data);
        return promise ? Promise.resolve() : undefined;
      });
      endpoint.on('close', ({ code, clean }) => void seen.push([code, clean]));
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b')));
      transport.sink!.ended();
      await clock.settle();
      expect(seen).toEqual(['a', 'b', [1006, false]]);
      expect(transport.destroyed).toBe(true);
    }
  });
});

describe('T57: arguments of the wrong type are a UsageError, and the connection lives', () => {
  const calls: [string, (endpoint: Endpoint) => unknown][] = [
    ['send()', (e) => e.send(undefined as never)],
    ['send(5)', (e) => e.send(5 as never)],
    ['send([1])', (e) => e.send([1] as never)],
    ['send, options null', (e) => e.send('x', null as never)],
    ['send, binary null', (e) => e.send('x', { binary: null as never })],
    ['send, compress null', (e) => e.send('x', { compress: null as never })],
    ['send, fragmentSize null', (e) => e.send('x', { fragmentSize: null as never })],
    ['send, fragmentSize 1.5', (e) => e.send('x', { fragmentSize: 1.5 })],
    ['send, fragmentSize "1"', (e) => e.send('x', { fragmentSize: '1' as never })],
    ['send, unknown option', (e) => e.send('x', { compres: false } as never)],
    ['send, options a list', (e) => e.send('x', ['binary'] as never)],
    ['sendStream, unknown option', (e) => e.sendStream('text', [], { binary: true } as never)],
    ['sendFragment, no data', (e) => e.sendFragment('text', undefined as never, true)],
    ['sendFragment, last missing', (e) => e.sendFragment('text', bytesOf('x'), undefined as never)],
    ['sendFragment, last 1', (e) => e.sendFragment('text', bytesOf('x'), 1 as never)],
    ['sendFragment, kind null', (e) => e.sendFragment(null as never, bytesOf('x'), true)],
    ['sendStream, options 1', (e) => e.sendStream('text', [], 1 as never)],
    ['sendStream, compress null', (e) => e.sendStream('text', [], { compress: null as never })],
    ['ping(5)', (e) => e.ping(5 as never)],
    ['ping(null)', (e) => e.ping(null as never)],
    ['pong({})', (e) => e.pong({} as never)],
    ['ping lone surrogate', (e) => e.ping('\ud800')],
    ['close("1000")', (e) => e.close('1000' as never)],
    ['close(1000, 5)', (e) => e.close(1000, 5 as never)],
    ['close(1000, null)', (e) => e.close(1000, null as never)],
    ['close lone surrogate', (e) => e.close(1000, '\ud800')],
    ['on(undefined)', (e) => e.on(undefined as never, () => {})],
    ['on toString', (e) => e.on('toString' as never, () => {})],
    ['on, no listener', (e) => e.on('message', undefined as never)],
    ['listen(null)', (e) => e.listen(null as never)],
    ['listen, no event', (e) => e.listen({ data: () => {} } as never)],
    ['listen, null', (e) => e.listen({ message: null } as never)],
  ];
  for (const [name, call] of calls) {
    it(name, async () => {
      const { endpoint, clock, transport } = script();
      expect(() => call(endpoint)).toThrow(UsageError);
      await clock.settle();
      expect(transport.wire.length).toBe(0);
      expect(endpoint.readyState).toBe('open');
      expect(endpoint.send('x').success).toBe(true);
    });
  }
});
