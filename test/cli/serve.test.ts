/** `sansocket serve`: its modes, its log, and its configuration file (seed 107: every key of g2ows.json). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/cli/config.ts';
import { connect } from '../../src/client/connect.ts';
import type { ConnectOptions } from '../../src/client/options.ts';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { authority, client, local } from '../support/certificates.ts';
import { Command, cli } from './support.ts';

const directory = mkdtempSync(join(tmpdir(), 'sansocket-serve-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string, content: string | object): string => {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
file('cert.pem', local.cert);
file('key.pem', local.key);
file('ca.pem', authority);

/** Starts a server on a free port; gives its address. */
async function start(...argv: string[]): Promise<{ command: Command; url: string }> {
  const where = argv.includes('--config') || argv.includes('--unix') ? [] : ['--port', '0'];
  const command = new Command(['serve', ...argv, ...where], { input: null });
  const text = await command.until(/(?:on |"url":")(wss?(?:\+unix)?:[^\s"]+)/);
  return { command, url: /(?:on |"url":")(wss?(?:\+unix)?:[^\s"]+)/.exec(text)![1]! };
}

/** A client that remembers what it was sent. */
async function join_(
  url: string,
  options: ConnectOptions = {},
): Promise<{ socket: Endpoint; next(): Promise<string> }> {
  const socket = await connect(url, options);
  const messages = socket[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await messages.next();
    return value === undefined
      ? 'the end'
      : `${value.kind} ${value.kind === 'text' ? value.data : Buffer.from(value.data)}`;
  };
  return { socket, next };
}

describe('modes', () => {
  test('echo gives back text as text and bytes as bytes', async () => {
    const { command, url } = await start();
    const { socket, next } = await join_(url);
    socket.send('hello');
    socket.send(Buffer.from('bytes'));
    expect([await next(), await next()]).toEqual(['text hello', 'binary bytes']);
    await socket.close();
    const { code, stdout } = await command.interrupt();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^echo on ws:\/\/127\.0\.0\.1:\d+\n#1 open {3}127\.0\.0\.1:\d+ \/\n#1 closed 1000 .*; 2 in, 2 out\n$/,
    );
  });

  test('broadcast passes on to everybody else', async () => {
    const { command, url } = await start('broadcast');
    const [a, b, c] = [await join_(url), await join_(url), await join_(url)];
    a.socket.send('one');
    expect([await b.next(), await c.next()]).toEqual(['text one', 'text one']);
    b.socket.send('two');
    expect(await a.next()).toBe('text two');
    await command.interrupt();
    expect(await a.next()).toBe('the end');
  });

  test('chat gives names, and tells who comes and goes', async () => {
    const { command, url } = await start('chat');
    const ada = await join_(`${url}/?name=ada`);
    expect(await ada.next()).toBe('text you are ada; nobody else is here');
    const other = await join_(`${url}/?name=%1b%5b31mada`);
    expect(await other.next()).toBe('text you are 31mada; here are ada');
    expect(await ada.next()).toBe('text 31mada joined');
    const guest = await join_(url);
    expect(await guest.next()).toBe('text you are guest-1; here are ada, 31mada');
    expect(await ada.next()).toBe('text guest-1 joined');
    guest.socket.send('hi');
    expect(await ada.next()).toBe('text guest-1: hi');
    guest.socket.send(new Uint8Array(1));
    expect(await ada.next()).toBe('text guest-1 left');
    expect(await guest.socket.closed).toMatchObject({ code: 1003 });
    await command.interrupt();
  });

  test('row 66: --binary sends everything as binary, in each mode', async () => {
    const { command, url } = await start('echo', '--binary');
    const { socket, next } = await join_(url);
    socket.send('x');
    expect(await next()).toBe('binary x');
    await command.interrupt();
    const broadcast = await start('broadcast', '--binary');
    const [a, b] = [await join_(broadcast.url), await join_(broadcast.url)];
    a.socket.send('x');
    expect(await b.next()).toBe('binary x');
    await broadcast.command.interrupt();
    const chat = await start('chat', '--binary');
    const ada = await join_(`${chat.url}/?name=ada`);
    expect(await ada.next()).toBe('binary you are ada; nobody else is here');
    const bob = await join_(`${chat.url}/?name=bob`);
    expect([await bob.next(), await ada.next()]).toEqual(['binary you are bob; here are ada', 'binary bob joined']);
    await chat.command.interrupt();
  });
});

