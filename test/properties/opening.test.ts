/** The opening handshake under the same promises: blind to cuts, quiet, final, bounded, and its answers are good HTTP. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadParser } from '../../src/handshake/head-parser.ts';
import { type Connection, ServerConnection } from '../../src/index.ts';
import { bytes, cuts, stream } from '../support/arbitraries.ts';
import { concat, utf8 } from '../support/bytes.ts';
import { byteByByte, cutAt, type Delivery, type Observed, observe, type Step, whole } from '../support/observe.ts';
import { connecting, drain, openPair } from '../support/peers.ts';

const REQUEST = new TextDecoder().decode(drain(connecting({}, ['chat', 'superchat'])));
const RESPONSE = (() => {
  const server = new ServerConnection({}, 0);
  server.receive(utf8(REQUEST), 0);
  server.nextEvent();
  server.accept(0, { subprotocol: 'chat' });
  return new TextDecoder().decode(drain(server));
})();

const LINES = [
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 7\r\n',
  'Host: other.test\r\n',
  'Upgrade: h2c\r\n',
  'Sec-WebSocket-Extensions: a; b="c, d", e\r\n',
  'Sec-WebSocket-Protocol: chat\r\n',
  'X: \x80\xff\r\n',
  ' folded\r\n',
  'HTTP/1.1 404 Not Found\r\n',
  '\r\n',
  '\n',
  '5\r\nhello\r\n0\r\n\r\n',
];

/** A good head with anything done to it. */
function damaged(head: string): fc.Arbitrary<Uint8Array> {
  const change = fc.record({
    at: fc.nat(head.length),
    drop: fc.constantFrom(0, 0, 1, 2, 20),
    put: fc.oneof(fc.constantFrom(...LINES), fc.string({ maxLength: 3 }), fc.constant('')),
  });
  return fc.array(change, { maxLength: 3 }).map((changes) => {
    let text = head;
    for (const { at, drop, put } of changes) {
      // Most changes are between lines, where they mean something.
      const line = put.endsWith('\n') ? text.indexOf('\n', at) + 1 : at;
      text = text.slice(0, line) + put + text.slice(line + drop);
    }
    return Uint8Array.from(text, (unit) => unit.charCodeAt(0) & 0xff);
  });
}

const limits = fc.record(
  {
    maxHeadSize: fc.constantFrom(40, 200, 300),
    maxRequestLine: fc.constantFrom(5, 19, 60),
    maxHeaders: fc.constantFrom(1, 5, 8),
    maxEarlyData: fc.constantFrom(1, 20),
    plainRequests: fc.constantFrom('refuse' as const, 'ask' as const),
  },
  { requiredKeys: [] },
);

const answer: Delivery['onEvent'] = (connection, event, now) => {
  if (event.type !== 'request') return;
  const server = connection as ServerConnection;
  if (event.request.upgrade) server.accept(now);
  else server.reject(now, 200, { body: 'hello' });
};

function check(connection: Connection): void {
  if (connection.readyState === 'closed') expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
  expect(connection.bufferedAmount).toBeGreaterThanOrEqual(0);
}

function expectOneEnd({ events, connection }: Observed): void {
  expect(events.filter((line) => line.startsWith('closed ')).length).toBe(1);
  expect(events.at(-1)).toMatch(/^closed /);
  expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
}

describe('a server that is opening', () => {
  const input = fc.oneof(
    fc.tuple(damaged(REQUEST), stream('server')).map(concat),
    bytes(200),
    fc.constant(utf8(REQUEST)),
  );

  it('says the same however the head is cut', () => {
    fc.assert(
      fc.property(input, limits, cuts, fc.boolean(), (data, given, sizes, ends) => {
        const steps: Step[] = [
          { do: 'receive', bytes: data },
          { do: ends ? 'end' : 'advance', by: 60_000 },
        ];
        const run = (delivery: Delivery): Observed =>
          observe(new ServerConnection(given, 0), steps, { ...delivery, onEvent: answer, check });
        const expected = run({ cut: whole });
        for (const delivery of [
          { cut: cutAt(sizes) },
          { cut: byteByByte },
          { cut: byteByByte, drain: 'early' as const },
          { cut: cutAt(sizes), borrowed: 'until-null' as const },
          { cut: cutAt(sizes), borrowed: 'keep' as const },
        ]) {
          const actual = run(delivery);
          expect(actual.events).toEqual(expected.events);
          if (delivery.drain === undefined) expect(Buffer.compare(actual.output, expected.output)).toBe(0);
        }
        if (ends) expectOneEnd(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('answers with one well-formed head', () => {
    fc.assert(
      fc.property(damaged(REQUEST), limits, (data, given) => {
        const steps: Step[] = [{ do: 'receive', bytes: data }];
        const { output } = observe(new ServerConnection(given, 0), steps, { cut: whole, onEvent: answer });
        if (output.length === 0) return;
        const parser = new HeadParser({ maxHeadSize: null, maxRequestLine: null, maxHeaders: null }, 'response');
        const end = parser.push(output, 0, output.length);
        expect(parser.fault).toBe(null);
        expect(end).toBeGreaterThan(0);
        const length = /^content-length: (\d+)/im.exec(Buffer.from(output).toString('latin1'))?.[1];
        if (!parser.firstLine.includes(' 101 ')) expect(output.length - end).toBe(Number(length));
      }),
      { numRuns: 400 },
    );
  });
});

describe('a client that is opening', () => {
  const input = fc.oneof(fc.tuple(damaged(RESPONSE), stream('client')).map(concat), bytes(200));

  it('says the same however the head is cut, and ends once', () => {
    fc.assert(
      fc.property(input, limits, cuts, fc.boolean(), (data, given, sizes, ends) => {
        const steps: Step[] = [
          { do: 'receive', bytes: data },
          { do: ends ? 'end' : 'advance', by: 60_000 },
          { do: 'end' },
        ];
        const run = (delivery: Delivery): Observed => {
          const client = connecting(given, ['chat', 'superchat']);
          if (delivery.drain === 'early') drain(client);
          return observe(client, steps, { ...delivery, check });
        };
        const expected = run({ cut: whole });
        for (const delivery of [
          { cut: cutAt(sizes) },
          { cut: byteByByte },
          { cut: byteByByte, drain: 'early' as const },
          { cut: cutAt(sizes), borrowed: 'keep' as const },
        ]) {
          expect(run(delivery).events).toEqual(expected.events);
        }
        expectOneEnd(expected);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a client and a server', () => {
  it('open whatever the cuts', () => {
    fc.assert(
      fc.property(cuts, (sizes) => {
        const joined = openPair({}, {}, cutAt(sizes));
        expect([joined.left.readyState, joined.right.readyState]).toEqual(['open', 'open']);
      }),
      { numRuns: 50 },
    );
  });
});
