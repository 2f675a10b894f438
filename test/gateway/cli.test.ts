import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, Server as NetServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { findUser } from '../../src/gateway/privileges.ts';
import { Command, cli } from '../cli/support.ts';
import { authority, local } from '../support/certificates.ts';
import { backend, cleanUp, echo, folder } from './support.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A command until the end of the test, when it has printed what it begins with. */
async function running(words: readonly string[], first: RegExp): Promise<{ command: Command; said: RegExpExecArray }> {
  const command = new Command(words, { input: null });
  cleanUp(() => command.interrupt());
  const text = await command.until(first);
  return { command, said: first.exec(text)! };
}

async function one(url: string, text: string): Promise<unknown> {
  const socket = await connect(url);
  socket.send(text);
  for await (const { data } of socket) {
    await socket.close();
    return data;
  }
  return null;
}

describe('row 106: sansocket gateway', () => {
  test('a docroot and routes; it tells of clients and of why they were refused', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const tcp = await backend(0, echo);
    const { port } = tcp.address() as AddressInfo;
    const words = [
      'gateway',
      '-R',
      docroot,
      '-r',
      `tcp=tcp:127.0.0.1:${port}`,
      '-r',
      `u=unix:${docroot}/echo`,
      '-p',
      '0',
    ];
    const { command, said } = await running(
      [...words, '--deny', 'secret,x*', '--framing', 'nul'],
      /gateway on (ws:\S+)\n/,
    );
    for (const name of ['echo', 'tcp', 'u/any']) expect(await one(`${said[1]}/${name}`, 'hello')).toBe('hello');
    await expect(connect(`${said[1]}/secret`)).rejects.toMatchObject({ status: 403 });
    await expect(connect(`${said[1]}/none`)).rejects.toMatchObject({ status: 404 });
    await command.until(/refused 404 \/none 127\.0\.0\.1: there is no socket/);
    const { code, stdout } = await command.interrupt();
    expect(code).toBe(0);
    expect(stdout).toContain('#1 open   echo 127.0.0.1\n');
    expect(stdout).toContain('#3 closed u/any 127.0.0.1 1000\n');
    expect(stdout).toContain('refused 403 /secret 127.0.0.1: the rules deny it\n');
  });

  test('T69: --send-timeout: a server that takes nothing is dropped, and why is told', async () => {
    const docroot = folder();
    await backend(`${docroot}/mute`, (socket) => void socket.pause());
    const words = ['gateway', '-R', docroot, '-p', '0', '--send-timeout', '100ms'];
    const { command, said } = await running(words, /gateway on (ws:\S+)\n/);
    const socket = await connect(`${said[1]}/mute`);
    for (let i = 0; i < 32; i++) socket.send(new Uint8Array(65_536));
    expect(await socket.closed).toMatchObject({ code: 1011 });
    await command.until('#1 closed mute 127.0.0.1 1011 "the backend takes nothing": it took nothing for 100 ms\n');
  });

  test('--json: one line for everything that happens', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const { command, said } = await running(['gateway', '-R', docroot, '-p', '0', '--json'], /"url":"([^"]+)"/);
    expect(await one(`${said[1]}/echo`, 'x')).toBe('x');
    await expect(connect(`${said[1]}/no%0ane`)).rejects.toMatchObject({ status: 404 });
    await command.until('"refused"');
    const { stdout } = await command.interrupt();
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; connection?: number });
    const told = lines.map(({ type, connection }) => [type, connection]);
    expect(told).toEqual([
      ['listening', undefined],
      ['open', 1],
      ['close', 1],
      ['refused', undefined],
    ]);
  });

  test('--compression: agreed on with clients that offer it', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    for (const words of [[], ['--compression']]) {
      const { said } = await running(['gateway', '-R', docroot, '-p', '0', ...words], /gateway on (ws:\S+)\n/);
      const socket = await connect(`${said[1]}/echo`, { compression: true });
      expect(socket.extensions !== '').toBe(words.length > 0);
      await socket.close();
    }
  });

  test('--pages: files for browsers, and nothing beside them', async () => {
    const docroot = folder();
    const pages = folder();
    writeFileSync(`${pages}/index.html`, '<p>hello</p>');
    writeFileSync(`${pages}/secret.env`, 'x');
    const { said } = await running(['gateway', '-R', docroot, '-p', '0', '--pages', pages], /gateway on ws(:\S+)\n/);
    const page = await fetch(`http${said[1]}/`);
    expect([page.status, await page.text()]).toEqual([200, '<p>hello</p>']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    for (const path of ['/secret.env', '/none.html', '/a%2findex.html', '/..%2findex.html', '/index.html/', '/%00']) {
      expect([path, (await fetch(`http${said[1]}${path}`)).status]).toEqual([path, 404]);
    }
    expect((await cli(['gateway', '-R', docroot, '--pages', `${pages}/none`])).stderr).toMatch(
      /pages cannot be served/,
    );
    expect((await cli(['gateway', '-R', docroot, '--pages', ''])).stderr).toMatch(/pages/);
  });

  test('--unix: it listens on a socket', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const front = `${docroot}/front`;
    await running(['gateway', '-R', docroot, '--unix', front], /gateway on (ws\+unix:\S+)\n/);
    const socket = createConnection(front);
    await once(socket, 'connect');
    socket.destroy();
  });

  test('--direct: clients of a name go to a process of its own', { timeout: 30_000 }, async () => {
    const file = `${folder()}/worker.mts`;
    const library = fileURLToPath(new URL('../../src/gateway/index.ts', import.meta.url));
    writeFileSync(
      file,
      `import { adopt } from ${JSON.stringify(library)};
      adopt((socket) => { socket.on('message', ({ data }) => { socket.send('worker ' + process.ppid + ' heard ' + data); }); });`,
    );
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'src/cli/main.ts', 'gateway', '-p', '0', '--direct', `w=${file}`],
      {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    cleanUp(() => child.kill('SIGKILL'));
    const url = /gateway on (\S+)/.exec(String((await once(child.stdout, 'data'))[0]))![1];
    expect(await one(`${url}/w`, 'hello')).toBe(`worker ${child.pid} heard hello`);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('--direct: a process that ends is told of, and its clients get 502', async () => {
    const file = `${folder()}/gone.mjs`;
    writeFileSync(file, 'process.exit(3);');
    const { command, said } = await running(['gateway', '-p', '0', '--direct', `w=${file}`], /gateway on (\S+)\n/);
    await command.until(/warning: the process of 'w' \(\S+gone\.mjs\) has ended with code 3\n/);
    await expect(connect(`${said[1]}/w`)).rejects.toMatchObject({ status: 502 });
  });

  test.each<[string[], RegExp]>([
    [['-R', '/none/such'], /docroot.*ENOENT/],
    [['-r', 'nonsense'], /--route must be/],
    [['-r', 'a=tcp:host'], /--route must be/],
    [['-r', 'a=unix:relative'], /absolute/],
    [['-r', 'a=tcp:h:1', '--framing', 'xml'], /framing/],
    [['-r', 'a=tcp:h:1', '--frame-type', 'xml'], /--frame-type must be text or binary or auto/],
    [['-r', 'a=tcp:h:1', '--order', 'x'], /order/],
    [['-r', 'a=tcp:h:1', '--end-code', '1006'], /1006 may not be sent/],
    [['-r', 'a=tcp:h:1', '--cert', 'x'], /both --cert and --key/],
    [['--direct', 'x'], /NAME=FILE/],
    [['--direct', 'x=./none.mjs'], /--direct: there is no module '\.\/none\.mjs'/],
    [['--direct', 'x=src/cli/main.ts', '-r', 'a=tcp:localhost:7'], /--direct excludes --docroot and --route/],
    [['--direct', 'x=src/cli/main.ts', '--direct', 'x=src/cli/run.ts'], /--direct has the name 'x' twice/],
    [['--direct', 'x=src/cli/main.ts', '--pages', '.', '-p', '0'], /mode 'direct' has no --pages/],
    [['--unix', '/tmp/x', '--port', '1'], /--unix and --port exclude each other/],
    [['--order', 'up'], /--order must be deny-first or allow-first/],
    [['--docrot', 'x'], /did you mean '--docroot'/],
    [['extra', '-r', 'a=tcp:h:1', '-p', '0'], /takes no 'extra'/],
  ])('%j is refused, with exit code 2', async (words, message) => {
    const { code, stderr } = await cli(['gateway', ...words]);
    expect([code, message.test(stderr) ? true : stderr]).toEqual([2, true]);
  });

  test('its help tells of all it can do', async () => {
    const { stdout } = await cli(['gateway', '--help']);
    expect(stdout).toMatch(/--docroot DIR/);
    expect(stdout.split('\n').every((line) => line.length <= 130)).toBe(true);
  });
});

