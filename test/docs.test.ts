/**
 * The pages tell the truth: what is generated equals its source, every block of code compiles and runs and prints what it
 * says it prints, and every link between pages leads somewhere.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generatedPages, memberComments } from '../scripts/generate-docs.ts';
import { VERBS } from '../src/cli/verbs.ts';
import { blocksOf, writeBlocks, writeExamples } from './support/code-blocks.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Inside of the repository, so that packages resolve; ignored by git; not that of another run. */
const SCRATCH = `${ROOT}artifacts/docs-test-${process.pid}/`;

const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const withCode = pages.map((page) => ({ page, blocks: blocksOf(page) })).filter(({ blocks }) => blocks.length > 0);

describe('generated pages equal their sources: npm run docs', () => {
  test.each([...generatedPages()])('%s', (path, text) => {
    expect(readFileSync(ROOT + path, 'utf8')).toBe(text);
  });
});

describe('blocks of code', () => {
  beforeAll(async () => {
    const port = String(await freePort());
    for (const { page, blocks } of withCode) {
      writeBlocks(join(SCRATCH, page), blocks, (code) => code.replaceAll('8080', port));
      const run = blocks.filter(({ runs }) => runs);
      const imports = run.map(({ name }) => `await import('./${name}');\n`).join('');
      writeFileSync(
        join(SCRATCH, page, 'run.ts'),
        `${imports}await new Promise((r) => setTimeout(r, 100));\nprocess.exit(0);\nexport {};\n`,
      );
    }
  });

  afterAll(() => rmSync(SCRATCH, { recursive: true, force: true }));

  test('there are some', () => {
    expect(withCode.map(({ page }) => page)).toEqual(expect.arrayContaining(['README.md', 'docs/embedding.md']));
  });

  test('compile, and so does every example of a doc comment', { timeout: 120_000 }, () => {
    const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile);
    const { options } = ts.convertCompilerOptionsFromJson(
      { ...config.compilerOptions, noUnusedLocals: false, noUnusedParameters: false },
      ROOT,
    );
    const files = withCode.flatMap(({ page, blocks }) => blocks.map(({ name }) => join(SCRATCH, page, name)));
    const examples = writeExamples(join(SCRATCH, 'examples'));
    expect(examples.length).toBeGreaterThan(25);
    files.push(...examples);
    const found = ts.getPreEmitDiagnostics(ts.createProgram(files, options));
    const texts = found.map(({ file, start, messageText }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
      return `${file?.fileName.slice(SCRATCH.length)}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
    expect(texts).toEqual([]);
  });

  test.each(withCode)('of $page run and print what they say', { timeout: 30_000 }, async ({ page, blocks }) => {
    const run = promisify(execFile)(process.execPath, ['--import', 'tsx', join(SCRATCH, page, 'run.ts')], {
      cwd: ROOT,
      timeout: 20_000,
    });
    const { stdout } = await run;
    // Two sides talk at once: which of them prints first is not promised.
    const printed = stdout.split('\n').filter((line) => line !== '');
    expect(printed.sort()).toEqual(blocks.flatMap(({ prints }) => prints).sort());
  });
});

describe('links between pages', () => {
  test.each(pages)('of %s', (page) => {
    const broken: string[] = [];
    for (const [, target] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [path, anchor] = target!.split('#') as [string, string | undefined];
      const linked = path === '' ? page : join(dirname(page), path);
      if (!existsSync(ROOT + linked)) broken.push(target!);
      else if (anchor !== undefined && !anchorsOf(linked).includes(anchor)) broken.push(target!);
    }
    expect(broken).toEqual([]);
  });
});

describe('options that are no part of docs/options.md', () => {
  test.each([
    ['docs/reconnecting.md', 'client/reconnect-options.ts', 'ReconnectOptions'],
    ['docs/reconnecting.md', 'client/outgoing-queue.ts', 'QueueOptions'],
    ['docs/compression.md', 'extension/permessage-deflate/options.ts', 'PermessageDeflateOptions'],
    ['docs/debugging.md', 'debug/options.ts', 'DebugOptions'],
    ['docs/gateway.md', 'gateway/options.ts', 'GatewayOptions'],
    ['docs/server.md', 'server/broadcast.ts', 'BroadcastOptions'],
    ['docs/server.md', 'server/server.ts', 'CloseServerOptions'],
    ['docs/socket.md', 'endpoint/outbox.ts', 'SendOptions'],
    ['docs/socket.md', 'endpoint/outbox.ts', 'SendResult'],
  ])('%s has those of %s, %s, with their defaults', (page, file, type) => {
    const text = readFileSync(ROOT + page, 'utf8');
    const comments = memberComments(`src/${file}`, type);
    expect(comments.size).toBeGreaterThan(0);
    expect([...comments.keys()].filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
    for (const [name, comment] of comments) {
      const [, shown = ''] = new RegExp(`^\\| \`${name}\` \\| ([^|]*) \\|`, 'm').exec(text) ?? [];
      const missing = [...shown.matchAll(/(?<![\w-])\d+(?:[.,]\d+)*/g)].filter(([number]) => !comment.includes(number));
      expect(missing, `${name}: ${shown}`).toEqual([]);
    }
  });
});

describe('command lines', () => {
  test('have flags that their verbs have', async () => {
    const unknown: string[] = [];
    let seen = 0;
    for (const [name, row] of Object.entries(VERBS)) {
      const { flags } = (await row.load()).verb;
      const known = ['--help', ...Object.entries(flags).flatMap(([flag, { short }]) => [`--${flag}`, `-${short}`])];
      const sections = prose('docs/cli.md').split(/^## /m);
      // All that a verb's own section names, and whatever follows the verb anywhere.
      const texts = [sections.find((text) => text.startsWith(`${name}\n`)) ?? ''];
      for (const page of [...pages, 'examples/gateway/README.md']) {
        const lines = readFileSync(ROOT + page, 'utf8').matchAll(new RegExp(`sansocket ${name}( [^\\n\`|<>]*)`, 'g'));
        texts.push(...[...lines].map(([, rest]) => rest!.replaceAll(/'[^']*'|#.*$/g, '')));
      }
      for (const [, flag] of texts.join('\n').matchAll(/(?<=[\s`])(--[a-z][a-z0-9-]*|-[a-zA-Z1](?![\w-]))/g)) {
        seen++;
        if (!known.includes(flag!)) unknown.push(`${name}: ${flag}`);
      }
    }
    expect(seen).toBeGreaterThan(60);
    expect(unknown).toEqual([]);
  });
});

describe('the README', () => {
  test('shows the defaults that the options have', () => {
    const options = readFileSync(`${ROOT}docs/options.md`, 'utf8');
    const rows = [...readFileSync(`${ROOT}README.md`, 'utf8').matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const [, name, shown] of rows) {
      const row = options.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
      expect(row, name).toBeDefined();
      expect(shown!.trim(), name).toBe(row!.split(' | ')[1]);
    }
  });

  test('names only scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
    const named = pages.flatMap((page) => [...readFileSync(ROOT + page, 'utf8').matchAll(/npm run ([\w:-]+)/g)]);
    expect(named.map(([, name]) => name!).filter((name) => !(name in scripts))).toEqual([]);
  });
});

function prose(page: string): string {
  return readFileSync(ROOT + page, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '');
}

function anchorsOf(page: string): string[] {
  if (!page.endsWith('.md')) return [];
  return [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(/\s/g, '-'),
  );
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
