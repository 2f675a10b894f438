/**
 * Two joined connections under operations of both applications, time, cuts, and bytes that neither of them sent; from when they are
 * open, or from before the opening, with an application that takes its time to answer.
 */

import { type Connection, type ConnectionOptions, ServerConnection, UsageError } from '../../src/index.ts';
import { concat } from '../../test/support/bytes.ts';
import { cutAt, objections } from '../../test/support/observe.ts';
import { connecting, Joined, openPair } from '../../test/support/peers.ts';
import { Scramble, ScrambleTransform } from '../../test/support/scramble.ts';
import { Choices, must } from './choices.ts';

export function connection(input: Uint8Array): void {
  const choices = new Choices(input);
  const mode = choices.octet();
  const extended = (mode & 1) !== 0;
  const options = (): ConnectionOptions => ({
    ...choices.options(),
    extensions: extended ? [new Scramble({ octet: 0x20 })] : [],
    ...((mode & 2) === 0 ? {} : { maxBufferedAmount: 200, overflow: (mode & 4) === 0 ? 'close' : 'refuse' }),
  });
  const both = [options(), options()] as const;
  const cut = cutAt(choices.cuts());
  const joined =
    (mode & 8) === 0 ? openPair(...both, cut) : new Joined(connecting(both[0]), server(both[1], mode), cut);
  for (let i = 0; i < 60 && !choices.over; i++) operate(joined, choices);
  finish(joined, extended);
}

/** One that has no request yet; it may refuse what comes too early, and ask about plain requests. */
function server(options: ConnectionOptions, mode: number): ServerConnection {
  const earlyData = (mode & 16) === 0 ? 'accept' : 'refuse';
  return new ServerConnection({ ...options, earlyData, plainRequests: (mode & 32) === 0 ? 'refuse' : 'ask' }, 0);
}

/** The application answers the request, if there is one; else it is a UsageError, or too late. */
function answer(connection: Connection, now: number, size: number): void {
  if (!(connection instanceof ServerConnection)) return;
  attempt(() => {
    const early = connection.readyState === 'connecting';
    const done = size < 6 ? connection.accept(now) : connection.reject(now, 403, { body: 'no' });
    must(done === early, `an answer in time was ${done} (invariant 2)`);
  });
}

function operate(joined: Joined, choices: Choices): void {
  const code = choices.octet();
  const side = joined[(code & 0x80) === 0 ? 'left' : 'right'];
  const size = (code >> 4) & 7;
  const { now } = joined;
  switch (code & 15) {
    case 0:
      attempt(() => side.sendText(Buffer.from(choices.bytes(size)).toString('latin1')));
      break;
    case 1:
      attempt(() => side.sendBinary(choices.bytes(size)));
      break;
    case 2:
      attempt(() => side.sendBinary(choices.bytes(8 * size), { fragmentSize: 3, compress: size > 3 }));
      break;
    case 3:
      attempt(() => side.sendText(choices.bytes(size)));
      break;
    case 4:
      attempt(() => side.sendFragment((size & 1) === 0 ? 'text' : 'binary', choices.bytes(size), (size & 2) !== 0));
      break;
    case 5:
      attempt(() => side.ping(now, choices.bytes(size)));
      break;
    case 6:
      attempt(() => side.pong(choices.bytes(size)));
      break;
    case 7:
      attempt(() => side.close(now, size === 0 ? null : 999 + size, size < 2 ? '' : 'bye'));
      break;
    case 8:
      side.fail(now, new Error('fuzz'));
      break;
    case 9:
      side.terminate(now);
      break;
    case 10:
      joined.step();
      break;
    case 11:
      joined.advance(100 * choices.octet());
      break;
    case 12:
      // Bytes out of nowhere.
      side.receive(choices.bytes(choices.octet() & 31), now);
      break;
    case 13:
      side.receiveEnd(now, (size & 1) === 0 ? undefined : new Error('reset'));
      break;
    case 14:
      if ((size & 1) === 0) side.suspendInput();
      else side.resumeInput(now);
      break;
    default:
      answer(joined.right, now, size);
      joined.rest();
      break;
  }
}

/** Invariant 2: a command works, or throws a UsageError and changes nothing that can be seen. */
function attempt(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
}

function finish(joined: Joined, extended: boolean): void {
  joined.rest();
  for (const side of [joined.left, joined.right]) {
    side.resumeInput(joined.now);
    side.close(joined.now);
  }
  joined.rest();
  joined.advance(60_000);
  check(joined.left, joined.events.left, 'left');
  check(joined.right, joined.events.right, 'right');
  for (const which of ['left', 'right'] as const) {
    // A refusal is no frames.
    if (!joined.events[which].some(({ type }) => type === 'open')) continue;
    const output = concat(joined.output[which]);
    const head = Buffer.from(output).indexOf('\r\n\r\n') + 4;
    const transforms = extended ? [new ScrambleTransform(0x40, 0x20, 7)] : [];
    const objection = objections(output.subarray(head), which === 'left' ? 'client' : 'server', transforms);
    must(objection === '', `the output of ${which} is illegal (invariant 8): ${objection}`);
  }
}

function check(side: Connection, events: readonly { readonly type: string }[], name: string): void {
  must(side.readyState === 'closed', `${name} is ${side.readyState} for ever (invariant 9)`);
  must(events.filter(({ type }) => type === 'closed').length === 1, `${name} closed not once (invariant 7)`);
  must(events.at(-1)?.type === 'closed', `${name} has events after closed (invariant 7)`);
  must(side.nextTimeout() === Number.POSITIVE_INFINITY, `${name} has a deadline left (invariant 7)`);
  must(side.bufferedAmount === 0 && side.retainedBytes === 0, `${name} holds bytes (invariant 6)`);
}
