/**
 * From the path of a request to the name of a backend, and whether that name is open to clients. It reads strings only: the
 * file system, and the clients' addresses, are not its matter.
 */

import { show } from '../connection/options.ts';
import { UsageError } from '../errors.ts';

/** Globs on whole names: `*` is any run within a segment, `**` any run, `?` one character. An array, or separated by commas. */
export type Patterns = string | readonly string[];

/** Which patterns are asked first; the first match decides. */
export type RuleOrder = 'deny-first' | 'allow-first';

/**
 * Reads the path of a request as a name: segments, each percent-decoded once. Null for whatever can be no name: an empty
 * segment, `.` and `..`, a slash that was encoded, a backslash, NUL and other control characters, a wrong encoding.
 * The path `/` is the empty name.
 */
export function readName(path: string): string | null {
  if (!path.startsWith('/')) return null;
  if (path === '/') return '';
  const segments: string[] = [];
  for (const encoded of path.slice(1).split('/')) {
    const segment = decodeOnce(encoded);
    if (segment === null || !isSegment(segment)) return null;
    segments.push(segment);
  }
  return segments.join('/');
}

function decodeOnce(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** Whether it names something in a folder, and nothing else. */
export function isSegment(text: string): boolean {
  if (text === '' || text === '.' || text === '..') return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f || unit === 0x2f || unit === 0x5c) return false;
  }
  return true;
}

/**
 * Which names are open. With `'deny-first'` a name is denied if any deny pattern matches, otherwise allowed if any allow
 * pattern matches, otherwise denied. With `'allow-first'` it is allowed if any allow pattern matches, otherwise denied if any
 * deny pattern matches, otherwise allowed.
 */
export class NameRules {
  private readonly allow: readonly Glob[];
  private readonly deny: readonly Glob[];
  private readonly order: RuleOrder;

  /** @throws UsageError naming the option whose pattern can never match, or the order that means nothing */
  constructor(allow: unknown, deny: unknown, order: RuleOrder, where: string) {
    this.allow = readPatterns(allow === undefined ? '*' : allow, 'allow', where);
    this.deny = readPatterns(deny === undefined ? [] : deny, 'deny', where);
    this.order = order;
    if (order === 'allow-first' && (allow === undefined || this.deny.length === 0)) {
      throw new UsageError(
        'INVALID_OPTION',
        `${where}: option 'order' is 'allow-first', so name what is denied in 'deny' and the exceptions in 'allow'`,
      );
    }
  }

  /** Whether clients may reach this name. */
  allows(name: string): boolean {
    const matches = (globs: readonly Glob[]) => globs.some((glob) => glob.matches(name));
    return this.order === 'deny-first'
      ? !matches(this.deny) && matches(this.allow)
      : matches(this.allow) || !matches(this.deny);
  }
}

function readPatterns(value: unknown, option: string, where: string): Glob[] {
  const refuse = (text: string): never => {
    throw new UsageError('INVALID_OPTION', `${where}: option '${option}'${text}`);
  };
  const list = typeof value === 'string' ? value.split(',').map((each) => each.trim()) : value;
  if (!Array.isArray(list)) return refuse(' must be patterns: an array, or a string with commas between them');
  // An empty string is an empty list.
  const patterns: unknown[] = typeof value === 'string' && value.trim() === '' ? [] : list;
  return patterns.map((pattern) => {
    if (typeof pattern !== 'string') return refuse(` has a pattern that is no string: ${show(pattern)}`);
    const wrong = complaint(pattern);
    return wrong === '' ? new Glob(pattern) : refuse(`: ${JSON.stringify(pattern)} can match no name: ${wrong}`);
  });
}

function complaint(pattern: string): string {
  if (pattern === '') return 'it is empty';
  if (pattern.startsWith('/')) return 'names begin without a slash';
  return pattern.split('/').every(isSegment) ? '' : "names have no empty segment, no '.', no '..' and no backslash";
}

const STAR = -1;
const DOUBLE_STAR = -2;
const ANY = -3;

/** A pattern, matched in time linear in its length times the name's, whatever both are. */
class Glob {
  private readonly tokens: readonly number[];

  constructor(pattern: string) {
    // Characters, of which some have two units.
    this.tokens = (pattern.match(/\*+|[^*]/gsu) ?? []).map((token) => {
      if (token === '*') return STAR;
      if (token.startsWith('*')) return DOUBLE_STAR;
      return token === '?' ? ANY : token.codePointAt(0)!;
    });
  }

  matches(name: string): boolean {
    const { tokens } = this;
    const { length } = tokens;
    // reached[t]: the part of the name that was read so far is matched by the first t tokens.
    let reached = new Uint8Array(length + 1);
    reached[0] = 1;
    skipStars(reached, tokens);
    for (const character of name) {
      const point = character.codePointAt(0)!;
      const next = new Uint8Array(length + 1);
      for (let t = 0; t < length; t++) {
        if (reached[t] === 0) continue;
        const token = tokens[t]!;
        if (token === DOUBLE_STAR || (token === STAR && point !== 0x2f)) next[t] = 1;
        else if (token === point || (token === ANY && point !== 0x2f)) next[t + 1] = 1;
      }
      skipStars(next, tokens);
      reached = next;
    }
    return reached[length] === 1;
  }
}

/** A star may also stand for nothing. */
function skipStars(reached: Uint8Array, tokens: readonly number[]): void {
  for (let t = 0; t < tokens.length; t++) {
    if (reached[t] === 1 && (tokens[t] === STAR || tokens[t] === DOUBLE_STAR)) reached[t + 1] = 1;
  }
}
