/**
 * Clicks through the demo's page in a real browser: `npx tsx test/browser/demo.ts`. It needs Debian's `chromium`.
 *
 * It also exchanges compressed messages with servers of its own. It starts the demo as `npm start` does, looks at what both columns of the page show for every button, exchanges
 * messages of all length classes with the browser's own WebSocket, and ends the demo with SIGINT while a page is connected.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import type { PermessageDeflateOptions } from '../../src/index.ts';
import { serve } from '../../src/server/index.ts';
import { check, summarise } from '../support/checks.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync';
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576, 16_777_216];
const PATIENCE = 10_000;

/** What pages logged as errors. */
const complaints: string[] = [];

const demo = await startDemo();
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS.split(' ') });
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(PATIENCE);
  await files(demo.url);
  const page = await openPage(context, demo.url);
  await traffic(page);
  await pings(page);
  await closes(page);
  await chat(context, page);
  await exchanges(page);
  await compressed(context);
  await check('a screenshot is kept in artifacts/demo.png', () => screenshot(context));
  await check('no error was logged by the page', async () => equal(complaints.join('; '), ''));
  await stop(page);
} finally {
  await browser.close();
  demo.process.kill('SIGKILL');
}
summarise();

// ------------------------------------------------------------------------------------------------- what is checked

async function files(url: string): Promise<void> {
  const types = {
    '': 'text/html; charset=utf-8',
    'style.css': 'text/css; charset=utf-8',
    'demo.js': 'text/javascript; charset=utf-8',
    'favicon.svg': 'image/svg+xml',
  };
  for (const [name, type] of Object.entries(types)) {
    await check(`/${name} is served as ${type} under a strict policy`, async () => {
      const response = await fetch(url + name);
      equal(response.status, 200);
      equal(response.headers.get('content-type'), type);
      const policy = response.headers.get('content-security-policy') ?? '';
      ok(policy.includes("default-src 'none'") && !policy.includes('unsafe'), `policy is ${policy}`);
    });
  }
  for (const name of ['main.ts', 'page/index.html', '%2e%2e/main.ts', 'constructor', 'echo']) {
    await check(`/${name} is 404`, async () => equal((await fetch(url + name)).status, 404));
  }
}

async function traffic(page: Page): Promise<void> {
  await check('connect: both sides open, the server shows the request line and headers', async () => {
    await connect(page);
    const open = row(page, 'server', { type: 'open', endpoint: 'echo' });
    await includes(open, /GET \/echo\?session=[\w-]{16} HTTP\/1\.1/);
    await includes(open, /sec-websocket-key/i);
    await row(page, 'browser', { type: 'open', endpoint: 'echo' }).waitFor();
  });

  await check('text: there and back on both sides', async () => {
    await page.getByTestId('text-input').fill('Ahoj, světe 😀');
    await page.getByTestId('send-text').click();
    await roundTrip(page, 'text', Buffer.byteLength('Ahoj, světe 😀'));
    for (const side of ['browser', 'server'] as const) {
      await includes(row(page, side, { type: 'message', kind: 'text', to: 'browser' }), /“Ahoj, světe 😀”/);
    }
  });

  await check('empty text: there and back', async () => {
    await page.getByTestId('text-input').fill('');
    await page.getByTestId('send-text').click();
    await roundTrip(page, 'text', 0);
  });

  await check('markup from a peer stays text', async () => {
    const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
    await page.getByTestId('text-input').fill(markup);
    await page.getByTestId('send-text').click();
    await roundTrip(page, 'text', markup.length);
    equal(await page.locator('.log img, .log b b').count(), 0);
  });

  await check('file: one binary message, the same bytes back', async () => {
    const buffer = Buffer.from(Array.from({ length: 70_001 }, (_, index) => (index * 7) & 255));
    await page.getByTestId('file-input').setInputFiles({ name: 'a.bin', mimeType: 'application/octet-stream', buffer });
    await page.getByTestId('send-file').click();
    await roundTrip(page, 'binary', buffer.length);
    await includes(row(page, 'browser', { type: 'message', kind: 'binary', to: 'server' }), /a\.bin/);
    await includes(row(page, 'server', { type: 'message', kind: 'binary', to: 'browser' }), /2 fragments/);
  });

  for (const large of ['binary:1048576', 'text:1048576', 'binary:16777216']) {
    await check(`large ${large}: comes back in fragments and whole`, async () => {
      const [kind = '', size = ''] = large.split(':');
      await page.getByTestId('large-kind').selectOption(large);
      await page.getByTestId('send-large').click();
      await roundTrip(page, kind, Number(size));
      const fragments = Number(size) / 65_536;
      const echoed = row(page, 'server', { type: 'message', kind, size, to: 'browser' });
      await includes(echoed, new RegExp(`${fragments} fragments`));
    });
  }
}

