/** The contract of transports for the test runner: each case a test of its own. */
import { afterEach, describe, it } from 'vitest';
import { contract, type Join, type Joined } from './cases.ts';

export type { Join, Joined } from './cases.ts';

/** Runs the cases over a transport. */
export function describeContract(name: string, join: Join): void {
  const open: Joined[] = [];
  const joined: Join = async (options) => {
    const pair = await join(options);
    open.push(pair);
    return pair;
  };
  afterEach(async () => {
    for (const pair of open.splice(0)) await pair.dispose();
  });
  describe(`contract: ${name}`, () => {
    for (const { name: title, run } of contract()) it(title, () => run(joined));
  });
}

/** Lets real sockets move for a while. */
export async function idle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
