/** Two endpoints over the link in memory, on its virtual clock. */
import { type LinkOptions, pair } from '../../../src/testing.ts';
import type { Join } from '../cases.ts';

/** `breathe` lets the world outside of the clock have a turn; where there is none, it is left out. */
export function overMemory(link: LinkOptions, breathe: () => Promise<void> = async () => {}): Join {
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
          if (!settled) await breathe();
        }
        if (!settled) throw new Error('it did not happen in 20 s of the virtual clock');
        return done;
      },
      idle: () => clock.run(100),
      reset: () => both.link.reset(),
      async dispose() {
        both.client.terminate();
        both.server.terminate();
        await clock.run(100);
      },
    };
  };
}

/** Whole and at once; and cut, slow, in a buffer that is used again. */
export const LINKS: { readonly [name: string]: LinkOptions } = {
  memory: { window: 65_536 },
  'memory, lent bytes, cut': { window: 65_536, borrowed: true, latency: 1, cut: (n) => Math.min(n, 50_001) },
};
