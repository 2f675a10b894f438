/** The runtimes themselves: where each is found, and how it is made to run the suite. Nothing here knows what a case is. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { authority } from '../support/certificates.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = `${ROOT}runtimes/node_modules/`;
/** Bundles and configurations; ignored by git. */
const SCRATCH = `${ROOT}artifacts/runtimes/`;
/** No runtime takes longer. */
const LONGEST = 480_000;

/** Besides the Node that runs this. */
const MAJORS = ['20', '22', '24', '26'];

/** What the suite is bundled with. */
export interface Ports {
  readonly peer: number;
  readonly securePeer: number;
  readonly relay: number;
}

/** Gets every line that a runtime prints. */
export type OnLine = (line: string) => void;

/** A runtime, if it is there. */
export interface Host {
  readonly name: string;
  readonly version: string;
  /** Resolves when it has ended; rejects if that was not in order. */
  readonly run: (ports: Ports, onLine: OnLine) => Promise<void>;
}

/** A runtime that is not there, and why. */
export interface Missing {
  readonly name: string;
  readonly reason: string;
}

/** All of them, in the order of the matrix. */
export function findHosts(): (Host | Missing)[] {
  return [
    { name: 'node', version: process.version, run: (ports, onLine) => runNode(process.execPath, ports, onLine) },
    ...MAJORS.filter((major) => !process.version.startsWith(`v${major}.`)).map(nodeOf),
    native('deno', 'deno', ['--version'], (binary, bundle) => [binary, ['run', '--allow-all', '--quiet', bundle]]),
    native('bun', 'bun', ['--version'], (binary, bundle) => [binary, ['run', bundle]]),
    workerd(),
    quickJs('quickjs', '@jitl/quickjs-wasmfile-release-sync'),
    quickJs('quickjs-ng', '@jitl/quickjs-ng-wasmfile-release-sync'),
    jsc(),
  ];
}

// ── Node, Deno, Bun ──────────────────────────────────────────────────────────────────────────────────────────────────

function nodeOf(major: string): Host | Missing {
  const name = `node-${major}`;
  const binary = `${MODULES}${name}/bin/node`;
  const version = versionOf(binary, ['--version']);
  if (version === null) return absent(name, `runtimes/node_modules/${name}`);
  return { name, version, run: (ports, onLine) => runNode(binary, ports, onLine) };
}

async function runNode(binary: string, ports: Ports, onLine: OnLine): Promise<void> {
  await run(binary, [await bundle('node', ports, 'node')], onLine);
}

function native(
  name: string,
  command: string,
  ask: readonly string[],
  invoke: (binary: string, bundle: string) => [string, readonly string[]],
): Host | Missing {
  const binary = binaryOf(command);
  const version = versionOf(binary, ask);
  if (version === null) return absent(name, `runtimes/node_modules/${BINARIES[command]}`);
  return {
    name,
    version,
    async run(ports, onLine) {
      const [program, options] = invoke(binary, await bundle(name, ports, 'node'));
      await run(program, options, onLine);
    },
  };
}

/** The packages of one platform hold the binary itself; those above them would only choose it. */
const BINARIES: { readonly [command: string]: string } = {
  deno: '@deno/linux-x64-glibc/deno',
  bun: '@oven/bun-linux-x64/bin/bun',
  workerd: '@cloudflare/workerd-linux-64/bin/workerd',
};

function binaryOf(command: string): string {
  return MODULES + BINARIES[command];
}

// ── workerd ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function workerd(): Host | Missing {
  const binary = binaryOf('workerd');
  const version = versionOf(binary, ['--version']);
  if (version === null) return absent('workerd', `runtimes/node_modules/${BINARIES['workerd']}`);
  return {
    name: 'workerd',
    version: version.replace('workerd ', ''),
    async run(ports, onLine) {
      await bundle('workerd', ports, 'browser', ['cloudflare:sockets']);
      const [http, tcp] = [await freePort(), await freePort()];
      const config = `${SCRATCH}workerd.capnp`;
      writeFileSync(
        config,
        `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (
      allow = ["local", "private"],
      tlsOptions = (trustedCertificates = [${JSON.stringify(authority)}]),
    )),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:${http}", http = (), service = "main"),
    (name = "tcp", address = "127.0.0.1:${tcp}", tcp = (), service = "main"),
  ],
);
const worker :Workerd.Worker = (
  modules = [(name = "workerd.mjs", esModule = embed "workerd.mjs")],
  compatibilityDate = "2026-11-01",
  globalOutbound = "internet",
);
`,
      );
      const child = spawn(binary, ['serve', config], { stdio: ['ignore', 'inherit', 'inherit'] });
      const ended = new Promise<never>((_, reject) => {
        child.once('error', reject);
        child.once('exit', (code) => reject(new Error(`workerd ended with ${code}`)));
      });
      ended.catch(() => {});
      try {
        const listening = JSON.stringify({ listening: tcp, shell: 'connect() handler' });
        await Promise.race([ended, reachable(http)]);
        onLine(listening);
        const response = await Promise.race([ended, fetch(`http://127.0.0.1:${http}/?echo=${tcp}`)]);
        const text = response.body!.pipeThrough(new TextDecoderStream());
        await Promise.race([ended, lines(text, onLine)]);
      } finally {
        child.kill('SIGKILL');
      }
    },
  };
}

