/**
 * Invariants 3 and 4: however bytes are cut, lent or pulled late, nobody can tell; and invariants 1, 6, 7 and 8 on the way.
 * What may differ: the cutting of `fragment` events, and pongs that a later one superseded.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Connection, ConnectionOptions, Role } from '../../src/index.ts';
import { bytes, cuts, legalStream, options, role, stream } from '../support/arbitraries.ts';
import {
  byteByByte,
  compareOutputs,
  cutAt,
  type Delivery,
  type Observed,
  objections,
  observe,
  type Step,
  whole,
} from '../support/observe.ts';
import { established } from '../support/peers.ts';

interface Case {
  readonly role: Role;
  readonly options: ConnectionOptions;
  readonly steps: readonly Step[];
  readonly size: number;
}

const cases: fc.Arbitrary<Case> = fc.tuple(role, options, fc.boolean()).chain(([which, given, ends]) =>
  stream(which).map((data) => {
    const steps: Step[] = [{ do: 'receive', bytes: data }];
    if (ends) steps.push({ do: 'end' });
    return { role: which, options: given, steps, size: data.length };
  }),
);

function run({ role: which, options: given, steps }: Case, delivery: Delivery): Observed {
  // Loans and late pulls do not go together with data that is valid for one listener only.
  return observe(established(which, { ...given, borrow: false }), steps, delivery);
}

/** What was delivered of a message that then failed depends on where it was cut. */
function expectSame(actual: Observed, expected: Observed): void {
  expect(actual.events).toEqual(expected.events);
  expect(actual.partial.startsWith(expected.partial) || expected.partial.startsWith(actual.partial)).toBe(true);
}

const WAYS: readonly (readonly [string, (sizes: readonly number[]) => Delivery])[] = [
  ['cut anywhere', (sizes) => ({ cut: cutAt(sizes) })],
  ['byte by byte', () => ({ cut: byteByByte })],
  ['pulled late', (sizes) => ({ cut: cutAt(sizes), pull: 'late' })],
  ['lent until there is no more event', (sizes) => ({ cut: cutAt(sizes), borrowed: 'until-null' })],
  ['lent whole', () => ({ cut: whole, borrowed: 'until-null' })],
  ['lent and kept after one event', (sizes) => ({ cut: cutAt(sizes), borrowed: 'keep' })],
  ['lent, kept after one event and pulled late', (sizes) => ({ cut: cutAt(sizes), borrowed: 'keep', pull: 'late' })],
];

describe('the same bytes give the same events and output', () => {
  it.each(WAYS)('%s', (_name, way) => {
    fc.assert(
      fc.property(cases, cuts, (given, sizes) => {
        const expected = run(given, { cut: whole });
        const actual = run(given, way(sizes));
        expectSame(actual, expected);
        expect(Buffer.compare(actual.output, expected.output)).toBe(0);
      }),
      { numRuns: 250 },
    );
  });

  it('with output taken early or late, superseded pongs aside', () => {
    fc.assert(
      fc.property(cases, cuts, (given, sizes) => {
        // What is untaken when the transport ends is lost; that is not about cuts.
        const alive = { ...given, steps: given.steps.filter((step) => step.do !== 'end') };
        const late = run(alive, { cut: whole });
        const early = run(alive, { cut: cutAt(sizes), drain: 'early' });
        expectSame(early, late);
        expect(compareOutputs(early.output, late.output)).toBe('');
      }),
      { numRuns: 250 },
    );
  });

  it('with `borrow`, when the listener looks at data before it returns', () => {
    fc.assert(
      fc.property(role, cuts, fc.context(), (which, sizes, context) => {
        fc.assert(
          fc.property(legalStream(which), (data) => {
            const steps: Step[] = [{ do: 'receive', bytes: data }];
            const seen = (borrow: boolean, delivery: Delivery): string[] => {
              const lines: string[] = [];
              const onEvent: Delivery['onEvent'] = (_c, event) => {
                if (event.type === 'message') lines.push(Buffer.from(event.data as Uint8Array).toString('hex'));
              };
              observe(established(which, { borrow, text: 'bytes' }), steps, { ...delivery, onEvent });
              return lines;
            };
            context.log(`${data.length} bytes`);
            const expected = seen(false, { cut: whole });
            expect(seen(true, { cut: cutAt(sizes) })).toEqual(expected);
            expect(seen(true, { cut: cutAt(sizes), borrowed: 'until-null' })).toEqual(expected);
          }),
          { numRuns: 5 },
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('whatever bytes come', () => {
  const anything = fc
    .tuple(role, options, fc.boolean())
    .chain(([which, given, noise]) =>
      (noise ? bytes(300) : stream(which)).map((data) => ({ role: which, options: given, data })),
    );

  it('nothing throws, `closed` is last and comes once, output is legal', () => {
    fc.assert(
      fc.property(anything, cuts, ({ role: which, options: given, data }, sizes) => {
        const connection = established(which, given);
        const check = (each: Connection): void => {
          if (each.readyState === 'open') return;
          expect(each.retainedBytes).toBe(0);
          if (each.readyState === 'closed') expect(each.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
        };
        const steps: Step[] = [{ do: 'receive', bytes: data }, { do: 'end' }];
        const { events, output } = observe(connection, steps, { cut: cutAt(sizes), drain: 'early', check });
        expect(events.filter((line) => line.startsWith('closed ')).length).toBe(1);
        expect(events.at(-1)).toMatch(/^closed /);
        expect(connection.outgoingLength).toBe(0);
        expect(objections(output, which)).toBe('');
      }),
      { numRuns: 1_500 },
    );
  });
});
