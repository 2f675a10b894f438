/** The committed corpus of the fuzzer, replayed: what it once reached stays without a finding. */

import { describe, expect, it } from 'vitest';
import { readCorpus } from '../../fuzz/corpus.ts';
import { Mutator } from '../../fuzz/mutate.ts';
import { TARGETS } from '../../fuzz/targets/index.ts';
import { seededNumbers } from '../support/random.ts';

describe.each(Object.entries(TARGETS))('%s', (name, { run, words }) => {
  const corpus = readCorpus(name);

  it('has a corpus without a finding', () => {
    expect(corpus.length).toBeGreaterThan(3);
    for (const input of corpus) run(input.slice());
  });

  it('has none after a few changes either', () => {
    const mutator = new Mutator(seededNumbers(1), words);
    for (let i = 0; i < 500; i++) {
      run(mutator.mutate(corpus[i % corpus.length]!, corpus[(7 * i) % corpus.length]!));
    }
  });

  it('takes an empty input', () => {
    run(new Uint8Array(0));
  });
});
