/** Threats that use up memory or time once the connection is open: rows T19 to T21, T24 to T29, T31, T70. Counted, not timed. */
import { describe, expect, it } from 'vitest';
import type { Connection } from '../../src/index.ts';
import { pair } from '../../src/testing.ts';
import { ScriptTransport, script } from '../endpoint/script.ts';
import { bytesOf, cuts, frame, join, OP, open, pattern, ROLES, request, server } from '../rfc6455/support.ts';

/** Every object and every buffer that can be reached from a connection, its shared memory and its options aside. */
function retained(root: Connection): { objects: number; bytes: number } {
  const seen = new Set<unknown>();
  const buffers = new Set<ArrayBufferLike>();
  const queue: unknown[] = [root];
  while (queue.length > 0) {
    const value = queue.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    if (['Settings', 'Memory', 'MaskKeys', 'Slab', 'PooledBuffer'].includes(value.constructor?.name)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      buffers.add(value.buffer);
      continue;
    }
    queue.push(...Object.values(value));
  }
  let bytes = 0;
  for (const buffer of buffers) bytes += buffer.byteLength;
  return { objects: seen.size, bytes };
}

const repeat = (bytes: Uint8Array, count: number) => {
  const out = new Uint8Array(bytes.length * count);
  for (let i = 0; i < count; i++) out.set(bytes, i * bytes.length);
  return out;
};