async function lines(text: AsyncIterable<string>, onLine: OnLine): Promise<void> {
  let rest = '';
  for await (const piece of text) {
    const parts = (rest + piece).split('\n');
    rest = parts.pop()!;
    for (const line of parts) onLine(line);
  }
}

async function reachable(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' }).catch(() => null);
    await answer?.body?.cancel();
    if (answer !== null) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('workerd does not listen');
}

// ── engines without anything around them ─────────────────────────────────────────────────────────────────────────────

function quickJs(name: string, variant: string): Host | Missing {
  if (!existsSync(MODULES + variant) || !existsSync(`${MODULES}quickjs-emscripten`)) {
    return absent(name, `runtimes/node_modules/${variant}`);
  }
  const version = spawnSync(process.execPath, ['-p', `require('${MODULES}${variant}/package.json').version`]);
  return {
    name,
    version: `emscripten ${String(version.stdout).trim()}`,
    async run(ports, onLine) {
      const script = await bundle('bare', ports, 'neutral');
      await run(process.execPath, [`${ROOT}test/runtimes/quickjs.mjs`, MODULES, variant, script], onLine);
    },
  };
}

function jsc(): Host | Missing {
  const [binary] = ['/usr/bin/jsc', '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.0/jsc'].filter(existsSync);
  if (binary === undefined) return { name: 'jsc', reason: 'Debian has it in libjavascriptcoregtk-4.0-bin' };
  const packaged = spawnSync('dpkg-query', ['-W', '-f', '$' + '{Version}', 'libjavascriptcoregtk-4.0-bin']);
  return {
    name: 'jsc',
    version: String(packaged.stdout ?? '').replace(/-.*/s, ''),
    run: async (ports, onLine) => run(binary, [await bundle('bare', ports, 'neutral')], onLine),
  };
}

// ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function absent(name: string, where: string): Missing {
  return { name, reason: `${where} is not there: npm ci --prefix runtimes --ignore-scripts` };
}

function versionOf(binary: string, options: readonly string[]): string | null {
  const { status, stdout } = spawnSync(binary, options, { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0]!.replace(/ \(.*/, '').replace('deno ', '') : null;
}

/** One file of an entry. For a bare engine it is a script, for the others a module. */
async function bundle(
  entry: string,
  ports: Ports,
  platform: 'node' | 'browser' | 'neutral',
  external: readonly string[] = [],
): Promise<string> {
  mkdirSync(SCRATCH, { recursive: true });
  const outfile = `${SCRATCH}${entry}.${platform === 'neutral' ? 'js' : 'mjs'}`;
  await build({
    entryPoints: [`${ROOT}test/runtimes/entries/${entry}.ts`],
    bundle: true,
    outfile,
    platform,
    format: platform === 'neutral' ? 'iife' : 'esm',
    target: 'es2022',
    external: ['node:*', ...external],
    define: {
      PEER_PORT: String(ports.peer),
      SECURE_PEER_PORT: String(ports.securePeer),
      RELAY_PORT: String(ports.relay),
    },
  });
  return outfile;
}

function run(program: string, options: readonly string[], onLine: OnLine): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT });
    let complaints = '';
    const timer = setTimeout(() => {
      complaints += `it took more than ${LONGEST / 1_000} s`;
      child.kill('SIGKILL');
    }, LONGEST);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints = (complaints + text).slice(-4_000);
    });
    const read = lines(child.stdout.setEncoding('utf8'), onLine);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) read.then(resolve, reject);
      else reject(new Error(`it ended with ${code ?? signal}: ${complaints}`));
    });
  });
}

/** A TCP server that joins every two connections, so that a runtime that cannot accept may talk to itself. */
export async function startRelay(): Promise<Server> {
  let waiting: import('node:net').Socket | null = null;
  const relay = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (waiting === null) {
      waiting = socket;
      return;
    }
    const other = waiting;
    waiting = null;
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      from.pipe(to);
      from.once('close', () => {
        if (!from.readableEnded) to.resetAndDestroy();
      });
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return relay;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