async function pings(page: Page): Promise<void> {
  await check('ping from the server: a pong with its round-trip time', async () => {
    await page.getByTestId('server-ping').click();
    await row(page, 'server', { type: 'ping', to: 'browser' }).waitFor();
    const pong = row(page, 'server', { type: 'pong', to: 'server' });
    const latency = Number(await pong.getAttribute('data-latency'));
    ok(latency > 0 && latency < PATIENCE, `latency is ${latency}`);
    await includes(page.getByTestId('rtt'), /^\d+\.\d+ ms$/);
  });
}

async function closes(page: Page): Promise<void> {
  for (const code of [1000, 3000, 4000]) {
    await check(`close ${code} from the browser: code and reason on both sides`, async () => {
      const reason = `browser says ${code} ✓`;
      await connect(page);
      await page.getByTestId('close-reason').fill(reason);
      await page.getByTestId(`browser-close-${code}`).click();
      await row(page, 'browser', { type: 'close', code, reason }).waitFor();
      await row(page, 'server', { type: 'closed', code, reason, clean: true, to: 'server' }).waitFor();
      await row(page, 'browser', { type: 'closed', code, clean: true }).waitFor();
    });
  }

  for (const code of [1000, 1001, 1008, 1011]) {
    await check(`close ${code} from the server: code and reason on both sides`, async () => {
      const reason = `server says ${code} ✓`;
      await connect(page);
      await page.getByTestId('close-reason').fill(reason);
      await page.getByTestId(`server-close-${code}`).click();
      await row(page, 'server', { type: 'close', code, reason, to: 'browser' }).waitFor();
      await row(page, 'browser', { type: 'closed', code, reason, clean: true }).waitFor();
      await row(page, 'server', { type: 'closed', code, clean: true, to: 'none' }).waitFor();
    });
  }

  await check('disconnect: an empty Close, 1005 on both sides', async () => {
    await connect(page);
    await page.getByTestId('disconnect').click();
    await row(page, 'browser', { type: 'closed', code: 1005, clean: true }).waitFor();
    await row(page, 'server', { type: 'closed', code: 1005, clean: true }).waitFor();
  });

  await check('drop by the server: 1006 on both sides, not clean', async () => {
    await connect(page);
    await page.getByTestId('server-drop').click();
    await row(page, 'browser', { type: 'closed', code: 1006, clean: false }).waitFor();
    await row(page, 'server', { type: 'closed', code: 1006, clean: false }).waitFor();
  });

  await check('a reason that is too long is cut at a character', async () => {
    await connect(page);
    await page.getByTestId('close-reason').fill('☕'.repeat(60));
    await page.getByTestId('browser-close-4000').click();
    await row(page, 'server', { type: 'closed', code: 4000, reason: '☕'.repeat(41) }).waitFor();
  });
}

async function chat(context: BrowserContext, page: Page): Promise<void> {
  const other = await openPage(context, demo.url);

  await check('chat: two tabs hear each other', async () => {
    await join(page, 'ada');
    await join(other, 'grace');
    await page.getByTestId('chat-input').fill('Do you read me?');
    await page.getByTestId('chat-send').click();
    await includes(other.getByTestId('chat-log'), /ada\s*Do you read me\?/);
    await includes(page.getByTestId('chat-log'), /ada\s*Do you read me\?/);
    await includes(page.getByTestId('chat-people'), /ada, grace/);
  });

  await check('each tab is shown its own traffic only', async () => {
    equal(await other.locator('[data-testid="row"][data-endpoint="echo"]').count(), 0);
    equal(await other.locator('[data-side="server"][data-type="open"]').count(), 1);
  });

  await check('chat: who leaves is told of', async () => {
    await other.getByTestId('chat-leave').click();
    await includes(page.getByTestId('chat-log'), /grace left/);
    await page.getByTestId('chat-leave').click();
    await row(page, 'server', { type: 'closed', endpoint: 'chat', code: 1000, reason: 'leaving' }).waitFor();
  });
  await other.close();
}

async function exchanges(page: Page): Promise<void> {
  for (const kind of ['text', 'binary']) {
    for (const size of SIZES) {
      await check(`exchange: ${kind} of ${size} bytes`, async () => {
        const result = await page.evaluate(`exchange('/echo', '${kind}', ${size})`);
        equal(JSON.stringify(result), '{"messages":1,"same":true,"code":1000,"wasClean":true,"extensions":""}');
      });
    }
  }
}

