/**
 * Mutation testing: changes the engine in one place at a time, in a copy of the tree, and asks whether the tests of that folder notice.
 *
 *     npm run mutate -- [--sample 100] [--seed 1] [--only codec,handshake,extension,connection]
 *
 * Without `--sample` every mutant is tried, which takes hours. Prints the score and every survivor with its line. Each mutant runs in
 * a process of its own; one that does not end counts as noticed.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { seededNumbers } from '../test/support/random.ts';

/** The tests that must notice: those of the folder, and the chapters of the RFCs that it implements. */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  codec: ['test/codec', 'test/rfc6455', 'test/properties/codec.test.ts', 'test/properties/sharing.test.ts'],
  handshake: ['test/handshake', 'test/rfc6455/4', 'test/threats/4a-heads.test.ts', 'test/threats/4b-client.test.ts'],
  extension: ['test/extension', 'test/rfc7692'],
  connection: [
    'test/connection',
    'test/rfc6455',
    'test/rfc7692',
    'test/transcripts',
    'test/threats',
    'test/properties',
  ],
};

const REPLACEMENTS: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.PlusToken]: '-',
  [ts.SyntaxKind.MinusToken]: '+',
  [ts.SyntaxKind.AsteriskToken]: '/',
  [ts.SyntaxKind.SlashToken]: '*',
  [ts.SyntaxKind.PercentToken]: '*',
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
  [ts.SyntaxKind.AmpersandToken]: '|',
  [ts.SyntaxKind.BarToken]: '&',
  [ts.SyntaxKind.CaretToken]: '&',
  [ts.SyntaxKind.LessThanLessThanToken]: '>>>',
  [ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken]: '<<',
  [ts.SyntaxKind.PlusEqualsToken]: '-=',
  [ts.SyntaxKind.MinusEqualsToken]: '+=',
};

interface Mutant {
  readonly folder: string;
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: Object.keys(TESTS).join() },
  },
});

/** Every place of a file that can be changed. */
function* mutantsOf(folder: string, file: string): Iterable<Mutant> {
  const text = readFileSync(join(root, file), 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const mutant = (node: ts.Node, replacement: string): Mutant => {
    return { folder, file, start: node.getStart(tree), end: node.getEnd(), replacement };
  };
  const queue: ts.Node[] = [tree];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) continue;
    if (ts.isBinaryExpression(node)) {
      const replacement = REPLACEMENTS[node.operatorToken.kind];
      if (replacement !== undefined) yield mutant(node.operatorToken, replacement);
    }
    if (ts.isIfStatement(node)) yield mutant(node.expression, `!(${node.expression.getText(tree)})`);
    if (ts.isConditionalExpression(node)) yield mutant(node.condition, `!(${node.condition.getText(tree)})`);
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      yield mutant(node, node.operand.getText(tree));
    }
    if (node.kind === ts.SyntaxKind.TrueKeyword) yield mutant(node, 'false');
    if (node.kind === ts.SyntaxKind.FalseKeyword) yield mutant(node, 'true');
    if (ts.isNumericLiteral(node)) yield mutant(node, `(${node.getText(tree)} + 1)`);
    if (ts.isExpressionStatement(node)) yield mutant(node, ';');
    // In the order of the text.
    const children: ts.Node[] = [];
    ts.forEachChild(node, (child) => {
      children.push(child);
    });
    queue.push(...children.reverse());
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
    .sort();
}

/** Draws `count` of the list without order. */
function drawn<T>(list: readonly T[], count: number, chance: () => number): T[] {
  const left = [...list];
  const out: T[] = [];
  while (out.length < count && left.length > 0) {
    const at = Math.floor(left.length * chance());
    out.push(left[at]!);
    left[at] = left.at(-1)!;
    left.pop();
  }
  return out;
}

/** Whether the tests fail in the copy. The whole group of processes ends with the first that fails, or with the time. */
async function fails(copy: string, tests: readonly string[], limit: number): Promise<boolean> {
  const words = ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', '--reporter', 'dot', ...tests];
  const child = spawn(process.execPath, words, { cwd: copy, stdio: 'ignore', detached: true });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.kill(-child.pid!, 'SIGKILL');
  }, limit);
  const [status] = await once(child, 'exit');
  clearTimeout(timer);
  return late || status !== 0;
}

const folders = values.only.split(',');
const all = folders.flatMap((folder) => {
  if (TESTS[folder] === undefined) throw new Error(`--only: there are ${Object.keys(TESTS).join(', ')}`);
  return filesBelow(`src/${folder}`).flatMap((file) => [...mutantsOf(folder, file)]);
});
const chance = seededNumbers(Number(values.seed));
const chosen = values.sample === undefined ? all : drawn(all, Number(values.sample), chance);
console.log(`${all.length} mutants, ${chosen.length} of them tried`);

const copy = mkdtempSync(join(tmpdir(), 'sansocket-mutants-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
for (const name of ['src', 'test', 'fuzz', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
  cpSync(join(root, name), join(copy, name), { recursive: true });
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));

const limits = new Map<string, number>();
for (const folder of folders) {
  const start = performance.now();
  if (await fails(copy, TESTS[folder]!, 600_000)) throw new Error(`the tests of ${folder} fail without a mutant`);
  limits.set(folder, 30_000 + 4 * (performance.now() - start));
}

let done = 0;
const tally = new Map(folders.map((folder) => [folder, { noticed: 0, tried: 0 }]));
for (const { folder, file, start, end, replacement } of chosen) {
  const text = readFileSync(join(root, file), 'utf8');
  const path = join(copy, relative('.', file));
  const original = readFileSync(path, 'utf8');
  if (original !== text) throw new Error(`${file} was changed meanwhile`);
  writeFileSync(path, text.slice(0, start) + replacement + text.slice(end));
  const count = tally.get(folder)!;
  count.tried++;
  if (await fails(copy, TESTS[folder]!, limits.get(folder)!)) {
    count.noticed++;
  } else {
    const line = text.slice(0, start).split('\n').length;
    console.log(`survived: ${file}:${line}  ${text.slice(start, end).replace(/\s+/g, ' ')}  →  ${replacement}`);
    console.log(`          ${text.split('\n')[line - 1]!.trim()}`);
  }
  writeFileSync(path, original);
  if (++done % 25 === 0) console.log(`${done} of ${chosen.length} tried`);
}
for (const [folder, { noticed, tried }] of tally) {
  if (tried > 0) console.log(`${folder}: ${noticed} of ${tried} noticed, ${((100 * noticed) / tried).toFixed(0)} %`);
}
