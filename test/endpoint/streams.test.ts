/** Messages sent as they are made, messages and fragments taken one by one. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { pair } from '../../src/testing.ts';
import { bytesOf, closePayload, join, OP, pattern, ROLES, textOf } from '../rfc6455/support.ts';
import { ScriptTransport, script } from './script.ts';

/** A source that yields what it is given, when it is given. */
function faucet<T>(): {
  source: AsyncIterable<T>;
  give: (chunk: T) => void;
  end: () => void;
  fail: (error: Error) => void;
} {
  const queue: (() => IteratorResult<T>)[] = [];
  let wake: () => void = () => {};
  const put = (result: () => IteratorResult<T>) => {
    queue.push(result);
    wake();
  };
  const next = async (): Promise<IteratorResult<T>> => {
    while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return queue.shift()!();
  };
  return {
    source: { [Symbol.asyncIterator]: () => ({ next }) },
    give: (value) => put(() => ({ done: false, value })),
    end: () => put(() => ({ done: true, value: undefined })),
    fail: (error) =>
      put(() => {
        throw error;
      }),
  };
}

for (const role of ROLES) {
  describe(`sendStream, ${role}`, () => {
    it('is one message of a fragment for each chunk; control frames interleave, whole messages queue behind', async () => {
      const { endpoint, transport, clock, feed, peer } = script({}, undefined, { role });
      endpoint.resume();
      const { source, give, end } = faucet<string>();
      const sent = endpoint.sendStream('text', source);
      give('one ');
      await clock.settle();
      feed(peer(OP.ping, 'p'));
      expect(endpoint.send('behind')).toMatchObject({ success: true, code: null, payloadSize: 6 });
      expect(endpoint.send(pattern(3))).toMatchObject({ success: true });
      give('two');
      await clock.settle();
      expect(transport.frames.map((each) => [each.opcode, each.fin])).toEqual([
        [OP.text, false],
        [OP.pong, true],
        [OP.continuation, false],
      ]);
      end();
      await clock.settle();
      const rest = transport.frames.slice(3);
      expect(rest.map((each) => [each.opcode, each.fin, textOf(each.payload)])).toEqual([
        [OP.continuation, true, ''],
        [OP.text, true, 'behind'],
        [OP.binary, true, textOf(pattern(3))],
      ]);
      const result = await sent;
      expect(result).toMatchObject({ success: true, code: null, payloadSize: 7 });
      const own = role === 'client' ? 6 : 2;
      expect(result.wireSize).toBe(3 * own + 7);
    });

    it('surrogate pairs cut by the chunks are whole again; a half at the end fails with 1011', async () => {
      const { endpoint, transport, clock } = script({}, undefined, { role });
      const sent = endpoint.sendStream('text', ['a\ud83d', '\ude00b', '\ud83d', '\ude00']);
      await clock.settle();
      expect(await sent).toMatchObject({ success: true, payloadSize: 10 });
      expect(textOf(join(...transport.frames.map((each) => each.payload)))).toBe('a😀b😀');
      const failed = endpoint.sendStream('text', ['x\ud83d']);
      const outcome = expect(failed).rejects.toThrow(UsageError);
      await clock.settle();
      await outcome;
      expect([...transport.frames.at(-1)!.payload.subarray(0, 2)]).toEqual([3, 0xf3]);
    });

    it('bytes between the halves of a surrogate pair fail with 1011: they would overtake the first', async () => {
      const { endpoint, transport, clock } = script({}, undefined, { role });
      const failed = endpoint.sendStream('text', ['a\ud83d', bytesOf('b'), '\ude00']);
      const outcome = expect(failed).rejects.toThrow('a lone surrogate, and no string follows');
      await clock.settle();
      await outcome;
      expect(transport.frames.map(({ opcode, payload }) => [opcode, textOf(payload.subarray(0, 1))])).toEqual([
        [OP.text, 'a'],
        [OP.close, '\x03'],
      ]);
    });

    it('a source that throws fails the connection with 1011', async () => {
      const { endpoint, transport, clock } = script({}, undefined, { role });
      const { source, give, fail } = faucet<Uint8Array>();
      const sent = endpoint.sendStream('binary', source);
      const outcome = expect(sent).rejects.toThrow('broken source');
      give(pattern(5));
      await clock.settle();
      fail(new Error('broken source'));
      await clock.run(10_000);
      await outcome;
      expect(transport.frames.map((each) => each.opcode)).toEqual([OP.binary, OP.close]);
      expect(await endpoint.closed).toMatchObject({ error: { code: 'APPLICATION_FAILED' } });
      expect(clock.pendingAlarms).toBe(0);
    });
  });
}

