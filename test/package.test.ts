/**
 * What is published works: the package is built, packed and unpacked as npm would, and every entry of `exports` is loaded from
 * there, by `import` and by `require`, with its types.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const run = promisify(execFile);
const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8'));
const entries = Object.keys(manifest.exports)
  .filter((name) => name !== './package.json')
  .map((name) => name.replace(/^\./, 'sansocket'));

/** Someone's project, outside of the repository, with the package installed. */
const project = mkdtempSync(join(tmpdir(), 'sansocket-package-'));
const installed = join(project, 'node_modules/sansocket');

beforeAll(async () => {
  // Built aside: what is in dist/ may be in use by others, or stale.
  const staging = join(project, 'staging');
  mkdirSync(staging);
  const published = [...manifest.files, 'package.json'].filter((name) => name !== 'dist');
  for (const name of [...published, 'tsconfig.json', 'tsconfig.build.json'])
    cpSync(ROOT + name, join(staging, name), { recursive: true });
  symlinkSync(`${ROOT}node_modules`, join(staging, 'node_modules'));
  // What an older build has left is not published.
  mkdirSync(join(staging, 'dist'));
  writeFileSync(join(staging, 'dist/gone.js'), '');
  // It builds what it packs: a clean checkout has no dist/.
  await run('npm', ['pack', '--pack-destination', project], { cwd: staging });
  const filename = `${manifest.name}-${manifest.version}.tgz`;
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components', '1']);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
}, 60_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

test('every entry is there, with its types and its maps', () => {
  for (const [name, target] of Object.entries<string | Record<string, string>>(manifest.exports)) {
    for (const path of typeof target === 'string' ? [target] : Object.values(target)) {
      expect(existsSync(join(installed, path)), `${name}: ${path}`).toBe(true);
    }
  }
  const code = readFileSync(join(installed, 'dist/index.js'), 'utf8');
  const [, map] = /sourceMappingURL=(.*)/.exec(code) ?? [];
  const { sources } = JSON.parse(readFileSync(join(installed, 'dist', map!), 'utf8')) as { sources: string[] };
  for (const source of sources) expect(existsSync(join(installed, 'dist', source)), source).toBe(true);
});

test('nothing is published that is not meant to be', () => {
  for (const name of [
    'test',
    'fuzz',
    'bench/main.ts',
    'dist/gone.js',
    'scripts',
    '.ci',
    'tsconfig.json',
    'package-lock.json',
  ]) {
    expect(existsSync(join(installed, name)), name).toBe(false);
  }
  for (const name of [...manifest.files, 'src/index.ts']) {
    expect(existsSync(join(installed, name)), name).toBe(true);
  }
});

test.each(entries)('%s can be imported', async (entry) => {
  expect(await namesOf(`const all = await import('${entry}')`, 'all')).toEqual(
    expect.arrayContaining([EXPECTED[entry]]),
  );
});

test.each(entries)('%s can be required, and is the same module', async (entry) => {
  const names = await namesOf(
    `import { createRequire } from 'node:module'; const all = createRequire(import.meta.url)('${entry}');
     const one = await import('${entry}'); if (one.${EXPECTED[entry]} !== all.${EXPECTED[entry]}) throw new Error('two modules');`,
    'all',
  );
  expect(names).toContain(EXPECTED[entry]);
});

test('the command runs', async () => {
  const { stdout } = await run(process.execPath, [join(installed, manifest.bin.sansocket), '--version']);
  expect(stdout).toBe(`${manifest.version}\n`);
  expect(readFileSync(join(installed, manifest.bin.sansocket), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});

test('its types serve a strict project', { timeout: 60_000 }, () => {
  expect(
    faultsIn({
      'main.ts': `import { ServerConnection, type ConnectionEvent } from 'sansocket';
     import { serve } from 'sansocket/server';
     import { connect } from 'sansocket/client';
     import { pair } from 'sansocket/testing';
     export const next = (connection: ServerConnection): ConnectionEvent | null => connection.nextEvent();
     const server = await serve({ port: 0 }, (socket) => void socket.on('message', ({ kind, data }) => {
       const text: string = kind === 'text' ? data : String(data.length);
       // As Blob, Response and crypto.subtle of lib.dom want it: no shared memory.
       const bytes: Uint8Array<ArrayBuffer> | null = kind === 'binary' ? data : null;
       if (bytes !== null) socket.send(bytes);
       socket.send(text);
     }));
     const socket = await connect(server.url);
     // @ts-expect-error a number is no message
     socket.send(1);
     pair().clock.advance(1);`,
    }),
  ).toEqual([]);
});

test.each(['Node16', 'NodeNext', 'Bundler'] as const)(
  'the types of every entry hold with %s',
  { timeout: 30_000 },
  (how) => {
    const all = entries.map((entry, i) => `export * as e${i} from '${entry}';`).join('\n');
    expect(faultsIn({ 'all.ts': all }, how)).toEqual([]);
  },
);

test('whoever gets an event can name its type, where the endpoint comes from', { timeout: 30_000 }, () => {
  const events = 'CloseEvent, FragmentEvent, MessageEvent, OpenEvent, PingEvent, PongEvent, ProgressEvent, ReadyState';
  const file = (entry: string, more = '') => `import { Endpoint, type EndpointOptions } from 'sansocket/${entry}';
    import type { ${events} } from 'sansocket/${entry}';
    export function listen(socket: Endpoint, options: EndpointOptions): ReadyState {
      socket.on('open', ({ subprotocol }: OpenEvent) => subprotocol);
      socket.on('message', (event: MessageEvent) => (event.kind === 'text' ? event.data.length : event.wireSize));
      socket.on('fragment', ({ last }: FragmentEvent) => last);
      socket.on('progress', ({ total }: ProgressEvent) => total);
      socket.on('ping', ({ payload }: PingEvent) => socket.pong(payload));
      socket.on('pong', ({ latency }: PongEvent) => latency);
      socket.on('close', ({ code }: CloseEvent) => code);
      return options.delivery === 'fragment' ? 'closed' : socket.readyState;
    }
    ${more}`;
  const any = (entry: string) => `import type { AnyEvent, DrainEvent, ErrorEvent } from 'sansocket/${entry}';
    export const reason = (event: AnyEvent): string => (event.type === 'error' ? (event satisfies ErrorEvent).error.code : '');
    export const drained = (event: DrainEvent): AnyEvent => event;`;
  const adopting = `import { adopt } from 'sansocket/gateway'; adopt((socket) => void listen(socket, {}));`;
  const found = faultsIn({
    'server.ts': file('server', any('server')),
    'client.ts': file('client', any('client')),
    'endpoint.ts': file('endpoint', any('endpoint')),
    'gateway.ts': file('gateway', adopting),
  });
  expect(found).toEqual([]);
});

/** What the compiler says of files in the project, and of the types that they use: nothing is skipped. */
function faultsIn(
  sources: Readonly<Record<string, string>>,
  how: 'Node16' | 'NodeNext' | 'Bundler' = 'NodeNext',
): string[] {
  for (const [name, source] of Object.entries(sources)) writeFileSync(join(project, name), source);
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind[how === 'Bundler' ? 'ESNext' : how],
    moduleResolution: ts.ModuleResolutionKind[how],
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const program = ts.createProgram(
    Object.keys(sources).map((name) => join(project, name)),
    options,
  );
  const found = ts.getPreEmitDiagnostics(program);
  return found.map(
    ({ file: at, messageText }) => `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
  );
}

/** One name that each entry must export. */
const EXPECTED: { readonly [entry: string]: string } = {
  sansocket: 'ServerConnection',
  'sansocket/server': 'serve',
  'sansocket/client': 'connect',
  'sansocket/debug': 'WireReader',
  'sansocket/endpoint': 'Endpoint',
  'sansocket/gateway': 'createGateway',
  'sansocket/transport/memory': 'memoryLink',
  'sansocket/transport/node': 'SocketTransport',
  'sansocket/transport/web': 'WebStreamTransport',
  'sansocket/transport/deno': 'serve',
  'sansocket/transport/bun': 'serve',
  'sansocket/transport/workerd': 'socketHandler',
  'sansocket/transport/http2': 'attach',
  'sansocket/testing': 'pair',
};

/** The names of what `script` leaves in `variable`, in a process of its own in the project. */
async function namesOf(script: string, variable: string): Promise<string[]> {
  const file = join(project, 'load.mjs');
  writeFileSync(file, `${script}\nconsole.log(JSON.stringify(Object.keys(${variable})));`);
  const { stdout } = await run(process.execPath, [file], { cwd: project });
  return JSON.parse(stdout) as string[];
}