test.each([
  [`${'a'.repeat(31)}%F0%9D%92%9C`, `${'a'.repeat(31)}𝒜`],
  ['%F0%9D%92%9C'.repeat(40), '𝒜'.repeat(32)],
  // Half a pair, written as if it were a letter, and a letter that is cut.
  ['a%ED%A0%B5b', 'ab'],
  ['%F0%9D%92', 'guest-1'],
])('chat: a name is cut between letters (%j)', async (query, name) => {
  const { command, url } = await start('chat');
  const { next } = await join_(`${url}/?name=${query}`);
  expect(await next()).toBe(`text you are ${name}; nobody else is here`);
  await command.interrupt();
});

describe('flags', () => {
  test('--json tells of everything that happens', async () => {
    const { command, url } = await start('--json', '--path', '/here', '--subprotocol', 'v1');
    await expect(connect(`${url}/there`)).rejects.toThrow('404');
    const { socket } = await join_(`${url}/here`, { subprotocols: ['v1'] });
    await socket.close(1000, 'bye');
    await command.until('"close"');
    const { stdout } = await command.interrupt();
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { type: 'listening', url, mode: 'echo' },
      { type: 'refused', status: 404, target: '/there' },
      { type: 'open', connection: 1, target: '/here', subprotocol: 'v1' },
      { type: 'close', connection: 1, code: 1000, reason: 'bye', clean: true },
    ]);
  });

  test('seed 110: --quiet prints the address and nothing else', async () => {
    const { command, url } = await start('--quiet');
    await (await connect(url)).close();
    expect((await command.interrupt()).stdout).toBe(`echo on ${url}\n`);
  });

  test('--allow, --origin and --max-message-size are kept', async () => {
    const refusing = await start('--allow', '10.0.0.0/8');
    await expect(connect(refusing.url)).rejects.toThrow();
    await refusing.command.interrupt();
    const { command, url } = await start(
      '--origin',
      'https://a.test',
      '--max-message-size',
      '1KiB',
      '--max-connections',
      '1',
    );
    await expect(connect(url, { origin: 'https://b.test' })).rejects.toThrow('403');
    const { socket } = await join_(url, { origin: 'https://a.test' });
    await expect(connect(url)).rejects.toThrow('503');
    socket.send('x'.repeat(1025));
    expect(await socket.closed).toMatchObject({ code: 1009 });
    await command.interrupt();
  });

  test('--unix, and TLS with --cert and --key', async () => {
    const unix = await start('--unix', join(directory, 'socket'));
    await (await connect(unix.url)).close();
    await unix.command.interrupt();
    const { command, url } = await start('--cert', join(directory, 'cert.pem'), '--key', join(directory, 'key.pem'));
    expect(url).toMatch(/^wss:/);
    await (await connect(url, { tls: { ca: authority } })).close();
    await command.interrupt();
  });

  test.each(['serve', 'gateway'])('%s --unix takes the place of a dead server, and of nothing else', async (verb) => {
    const path = join(directory, `${verb}-left`);
    const argv = verb === 'serve' ? [verb, '--unix', path] : [verb, '--route', 'a=tcp:127.0.0.1:1', '--unix', path];
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', script], { stdio: 'ignore' }), 'exit');
    expect(lstatSync(path).isSocket()).toBe(true);
    const command = new Command(argv, { input: null });
    await command.until(`on ws+unix:${path}\n`);
    expect(await cli(argv)).toMatchObject({ code: 1, stderr: expect.stringContaining('EADDRINUSE') });
    expect((await command.interrupt()).code).toBe(0);
    writeFileSync(path, 'precious');
    expect(await cli(argv)).toMatchObject({ code: 1, stderr: expect.stringContaining('EADDRINUSE') });
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test.each(['serve', 'gateway'])('%s tells in words of a client that speaks no TLS', async (verb) => {
    const pair = ['--cert', join(directory, 'cert.pem'), '--key', join(directory, 'key.pem')];
    const argv = verb === 'serve' ? ['serve'] : ['gateway', '--route', 'a=tcp:127.0.0.1:1'];
    for (const flags of [[], ['--json']]) {
      const command = new Command([...argv, '--port', '0', ...pair, ...flags], { input: null });
      const [, port] = /:(\d+)[^\d]/.exec(await command.until(/wss:.*:\d+[^\d]/))!;
      await expect(connect(`ws://127.0.0.1:${port}`)).rejects.toThrow();
      await command.until('refused');
      const { stdout } = await command.interrupt();
      expect(stdout).toContain('what came is HTTP without TLS: the URL begins with ws: or http:');
      expect(stdout).not.toContain('SSL');
    }
  });

  test('what a peer says is printed without what a terminal would obey', async () => {
    const { command, url } = await start();
    await (await connect(`${url}/?%1b`)).close(1000, '\x1b[31m');
    await command.until('closed');
    expect((await command.interrupt()).stdout).toContain('"\\x1b[31m"');
  });

  test.each([
    [['ehco'], "did you mean 'echo'?"],
    [['echo', 'chat'], 'serve one thing at a time'],
    [['--port', '65536'], '--port must be a whole number from 0 to 65535'],
    [['--cert', 'x'], 'TLS needs both --cert and --key'],
    [['--unix', '/tmp/x', '--port', '1'], '--unix and --port exclude each other'],
    [['--path', 'nope', '--port', '0'], '\'nope" is no path'],
    [['--allow', 'localhost', '--port', '0'], 'localhost'],
    [['--cert', '/nowhere/at/all', '--key', 'y', '--port', '0'], 'cannot read'],
  ])('%o is refused', async (argv, told) => {
    const { code, stdout, stderr } = await cli(['serve', ...argv]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told.replace('\'nope"', '"nope"'));
  });

  test('a port that is taken is a failure', async () => {
    const { command, url } = await start();
    const { code, stderr } = await cli(['serve', '--port', new URL(url).port]);
    expect(code).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
    await command.interrupt();
  });
});