for (const role of ROLES) {
  describe(`T19, ${role}: a size limit evaded by fragmentation`, () => {
    it('is checked over all fragments at each header: exactly the limit passes, one byte more is 1009', () => {
      const options = { maxMessageSize: 1_000 };
      const first = open(role).peer(OP.binary, pattern(501), { fin: false });
      const fine = join(first, open(role).peer(0, pattern(499)));
      for (const cut of [[fine], Array.from(fine, (octet) => Uint8Array.of(octet))]) {
        expect(open(role, options).feed(...cut).messages.length).toBe(1);
      }
      const second = open(role).peer(0, '', { announced: 500n });
      for (const cut of cuts(second)) {
        const subject = open(role, options).feed(first, ...cut);
        expect(subject.closeCode).toBe(1009);
        expect(subject.end().messages).toEqual([]);
      }
    });
  });

  describe(`T20 and T21, ${role}: floods of fragments`, () => {
    it('T20: 131,000 fragments of one byte end with 1008; what is retained is their bytes', () => {
      const subject = open(role);
      const flood = repeat(subject.peer(0, 'x', { fin: false }), 1_000);
      subject.feed(subject.peer(OP.binary, 'x', { fin: false }));
      const before = retained(subject.connection).objects;
      let most = { objects: 0, bytes: 0 };
      for (let i = 0; i < 131; i++) {
        subject.connection.receive(flood.slice(), 0);
        subject.pull();
        const now = retained(subject.connection);
        most = { objects: Math.max(most.objects, now.objects), bytes: Math.max(most.bytes, now.bytes) };
      }
      expect(subject.closeCode).toBe(1008);
      expect(most.objects).toBeLessThan(before + 12);
      expect(most.bytes).toBeLessThan(2 * 65_536 + 16_384);
      expect(retained(subject.connection).bytes).toBeLessThan(4_096);
      expect(subject.end().closed.error).toMatchObject({ code: 'TOO_MANY_FRAGMENTS', option: 'maxFragments' });
    });

    it('T21: empty continuations count; byte by byte too', () => {
      const subject = open(role, { maxFragments: 4_096 });
      subject.feed(subject.peer(OP.text, '', { fin: false }));
      const flood = repeat(subject.peer(0, '', { fin: false }), 4_095);
      subject.feed(...Array.from(flood, (octet) => Uint8Array.of(octet)));
      expect(subject.connection.readyState).toBe('open');
      expect(subject.connection.retainedBytes).toBeLessThan(2_048);
      subject.feed(subject.peer(0, '', { fin: false }));
      expect(subject.closeCode).toBe(1008);
    });
  });

  describe(`T25 and T26, ${role}: floods of control frames`, () => {
    it('T25: pongs that answer nothing keep nothing; only the right one completes a ping', () => {
      const subject = open(role, { maxControlFrames: null });
      subject.connection.ping(0, bytesOf('real'));
      subject.flush();
      const before = retained(subject.connection).objects;
      for (let i = 0; i < 5_000; i++) subject.connection.receive(subject.peer(OP.pong, `fake ${i}`), 0);
      for (let i = 0; i < 20; i++) subject.feed(repeat(subject.peer(OP.pong, pattern(125)), 500));
      expect(subject.events.every((event) => event.type === 'pong' && event.latency === null)).toBe(true);
      expect(retained(subject.connection).objects).toBeLessThan(before + 5);
      subject.events.length = 0;
      subject.now = 7;
      expect(subject.feed(subject.peer(OP.pong, 'real')).events).toMatchObject([{ latency: 7 }]);
    });

    it('T26: a million pings that are read are cut off at the budget', () => {
      const subject = open(role);
      subject.feed(repeat(subject.peer(OP.ping, ''), 1_024));
      expect(subject.connection.readyState).toBe('open');
      subject.feed(subject.peer(OP.ping, ''));
      expect(subject.closeCode).toBe(1008);
      expect(subject.end().closed.error).toMatchObject({ code: 'TOO_MANY_CONTROL_FRAMES' });
    });

    it('T25: outstanding pings of our own are bounded', () => {
      const subject = open(role);
      for (let i = 0; i < 10_000; i++) subject.connection.ping(i);
      expect(retained(subject.connection).objects).toBeLessThan(1_000);
    });
  });

  describe(`T31, ${role}: retention through views`, () => {
    it('a small message that came with a big frame does not pin the chunk', () => {
      for (const kind of ['message', 'fragment'] as const) {
        const subject = open(role, { delivery: kind });
        subject.feed(join(subject.peer(OP.binary, pattern(10)), subject.peer(OP.binary, pattern(60_000))));
        const [first] = subject.events;
        const data = first?.type === 'message' || first?.type === 'fragment' ? (first.data as Uint8Array) : pattern(0);
        expect(data).toEqual(pattern(10));
        expect(data.buffer.byteLength).toBeLessThanOrEqual(4_096);
      }
    });

    it('nor do a ping, a pong, a mask, a close reason, or a header that was cut', () => {
      const subject = open(role);
      const big = subject.peer(OP.binary, pattern(60_000));
      const tail = subject.peer(OP.text, 'half');
      subject.feed(
        join(big, subject.peer(OP.ping, 'p'), subject.peer(OP.pong, 'q'), tail.subarray(0, tail.length - 2)),
      );
      for (const event of subject.events) {
        if (event.type === 'ping' || event.type === 'pong')
          expect(event.payload.buffer.byteLength).toBeLessThanOrEqual(4_096);
      }
      expect(retained(subject.connection).bytes).toBeLessThan(8_192);
      subject.feed(tail.subarray(tail.length - 2));
      expect(subject.messages.at(-1)).toBe('half');
      subject.feed(join(subject.peer(OP.binary, pattern(60_000)), subject.peer(OP.close, Uint8Array.of(3, 232, 65))));
      expect(retained(subject.connection).bytes).toBeLessThan(8_192);
    });

    it('an idle connection keeps no chunk at all', () => {
      const subject = open(role);
      subject.feed(join(subject.peer(OP.text, 'x'.repeat(60_000)), subject.peer(OP.text, 'y')));
      const parts = join(subject.peer(OP.text, 'x'.repeat(60_000), { fin: false }), subject.peer(OP.continuation, 'y'));
      subject.feed(parts);
      expect(subject.connection.retainedBytes).toBe(0);
      expect(retained(subject.connection).bytes).toBeLessThan(1_024);
    });
  });

  describe(`T70, ${role}: progress`, () => {
    it('every pull uses up bytes or returns null: the events are bounded by the bytes', () => {
      const subject = open(role, { maxFragments: null, maxControlFrames: null });
      const { connection } = subject;
      const one = subject.peer(OP.binary, '');
      connection.receive(repeat(one, 100_000), 0);
      let events = 0;
      let last = connection.retainedBytes;
      for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
        events++;
        expect(connection.retainedBytes).toBe(last - one.length);
        last = connection.retainedBytes;
      }
      expect(events).toBe(100_000);
      connection.receive(
        join(subject.peer(OP.text, '', { fin: false }), repeat(subject.peer(0, '', { fin: false }), 50_000)),
        0,
      );
      expect(connection.nextEvent()).toBe(null);
      expect(connection.retainedBytes).toBeLessThan(2_048);
    });
  });
}

