/** The titles of all tests: what a test says it proves is what counts. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

/** A test, or a group of them. */
export interface Title {
  /** The file, from the root of the repository. */
  readonly file: string;
  /** As it is written; what a template fills in reads `…`. */
  readonly text: string;
}

/** Calls whose first argument is a title: vitest's, and those of suites that run elsewhere too. */
const FUNCTIONS: ReadonlySet<string> = new Set(['it', 'test', 'describe', 'check', 'scene', 'add']);

/** The titles below `test/`, in the order of the files. */
export function readTitles(root: string): readonly Title[] {
  const titles: Title[] = [];
  for (const path of filesBelow(join(root, 'test'))) {
    const file = relative(root, path);
    const text = readFileSync(path, 'utf8');
    if (path.endsWith('.md')) titles.push(...headings(file, text));
    else if (path.endsWith('.ts')) visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest), file, titles);
  }
  return titles;
}

function* filesBelow(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules') yield* filesBelow(path);
    } else {
      yield path;
    }
  }
}

/** Transcripts are documents: each heading is a test. */
function headings(file: string, text: string): Title[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .map((line) => ({ file, text: line.replace(/^#+ */, '') }));
}

function visit(node: ts.Node, file: string, titles: Title[]): void {
  if (ts.isCallExpression(node) && FUNCTIONS.has(nameOf(node.expression))) {
    const [first] = node.arguments;
    const text = first === undefined ? null : textOf(first);
    if (text !== null) titles.push({ file, text });
  }
  ts.forEachChild(node, (child) => visit(child, file, titles));
}

/** `it`, `it.each([…])` and `describe.skipIf(…)` alike. */
function nameOf(callee: ts.Expression): string {
  if (ts.isIdentifier(callee)) return callee.text;
  if (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee)) return nameOf(callee.expression);
  return '';
}

function textOf(node: ts.Expression): string | null {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return null;
  return node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join('');
}
