/**
 * `npm run runtimes`: starts every runtime that is installed, has it run the contract of transports on its shells and talk to
 * `ws`, and prints a matrix. What is installed apart from this package comes from `npm ci --prefix runtimes --ignore-scripts`.
 *
 *   npm run runtimes                        all of them
 *   npm run runtimes -- deno bun            only these
 *   npm run runtimes -- --need node-22,bun  fails if one of these is missing
 */
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { chromium } from '../test/runtimes/chromium.ts';
import { findHosts, type Host, type Missing, type OnLine, startRelay } from '../test/runtimes/hosts.ts';
import type { Line } from '../test/runtimes/suite.ts';
import { authority, local } from '../test/support/certificates.ts';

interface Row {
  readonly runtime: string;
  readonly version: string;
  readonly shells: Map<string, { passed: number; failed: number }>;
  readonly failures: string[];
  readonly reason: string;
  readonly seconds: number;
}

const { wanted, needed } = readArguments(process.argv.slice(2));
const started = performance.now();
const peers = [await startPeer(false), await startPeer(true)] as const;
const relay = await startRelay();
const [peer, securePeer] = peers.map(({ port }) => port) as [number, number];
const ports = { peer, securePeer, relay: (relay.address() as AddressInfo).port };
const rows: Row[] = [];
try {
  const hosts = [...findHosts(), chromium()];
  const known = hosts.map(({ name }) => name);
  const unknown = [...wanted, ...needed].filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no runtime ${unknown.join(', ')}; known are ${known.join(', ')}`);
  for (const host of hosts) {
    if (wanted.length > 0 && !wanted.includes(host.name)) continue;
    const row = await attempt(host);
    rows.push(row);
    print(row);
  }
} finally {
  for (const { stop } of peers) stop();
  relay.close();
}
const total = { passed: 0, failed: 0 };
for (const row of rows) {
  for (const { passed } of row.shells.values()) total.passed += passed;
  total.failed += row.failures.length;
}
const missing = rows.filter(({ runtime, reason }) => reason !== '' && needed.includes(runtime));
for (const { runtime, reason } of missing) console.log(`${runtime} is needed: ${reason}`);
const seconds = Math.round((performance.now() - started) / 1_000);
console.log(`\n${total.passed} passed, ${total.failed} failed in ${seconds} s`);
process.exit(total.failed === 0 && missing.length === 0 ? 0 : 1);

// ── a runtime ────────────────────────────────────────────────────────────────────────────────────────────────────────

async function attempt(host: Host | Missing): Promise<Row> {
  const row = { runtime: host.name, shells: new Map(), failures: [] as string[] };
  if ('reason' in host) return { ...row, version: '', reason: host.reason, seconds: 0 };
  const { version, run } = host;
  const clients: Promise<void>[] = [];
  const since = performance.now();
  let done = false;
  const count = (shell: string, name: string, error: string | null) => {
    const cell = row.shells.get(shell) ?? { passed: 0, failed: 0 };
    row.shells.set(shell, cell);
    if (error === null) cell.passed++;
    else {
      cell.failed++;
      row.failures.push(`${shell}: ${name}: ${error}`);
    }
  };
  const onLine: OnLine = (text) => {
    const line = readLine(text);
    if (line === null) {
      if (text.trim() !== '') console.log(`${host.name} says: ${text}`);
    } else if ('done' in line) {
      done = true;
    } else if ('listening' in line) {
      const { listening, shell, secure = false } = line;
      clients.push(
        visit(`${secure ? 'wss' : 'ws'}://127.0.0.1:${listening}/`).then(
          () => count(shell, 'a ws client', null),
          (error: unknown) => count(shell, 'a ws client', String(error)),
        ),
      );
    } else {
      count(line.shell, line.name, line.error);
    }
  };
  try {
    await run(ports, onLine);
    await Promise.all(clients);
    if (!done) throw new Error('it ended before the suite did');
  } catch (error) {
    count('runtime', 'it runs the suite', String(error));
  }
  return { ...row, version, reason: '', seconds: Math.round((performance.now() - since) / 1_000) };
}