describe('T24: a flood of pings to an endpoint whose transport never drains', () => {
  it('65 MB of pings: one pong waits, what the transport holds is bounded, and the last payload is answered', () => {
    const transport = new ScriptTransport(0);
    transport.keeping = false;
    const { endpoint, feed, peer } = script({ maxControlFrames: null }, transport);
    let pings = 0;
    endpoint.on('ping', () => {
      pings++;
    });
    endpoint.resume();
    const batch = repeat(peer(OP.ping, pattern(125)), 500);
    const base = retained(endpoint.connection);
    let most = 0;
    for (let i = 0; i < 1_000; i++) {
      feed(batch, i % 2 === 0);
      most = Math.max(most, retained(endpoint.connection).bytes);
    }
    expect(pings).toBe(500_000);
    expect(transport.given).toBeLessThan(65_536 + 131 * 2);
    expect(endpoint.bufferedAmount).toBeLessThan(65_536 + 131 * 3);
    expect(most).toBeLessThan(base.bytes + 131_072);
    transport.keeping = true;
    feed(peer(OP.ping, 'the last'));
    transport.drain();
    expect(Buffer.from(transport.frames.at(-1)!.payload).toString()).toBe('the last');
    expect(transport.frames.length).toBe(1);
    expect(endpoint.bufferedAmount).toBe(0);
  });

  it('as a client too, where every pong is masked', () => {
    const transport = new ScriptTransport(0);
    const { endpoint, feed, peer } = script({ maxControlFrames: null }, transport, { role: 'client' });
    endpoint.resume();
    for (let i = 0; i < 300; i++) feed(repeat(peer(OP.ping, pattern(125)), 500));
    expect(transport.given).toBeLessThan(66_000);
    expect(endpoint.bufferedAmount).toBeLessThan(66_500);
  });
});