describe('row 106: the configuration file of the gateway', () => {
  /** A folder with a docroot, pages, a certificate, a module that ends at once, and the file. */
  async function written(options: object | string): Promise<{ home: string; file: string }> {
    const home = folder();
    for (const name of ['sockets', 'pages']) mkdirSync(`${home}/${name}`);
    for (const name of ['echo', 'secret', 'other']) await backend(`${home}/sockets/${name}`, echo);
    writeFileSync(`${home}/pages/index.html`, '<p>hello</p>');
    writeFileSync(`${home}/cert.pem`, local.cert);
    writeFileSync(`${home}/key.pem`, local.key);
    writeFileSync(`${home}/gone.mjs`, 'process.exit(3);');
    const file = `${home}/gateway.json`;
    writeFileSync(file, typeof options === 'string' ? options : JSON.stringify(options));
    return { home, file };
  }
  const status = (url: string, options = {}) =>
    connect(url, options).then(
      async (socket) => {
        await socket.close();
        return 101;
      },
      (error: { status?: number }) => error.status,
    );

  test('has docroot, allow, deny, mode and the rest by the names of createGateway, and files beside it', async () => {
    const { file } = await written({
      port: 0,
      docroot: 'sockets',
      allow: ['echo', 'secret'],
      deny: 'secret',
      mode: 'indirect',
      framing: 'nul',
      frameType: 'binary',
      pages: 'pages',
    });
    const { said } = await running(['gateway', '--config', file], /gateway on ws(:\/\/127\.0\.0\.1:\d+)\n/);
    expect(await one(`ws${said[1]}/echo`, 'hello')).toEqual(new Uint8Array(Buffer.from('hello')));
    expect([await status(`ws${said[1]}/secret`), await status(`ws${said[1]}/other`)]).toEqual([403, 403]);
    expect(await (await fetch(`http${said[1]}/`)).text()).toBe('<p>hello</p>');
  });

  test('flags win over it, another place to listen and other backends among them', async () => {
    const { home, file } = await written({ port: 1, docroot: 'nowhere', allow: '*', deny: ['echo'], pages: 'pages' });
    const words = ['gateway', '-c', file, '-R', `${home}/sockets`];
    const { said } = await running([...words, '-p', '0', '--deny', 'other'], /gateway on (ws:\S+)\n/);
    expect([await status(`${said[1]}/echo`), await status(`${said[1]}/other`)]).toEqual([101, 403]);
    const unix = await running([...words, '--unix', `${home}/front`], /gateway on (ws\+unix:\S+)\n/);
    expect(await status(`${unix.said[1]}:/echo`)).toBe(403);
    expect(await status(`${unix.said[1]}:/other`)).toBe(101);
    const back = await written({ options: 'direct', processes: {}, port: 0 });
    const sockets = await running(['gateway', '-c', back.file, '-R', `${home}/sockets`], /gateway on (ws:\S+)\n/);
    expect(await status(`${sockets.said[1]}/echo`)).toBe(101);
  });

  test('has TLS and direct mode', async () => {
    const secure = await written({ port: 0, docroot: 'sockets', tls: { cert: 'cert.pem', key: 'key.pem' } });
    const { said } = await running(['gateway', '-c', secure.file], /gateway on (wss:\S+)\n/);
    expect(await status(`${said[1]}/echo`, { tls: { ca: authority } })).toBe(101);
    for (const direct of [{ mode: 'direct' }, { options: 'direct' }]) {
      const { file } = await written({ port: 0, ...direct, processes: { w: './gone.mjs' } });
      const started = await running(['gateway', '-c', file], /gateway on (ws:\S+)\n/);
      await started.command.until(/warning: the process of 'w' \(\S+gone\.mjs\) has ended with code 3\n/);
      expect([await status(`${started.said[1]}/w`), await status(`${started.said[1]}/echo`)]).toEqual([502, 404]);
    }
  });

  test.each<[string, object | string, string, ...string[]]>([
    ['no JSON', '{ port: 1 }', 'gateway.json is not JSON'],
    ['no object', '[]', 'gateway.json: the file must be an object'],
    ['an unknown key', { docrot: 'sockets' }, "gateway.json: there is no option 'docrot'; known are docroot,"],
    ['__proto__', '{ "__proto__": 1, "docroot": "sockets" }', "gateway.json: there is no option '__proto__'"],
    ['docroot', { docroot: 'none' }, "gateway.json: option 'docroot': ENOENT"],
    ['docroot', { docroot: '' }, "gateway.json: option 'docroot' is empty"],
    ['docroot', { docroot: 5 }, "gateway.json: option 'docroot' must be a string, not 5"],
    ['allow', { docroot: 'sockets', allow: '/chat' }, "gateway.json: option 'allow': "],
    ['deny', { docroot: 'sockets', deny: null }, "gateway.json: option 'deny' must be patterns"],
    ['mode', { docroot: 'sockets', mode: 'strange' }, "gateway.json: option 'mode' must be 'indirect' or 'direct'"],
    ['options', { docroot: 'sockets', options: 'strange' }, "gateway.json: option 'options' must be 'direct'"],
    ['mode', { mode: 'direct' }, "gateway.json: mode 'direct' needs option 'processes'"],
    [
      'mode',
      { mode: 'direct', docroot: 'sockets', processes: {} },
      "gateway.json: mode 'direct' has neither 'docroot'",
    ],
    ['port', { docroot: 'sockets', port: '8080' }, "gateway.json: option 'port' must be a whole number"],
    ['port', { docroot: 'sockets', port: null }, "gateway.json: option 'port' must be a whole number"],
    ['tls', { docroot: 'sockets', tls: {} }, "gateway.json: option 'tls' needs both 'cert' and 'key'"],
    [
      'tls.cert',
      { docroot: 'sockets', tls: { cert: 'none', key: 'key.pem' } },
      "gateway.json: 'tls.cert': cannot read",
    ],
    ['pages', { docroot: 'sockets', pages: 5 }, 'gateway.json: pages must be the path of a folder'],
    ['processes', { mode: 'direct', processes: ['x'] }, 'gateway.json: processes must be the files of modules by name'],
    ['processes', { mode: 'direct', processes: { w: 5 } }, 'gateway.json: processes must be the files of modules'],
    ['a module', { mode: 'direct', processes: { w: 'no' } }, "gateway.json: processes: there is no module 'no'"],
    ['no mode', { processes: { w: 'gone.mjs' } }, "gateway.json: option 'processes' needs mode: 'direct'"],
    ['a flag', { docroot: 'sockets', framing: 'nul' }, 'error: --origin', '--origin', 'nonsense'],
  ])(
    'what is wrong in it is named, and what is wrong in a flag is the flag: %s',
    async (_, options, told, ...flags) => {
      const { file } = await written(options);
      const { code, stdout, stderr } = await cli(['gateway', '-c', file, ...flags]);
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(told)]);
    },
  );

  test('a file that is not there is an error, and no gateway with defaults', async () => {
    const { code, stderr } = await cli(['gateway', '--config', `${folder()}/none.json`]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('cannot read --config')]);
  });
});

