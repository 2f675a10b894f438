/** What an application does, and what the endpoint must make of it at once: a command works, or throws and changes nothing. */

import type { SendResult } from '../src/endpoint/outbox.ts';
import { UsageError } from '../src/index.ts';
import type { Machine } from './fleet.ts';
import { contentOf, type Descriptor } from './messages.ts';
import type { Operation } from './plan.ts';
import type { Peer } from './watch.ts';

const LONG = new Uint8Array(126);

type Misuse = readonly [string, (peer: Peer) => unknown];

/** Commands that are wrong, whatever the state. */
const MISUSES: readonly Misuse[] = [
  ['send(5)', ({ endpoint }) => endpoint.send(5 as never)],
  ['ping(126 bytes)', ({ endpoint }) => endpoint.ping(LONG)],
  ['pong(126 bytes)', ({ endpoint }) => endpoint.pong(LONG)],
  ['close(1005)', ({ endpoint }) => endpoint.close(1005)],
  ['close(1006)', ({ endpoint }) => endpoint.close(1006)],
  ['close(999)', ({ endpoint }) => endpoint.close(999)],
  ['close with a long reason', ({ endpoint }) => endpoint.close(1000, 'r'.repeat(124))],
  ['sendStream(kind)', ({ endpoint }) => endpoint.sendStream('json' as never, [])],
  ['on(nothing)', ({ endpoint }) => endpoint.on('nothing' as never, () => {})],
];

/** Where nothing can be sent, or no more, what would be is not looked at. */
const OPEN_MISUSES: readonly Misuse[] = [
  ...MISUSES,
  ['send(lone surrogate)', ({ endpoint }) => endpoint.send('\ud800')],
  ['send(bytes as text)', ({ endpoint }) => endpoint.send(Uint8Array.of(0xff), { binary: false })],
];

/** Does it on one side. `machine` is the server's, on a server. */
export function perform(operation: Operation, peer: Peer, size: number, seed: number, machine: Machine | null): void {
  const { endpoint, session } = peer;
  if (peer.role === 'server' && session.joined?.perform(operation, size, seed) === true) return;
  switch (operation) {
    case 'send':
      send(peer, sizeOf(size, seed), seed % 2 === 0);
      break;
    case 'burst':
      for (let i = 3 + (seed % 40); i > 0; i--) send(peer, Math.floor(size * 400), i % 2 === 0);
      break;
    case 'ping':
      peer.owes('ping', seed % 3 === 0 ? endpoint.ping(`p${seed % 7}`) : endpoint.ping());
      break;
    case 'pong':
      endpoint.pong('unasked');
      break;
    case 'drained':
      peer.owes('drained', endpoint.drained());
      break;
    case 'stream':
      stream(peer, size, seed);
      break;
    case 'broadcast':
      if (machine !== null) broadcast(peer, machine, size, seed);
      break;
    case 'misuse':
      misuse(peer, seed);
      break;
    case 'finish':
      if (peer.phase === 'connecting') session.damage('closed while connecting');
      if (peer.streaming) session.damage('closed while streaming');
      peer.owes('close', endpoint.close(seed % 2 === 0 ? 1000 : 3000 + (seed % 1999), size < 0.5 ? '' : 'tschüß'));
  }
}

function sizeOf(size: number, seed: number): number {
  const kind = seed % 40;
  if (kind === 0) return 0;
  if (kind === 1) return Math.floor(size * 90_000);
  if (kind < 6) return Math.floor(size * 5_000);
  return Math.floor(size * 200);
}

function send(peer: Peer, size: number, text: boolean): void {
  const { session, endpoint } = peer;
  if (session.reconnecting !== null && peer.role === 'client') {
    session.reconnecting.send(size / 5_000);
    return;
  }
  const descriptor = describe(peer, text, size);
  const before = endpoint.bufferedAmount;
  const result = endpoint.send(contentOf(descriptor));
  if (result.success && endpoint.bufferedAmount !== before + result.wireSize) {
    peer.broken(`send says ${result.wireSize} bytes, bufferedAmount says ${endpoint.bufferedAmount - before}`);
  }
  record(peer, descriptor, result);
}

