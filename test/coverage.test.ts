/** What must be shown is shown: every capability, threat and clause has a test, and says which. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { coverage, references } from '../scripts/proofs/pages.ts';

/** Not there yet, or not to be shown by a test alone. */
const OPEN: readonly string[] = [];

describe('coverage', () => {
  const { open, stale } = coverage(fileURLToPath(new URL('../', import.meta.url)));

  it('names tests that there are', () => {
    expect(stale).toEqual([]);
  });

  it('leaves nothing open but what is known', () => {
    expect(open).toEqual(OPEN);
  });
});

describe('references in titles', () => {
  it.each([
    ['T20 and T21, server: floods', ['T20', 'T21']],
    ['T01 to T03: a client that does not finish', ['T01', 'T02', 'T03']],
    ['T83, row 54: close()', ['T83', '54']],
    ['row 4, row 6: Host', ['4', '6']],
    ['seed 38, 39: the wait', ['38', '39']],
    ['seeds 36-38 and 41: a client', ['36', '37', '38', '41']],
    ['16 rows, T1, XT20, 38 seeds', []],
  ])('%j', (title, wanted) => {
    expect([...references(title)].sort()).toEqual([...wanted].sort());
  });
});
