/**
 * `sansocket trace` between a real browser and a server: `npx tsx test/browser/trace.ts`. It needs Debian's `chromium`.
 *
 * The page is fetched through the proxy, opens a WebSocket to where it came from, and everything that it says and hears
 * has to be a line of the trace.
 */
import { chromium } from 'playwright-core';
import { serve } from '../../src/server/serve.ts';
import { Command } from '../cli/support.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];

const PAGE = `<!doctype html><title>waiting</title><script>
  const socket = new WebSocket('ws://' + location.host + '/echo', ['v2', 'v1']);
  socket.binaryType = 'arraybuffer';
  const heard = [];
  socket.onopen = () => {
    socket.send('a text that says the same again and again, the same again and again, the same again and again');
    socket.send(Uint8Array.of(0, 1, 2, 255));
    socket.send('');
  };
  socket.onmessage = ({ data }) => {
    heard.push(data);
    if (heard.length === 3) socket.close(4000, 'enough ✓');
  };
  socket.onclose = ({ code }) => { document.title = 'closed ' + code; };
</script>`;

const server = await serve(
  {
    port: 0,
    host: '127.0.0.1',
    subprotocols: ['v1'],
    compression: true,
    onRequest: ({ path }) =>
      path === '/'
        ? { status: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: PAGE }
        : { status: 404 },
  },
  (socket) => {
    socket.on('open', () => void socket.ping('are you there'));
    socket.on('message', ({ data, kind }) => void socket.send(data, { binary: kind === 'binary' }));
  },
);
const trace = new Command(['trace', '--listen', '0', '--to', server.url], { input: null });
const [, port] = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(await trace.until('tracing'))!;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.waitForFunction("document.title.startsWith('closed')", undefined, { timeout: 10_000 });
} finally {
  await browser.close();
}
const { code, stdout } = await trace.interrupt();
await server.close();
console.log(stdout);

let failed = 0;
for (const [what, pattern] of [
  ['the page was asked for and given', /▲ GET \/ HTTP\/1\.1.*▼ HTTP\/1\.1 200 OK/s],
  ['the handshake', /▲ GET \/echo HTTP\/1\.1.*▼ HTTP\/1\.1 101 Switching Protocols/s],
  ['a compressed text of the browser', /▲ text {4}fin {2}rsv1 {2}93 B in \d+ B \(-\d+ %\) {2}"a text that says/s],
  ['and back', /▼ text {4}fin {2}rsv1 {2}93 B in \d+ B \(-\d+ %\) {2}"a text that says/s],
  ['bytes', /▲ binary {2}fin [^\n]* {2}00 01 02 ff.*▼ binary {2}fin [^\n]* {2}00 01 02 ff/s],
  ['an empty text', /▲ text {4}fin .*▼ text {4}fin {2}0 B\n/s],
  ['a ping of the server, and how long its pong took', /▼ ping.*▲ pong .*round trip [\d.]+ ms .*"are you there"/s],
  ['both Closes', /▲ close .*4000 \(a private code of the application\) {2}"enough ✓".*▼ close .*4000/s],
  ['nothing that breaks the protocol', /^(?!.*violation)/s],
] as const) {
  const found = pattern.test(stdout);
  if (!found) failed++;
  console.log(`${found ? 'ok  ' : 'FAIL'} ${what}`);
}
if (code !== 0) failed++;
console.log(`\nexit code ${code}, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
