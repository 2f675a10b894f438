import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { becomeUser, findUser } from '../../src/gateway/privileges.ts';
import { listenUnix } from '../../src/gateway/unix-socket.ts';
import { cleanUp, folder } from './support.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function server(): Server {
  const made = createServer((socket) => socket.on('error', () => {}).end('mine'));
  cleanUp(() => made.close());
  return made;
}

/** A socket file whose server was killed. */
async function stale(path: string): Promise<void> {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script], { stdio: 'ignore' }), 'exit');
  expect(lstatSync(path).isSocket()).toBe(true);
}

async function greeting(path: string): Promise<string> {
  const socket = connect(path);
  const [data] = await once(socket, 'data');
  socket.destroy();
  return String(data);
}

describe('T65: the rights of a socket', () => {
  test.each([0o660, 0o600, 0o666])('%o from the first moment, whatever the mask is', async (mode) => {
    const path = `${folder()}/s`;
    const made = server();
    const { listen } = made;
    let seen = 0;
    // The moment at which Node has made the file.
    made.listen = function watched(this: Server, ...given: unknown[]) {
      const result = (listen as (...all: unknown[]) => Server).apply(this, given);
      seen = statSync(path).mode & 0o777;
      return result;
    } as Server['listen'];
    const mask = process.umask(0);
    try {
      await listenUnix(made, path, { mode });
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(mask);
    }
    expect(seen).toBe(mode);
    expect(statSync(path).mode & 0o777).toBe(mode);
  });

  test('the default is for the owner and its group', async () => {
    const path = `${folder()}/s`;
    await listenUnix(server(), path);
    expect(statSync(path).mode & 0o777).toBe(0o660);
  });

  test('T66: a path that does not fit is refused, not cut', async () => {
    const docroot = folder();
    const path = `${docroot}/${'x'.repeat(108 - docroot.length - 1)}`;
    await expect(listenUnix(server(), path)).rejects.toThrow(/107 bytes/);
    await expect(listenUnix(server(), `${docroot}/a\0b`)).rejects.toThrow(/has a NUL in it/);
    expect(existsSync(path.slice(0, 107))).toBe(false);
    await listenUnix(server(), path.slice(0, 107));
    expect(await greeting(path.slice(0, 107))).toBe('mine');
  });
});

describe('T68: a file that is there already', () => {
  test('of a dead server: it is replaced', async () => {
    const path = `${folder()}/s`;
    await stale(path);
    await listenUnix(server(), path);
    expect(await greeting(path)).toBe('mine');
  });

  test('of a live server: it is never taken', async () => {
    const path = `${folder()}/s`;
    const other = createServer((socket) => socket.on('error', () => {}).end('theirs')).listen(path);
    await once(other, 'listening');
    cleanUp(() => other.close());
    const { ino } = lstatSync(path);
    await expect(listenUnix(server(), path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(lstatSync(path).ino).toBe(ino);
    expect(await greeting(path)).toBe('theirs');
  });

  test('of a live server that accepts nobody: it is never taken either', async () => {
    const path = `${folder()}/s`;
    const script =
      `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => {` +
      "require('fs').writeSync(1, 'x'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })";
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    cleanUp(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    const waiting = Array.from({ length: 5 }, () => connect(path).on('error', () => {}));
    cleanUp(() => {
      for (const socket of waiting) socket.destroy();
    });
    await expect(listenUnix(server(), path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  test('that is no socket: it is left alone', async () => {
    const docroot = folder();
    writeFileSync(`${docroot}/file`, 'precious');
    mkdirSync(`${docroot}/folder`);
    symlinkSync(`${docroot}/file`, `${docroot}/link`);
    for (const name of ['file', 'folder', 'link']) {
      await expect(listenUnix(server(), `${docroot}/${name}`)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      expect(existsSync(`${docroot}/${name}`)).toBe(true);
    }
  });

  test('two starters at once: one listens, the other is told', { timeout: 30_000 }, async () => {
    for (let round = 0; round < 20; round++) {
      const path = `${folder()}/s`;
      await stale(path);
      const settled = await Promise.allSettled([listenUnix(server(), path), listenUnix(server(), path)]);
      expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await greeting(path)).toBe('mine');
    }
  });

  test('its own is removed at the end, another one is not', async () => {
    const path = `${folder()}/s`;
    const remove = await listenUnix(server(), path);
    await remove();
    expect(existsSync(path)).toBe(false);
    const other = createServer().listen(path);
    await once(other, 'listening');
    cleanUp(() => other.close());
    await remove();
    expect(existsSync(path)).toBe(true);
  });
});

describe('privileges', () => {
  test('a user is found by its whole name, or there is an error', () => {
    const passwd = 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/:/x\n:x:1:1:::\nodd:x:a:b::/:\n';
    expect(findUser('web', passwd)).toEqual({ name: 'web', uid: 33, gid: 44 });
    for (const name of ['we', '', 'odd', 'none', 'web:x']) expect(() => findUser(name, passwd)).toThrow(/no user/);
  });

  test.runIf(process.getuid?.() === 0)('they are given up for good, groups and all', async () => {
    const script =
      "import { becomeUser, findUser } from './src/gateway/privileges.ts'; becomeUser(findUser('nobody'));" +
      'let back = false; try { process.setuid(0); back = true } catch {}' +
      'console.log(JSON.stringify([process.getuid(), process.geteuid(), process.getgid(), process.getgroups(), back]))';
    const out = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: ROOT });
    const { uid, gid } = findUser('nobody');
    expect(JSON.parse(String(out))).toEqual([uid, uid, gid, [gid], false]);
  });

  test.runIf(process.getuid?.() === 0)('who is not root cannot become another, and says so', async () => {
    const script =
      "import { becomeUser, findUser } from './src/gateway/privileges.ts'; becomeUser(findUser('nobody'));" +
      "becomeUser(findUser('nobody')); try { becomeUser(findUser('root')) } catch (error) { console.log(error.message) }";
    const out = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: ROOT });
    expect(String(out)).toMatch(/only root may become 'root'/);
  });

  test('to become who one is is nothing', () => {
    expect(() => becomeUser({ name: 'me', uid: process.getuid!(), gid: process.getgid!() })).not.toThrow();
  });
});
