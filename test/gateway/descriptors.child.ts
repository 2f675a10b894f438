/** Run by targets.test.ts as a process of its own, with few file descriptors: tells what clients get with none left, and with some again. */
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '../../src/gateway/index.ts';
import { servePages } from '../../src/gateway/pages.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';

const docroot = mkdtempSync(join(tmpdir(), 'gw-'));
const server = createServer((socket) => socket.resume()).listen(`${docroot}/a`);
await once(server, 'listening');
writeFileSync(`${docroot}/page.html`, '');
const gateway = await createGateway({ docroot, port: 0, host: '127.0.0.1', onRequest: servePages(docroot) });
const told = new Promise<string>((resolve) => gateway.on('refused', ({ reason }) => resolve(reason)));

const peers: RawPeer[] = [];
for (let i = 0; i < 4; i++) peers.push(await RawPeer.to(gateway.port!));
const page = 'GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n';

async function ask(request: string): Promise<number> {
  const peer = peers.pop()!;
  // Who has been answered stays, and gives no descriptor back.
  peer.socket.removeAllListeners('end');
  peer.write(request);
  await peer.until('\r\n\r\n');
  return statusOf(peer.received);
}

const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  // There is none left.
}
const without = [await ask(upgradeRequest('/a')), await told, await ask(page)];
for (const descriptor of taken) closeSync(descriptor);
const withSome = [await ask(upgradeRequest('/a')), await ask(page)];
console.log(JSON.stringify({ without, withSome }));
rmSync(docroot, { recursive: true });
process.exit();
