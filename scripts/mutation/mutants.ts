/**
 * The mutants of a file, all compiled into one text: each changed place becomes a choice by a switch, so that a process tries thousands
 * of them without compiling anything again.
 *
 *     left < right   becomes   ($m[0] === 17 ? (left <= right) : (left < right))
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';

export interface Mutant {
  readonly id: number;
  readonly file: string;
  readonly line: number;
  /** The line without its indentation, the changed place between « and ». */
  readonly code: string;
  readonly replacement: string;
  /** Which it is of those of the file that read the same. */
  readonly nth: number;
}

/** Those of all files of some folders; the number of a mutant is its place in the list and one. */
export interface Mutants {
  readonly list: readonly Mutant[];
  /** The text with all mutants of a file, by its whole path. */
  readonly texts: ReadonlyMap<string, string>;
}

export function mutantsBelow(root: string, folders: readonly string[]): Mutants {
  const list: Mutant[] = [];
  const texts = new Map<string, string>();
  for (const path of folders.flatMap((folder) => filesBelow(root, folder, '.ts'))) {
    const { mutants, text } = mutate(relative(root, path), readFileSync(path, 'utf8'), list.length + 1);
    list.push(...mutants);
    texts.set(path, text);
  }
  return { list, texts };
}

/** Whole paths, in order. A name may be that of a file. */
export function filesBelow(root: string, name: string, suffix: string): string[] {
  const path = join(root, name);
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((each) => each.endsWith(suffix))
    .sort()
    .map((each) => join(path, each));
}

const { SyntaxKind } = ts;

const OPERATORS: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [SyntaxKind.PlusToken]: '-',
  [SyntaxKind.MinusToken]: '+',
  [SyntaxKind.AsteriskToken]: '/',
  [SyntaxKind.SlashToken]: '*',
  [SyntaxKind.PercentToken]: '*',
  [SyntaxKind.LessThanToken]: '<=',
  [SyntaxKind.LessThanEqualsToken]: '<',
  [SyntaxKind.GreaterThanToken]: '>=',
  [SyntaxKind.GreaterThanEqualsToken]: '>',
  [SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [SyntaxKind.AmpersandAmpersandToken]: '||',
  [SyntaxKind.BarBarToken]: '&&',
  [SyntaxKind.QuestionQuestionToken]: '&&',
  [SyntaxKind.AmpersandToken]: '|',
  [SyntaxKind.BarToken]: '&',
  [SyntaxKind.CaretToken]: '&',
  [SyntaxKind.LessThanLessThanToken]: '>>>',
  [SyntaxKind.GreaterThanGreaterThanToken]: '<<',
  [SyntaxKind.GreaterThanGreaterThanGreaterThanToken]: '<<',
  [SyntaxKind.PlusEqualsToken]: '-=',
  [SyntaxKind.MinusEqualsToken]: '+=',
  [SyntaxKind.BarEqualsToken]: '&=',
  [SyntaxKind.CaretEqualsToken]: '&=',
  [SyntaxKind.PlusPlusToken]: '--',
  [SyntaxKind.MinusMinusToken]: '++',
};

/** Statements that carry on without what they say. `super()` is none: nothing runs without it. */
function canBeLeftOut(node: ts.Node): node is ts.ExpressionStatement {
  if (!ts.isExpressionStatement(node)) return false;
  return !(ts.isCallExpression(node.expression) && node.expression.expression.kind === SyntaxKind.SuperKeyword);
}

/** A node whose value decides which way the program goes. */
function isCondition(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isIfStatement(parent) || ts.isWhileStatement(parent) || ts.isDoStatement(parent)) {
    return parent.expression === node;
  }
  return (ts.isForStatement(parent) || ts.isConditionalExpression(parent)) && parent.condition === node;
}

