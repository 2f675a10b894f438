/** The opening handshake of both roles from any bytes, whole and cut. */

import { HeadParser } from '../../src/handshake/head-parser.ts';
import { type Connection, type ConnectionOptions, type Request, ServerConnection } from '../../src/index.ts';
import { equal } from '../../test/support/bytes.ts';
import { type Delivery, type Observed, observe, type Step, whole } from '../../test/support/observe.ts';
import { connecting } from '../../test/support/peers.ts';
import { constantRandom } from '../../test/support/random.ts';
import { Scramble } from '../../test/support/scramble.ts';
import { Choices, must, mustEqual } from './choices.ts';
import { deliveryBy } from './deliveries.ts';

function headLimits(choices: Choices): ConnectionOptions {
  const flags = choices.octet();
  return {
    ...((flags & 1) === 0 ? {} : { maxHeadSize: 120 + 8 * (flags >> 4) }),
    ...((flags & 2) === 0 ? {} : { maxRequestLine: 20 }),
    ...((flags & 4) === 0 ? {} : { maxHeaders: 4 }),
    ...((flags & 8) === 0 ? {} : { extensions: [new Scramble({ name: 'x', octet: 1 })] }),
  };
}

function script(choices: Choices): { delivery: Delivery; steps: Step[]; mode: number } {
  const mode = choices.octet();
  const delivery = deliveryBy(choices.octet(), choices.cuts());
  const steps: Step[] = [{ do: 'receive', bytes: choices.rest() }];
  if ((mode & 1) !== 0) steps.push({ do: 'end' });
  if ((mode & 2) !== 0) steps.push({ do: 'advance', by: 40_000 });
  return { delivery, steps, mode };
}

function compare(actual: Observed, expected: Observed, delivery: Delivery): void {
  mustEqual(actual.events, expected.events, 'cuts show (invariant 4)');
  if (delivery.drain !== 'early') must(equal(actual.output, expected.output), 'output differs (invariant 4)');
  for (const { connection, events } of [actual, expected]) end(connection, events);
}

function end(connection: Connection, events: readonly string[]): void {
  connection.receiveEnd(50_000);
  connection.takeOutgoing();
  let closed = events.filter((line) => line.startsWith('closed ')).length;
  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
    if (event.type === 'closed') closed++;
  }
  must(closed === 1, `${closed} closed events (invariant 7)`);
  must(connection.nextTimeout() === Number.POSITIVE_INFINITY, 'a deadline is left (invariant 7)');
}

/** Everything that can be read of a request must not throw either. */
function readAll(request: Request): void {
  const { method, target, version, path, query, host, origin, subprotocols, upgrade, headers } = request;
  must(
    [method, target, version, path, query, host].every((each) => typeof each === 'string'),
    'a field is missing',
  );
  must(origin === null || typeof origin === 'string', 'a field is missing');
  must(Array.isArray(subprotocols) && typeof upgrade === 'boolean', 'a field is missing');
  must(path.startsWith('/'), `the path is ${path}`);
  JSON.stringify([request, headers]);
}

export function requestHead(input: Uint8Array): void {
  const choices = new Choices(input);
  const flags = choices.octet();
  const limits: ConnectionOptions = {
    ...headLimits(choices),
    plainRequests: (flags & 1) === 0 ? 'refuse' : 'ask',
    maxEarlyData: 64,
  };
  const { delivery, steps, mode } = script(choices);
  const onEvent: Delivery['onEvent'] = (connection, event, now) => {
    if (event.type !== 'request') return;
    readAll(event.request);
    const server = connection as ServerConnection;
    const [subprotocol = ''] = event.request.subprotocols;
    if (!event.request.upgrade || (mode & 4) !== 0) server.reject(now, 404, { body: 'no' });
    else server.accept(now, { subprotocol });
  };
  const run = (how: Delivery): Observed => observe(new ServerConnection(limits, 0), steps, { ...how, onEvent });
  const expected = run({ cut: whole });
  if (expected.output.length > 0) {
    const parser = new HeadParser({ maxHeadSize: null, maxRequestLine: null, maxHeaders: null }, 'response');
    must(parser.push(expected.output, 0, expected.output.length) > 0, `the answer is malformed: ${parser.fault}`);
  }
  compare(run(delivery), expected, delivery);
}

export function responseHead(input: Uint8Array): void {
  const choices = new Choices(input);
  const limits = headLimits(choices);
  const { delivery, steps } = script(choices);
  const run = (how: Delivery): Observed => {
    const client = connecting({ ...limits, platform: { random: constantRandom() } }, ['chat', 'superchat']);
    return observe(client, steps, how);
  };
  compare(run(delivery), run({ cut: whole }), delivery);
}
