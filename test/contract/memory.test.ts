/** The contract of transports over memory: whole, cut and slow, with lent and with given bytes. */
import { describeContract } from './contract.ts';
import { LINKS, overMemory } from './joins/memory.ts';

for (const [name, link] of Object.entries(LINKS)) {
  describeContract(
    name,
    overMemory(link, () => new Promise((resolve) => setImmediate(resolve))),
  );
}
