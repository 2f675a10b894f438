/**
 * The shape of src/, held by reading it: which layer may import which, where Node begins, and what no file may contain.
 * The layers are in one table; docs/architecture.md explains them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SRC = `${ROOT}src/`;

/** A row may import itself and the rows above it. Groups of one row may not import each other. */
const LAYERS: readonly { readonly [group: string]: readonly string[] }[] = [
  { errors: ['errors.ts'] },
  { codec: ['codec/'] },
  { extension: ['extension/'] },
  { handshake: ['handshake/'] },
  { connection: ['connection/'] },
  {
    transport: [
      'transport/transport.ts',
      'transport/memory.ts',
      'transport/pieces.ts',
      'transport/buffered.ts',
      'transport/web-streams.ts',
      'transport/message-port.ts',
      'transport/timer-clock.ts',
    ],
    engine: ['index.ts'],
  },
  { endpoint: ['endpoint/'], debug: ['debug/'] },
  {
    client: [
      'client/url.ts',
      'client/backoff.ts',
      'client/http-date.ts',
      'client/proxy.ts',
      'client/outgoing-queue.ts',
      'client/client-shell.ts',
      'client/reconnect-events.ts',
      'client/reconnect-options.ts',
      'client/dispatch.ts',
      'client/audience.ts',
      'client/status.ts',
      'client/reconnecting.ts',
    ],
    server: [
      'server/origin.ts',
      'server/paths.ts',
      'server/address.ts',
      'server/address-list.ts',
      'server/address-counter.ts',
      'server/topics.ts',
      'server/server-endpoint.ts',
      'server/registry.ts',
      'server/broadcast.ts',
    ],
    testing: ['testing.ts', 'testing/'],
  },
  { shell: ['shell/'] },
  // ── the bar: `node:` and the globals of a platform begin here ──
  { 'transport/node': ['transport/node/'], 'transport/web': ['transport/web/'] },
  { 'client/connect': ['client/'], 'server/serve': ['server/'] },
  {
    gateway: ['gateway/'],
    'transport/deno': ['transport/deno/'],
    'transport/bun': ['transport/bun/'],
    'transport/workerd': ['transport/workerd/'],
    'transport/http2': ['transport/http2/'],
  },
  { cli: ['cli/'] },
];
const BAR = 9;

/** Names of platforms that nothing left of the bar may say, though some of them are in the language. */
const PLATFORM_NAMES = new Set(
  (
    'process Buffer setTimeout clearTimeout setInterval clearInterval setImmediate queueMicrotask performance crypto ' +
    'TextDecoder TextEncoder globalThis global console require fetch URL structuredClone Date NodeJS eval ' +
    'AbortSignal EventTarget WebSocket atob btoa'
  ).split(' '),
);

/** Files that are longer than they should be, with the bound that holds them until they are split. */
const LONG_FILES: { readonly [file: string]: number } = {
  'connection/connection.ts': 640,
};
const MOST_LINES = 450;

interface Source {
  readonly file: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly { readonly from: string; readonly typeOnly: boolean }[];
  readonly layer: number;
  readonly group: string;
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => file.endsWith('.ts'))
  .sort()
  .map(read);
const byFile = new Map(sources.map((source) => [source.file, source]));
const pure = sources.filter(({ layer }) => layer < BAR);

