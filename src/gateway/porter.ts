/**
 * Clients on their way to another process of Node: each is taken there, or dropped here. Node alone would keep those for ever that
 * were on the way when the process died.
 */

import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { HAND_OVER, type HandOver, isReceipt } from './adopt.ts';
import { LONGEST_TIMER } from './backend.ts';

/** Called once: with null when the client was taken, or with why it was not. */
type Settle = (failure: string | null) => void;

/** Of one process: several gateways may hand clients to the same other one. */
let last = 0;

/** Hands clients to one process. */
export class Porter {
  private readonly child: ChildProcess;
  private readonly under: Map<number, Settle> = new Map();

  constructor(child: ChildProcess) {
    this.child = child;
  }

  /** Hands a client over, within `timeout` milliseconds. Its socket is this process's no longer, whatever comes of it. */
  hand(socket: Socket, handed: Omit<HandOver, 'type' | 'number' | 'deadline'>, timeout: number, settled: Settle): void {
    const { child, under } = this;
    const number = ++last;
    const wait = Math.min(timeout, LONGEST_TIMER);
    const settle = (failure: string | null): void => {
      if (!under.delete(number)) return;
      clearTimeout(timer);
      if (under.size === 0) this.listen('off');
      // What is on its way is a descriptor of its own, and closing ours would leave the client with it: it is told of an end first.
      if (failure === null) socket.destroy();
      else socket.destroySoon();
      settled(failure);
    };
    const timer = setTimeout(() => settle(`the process did not take it within ${timeout} ms`), wait);
    if (under.size === 0) this.listen('on');
    under.set(number, settle);
    const message: HandOver = { type: HAND_OVER, number, deadline: Date.now() + wait, ...handed };
    try {
      // Our descriptor stays open until it is known what came of the other one.
      child.send(message, socket, { keepOpen: true }, (error) => {
        if (error !== null) settle(error.message);
      });
    } catch (error) {
      settle((error as Error).message);
    }
  }

  private listen(what: 'on' | 'off'): void {
    const { child } = this;
    child[what]('message', this.answered);
    child[what]('disconnect', this.ended);
    child[what]('exit', this.ended);
  }

  private readonly answered = (message: unknown): void => {
    if (isReceipt(message)) this.under.get(message.number)?.(message.failure);
  };

  private readonly ended = (): void => {
    for (const settle of [...this.under.values()]) settle('the process has ended');
  };
}
