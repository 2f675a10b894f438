/** Sending at an endpoint: results, backpressure, drain, streams, pings and the end. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { pair } from '../../src/testing.ts';
import { bytesOf, closePayload, frame, join, OP, pattern, ROLES, textOf } from '../rfc6455/support.ts';
import { ScriptTransport, script } from './script.ts';

for (const role of ROLES) {
  describe(`send, ${role}`, () => {
    it('the result has the sizes of the wire, for text, binary and fragments', async () => {
      for (const size of [0, 1, 100, 125, 126, 127, 128, 30_000, 65_535, 65_536, 100_000]) {
        for (const options of [undefined, { binary: true }, { fragmentSize: 1_000 }, { compress: false }]) {
          for (const data of ['é'.repeat(size >> 1), 'a'.repeat(size), pattern(size)]) {
            const { endpoint, transport, clock } = script({ maxBufferedAmount: null }, undefined, { role });
            const result = endpoint.send(data, options);
            await clock.settle();
            const bytes = typeof data === 'string' ? bytesOf(data) : data;
            expect(result).toMatchObject({
              success: true,
              code: null,
              payloadSize: bytes.length,
              compressionError: false,
            });
            expect(transport.wire.length).toBe(result.wireSize);
            const { frames } = transport;
            expect(Buffer.compare(join(...frames.map((each) => each.payload)), bytes)).toBe(0);
            const text =
              typeof data === 'string' && options !== undefined && 'binary' in options
                ? false
                : typeof data === 'string';
            expect(frames[0]!.opcode).toBe(text ? OP.text : OP.binary);
            if (options !== undefined && 'fragmentSize' in options)
              expect(frames.length).toBe(Math.max(1, Math.ceil(bytes.length / 1_000)));
          }
        }
      }
    });

    it('bytes as text, text as bytes; what is no UTF-8 is a UsageError and the connection lives', async () => {
      const { endpoint, transport, clock } = script({}, undefined, { role });
      endpoint.send(bytesOf('grün'), { binary: false });
      endpoint.send('grün', { binary: true });
      for (const wrong of [
        () => endpoint.send('\ud800'),
        () => endpoint.send('a\udfff', { binary: true }),
        () => endpoint.send(Uint8Array.of(0xff), { binary: false }),
        () => endpoint.send('x', { binary: 'yes' as unknown as boolean }),
        () => endpoint.send('x', { fragmentSize: 0 }),
      ]) {
        expect(wrong).toThrow(UsageError);
      }
      await clock.settle();
      expect(transport.frames.map((each) => [each.opcode, textOf(each.payload)])).toEqual([
        [OP.text, 'grün'],
        [OP.binary, 'grün'],
      ]);
      expect(endpoint.statistics.messagesSent).toBe(2);
    });

    it('all output of one turn leaves in one write, in order', async () => {
      const { endpoint, transport, clock, feed, peer } = script({}, undefined, { role });
      endpoint.on('message', ({ data }) => endpoint.send(`echo ${data}`));
      feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.ping, 'p')));
      expect(transport.writes).toBe(1);
      for (let i = 0; i < 100; i++) endpoint.send(`${i}`);
      await clock.settle();
      expect(transport.writes).toBe(2);
      expect(transport.frames.length).toBe(103);
    });
  });
}

describe('backpressure', () => {
  it('writable turns false above highWaterMark; drain and drained() come when all has left', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 1_000 }, transport);
    let drains = 0;
    endpoint.on('drain', () => drains++);
    expect(endpoint.send(pattern(500)).writable).toBe(true);
    expect(endpoint.send(pattern(600)).writable).toBe(false);
    expect(endpoint.writable).toBe(false);
    let drained: boolean | null = null;
    void endpoint.drained().then((value) => {
      drained = value;
    });
    await clock.settle();
    expect([drains, drained]).toEqual([0, null]);
    transport.drain(800);
    await clock.settle();
    expect([drains, drained]).toEqual([0, null]);
    transport.drain();
    await clock.settle();
    expect([drains, drained]).toEqual([1, true]);
    expect(endpoint.writable).toBe(true);
    expect(await endpoint.drained()).toBe(true);
  });

  it('what a drain listener sends leaves too', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 100 }, transport);
    let left = 3;
    endpoint.on('drain', () => {
      if (left-- > 0) endpoint.send(pattern(200));
    });
    endpoint.send(pattern(200));
    await clock.settle();
    transport.drain();
    await clock.settle();
    expect(transport.frames.length).toBe(4);
  });

  it('drained() is false when the connection ends first, also while events are held back', async () => {
    for (const paused of [false, true]) {
      const transport = new ScriptTransport(0);
      const { endpoint, clock } = script({}, transport);
      endpoint.on('message', () => {});
      if (paused) endpoint.pause();
      endpoint.send(pattern(100_000));
      const drained = endpoint.drained();
      await clock.settle();
      endpoint.send('waits in the engine');
      transport.sink!.closed(new Error('reset'));
      await clock.settle();
      expect(await endpoint.drained()).toBe(false);
      expect([endpoint.send('late').code, endpoint.pong(), await endpoint.ping()]).toEqual(['not-open', false, null]);
      if (paused) endpoint.resume();
      await clock.settle();
      expect(await drained).toBe(false);
      expect(await endpoint.drained()).toBe(false);
    }
  });

  it('output waits in the engine while the transport holds more than highWaterMark', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ highWaterMark: 1_000 }, transport);
    for (let i = 0; i < 100; i++) {
      endpoint.send(pattern(500));
      await clock.settle();
    }
    expect(transport.given).toBeLessThanOrEqual(1_000 + 504);
    expect(endpoint.bufferedAmount).toBe(100 * 504);
    for (let i = 0; i < 60; i++) transport.drain(1_000);
    expect(transport.frames.length).toBe(100);
  });

  it('much output is written in portions: a peer that takes it slowly is seen to, and waited for while it closes', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ closeTimeout: 1_000 }, transport);
    endpoint.send(new Uint8Array(3_000_000));
    await clock.settle();
    void endpoint.close(1000);
    for (let given = 0; transport.given < 3_000_000; given = transport.given) {
      expect(transport.given - given).toBeLessThanOrEqual(262_144);
      await clock.run(900);
      expect(endpoint.readyState).toBe('closing');
      // A stream tells when all of a write has left.
      transport.drain(transport.unwritten);
      await clock.settle();
    }
    expect(transport.frames.map(({ opcode, payload }) => [opcode, payload.length])).toEqual([
      [OP.binary, 3_000_000],
      [OP.close, 2],
    ]);
    await clock.run(1_000);
    expect(endpoint.readyState).toBe('closed');
  });

  it('overflow: refused writes nothing and says so; the connection lives', () => {
    const transport = new ScriptTransport(0);
    const { endpoint } = script({ maxBufferedAmount: 10_000, overflow: 'refuse' }, transport);
    expect(endpoint.send(pattern(20_000)).success).toBe(true);
    const { bufferedAmount } = endpoint;
    expect(endpoint.send('é')).toMatchObject({ success: false, code: 'overflow', wireSize: 0, writable: false });
    expect(endpoint.bufferedAmount).toBe(bufferedAmount);
    expect(endpoint.readyState).toBe('open');
  });

  it('who heeds writable never overflows, however small maxBufferedAmount is', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({ maxBufferedAmount: 1_000 }, transport);
    endpoint.resume();
    let drains = 0;
    endpoint.on('drain', () => drains++);
    for (const round of [1, 2]) {
      let sent = 0;
      for (; endpoint.writable && sent < 100; sent++) endpoint.send(pattern(300));
      expect([sent, endpoint.readyState]).toEqual([4, 'open']);
      transport.drain();
      transport.appetite = 0;
      await clock.settle();
      expect(drains).toBe(round);
    }
    expect(endpoint.send(pattern(999)).writable).toBe(false);
    expect(endpoint.readyState).toBe('open');
  });

  it('a large payload is referenced until drained(): scribbling after it harms nobody', async () => {
    const { client, server, clock } = pair({ link: { window: 20_000, cut: () => 9_000, latency: 3 } });
    const payload = pattern(200_000);
    const taken: Uint8Array[] = [];
    client.on('message', ({ data }) => {
      taken.push(data as Uint8Array);
    });
    server.resume();
    await clock.run(100);
    server.send(payload);
    void server.drained().then(() => payload.fill(0xaa));
    await clock.run(1_000);
    expect(payload[0]).toBe(0xaa);
    expect(Buffer.compare(taken[0]!, pattern(200_000))).toBe(0);
  });
});

describe('ping, close, terminate, statistics', () => {
  it('ping() resolves with the round-trip time, a pong also settles older ones', async () => {
    const { client, server, clock } = pair({ link: { latency: 40 } });
    client.resume();
    server.resume();
    await clock.run(200);
    const times = [client.ping(), client.ping('mine'), client.ping(pattern(125))];
    await clock.run(200);
    expect(await Promise.all(times)).toEqual([80, 80, 80]);
    expect(client.latency).toBe(80);
    expect(() => client.ping(pattern(126))).toThrow(UsageError);
    expect(() => client.pong(pattern(126))).toThrow(UsageError);
  });

  it('row 43: the application may ping at open, with a payload of its own; pings on their own come after silence', async () => {
    const { client, server, clock } = pair({ client: { pingInterval: 1_000 }, server: { pingInterval: null } });
    const heard: string[] = [];
    server.on('ping', ({ payload }) => heard.push(textOf(payload)));
    server.resume();
    client.on('open', () => void client.ping('heartbeat 0'));
    client.resume();
    await clock.settle();
    expect(heard).toEqual(['heartbeat 0']);
    await clock.run(999);
    expect(heard).toHaveLength(1);
    await clock.run(1);
    expect(heard).toHaveLength(2);
    expect(client.readyState).toBe('open');
  });

  it('ping() resolves with null when the connection ends first', async () => {
    const { client, server, clock, link } = pair();
    client.resume();
    server.resume();
    await clock.settle();
    link.silence();
    const pinged = client.ping();
    client.terminate();
    await clock.settle();
    expect(await pinged).toBe(null);
  });

  it('close() always resolves with how it ended, however often and whenever it is called', async () => {
    const { client, server, clock } = pair();
    client.resume();
    server.resume();
    await clock.settle();
    const ends = [client.close(4000, 'first'), client.close(4001), server.close(4002)];
    await clock.run(10_000);
    const [one, two, three] = await Promise.all(ends);
    expect(one).toBe(two);
    expect(one).toMatchObject({ clean: true, error: null });
    expect(three).toMatchObject({ clean: true, error: null });
    expect(await client.close()).toBe(one);
    expect(clock.pendingAlarms).toBe(0);
    expect(() => client.close(1005)).toThrow(UsageError);
    expect(() => client.close(1000, 'x'.repeat(124))).toThrow(UsageError);
    expect(() => client.close(null as unknown as number)).toThrow('a close code is a number, not null');
  });

  it('is not clean when our Close never left: the transport broke, ended or did not take it in time', async () => {
    for (const end of ['broken', 'ended', 'late'] as const) {
      const transport = new ScriptTransport(0);
      const { endpoint, clock } = script({}, transport);
      endpoint.resume();
      endpoint.send('x');
      transport.sink!.received(frame({ opcode: OP.close, payload: closePayload(4000, 'bye'), mask: [1, 2, 3, 4] }));
      if (end === 'broken') transport.sink!.closed(new Error('reset'));
      if (end === 'ended') transport.sink!.closed();
      await clock.run(20_000);
      const code = { broken: 'TRANSPORT_FAILED', ended: 'TRANSPORT_FAILED', late: 'CLOSING_TIMEOUT' }[end];
      expect(await endpoint.closed, end).toMatchObject({ clean: false, code: 4000, reason: 'bye', error: { code } });
    }
  });

  it('nor when the Close that it answers is read behind an orderly end of the transport: the answer cannot leave', async () => {
    const { endpoint, feed, peer, clock, transport } = script();
    endpoint.on('message', () => {});
    endpoint.pause();
    feed(join(peer(OP.ping, 'x'), peer(OP.close, closePayload(4000, 'bye'))));
    transport.sink!.closed();
    await clock.settle();
    endpoint.resume();
    await clock.settle();
    const error = { code: 'TRANSPORT_FAILED', cause: { message: 'closed before all was written' } };
    expect(await endpoint.closed).toMatchObject({ clean: false, remote: true, code: 4000, reason: 'bye', error });
    expect([transport.wire.length, endpoint.statistics.bytesSent]).toEqual([0, 0]);
  });

  it('what a lost transport had not written is not counted as sent, also while events are held back', async () => {
    for (const paused of [false, true]) {
      const transport = new ScriptTransport(0);
      const { endpoint, clock } = script({ highWaterMark: 100 }, transport);
      endpoint.on('message', () => {});
      if (paused) endpoint.pause();
      for (let i = 0; i < 3; i++) {
        endpoint.send(pattern(500));
        await clock.settle();
      }
      transport.drain(200);
      const cause = new Error('reset');
      transport.sink!.closed(cause);
      await clock.settle();
      expect(await endpoint.drained()).toBe(false);
      endpoint.resume();
      await clock.settle();
      expect(await endpoint.closed).toMatchObject({ error: { code: 'TRANSPORT_FAILED', cause } });
      expect(endpoint.statistics.bytesSent).toBe(200);
      expect(clock.pendingAlarms).toBe(0);
    }
  });

  it('close() while connecting resolves too', async () => {
    for (const side of ['client', 'server'] as const) {
      const both = pair();
      const ended = both[side].close();
      await both.clock.run(20_000);
      expect(await ended).toMatchObject({ code: 1006, clean: false });
      expect(both.client.readyState).toBe('closed');
      expect(both.server.readyState).toBe('closed');
      expect(both.clock.pendingAlarms).toBe(0);
    }
  });

  it('what is queued leaves before the Close; asyncDispose closes with 1000', async () => {
    const { client, server, clock } = pair({ link: { window: 100, cut: () => 60 } });
    const taken: unknown[] = [];
    server.on('message', ({ data }) => taken.push(data));
    client.resume();
    await clock.settle();
    for (let i = 0; i < 20; i++) client.send(`m${i}`);
    const disposed = client[Symbol.asyncDispose]();
    await clock.run(10_000);
    await disposed;
    expect(taken.length).toBe(20);
    expect(await server.closed).toMatchObject({ code: 1000, clean: true, remote: true });
  });

  it('statistics count all bytes and messages', async () => {
    const { client, server, clock } = pair();
    client.resume();
    server.on('message', ({ data }) => server.send(data));
    await clock.settle();
    client.send('hello');
    client.send(pattern(10));
    await clock.settle();
    const [a, b] = [client.statistics, server.statistics];
    expect(a).toMatchObject({ messagesSent: 2, messagesReceived: 2 });
    expect(a.bytesSent).toBe(b.bytesReceived);
    expect(a.bytesReceived).toBe(b.bytesSent);
  });

  it('addresses, headers and context are there', async () => {
    const { endpoint } = script();
    expect(endpoint).toMatchObject({
      remoteAddress: '192.0.2.1',
      remotePort: 1,
      localAddress: '192.0.2.2',
      localPort: 2,
      secure: false,
    });
    endpoint.context = { user: 1 };
    expect(endpoint.ref()).toBe(endpoint);
    expect(endpoint.unref()).toBe(endpoint);
    const { client, server, clock } = pair({ target: '/a?b', subprotocols: ['x'] });
    await clock.settle();
    expect(server.request?.path).toBe('/a');
    expect(server.headers.get('host')).toBe('localhost');
    expect(client.headers.has('sec-websocket-accept')).toBe(true);
    expect([client.subprotocol, server.subprotocol]).toEqual(['x', 'x']);
  });

  it('a Close that came with messages in front of it: they are delivered first', () => {
    const { endpoint, feed, peer } = script();
    const seen: string[] = [];
    endpoint.on('message', ({ data }) => seen.push(String(data)));
    endpoint.on('close', ({ code }) => seen.push(String(code)));
    feed(join(peer(OP.text, 'a'), peer(OP.text, 'b'), peer(OP.close, closePayload(4000))));
    expect(seen.slice(0, 2)).toEqual(['a', 'b']);
  });
});