describe('layers', () => {
  test('every file of src belongs to a layer', () => {
    expect(sources.filter(({ layer }) => layer < 0).map(({ file }) => file)).toEqual([]);
    expect(sources.length).toBeGreaterThan(40);
  });

  test('imports go one way', () => {
    const wrong: string[] = [];
    for (const { file, imports, layer, group } of sources) {
      for (const { from } of imports) {
        if (!from.startsWith('.')) continue;
        const target = targetOf(file, from);
        const imported = byFile.get(target);
        if (imported === undefined) wrong.push(`${file} imports ${from}, which is not there`);
        else if (imported.layer > layer || (imported.layer === layer && imported.group !== group))
          wrong.push(`${file} (${group}) imports ${target} (${imported.group})`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('imports are written with their extension, and of packages there are none but node:', () => {
    const wrong = sources.flatMap(({ file, imports, layer }) =>
      imports
        .filter(({ from }) => (from.startsWith('.') ? !from.endsWith('.ts') : !from.startsWith('node:') || layer < BAR))
        .map(({ from }) => `${file} imports ${from}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no file needs itself when it is loaded', () => {
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' > '));
        return;
      }
      if (done.has(file)) return;
      for (const { from, typeOnly } of byFile.get(file)?.imports ?? []) {
        if (!typeOnly && from.startsWith('.')) visit(targetOf(file, from), [...path, file]);
      }
      done.add(file);
    };
    for (const { file } of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

describe('left of the bar', () => {
  test('no name of a platform is said', () => {
    const said = pure.flatMap(({ file, tree }) =>
      nodesOf(tree)
        .filter((node) => ts.isIdentifier(node) && PLATFORM_NAMES.has(node.text) && isReference(node))
        .map((node) => `${file}:${lineOf(tree, node)} ${node.getText(tree)}`),
    );
    expect(said).toEqual([]);
  });

  test('everything compiles against the language alone: no DOM, no Node', { timeout: 60_000 }, () => {
    const config = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile).config;
    const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, types: [], noEmit: true }, ROOT);
    const files = pure.map(({ file }) => SRC + file);
    const found = ts.getPreEmitDiagnostics(ts.createProgram(files, options));
    expect(
      found.map((each) => `${each.file?.fileName}: ${ts.flattenDiagnosticMessageText(each.messageText, ' ')}`),
    ).toEqual([]);
  });

  test('the engine works both ways in a context that has nothing but the language', async () => {
    const run = await inBareContext<string[]>('index.ts', `${SHELL}; talk(engine)`);
    expect(run).toEqual([
      'server request /chat?room=1',
      'server open chat.v2',
      'client open chat.v2',
      'server message héllo',
      'server message 1,2,3',
      'client message pong € 😀',
      'client pong',
      'server closing 1000 done',
      'client closing 1000 done',
      'client closed 1000 done true',
      'server closed 1000 done true',
    ]);
  });

  test('so do endpoints, their driver and the memory transport', async () => {
    const run = await inBareContext<string[]>('testing.ts', ENDPOINTS);
    expect(run).toEqual(['server got hello', 'client got HELLO', 'closed 4000 bye true']);
  });
});

describe('every file', () => {
  test('begins with a comment that says what it is', () => {
    expect(sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text)).map(({ file }) => file)).toEqual([]);
  });

  test(`has at most ${MOST_LINES} lines`, () => {
    const long = sources.filter(({ file, text }) => countLines(text) > (LONG_FILES[file] ?? MOST_LINES));
    expect(long.map(({ file, text }) => `${file}: ${countLines(text)}`)).toEqual([]);
    const short = Object.keys(LONG_FILES).filter((file) => countLines(byFile.get(file)?.text ?? '') <= MOST_LINES);
    expect(short, 'these need no exception any more').toEqual([]);
  });

  test('does without any, enum and namespace', () => {
    const found = sources.flatMap(({ file, tree }) =>
      nodesOf(tree)
        .filter(({ kind }) => FORBIDDEN_KINDS.has(kind))
        .map((node) => `${file}:${lineOf(tree, node)} ${ts.SyntaxKind[node.kind]}`),
    );
    expect(found).toEqual([]);
  });

  test('of the codec and the handshake does without regular expressions: what a peer sends is read in linear time', () => {
    const found = sources
      .filter(({ group }) => group === 'codec' || group === 'handshake')
      .flatMap(({ file, tree }) =>
        nodesOf(tree)
          .filter((node) => ts.isRegularExpressionLiteral(node) || (ts.isIdentifier(node) && node.text === 'RegExp'))
          .map((node) => `${file}:${lineOf(tree, node)}`),
      );
    expect(found).toEqual([]);
  });
});

describe('the package', () => {
  const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));

  test('depends on nothing', () => {
    for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies', 'bundledDependencies']) {
      expect(Object.keys(manifest[kind] ?? {}), kind).toEqual([]);
    }
  });

  test('runs nothing when it is installed', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare'];
    expect(hooks.filter((name) => name in manifest.scripts)).toEqual([]);
  });

  test('has no side effects: what is not used is dropped, and what is loaded changes nothing around it', async () => {
    expect(manifest.sideEffects).toBe(false);
    const count = "Object.getOwnPropertyNames(globalThis).concat(Reflect.ownKeys(Object.prototype)).join(' ')";
    const before = await inBareContext<string>('codec/opcode.ts', count);
    expect(await inBareContext<string>('testing.ts', count)).toBe(before);
  });
});

const FORBIDDEN_KINDS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AnyKeyword,
  ts.SyntaxKind.EnumDeclaration,
  ts.SyntaxKind.ModuleDeclaration,
]);

function read(file: string): Source {
  const text = readFileSync(SRC + file, 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const imports = nodesOf(tree).flatMap((node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      return [{ from: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly: isTypeOnly(node) }];
    }
    if (ts.isImportTypeNode(node)) {
      const { literal } = node.argument as ts.LiteralTypeNode;
      return [{ from: (literal as ts.StringLiteral).text, typeOnly: true }];
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [from] = node.arguments;
      // What is computed is a user's own file, not one of ours.
      return from !== undefined && ts.isStringLiteral(from) ? [{ from: from.text, typeOnly: false }] : [];
    }
    return [];
  });
  const layer = LAYERS.findIndex((groups) => groupOf(groups, file) !== null);
  return { file, text, tree, imports, layer, group: layer < 0 ? '' : groupOf(LAYERS[layer]!, file)! };
}

function groupOf(groups: { readonly [group: string]: readonly string[] }, file: string): string | null {
  for (const [group, paths] of Object.entries(groups)) {
    if (paths.some((path) => (path.endsWith('/') ? file.startsWith(path) : file === path))) return group;
  }
  return null;
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) {
    if (node.isTypeOnly) return true;
    const named = node.exportClause;
    return named !== undefined && ts.isNamedExports(named) && named.elements.every((each) => each.isTypeOnly);
  }
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return (
    clause.name === undefined &&
    named !== undefined &&
    ts.isNamedImports(named) &&
    named.elements.every((each) => each.isTypeOnly)
  );
}

function targetOf(file: string, from: string): string {
  return relative(SRC, resolve(SRC, dirname(file), from))
    .split(sep)
    .join('/');
}

function nodesOf(tree: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node) => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return nodes;
}

/** Whether an identifier names something in scope, rather than a property or a member. */
function isReference(node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) return parent.name !== node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  return !(
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent)
  );
}

function lineOf(tree: ts.SourceFile, node: ts.Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

function countLines(text: string): number {
  return text.split('\n').length - 1;
}

/** Bundles an entry point and runs a script with it as `engine`, where there is no global but the language's own. */
async function inBareContext<T>(entry: string, script: string): Promise<T> {
  const { outputFiles } = await build({
    entryPoints: [SRC + entry],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'engine',
    platform: 'neutral',
    target: 'es2022',
  });
  const context = createContext(Object.create(null), { codeGeneration: { strings: false, wasm: false } });
  for (const name of ['WebAssembly', 'console', 'SharedArrayBuffer', 'Atomics', 'Date', 'escape', 'unescape']) {
    runInContext(`delete globalThis.${name}`, context);
  }
  runInContext(outputFiles[0]!.text, context);
  const result = await runInContext(script, context);
  // Arrays of the other context are not the same class as ours.
  return JSON.parse(JSON.stringify(result)) as T;
}

/** Both roles joined by hand, without a driver. Plain JavaScript: it runs where there is no loader. */
const SHELL = `
function talk({ ServerConnection, ClientConnection }) {
  let seed = 1;
  const platform = { random: (into) => { for (let i = 0; i < into.length; i++) into[i] = (seed = (seed * 48271) % 2147483647) & 255; } };
  const server = new ServerConnection({ platform }, 0);
  const client = new ClientConnection({ host: 'example.test', target: '/chat?room=1', subprotocols: ['chat.v2'] }, { platform }, 0);
  const log = [];
  const on = {
    server(event) {
      if (event.type === 'request') { log.push('server request ' + event.request.target); server.accept(0, { subprotocol: 'chat.v2' }); }
      if (event.type === 'open') log.push('server open ' + event.subprotocol);
      if (event.type === 'message') { log.push('server message ' + event.data); if (event.kind === 'binary') server.sendText('pong \\u20ac \\u{1f600}'); }
    },
    client(event) {
      if (event.type === 'open') { log.push('client open ' + event.subprotocol); client.sendText('h\\u00e9llo'); client.sendBinary(new Uint8Array([1, 2, 3])); }
      if (event.type === 'message') { log.push('client message ' + event.data); client.ping(0); }
      if (event.type === 'pong') { log.push('client pong'); client.close(0, 1000, 'done'); }
    },
  };
  for (let moved = true; moved; ) {
    moved = false;
    for (const [name, from, to] of [['server', server, client], ['client', client, server]]) {
      for (let event = from.nextEvent(); event !== null; event = from.nextEvent()) {
        if (event.type === 'closing') log.push(name + ' closing ' + event.code + ' ' + event.reason);
        if (event.type === 'closed') log.push(name + ' closed ' + event.code + ' ' + event.reason + ' ' + event.clean);
        on[name](event);
        moved = true;
      }
      for (const chunk of from.takeOutgoing()) {
        const bytes = chunk.slice();
        from.outgoingWritten(bytes.length, 0);
        to.receive(bytes, 0);
        moved = true;
      }
      if (from.outgoingEnded && !from.told) { from.told = true; to.receiveEnd(0); moved = true; }
    }
  }
  return log;
}`;

const ENDPOINTS = `
(async () => {
  const log = [];
  const { server, client, clock } = engine.pair();
  server.on('message', ({ data }) => { log.push('server got ' + data); server.send(data.toUpperCase()); });
  client.on('message', ({ data }) => { log.push('client got ' + data); void client.close(4000, 'bye'); });
  await clock.settle();
  client.send('hello');
  await clock.run(10);
  const { code, reason, clean } = await server.closed;
  log.push('closed ' + code + ' ' + reason + ' ' + clean);
  return log;
})()`;
