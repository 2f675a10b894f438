import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { dial } from '../../src/gateway/backend.ts';
import { createGateway, type GatewayEvents, type GatewayOptions } from '../../src/gateway/index.ts';
import { NameRules } from '../../src/gateway/name-rules.ts';
import { findHeld, findNamed } from '../../src/gateway/socket-file.ts';
import { findTarget } from '../../src/gateway/targets.ts';
import type { UpgradeServer } from '../../src/server/upgrade.ts';
import { nodeClock } from '../../src/transport/node/clock.ts';
import { authority, local } from '../support/certificates.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';
import { ask, backend, cleanUp, echo, folder, gateway, readAll, refused } from './support.ts';

const ENCODED = [
  ...[
    '/..',
    '/../decoy',
    '/./decoy',
    '/%2e%2e/decoy',
    '/%2E%2E/decoy',
    '/.%2e/decoy',
    '/%2e./decoy',
    '/in/../../decoy',
  ],
  ...['/in/%2e%2e/%2e%2e/decoy', '/..%2fdecoy', '/%2e%2e%2fdecoy', '/%2e%2e%5cdecoy', '/..\\decoy', '/..%5cdecoy'],
  ...[
    '/%252e%252e/decoy',
    '/%252e%252e%252fdecoy',
    '/%c0%ae%c0%ae/decoy',
    '/%e0%80%ae%e0%80%ae/decoy',
    '/%uff0e%uff0e/decoy',
  ],
  ...[
    '//decoy',
    '/..//decoy',
    '/decoy%00',
    '/%00',
    '/in%00/decoy',
    '/link',
    '/far/decoy',
    '/%2fdecoy',
    '/..;/decoy',
    '/.../decoy',
  ],
];

const NEVER = new AbortController().signal;

/** A docroot beside a socket that nobody may reach, with every way out of it. */
async function trap(): Promise<{ docroot: string; outside: string; reached: () => number }> {
  const outside = folder();
  let count = 0;
  await backend(`${outside}/decoy`, (socket) => {
    count++;
    socket.end('decoy');
  });
  const docroot = `${outside}/in`;
  mkdirSync(`${docroot}/sub`, { recursive: true });
  symlinkSync(`${outside}/decoy`, `${docroot}/link`);
  symlinkSync(outside, `${docroot}/far`);
  return { docroot, outside, reached: () => count };
}