describe('seed 107: the configuration file', () => {
  const shipped = {
    port: 0,
    sendBinary: false,
    whitelist: ['127.0.0.1', '::1'],
    tls: { enabled: false, certFile: '', keyFile: '', caFile: 'NONE', disableHostnameValidation: true },
  };

  test('every key has its effect', async () => {
    const path = file('all.json', {
      ...shipped,
      sendBinary: true,
      tls: { ...shipped.tls, enabled: true, certFile: 'cert.pem', keyFile: 'key.pem' },
    });
    const { command, url } = await start('--config', path);
    expect(url).toMatch(/^wss:\/\/localhost:/);
    const { socket, next } = await join_(url, { tls: { ca: authority } });
    socket.send('x');
    expect(await next()).toBe('binary x');
    await command.interrupt();
  });

  test('seed 87: caFile asks clients for a certificate of that authority', async () => {
    const tls = { enabled: true, certFile: 'cert.pem', keyFile: 'key.pem', caFile: 'ca.pem' };
    const { command, url } = await start('--config', file('mutual.json', { ...shipped, tls }));
    // With TLS 1.3 the refusal comes after the client's side of the handshake.
    await expect(connect(url, { tls: { ca: authority } })).rejects.toThrow();
    await (await connect(url, { tls: { ca: authority, ...client } })).close();
    await command.interrupt();
  });

  test("seed 86, 87: caFile 'SYSTEM' asks for a certificate of an authority that Node trusts", {
    timeout: 60_000,
  }, async () => {
    const tls = { enabled: true, certFile: 'cert.pem', keyFile: 'key.pem', caFile: 'SYSTEM' };
    const path = file('system.json', { ...shipped, tls });
    const ours = { ca: authority, ...client };
    const { command, url } = await start('--config', path);
    await expect(connect(url, { tls: ours })).rejects.toThrow();
    await command.interrupt();
    // The same with our authority among those of the system.
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'serve', '--config', path], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [, trusting] = / on (wss:\S+)/.exec(String((await once(child.stdout, 'data'))[0]))!;
      await (await connect(trusting!, { tls: ours })).close();
      await expect(connect(trusting!, { tls: { ca: authority } })).rejects.toThrow();
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('its defaults are those of the G2O server: port 8080, and an empty whitelist lets nobody in', async () => {
    expect(parseConfig({}, 'x.json')).toEqual({ port: 8080, sendBinary: false, whitelist: [], tls: null });
    const { command, url } = await start('--config', file('empty.json', { port: 0 }));
    await command.until('the whitelist is empty: nobody may connect');
    await expect(connect(url)).rejects.toThrow();
    await command.interrupt();
  });

  test('flags win over it', async () => {
    const path = file('port.json', { ...shipped, port: 1, whitelist: [] });
    const command = new Command([
      'serve',
      '--config',
      path,
      '--port',
      '0',
      '--host',
      '127.0.0.1',
      '--allow',
      '127.0.0.1',
    ]);
    const text = await command.until(/on ws:\/\/127\.0\.0\.1:\d+/);
    const socket = await connect(/ws:\S+/.exec(text)![0]);
    await socket.close();
    await command.interrupt();
  });

  test.each<[string, object | string, string]>([
    ['no object', '[]', 'the file must be an object'],
    ['no JSON', '{ port: 1 }', 'is not JSON'],
    ['port', { port: '8080' }, 'port must be a whole number from 0 to 65535, not "8080"'],
    ['port', { port: 65_536 }, 'port must be'],
    ['port', { port: null }, 'port must be'],
    ['sendBinary', { sendBinary: 1 }, 'sendBinary must be true or false, not 1'],
    ['whitelist', { whitelist: '127.0.0.1' }, 'whitelist must be an array'],
    ['whitelist', { whitelist: [1] }, 'whitelist must be an array'],
    ['whitelist', { whitelist: ['localhost'] }, 'localhost'],
    ['tls', { tls: true }, 'tls must be an object'],
    ['tls.enabled', { tls: { enabled: 'yes' } }, 'tls.enabled must be true or false, not "yes"'],
    ['tls.certFile', { tls: { certFile: 1 } }, 'tls.certFile must be the path of a file'],
    ['tls.keyFile', { tls: { keyFile: null } }, 'tls.keyFile must be the path of a file'],
    ['tls.caFile', { tls: { caFile: false } }, "tls.caFile must be 'NONE'"],
    [
      'tls.disableHostnameValidation',
      { tls: { disableHostnameValidation: 0 } },
      'tls.disableHostnameValidation must be',
    ],
    ['an unknown key', { prot: 1 }, 'prot is no key of this file; did you mean port?'],
    ['an unknown key', { tls: { certfile: 'x' } }, 'tls.certfile is no key of this file; did you mean tls.certFile?'],
    ['an unknown key', { frobnicate: 1 }, 'there are port, sendBinary, whitelist, tls'],
    ['__proto__', '{ "__proto__": 1 }', '__proto__ is no key of this file'],
  ])('%s is named: %o', async (_, content, told) => {
    const { code, stdout, stderr } = await cli(['serve', '--config', file('wrong.json', content)]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
    expect(stderr).toContain('wrong.json');
  });

  test.each<[object, string]>([
    [{ enabled: true }, 'tls.certFile is missing, and tls.enabled is true'],
    [{ enabled: true, certFile: 'cert.pem' }, 'tls.keyFile is missing, and tls.enabled is true'],
    [{ enabled: true, certFile: 'nowhere.pem', keyFile: 'key.pem' }, 'tls.certFile cannot be read'],
    [{ enabled: true, certFile: 'cert.pem', keyFile: 'wrong.json' }, 'tls.keyFile names a file that is not PEM'],
    [{ enabled: true, certFile: 'cert.pem', keyFile: 'key.pem', caFile: '' }, 'tls.caFile is empty'],
    [{ enabled: true, certFile: 'key.pem', keyFile: 'key.pem' }, 'TLS cannot be used'],
  ])('seed 90: TLS without a certificate is an error: %o', async (tls, told) => {
    const { code, stdout, stderr } = await cli(['serve', '--config', file('tls.json', { ...shipped, tls })]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(told);
  });

  test('a file that is not there is an error, and not a server with defaults', async () => {
    const { code, stderr } = await cli(['serve', '--config', join(directory, 'nowhere.json')]);
    expect(code).toBe(2);
    expect(stderr).toContain('cannot read --config');
  });
});