describe('T27: an application that does not take its messages', () => {
  for (const [role, borrowed] of ROLES.flatMap((each) => [[each, false] as const, [each, true] as const])) {
    it(`${role}: the transport is held back, nothing piles up, all arrives in order (borrowed: ${borrowed})`, async () => {
      const joined = pair({
        link: { window: 65_536, borrowed, cut: (n) => Math.min(n, 40_000) },
        client: { maxBufferedAmount: null, pingInterval: null },
        server: { maxBufferedAmount: null, pingInterval: null },
      });
      const { clock } = joined;
      const [sender, receiver] = role === 'server' ? [joined.client, joined.server] : [joined.server, joined.client];
      sender.resume();
      const release: (() => void)[] = [];
      const taken: number[] = [];
      receiver.on('message', ({ data }) => {
        taken.push((data as Uint8Array)[0]!);
        return new Promise<void>((resolve) => release.push(resolve));
      });
      await clock.settle();
      for (let i = 0; i < 100; i++) sender.send(pattern(50_000).fill(i));
      await clock.settle();
      expect(taken).toEqual([0]);
      expect(receiver.connection.retainedBytes).toBeLessThan(200_000);
      expect(sender.bufferedAmount).toBeGreaterThan(4_000_000);
      for (let i = 0; i < 100; i++) {
        release[i]!();
        await clock.settle();
        expect(receiver.connection.retainedBytes).toBeLessThan(200_000);
      }
      expect(taken).toEqual(Array.from({ length: 100 }, (_, i) => i));
      expect(sender.bufferedAmount).toBe(0);
    });
  }

  it('an iterator that is not pulled holds 16 messages and no more', async () => {
    const { client, server: receiver, clock } = pair({ link: { window: 1_000, cut: () => 500 } });
    const messages = receiver[Symbol.asyncIterator]();
    await clock.settle();
    for (let i = 0; i < 1_000; i++) client.send(`message ${i}`);
    await clock.settle();
    expect(receiver.statistics.messagesReceived).toBe(16);
    for (let i = 0; i < 1_000; i++) {
      const next = messages.next();
      await clock.settle();
      expect((await next).value?.data).toBe(`message ${i}`);
      expect(receiver.statistics.messagesReceived).toBeLessThanOrEqual(i + 1 + 16);
    }
  });
});

describe.each(ROLES)('T28, %s: a peer that does not read what we send', (role) => {
  it('64 MB of echo to a peer that does not read: refused above the cap, bounded, and the rest is fine after it drains', () => {
    const transport = new ScriptTransport(0);
    transport.keeping = false;
    const { endpoint, feed, peer, clock } = script({ overflow: 'refuse' }, transport, { role });
    const results: string[] = [];
    endpoint.on('message', ({ data }) => {
      results.push(endpoint.send(data).code ?? 'sent');
    });
    const message = peer(OP.binary, pattern(65_536));
    for (let i = 0; i < 1_000; i++) {
      feed(message, i % 2 === 0);
      expect(endpoint.bufferedAmount).toBeLessThan(4_194_304 + 65_550);
    }
    expect(results.filter((code) => code === 'sent').length).toBe(64);
    expect(results.at(-1)).toBe('overflow');
    expect(endpoint.writable).toBe(false);
    expect(transport.given).toBeLessThan(65_536 + 2 * 65_550);
    transport.drain();
    // It may leave in several turns.
    clock.runDue();
    expect(endpoint.bufferedAmount).toBe(0);
    expect(endpoint.send('again')).toMatchObject({ success: true, writable: true });
  });

  it('by default the connection fails with 1008 and is dropped', async () => {
    const transport = new ScriptTransport(0);
    const { endpoint, clock } = script({}, transport, { role });
    endpoint.resume();
    const { closed } = endpoint;
    while (endpoint.send(pattern(65_536)).success);
    expect(endpoint.send('x').code).toBe('not-open');
    await clock.run(5_000);
    expect(await closed).toMatchObject({ code: 1006, error: { code: 'OUTGOING_OVERFLOW', closeCode: 1008 } });
    expect(transport.destroyed).toBe(true);
    expect(clock.pendingAlarms).toBe(0);
    expect(endpoint.bufferedAmount).toBe(0);
  });
});

describe('T29: abuse before the decision', () => {
  it('frames while accept() is pending are held up to maxEarlyData, then the transport is paused, and none is parsed', () => {
    const subject = server({ maxEarlyData: 4_096 }).feed(request());
    const flood = frame({ opcode: 3, payload: 'wrong', mask: [1, 2, 3, 4] });
    let fed = 0;
    while (subject.connection.wantsInput) {
      subject.feed(flood);
      fed += flood.length;
    }
    expect(fed).toBeLessThan(4_096 + flood.length);
    expect(subject.connection.retainedBytes).toBe(fed);
    expect(subject.types).toEqual(['request']);
    subject.connection.reject(0, 403);
    expect(subject.connection.retainedBytes).toBe(0);
  });
});