describe('sendStream and backpressure', () => {
  it('what is whole already is no source: a UsageError that leaves the connection open', async () => {
    const { endpoint, clock, transport } = script();
    endpoint.resume();
    for (const whole of ['text', new Uint8Array(3), new DataView(new ArrayBuffer(1))]) {
      expect(() => endpoint.sendStream('text', whole as never)).toThrow('sendStream takes an iterable of chunks');
    }
    expect(() => endpoint.sendFragment('text', 'text' as never, true)).toThrow(
      'a fragment must be an ArrayBuffer or a view of one, not a string',
    );
    await clock.settle();
    expect([endpoint.readyState, transport.frames.length]).toEqual(['open', 0]);
  });

  it('waits for the transport; a message that queues behind does not keep it waiting for ever', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 1_000 }, transport);
    let made = 0;
    function* source() {
      for (; made < 10; made++) yield pattern(800);
    }
    const sent = endpoint.sendStream('binary', source());
    await clock.settle();
    expect(endpoint.send('behind').success).toBe(true);
    const drained = endpoint.drained();
    expect(made).toBeLessThan(4);
    for (let i = 0; i < 200; i++) {
      transport.drain(100);
      await clock.settle();
    }
    expect(made).toBe(10);
    expect((await sent).payloadSize).toBe(8_000);
    expect(await drained).toBe(true);
    expect(textOf(transport.frames.at(-1)!.payload)).toBe('behind');
    expect(endpoint.bufferedAmount).toBe(0);
  });

  it('row 71: the source knows how far it is; when it stops early the message ends there, and the next one is whole', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 1_000 }, transport);
    const whole = pattern(8_000);
    const progress: number[] = [];
    let cancelled = false;
    let left = false;
    function* source() {
      try {
        for (let at = 0; at < whole.length && !cancelled; at += 800) {
          yield whole.subarray(at, at + 800);
          progress.push(at + 800);
        }
      } finally {
        left = true;
      }
    }
    const sent = endpoint.sendStream('binary', source());
    await clock.settle();
    // No more than the peer has room for.
    expect(progress).toEqual([800]);
    for (let i = 0; i < 2; i++) {
      transport.drain(804);
      await clock.settle();
    }
    expect(progress.at(-1)).toBeLessThan(8_000);
    cancelled = true;
    transport.drain();
    await clock.settle();
    const size = progress.at(-1)!;
    expect([await sent, left]).toMatchObject([{ success: true, payloadSize: size }, true]);
    endpoint.send('next');
    await clock.settle();
    const { frames } = transport;
    expect(frames.map(({ opcode, fin }) => [opcode, fin])).toEqual([
      [OP.binary, false],
      ...Array(size / 800 - 1).fill([OP.continuation, false]),
      [OP.continuation, true],
      [OP.text, true],
    ]);
    expect(Buffer.compare(join(...frames.slice(0, -1).map(({ payload }) => payload)), whole.subarray(0, size))).toBe(0);
  });

  it('messages queue within maxBufferedAmount', async () => {
    const { endpoint, clock } = script({ maxBufferedAmount: 1_000, overflow: 'refuse' });
    const { source } = faucet<string>();
    void endpoint.sendStream('text', source);
    await clock.settle();
    expect(endpoint.send(pattern(999)).success).toBe(true);
    expect(endpoint.send('x')).toMatchObject({ success: false, code: 'overflow' });
    endpoint.terminate();
    await clock.settle();
  });

  it('what was accepted behind a stream is sent, however much the last fragment took', async () => {
    const transport = new ScriptTransport();
    const { endpoint, clock } = script({ maxBufferedAmount: 1_000, overflow: 'refuse' }, transport);
    const { source, give, end } = faucet<Uint8Array>();
    const streamed = endpoint.sendStream('binary', source);
    await clock.settle();
    for (const data of ['a', 'b', 'c']) expect(endpoint.send(data).success).toBe(true);
    transport.appetite = 0;
    give(pattern(5_000));
    end();
    await clock.settle();
    transport.drain();
    await clock.settle();
    expect((await streamed).success).toBe(true);
    expect(transport.frames.slice(-3).map(({ payload }) => textOf(payload))).toEqual(['a', 'b', 'c']);
    expect(endpoint.statistics.messagesSent).toBe(4);
  });

  it('a second stream, a wrong kind or a wrong chunk is a UsageError', async () => {
    const { endpoint, clock } = script();
    const { source } = faucet<string>();
    void endpoint.sendStream('text', source);
    expect(() => endpoint.sendStream('text', ['x'])).toThrow(UsageError);
    expect(() => endpoint.sendStream('blob' as 'text', ['x'])).toThrow(UsageError);
    const other = script();
    const outcome = expect(other.endpoint.sendStream('binary', ['text'])).rejects.toThrow(UsageError);
    await other.clock.settle();
    await outcome;
    endpoint.terminate();
    await clock.settle();
  });

  it('chunks may be changed as soon as the source is asked for the next one', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({}, transport);
    const chunk = pattern(40_000);
    function* source() {
      yield chunk;
      chunk.fill(0);
      yield chunk.subarray(0, 1);
    }
    void endpoint.sendStream('binary', source());
    await clock.settle();
    transport.drain();
    await clock.settle();
    expect(Buffer.compare(transport.frames[0]!.payload, pattern(40_000))).toBe(0);
  });
});

