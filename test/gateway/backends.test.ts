import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, Server as NetServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { answer, type Methods } from '../../src/gateway/backends/json-rpc.ts';
import { JsonSplitter } from '../../src/gateway/backends/json-splitter.ts';
import { type BackendOptions, startBackend } from '../../src/gateway/backends/start.ts';
import { cleanUp, folder, gateway, readAll } from './support.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const failures: unknown[] = [];
const DEFAULTS: Omit<BackendOptions, 'kind' | 'folder'> = {
  ...{ name: 'b', user: null, backlog: 50, framing: 'nul', test: false, commands: false, echoSelf: false },
  ...{ module: null, config: '', failed: (error: unknown) => void failures.push(error) },
};

async function start(kind: BackendOptions['kind'], more: Partial<BackendOptions> = {}): Promise<string> {
  const running = await startBackend({ kind, folder: folder(), ...DEFAULTS, ...more });
  cleanUp(() => running.close());
  return running.path;
}

/** A client of the bare socket that remembers what it heard. */
class Client {
  readonly socket: Socket;
  heard = '';

  constructor(path: string) {
    this.socket = connectSocket(path);
    this.socket.on('data', (chunk) => {
      this.heard += chunk.toString('latin1');
    });
    this.socket.on('error', () => {});
    cleanUp(() => this.socket.destroy());
  }

  say(text: string): this {
    this.socket.write(text);
    return this;
  }

  async hears(text: string): Promise<void> {
    await vi.waitFor(() => expect(this.heard).toBe(text));
    this.heard = '';
  }
}

describe('row 103: echo', () => {
  test('every byte comes back, NUL and all, and an end ends it', async () => {
    const path = await start('echo');
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const socket = connectSocket(path);
    const all = readAll(socket);
    const bytes = Buffer.alloc(2_000_000, 'a\0b\xff', 'latin1');
    socket.end(bytes);
    expect((await all).equals(bytes)).toBe(true);
  });

  test('-t: bytes that look like frames reach the client as payload', async () => {
    const docroot = folder();
    const running = await startBackend({ kind: 'echo', folder: docroot, ...DEFAULTS, test: true });
    cleanUp(() => running.close());
    const { url } = await gateway({ docroot, frameType: 'binary' });
    const socket = await connect(`${url}/b`);
    socket.send(Uint8Array.of(1, 2));
    const got: number[] = [];
    for await (const { data } of socket) {
      got.push(...(data as Uint8Array));
      if (got.length === 8) break;
    }
    expect(got).toEqual([1, 2, 0x8a, 0x00, 0x88, 0x02, 0x03, 0xea]);
    expect(socket.readyState).toBe('open');
    await socket.close();
  });

  test('-m: as many may wait to be accepted', async () => {
    const listen = vi.spyOn(NetServer.prototype, 'listen');
    await start('echo', { backlog: 7 });
    const [options] = listen.mock.calls[0] as unknown as [object];
    listen.mockRestore();
    expect(options).toMatchObject({ backlog: 7 });
  });

  test('its socket goes with it', async () => {
    const running = await startBackend({ kind: 'echo', folder: `${folder()}/made/for/it`, ...DEFAULTS });
    expect(existsSync(running.path)).toBe(true);
    const client = new Client(running.path);
    await once(client.socket, 'connect');
    await running.close();
    expect(existsSync(running.path)).toBe(false);
  });

  test('a folder that cannot be made is a failure, and no loop', () => {
    // In a process of its own: the loop would let no timer run.
    const argv = ['--import', 'tsx', 'src/cli/main.ts', 'backend', 'echo', '-R', '/proc/none/such'];
    const { status, stderr } = spawnSync(process.execPath, argv, {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^error: E[A-Z]+: .*mkdir '\/proc\/none'/)]);
  }, 40_000);

  test.each(['../x', 'a/b', '', '..'])('the name %j is refused', async (name) => {
    await expect(start('echo', { name })).rejects.toThrow(/cannot be the name/);
  });
});

