/** The contract of transports over memory: whole, cut and slow, with lent and with given bytes. */
import type { LinkOptions } from '../../src/testing.ts';
import { pair } from '../../src/testing.ts';
import { describeContract, type Join } from './contract.ts';

function over(link: LinkOptions): Join {
  return async ({ server, client }) => {
    const both = pair({
      link,
      ...(server === undefined ? {} : { server }),
      ...(client === undefined ? {} : { client }),
    });
    const { clock } = both;
    await clock.run(10);
    return {
      server: both.server,
      client: both.client,
      async until(promise) {
        let settled = false;
        const done = promise.finally(() => {
          settled = true;
        });
        done.catch(() => {});
        for (let i = 0; i < 20_000 && !settled; i++) {
          await clock.run(1);
          if (!settled) await new Promise((resolve) => setImmediate(resolve));
        }
        return done;
      },
      reset: () => both.link.reset(),
      async dispose() {
        both.client.terminate();
        both.server.terminate();
        await clock.run(100);
      },
    };
  };
}

describeContract('memory', over({ window: 65_536 }));
describeContract(
  'memory, lent bytes, cut',
  over({ window: 65_536, borrowed: true, latency: 1, cut: (n) => Math.min(n, 50_001) }),
);