describe('row 94, T64: nothing of a request leads out of the docroot', () => {
  test('every encoding of a way out is 404, and reaches nothing', async () => {
    const { docroot, reached } = await trap();
    const { port } = await gateway({ docroot, allow: '**', protocolAsName: true });
    for (const target of ENCODED) expect([target, await refused(port!, target)]).toEqual([target, 404]);
    for (const name of ['..', '../decoy', 'link', 'far/decoy']) {
      const status = await refused(port!, '/', { 'Sec-WebSocket-Protocol': name });
      // A subprotocol is a token: a slash in it is no opening handshake.
      expect([name, status]).toEqual([name, name.includes('/') ? 400 : 404]);
    }
    expect(reached()).toBe(0);
  });

  test('an absolute target, the Host and the query choose nothing', async () => {
    const { docroot, outside, reached } = await trap();
    await backend(`${docroot}/chat`, echo);
    const { port } = await gateway({ docroot });
    const status = async (target: string, headers = {}) => refused(port!, target, headers);
    expect(await status('http://evil/decoy')).toBe(404);
    expect(await status(`http://${encodeURIComponent(`unix:${outside}/decoy`)}/`)).toBe(404);
    expect(await status('/nothing?/../chat')).toBe(404);
    expect(await status('/nothing?name=chat', { Host: 'chat' })).toBe(404);
    expect(await status('ftp://evil/chat')).toBe(400);
    // These name the one backend, wherever they point.
    for (const target of ['/chat', 'http://evil/chat', '/chat?x=../../decoy', '/%63hat']) {
      const peer = await RawPeer.to(port!);
      peer.write(upgradeRequest(target));
      await peer.until('\r\n\r\n');
      expect([target, statusOf(peer.received)]).toEqual([target, 101]);
      peer.reset();
    }
    expect(reached()).toBe(0);
  });

  test('T67: only sockets: links, files, pipes and folders are not there', async () => {
    const { docroot, reached } = await trap();
    await backend(`${docroot}/real`, echo);
    symlinkSync(`${docroot}/real`, `${docroot}/inner-link`);
    symlinkSync('/dev/null', `${docroot}/device`);
    writeFileSync(`${docroot}/file`, 'x');
    execFileSync('mkfifo', [`${docroot}/pipe`]);
    const { port } = await gateway({ docroot, allow: '**' });
    for (const name of ['link', 'inner-link', 'device', 'file', 'pipe', 'sub', 'sub/none', 'file/x', 'far/in/real']) {
      expect([name, await refused(port!, `/${name}`)]).toEqual([name, 404]);
    }
    expect(reached()).toBe(0);
  });

  test.each([
    ['held by a descriptor', findHeld],
    ['looked up by name', findNamed],
  ])('T67: %s, every kind of file is told apart', async (_, find) => {
    const { docroot } = await trap();
    await backend(`${docroot}/real`, echo);
    writeFileSync(`${docroot}/file`, 'x');
    expect((await find(`${docroot}/sub`)).kind).toBe('folder');
    for (const name of ['none', 'file', 'link', 'far/decoy', 'sub/../real', 'file/x']) {
      expect([name, (await find(`${docroot}/${name}`)).kind]).toEqual([name, 'nothing']);
    }
    const found = await find(`${docroot}/real`);
    expect(found.kind).toBe('socket');
    if (found.kind !== 'socket') return;
    const reached = await dial({ path: '' }, found.file, 1_000, NEVER);
    reached.destroy();
  });

  test.each([
    ['held by a descriptor', findHeld],
    ['looked up by name', findNamed],
  ])('T67: %s, what cannot be looked up is no 404: the operator is told why', async (_, find) => {
    const { docroot } = await trap();
    const long = 'a'.repeat(300);
    const why = { status: 502, message: 'ENAMETOOLONG' };
    await expect(find(`${docroot}/${long}`)).rejects.toMatchObject(why);
    const carriage = { framing: 'chunk', frameType: 'text' } as const;
    const route = { prefix: '', address: { path: `${docroot}/${long}/socket` }, ...carriage };
    const names = {
      routes: [route],
      docroot: null,
      rules: new NameRules('*', [], 'deny-first', 'test'),
      protocolAsName: false,
      ...carriage,
    };
    await expect(findTarget(names, '/any', [], find)).rejects.toMatchObject(why);
  });

  test.skipIf(process.platform === 'win32').each([
    ['name', { without: 502, withSome: 101, reason: 'EMFILE' }],
    ['page', { without: 500, withSome: 200, reason: expect.stringContaining('EMFILE') }],
  ])('a gateway without descriptors: for a %s that is there it is no 404', async (what, expected) => {
    const script = fileURLToPath(new URL('./descriptors.child.ts', import.meta.url));
    const command = `ulimit -n 64 && exec "${process.execPath}" --import tsx "${script}" ${what}`;
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
    cleanUp(() => child.kill('SIGKILL'));
    const printed = await readAll(child.stdout as unknown as Socket);
    expect(JSON.parse(printed.toString())).toEqual(expected);
  });

  test.runIf(process.platform === 'linux')(
    'T67: what is put in its place after the look is not connected to',
    async () => {
      const { docroot, outside, reached } = await trap();
      let right = 0;
      await backend(`${docroot}/a`, (socket) => {
        right++;
        socket.end();
      });
      const found = await findHeld(`${docroot}/a`);
      if (found.kind !== 'socket') throw new Error('there is a socket');
      unlinkSync(`${docroot}/a`);
      symlinkSync(`${outside}/decoy`, `${docroot}/a`);
      const connection = await dial({ path: '' }, found.file, 1_000, NEVER);
      await new Promise((resolve) => setImmediate(resolve));
      connection.destroy();
      expect(reached()).toBe(0);
      expect(right).toBe(1);
    },
  );

  test('T67: looked up by name, what was put in its place is found out after connecting', async () => {
    const { docroot, reached } = await trap();
    await backend(`${docroot}/a`, echo);
    await backend(`${docroot}/b`, echo);
    const found = await findNamed(`${docroot}/a`);
    if (found.kind !== 'socket') throw new Error('there is a socket');
    renameSync(`${docroot}/b`, `${docroot}/a`);
    await expect(dial({ path: '' }, found.file, 1_000, NEVER)).rejects.toMatchObject({ status: 404 });
    expect(reached()).toBe(0);
  });

  test('T67: a docroot that everybody may write into is refused, and one that is none', async () => {
    const docroot = folder();
    chmodSync(docroot, 0o777);
    await expect(gateway({ docroot })).rejects.toThrow(/everybody may write/);
    await expect(gateway({ docroot: `${docroot}/none` })).rejects.toThrow(/docroot.*ENOENT/);
    writeFileSync(`${docroot}/file`, '');
    await expect(gateway({ docroot: `${docroot}/file` })).rejects.toThrow(/no folder/);
  });
});

