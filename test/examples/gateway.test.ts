/** The page of examples/gateway does what it says, word by word: but for the folder of its sockets, and for ports that may be taken. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Command } from '../cli/support.ts';
import { exampleFile, run } from './support.ts';

const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

/** The words of a line of a shell; quotes are the single ones. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

/** Runs the lines of the page's blocks from `first` to `last`; gives back how many answers were as they are there. */
async function follow(first: number, last: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  const blocks = [...readFileSync(exampleFile('gateway/README.md'), 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
  const lines = blocks.slice(first, last + 1).flatMap(([, block]) => block!.trimEnd().split('\n'));
  const ports = new Map<string, string>();
  let printed = '';
  let answers = 0;
  for (const line of lines) {
    const [said, asked] = line.startsWith('#') ? [] : line.split(' | ').reverse();
    const [command, verb, ...words] = wordsOf((said ?? '').replaceAll('/tmp/', `${folder}/`));
    if (said === undefined) {
      expect(printed).toBe(`${line.replace('# → ', '')}\n`);
      answers++;
    } else if (command === 'mkdir') {
      mkdirSync(words[0]!);
    } else if (command === 'python3') {
      const python = run(command, [verb!, ...words]);
      undo.push(async () => {
        python.child.kill('SIGINT');
        expect(await python.ended).toBe(0);
      });
      await python.until('ready');
    } else if (words[0] === 'connect') {
      const [, text] = wordsOf(asked!);
      const where = words.map((word) => word.replace(/^:(\d+)/, (_, port) => `:${ports.get(port)}`));
      const { code, stdout } = await new Command(where, { input: `${text}\n` }).ended;
      expect(code).toBe(0);
      printed = stdout;
    } else {
      const at = words.indexOf('-p');
      const port = at < 0 ? '8080' : words.splice(at, 2)[1]!;
      const running = new Command(words[0] === 'gateway' ? [...words, '-p', '0'] : words, { input: null });
      undo.push(() => running.interrupt());
      const [, free] = /:(\d+)\n/.exec(await running.until(/\n/)) ?? [];
      if (free !== undefined) ports.set(port, free);
    }
  }
  return answers;
}

test('the servers of the command, and their gateway', async () => {
  expect(await follow(0, 1)).toBe(1);
});

test.skipIf(spawnSync('python3', ['--version']).status !== 0)('the server in Python, which speaks lines', async () => {
  expect(await follow(2, 3)).toBe(1);
});
