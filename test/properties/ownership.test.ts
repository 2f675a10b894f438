/** Who owns which bytes: event data never shares memory with a buffer that is used again, output not with what was sent. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConnectionEvent } from '../../src/index.ts';
import { cuts, legalStream, operation, role } from '../support/arbitraries.ts';
import { concat, hex } from '../support/bytes.ts';
import { cutAt, observe, whole } from '../support/observe.ts';
import { drain, established, pull } from '../support/peers.ts';

/** All bytes of an event. */
function dataOf(event: ConnectionEvent): Uint8Array[] {
  return Object.values(event).filter((value): value is Uint8Array => value instanceof Uint8Array);
}

describe('event data', () => {
  it('keeps its content while the engine goes on and the shell reuses its buffer', () => {
    const delivery = fc.constantFrom('message' as const, 'fragment' as const);
    fc.assert(
      fc.property(role, delivery, cuts, (which, how, sizes) => {
        fc.assert(
          fc.property(legalStream(which), (data) => {
            const kept: { bytes: Uint8Array; was: string }[] = [];
            observe(established(which, { delivery: how, text: 'bytes' }), [{ do: 'receive', bytes: data }], {
              cut: cutAt(sizes),
              borrowed: 'until-null',
              onEvent: (_connection, event) => {
                for (const bytes of dataOf(event)) kept.push({ bytes, was: hex(bytes) });
              },
            });
            for (const { bytes, was } of kept) expect(hex(bytes)).toBe(was);
          }),
          { numRuns: 4 },
        );
      }),
      { numRuns: 100 },
    );
  });

  it('may be scribbled on without harm to what follows', () => {
    fc.assert(
      fc.property(legalStream('server'), cuts, (data, sizes) => {
        const run = (scribble: boolean): readonly string[] => {
          const seen: string[] = [];
          observe(established('server', { text: 'bytes' }), [{ do: 'receive', bytes: data }], {
            cut: scribble ? cutAt(sizes) : whole,
            onEvent: (_connection, event) => {
              for (const bytes of dataOf(event)) {
                seen.push(hex(bytes));
                if (scribble) bytes.fill(0xee);
              }
            },
          });
          return seen;
        };
        expect(run(true)).toEqual(run(false));
      }),
      { numRuns: 200 },
    );
  });

  it('of a small message does not pin a large read buffer', () => {
    const server = established('client');
    const chunk = new Uint8Array(65_536);
    chunk.set([0x82, 3, 1, 2, 3]);
    server.receive(chunk.subarray(0, 5), 0);
    const [event] = pull(server);
    expect(event?.type === 'message' && (event.data as Uint8Array).buffer.byteLength).toBeLessThan(20_000);
  });
});

describe('output', () => {
  it('is unchanged until it is written, whatever other connections do meanwhile', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), operation, fc.boolean()), { maxLength: 30 }), (turns) => {
        const connections = (['server', 'client', 'server', 'client'] as const).map((which) => established(which));
        const flying: { chunks: readonly Uint8Array[]; was: string; owner: number }[] = [];
        for (const [index, { run }, take] of turns) {
          const connection = connections[index]!;
          run(connection, 0);
          if (!take) continue;
          const chunks = connection.takeOutgoing();
          flying.push({ chunks, was: hex(concat(chunks)), owner: index });
          // Half of what flies lands late.
          if (flying.length % 2 === 0) {
            const { chunks: landed, was, owner } = flying.shift()!;
            expect(hex(concat(landed))).toBe(was);
            connections[owner]!.outgoingWritten(was.length / 2, 0);
          }
        }
        for (const { chunks, was } of flying) expect(hex(concat(chunks))).toBe(was);
      }),
      { numRuns: 400 },
    );
  });

  it('does not see what the sender does to a small or masked payload afterwards', () => {
    for (const which of ['server', 'client'] as const) {
      for (const size of which === 'server' ? [1, 125, 126, 32_768] : [1, 126, 32_768, 32_769, 100_000]) {
        const expected = established(which);
        const actual = established(which);
        const data = new Uint8Array(size).fill(1);
        actual.sendBinary(data);
        data.fill(2);
        expected.sendBinary(new Uint8Array(size).fill(1));
        expect(Buffer.compare(drain(actual), drain(expected))).toBe(0);
      }
    }
  });
});