describe('close() while a stream is open', () => {
  it('waits for the stream, refuses new messages, and sends what queued behind it', async () => {
    const { endpoint, transport, clock, feed, peer } = script();
    endpoint.resume();
    const { source, give, end } = faucet<string>();
    void endpoint.sendStream('text', source);
    give('a');
    await clock.settle();
    endpoint.send('behind');
    const closed = endpoint.close(4000, 'done');
    expect(endpoint.send('late').code).toBe('not-open');
    await clock.run(4_000);
    expect(endpoint.readyState).toBe('open');
    end();
    await clock.settle();
    expect(transport.frames.map((each) => each.opcode)).toEqual([OP.text, OP.continuation, OP.text, OP.close]);
    feed(peer(OP.close, closePayload(4000)));
    await clock.run(10_000);
    expect(await closed).toMatchObject({ code: 4000, clean: true });
    expect(clock.pendingAlarms).toBe(0);
  });

  it('but at most closeTimeout', async () => {
    const { endpoint, transport, clock } = script({ closeTimeout: 2_000 });
    endpoint.resume();
    const { source, give } = faucet<string>();
    const sent = endpoint.sendStream('text', source);
    give('a');
    await clock.settle();
    const closed = endpoint.close();
    await clock.run(1_999);
    expect(endpoint.readyState).toBe('open');
    await clock.run(1);
    expect(transport.frames.map((each) => each.opcode)).toEqual([OP.text, OP.close]);
    await clock.run(2_000);
    expect(await closed).toMatchObject({ code: 1006, error: { code: 'CLOSING_TIMEOUT' } });
    give('late');
    await clock.settle();
    expect(await sent).toMatchObject({ success: false, code: 'not-open' });
    expect(clock.pendingAlarms).toBe(0);
  });
});

describe('what is lost with a stream', () => {
  it('drained() does not say that messages behind it were written', async () => {
    for (const how of ['fails', 'is closed'] as const) {
      const { endpoint, transport, clock } = script({ closeTimeout: 1_000 });
      endpoint.resume();
      endpoint.on('error', () => {});
      const { source, give, fail } = faucet<string>();
      const sent = endpoint.sendStream('text', source).catch(() => null);
      give('a');
      await clock.settle();
      expect(endpoint.send('behind').success).toBe(true);
      const drained = endpoint.drained();
      if (how === 'fails') fail(new Error('no more'));
      else void endpoint.close();
      await clock.run(1_000);
      expect(await drained).toBe(false);
      expect(transport.frames.map((each) => each.opcode)).toEqual([OP.text, OP.close]);
      await sent;
      await clock.run(1_000);
      expect(clock.pendingAlarms).toBe(0);
    }
  });

  it('it ends with the transport, also while events are held back', async () => {
    const { endpoint, transport, clock, feed, peer } = script({ pingInterval: null });
    const { source } = faucet<string>();
    const results: unknown[] = [];
    endpoint.on('message', async () => {
      // The second begins when the transport is gone already.
      for (let i = 0; i < 2; i++) results.push(await endpoint.sendStream('text', source));
    });
    endpoint.on('close', () => results.push('close'));
    for (let i = 0; i < 4; i++) feed(peer(OP.binary, pattern(40_000)));
    await clock.settle();
    expect([transport.paused, endpoint.readyState]).toEqual([true, 'open']);
    transport.sink!.closed(new Error('reset'));
    await clock.settle();
    const refused = { success: false, code: 'not-open' };
    expect(results).toMatchObject([...Array.from({ length: 8 }, () => refused), 'close']);
    expect(clock.pendingAlarms).toBe(0);
  });
});