/** The same with permessage-deflate, on servers of our own: the demo's connections are not compressed. */
async function compressed(context: BrowserContext): Promise<void> {
  const answers: readonly [PermessageDeflateOptions, string][] = [
    [{}, '; server_max_window_bits=12; client_max_window_bits=12'],
    [{ windowBits: 15 }, ''],
    [{ windowBits: 9 }, '; server_max_window_bits=9; client_max_window_bits=9'],
    [{ windowBits: 15, memory: 'shared' }, '; server_no_context_takeover; client_no_context_takeover'],
  ];
  for (const [options, parameters] of answers) {
    const compression = { compressLimit: null, threshold: 1, ...options };
    const limits = { maxMessageSize: null, maxBufferedAmount: null };
    const page = await context.newPage();
    const onRequest = () => ({ status: 200, headers: { 'Content-Type': 'text/html' }, body: '<title>echo</title>' });
    const server = await serve({ port: 0, host: '127.0.0.1', onRequest, compression, ...limits }, (socket) => {
      socket.on('message', ({ data }) => socket.send(data));
    });
    await page.goto(server.url.replace('ws:', 'http:'));
    await page.addScriptTag({ path: fileURLToPath(new URL('./exchange.js', import.meta.url)) });
    for (const kind of ['text', 'binary']) {
      for (const size of SIZES) {
        await check(`compressed exchange: ${kind} of ${size} bytes${parameters}`, async () => {
          const result = await page.evaluate(`exchange('/', '${kind}', ${size})`);
          const extensions = `permessage-deflate${parameters}`;
          equal(
            JSON.stringify(result),
            JSON.stringify({ messages: 1, same: true, code: 1000, wasClean: true, extensions }),
          );
        });
      }
    }
    await page.close();
    await server.close();
  }
}

async function screenshot(context: BrowserContext): Promise<void> {
  const page = await openPage(context, demo.url);
  await connect(page);
  await page.getByTestId('text-input').fill('Hello, wire! ☕');
  await page.getByTestId('send-text').click();
  await page.getByTestId('large-kind').selectOption('text:1048576');
  await page.getByTestId('send-large').click();
  await roundTrip(page, 'text', 1_048_576);
  await page.getByTestId('server-ping').click();
  await row(page, 'server', { type: 'pong' }).waitFor();
  await join(page, 'ada');
  mkdirSync(`${ROOT}artifacts`, { recursive: true });
  await page.screenshot({ path: `${ROOT}artifacts/demo.png`, animations: 'disabled' });
  await page.close();
}

async function stop(page: Page): Promise<void> {
  await check('Ctrl-C: connections close with 1001, and the demo ends with status 0', async () => {
    await connect(page);
    const ended = once(demo.process, 'exit');
    demo.process.kill('SIGINT');
    await row(page, 'browser', { type: 'closed', code: 1001, clean: true }).waitFor();
    const [status, signal] = await ended;
    equal(`${status} ${signal}`, '0 null');
  });
}

// ---------------------------------------------------------------------------------------------------------- support

async function startDemo(): Promise<{ url: string; process: ChildProcess }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo/main.ts', '--port', '0'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const ready = /open (http:\S+) — Ctrl-C stops/.exec(output);
      if (ready?.[1] !== undefined) resolve(ready[1]);
    });
    child.once('exit', () => reject(new Error(`the demo did not start:\n${output}`)));
  });
  process.stdout.write(output);
  await check('the tour in the terminal passes', async () => ok(/\d+ steps passed/.test(output), output));
  return { url, process: child };
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.addInitScript({ path: fileURLToPath(new URL('exchange.js', import.meta.url)) });
  await page.goto(url);
  return page;
}

/** A new echo connection, and columns that show nothing older. */
async function connect(page: Page): Promise<void> {
  const status = page.getByTestId('status-echo');
  if ((await status.getAttribute('data-state')) === 'open') await page.getByTestId('disconnect').click();
  await page.locator('[data-testid="status-echo"][data-state="closed"]').waitFor();
  await page.getByTestId('clear').click();
  await page.getByTestId('connect').click();
  await page.locator('[data-testid="status-echo"][data-state="open"]').waitFor();
  await row(page, 'server', { type: 'open', endpoint: 'echo' }).waitFor();
}

async function join(page: Page, name: string): Promise<void> {
  await page.getByTestId('chat-name').fill(name);
  await page.getByTestId('chat-join').click();
  await includes(page.locator('[data-testid="chat-log"] > :last-child'), new RegExp(`you are ${name}`));
}

/** A message of this kind and size went to the server and back, on both sides, and the bytes are the same. */
async function roundTrip(page: Page, kind: string, size: number): Promise<void> {
  const message = { type: 'message', kind, size };
  await row(page, 'browser', { ...message, to: 'server' }).waitFor();
  await row(page, 'server', { ...message, to: 'server' }).waitFor();
  await row(page, 'server', { ...message, to: 'browser' }).waitFor();
  await row(page, 'browser', { ...message, to: 'browser', verdict: true }).waitFor();
}

/** The newest row of a column with these facts. */
function row(page: Page, side: 'browser' | 'server', facts: Record<string, string | number | boolean>): Locator {
  const wanted = Object.entries(facts).map(([name, value]) => `[data-${name}="${value}"]`);
  return page.locator(`[data-testid="${side}-log"] > li${wanted.join('')}`).last();
}

/** Waits until the text of an element, shown or folded away, matches. */
async function includes(locator: Locator, pattern: RegExp): Promise<void> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const text = (await locator.textContent()) ?? '';
    if (pattern.test(text)) return;
    if (Date.now() > end) throw new Error(`'${text.slice(0, 200)}' does not match ${pattern}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function ok(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}

function equal(got: unknown, wanted: unknown): void {
  ok(got === wanted, `got ${String(got)}, wanted ${String(wanted)}`);
}
