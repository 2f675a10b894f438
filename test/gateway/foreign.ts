/**
 * Programs that others wrote, on both sides of the gateway: `npx tsx test/gateway/foreign.ts`. Behind it a server of python3's
 * socketserver and socat (Debian: socat), in front of it nginx and haproxy (Debian: nginx-light, haproxy) with the
 * configurations of examples/gateway, ws and wss.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../../src/client/index.ts';
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts';
import { authority, local } from '../support/certificates.ts';
import { check, summarise } from '../support/checks.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/gateway/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gw-'));
const docroot = join(folder, 'ws');
mkdirSync(docroot);
const children: ChildProcess[] = [];

/** Starts a program; it is ended with this one. */
function start(command: string, ...words: string[]): ChildProcess {
  if (spawnSync('which', [command]).status !== 0) throw new Error(`${command} is not installed`);
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function until(happens: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await happens()) return;
    await wait(25);
  }
  throw new Error('it did not happen within 5 s');
}

/** Whether somebody listens. */
async function answers(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  const open = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return open;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function withGateway(options: GatewayOptions, body: (url: string) => Promise<void>): Promise<void> {
  const gateway = await createGateway(options);
  try {
    await body(gateway.url);
  } finally {
    await gateway.close({ timeout: 500 });
  }
}

/** Sends texts and compares what comes back, one for one. */
async function exchange(url: string, pairs: readonly (readonly [string, string])[], tls = false): Promise<void> {
  const socket = await connect(url, tls ? { tls: { ca: authority } } : {});
  const messages = socket[Symbol.asyncIterator]();
  for (const [sent, expected] of pairs) {
    socket.send(sent);
    const got = (await messages.next()).value?.data;
    if (got !== expected) throw new Error(`'${String(got).slice(0, 60)}' came instead of '${expected.slice(0, 60)}'`);
  }
  const { code, clean } = await socket.close(1000);
  if (code !== 1000 || !clean) throw new Error(`closed with ${code}`);
}

const LINES = [
  ['hello', 'HELLO'],
  ['', ''],
  ['x'.repeat(300_000), 'X'.repeat(300_000)],
  ['a'.repeat(125), 'A'.repeat(125)],
] as const;
const OWN = { host: '127.0.0.1', port: 0 } as const;

async function behind(): Promise<void> {
  await check("python3's socketserver on a UNIX socket, framing line", async () => {
    const python = start('/usr/bin/python3', `${EXAMPLES}backend.py`, `${docroot}/upper`);
    await once(python.stdout!, 'data');
    await withGateway({ ...OWN, docroot, framing: 'line' }, async (url) => {
      await exchange(`${url}/upper`, LINES);
      await Promise.all(Array.from({ length: 20 }, () => exchange(`${url}/upper`, LINES)));
    });
  });

  await check('socat with cat, byte for byte, and its end is 1000', async () => {
    start('socat', `UNIX-LISTEN:${docroot}/cat,fork`, 'EXEC:cat');
    start('socat', `UNIX-LISTEN:${docroot}/date,fork`, 'EXEC:echo bye');
    await until(() => existsSync(`${docroot}/cat`) && existsSync(`${docroot}/date`));
    await withGateway({ ...OWN, docroot, framing: 'nul' }, async (url) => {
      await exchange(`${url}/cat`, [
        ['hello', 'hello'],
        ['', ''],
        ['é'.repeat(200_000), 'é'.repeat(200_000)],
      ]);
      const socket = await connect(`${url}/date`);
      const said: unknown[] = [];
      socket.on('message', ({ data }) => void said.push(data));
      const { code } = await socket.closed;
      if (code !== 1000 || said.join() !== 'bye\n') throw new Error(`closed ${code} after '${said.join()}'`);
    });
  });

  await check('socat on TCP, by a route', async () => {
    const port = await freePort();
    start('socat', `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`, 'EXEC:cat');
    await wait(300);
    const routes = [{ prefix: 'tcp', port }];
    await withGateway({ ...OWN, routes, framing: 'nul' }, (url) => exchange(`${url}/tcp`, [['over TCP', 'over TCP']]));
  });
}

async function inFront(): Promise<void> {
  await check('nginx: ws and wss, the client known, a page, and 403 for another origin', async () => {
    const [port, secure] = [await freePort(), await freePort()];
    const front = join(folder, 'front');
    writeFileSync(`${folder}/site.pem`, local.cert);
    writeFileSync(`${folder}/site.key`, local.key);
    const config = readFileSync(`${EXAMPLES}nginx.conf`, 'utf8')
      .replace('/run/gateway/front;', `${front};`)
      .replace('/run/nginx.pid', `${folder}/nginx.pid`)
      .replace('/var/log/nginx/error.log', `${folder}/nginx.log`)
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replace('listen 443 ssl;', `listen 127.0.0.1:${secure} ssl;`)
      .replace('/etc/ssl/certs/site.pem', `${folder}/site.pem`)
      .replace('/etc/ssl/private/site.key', `${folder}/site.key`);
    writeFileSync(`${folder}/nginx.conf`, config);
    const gateway = await createGateway({
      ...{ path: front, docroot, framing: 'line', trustedProxies: ['unix'] },
      onRequest: () => ({ status: 200, body: 'a page' }),
    });
    // nginx's workers are of another user; in production they share a group with the gateway.
    chmodSync(folder, 0o755);
    chmodSync(front, 0o666);
    const addresses: (string | null)[] = [];
    gateway.on('open', ({ remoteAddress }) => addresses.push(remoteAddress));
    start('nginx', '-c', `${folder}/nginx.conf`, '-g', 'daemon off;');
    const page = `http://127.0.0.1:${port}/`;
    await until(() =>
      fetch(page).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    await exchange(`ws://127.0.0.1:${port}/upper`, LINES);
    await exchange(`wss://localhost:${secure}/upper`, LINES, true);
    if ((await (await fetch(page)).text()) !== 'a page') throw new Error('the page did not come');
    if (addresses.some((address) => address !== '127.0.0.1')) throw new Error(`clients are ${addresses.join()}`);
    const status = (headers: Record<string, string>) =>
      connect(`ws://127.0.0.1:${port}/upper`, { headers }).then(
        (socket) => socket.close().then(() => 101),
        (error: { status?: number }) => error.status,
      );
    const statuses = [
      await status({ Origin: 'https://evil.example' }),
      await status({ Origin: `http://127.0.0.1:${port}` }),
      await status({ 'X-Forwarded-For': '6.6.6.6' }),
    ];
    if (statuses.join() !== '403,101,101') throw new Error(`the answers were ${statuses.join()}`);
    if (addresses.at(-1) !== '127.0.0.1') throw new Error('a forged X-Forwarded-For was believed');
    await gateway.close({ timeout: 500 });
  });

  await check('haproxy: ws and wss, the client known', async () => {
    const [port, secure] = [await freePort(), await freePort()];
    const gateway = await createGateway({ ...OWN, docroot, framing: 'line', trustedProxies: ['127.0.0.1'] });
    writeFileSync(`${folder}/both.pem`, local.cert + local.key);
    const config = readFileSync(`${EXAMPLES}haproxy.cfg`, 'utf8')
      .replace('0.0.0.0:80', `127.0.0.1:${port}`)
      .replace('0.0.0.0:443', `127.0.0.1:${secure}`)
      .replace('/etc/haproxy/site.pem', `${folder}/both.pem`)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${gateway.port}`);
    writeFileSync(`${folder}/haproxy.cfg`, config);
    start('haproxy', '-q', '-db', '-f', `${folder}/haproxy.cfg`);
    await until(() => answers(port));
    await exchange(`ws://127.0.0.1:${port}/upper`, LINES);
    await exchange(`wss://localhost:${secure}/upper`, LINES, true);
    await gateway.close({ timeout: 500 });
  });
}

try {
  await behind();
  await inFront();
} finally {
  for (const child of children) child.kill('SIGTERM');
  await wait(200);
  rmSync(folder, { recursive: true, force: true });
}
summarise();
process.exit();
