/** A process whose connection has ended lives until that is told, however little else it has to do. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { serve } from '../../src/server/index.ts';
import { closeAll, closeLater } from './support.ts';

afterEach(closeAll);

const SCRIPT = fileURLToPath(new URL('./exit.child.ts', import.meta.url));

/** What the process prints in a mode of its own, and its exit code last. The server goes with 1012, and refuses whom it sees again. */
async function run(mode: string): Promise<string[]> {
  let connections = 0;
  const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
    const code = connections++ === 0 ? 1012 : 1008;
    socket.on('message', () => {
      for (let i = 0; i < (mode === 'flooded' ? 40 : 1); i++) socket.send('goodbye'.padEnd(50_000));
      void socket.close(code);
    });
    // A client that comes again has nothing to say.
    if (code === 1008) void socket.close(code);
  });
  closeLater(() => server.close({ timeout: 20 }));
  const args = ['--import', 'tsx', SCRIPT, server.url, mode];
  const { stdout, code } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 }).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: { stdout: string; code: number }) => error,
  );
  return [...stdout.split('\n').filter((line) => line !== ''), `exit ${code}`];
}

test('a client that only sends connects again when the server says something and goes', async () => {
  expect(await run('reconnecting')).toEqual(['1012 again', '1008 over', 'stopped', 'exit 0']);
});

test('`closed` resolves, although nobody takes the last message', async () => {
  expect(await run('silent')).toEqual(['close 1012', 'closed 1012', 'exit 0']);
});

test('the same where it sent more than is held, and its socket is not read from', async () => {
  expect(await run('flooded')).toEqual(['close 1012', 'closed 1012', 'exit 0']);
});

test('`close` is told, although a listener never is done', async () => {
  expect(await run('busy')).toEqual(['close 1012', 'closed 1012', 'exit 0']);
});

test('a connection that must not hold the process does not: Node ends it, with 13 as its promise is pending', async () => {
  expect(await run('unref')).toEqual(['exit 13']);
});
