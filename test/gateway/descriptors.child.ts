/** Run by targets.test.ts as a process of its own, with few file descriptors: how a page or a name is answered with none left, and with some. */
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

const request =
  process.argv[2] === 'page' ? 'GET /page.html HTTP/1.1\r\nHost: localhost\r\n\r\n' : upgradeRequest('/a');
const [before, after] = [await RawPeer.to(gateway.port!), await RawPeer.to(gateway.port!)];

async function ask(peer: RawPeer): Promise<number> {
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
const without = await ask(before);
const reason = await told;
for (const descriptor of taken) closeSync(descriptor);
const withSome = await ask(after);
console.log(JSON.stringify({ without, withSome, reason }));
rmSync(docroot, { recursive: true });
process.exit();
