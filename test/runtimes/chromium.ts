/**
 * A page in Chromium: it loads the sources module by module, types stripped and nothing bundled, and runs the suite; then the
 * browser's own WebSocket talks to our server over HTTP/2. It needs Debian's `chromium`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { type Browser, chromium as engine } from 'playwright-core';
import { attach } from '../../src/transport/http2/index.ts';
import { local } from '../support/certificates.ts';
import type { Host, Missing, OnLine } from './hosts.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync';
const LONGEST = 180_000;

export function chromium(): Host | Missing {
  if (!existsSync(CHROMIUM)) return { name: 'chromium', reason: 'Debian has it in the package chromium' };
  const { stdout } = spawnSync(CHROMIUM, ['--version'], { encoding: 'utf8' });
  return {
    name: 'chromium',
    version: /[\d.]+/.exec(stdout)?.[0] ?? '',
    async run(_, onLine) {
      const browser = await engine.launch({ executablePath: CHROMIUM, args: ARGUMENTS.split(' ') });
      try {
        await inPage(browser, onLine);
        await overHttp2(browser, onLine);
        onLine(JSON.stringify({ done: true }));
      } finally {
        await browser.close();
      }
    },
  };
}

async function inPage(browser: Browser, onLine: OnLine): Promise<void> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = resolve(ROOT, `.${pathname}`);
    if (pathname === '/') {
      response.setHeader('content-type', 'text/html');
      response.end('<script type="module" src="/test/runtimes/entries/browser.ts"></script>');
    } else if (/^(src|test)\/.*\.ts$/.test(file.slice(ROOT.length)) && existsSync(file)) {
      response.setHeader('content-type', 'text/javascript');
      void transform(readFileSync(file, 'utf8'), { loader: 'ts', target: 'es2022' }).then(({ code }) =>
        response.end(code),
      );
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const page = await browser.newPage();
  try {
    await new Promise<void>((done, reject) => {
      const timer = setTimeout(() => reject(new Error('the page took too long')), LONGEST);
      page.on('pageerror', reject);
      page.on('console', (message) => {
        const text = message.text();
        if (text.startsWith('{"done"')) {
          clearTimeout(timer);
          done();
        } else if (text.startsWith('{')) onLine(text);
      });
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      // The page is loaded when its modules have run.
      void page.goto(url, { waitUntil: 'commit' }).catch(reject);
    });
  } finally {
    await page.close();
    server.close();
  }
}

/** The proof is the server's: a stream of HTTP/2 with an extended CONNECT, on the session that brought the page. */
async function overHttp2(browser: Browser, onLine: OnLine): Promise<void> {
  const http2 = createSecureServer({ ...local, allowHTTP1: true }, (_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<title>HTTP/2</title>');
  });
  const streams: string[] = [];
  const sessions = new Set<unknown>();
  const server = attach(http2, { subprotocols: ['echo'], compression: true }, (socket) => {
    socket.on('message', ({ data }) => void socket.send(data));
  });
  http2.on('stream', (stream, headers) => {
    sessions.add(stream.session);
    if (headers[':protocol'] !== undefined) streams.push(`${headers[':method']} ${headers[':protocol']}`);
  });
  await new Promise<void>((done) => http2.listen(0, '127.0.0.1', done));
  const { port } = http2.address() as AddressInfo;
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  let error: string | null = null;
  try {
    const page = await context.newPage();
    await page.goto(`https://localhost:${port}/`);
    const exchanged = await page.evaluate(exchange, `wss://localhost:${port}/`);
    const wanted = ['echo permessage-deflate', 'true', '4000 true', 'echo permessage-deflate', 'true', '4000 true'];
    const got = exchanged.map((each) => each.replace(/;.*/, ''));
    if (got.join() !== wanted.join()) throw new Error(`the page saw ${got.join(', ')}`);
    if (streams.join() !== 'CONNECT websocket,CONNECT websocket') throw new Error(`the server saw ${streams.join()}`);
    if (sessions.size !== 1) throw new Error(`${sessions.size} sessions`);
  } catch (thrown) {
    error = String(thrown);
  } finally {
    await context.close();
    await server.close();
    http2.close();
  }
  const name = 'two WebSockets of the browser on the HTTP/2 connection of their page';
  onLine(JSON.stringify({ shell: 'HTTP/2 server', name, error }));
}

/** Runs in the page: two WebSockets, each with an echo of every size. */
async function exchange(url: string): Promise<string[]> {
  const said: string[] = [];
  for (let i = 0; i < 2; i++) {
    const socket = new WebSocket(url, ['other', 'echo']);
    socket.binaryType = 'arraybuffer';
    await new Promise((done, reject) => {
      socket.onopen = done;
      socket.onerror = () => reject(new Error('no connection'));
    });
    said.push(`${socket.protocol} ${socket.extensions}`);
    let same = true;
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      for (const data of ['x'.repeat(size), new Uint8Array(size).fill(7)]) {
        const answer = new Promise<string | ArrayBuffer>((done) => {
          socket.onmessage = (event) => done(event.data);
        });
        socket.send(data);
        const back = await answer;
        same &&=
          typeof back === 'string'
            ? back === data
            : back.byteLength === size && new Uint8Array(back).every((octet) => octet === 7);
      }
    }
    said.push(String(same));
    const closed = new Promise<string>((done) => {
      socket.onclose = ({ code, wasClean }) => done(`${code} ${wasClean}`);
    });
    socket.close(4000);
    said.push(await closed);
  }
  return said;
}
