/**
 * The pages that say what is shown by which test: docs/coverage.md, THREAT_MODEL.md, docs/rfc6455.md and docs/rfc7692.md. They
 * come from the titles of the tests; nothing is claimed that no test says of itself.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RFC6455 } from './clauses-6455.ts';
import { RFC7692 } from './clauses-7692.ts';
import type { Clause, Entry } from './entry.ts';
import { SEEDS } from './seeds.ts';
import { THREATS } from './threats.ts';
import { readTitles, type Title } from './titles.ts';

/** The pages, and what is open: rows without a test, and parts of titles that no test has. */
export interface Coverage {
  readonly pages: ReadonlyMap<string, string>;
  readonly open: readonly string[];
  readonly stale: readonly string[];
}

export function coverage(root: string): Coverage {
  const shown = new Shown(readTitles(root));
  const sections = readSections(join(root, 'src'));
  const pages = new Map([
    ['docs/coverage.md', seedsPage(shown)],
    ['THREAT_MODEL.md', threatsPage(shown)],
    ['docs/rfc6455.md', clausesPage('RFC 6455', '6455', RFC6455, shown, sections)],
    ['docs/rfc7692.md', clausesPage('RFC 7692', '7692', RFC7692, shown, sections)],
  ]);
  return { pages, open: shown.open, stale: shown.stale };
}

/** Looks up tests, and keeps what was not found. */
class Shown {
  readonly open: string[] = [];
  readonly stale: string[] = [];
  private readonly titles: readonly Title[];
  private readonly byReference: Map<string, Title[]> = new Map();

  constructor(titles: readonly Title[]) {
    this.titles = titles;
    for (const title of titles) for (const each of references(title.text)) this.refer(each, title);
  }

  /** The tests that name `id`, or whose titles hold one of `parts`; the parts of one string are alternatives. */
  tests(id: string, parts: readonly string[]): readonly Title[] {
    const found = [...(this.byReference.get(id) ?? [])];
    for (const part of parts) {
      const wanted = part.split('|');
      const matches = this.titles.filter(({ text }) => wanted.some((each) => text.includes(each)));
      if (matches.length === 0) this.stale.push(`${id}: no test is called '${part}'`);
      found.push(...matches);
    }
    if (found.length === 0) this.open.push(id);
    return found;
  }

  private refer(id: string, title: Title): void {
    const titles = this.byReference.get(id);
    if (titles === undefined) this.byReference.set(id, [title]);
    else titles.push(title);
  }
}

/** `T20`, `T01 to T03`, `seed 41`, `row 3, row 4`, `rows 38, 39`, `seeds 36-42`. */
export function references(text: string): readonly string[] {
  const found = new Set<string>();
  for (const [, from, to] of text.matchAll(/\bT(\d\d)(?:(?: to |-)T?(\d\d))?\b/g)) {
    for (let n = Number(from); n <= Number(to ?? from); n++) found.add(`T${String(n).padStart(2, '0')}`);
  }
  for (const [, list] of text.matchAll(
    /\b(?:seed|row)s? ((?:\d+(?:-\d+| to \d+)?)(?:(?:, | and )\d+(?:-\d+| to \d+)?)*)/g,
  )) {
    for (const [, from, to] of list!.matchAll(/(\d+)(?:(?:-| to )(\d+))?/g)) {
      for (let n = Number(from); n <= Number(to ?? from); n++) found.add(String(n));
    }
  }
  return [...found];
}

/** The files of `src` that cite a section as the rule they enforce. */
function readSections(folder: string): ReadonlyMap<string, readonly string[]> {
  const sections = new Map<string, string[]>();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  for (const name of names.sort()) {
    const rfc = name.includes('permessage-deflate') ? '7692' : '6455';
    for (const [, section] of readFileSync(join(folder, name), 'utf8').matchAll(/§(\d+(?:\.\d+)*)/g)) {
      const key = `${rfc} ${section}`;
      const files = sections.get(key) ?? [];
      if (!files.includes(name)) files.push(name);
      sections.set(key, files);
    }
  }
  return sections;
}

// ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function seedsPage(shown: Shown): string {
  return table(
    'What the five systems can do, and where it is shown',
    [
      'Five systems were read before this one was written: a game server’s module, a game engine’s extension, two versions of a web',
      'server’s gateway, and a database’s plug-in. This is everything they do, and the tests that show it here.',
    ],
    SEEDS,
    shown,
    '../',
  );
}

function threatsPage(shown: Shown): string {
  return table(
    'Threat model',
    [
      'The peer is not trusted, whatever it sends, when, and how it is cut; nor is the network. The application is trusted, but it may',
      'err: it must not be able to break the protocol, to leak, or to be taken down by what a peer sends. Each row is something that was',
      'done to a system of this kind, or can be, and the tests that do it to this one. [docs/limits.md](docs/limits.md) has the bounds.',
    ],
    THREATS,
    shown,
    '',
  );
}

function table(title: string, intro: readonly string[], rows: readonly Entry[], shown: Shown, up: string): string {
  const lines = rows.map(([id, name, ...parts]) => `| ${id} | ${name} | ${cell(shown.tests(id, parts), up)} |`);
  return page(title, intro, ['| | | tests |', '|---|---|---|', ...lines]);
}

function clausesPage(
  title: string,
  rfc: string,
  clauses: readonly Clause[],
  shown: Shown,
  sections: ReadonlyMap<string, readonly string[]>,
): string {
  const lines = clauses.map(([section, level, role, text, ...parts]) => {
    const reason = parts.find((part) => part.startsWith('none: '));
    const proof =
      reason === undefined
        ? cell(shown.tests(`${rfc} ${section}: ${text}`, parts), '../')
        : reason.slice('none: '.length);
    const enforced = (sections.get(`${rfc} ${section}`) ?? []).map((file) => `\`${file}\``).join(' ');
    return `| ${section} | ${level} | ${role} | ${text} | ${enforced} | ${proof} |`;
  });
  return page(
    `${title}, clause by clause`,
    [
      `What ${title} demands, in our own words; the files of \`src\` that cite the section where they enforce it; and the tests that`,
      'prove it. Choices and deviations are argued in [deviations.md](deviations.md).',
    ],
    ['| section | | who | what | where | tests |', '|---|---|---|---|---|---|', ...lines],
  );
}

function page(title: string, intro: readonly string[], lines: readonly string[]): string {
  return [
    `# ${title}`,
    '',
    '<!-- Generated by `npm run docs` from the titles of the tests: change scripts/proofs/ or the tests, not this page. -->',
    '',
    ...intro,
    '',
    ...lines,
    '',
  ].join('\n');
}

/** The files in which the tests are, each once. */
function cell(tests: readonly Title[], up: string): string {
  const files = [...new Set(tests.map(({ file }) => file))];
  return files.length === 0
    ? '**open**'
    : files.map((file) => `[${file.slice('test/'.length)}](${up}${file})`).join(', ');
}