describe('iteration', () => {
  it('gives every message in order and ends on a clean close', async () => {
    const { client, server, clock } = pair({ link: { cut: () => 3 } });
    const taken: unknown[] = [];
    const done = (async () => {
      for await (const message of server) taken.push(message.data);
      return 'ended';
    })();
    client.resume();
    await clock.settle();
    for (let i = 0; i < 100; i++) client.send(`${i}`);
    const closed = client.close();
    await clock.run(10_000);
    expect(await done).toBe('ended');
    expect(taken).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
    expect(await closed).toMatchObject({ clean: true });
  });

  it('throws the failure on any other end, after the last message', async () => {
    const { endpoint, feed, peer, clock } = script();
    const iterator = endpoint[Symbol.asyncIterator]();
    feed(join(peer(OP.text, 'last'), peer(3, '')));
    await clock.run(10_000);
    expect(await iterator.next()).toMatchObject({ done: false, value: { data: 'last' } });
    await expect(iterator.next()).rejects.toMatchObject({ code: 'RESERVED_OPCODE' });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('breaking off leaves the connection open for another consumer', async () => {
    const { endpoint, feed, peer, clock } = script();
    feed(join(...['a', 'b', 'c'].map((text) => peer(OP.text, text))));
    const first = (async () => {
      for await (const { data } of endpoint) return data;
      return null;
    })();
    await clock.settle();
    expect(await first).toBe('a');
    const rest: unknown[] = [];
    endpoint.on('message', ({ data }) => rest.push(data));
    feed(peer(OP.text, 'd'));
    await clock.settle();
    expect(rest.at(-1)).toBe('d');
  });

  it('a loop that is left after the end has been told leaves the rest, and the failure, to the next', async () => {
    for (const last of ['close', 'fault'] as const) {
      const { endpoint, feed, peer, clock, transport } = script();
      const first = endpoint[Symbol.asyncIterator]();
      feed(join(...['a', 'b', 'c'].map((text) => peer(OP.text, text))));
      feed(last === 'close' ? peer(OP.close, closePayload(1000)) : peer(3, ''));
      transport.sink!.closed();
      await clock.settle();
      expect(await endpoint.closed).toMatchObject({ clean: last === 'close' });
      expect((await first.next()).value!.data).toBe('a');
      await first.return!();
      const second = endpoint[Symbol.asyncIterator]();
      expect([(await second.next()).value!.data, (await second.next()).value!.data]).toEqual(['b', 'c']);
      if (last === 'fault') await expect(second.next()).rejects.toMatchObject({ code: 'RESERVED_OPCODE' });
      expect(await second.next()).toEqual({ done: true, value: undefined });
      expect(endpoint.statistics.messagesReceived).toBe(3);
    }
  });

  it('another loop after one that came to the end has nothing to do', async () => {
    const { endpoint, feed, peer } = script();
    const first = endpoint[Symbol.asyncIterator]();
    expect(() => endpoint[Symbol.asyncIterator]()).toThrow(UsageError);
    feed(peer(OP.text, 'a'));
    endpoint.terminate();
    expect(() => endpoint[Symbol.asyncIterator]()).toThrow(UsageError);
    expect((await first.next()).value!.data).toBe('a');
    await first.next().catch(() => {});
    await expect(endpoint[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TERMINATED' });
  });

  it('fragments() gives payload as it arrives', async () => {
    const { endpoint, feed, peer } = script({ delivery: 'fragment' });
    const iterator = endpoint.fragments();
    feed(peer(OP.text, 'one', false));
    feed(peer(OP.continuation, 'two'));
    feed(peer(OP.binary, pattern(4)));
    const taken = [await iterator.next(), await iterator.next(), await iterator.next()].map((each) => each.value!);
    expect(taken.map((each) => [each.kind, each.first, each.last, each.data.length])).toEqual([
      ['text', true, false, 3],
      ['text', false, true, 3],
      ['binary', true, true, 4],
    ]);
  });

  it('row 35: of a frame that is still under way what has come is told, and nothing is kept', () => {
    const { endpoint, feed, peer } = script({ delivery: 'fragment' });
    const seen: unknown[] = [];
    endpoint.on('fragment', ({ kind, data, first, last }) => seen.push([kind, data.length, first, last]));
    const bytes = peer(OP.binary, pattern(1_000));
    feed(bytes.subarray(0, bytes.length - 600));
    expect([seen, endpoint.connection.retainedBytes]).toEqual([[['binary', 400, true, false]], 0]);
    feed(bytes.subarray(bytes.length - 600));
    expect(seen.slice(1)).toEqual([['binary', 600, false, true]]);
  });

  it('progress tells of each fragment that is not the last', () => {
    const { endpoint, feed, peer } = script({ progress: true });
    const seen: unknown[] = [];
    endpoint.on('progress', ({ kind, received, total }) => seen.push([kind, received, total]));
    endpoint.on('message', ({ data }) => seen.push(data));
    feed(join(peer(OP.text, 'ab', false), peer(OP.continuation, 'cd', false), peer(OP.continuation, 'e')));
    expect(seen).toEqual([['text', 2, null], ['text', 4, null], 'abcde']);
  });
});
