/** Connections with the same settings share readers and memory, and nobody can tell: each behaves as if it were alone. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Connection, EstablishedConnection, Settings } from '../../src/index.ts';
import { options, stream } from '../support/arbitraries.ts';
import { concat, hex } from '../support/bytes.ts';
import { joinFragments } from '../support/observe.ts';
import { pull } from '../support/peers.ts';

const COUNT = 4;

interface Lane {
  readonly connection: Connection;
  readonly events: string[];
  readonly output: Uint8Array[];
  at: number;
}

function lane(settings: Settings): Lane {
  const connection = new EstablishedConnection({ role: 'server' }, settings, 0);
  connection.nextEvent();
  return { connection, events: [], output: [], at: 0 };
}

/** Feeds so many bytes, by gift or by loan, and prints what comes before anybody else has a turn. */
function feed(to: Lane, data: Uint8Array, size: number, lend: boolean): void {
  const piece = data.slice(to.at, to.at + size);
  to.at += size;
  const loan = concat([piece, new Uint8Array(50)]);
  if (lend) to.connection.receiveBorrowed(loan, 0, piece.length);
  else to.connection.receive(piece, 0);
  to.events.push(
    ...pull(to.connection).flatMap((event) => (event.type === 'fragment' ? [] : joinFragments([event]).events)),
  );
  if (lend) {
    to.connection.keepBorrowed();
    loan.fill(0xee);
  }
}

function drainTo(to: Lane): void {
  const chunks = to.connection.takeOutgoing().map((chunk) => chunk.slice());
  to.output.push(...chunks);
  to.connection.outgoingWritten(concat(chunks).length, 0);
}

describe('connections with the same settings', () => {
  it('behave as if each were alone, in any interleaving', () => {
    const streams = fc.array(stream('server'), { minLength: COUNT, maxLength: COUNT });
    const turns = fc.array(fc.tuple(fc.nat(COUNT - 1), fc.integer({ min: 1, max: 60 }), fc.boolean()), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(options, streams, turns, (given, datas, schedule) => {
        const shared = Settings.from(given);
        const together = datas.map(() => lane(shared));
        const alone = datas.map(() => lane(Settings.from(given)));
        for (const [i, size, lend] of schedule) feed(together[i]!, datas[i]!, size, lend);
        datas.forEach((data, i) => {
          for (const [j, size, lend] of schedule) if (i === j) feed(alone[i]!, data, size, lend);
        });
        together.forEach((each, i) => {
          drainTo(each);
          drainTo(alone[i]!);
          expect(each.events).toEqual(alone[i]!.events);
          expect(hex(concat(each.output))).toBe(hex(concat(alone[i]!.output)));
          expect(each.connection.readyState).toBe(alone[i]!.connection.readyState);
        });
      }),
      { numRuns: 300 },
    );
  });
});
