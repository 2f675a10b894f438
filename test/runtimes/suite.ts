/**
 * The contract, and real peers, where there is no test runner: every runtime bundles this with its own shells, and prints a
 * line of JSON for each case. It needs nothing but the language and a way to print.
 */
import { contract, type Join, type Joined } from '../contract/cases.ts';
import { LINKS, overMemory } from '../contract/joins/memory.ts';

/** A shell to put the contract on. */
export interface Shell {
  readonly name: string;
  readonly join: Join;
}

/** A case beside the contract. */
export interface Extra {
  readonly shell: string;
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** One line of a report. The last of a run says `done`. */
export type Line =
  | { readonly shell: string; readonly name: string; readonly error: string | null }
  | { readonly listening: number; readonly shell: string; readonly secure?: boolean }
  | { readonly done: true };

/** How a runtime runs the suite. */
export interface Runtime {
  readonly say: (line: string) => void;
  readonly shells: readonly Shell[];
  readonly extras?: readonly Extra[];
  /** The longest message, in bytes. Default 16 MiB. */
  readonly largest?: number;
  /** Rejects after a while; a bare engine has none, and cannot hang either. */
  readonly patience?: () => Promise<never>;
}

/** The joins that every engine of JavaScript can run. */
export const BARE: readonly Shell[] = [
  ...Object.entries(LINKS).map(([name, link]) => ({ name, join: overMemory(link) })),
  {
    name: 'memory, compressed',
    join: (options) =>
      overMemory({ window: 65_536 })({
        server: { compression: true, ...options.server },
        client: { compression: true, ...options.client },
      }),
  },
];

const MOST_FAILURES = 3;

/** Runs everything, one case after the other. */
export async function runSuite({ say, shells, extras = [], largest, patience }: Runtime): Promise<void> {
  const tell = (line: Line) => say(JSON.stringify(line));
  let failed = 0;
  const attempt = async (shell: string, name: string, run: () => Promise<void>) => {
    let error: string | null = null;
    try {
      await (patience === undefined ? run() : Promise.race([run(), patience()]));
    } catch (thrown) {
      error = thrown instanceof Error ? `${thrown.message}\n${thrown.stack}` : String(thrown);
    }
    if (error !== null) failed++;
    tell({ shell, name, error });
  };
  for (const { name: shell, join } of shells) {
    const before = failed;
    for (const { name, run } of contract(largest)) {
      // A shell that does not work at all would keep us waiting for each case.
      if (failed - before >= MOST_FAILURES) break;
      await attempt(shell, name, async () => {
        const open: Joined[] = [];
        try {
          await run(async (options) => {
            const joined = await join(options);
            open.push(joined);
            return joined;
          });
        } finally {
          for (const joined of open) await joined.dispose();
        }
      });
    }
  }
  for (const { shell, name, run } of extras) await attempt(shell, name, run);
  tell({ done: true });
}
