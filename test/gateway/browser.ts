/**
 * The pages of the sample servers in a real browser: `npx tsx test/gateway/browser.ts`. It needs Debian's `chromium`.
 *
 * It starts the servers and the gateway by the command line, lets two windows chat, and calls methods.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { check, summarise } from '../support/checks.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gw-'));
const children: ChildProcess[] = [];

/** Starts a verb, and resolves with its first line. */
async function sansocket(...words: string[]): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...words], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return String((await once(child.stdout, 'data'))[0]);
}

/** Waits for a line of the page's log. */
function line(page: Page, kind: string, text: string): Promise<void> {
  return page.locator(`#log > li.${kind}`, { hasText: text }).last().waitFor();
}

async function enter(page: Page, text: string): Promise<void> {
  await page.locator('#text').fill(text);
  await page.locator('#say button').click();
}

async function joinAs(page: Page, name: string, expected: string): Promise<void> {
  await page.locator('#name').fill(name);
  await page.locator('#join button').click();
  await page.locator('#state[data-state="open"]', { hasText: `you are ${expected}` }).waitFor();
}

try {
  await sansocket('backend', 'chat', '-w', '-f', 'nul', '-R', folder);
  await sansocket('backend', 'jsonrpc', '-f', 'nul', '-R', folder, '-L', 'examples/gateway/calculator.mjs', '-C', '3');
  const said = await sansocket('gateway', '-R', folder, '-f', 'nul', '-p', '0', '--pages', 'examples/gateway/pages');
  const url = /ws(:\S+)/.exec(said)?.[1] ?? '';
  const address = `http${url}`;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  const complaints: string[] = [];
  const open = async (path: string) => {
    const page = await browser.newPage();
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(address + path);
    return page;
  };
  try {
    const ada = await open('/chat.html');
    const bob = await open('/chat.html');
    await check('the first page leads to both', async () => {
      const page = await open('/');
      await page.locator('a[href="jsonrpc.html"]').click();
      await page.locator('#state[data-state="open"]').waitFor();
      await page.close();
    });
    await check('WSHello: a name, and another one where it is taken', async () => {
      await joinAs(ada, 'ada', 'ada');
      await joinAs(bob, 'ada', 'ada001');
      await joinAs(bob, 'bob', 'bob');
    });
    await check('two windows talk', async () => {
      await enter(ada, 'hello <b>everybody</b> 👋');
      await line(bob, 'said', 'ada: hello <b>everybody</b> 👋');
      await enter(bob, 'hello yourself');
      await line(ada, 'said', 'bob: hello yourself');
    });
    await check('WSPrivate: for one alone', async () => {
      await enter(ada, '/msg bob only for you');
      await line(bob, 'private', 'ada to you: only for you');
    });
    await check('WSWhois: answered, known or not', async () => {
      await enter(ada, '/whois bob');
      await line(ada, 'note', 'who is bob network error');
      await enter(ada, '/whois nobody');
      await line(ada, 'note', 'who is nobody undefined');
    });
    await ada.screenshot({ path: join(ROOT, 'artifacts/gateway-chat.png') });

    const rpc = await open('/jsonrpc.html');
    await rpc.locator('#state[data-state="open"]').waitFor();
    const send = async (button: string) => {
      await rpc.locator(button).click();
      await rpc.locator('button[type="submit"]').click();
    };
    await check('a call is answered', async () => {
      await send('#single');
      await line(rpc, 'answer', '{"jsonrpc":"2.0","result":3,"id":1}');
    });
    await check('a batch is answered, but for its notification', async () => {
      await send('#batch');
      await line(
        rpc,
        'answer',
        '[{"jsonrpc":"2.0","result":42,"id":"sum"},{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":2}]',
      );
    });
    await check('a mistake is told', async () => {
      await send('#wrong');
      await line(rpc, 'answer', '"code":-32602');
      await rpc.locator('#request').fill('this is no JSON');
      await rpc.locator('button[type="submit"]').click();
      await line(rpc, 'answer', '"code":-32700');
    });
    await check('the gateway ends: the pages are told 1001', async () => {
      children.at(-1)!.kill('SIGTERM');
      await line(bob, 'note', 'closed 1001');
      await rpc.locator('#state', { hasText: 'closed 1001' }).waitFor();
    });
    await check('no page complained', async () => {
      if (complaints.length > 0) throw new Error(complaints.join('; '));
    });
  } finally {
    await browser.close();
  }
} finally {
  for (const child of children) child.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}
summarise();
