/** Model-based: the transition table is the model, commands of both sides are drawn at random, and only its moves happen. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClientConnection,
  type Connection,
  type Input,
  type Phase,
  type ReadyState,
  type Role,
  ServerConnection,
  TRANSITIONS,
  UsageError,
} from '../../src/index.ts';
import { request, response } from '../rfc6455/support.ts';
import { utf8 } from '../support/bytes.ts';
import { closeFrame, frame } from '../support/frames.ts';
import { connecting, drain, established, pull } from '../support/peers.ts';

/** What a peer can send, once the head is over. */
type Sent = 'message' | 'close' | 'garbage';

interface Model {
  phase: Phase;
  readonly role: Role;
  /** A server that was there before its request. */
  readonly answers: boolean;
  /** The request is before the application. */
  asked: boolean;
  /** What came behind it, before it was answered. */
  readonly early: Sent[];
  /** The events that are due. */
  readonly due: string[];
  /** The phases that it was in, of this connection and all before it. */
  readonly reached: Set<Phase>;
}

interface Real {
  readonly connection: Connection;
  /** What the peer masks with: only clients do. */
  readonly key: number[] | null;
  /** What the peer opens with. */
  readonly head: Uint8Array;
  now: number;
}

/** Applies `inputs` in order to the model; a blank cell would be a defect of the test. */
function move(model: Model, ...inputs: Input[]): void {
  for (const input of inputs) {
    const next = TRANSITIONS[model.phase][input];
    if (next === undefined) throw new Error(`${input} cannot happen in phase ${model.phase}`);
    if (next === 'ignored') continue;
    model.phase = next;
    model.reached.add(next);
    if (next === 'closed') model.due.push('closed');
  }
}

/** What users see of a phase (design: the four states are a projection). */
function readyState(phase: Phase): ReadyState {
  return phase === 'connecting' || phase === 'open' || phase === 'closed' ? phase : 'closing';
}

const parsing = (phase: Phase): boolean => phase === 'open' || phase === 'close-sent';

/** Something of the peer arrives. */
function arrive(model: Model, sent: Sent): void {
  if (model.phase === 'connecting') {
    if (model.asked) model.early.push(sent);
    // It is no head: a server answers that, a client has nothing more to say.
    else move(model, model.role === 'server' ? 'refused' : 'fail');
  } else if (parsing(model.phase)) {
    if (sent === 'message') model.due.push('message');
    else if (sent === 'garbage') move(model, 'fail');
    else {
      model.due.push('closing');
      // §5.5.1: an endpoint that has not sent a Close answers at once.
      if (model.phase === 'open') move(model, 'close-in', 'close-out');
      else move(model, 'close-in');
    }
  }
}

function open(model: Model): void {
  move(model, 'established');
  model.due.push('open');
  for (const sent of model.early.splice(0)) arrive(model, sent);
}

abstract class Step implements fc.Command<Model, Real> {
  abstract act(model: Model, real: Real): void;

  check(_model: Readonly<Model>): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const { connection } = real;
    this.act(model, real);
    expect(pull(connection).map(({ type }) => type)).toEqual(model.due.splice(0));
    expect(connection.readyState).toBe(readyState(model.phase));
    if (model.phase === 'closed') {
      expect(connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
      expect(connection.outgoingLength).toBe(0);
    }
    if (model.phase === 'failing') expect(connection.outgoingEnded).toBe(connection.outgoingLength === 0);
  }

  toString(): string {
    return this.constructor.name;
  }
}

/** The peer opens, or says that once more. */
class ReceiveHead extends Step {
  act(model: Model, { connection, now, head }: Real): void {
    connection.receive(head.slice(), now);
    if (model.phase !== 'connecting' || model.asked) {
      // As frames it begins with reserved bits.
      arrive(model, 'garbage');
    } else if (model.role === 'server') {
      model.asked = true;
      model.due.push('request');
    } else {
      open(model);
    }
  }
}

/** The application answers the request. */
abstract class Answer extends Step {
  abstract answer(connection: ServerConnection, now: number): boolean;
  abstract answered(model: Model): void;

  override check({ answers }: Readonly<Model>): boolean {
    return answers;
  }

  act(model: Model, { connection, now }: Real): void {
    const answer = (): boolean => this.answer(connection as ServerConnection, now);
    if (model.phase === 'connecting' && !model.asked) {
      expect(answer).toThrow(UsageError);
      return;
    }
    // An answer that comes too late is none.
    expect(answer()).toBe(model.phase === 'connecting');
    if (model.phase === 'connecting') this.answered(model);
  }
}

class Accept extends Answer {
  answer(connection: ServerConnection, now: number): boolean {
    return connection.accept(now);
  }

  answered(model: Model): void {
    open(model);
  }
}

class Reject extends Answer {
  answer(connection: ServerConnection, now: number): boolean {
    return connection.reject(now, 403);
  }

  answered(model: Model): void {
    move(model, 'refused');
  }
}

