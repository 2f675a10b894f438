/**
 * Shells stay thin: each has a budget of lines, and no two of them, nor one and the driver, have a run of code in common that is
 * longer than a few lines. What they would repeat belongs to the driver, to src/shell, or to transport/buffered.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** Lines with code in them: no comments, no imports. */
const BUDGET = 100;
/** Files with a budget of their own, and why. */
const BUDGETS: { readonly [file: string]: number } = {
  // What the others inherit.
  'src/transport/buffered.ts': 120,
  // Two ways to read, and what Node forgets when a socket breaks.
  'src/transport/node/socket.ts': 150,
};

/** Tokens in a row that two files may share: some five lines of delegation, or of a signature. */
const MOST_IN_COMMON = 50;

/** One file, or all of a folder. */
const SHELLS = [
  'src/transport/buffered.ts',
  'src/transport/web-streams.ts',
  'src/transport/message-port.ts',
  'src/transport/bun/',
  'src/transport/deno/',
  'src/transport/workerd/',
  'src/transport/http2/',
  'src/transport/web/',
  'src/transport/node/socket.ts',
].flatMap(filesOf);

/** What shells must not repeat, and the programs that run the contract on them. */
const OTHERS = [
  'src/endpoint/driver.ts',
  'src/endpoint/endpoint.ts',
  'src/shell/',
  'src/client/connect.ts',
  'src/client/dial.ts',
  'src/server/serve.ts',
  'src/server/upgrade.ts',
  'src/server/attachment.ts',
  'src/server/gate.ts',
  'test/runtimes/entries/',
].flatMap(filesOf);

interface Token {
  readonly text: string;
  readonly line: number;
}

const tokens = new Map([...SHELLS, ...OTHERS].map((file) => [file, tokensOf(readFileSync(ROOT + file, 'utf8'))]));

describe('shells', () => {
  test('are all looked at', () => {
    expect(SHELLS.length).toBeGreaterThan(14);
    expect(Math.max(...[...tokens.values()].map(({ length }) => length))).toBeGreaterThan(500);
  });

  test.each(SHELLS)('%s keeps to its budget', (file) => {
    const lines = new Set(tokens.get(file)!.map(({ line }) => line)).size;
    expect(lines).toBeLessThanOrEqual(BUDGETS[file] ?? BUDGET);
  });

  test(`have at most ${MOST_IN_COMMON} tokens in a row in common with another, or with what drives them`, () => {
    const repeated: string[] = [];
    const files = [...tokens.keys()];
    for (const [i, file] of files.entries()) {
      for (const other of files.slice(i + 1)) {
        const { length, at, otherAt } = longestRun(tokens.get(file)!, tokens.get(other)!);
        if (length > MOST_IN_COMMON) repeated.push(`${length} tokens: ${file}:${at} and ${other}:${otherAt}`);
      }
    }
    expect(repeated).toEqual([]);
  });
});

describe('the measure', () => {
  test('sees no comments, imports and line breaks', () => {
    const text =
      "/** A. */\nimport { a } from './a.ts';\n// b\nf(1 /* c */, 'd'); // e\n\nexport { a } from './b.ts';\n";
    expect(tokensOf(text).map((token) => token.text)).toEqual(['f', '(', '1', ',', "'d'", ')', ';']);
    expect(new Set(tokensOf(text).map((token) => token.line))).toEqual(new Set([4]));
  });

  test('finds what was copied, wherever it stands', () => {
    const run = 'this.over = true; this.queue.clear(); later(() => this.tell());';
    const a = tokensOf(`function a() { begin();\n ${run} }`);
    const b = tokensOf(`class B { over = true;\n\n\n b() { if (this.x) { ${run.replaceAll(' ', '\n')} other(); } } }`);
    expect(longestRun(a, b)).toEqual({ length: tokensOf(run).length, at: 2, otherAt: 4 });
    expect(longestRun(a, [])).toMatchObject({ length: 0 });
  });
});

function filesOf(path: string): string[] {
  if (!path.endsWith('/')) return [path];
  return readdirSync(ROOT + path)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path + name);
}

function tokensOf(text: string): Token[] {
  const tree = ts.createSourceFile('shell.ts', text, ts.ScriptTarget.ES2022, true);
  const found: Token[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isJSDoc(node)) return;
    const children = node.getChildren(tree);
    for (const child of children) visit(child);
    const leaf = node.getText(tree);
    if (children.length === 0 && leaf !== '') {
      found.push({ text: leaf, line: tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1 });
    }
  };
  visit(tree);
  return found;
}

/** The longest run of equal tokens, and the lines on which it begins. */
function longestRun(a: readonly Token[], b: readonly Token[]): { length: number; at: number; otherAt: number } {
  let longest = { length: 0, at: 0, otherAt: 0 };
  let before = new Uint16Array(b.length + 1);
  const places = new Map<string, number[]>();
  for (const [j, { text }] of b.entries()) places.set(text, [...(places.get(text) ?? []), j]);
  for (const [i, { text }] of a.entries()) {
    // Runs that end with this token of a, and each of b.
    const here = new Uint16Array(b.length + 1);
    for (const j of places.get(text) ?? []) {
      const length = before[j]! + 1;
      here[j + 1] = length;
      if (length > longest.length) {
        longest = { length, at: a[i - length + 1]!.line, otherAt: b[j - length + 1]!.line };
      }
    }
    before = here;
  }
  return longest;
}