describe('T66: paths that do not fit', () => {
  test('two names that share 107 bytes of their paths: neither reaches the other', async () => {
    const docroot = folder();
    const room = 107 - docroot.length - 1;
    const longest = 'a'.repeat(room);
    let reached = 0;
    await backend(`${docroot}/${longest}`, (socket) => {
      reached++;
      echo(socket);
    });
    const { port, url } = await gateway({ docroot });
    for (const tail of ['b', 'c', 'bc', '%C3%A9']) expect(await refused(port!, `/${longest}${tail}`)).toBe(404);
    expect(reached).toBe(0);
    const socket = await connect(`${url}/${longest}`);
    await socket.close();
    expect(reached).toBe(1);
    // Counted in bytes.
    expect(await refused(port!, `/${'é'.repeat(Math.ceil(room / 2) + 1)}`.replaceAll('é', '%C3%A9'))).toBe(404);
  });

  test('a short way through a link to a path that does not fit: looked up by name, it is not cut', async () => {
    const short = folder();
    const long = `${short}/${'d'.repeat(100)}`;
    mkdirSync(long);
    symlinkSync(long, `${short}/s`);
    // Through the link there is room for it.
    await backend(`${short}/s/socket`, echo);
    const carriage = { framing: 'chunk', frameType: 'text' } as const;
    const route = { prefix: '', address: { path: `${short}/s/socket` }, ...carriage };
    const rules = new NameRules('*', [], 'deny-first', 'test');
    const names = { routes: [route], docroot: null, rules, protocolAsName: false, ...carriage };
    await expect(findTarget(names, '/any', [], findNamed)).rejects.toMatchObject({
      status: 502,
      message: 'the path of the socket has more than 107 bytes',
    });
    if (process.platform !== 'linux') return;
    const { file } = await findTarget(names, '/any', [], findHeld);
    (await dial({ path: '' }, file, 1_000, NEVER)).destroy();
  });

  test.each<[Partial<GatewayOptions>, RegExp]>([
    [{ routes: [{ prefix: 'a', path: `/${'x'.repeat(107)}` }] }, /more than 107 bytes/],
    [{ routes: [{ prefix: 'a', path: '/run/a\0b' }] }, /NUL/],
    [{ routes: [{ prefix: 'a', path: '\0abstract' }] }, /absolute path/],
    [{ routes: [{ prefix: 'a', path: 'relative' }] }, /absolute/],
    [{ routes: [{ prefix: 'a', path: '/run/../etc/x' }] }, /absolute path without/],
    [{ routes: [{ prefix: 'a', path: '/run//x' }] }, /absolute path without/],
    [{ routes: [{ prefix: 'a' }] }, /either 'path'.*or 'port'/],
    [{ routes: [{ prefix: 'a', path: '/x', port: 1 }] }, /either 'path'.*or 'port'/],
    [{ routes: [{ prefix: 'a', path: '/x', host: 'h' }] }, /means nothing/],
    [{ routes: [{ prefix: 'a', port: 70_000 }] }, /1 to 65535, not 70000$/],
    [{ routes: [{ prefix: 'a', port: '4' as never }] }, /1 to 65535, not '4'$/],
    [{ routes: [{ prefix: 'a', port: [4] as never }] }, /1 to 65535, not an array$/],
    [{ routes: [{ prefix: 'a/../b', port: 1 }] }, /can begin no name/],
    [
      {
        routes: [
          { prefix: 'a', port: 1 },
          { prefix: '/a/', port: 2 },
        ],
      },
      /twice/,
    ],
    [{ routes: [{ port: 1 } as never] }, /needs a 'prefix'/],
    [{ routes: [null as never] }, /must be an object/],
    [{ routes: [{ prefix: 'a', port: 1, host: '' }] }, /empty host/],
    [{ routes: [{ prefix: 'a', port: 1, framing: 'xml' as never }] }, /framing/],
    [{}, /docroot.*routes/],
    [{ routes: [] }, /docroot.*routes/],
    [{ docroot: '/tmp/none-such' }, /docroot.*ENOENT/],
    [{ docroot: 5 as never }, /docroot.*string/],
    [{ routes: 5 as never }, /routes.*array/],
    [{ allow: 5 as never }, /allow.*patterns/],
    [{ allow: null as never }, /allow.*patterns/],
    [{ deny: null as never }, /deny.*patterns/],
    [{ docroot: '/' }, /everything below it/],
    [{ order: 'x' as never }, /order.*deny-first/],
    [{ framing: 'NUL' as never }, /framing/],
    [{ frameType: null as never }, /frameType/],
    [{ endCode: 1006 }, /endCode.*1006 may not be sent/],
    [{ endCode: 999 }, /endCode/],
    [{ connectTimeout: 0 }, /connectTimeout/],
    [{ sendTimeout: 0 }, /'sendTimeout' must be a number of milliseconds above 0 \(or null for off\), not 0/],
    [{ sendTimeout: '60s' as never }, /sendTimeout.*not '60s'/],
    [{ maxMessageSize: -1 }, /maxMessageSize/],
    [{ trustedProxies: ['nobody'] }, /nobody/],
    [{ trustedProxies: '10.0.0.0/8' as never }, /trustedProxies.*array/],
    [{ delivery: 'message' } as never, /delivery.*own affair/],
    [{ path: `/tmp/${'x'.repeat(120)}`, port: undefined as never }, /'path' has more than 107 bytes/],
    [{ compression: 'yes' as never }, /compression.*boolean or an object/],
    [{ colour: 'red' } as never, /no option 'colour'/],
    [{ processes: {} }, /processes.*direct/],
    [{ port: 'x' as never }, /port/],
  ])('%j is refused with an error that says why', async (options, message) => {
    const routes =
      'docroot' in options || Object.keys(options).length === 0 || 'routes' in options
        ? {}
        : { routes: [{ prefix: 'a', port: 1 }] };
    await expect(createGateway({ port: 0, ...routes, ...options })).rejects.toThrow(message);
  });

  test('no options at all', async () => {
    await expect(createGateway(undefined as never)).rejects.toThrow(/must be an object/);
    await expect(createGateway(null as never)).rejects.toThrow(/must be an object/);
  });
});

