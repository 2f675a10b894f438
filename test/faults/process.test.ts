import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';

let child: ChildProcess;
let exit: Promise<unknown[]>;
let url: string;

beforeEach(async () => {
  const script = fileURLToPath(new URL('./process.child.ts', import.meta.url));
  child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  exit = once(child, 'exit');
  const [port] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  url = `ws://127.0.0.1:${port}`;
});

afterEach(() => {
  child.kill('SIGKILL');
});

test('T82: a server whose event loop stood still for ten times pongTimeout drops nobody', async () => {
  const sockets = await Promise.all(Array.from({ length: 20 }, () => connect(url, { pingInterval: null })));
  sockets[0]!.send('block');
  await Promise.all(
    sockets.map(async (socket) => {
      socket.send('still there');
      for await (const { data } of socket) if (data === 'still there') break;
    }),
  );
  const ends = await Promise.all(sockets.map((socket) => socket.close()));
  expect(ends.every(({ code, clean }) => code === 1_000 && clean)).toBe(true);
});

test('T83: SIGTERM under load ends every connection with 1001, then the process', async () => {
  const sockets = await Promise.all(Array.from({ length: 30 }, () => connect(url)));
  let echoes = 0;
  for (const socket of sockets) {
    socket.on('message', ({ data }) => {
      echoes++;
      socket.send(data);
    });
    for (let i = 0; i < 4; i++) socket.send('x'.repeat(10 ** i));
  }
  await expect.poll(() => echoes).toBeGreaterThan(1_000);
  child.kill('SIGTERM');
  const ends = await Promise.all(sockets.map((socket) => socket.closed));
  for (const end of ends) expect(end).toMatchObject({ code: 1_001, reason: 'restart', clean: true, remote: true });
  expect(await exit).toEqual([0, null]);
});
