/** Invariant 6: while `wantsInput` is heeded, what is retained stays within the limits and the chunk last fed; and floods. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { EndpointSettings } from '../../src/endpoint/options.ts';
import { type Connection, type Role, ServerConnection } from '../../src/index.ts';
import { memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import { cuts, deliveries, options, role, stream } from '../support/arbitraries.ts';
import { concat, hex, utf8 } from '../support/bytes.ts';
import { frame, readFrames } from '../support/frames.ts';
import { cutAt } from '../support/observe.ts';
import { connecting, drain, established, pull } from '../support/peers.ts';

const key = [4, 3, 2, 1];
const REQUEST = drain(connecting());

/** Feeds pieces only while they are welcome, and pulls so many events between two of them. Returns the most that was retained. */
function feed(connection: Connection, pieces: readonly Uint8Array[], pulls: number): number {
  let most = 0;
  let waiting = 0;
  while (waiting < pieces.length && connection.readyState !== 'closed') {
    if (connection.wantsInput) connection.receive(pieces[waiting++]!.slice(), 0);
    most = Math.max(most, connection.retainedBytes);
    for (let i = 0; i < pulls; i++) connection.nextEvent();
    most = Math.max(most, connection.retainedBytes);
  }
  return most;
}

/** Messages of up to 4,000 bytes, in fragments or not, that are many times as long as a connection may retain. */
function long(receiver: Role): fc.Arbitrary<Uint8Array> {
  const mask = receiver === 'server' ? key : null;
  const message = fc.record({
    opcode: fc.constantFrom(1, 2),
    size: fc.constantFrom(1_000, 2_000, 3_000, 3_999, 4_000),
    parts: fc.constantFrom(1, 2, 40),
    ping: fc.boolean(),
  });
  return fc.array(message, { minLength: 40, maxLength: 60 }).map((all) =>
    concat(
      all.flatMap(({ opcode, size, parts, ping }) =>
        Array.from({ length: parts }, (_, i) => {
          const payload = new Uint8Array(Math.floor((size * (i + 1)) / parts) - Math.floor((size * i) / parts)).fill(
            0x61,
          );
          const each = frame({ opcode: i === 0 ? opcode : 0, fin: i === parts - 1, key: mask, payload });
          return ping ? concat([each, frame({ opcode: 9, key: mask, payload: payload.subarray(0, 50) })]) : each;
        }),
      ),
    ),
  );
}