describe('what is answered', () => {
  test('row 92: a backend is connected before the client is accepted', async () => {
    const docroot = folder();
    await backend(`${docroot}/secret`, echo);
    const stale = await backend(`${docroot}/moved`, echo);
    renameSync(`${docroot}/moved`, `${docroot}/stale`);
    stale.close();
    const heard: GatewayEvents['refused'][] = [];
    const running = await gateway({ docroot, deny: 'secret' });
    running.on('refused', (event) => heard.push(event));
    expect(await refused(running.port!, '/secret')).toBe(403);
    expect(await refused(running.port!, '/none')).toBe(404);
    expect(await refused(running.port!, '/')).toBe(404);
    expect(await refused(running.port!, '/stale')).toBe(502);
    await vi.waitFor(() => expect(heard.length).toBe(4));
    expect(heard.map(({ status, path, reason }) => [status, path, reason])).toEqual([
      [403, '/secret', 'the rules deny it'],
      [404, '/none', `there is no socket below ${docroot}`],
      [404, '/', `there is no socket below ${docroot}`],
      [502, '/stale', 'ECONNREFUSED'],
    ]);
    expect(running.connections).toBe(0);
  });

  test('a backend that does not accept in time is 504', async () => {
    // The kernel queues what a process does not accept; when the queue is full, connecting hangs.
    const script =
      "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {" +
      "require('fs').writeSync(1, String(s.address().port)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })";
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanUp(() => child.kill('SIGKILL'));
    const port = Number((await once(child.stdout, 'data'))[0]);
    const waiting = Array.from({ length: 4 }, () => connectTcp(port, '127.0.0.1').on('error', () => {}));
    cleanUp(() => {
      for (const socket of waiting) socket.destroy();
    });
    await once(waiting[0]!, 'connect');
    const running = await gateway({ routes: [{ prefix: 'slow', port }], connectTimeout: 100 });
    expect(await refused(running.port!, '/slow')).toBe(504);
  });

  /** A backend with a queue of one or two, and as many who wait in it. */
  async function crowded(): Promise<{ docroot: string; child: ChildProcess }> {
    const docroot = folder();
    const script =
      `const s = require('net').createServer((c) => c.pipe(c)).listen({ path: '${docroot}/busy', backlog: 1 }, () => {` +
      "require('fs').writeSync(1, 'ready') })";
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    cleanUp(() => child.kill('SIGKILL'));
    await once(child.stdout!, 'data');
    child.kill('SIGSTOP');
    for (let full = false; !full; ) {
      const socket = connectTcp(`${docroot}/busy`);
      cleanUp(() => socket.destroy());
      full = await new Promise((resolve) => {
        socket.once('connect', () => resolve(false));
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
      });
    }
    return { docroot, child };
  }

  test.runIf(process.platform === 'linux')('a UNIX socket whose queue is full stays so: 504', async () => {
    const { docroot } = await crowded();
    const { port } = await gateway({ docroot, connectTimeout: 100 });
    expect(await refused(port!, '/busy')).toBe(504);
  });

  test.runIf(process.platform === 'linux')(
    'a UNIX socket whose queue is full is asked to the end of the time',
    async () => {
      const { docroot } = await crowded();
      let now = 0;
      const later = setTimeout;
      // Each timer moves the clock by what was asked for, and takes no longer than a try.
      const moving = ((act: () => void, delay = 0) =>
        later(() => {
          now += delay;
          act();
        }, 20)) as typeof setTimeout;
      const spies = [
        vi.spyOn(nodeClock, 'now').mockImplementation(() => now),
        vi.spyOn(globalThis, 'setTimeout').mockImplementation(moving),
      ];
      cleanUp(() => {
        for (const spy of spies) spy.mockRestore();
      });
      await expect(dial({ path: `${docroot}/busy` }, null, 700, NEVER)).rejects.toMatchObject({ status: 504 });
      expect(now).toBe(700);
    },
  );

  test.runIf(process.platform === 'linux')('a UNIX socket whose queue was full: its clients waited', async () => {
    const { docroot, child } = await crowded();
    const { url } = await gateway({ docroot });
    const clients = Array.from({ length: 10 }, () => connect(`${url}/busy`));
    setTimeout(() => child.kill('SIGCONT'), 50);
    for (const socket of await Promise.all(clients)) await socket.close();
  });

  test.runIf(process.platform === 'linux')('who leaves while the backend is busy is waited for no longer', async () => {
    const { docroot } = await crowded();
    const found = await findHeld(`${docroot}/busy`);
    if (found.kind !== 'socket') throw new Error('there is a socket');
    const controller = new AbortController();
    const dialled = dial({ path: '' }, found.file, 1_000_000, controller.signal);
    setTimeout(() => controller.abort(), 20);
    await expect(dialled).rejects.toMatchObject({ status: 502 });
    await expect(dial({ path: `${docroot}/busy` }, null, 1_000_000, controller.signal)).rejects.toThrow();
  });

  test('T92: the client learns neither paths nor errors of the system', async () => {
    const docroot = folder();
    const stale = await backend(`${docroot}/moved`, echo);
    renameSync(`${docroot}/moved`, `${docroot}/stale`);
    stale.close();
    const { port } = await gateway({ docroot });
    for (const target of ['/none', '/stale', '/..', '/a%00']) {
      const answer = await ask(port!, target);
      expect(answer).not.toContain(docroot);
      expect(answer).not.toMatch(/gw-|stale|ECONN|ENOENT|socket below/);
    }
  });
});

