/**
 * A link that is set down under open connections, in network namespaces: nothing passes any more, and nobody is told. Needs root on
 * Linux, so that it is no part of the suite: `npx tsx test/faults/namespaces.ts`. Says why where it cannot run.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ENDS = `sansocket${process.pid % 10_000}`;
const SPACES = [`${ENDS}a`, `${ENDS}b`] as const;
const child = fileURLToPath(new URL('./namespaces.child.ts', import.meta.url));

/** Runs `ip`; throws with what it said. */
function ip(...words: string[]): void {
  const { status, stderr, error } = spawnSync('ip', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${words.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** Two namespaces that a pair of links joins. */
function join(): void {
  for (const space of SPACES) ip('netns', 'add', space);
  // Names of links are short.
  ip('link', 'add', 'ssa', 'netns', SPACES[0], 'type', 'veth', 'peer', 'name', 'ssb', 'netns', SPACES[1]);
  for (const [i, space] of SPACES.entries()) {
    ip('-n', space, 'address', 'add', `10.231.7.${i + 1}/24`, 'dev', i === 0 ? 'ssa' : 'ssb');
    ip('-n', space, 'link', 'set', i === 0 ? 'ssa' : 'ssb', 'up');
  }
}

function within(space: string, ...words: string[]) {
  const command = ['netns', 'exec', space, process.execPath, '--import', 'tsx', child, ...words];
  const process_ = spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  return { process: process_, line: async () => (await lines.next()).value as string | undefined };
}

/** Both ends say how they ended; each must have noticed by itself. */
async function check(title: string, run: () => Promise<string[]>): Promise<boolean> {
  const wrong = await run();
  console.log(`${wrong.length === 0 ? 'ok' : 'FAILED'}: ${title}`);
  for (const each of wrong) console.log(`  ${each}`);
  return wrong.length === 0;
}

async function linkDown(): Promise<string[]> {
  const server = within(SPACES[0], 'server');
  const port = await server.line();
  const client = within(SPACES[1], 'client', `ws://10.231.7.1:${port}`);
  try {
    const open = await client.line();
    if (open !== 'open') return [`the client said ${open}`];
    ip('-n', SPACES[0], 'link', 'set', 'ssa', 'down');
    const [served, dialled] = await Promise.all([server.line(), client.line()]);
    const wanted = '20 closed: 1006 PONG_TIMEOUT within bounds';
    return [served, dialled].filter((said) => said !== wanted).map((said) => `${said}, not ${wanted}`);
  } finally {
    for (const each of [server.process, client.process]) {
      const exit = once(each, 'exit');
      each.stdin.end();
      await exit;
    }
  }
}

try {
  join();
} catch (error) {
  console.log(`SKIPPED: no network namespaces here: ${(error as Error).message}`);
  for (const space of SPACES) spawnSync('ip', ['netns', 'delete', space]);
  process.exit(0);
}
try {
  const good = await check('T81: a link that goes down is noticed by the heartbeats of both ends', linkDown);
  process.exitCode = good ? 0 : 1;
} finally {
  for (const space of SPACES) ip('netns', 'delete', space);
}
