/** Invariant 5: equal inputs, time and chance included, give equal outputs; and invariant 2: a refused command changes nothing. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Connection, UsageError } from '../../src/index.ts';
import { cuts, operation, options, role, stream } from '../support/arbitraries.ts';
import { hex } from '../support/bytes.ts';
import { cutAt, observe, type Step } from '../support/observe.ts';
import { drain, established, openPair, pull } from '../support/peers.ts';
import { printEvent } from '../support/print.ts';

describe('equal inputs', () => {
  it('give equal events and output, octet for octet', () => {
    const input = fc.tuple(role, options, fc.array(operation, { maxLength: 5 })).chain(([which, given, operations]) =>
      fc.record({
        which: fc.constant(which),
        given: fc.constant(given),
        operations: fc.constant(operations),
        data: stream(which),
      }),
    );
    fc.assert(
      fc.property(input, cuts, fc.nat(1_000), ({ which, given, operations, data }, sizes, seed) => {
        const steps: Step[] = [
          ...operations.map((each): Step => ({ do: 'command', run: each.run })),
          { do: 'receive', bytes: data },
          { do: 'advance', by: 40_000 },
          ...operations.map((each): Step => ({ do: 'command', run: each.run })),
        ];
        const run = (): string => {
          const connection = established(which, { ...given, borrow: false }, [], seed);
          const { events, output } = observe(connection, steps, { cut: cutAt(sizes), drain: 'early' });
          return `${events.join('\n')}\n${hex(output)}`;
        };
        expect(run()).toBe(run());
      }),
      { numRuns: 300 },
    );
  });

  it('open two equal pairs', () => {
    const run = (): string => {
      const { events } = openPair();
      return [...events.left, ...events.right].map(printEvent).join('\n');
    };
    expect(run()).toBe(run());
  });
});

describe('a command that throws', () => {
  const wrong: [string, (connection: Connection) => void][] = [
    ['a lone surrogate', (c) => c.sendText('a\ud800')],
    ['a lone surrogate in fragments', (c) => c.sendText('a\ud800', { fragmentSize: 1 })],
    ['text that is not UTF-8', (c) => c.sendText(Uint8Array.of(0xff))],
    ['a first fragment that is not UTF-8', (c) => c.sendFragment('text', Uint8Array.of(0xff), false)],
    ['a last fragment that is cut', (c) => c.sendFragment('text', Uint8Array.of(0xc3), true)],
    ['a fragment size of nothing', (c) => c.sendBinary(new Uint8Array(2), { fragmentSize: 0 })],
    ['a long ping', (c) => c.ping(0, new Uint8Array(126))],
    ['a long pong', (c) => c.pong(new Uint8Array(126))],
    ['a reserved code', (c) => c.close(0, 1006)],
    ['a long reason', (c) => c.close(0, 1000, 'x'.repeat(124))],
    ['a reason without a code', (c) => c.close(0, null, 'x')],
  ];

  it.each(wrong)('%s: changes nothing', (_name, run) => {
    const connection = established('server');
    expect(() => run(connection)).toThrow(UsageError);
    expect(connection.readyState).toBe('open');
    expect(connection.outgoingLength).toBe(0);
    expect(connection.midMessage).toBe(false);
    expect(pull(connection)).toEqual([]);
    connection.sendText('still here');
    expect(hex(drain(connection))).toBe(`810a${Buffer.from('still here').toString('hex')}`);
  });

  it('in the middle of a fragmented message, which goes on', () => {
    const connection = established('server');
    connection.sendFragment('text', Uint8Array.of(0xc3), false);
    expect(() => connection.sendFragment('text', Uint8Array.of(0xff), false)).toThrow(UsageError);
    expect(() => connection.sendText('no')).toThrow(UsageError);
    expect(() => connection.sendFragment('binary', Uint8Array.of(0xa9), true)).toThrow(UsageError);
    connection.sendFragment('text', Uint8Array.of(0xa9), true);
    expect(hex(drain(connection))).toBe('0101c38001a9');
  });
});