/** What may stand in the place of a node: pairs of the part of it that changes, and the text that comes there. */
function changesOf(node: ts.Node, source: ts.SourceFile): [part: ts.Node, replacement: string][] {
  const out: [ts.Node, string][] = [];
  if (ts.isBinaryExpression(node)) {
    const operator = OPERATORS[node.operatorToken.kind];
    if (operator !== undefined) out.push([node.operatorToken, operator]);
  }
  if (ts.isPrefixUnaryExpression(node)) {
    if (node.operator === SyntaxKind.ExclamationToken) out.push([node, `(${node.operand.getText(source)})`]);
    if (node.operator === SyntaxKind.MinusToken) out.push([node, `(${node.operand.getText(source)})`]);
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const operator = OPERATORS[node.operator];
    const operand = node.operand.getText(source);
    if (operator === '--' || operator === '++') {
      out.push([node, ts.isPrefixUnaryExpression(node) ? operator + operand : operand + operator]);
    }
  }
  if (node.kind === SyntaxKind.TrueKeyword) out.push([node, 'false']);
  else if (node.kind === SyntaxKind.FalseKeyword) out.push([node, 'true']);
  else if (isCondition(node)) out.push([node, 'true'], [node, 'false']);
  if (ts.isNumericLiteral(node) && !('name' in node.parent && node.parent.name === node)) {
    out.push([node, `(${node.getText(source)} + 1)`]);
  }
  return out;
}

/** The mutants of a file, numbered from `first` on, and the text that holds them all. */
function mutate(file: string, text: string, first: number): { mutants: Mutant[]; text: string } {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const lines = text.split('\n');
  const mutants: Mutant[] = [];

  const add = (part: ts.Node, replacement: string): number => {
    const start = part.getStart(source);
    const { line, character } = source.getLineAndCharacterOfPosition(start);
    const whole = lines[line]!;
    const end = Math.min(character + part.getEnd() - start, whole.length);
    const marked = `${whole.slice(0, character)}«${whole.slice(character, end)}»${whole.slice(end)}`;
    const id = first + mutants.length;
    const code = marked.trim();
    const nth = 1 + mutants.filter((each) => each.code === code && each.replacement === replacement).length;
    mutants.push({ id, file, line: line + 1, code, replacement, nth });
    return id;
  };

  const render = (node: ts.Node): string => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return original(node);
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return original(node);
    if (canBeLeftOut(node)) {
      const id = add(node, ';');
      return `(${chosen(id)} ? 0 : (${render(node.expression)}));`;
    }
    const changes = changesOf(node, source).map(([part, replacement]) => {
      const before = text.slice(node.getStart(source), part.getStart(source));
      const after = text.slice(part.getEnd(), node.getEnd());
      return `${chosen(add(part, replacement))} ? (${before}${replacement}${after}) : `;
    });
    const inside = children(node);
    if (changes.length === 0) return inside;
    return `(${changes.join('')}(${inside}))`;
  };

  const original = (node: ts.Node): string => text.slice(node.getStart(source), node.getEnd());

  const children = (node: ts.Node): string => {
    let out = '';
    let at = node.getStart(source);
    ts.forEachChild(node, (child) => {
      const start = child.getStart(source);
      if (child.getEnd() === start) return;
      const isBody = ts.isIterationStatement(node, false) && node.statement === child;
      out += text.slice(at, start) + (isBody ? bounded(render(child)) : render(child));
      at = child.getEnd();
    });
    return out + text.slice(at, node.getEnd());
  };

  return { text: children(source), mutants };
}

/** A text whose loops count their steps, so that one without an end is noticed. */
export function boundLoops(file: string, text: string): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const bodies: ts.Statement[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIterationStatement(node, false)) bodies.push(node.statement);
    ts.forEachChild(node, visit);
  };
  visit(source);
  const cuts = bodies.flatMap((body) => [
    { at: body.getStart(source), word: '{ $step(); ' },
    { at: body.getEnd(), word: ' }' },
  ]);
  cuts.sort((a, b) => a.at - b.at);
  let out = '';
  let at = 0;
  for (const cut of cuts) {
    out += text.slice(at, cut.at) + cut.word;
    at = cut.at;
  }
  return out + text.slice(at);
}

function chosen(id: number): string {
  return `$m[0] === ${id}`;
}

function bounded(body: string): string {
  return `{ $step(); ${body} }`;
}