function readLine(text: string): Line | null {
  try {
    return text.startsWith('{') ? (JSON.parse(text) as Line) : null;
  } catch {
    return null;
  }
}

function print({ runtime, version, shells, failures, reason, seconds }: Row): void {
  const head = `${runtime.padEnd(11)} ${version.padEnd(18)}`;
  const last = shells.size - 1;
  if (reason !== '') {
    console.log(`${head} skipped: ${reason}`);
    return;
  }
  for (const [i, [shell, { passed, failed }]] of [...shells].entries()) {
    const counts = `${String(passed).padStart(3)} passed${failed > 0 ? `, ${failed} FAILED` : ''}`;
    console.log(
      `${i === 0 ? head : ' '.repeat(head.length)} ${shell.padEnd(24)} ${counts}${i === last ? ` (${seconds} s)` : ''}`,
    );
  }
  for (const failure of failures) console.log(`  FAILED ${failure.replaceAll('\n', '\n    ')}`);
}

function readArguments(given: readonly string[]): { wanted: readonly string[]; needed: readonly string[] } {
  const at = given.indexOf('--need');
  const needed = at < 0 ? [] : (given[at + 1] ?? '').split(',').filter((name) => name !== '');
  return { needed, wanted: given.filter((_, i) => at < 0 || (i !== at && i !== at + 1)) };
}

// ── the real peers ───────────────────────────────────────────────────────────────────────────────────────────────────

/** An echo by `ws`, with compression as far as a client wants it. */
async function startPeer(secure: boolean): Promise<{ readonly port: number; readonly stop: () => void }> {
  const http = secure ? createServer(local) : createPlainServer();
  const server = new WebSocketServer({
    server: http,
    maxPayload: 0,
    perMessageDeflate: true,
    handleProtocols: (offered) => (offered.has('echo') ? 'echo' : false),
  });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, binary) => {
      const text = binary ? '' : String(data);
      if (text === 'close') socket.close(4321, 'as asked');
      else if (text === 'drop') socket.terminate();
      else socket.send(data, { binary });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    for (const client of server.clients) client.terminate();
    http.close();
  };
  return { port: (http.address() as AddressInfo).port, stop };
}

/** What a client of `ws` does with our echo; at last it stops it. */
async function visit(url: string): Promise<void> {
  const socket = new WebSocket(url, ['echo'], { maxPayload: 0, ca: authority });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const ended = new Promise<number>((resolve) => socket.once('close', resolve));
  const next = () =>
    Promise.race([
      new Promise<[Buffer, boolean]>((resolve) => {
        socket.once('message', (data, binary) => resolve([data as Buffer, binary]));
      }),
      ended.then((code) => Promise.reject(new Error(`closed with ${code}`))),
    ]);
  if (socket.protocol !== 'echo') throw new Error(`the subprotocol is '${socket.protocol}'`);
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_048_576, 16_777_216]) {
    const bytes = Buffer.alloc(size, `${size} `);
    socket.send(bytes);
    const [back, binary] = await next();
    if (!binary || !back.equals(bytes)) throw new Error(`${size} B did not come back`);
    const text = 'é'.repeat(size >> 1);
    socket.send(text);
    const [echo, isBinary] = await next();
    if (isBinary || String(echo) !== text) throw new Error(`${size} B of text did not come back`);
  }
  socket.ping('p');
  await new Promise((resolve) => socket.once('pong', resolve));
  socket.close(4002, 'enough');
  const code = await ended;
  if (code !== 4002) throw new Error(`closed with ${code}`);
  const last = new WebSocket(url, { ca: authority });
  await new Promise((resolve, reject) => last.once('open', resolve).once('error', reject));
  last.send('stop');
  const status = await Promise.race([
    new Promise<number>((resolve) => last.once('close', resolve)),
    // A server that goes on just echoes it.
    new Promise<number>((resolve) => last.once('message', () => resolve(0))),
  ]);
  last.terminate();
  if (status !== 1001 && status !== 0) throw new Error(`the server ended with ${status}`);
}
