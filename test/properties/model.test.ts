/** Model-based: the transition table is the model, commands of both sides are drawn at random, and only its moves happen. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Connection, type Input, type Phase, type ReadyState, TRANSITIONS, UsageError } from '../../src/index.ts';
import { utf8 } from '../support/bytes.ts';
import { closeFrame, frame } from '../support/frames.ts';
import { drain, established, pull } from '../support/peers.ts';

interface Model {
  phase: Phase;
  closed: number;
}

interface Real {
  readonly connection: Connection;
  /** What the peer masks with: only clients do. */
  readonly key: number[] | null;
  now: number;
}

/** Applies `inputs` in order to the model; a blank cell would be a defect of the test. */
function move(model: Model, ...inputs: Input[]): void {
  for (const input of inputs) {
    const next = TRANSITIONS[model.phase][input];
    if (next === undefined) throw new Error(`${input} cannot happen in phase ${model.phase}`);
    if (next !== 'ignored') model.phase = next;
  }
}

/** What users see of a phase (design: the four states are a projection). */
function readyState(phase: Phase): ReadyState {
  return phase === 'connecting' || phase === 'open' || phase === 'closed' ? phase : 'closing';
}

const parsing = (phase: Phase): boolean => phase === 'open' || phase === 'close-sent';

abstract class Step implements fc.Command<Model, Real> {
  abstract act(model: Model, real: Real): void;

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    const before = model.phase;
    this.act(model, real);
    for (const event of pull(real.connection)) {
      expect(model.closed).toBe(0);
      if (event.type === 'closed') model.closed++;
      else if (event.type === 'closing') expect(parsing(before)).toBe(true);
      else if (event.type === 'message') expect(parsing(before)).toBe(true);
    }
    expect(real.connection.readyState).toBe(readyState(model.phase));
    expect(model.closed).toBe(model.phase === 'closed' ? 1 : 0);
    if (model.phase === 'closed') {
      expect(real.connection.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
      expect(real.connection.outgoingLength).toBe(0);
    }
    if (model.phase === 'failing') expect(real.connection.outgoingEnded).toBe(real.connection.outgoingLength === 0);
  }

  toString(): string {
    return this.constructor.name;
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
  act(_model: Model, { connection, now, key }: Real): void {
    connection.receive(frame({ opcode: 1, key, payload: utf8('hello') }), now);
  }
}

class ReceiveClose extends Step {
  act(model: Model, { connection, now, key }: Real): void {
    connection.receive(closeFrame(1000, 'bye', key), now);
    // §5.5.1: an endpoint that has not sent a Close answers at once.
    if (model.phase === 'open') move(model, 'close-in', 'close-out');
    else if (parsing(model.phase)) move(model, 'close-in');
  }
}

class ReceiveGarbage extends Step {
  act(model: Model, { connection, now, key }: Real): void {
    connection.receive(frame({ opcode: 3, key }), now);
    if (parsing(model.phase)) move(model, 'fail');
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
    if (model.phase !== 'open') move(model, 'deadline');
    // Open: a ping is due, or a pong is overdue.
    else if (connection.readyState === 'closing') move(model, 'fail');
    else expect(connection.outgoingLength).toBeGreaterThan(pinged as number);
  }
}

const COMMANDS = [
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

describe('the transition table', () => {
  it.each([
    ['server', [9, 8, 7, 6]],
    ['client', null],
  ] as const)('is all that happens to a %s', (role, mask) => {
    const key = mask === null ? null : [...mask];
    const all = COMMANDS.map((Each) => fc.constant(new Each()));
    fc.assert(
      fc.property(fc.commands(all, { maxCommands: 12 }), (commands) => {
        fc.modelRun(
          () => ({
            model: { phase: 'open', closed: 0 } as Model,
            real: { connection: established(role), key, now: 0 },
          }),
          commands,
        );
      }),
      { numRuns: 3_000 },
    );
  });
});