describe('row 104: chat', () => {
  test('what one says all others hear, message by message', async () => {
    const path = await start('chat');
    const [a, b, c] = [new Client(path), new Client(path), new Client(path)];
    await Promise.all([a, b, c].map(({ socket }) => once(socket, 'connect')));
    await new Promise((resolve) => setTimeout(resolve, 20));
    a.say('hel').say('lo\0WSHello x\0');
    await b.hears('hello\0WSHello x\0');
    await c.hears('hello\0WSHello x\0');
    expect(a.heard).toBe('');
  });

  test('--echo-self: who says it too', async () => {
    const a = new Client(await start('chat', { echoSelf: true }));
    await a.say('me\0').hears('me\0');
  });

  test('-w: WSHello, WSWelcome, and names that are taken or too long', async () => {
    const path = await start('chat', { commands: true });
    const [a, b, c] = [new Client(path), new Client(path), new Client(path)];
    await a.say('WSHello ada\0').hears('WSWelcome ada\0');
    await b.say('WSHello ada\0').hears('WSWelcome ada001\0');
    await c.say('WSHello ada\0').hears('WSWelcome ada002\0');
    // Its own name is not taken from oneself.
    await a.say('WSHello ada\0').hears('WSWelcome ada\0');
    await b.say(`WSHello ${'x'.repeat(40)}\0`).hears(`WSWelcome ${'x'.repeat(30)}\0`);
    await c.say(`WSHello ${'x'.repeat(40)}\0`).hears(`WSWelcome ${'x'.repeat(27)}001\0`);
    await c.say('WSHello\0').hears('WSWelcome guest\0');
    await c.say('WSHello two words\0').hears('WSWelcome two\0');
  });

  test('-w: WSPrivate for one alone, WSWhois and WSIs, and everything else for all', async () => {
    const path = await start('chat', { commands: true });
    const [a, b, c] = [new Client(path), new Client(path), new Client(path)];
    await a.say('WSHello ada\0').hears('WSWelcome ada\0');
    await b.say('WSHello bob\0').hears('WSWelcome bob\0');
    await c.say('WSHello eve\0').hears('WSWelcome eve\0');
    a.say('WSPrivate bob  two  words \0');
    await b.hears('two  words\0');
    await a.say('WSPrivate none hi\0').hears('WSIs none undefined\0');
    // Over a UNIX socket there is no address to tell.
    await a.say('WSWhois bob\0').hears('WSIs bob network error\0');
    await a.say('WSWhois none\0').hears('WSIs none undefined\0');
    a.say('WSUnknown x\0hello\0');
    await b.hears('WSUnknown x\0hello\0');
    await c.hears('WSUnknown x\0hello\0');
    b.socket.destroy();
    await once(b.socket, 'close');
    await vi.waitFor(() => {
      a.say('WSWhois bob\0');
      expect(a.heard).toMatch(/WSIs bob undefined/);
    });
  });

  test('through the gateway, with clients that leave in the middle', async () => {
    const docroot = folder();
    const running = await startBackend({ kind: 'chat', folder: docroot, ...DEFAULTS, commands: true });
    cleanUp(() => running.close());
    const { url } = await gateway({ docroot, framing: 'nul' });
    const [a, b, c] = await Promise.all([0, 1, 2].map(() => connect(`${url}/b`)));
    const heard: unknown[] = [];
    b!.on('message', ({ data }) => void heard.push(data));
    b!.send('WSHello bob');
    await vi.waitFor(() => expect(heard).toEqual(['WSWelcome bob']));
    c!.terminate();
    a!.send('{"text":"hello"}');
    a!.send('WSPrivate bob psst');
    await vi.waitFor(() => expect(heard).toEqual(['WSWelcome bob', '{"text":"hello"}', 'psst']));
    await Promise.all([a!.close(), b!.close()]);
  });
});

