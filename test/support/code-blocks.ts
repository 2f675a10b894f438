/** The blocks of TypeScript in a page of documentation, as files that run. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Block {
  /** From a first line that is a comment with a file's name; other blocks import it by that name. */
  readonly name: string;
  readonly code: string;
  /** What the comments `// → …` promise. */
  readonly prints: readonly string[];
}

export function blocksOf(page: string): Block[] {
  const text = readFileSync(ROOT + page, 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code], index) => ({
    name: /^\/\/ ([\w-]+\.ts)\n/.exec(code!)?.[1] ?? `block-${index + 1}.ts`,
    code: code!,
    prints: [...code!.matchAll(/\/\/ → (.*)$/gm)].map(([, printed]) => printed!),
  }));
}

/**
 * Writes the blocks of a page into `folder`, with the package's entry points replaced by the sources they are built from.
 *
 * @param folder inside of the repository, so that packages resolve
 */
export function writeBlocks(folder: string, blocks: readonly Block[], change = (code: string): string => code): void {
  mkdirSync(folder, { recursive: true });
  const { exports } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
  for (const { name, code } of blocks) {
    const bound = code.replaceAll(/from 'sansocket(\/[\w/]+)?'/g, (_, path: string | undefined) => {
      const { types } = exports[`.${path ?? ''}`] as { types: string };
      return `from '${ROOT}${types.replace('./dist/', 'src/').replace('.d.ts', '.ts')}'`;
    });
    writeFileSync(join(folder, name), change(bound));
  }
}