describe('row 95: a subprotocol as the name', () => {
  test('where the path names none or a folder; what was used is answered', async () => {
    const docroot = folder();
    mkdirSync(`${docroot}/sub`);
    await backend(`${docroot}/chat.v2`, (socket) => socket.end('root'));
    await backend(`${docroot}/sub/chat.v2`, (socket) => socket.end('sub'));
    const { url } = await gateway({ docroot, allow: '*, sub/*', protocolAsName: true });
    const reach = async (path: string, subprotocols: string[]) => {
      const socket = await connect(`${url}${path}`, { subprotocols });
      const { subprotocol } = socket;
      for await (const { data } of socket) return [subprotocol, data];
      return null;
    };
    expect(await reach('/', ['x', 'chat.v2'])).toEqual(['chat.v2', 'root']);
    expect(await reach('/none', ['chat.v2'])).toEqual(['chat.v2', 'root']);
    expect(await reach('/sub', ['chat.v2'])).toEqual(['chat.v2', 'sub']);
  });

  test('the same rules hold, and without the option it means nothing', async () => {
    const docroot = folder();
    mkdirSync(`${docroot}/sub`);
    await backend(`${docroot}/secret`, echo);
    await backend(`${docroot}/sub/chat`, echo);
    const asked = { 'Sec-WebSocket-Protocol': 'secret' };
    const strict = await gateway({ docroot, protocolAsName: true, deny: 'secret' });
    expect(await refused(strict.port!, '/', asked)).toBe(403);
    expect(await refused(strict.port!, '/none', asked)).toBe(403);
    // Below a folder the name is that of the socket, folder and all.
    expect(await refused(strict.port!, '/sub', { 'Sec-WebSocket-Protocol': 'chat' })).toBe(403);
    const plain = await gateway({ docroot });
    expect(await refused(plain.port!, '/', asked)).toBe(404);
    expect(await refused(plain.port!, '/none', asked)).toBe(404);
  });
});