describe('row 105: JSON-RPC 2.0', () => {
  const methods: Methods = {
    subtract: { params: ['minuend', 'subtrahend'], run: (a, b) => (a as number) - (b as number) },
    sum: (params) => (params as number[]).reduce((a, b) => a + b, 0),
    nothing: () => undefined,
    later: async () => 'done',
    fails: () => {
      throw new Error('a secret');
    },
    told: () => {
      throw Object.assign(new Error('too many'), { code: 17, data: { most: 3 } });
    },
  };
  const call = async (request: unknown) => {
    const text = await answer(typeof request === 'string' ? request : JSON.stringify(request), methods, () => {});
    return text === null ? null : JSON.parse(text);
  };
  const error = (code: number, message: string, id: unknown = null, data?: string) => ({
    ...{ jsonrpc: '2.0', id },
    error: { code, message, ...(data === undefined ? {} : { data }) },
  });
  const good = (result: unknown, id: unknown) => ({ jsonrpc: '2.0', result, id });

  // The examples of the specification, section 7.
  test.each<[unknown, unknown]>([
    [{ jsonrpc: '2.0', method: 'subtract', params: [42, 23], id: 1 }, good(19, 1)],
    [{ jsonrpc: '2.0', method: 'subtract', params: [23, 42], id: 2 }, good(-19, 2)],
    [{ jsonrpc: '2.0', method: 'subtract', params: { subtrahend: 23, minuend: 42 }, id: 3 }, good(19, 3)],
    [{ jsonrpc: '2.0', method: 'sum', params: [1, 2, 3] }, null],
    [{ jsonrpc: '2.0', method: 'foobar' }, null],
    [{ jsonrpc: '2.0', method: 'foobar', id: '1' }, error(-32601, 'Method not found', '1')],
    ['{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', error(-32700, 'Parse error')],
    [{ jsonrpc: '2.0', method: 1, params: 'bar' }, error(-32600, 'Invalid Request')],
    ['[{"jsonrpc": "2.0", "method"', error(-32700, 'Parse error')],
    [[], error(-32600, 'Invalid Request')],
    [[1], [error(-32600, 'Invalid Request')]],
    [
      [1, 2],
      [error(-32600, 'Invalid Request'), error(-32600, 'Invalid Request')],
    ],
    [
      [
        { jsonrpc: '2.0', method: 'sum', params: [1, 2, 4], id: '1' },
        { jsonrpc: '2.0', method: 'nothing', params: [7] },
        { jsonrpc: '2.0', method: 'subtract', params: [42, 23], id: '2' },
        { foo: 'boo' },
        { jsonrpc: '2.0', method: 'foo.get', params: { name: 'myself' }, id: '5' },
        { jsonrpc: '2.0', method: 'later', id: '9' },
      ],
      [
        good(7, '1'),
        good(19, '2'),
        error(-32600, 'Invalid Request'),
        error(-32601, 'Method not found', '5'),
        good('done', '9'),
      ],
    ],
    [
      [
        { jsonrpc: '2.0', method: 'sum', params: [1] },
        { jsonrpc: '2.0', method: 'nothing' },
      ],
      null,
    ],
    // And what it says without an example.
    [{ jsonrpc: '2.0', method: 'nothing', id: null }, good(null, null)],
    [
      { jsonrpc: '2.0', method: 'subtract', params: [1], id: 1 },
      error(-32602, 'Invalid params', 1, 'wanted are minuend, subtrahend'),
    ],
    [
      { jsonrpc: '2.0', method: 'subtract', params: { minuend: 1 }, id: 1 },
      error(-32602, 'Invalid params', 1, "'subtrahend' is missing"),
    ],
    [{ jsonrpc: '2.0', method: 'fails', id: 1 }, error(-32603, 'Internal error', 1)],
    [{ jsonrpc: '2.0', method: 'fails' }, null],
    [
      { jsonrpc: '2.0', method: 'told', id: 1 },
      { jsonrpc: '2.0', error: { code: 17, message: 'too many', data: { most: 3 } }, id: 1 },
    ],
    [{ jsonrpc: '1.0', method: 'sum', params: [], id: 7 }, error(-32600, 'Invalid Request', 7)],
    [{ jsonrpc: '2.0', method: 'sum', params: 5, id: 7 }, error(-32600, 'Invalid Request', 7)],
    [{ jsonrpc: '2.0', method: 'sum', id: {} }, error(-32600, 'Invalid Request')],
    // Beyond what a number holds: the answer would have another id.
    ['{"jsonrpc":"2.0","method":"sum","params":[1],"id":9007199254740993}', error(-32600, 'Invalid Request')],
    ['{"jsonrpc":"2.0","method":"sum","params":[1],"id":1e999}', error(-32600, 'Invalid Request')],
    ['{"jsonrpc":"2.0","method":"sum","params":[1],"id":-9007199254740991}', good(1, -9_007_199_254_740_991)],
    ['{"jsonrpc":"2.0","method":"sum","params":[1],"id":1.5}', good(1, 1.5)],
    [{ jsonrpc: '2.0', method: 'constructor', id: 1 }, error(-32601, 'Method not found', 1)],
    [{ jsonrpc: '2.0', method: '__proto__', id: 1 }, error(-32601, 'Method not found', 1)],
    ['null', error(-32600, 'Invalid Request')],
    ['', error(-32700, 'Parse error')],
    ['['.repeat(100_000), error(-32700, 'Parse error')],
    [Array.from({ length: 1_001 }, () => 1), error(-32600, 'Invalid Request')],
  ])('%j', async (request, expected) => {
    expect(await call(request)).toEqual(expected);
  });

  test('what a method throws stays here, unless it was meant for the client', async () => {
    const thrown: unknown[] = [];
    const text = await answer('{"jsonrpc":"2.0","method":"fails","id":1}', methods, (each) => thrown.push(each));
    expect(text).not.toContain('secret');
    expect(String(thrown[0])).toContain('a secret');
    await answer('{"jsonrpc":"2.0","method":"told","id":1}', methods, (each) => thrown.push(each));
    expect(thrown.length).toBe(1);
  });

  test('an error that JSON has no words for is an internal one', async () => {
    const odd = {
      big: () => Promise.reject(Object.assign(new Error('big'), { code: 5, data: 10n })),
      hostile: () => {
        throw new Proxy(new Error('hostile'), {
          get: () => {
            throw new Error('not even looked at');
          },
        });
      },
    };
    for (const method of ['big', 'hostile']) {
      const thrown: unknown[] = [];
      const text = await answer(JSON.stringify({ jsonrpc: '2.0', method, id: 1 }), odd, (each) => thrown.push(each));
      expect(JSON.parse(text!)).toEqual(error(-32603, 'Internal error', 1));
      expect(thrown).toHaveLength(1);
    }
  });

  test('texts are found on a stream without boundaries, wherever it is cut', () => {
    const texts = ['{"a":"}]\\"{["}', '[1,[2,{"b":[]}]]', '{}', '{"c":"\\\\"}'];
    const stream = Buffer.from(` ${texts.join('\n')}\0[]`);
    for (let i = 0; i <= stream.length; i++) {
      const found: string[] = [];
      const splitter = new JsonSplitter(1_000);
      for (const part of [stream.subarray(0, i), stream.subarray(i)]) {
        expect(splitter.push(part, (text) => found.push(text))).toBe(true);
      }
      expect(found).toEqual([...texts, '[]']);
    }
  });

  test('a text that is too long ends it, and what begins no text is taken as it came', () => {
    expect(new JsonSplitter(10).push(Buffer.from(`["${'x'.repeat(10)}`), () => {})).toBe(false);
    expect(new JsonSplitter(10).push(Buffer.from(`["${'x'.repeat(10)}"]`), () => {})).toBe(false);
    const found: string[] = [];
    expect(new JsonSplitter(10).push(Buffer.from('nonsense {"a":1}'), (text) => found.push(text))).toBe(true);
    expect(found).toEqual(['nonsense {"a":1}']);
  });

  test.each(['nul', 'line', 'length-prefixed', 'chunk'] as const)('as a server, framing %s', async (framing) => {
    const docroot = folder();
    const running = await startBackend({ kind: 'jsonrpc', folder: docroot, ...DEFAULTS, framing });
    cleanUp(() => running.close());
    const { url } = await gateway({ docroot, framing });
    const socket = await connect(`${url}/b`);
    const messages = socket[Symbol.asyncIterator]();
    socket.send('{"jsonrpc":"2.0","method":"add","params":[20,22],"id":1}');
    expect((await messages.next()).value?.data).toBe('{"jsonrpc":"2.0","result":42,"id":1}');
    socket.send('{"jsonrpc":"2.0","method":"add","params":["a",1],"id":2}');
    expect((await messages.next()).value?.data).toContain('-32602');
    const big = 'x'.repeat(200_000);
    socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'echo', params: [big], id: 3 }));
    let text = '';
    while (!text.endsWith('"id":3}')) text += (await messages.next()).value?.data;
    expect(JSON.parse(text).result[0].length).toBe(big.length);
    await socket.close();
  });

  test('-L, -C: a module of ours, its init() for every client and its release()', async () => {
    const made = folder();
    const file = `${made}/module.mjs`;
    const log = `${made}/log`;
    writeFileSync(
      file,
      `import { appendFileSync } from 'node:fs';
      let clients = 0;
      export async function init(config) {
        const number = ++clients;
        if (config === 'throw') throw new Error('init threw');
        if (config === 'nothing') return undefined;
        return {
          methods: { who: { params: [], run: () => [number, config] } },
          release() { appendFileSync(${JSON.stringify(log)}, 'released ' + number); },
        };
      }`,
    );
    const path = await start('jsonrpc', { module: file, config: 'some text' });
    for (const number of [1, 2]) {
      const client = new Client(path);
      await client
        .say('{"jsonrpc":"2.0","method":"who","id":0}\0')
        .hears(`{"jsonrpc":"2.0","result":[${number},"some text"],"id":0}\0`);
      client.socket.end();
      await vi.waitFor(() => expect(existsSync(log) && statSync(log).size).toBe(10 * number));
    }
    const broken = new Client(await start('jsonrpc', { module: file, config: 'throw' }));
    await once(broken.socket, 'close');
    await vi.waitFor(() => expect(String(failures.at(-1))).toContain('init threw'));
    const empty = connectSocket(await start('jsonrpc', { module: file, config: 'nothing', name: 'empty' }));
    empty.on('error', () => {});
    empty.write('{"jsonrpc":"2.0","method":"who","id":0}\0');
    await new Promise((resolve) => empty.once('close', resolve));
    expect(String(failures.at(-1))).toContain('init() of the module must return { methods }');
    await expect(start('jsonrpc', { module: `${made}/none.mjs` })).rejects.toThrow(/cannot be loaded/);
    writeFileSync(`${made}/empty.mjs`, 'export const x = 1;');
    await expect(start('jsonrpc', { module: `${made}/empty.mjs` })).rejects.toThrow(/no function 'init'/);
  });

  test('a client that ends its direction still gets its answers', async () => {
    const socket = connectSocket(await start('jsonrpc'));
    socket.end('{"jsonrpc":"2.0","method":"add","params":[1,2],"id":1}\0{"jsonrpc":"2.0","method":"time","id":2}');
    expect(String(await readAll(socket))).toMatch(/"result":3,"id":1}.*"id":2}/);
  });
});