/** A message; what must not go through a gateway does so only as an accident. */
function describe(peer: Peer, text: boolean, size: number): Descriptor {
  const { joined, world } = peer.session;
  const descriptor = { number: peer.sent.length, text, size };
  if (joined === null) return descriptor;
  if (size > joined.limit / 4) peer.session.damage('too long for the gateway');
  if (joined.without === null) return descriptor;
  if (world.steps % 61 !== 0 || peer.session.calm) return { ...descriptor, without: joined.without };
  peer.session.damage('what ends messages is in one');
  return descriptor;
}

function record(peer: Peer, descriptor: Descriptor, result: SendResult): void {
  const { success, code, wireSize } = result;
  if (success !== (code === null) || (success && wireSize === 0))
    peer.broken(`an odd result: ${JSON.stringify(result)}`);
  if (success) peer.accepted(descriptor, wireSize);
  else if (code === 'overflow' && !peer.settings.connection.refuseOverflow) peer.session.damage('overflow');
}

/** One message in chunks, some of which take their time. */
function stream(peer: Peer, size: number, seed: number): void {
  const { session, endpoint } = peer;
  if (peer.streaming || endpoint.connection.midMessage || endpoint.readyState !== 'open') return;
  if (session.reconnecting !== null && peer.role === 'client') return;
  const descriptor = describe(peer, seed % 2 === 0, Math.floor(size * 3_000));
  const whole = contentOf(descriptor);
  const chunks = 1 + (seed % 4);
  const length = Math.ceil(whole.length / chunks);
  const throws = seed % 23 === 0 && !session.calm;
  const delay = session.calm ? 10 : 3_000 * size;
  if (throws) session.damage('a stream that throws');
  async function* source(): AsyncGenerator<string | Uint8Array> {
    for (let at = 0; at < whole.length; at += length) {
      if (seed % 5 === 0) {
        await new Promise<void>((resolve) => session.world.later(peer.host, delay, resolve));
      }
      if (throws && at > 0) throw new Error('the source of a stream threw');
      yield whole.slice(at, at + length);
    }
    if (throws) throw new Error('the source of a stream threw');
  }
  peer.streaming = true;
  // It is on its way from now on: whole messages queue behind it.
  peer.accepted(descriptor, whole.length * 4 + 100);
  peer.allow(4_000_000);
  const sent = endpoint.sendStream(descriptor.text ? 'text' : 'binary', source()).then(
    ({ success, code }) => {
      peer.streaming = false;
      // Of what was refused nothing was sent, and what waited behind it goes on.
      if (code === 'overflow' && peer.settings.connection.refuseOverflow) peer.takeBack(descriptor);
      else if (!success) session.damage('a stream that was cut off');
    },
    (error: unknown) => {
      peer.streaming = false;
      throw error;
    },
  );
  peer.owes('sendStream', sent);
}

function broadcast(peer: Peer, machine: Machine, size: number, seed: number): void {
  const text = seed % 2 === 0;
  const descriptor: Descriptor = { number: seed & 0xffff, text, size: Math.floor(size * 600) };
  const { registry, broadcaster } = machine;
  const results = broadcaster.broadcast(registry.list(), contentOf(descriptor), {}, 'broadcast');
  for (const { socket, result } of results) {
    const receiver = peer.session.world.peerOf(socket);
    if (receiver === null) peer.broken('a broadcast to a connection that is over');
    record(receiver, descriptor, result);
  }
}

/** Invariant 2: nothing has changed. */
function misuse(peer: Peer, seed: number): void {
  const { endpoint } = peer;
  // Where the transport is gone, though nobody has taken the end yet, whatever is sent is answered with 'not-open'.
  const sends = endpoint.bufferedAmount === 0 && !peer.streaming && endpoint.writable;
  const misuses = sends ? OPEN_MISUSES : MISUSES;
  const [name, act] = misuses[seed % misuses.length]!;
  const before = `${endpoint.readyState} ${endpoint.bufferedAmount} ${endpoint.connection.nextTimeout()}`;
  let thrown: unknown = null;
  try {
    const result = act(peer);
    if (result instanceof Promise) result.catch(() => {});
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof UsageError)) peer.broken(`${name} did not throw a UsageError, but ${thrown}`);
  const after = `${endpoint.readyState} ${endpoint.bufferedAmount} ${endpoint.connection.nextTimeout()}`;
  if (after !== before) peer.broken(`${name} threw, and changed ${before} into ${after}`);
}