describe('row 101: routes', () => {
  test('the longest prefix, to TCP and UNIX, before the docroot', async () => {
    const docroot = folder();
    const say = (text: string) => (socket: Socket) => void socket.end(text);
    await backend(`${docroot}/feed`, say('docroot'));
    await backend(`${docroot}/other`, say('other'));
    const tcp = await backend(0, say('tcp'));
    const { port } = tcp.address() as AddressInfo;
    const routes = [
      { prefix: '/feed', path: `${docroot}/other` },
      { prefix: 'feed/live/', port },
    ];
    const { url, port: own } = await gateway({ docroot, routes });
    const reach = async (path: string) => {
      for await (const { data } of await connect(url + path)) return data;
      return null;
    };
    expect(await reach('/feed')).toBe('other');
    expect(await reach('/feed/lively')).toBe('other');
    expect(await reach('/feed/live')).toBe('tcp');
    expect(await reach('/feed/live/now?x=1')).toBe('tcp');
    expect(await reach('/other')).toBe('other');
    expect(await refused(own!, '/feeds')).toBe(404);
    expect(await refused(own!, '/feed/../other')).toBe(404);
  });
});

describe('row 100: behind TLS', () => {
  test('standalone over https, and attached to an https server', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const https = createHttps(local, (_, response) => response.end());
    https.listen(0, '127.0.0.1');
    await once(https, 'listening');
    cleanUp(() => https.close());
    const standalone = await gateway({ docroot, tls: local });
    const attached = await gateway({ docroot, server: https as unknown as UpgradeServer });
    for (const { url } of [standalone, attached]) {
      expect(url).toMatch(/^wss:/);
      const socket = await connect(`${url}/echo`, { tls: { ca: authority } });
      socket.send('through TLS');
      for await (const { data } of socket) {
        expect(data).toBe('through TLS');
        break;
      }
      await socket.close();
    }
  });
});

