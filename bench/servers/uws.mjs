// uWebSockets.js 20.30, the last build of it that npm has for Node 20 and this C library. Its default of 16 KiB a message is
// raised, and nothing else.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { say, settings } from './control.mjs';
import { installed } from './installed.mjs';

const { App, SSLApp, us_socket_local_port } = installed('@trufflesuite/uws-js-unofficial');
const { mode, cert, key } = settings;
const app = cert ? secureApp() : App();

/** It takes certificates as files only. */
function secureApp() {
  const folder = mkdtempSync(join(tmpdir(), 'sansocket-bench-'));
  const [cert_file_name, key_file_name] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(cert_file_name, cert);
  writeFileSync(key_file_name, key);
  const made = SSLApp({ cert_file_name, key_file_name });
  rmSync(folder, { recursive: true });
  return made;
}

app.ws('/*', {
  maxPayloadLength: 16 * 1024 * 1024,
  open(socket) {
    if (mode === 'broadcast') socket.subscribe('all');
  },
  message(socket, data, isBinary) {
    if (mode === 'broadcast') app.publish('all', data, isBinary);
    else socket.send(data, isBinary);
  },
});
app.listen('127.0.0.1', 0, (listener) => say({ port: us_socket_local_port(listener) }));
