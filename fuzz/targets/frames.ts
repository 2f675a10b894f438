/** Frames into an open connection of either role, whole and cut: the same events and output, all invariants on the way. */

import type { Connection, Role } from '../../src/index.ts';
import { equal } from '../../test/support/bytes.ts';
import { compareOutputs, type Observed, objections, observe, type Step, whole } from '../../test/support/observe.ts';
import { established } from '../../test/support/peers.ts';
import { ScrambleTransform } from '../../test/support/scramble.ts';
import { Choices, must, mustEqual } from './choices.ts';
import { deliveryBy } from './deliveries.ts';

export function frames(input: Uint8Array): void {
  const choices = new Choices(input);
  const options = choices.options();
  const mode = choices.octet();
  const way = choices.octet();
  const cuts = choices.cuts();
  const data = choices.rest();
  const role: Role = (mode & 1) === 0 ? 'server' : 'client';
  const ends = (mode & 2) !== 0;
  const delivery = deliveryBy(way, cuts);
  // What is untaken when the transport ends is lost, and that is not about cuts.
  const steps: Step[] = [{ do: 'receive', bytes: data }];
  if (ends && delivery.drain !== 'early') steps.push({ do: 'end' });

  const transforms = (): ScrambleTransform[] => [
    ...((mode & 4) === 0 ? [] : [new ScrambleTransform(0x40, 0x20, 5)]),
    ...((mode & 8) === 0 ? [] : [new ScrambleTransform(0x20, 0x01, 64)]),
  ];
  const run = (how: typeof delivery): Observed => {
    const connection = established(role, options, transforms());
    // A pooled buffer has 4 KiB at least and twice the need at most; a growing one up to 16 times what has come.
    const expansion = Math.min(2 * (options.maxMessageSize ?? 1_048_576), 16 * data.length) + 4_096;
    const check = (each: Connection): void => {
      must(each.retainedBytes <= expansion + data.length, `${each.retainedBytes} bytes are retained (invariant 6)`);
    };
    return observe(connection, steps, { ...how, check });
  };

  const expected = run({ cut: whole });
  const actual = run(delivery);
  mustEqual(actual.events, expected.events, 'cuts show (invariant 4)');
  const partial = actual.partial.startsWith(expected.partial) || expected.partial.startsWith(actual.partial);
  must(partial, 'the fragments of an unfinished message differ (invariant 4)');
  if (delivery.drain === 'early') {
    const difference = compareOutputs(actual.output, expected.output);
    must(difference === '', `late output differs (invariant 3): ${difference}`);
  } else {
    must(equal(actual.output, expected.output), 'output differs (invariant 4)');
  }
  for (const each of [expected, actual]) finish(each, role, transforms());
}

function finish({ connection, events, output }: Observed, role: Role, transforms: ScrambleTransform[]): void {
  const objection = objections(output, role, transforms);
  must(objection === '', `output is illegal (invariant 8): ${objection}`);
  const closed = events.filter((line) => line.startsWith('closed ')).length;
  must(closed <= 1 && (closed === 0 || events.at(-1)!.startsWith('closed ')), '`closed` is not last (invariant 7)');
  connection.receiveEnd(1);
  let last = '';
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) last = event.type;
  must((last === 'closed') === (closed === 0), 'a connection does not end with its transport (invariant 7)');
  must(connection.nextTimeout() === Number.POSITIVE_INFINITY, 'a deadline is left (invariant 7)');
  must(connection.outgoingLength === 0 && connection.bufferedAmount === 0, 'bytes are left (invariant 7)');
  must(!connection.hasPendingInput, 'pending input is left (invariant 7)');
}
