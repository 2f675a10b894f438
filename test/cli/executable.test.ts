/** The executable itself: real streams, signals and exit codes. Everything else is tested without a process. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { outputOf } from '../../src/cli/io.ts';
import { connect } from '../../src/client/connect.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { serve } from '../../src/server/serve.ts';
import { echoServer } from './support.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

function start(...argv: string[]): ChildProcessByStdio<Writable, Readable, Readable> {
  const { SANSOCKET_DEBUG: _, NODE_DEBUG: __, FORCE_COLOR: ___, ...env } = process.env;
  return spawn(process.execPath, ['--import', 'tsx', MAIN, ...argv], { stdio: 'pipe', env });
}

async function ended(child: ReturnType<typeof start>): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

test('a pipe goes through a server and back, and the process ends', async () => {
  const server = await echoServer();
  const child = start('connect', server.url);
  child.stdin.end('hello\nworld\n');
  expect(await ended(child)).toEqual({ code: 0, stdout: 'hello\nworld\n', stderr: '' });
  await server.close();
});

test('the process ends although its input does not', async () => {
  const server = await echoServer();
  const child = start('connect', server.url, '--once');
  child.stdin.write('hello\n');
  expect(await ended(child)).toEqual({ code: 0, stdout: 'hello\n', stderr: '' });
  await server.close();
});

test('SIGINT ends a server in order', async () => {
  const child = start('serve', '--port', '0');
  const result = ended(child);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  const { code, stdout, stderr } = await result;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^echo on ws:\/\/127\.0\.0\.1:\d+\n$/);
});

test.each(['SIGTERM', 'SIGHUP'] as const)('%s ends a server in order, and its socket goes', async (signal) => {
  const directory = mkdtempSync(join(tmpdir(), 'sansocket-signal-'));
  const child = start('serve', '--unix', join(directory, 'socket'));
  const result = ended(child);
  await once(child.stdout, 'data');
  const socket = await connect(`ws+unix:${directory}/socket`);
  child.kill(signal);
  expect(await socket.closed).toMatchObject({ code: 1001, clean: true });
  expect((await result).code).toBe(0);
  expect(existsSync(`${directory}/socket`)).toBe(false);
  rmSync(directory, { recursive: true });
});

test.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s: a command that was not done ends with %d, and closes before', async (signal, code) => {
  const closes: number[] = [];
  const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
    socket.on('message', () => void child.kill(signal));
    socket.on('close', (event) => closes.push(event.code));
  });
  const child = start('connect', server.url);
  child.stdin.write('now\n');
  expect(await ended(child)).toEqual({ code, stdout: '', stderr: '' });
  await server.close();
  expect(closes).toEqual([1000]);
});

test('a command that has begun nothing ends at the first signal', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sansocket-idle-'));
  // It says when it is there, and is never done: as an input that does not end, for which `decode` waits.
  const module = join(directory, 'module.mjs');
  writeFileSync(module, "process.stderr.write('loading'); await new Promise(() => setTimeout(() => {}, 1e9));");
  const child = start('backend', 'jsonrpc', '-R', directory, '-L', module);
  const result = ended(child);
  await once(child.stderr, 'data');
  child.kill('SIGTERM');
  expect(await result).toEqual({ code: 143, stdout: '', stderr: 'loading' });
  rmSync(directory, { recursive: true });
});

test('a server whose terminal is closed ends in order', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sansocket-hangup-'));
  const [path, status] = [join(directory, 'socket'), join(directory, 'status')];
  // `script` is the terminal. A shell gets its signal, as the leader of the session, passes it on, and tells how the server ended.
  const server = `"${process.execPath}" --import tsx "${MAIN}" serve --unix ${path}`;
  const line = `trap 'kill -HUP $server' HUP; ${server} & server=$!; wait $server; wait $server; echo $? > ${status}`;
  const terminal = spawn('script', ['-qfc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
  await once(terminal.stdout, 'data');
  const sockets = [await connect(`ws+unix:${path}`), await connect(`ws+unix:${path}`)];
  terminal.kill('SIGKILL');
  for (const socket of sockets) expect(await socket.closed).toMatchObject({ code: 1001, clean: true });
  await vi.waitFor(() => expect(readFileSync(status, 'utf8')).toBe('129\n'), 10_000);
  expect(existsSync(path)).toBe(false);
  rmSync(directory, { recursive: true });
});

test('Ctrl-Z gives the terminal to the shell, and `fg` takes it back', async () => {
  const server = await echoServer();
  // A shell with jobs, on a terminal of its own. One that edits no lines leaves the terminal as it finds it.
  const line = `NO_COLOR=1 PS1='shell$ ' exec bash --norc --noprofile --noediting -i`;
  const terminal = spawn('script', ['-qfc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let shown = '';
  terminal.stdout.on('data', (chunk) => (shown += chunk));
  const until = async (wanted: RegExp) => {
    await vi.waitFor(() => expect(shown).toMatch(wanted), 20_000);
    shown = '';
  };
  try {
    await until(/shell\$ $/);
    terminal.stdin.write(`"${process.execPath}" --import tsx "${MAIN}" connect ${server.url}\n`);
    await until(/connected to .*> /s);
    terminal.stdin.write('one\r');
    await until(/< one\r\n/);
    terminal.stdin.write('\x1a');
    await until(/Stopped.*shell\$ $/s);
    terminal.stdin.write("stty -a | tr ' ' '\\n' | grep -x -e echo -e icanon -e -echo -e -icanon | xargs\n");
    await until(/\n(icanon echo|echo icanon)\r\n/);
    terminal.stdin.write('fg\n');
    await until(/fg\r\n.*> /s);
    terminal.stdin.write('two\r');
    await until(/< two\r\n/);
    terminal.stdin.write('\x04');
    await until(/closed 1000/);
  } finally {
    terminal.kill('SIGKILL');
    await server.close();
  }
}, 60_000);

test('a terminal that is gone ends nothing: SIGHUP does', async () => {
  const stream = Object.assign(new PassThrough({ highWaterMark: 1 }), { isTTY: true, columns: 80 });
  const output = outputOf(stream as unknown as NodeJS.WriteStream);
  expect(output.write('more than there is room for')).toBe(false);
  const waiting = output.drained();
  // Unless it is taken for what it is, it ends this process.
  stream.emit('error', Object.assign(new Error('write EIO'), { code: 'EIO' }));
  await waiting;
  expect(output.write('nobody reads it')).toBe(true);
});

test('an output that cannot be written is a failure, in words', async () => {
  const child = spawn('/bin/sh', ['-c', 'exec "$0" --import tsx "$1" key > /dev/full', process.execPath, MAIN], {
    stdio: 'pipe',
  });
  const { code, stderr } = await ended(child);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: the output cannot be written: ENOSPC[^\n]*\n$/)]);
});

test('any number may wait for an output that is full', async () => {
  const stream = Object.assign(new PassThrough({ highWaterMark: 1 }), { isTTY: false, columns: 80 });
  const output = outputOf(stream as unknown as NodeJS.WriteStream);
  expect(output.write('more than there is room for')).toBe(false);
  const waiting = Array.from({ length: 20 }, () => output.drained());
  expect(stream.listenerCount('drain')).toBe(1);
  stream.resume();
  await Promise.all(waiting);
  expect(output.write('again')).toBe(false);
  await output.drained();
});

test('a reader that has enough ends it quietly', async () => {
  const server = await echoServer();
  const child = start('connect', server.url, '--wait', '1h');
  const result = ended(child);
  child.stdout.destroy();
  child.stdin.write('a\n'.repeat(1_000));
  const writing = setInterval(() => child.stdin.write('a\n'), 10);
  child.stdin.on('error', () => {});
  const { code, stderr } = await result;
  clearInterval(writing);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  await server.close();
});

test('--reconnect: more than can wait comes while the connection closes, and it does not spin', async () => {
  // Says Close at once and lingers, which is when the input comes.
  const listener = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      const key = /^sec-websocket-key: (.*)\r$/im.exec(head.toString())![1]!;
      const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
      socket.write(Uint8Array.of(0x88, 2, 0x03, 0xe9));
      socket.once('data', () => {
        child.stdin.write('line\n'.repeat(1_000));
        setTimeout(() => socket.end(), 200);
      });
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const child = start('connect', `ws://127.0.0.1:${port}`, '--reconnect', '--json');
  try {
    const result = ended(child);
    let told = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk) => {
        told += chunk;
        if (told.includes('"waiting"')) resolve();
      });
    });
    child.kill('SIGINT');
    expect((await result).code).toBe(130);
  } finally {
    child.kill('SIGKILL');
    listener.close();
  }
});
