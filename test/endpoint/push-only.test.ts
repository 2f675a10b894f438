/** Endpoints whose application only sends: nobody takes messages, and yet nothing may hang, leak or be lost. */

import { describe, expect, it } from 'vitest';
import { join, OP } from '../rfc6455/support.ts';
import { ScriptTransport, script } from './script.ts';

describe('without a consumer of messages', () => {
  it('pings are answered and told, pongs settle', async () => {
    const { endpoint, feed, peer, clock } = script();
    const seen: string[] = [];
    endpoint.on('ping', ({ payload }) => seen.push(`ping ${payload.length}`));
    feed(peer(OP.ping, 'abc'));
    expect(seen).toEqual(['ping 3']);
    const latency = endpoint.ping('x');
    await clock.settle();
    feed(peer(OP.pong, 'x'));
    expect(await latency).toBe(0);
  });

  it("the peer's Close ends the connection", async () => {
    const { endpoint, feed, peer, transport } = script();
    feed(peer(OP.close, ''));
    transport.sink!.ended();
    expect(await endpoint.closed).toMatchObject({ code: 1005, clean: true });
  });

  it('the first message waits, and everything behind it, until somebody listens', async () => {
    const { endpoint, feed, peer, clock } = script();
    const seen: unknown[] = [];
    endpoint.on('ping', () => seen.push('ping'));
    feed(join(peer(OP.text, 'one'), peer(OP.text, 'two'), peer(OP.ping, '')));
    expect(seen).toEqual([]);
    endpoint.on('message', ({ data }) => seen.push(data));
    await clock.settle();
    expect(seen).toEqual(['one', 'two', 'ping']);
  });

  it('after a second it is dropped with one warning, and the connection goes on', async () => {
    const { endpoint, feed, peer, clock, warnings } = script();
    feed(join(peer(OP.text, 'one'), peer(OP.close, '')));
    await clock.run(999);
    // The Close is answered at once; that it came is told behind the message.
    expect([warnings.length, endpoint.readyState]).toEqual([0, 'closing']);
    await clock.run(2);
    expect(warnings.map(({ message }) => message)).toEqual([
      'messages come, but nobody takes them: listen to message, or call resume() to drop them',
    ]);
    expect(endpoint.readyState).toBe('closing');
    expect(endpoint.statistics.messagesReceived).toBe(1);
  });

  it('what waits is handed to an iterator, and dropped by close()', async () => {
    const first = script();
    first.feed(first.peer(OP.text, 'one'));
    const iterator = first.endpoint[Symbol.asyncIterator]();
    const next = iterator.next();
    await first.clock.settle();
    expect((await next).value).toMatchObject({ data: 'one' });

    const second = script();
    second.feed(second.peer(OP.text, 'one'));
    const end = second.endpoint.close(1000);
    await second.clock.settle();
    second.feed(second.peer(OP.close, ''));
    second.transport.sink!.ended();
    expect(await end).toMatchObject({ clean: true });
    expect(second.clock.pendingAlarms).toBe(0);
  });
});

it('output that the transport still holds is written before a closed connection is dropped', async () => {
  const { endpoint, feed, peer, transport, clock } = script({}, new ScriptTransport(0));
  endpoint.resume();
  endpoint.send(new Uint8Array(1_000));
  await clock.settle();
  feed(peer(OP.close, ''));
  transport.sink!.ended();
  await clock.settle();
  expect([transport.destroyed, endpoint.readyState]).toEqual([false, 'closing']);
  transport.drain();
  expect([transport.destroyed, endpoint.readyState]).toEqual([true, 'closed']);
  expect(transport.frames.map(({ opcode }) => opcode)).toEqual([OP.binary, OP.close]);
});

describe('held back', () => {
  it('close() ends cleanly although the endpoint is paused, or an iterator is full', async () => {
    for (const block of ['pause', 'iterator'] as const) {
      const { endpoint, feed, peer, transport, clock } = script({ maxQueuedMessages: 1 });
      const seen: unknown[] = [];
      if (block === 'pause') {
        endpoint.on('message', ({ data }) => seen.push(data));
        endpoint.pause();
      } else {
        endpoint[Symbol.asyncIterator]();
      }
      feed(join(peer(OP.text, 'one'), peer(OP.text, 'two')));
      const end = endpoint.close(1000);
      await clock.settle();
      feed(peer(OP.close, new Uint8Array([3, 232])));
      transport.sink!.ended();
      expect(await end).toMatchObject({ clean: true });
      expect(seen).toEqual([]);
    }
  });

  it('pause() outlasts the wait for a first listener, and nothing is lost', async () => {
    const { endpoint, feed, peer, clock, warnings } = script();
    const seen: unknown[] = [];
    feed(peer(OP.text, 'one'));
    endpoint.pause();
    await clock.run(11_000);
    expect(warnings).toEqual([]);
    endpoint.on('message', ({ data }) => seen.push(data));
    await clock.run(1_000);
    expect(seen).toEqual([]);
    endpoint.resume();
    await clock.settle();
    expect(seen).toEqual(['one']);
  });

  it('a peer that is gone while nothing is read is noticed by the heartbeat', async () => {
    const { endpoint, feed, peer, transport, clock } = script();
    endpoint.on('message', () => new Promise(() => {}));
    feed(join(peer(OP.text, 'one'), peer(OP.text, 'two')));
    transport.sink!.closed(new Error('reset'));
    await clock.run(60_000);
    expect(await endpoint.closed).toMatchObject({ code: 1006, clean: false });
    expect(clock.pendingAlarms).toBe(0);
  });

  it('close is last, also when the first message to be handed out ends the connection', async () => {
    const { endpoint, feed, peer, clock } = script();
    const seen: string[] = [];
    feed(peer(OP.text, 'one'));
    endpoint.on('close', () => seen.push('close'));
    endpoint.on('message', () => {
      endpoint.terminate();
      seen.push('first');
    });
    endpoint.on('message', () => seen.push('second'));
    await clock.settle();
    expect(seen).toEqual(['first', 'second', 'close']);
  });
});

it('sendStream settles when the connection ends, although its source waits for good', async () => {
  const { endpoint, clock } = script();
  async function* source(): AsyncGenerator<string> {
    yield 'a';
    await new Promise(() => {});
  }
  const sent = endpoint.sendStream('text', source());
  await clock.settle();
  endpoint.terminate();
  expect(await sent).toMatchObject({ success: false, code: 'not-open' });
});
