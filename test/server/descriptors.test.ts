import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { RawPeer } from '../support/sockets.ts';

test.skipIf(process.platform === 'win32')(
  'T84: a server that ran out of file descriptors goes on when there are some again',
  async () => {
    const script = fileURLToPath(new URL('./descriptors.child.ts', import.meta.url));
    const command = `ulimit -n 64 && exec "${process.execPath}" --import tsx "${script}"`;
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [port] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const peers = await Promise.all(Array.from({ length: 80 }, () => RawPeer.to(Number(port))));
    // There are none left: one that came too late is dropped without a word.
    expect(await Promise.race(peers.map((each) => each.closed.then(() => each.received)))).toBe('');
    for (const peer of peers) peer.socket.destroy();
    const url = `ws://127.0.0.1:${port}`;
    let open = await connect(url).catch(() => null);
    while (open === null) open = await connect(url).catch(() => null);
    expect(await open.close()).toMatchObject({ clean: true });
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  },
);
