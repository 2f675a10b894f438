/** The transition table by itself: every cell, and what a phase shows as. */
import { describe, expect, it } from 'vitest';
import { type Input, type Phase, readyStateOf, TRANSITIONS, transition } from '../../src/connection/state.ts';

const PHASES = Object.keys(TRANSITIONS) as Phase[];
const INPUTS: Input[] = ['established', 'refused', 'close-out', 'close-in', 'fail', 'transport-gone', 'deadline'];

describe('transition', () => {
  it('goes where the table says, stays where it says ignored, and throws where it says nothing', () => {
    const seen = { moved: 0, ignored: 0, impossible: 0 };
    for (const phase of PHASES) {
      for (const input of INPUTS) {
        const cell = TRANSITIONS[phase][input];
        if (cell === undefined) {
          seen.impossible++;
          expect(() => transition(phase, input)).toThrow(`defect: ${input} cannot happen in phase ${phase}`);
        } else {
          seen[cell === 'ignored' ? 'ignored' : 'moved']++;
          expect(transition(phase, input)).toBe(cell === 'ignored' ? phase : cell);
        }
      }
    }
    expect(seen).toEqual({ moved: 22, ignored: 13, impossible: 14 });
  });

  it('§7.1: a closing handshake in both orders, and a failure', () => {
    const walk = (...inputs: Input[]) => inputs.reduce<Phase>(transition, 'connecting');
    expect(walk('established', 'close-out', 'close-in')).toBe('draining');
    expect(walk('established', 'close-in', 'close-out')).toBe('draining');
    expect(walk('established', 'close-out', 'close-in', 'fail', 'deadline')).toBe('closed');
    expect(walk('established', 'fail', 'close-in', 'close-out')).toBe('failing');
    expect(walk('refused', 'transport-gone', 'transport-gone')).toBe('closed');
  });
});

it('readyStateOf: four states of seven phases, as the WebSocket API has them', () => {
  expect(Object.fromEntries(PHASES.map((phase) => [phase, readyStateOf(phase)]))).toEqual({
    connecting: 'connecting',
    open: 'open',
    'close-sent': 'closing',
    'close-received': 'closing',
    draining: 'closing',
    failing: 'closing',
    closed: 'closed',
  });
});