class Send extends Step {
  act({ phase }: Model, { connection }: Real): void {
    if (phase === 'open') expect(connection.sendText('x')).toBeGreaterThan(0);
    else expect(() => connection.sendText('x')).toThrow(UsageError);
  }
}

class Close extends Step {
  act(model: Model, { connection, now }: Real): void {
    connection.close(now, 1000);
    move(model, 'close-out');
  }
}

class Fail extends Step {
  act(model: Model, { connection, now }: Real): void {
    connection.fail(now, new Error('test'));
    move(model, 'fail');
  }
}

class ReceiveMessage extends Step {
  act(model: Model, { connection, now, key }: Real): void {
    connection.receive(frame({ opcode: 1, key, payload: utf8('hello') }), now);
    arrive(model, 'message');
  }
}

class ReceiveClose extends Step {
  act(model: Model, { connection, now, key }: Real): void {
    connection.receive(closeFrame(1000, 'bye', key), now);
    arrive(model, 'close');
  }
}

class ReceiveGarbage extends Step {
  act(model: Model, { connection, now, key }: Real): void {
    connection.receive(frame({ opcode: 3, key }), now);
    arrive(model, 'garbage');
  }
}

class TransportGone extends Step {
  act(model: Model, { connection, now }: Real): void {
    connection.receiveEnd(now, new Error('reset'));
    move(model, 'transport-gone');
  }
}

class PeerEnds extends Step {
  act(model: Model, { connection, now }: Real): void {
    drain(connection, now);
    connection.receiveEnd(now);
    move(model, 'transport-gone');
  }
}

class Terminate extends Step {
  act(model: Model, { connection, now }: Real): void {
    connection.terminate(now);
    move(model, 'transport-gone');
  }
}

class Drain extends Step {
  act(_model: Model, { connection, now }: Real): void {
    drain(connection, now);
  }
}

class Deadline extends Step {
  act(model: Model, real: Real): void {
    const { connection } = real;
    const at = connection.nextTimeout();
    if (at === Number.POSITIVE_INFINITY) return;
    expect(at).toBeGreaterThanOrEqual(real.now);
    const pinged = model.phase === 'open' && connection.outgoingLength;
    real.now = at;
    connection.handleTimeout(at);
    // A server says 408, and waits for it to leave.
    if (model.phase === 'connecting') move(model, model.role === 'server' ? 'refused' : 'deadline');
    else if (model.phase !== 'open') move(model, 'deadline');
    // Open: a ping is due, or a pong is overdue.
    else if (connection.readyState === 'closing') move(model, 'fail');
    else expect(connection.outgoingLength).toBeGreaterThan(pinged as number);
  }
}

const COMMANDS = [
  ReceiveHead,
  Accept,
  Reject,
  Send,
  Close,
  Fail,
  ReceiveMessage,
  ReceiveClose,
  ReceiveGarbage,
  TransportGone,
  PeerEnds,
  Terminate,
  Drain,
  Deadline,
];

/** A connection of the role, in the phase. */
function begin(role: Role, phase: 'connecting' | 'open', reached: Set<Phase>): { model: Model; real: Real } {
  const answers = role === 'server' && phase === 'connecting';
  const model: Model = { phase, role, answers, asked: false, early: [], due: [], reached };
  const key = role === 'server' ? [9, 8, 7, 6] : null;
  if (role === 'server') {
    const connection = phase === 'open' ? established(role) : new ServerConnection({}, 0);
    return { model, real: { connection, key, head: request(), now: 0 } };
  }
  const asking: ClientConnection = connecting();
  const [, nonce] = /Sec-WebSocket-Key: (\S+)/.exec(Buffer.from(drain(asking)).toString('latin1'))!;
  const connection = phase === 'open' ? established(role) : asking;
  return { model, real: { connection, key, head: response(nonce!), now: 0 } };
}

describe('the transition table', () => {
  it.each([
    ['connecting', 'server'],
    ['connecting', 'client'],
    ['open', 'server'],
    ['open', 'client'],
  ] as const)('from %s on it is all that happens to a %s', (phase, role) => {
    // Of those that begin with the opening half come through it: a phase that is reached by chance too seldom
    // would be a test that fails by chance.
    const opening = [new ReceiveHead(), new Accept()];
    const begins = phase === 'open' ? fc.constant([]) : fc.constantFrom([], opening);
    const all = COMMANDS.map((Each) => fc.constant(new Each()));
    const reached = new Set<Phase>([phase]);
    fc.assert(
      fc.property(begins, fc.commands(all, { maxCommands: 12 }), (first, commands) => {
        const { model, real } = begin(role, phase, reached);
        fc.modelRun(() => ({ model, real }), [...first, ...commands]);
      }),
      { numRuns: 3_000 },
    );
    const phases: Phase[] = [phase, 'open', 'close-sent', 'close-received', 'draining', 'failing', 'closed'];
    expect([...reached].sort()).toEqual([...new Set(phases)].sort());
  });
});
