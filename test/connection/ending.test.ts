/** What `closed` says of the end of a connection (RFC 6455 sections 7.1.4 to 7.1.7), whatever came together in it. */
import { describe, expect, it } from 'vitest';
import { Ending } from '../../src/connection/ending.ts';
import { failure } from '../../src/errors.ts';

const CLOSE = { type: 'closing', code: 4000, reason: 'bye' } as const;

function ending(...steps: ('ours' | 'theirs' | 'broken' | 'failed')[]): Ending {
  const end = new Ending();
  for (const step of steps) {
    if (step === 'ours') end.closeQueued = true;
    else if (step === 'theirs') end.receive(CLOSE);
    else if (step === 'broken') end.lose(new Error('reset'));
    else end.error = failure('UTF8_INVALID');
  }
  return end;
}

describe('closed', () => {
  it('§7.1.4: is clean when both Closes were exchanged and ours has left', () => {
    for (const steps of [
      ['ours', 'theirs'],
      ['theirs', 'ours'],
      ['theirs', 'ours', 'broken'],
    ] as const) {
      for (const input of ['transport-gone', 'deadline'] as const) {
        const end = ending(...steps);
        expect(end.exchanged).toBe(true);
        const remote = steps[0] === 'theirs';
        expect(end.closed(input, 0)).toEqual({ ...CLOSE, type: 'closed', clean: true, remote, error: null });
      }
    }
  });

  it('§7.1.5: is 1006 without a Close of the peer, and what the peer said with one, clean or not', () => {
    expect(ending('ours').closed('deadline', 0)).toMatchObject({ code: 1006, reason: '', clean: false, remote: false });
    expect(ending('theirs').closed('transport-gone', 0)).toMatchObject({ code: 4000, reason: 'bye', clean: false });
    expect(ending('theirs', 'ours').closed('transport-gone', 1)).toMatchObject({
      code: 4000,
      clean: false,
      remote: true,
    });
  });

  it('has the first reason: what failed, else who ended it', () => {
    const code = (end: Ending, input: 'transport-gone' | 'deadline') => end.closed(input, 0).error?.code;
    expect(code(ending(), 'transport-gone')).toBe('TRANSPORT_ENDED');
    expect(code(ending('broken'), 'transport-gone')).toBe('TRANSPORT_FAILED');
    expect(code(ending('broken'), 'deadline')).toBe('CLOSING_TIMEOUT');
    expect(code(ending('failed', 'broken'), 'transport-gone')).toBe('UTF8_INVALID');
    expect(code(ending('failed', 'ours'), 'deadline')).toBe('UTF8_INVALID');
  });

  it('a broken transport is told with its cause', () => {
    expect(ending('broken').closed('transport-gone', 0).error).toMatchObject({
      code: 'TRANSPORT_FAILED',
      cause: { message: 'reset' },
    });
  });
});

it('what failed before a clean end is no error any more', () => {
  expect(ending('failed', 'ours', 'theirs').closed('transport-gone', 0)).toMatchObject({ clean: true, error: null });
});