describe('what is retained', () => {
  it('stays within the limits and the chunk last fed, however slowly events are pulled', () => {
    const input = fc
      .tuple(role, deliveries)
      .chain(([which, given]) => fc.tuple(fc.constant({ which, given }), long(which)));
    const sizes = fc.array(fc.integer({ min: 20, max: 3_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(input, sizes, fc.integer({ min: 1, max: 4 }), ([{ which, given }, data], chunks, pulls) => {
        const connection = established(which, { ...given, maxMessageSize: 4_000, maxControlFrames: null });
        // A message under way lies in a buffer of 4 KiB.
        const limit = 4_096 + Math.max(...chunks);
        expect(data.length).toBeGreaterThan(5 * limit);
        expect(feed(connection, cutAt(chunks)(data), pulls)).toBeLessThanOrEqual(limit);
        expect(connection.readyState).toBe('open');
      }),
      { numRuns: 100 },
    );
  });

  it('stays within smaller limits that are met, and is nothing when the connection has failed', () => {
    const input = fc
      .tuple(role, options)
      .chain(([which, given]) => fc.tuple(fc.constant({ which, given }), stream(which)));
    fc.assert(
      fc.property(input, cuts, fc.integer({ min: 1, max: 4 }), ([{ which, given }, data], sizes, pulls) => {
        const connection = established(which, given);
        // Half of what is announced, and the unit of the pool, are taken ahead.
        const limit = Math.max(4_096, 2 * (given.maxMessageSize ?? data.length)) + Math.max(...sizes);
        expect(feed(connection, cutAt(sizes)(data), pulls)).toBeLessThanOrEqual(limit);
        pull(connection);
        if (connection.readyState === 'closing') expect(connection.retainedBytes).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  it('is not taken from an announced length', () => {
    const server = established('server', { maxMessageSize: null, maxFrameSize: null });
    const head = frame({ opcode: 2, key, payload: new Uint8Array(0) }).slice(0, 2);
    head[1] = 0xff;
    server.receive(concat([head, Uint8Array.of(0, 0, 0x0f, 0xff, 0, 0, 0, 0), Uint8Array.from(key)]), 0);
    pull(server);
    for (let i = 1; i <= 100; i++) {
      server.receive(new Uint8Array(10), 0);
      pull(server);
      expect(server.retainedBytes).toBeLessThanOrEqual(16 * 10 * i + 1_024);
    }
  });

  it('does not grow with fragments, empty ones included', () => {
    const server = established('server', { maxFragments: null });
    server.receive(frame({ opcode: 2, fin: false, key }), 0);
    const empty = frame({ opcode: 0, fin: false, key });
    for (let i = 0; i < 20_000; i++) {
      server.receive(empty.slice(), 0);
      expect(server.nextEvent()).toBe(null);
    }
    expect(server.retainedBytes).toBe(0);
  });

  it('of early data is maxEarlyData and a chunk', () => {
    const server = new ServerConnection({ maxEarlyData: 100 }, 0);
    const early = frame({ opcode: 2, key, payload: new Uint8Array(30) });
    server.receive(REQUEST.slice(), 0);
    expect(server.nextEvent()).toMatchObject({ type: 'request' });
    let fed = 0;
    for (; server.wantsInput && fed < 1_000; fed++) server.receive(early.slice(), 0);
    expect(server.retainedBytes).toBeLessThanOrEqual(100 + early.length);
    server.accept(0);
    expect(pull(server).filter(({ type }) => type === 'message').length).toBe(fed);
  });
});

describe('output', () => {
  it('is one pong however many pings come, while it is not taken', () => {
    const server = established('server', { maxControlFrames: null });
    const ping = frame({ opcode: 9, key, payload: utf8('12345678') });
    for (let i = 0; i < 5_000; i++) {
      server.receive(ping.slice(), 0);
      server.nextEvent();
      expect(server.outgoingLength).toBe(10);
    }
  });

  it('is bounded through the driver, over a transport that never drains, until the flood is cut off', () => {
    const clock = new VirtualClock();
    const { left, right } = memoryLink(clock, { window: 10 });
    const settings = new EndpointSettings({ highWaterMark: 50, maxControlFrames: 3_000, maxBufferedAmount: 1_000 });
    const endpoint: Endpoint = new Endpoint(
      new ServerConnection(settings.connection, 0),
      right,
      settings,
      { clock, warn: () => {} },
      {
        request: () => {
          (endpoint.connection as ServerConnection).accept(clock.now());
          endpoint.wake();
        },
      },
    );
    let closed = 0;
    endpoint.on('message', ({ data }) => endpoint.send(data));
    endpoint.on('close', ({ error }) => {
      closed++;
      expect(error?.code).toBe('OUTGOING_OVERFLOW');
    });
    endpoint.start();
    left.pause();
    left.write([REQUEST]);
    clock.advance(1);
    for (let i = 0; i < 100 && endpoint.readyState === 'open'; i++) {
      for (let n = 0; n < 20; n++) left.write([frame({ opcode: 9, key, payload: utf8(`ping ${i}`) })]);
      left.write([frame({ opcode: 2, key, payload: new Uint8Array(100) })]);
      clock.advance(1);
      expect(endpoint.bufferedAmount).toBeLessThanOrEqual(1_000 + 400);
    }
    clock.advance(60_000);
    expect([closed, endpoint.readyState, clock.pendingAlarms]).toEqual([1, 'closed', 0]);
  });

  it('gives its memory back once it is written', () => {
    for (const which of ['server', 'client'] as const) {
      let allocated = 0;
      const allocate = (size: number): Uint8Array => {
        allocated++;
        return new Uint8Array(size);
      };
      const connection = established(which, { platform: { allocate } });
      for (let i = 0; i < 500; i++) {
        connection.sendBinary(new Uint8Array(30_000));
        connection.sendText('x'.repeat(50_000));
        drain(connection);
      }
      expect(allocated).toBeLessThan(20);
    }
  });

  it('of a client is masked with a fresh key each time, of a server never', () => {
    const [client, server] = [established('client'), established('server')];
    for (const each of [client, server]) for (let i = 0; i < 3_000; i++) each.sendText('same');
    const keys = readFrames(drain(client)).map((each) => hex(Uint8Array.from(each.key!)));
    expect(new Set(keys).size).toBe(3_000);
    expect(readFrames(drain(server)).every((each) => each.key === null)).toBe(true);
  });
});