describe('T62, T91: who the client is', () => {
  test('T91: X-Forwarded-For is believed from trusted proxies only, and only its last stranger', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const seen = async (options: Partial<GatewayOptions>, forwarded: string | null) => {
      const running = await gateway({ docroot, ...options });
      const opened = new Promise<string | null>((resolve) =>
        running.on('open', ({ remoteAddress }) => resolve(remoteAddress)),
      );
      const headers = forwarded === null ? {} : { 'X-Forwarded-For': forwarded };
      const socket = await connect(`${running.url}/echo`, { headers });
      const address = await opened;
      await socket.close();
      return address;
    };
    const trustedProxies = ['127.0.0.1', '10.0.0.0/8'];
    expect(await seen({}, '6.6.6.6')).toBe('127.0.0.1');
    expect(await seen({ trustedProxies: ['10.0.0.1'] }, '6.6.6.6')).toBe('127.0.0.1');
    expect(await seen({ trustedProxies }, '203.0.113.9')).toBe('203.0.113.9');
    expect(await seen({ trustedProxies }, '6.6.6.6, 203.0.113.9, 10.1.2.3')).toBe('203.0.113.9');
    expect(await seen({ trustedProxies }, '10.9.9.9,10.1.2.3')).toBe('10.9.9.9');
    expect(await seen({ trustedProxies }, '::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(await seen({ trustedProxies }, '6.6.6.6, unknown')).toBe(null);
    expect(await seen({ trustedProxies }, '6.6.6.6, 10.0.0.1:99')).toBe(null);
    expect(await seen({ trustedProxies }, null)).toBe('127.0.0.1');
  });

  test('T91: what authorize gets as its peer is the client behind the proxy', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const seen: unknown[] = [];
    const authorize: GatewayOptions['authorize'] = (_, { remoteAddress, remotePort }) => {
      seen.push([remoteAddress, remotePort === null]);
      return true;
    };
    for (const trustedProxies of [['127.0.0.1'], ['10.0.0.1']]) {
      const { url } = await gateway({ docroot, trustedProxies, authorize });
      await (await connect(`${url}/echo`, { headers: { 'X-Forwarded-For': '203.0.113.9' } })).close();
    }
    const direct = await gateway({ mode: 'direct', processes: {}, trustedProxies: ['127.0.0.1'], authorize });
    await refused(direct.port!, '/none', { 'X-Forwarded-For': '203.0.113.8' });
    expect(seen).toEqual([
      ['203.0.113.9', true],
      ['127.0.0.1', false],
      ['203.0.113.8', true],
    ]);
  });

  test('T62: lists of addresses are about the client, whoever stands in front', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const status = async (options: Partial<GatewayOptions>, forwarded: string) => {
      const { port } = await gateway({ docroot, ...options });
      return statusOf(await ask(port!, '/none', { 'X-Forwarded-For': forwarded }));
    };
    const trustedProxies = ['127.0.0.0/8'];
    expect(await status({ trustedProxies, deniedAddresses: ['203.0.113.0/24'] }, '203.0.113.9')).toBe(403);
    expect(await status({ trustedProxies, deniedAddresses: ['203.0.113.0/24'] }, '::ffff:cb00:7109')).toBe(403);
    expect(await status({ trustedProxies, deniedAddresses: ['203.0.113.0/24'] }, '203.0.112.9')).toBe(404);
    expect(await status({ trustedProxies, allowedAddresses: ['203.0.113.9'] }, '203.0.113.9')).toBe(404);
    expect(await status({ trustedProxies, allowedAddresses: ['203.0.113.9'] }, '6.6.6.6')).toBe(403);
    expect(await status({ trustedProxies, allowedAddresses: ['203.0.113.9'] }, 'garbage')).toBe(403);
    // Nobody is trusted: the header is not looked at.
    expect(await status({ deniedAddresses: ['203.0.113.9'] }, '203.0.113.9')).toBe(404);
    expect(await status({ deniedAddresses: ['127.0.0.0/8'] }, '203.0.113.9')).toBe(403);
    expect(await status({ allowedAddresses: [] }, '203.0.113.9')).toBe(403);
  });

  test('T62: what is no upgrade is for clients on the lists too, and so is its peer', async () => {
    const heard: GatewayEvents['refused'][] = [];
    const page = async (options: Partial<GatewayOptions>, forwarded: string) => {
      const onRequest: GatewayOptions['onRequest'] = (_, { remoteAddress }) => ({ status: 200, body: remoteAddress! });
      const running = await gateway({ docroot: folder(), onRequest, ...options });
      running.on('refused', (event) => heard.push(event));
      const answer = await fetch(running.url.replace('ws', 'http'), { headers: { 'X-Forwarded-For': forwarded } });
      return [answer.status, await answer.text()];
    };
    const trustedProxies = ['127.0.0.0/8'];
    expect(await page({ trustedProxies, allowedAddresses: ['203.0.113.9'] }, '203.0.113.9')).toEqual([
      200,
      '203.0.113.9',
    ]);
    for (const lists of [{ allowedAddresses: ['203.0.113.9'] }, { deniedAddresses: ['6.0.0.0/8'] }]) {
      const refusal = [403, expect.stringContaining('the address is not allowed')];
      expect(await page({ trustedProxies, ...lists }, '6.6.6.6')).toEqual(refusal);
    }
    const told = { status: 403, path: '/', reason: 'its address is not allowed', remoteAddress: '6.6.6.6' };
    expect(heard).toEqual([told, told]);
    expect(await page({}, '203.0.113.9')).toEqual([200, '127.0.0.1']);
  });

  test('the hook of the application comes first, and may refuse', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const { port, url } = await gateway({
      docroot,
      authorize: async ({ query }) =>
        ({ '?yes': { headers: { 'X-Seen': '1' } }, '?no': { status: 401 }, '?odd': 'yes' as never })[query] ?? false,
    });
    expect(await refused(port!, '/echo')).toBe(403);
    expect(await refused(port!, '/echo?no')).toBe(401);
    expect(await refused(port!, '/echo?odd')).toBe(500);
    const socket = await connect(`${url}/echo?yes`);
    expect(socket.headers.get('x-seen')).toBe('1');
    await socket.close();
  });

  test('web pages of other hosts are refused, as by any server', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const { port } = await gateway({ docroot });
    expect(await refused(port!, '/echo', { Origin: 'https://evil.example' })).toBe(403);
  });
});
