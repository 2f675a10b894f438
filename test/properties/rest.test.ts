/** Invariant 9: two peers joined to each other always come to rest; no Close and no pong echoes forever. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cuts, type Operation, operation } from '../support/arbitraries.ts';
import { cutAt } from '../support/observe.ts';
import { openPair } from '../support/peers.ts';

const side = fc.constantFrom('left' as const, 'right' as const);
const turn = fc.record({ side, operation, carry: fc.boolean(), wait: fc.constantFrom(0, 0, 0, 10, 6_000, 30_000) });

describe('two peers joined to each other', () => {
  it('come to rest after anything that both applications do', () => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 14 }), cuts, (turns, sizes) => {
        const joined = openPair({}, {}, cutAt(sizes));
        for (const each of turns) {
          each.operation.run(joined[each.side], joined.now);
          if (each.carry) joined.step();
          if (each.wait > 0) joined.advance(each.wait);
        }
        joined.rest(200);
        for (const which of ['left', 'right'] as const) {
          const closed = joined.events[which].filter(({ type }) => type === 'closed');
          expect(closed.length).toBeLessThanOrEqual(1);
          if (closed.length === 1) expect(joined.events[which].at(-1)).toBe(closed[0]);
          expect(joined[which].readyState === 'closed').toBe(closed.length === 1);
          expect(joined[which].bufferedAmount).toBe(0);
        }
        expect(joined.left.readyState).toBe(joined.right.readyState);
      }),
      { numRuns: 1_500 },
    );
  });

  it('come to rest when both answer every ping and pong by hand, and close when they are closed', () => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 8 }), cuts, (turns, sizes) => {
        const joined = openPair({ autoPong: false }, { autoPong: false }, cutAt(sizes));
        joined.onEvent = (connection, event, now) => {
          if (event.type === 'ping' && connection.readyState === 'open') connection.pong(event.payload);
          if (event.type === 'closing') connection.close(now, 1000);
        };
        for (const each of turns) each.operation.run(joined[each.side], joined.now);
        joined.rest(200);
        joined.left.close(joined.now);
        joined.rest(200);
        expect([joined.left.readyState, joined.right.readyState]).toEqual(['closed', 'closed']);
      }),
      { numRuns: 500 },
    );
  });

  it.each(closings())('agree when %s', (_name, left, right) => {
    const joined = openPair();
    left?.run(joined.left, 0);
    right?.run(joined.right, 0);
    joined.rest();
    const [a, b] = [joined.events.left.at(-1), joined.events.right.at(-1)];
    expect(a).toMatchObject({ type: 'closed', clean: true, error: null });
    expect(b).toMatchObject({ type: 'closed', clean: true, error: null });
  });
});

function closings(): [string, Operation | null, Operation | null][] {
  const close = (code: number | null): Operation => ({ name: 'close', run: (c, now) => c.close(now, code) });
  return [
    ['the client closes', close(1000), null],
    ['the server closes', null, close(1001)],
    ['both close at once', close(1000), close(4000)],
    ['the Close is empty', close(null), null],
  ];
}
