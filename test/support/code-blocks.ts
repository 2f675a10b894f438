/** The blocks of code in a page of documentation, and the examples of doc comments, as files that compile or run. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Block {
  /** From a first line that is a comment with a file's name; other blocks import it by that name. */
  readonly name: string;
  readonly code: string;
  /** A block of `js` is for another runtime, or a process of its own: it only has to compile. */
  readonly runs: boolean;
  /** What the comments `// → …` promise. */
  readonly prints: readonly string[];
}

export function blocksOf(page: string): Block[] {
  const text = readFileSync(ROOT + page, 'utf8');
  return [...text.matchAll(/^```(ts|js)\n([\s\S]*?)^```$/gm)].map(([, language, code], index) => ({
    name: /^\/\/ ([\w-]+\.ts)\n/.exec(code!)?.[1] ?? `block-${index + 1}.ts`,
    code: code!,
    runs: language === 'ts',
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

/** What examples take for granted, besides what their own file exports. */
const GIVEN = `
import type { Endpoint as Class, EndpointSettings } from '${ROOT}src/endpoint/index.ts';
import type { ServerConnection } from '${ROOT}src/index.ts';
import type { Server, ServerEndpoint } from '${ROOT}src/server/index.ts';
import type { ReadableBytes, WritableBytes } from '${ROOT}src/transport/web/index.ts';
declare global {
  const Endpoint: typeof Class;
  const WebStreamTransport: typeof import('${ROOT}src/transport/web-streams.ts').WebStreamTransport;
  const serve: typeof import('${ROOT}src/server/index.ts').serve;
  const createServer: typeof import('node:http').createServer;
  const createSecureServer: typeof import('node:http2').createSecureServer;
  const http2: typeof import('node:http2');
  const server: Server;
  const socket: ServerEndpoint;
  const connection: ServerConnection;
  const settings: EndpointSettings;
  const readable: ReadableBytes;
  const writable: WritableBytes;
  const request: Uint8Array, response: Uint8Array, chunk: Uint8Array;
  const key: string, cert: string;
  function refuse(fault: string): void;
  function use(...parts: unknown[]): void;
}
`;

/**
 * Writes each `@example` of the sources into a file of its own in `folder`, with all that its source exports in scope.
 *
 * @param folder inside of the repository, so that packages resolve
 * @returns the paths of the files, what they have in common first
 */
export function writeExamples(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const written = [join(folder, 'given.ts')];
  writeFileSync(written[0]!, GIVEN);
  const workerd = `import type { WorkerdConnect } from '${ROOT}src/transport/workerd/index.ts'; export const connect: WorkerdConnect;`;
  written.push(join(folder, 'cloudflare.d.ts'));
  writeFileSync(written[1]!, `declare module 'cloudflare:sockets' { ${workerd} }`);
  for (const name of readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' }).sort()) {
    const text = name.endsWith('.ts') ? readFileSync(`${ROOT}src/${name}`, 'utf8') : '';
    const exported = [...text.matchAll(/^export (?:async |abstract )?(?:function|class|const) (\w+)/gm)].map(
      ([, each]) => each,
    );
    const imports = `import { ${exported.join(', ')} } from '${ROOT}src/${name}';\n`;
    for (const [, lines] of text.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)+)/gm)) {
      const file = join(folder, `example-${written.length}.ts`);
      written.push(file);
      writeFileSync(file, `// ${name}\n${imports}${lines!.replaceAll(/^ *\* ?/gm, '')}`);
    }
  }
  return written;
}