describe('sansocket backend', () => {
  test('-R, -n, -m: where and under which name; its socket goes with it', async () => {
    const made = `${folder()}/run`;
    const { command } = await running(['backend', 'echo', '-R', made, '-n', 'mirror', '-m', '3'], /echo on (\S+)\n/);
    expect(statSync(`${made}/mirror`).mode & 0o777).toBe(0o660);
    expect(statSync(made).mode & 0o002).toBe(0);
    const { code } = await command.interrupt();
    expect([code, existsSync(`${made}/mirror`)]).toEqual([0, false]);
  });

  test('row 103: 50 may wait unless -m says otherwise, and nobody else may write into a folder that it makes', async () => {
    const listen = vi.spyOn(NetServer.prototype, 'listen');
    const mask = process.umask(0);
    const made = `${folder()}/run`;
    try {
      await running(['backend', 'echo', '-R', made], /echo on (\S+)\n/);
      expect(listen.mock.calls[0]![0]).toMatchObject({ backlog: 50 });
    } finally {
      process.umask(mask);
      listen.mockRestore();
    }
    expect([statSync(made).mode & 0o022, statSync(`${made}/echo`).mode & 0o777]).toEqual([0, 0o660]);
  });

  test('chat -w and jsonrpc -L -C behind a gateway', async () => {
    const made = folder();
    await running(['backend', 'chat', '-w', '-f', 'nul', '-R', made], /chat on/);
    const module = fileURLToPath(new URL('../../examples/gateway/calculator.mjs', import.meta.url));
    await running(['backend', 'jsonrpc', '-R', made, '-f', 'nul', '-L', module, '-C', '1'], /jsonrpc on/);
    const { said } = await running(['gateway', '-R', made, '-p', '0', '-f', 'nul', '-q'], /gateway on (ws:\S+)\n/);
    expect(await one(`${said[1]}/chat`, 'WSHello ada')).toBe('WSWelcome ada');
    const call = '{"jsonrpc":"2.0","method":"divide","params":[1,3],"id":1}';
    expect(await one(`${said[1]}/jsonrpc`, call)).toBe('{"jsonrpc":"2.0","result":0.3,"id":1}');
  });

  test('-D: it goes into the background when it listens, and says why if it cannot', { timeout: 30_000 }, async () => {
    const made = folder();
    const daemon = async (...words: string[]) => {
      const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'backend', 'echo', '-D', ...words], {
        cwd: ROOT,
      });
      let out = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          out += chunk;
        });
      }
      const [code] = await once(child, 'close');
      return [code, out];
    };
    const [code, out] = await daemon('-R', made);
    expect(code).toBe(0);
    const pid = Number(/^(\d+) on /.exec(String(out))![1]);
    cleanUp(() => {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended, as it should.
      }
    });
    const socket = createConnection(`${made}/echo`);
    socket.write('still here');
    expect(String((await once(socket, 'data'))[0])).toBe('still here');
    socket.destroy();
    const [again, why] = await daemon('-R', made);
    expect([again, String(why)]).toEqual([1, expect.stringMatching(/^error: listen EADDRINUSE[^\n]*\n$/)]);
    const [wrong, what] = await daemon('-R', made, '-u', 'no-such-user');
    expect([wrong, String(what)]).toEqual([2, expect.stringContaining("no user 'no-such-user'")]);
    process.kill(pid, 'SIGTERM');
    await vi.waitFor(() => expect(existsSync(`${made}/echo`)).toBe(false), 5_000);
  });

  test.runIf(process.getuid?.() === 0)('-u: it becomes that user, or does not start', { timeout: 30_000 }, async () => {
    const parent = folder();
    chmodSync(parent, 0o755);
    const made = `${parent}/run`;
    const words = ['--import', 'tsx', 'src/cli/main.ts', 'backend', 'echo', '-R', made, '-u', 'nobody'];
    const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    cleanUp(() => child.kill('SIGKILL'));
    expect(String((await once(child.stdout, 'data'))[0])).toBe(`echo on ${made}/echo\n`);
    const { uid, gid } = findUser('nobody');
    for (const path of [made, `${made}/echo`]) expect([statSync(path).uid, statSync(path).gid]).toEqual([uid, gid]);
    const socket = createConnection(`${made}/echo`);
    socket.write('as nobody');
    expect(String((await once(socket, 'data'))[0])).toBe('as nobody');
    socket.destroy();
    const { code, stderr } = await cli(['backend', 'echo', '-R', folder(), '-u', 'no-such-user']);
    expect([code, stderr]).toEqual([2, expect.stringContaining("no user 'no-such-user'")]);
  });

  test.each<[string[], RegExp]>([
    [[], /which one/],
    [['ecko'], /did you mean 'echo'/],
    [['echo', 'chat'], /one server at a time/],
    [['echo', '-w'], /--commands is for chat/],
    [['chat', '-t'], /--test is for echo/],
    [['chat', '-L', 'x'], /--library is for jsonrpc/],
    [['echo', '-m', '0'], /--max-clients/],
    [['echo', '-f', 'xml'], /--framing must be chunk or nul/],
    [['echo', '-n', '../x'], /cannot be the name/],
    [['jsonrpc', '-L', '/none/such.mjs'], /cannot be loaded/],
  ])('%j is refused, with exit code 2', async (words, message) => {
    const { code, stderr } = await cli(['backend', ...words, '-R', folder()]);
    expect([code, message.test(stderr) ? true : stderr]).toEqual([2, true]);
  });
});
