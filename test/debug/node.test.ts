/** Debugging on Node: the option, the environment that stands in for it, and the diagnostics channels. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { DebugRecord } from '../../src/debug/options.ts';
import { Endpoint } from '../../src/endpoint/endpoint.ts';
import { serve } from '../../src/server/serve.ts';
import { attach } from '../../src/server/upgrade.ts';
import { readDebug } from '../../src/transport/node/debug.ts';
import { exchange } from '../support/sockets.ts';

const local = { port: 0, host: '127.0.0.1' };

describe("seed 110: the option debug, a log of one's own", () => {
  test('of a server and a client: lines and records of each connection', async () => {
    const lines: string[] = [];
    const sink = (line: string) => lines.push(line);
    const server = await serve({ ...local, debug: { level: 2, sink } }, (socket) => {
      socket.on('message', ({ data }) => void socket.send(data));
    });
    const seen: DebugRecord[] = [];
    const socket = await connect(server.url, { debug: { level: 2, sink: (_, record) => seen.push(record) } });
    socket.send('hello');
    for await (const _ of socket) break;
    await socket.close();
    await server.close();
    const said = (what: string) => lines.filter((line) => line.includes(what));
    expect(said('in  text    fin  5 B  "hello"')).toHaveLength(1);
    expect(said('out text    fin  5 B  "hello"')).toHaveLength(1);
    // The phases of docs/state-machine.md, not only the four public states.
    expect(said('state ').map((line) => line.replace(/.*state /, ''))).toEqual([
      'connecting -> open',
      'open -> draining',
      'draining -> closed',
    ]);
    const states = seen.filter(({ type }) => type === 'state');
    expect(states).toMatchObject([
      { state: 'open' },
      { state: 'close-sent' },
      { state: 'draining' },
      { state: 'closed' },
    ]);
    expect(new Set(seen.map(({ connection }) => connection)).size).toBe(1);
    expect(seen[0]).toMatchObject({ type: 'head', from: 'client', role: 'client' });
  });

  test('behind a server of Node the request is told too', async () => {
    const http = createServer();
    const records: DebugRecord[] = [];
    attach(http, { debug: { level: 2, sink: (_, record) => records.push(record) } });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const { port } = http.address() as { port: number };
    const socket = await connect(`ws://127.0.0.1:${port}/chat`, { headers: { Cookie: 'hidden' } });
    await socket.close();
    http.close();
    expect(records[0]).toMatchObject({ type: 'head', from: 'client', line: 'GET /chat HTTP/1.1' });
    expect(records.some((record) => record.type === 'frame' && record.closeCode === 1000)).toBe(true);
    expect(JSON.stringify(records)).not.toContain('hidden');
  });

  test.each<[unknown, string]>([
    [3, "option 'debug' must be 0, 1, 2 or an object"],
    ['2', "option 'debug' must be"],
    [true, "option 'debug' must be"],
    [null, "option 'debug' must be"],
    [[], "option 'debug' must be"],
    [{ level: 3 }, "option 'debug.level' must be 0, 1 or 2"],
    [{ sink: 'x' }, "option 'debug.sink' must be a function"],
    [{ previewSize: 0 }, "option 'debug.previewSize' must be"],
    [{ lvel: 1 }, "there is no option 'lvel'; there are level, sink, previewSize"],
  ])('%o is a UsageError', async (debug, told) => {
    await expect(serve({ ...local, debug } as never)).rejects.toThrow(told);
    await expect(connect('ws://127.0.0.1:1', { debug } as never)).rejects.toThrow(told);
  });
});

test('a sink that throws is a warning of the process, with the line that threw', async () => {
  const warned = once(process, 'warning');
  const sink = () => {
    throw new Error('full disk');
  };
  const server = await serve({ ...local, debug: { level: 2, sink } }, () => {});
  await (await connect(server.url)).close();
  await server.close();
  expect(await warned).toMatchObject([
    {
      name: 'ApplicationError',
      message: 'the application failed: full disk',
      detail: expect.stringMatching(/^Error: full disk\n +at .*node\.test\.ts:\d+/),
    },
  ]);
});

describe('the environment', () => {
  const { SANSOCKET_DEBUG, NODE_DEBUG } = process.env;
  afterEach(() => {
    for (const [name, value] of Object.entries({ SANSOCKET_DEBUG, NODE_DEBUG })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  const level = (option: unknown, environment: Record<string, string>): number => {
    delete process.env['SANSOCKET_DEBUG'];
    delete process.env['NODE_DEBUG'];
    Object.assign(process.env, environment);
    return readDebug(option, 'test')?.level ?? 0;
  };

  test.each<[unknown, Record<string, string>, number]>([
    [undefined, {}, 0],
    [undefined, { SANSOCKET_DEBUG: '1' }, 1],
    [undefined, { SANSOCKET_DEBUG: '2' }, 2],
    [undefined, { SANSOCKET_DEBUG: '0', NODE_DEBUG: 'sansocket' }, 0],
    [undefined, { SANSOCKET_DEBUG: '' }, 0],
    [undefined, { NODE_DEBUG: 'net,sansocket' }, 1],
    [undefined, { NODE_DEBUG: 'SANSOCKET' }, 1],
    [undefined, { NODE_DEBUG: 'sans*' }, 1],
    [undefined, { NODE_DEBUG: 'net,sanso' }, 0],
    [0, { SANSOCKET_DEBUG: '2' }, 0],
    [1, { SANSOCKET_DEBUG: '2' }, 1],
    [{}, {}, 1],
    [{ level: 2 }, {}, 2],
  ])('%o with %o: level %i', (option, environment, wanted) => {
    expect(level(option, environment)).toBe(wanted);
  });

  test('a value that says nothing is warned of, once, and harms nobody', async () => {
    const warning = once(process, 'warning') as Promise<Error[]>;
    expect(level(undefined, { SANSOCKET_DEBUG: 'yes' })).toBe(0);
    expect(level(undefined, { SANSOCKET_DEBUG: 'yes' })).toBe(0);
    expect((await warning)[0]!.message).toBe('SANSOCKET_DEBUG must be 0, 1 or 2, not "yes"');
  });
});

describe('diagnostics channels', () => {
  /** Collects what is published while `act` runs. */
  async function published(name: string, act: () => Promise<void>): Promise<Record<string, unknown>[]> {
    const messages: Record<string, unknown>[] = [];
    const listener = (message: unknown) => void messages.push(message as Record<string, unknown>);
    subscribe(name, listener);
    try {
      await act();
    } finally {
      unsubscribe(name, listener);
    }
    expect(channel(name).hasSubscribers).toBe(false);
    return messages;
  }

  const talk = async () => {
    const server = await serve(local, () => {});
    const socket = await connect(server.url);
    await socket.close(1000, 'bye');
    await server.close();
  };

  test('sansocket:open and sansocket:close carry the connection, of both roles', async () => {
    const opened = await published('sansocket:open', talk);
    expect(opened.map(({ role }) => role).toSorted()).toEqual(['client', 'server']);
    for (const { socket } of opened) expect(socket).toBeInstanceOf(Endpoint);
    const closed = await published('sansocket:close', talk);
    expect(closed.map(({ role }) => role).toSorted()).toEqual(['client', 'server']);
    for (const { socket, event } of closed) {
      expect(socket).toBeInstanceOf(Endpoint);
      expect(event).toMatchObject({ type: 'close', code: 1000, clean: true });
    }
  });

  test('sansocket:refused tells of attempts that came to nothing, and why', async () => {
    const refused = await published('sansocket:refused', async () => {
      const server = await serve({ ...local, paths: ['/there'] });
      await expect(connect(server.url)).rejects.toThrow('404');
      await exchange(server.port!, 'nonsense\r\n\r\n');
      await server.close();
      await expect(connect('ws://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED');
    });
    // Which side hears of it first is not promised.
    const [first, second] = refused.splice(0, 2);
    expect([first, second].map((each) => each?.['role']).toSorted()).toEqual(['client', 'server']);
    for (const each of [first, second]) expect(each).toMatchObject({ error: { status: 404 } });
    expect(refused).toMatchObject([
      ...[
        { role: 'server', error: { code: 'REQUEST_LINE_INVALID' } },
        { role: 'client', socket: null },
      ],
    ]);
  });

  test('sansocket:frame has every frame of connections that began while somebody listened', async () => {
    const frames = await published('sansocket:frame', talk);
    const closes = frames.filter(({ record }) => (record as { closeCode?: number }).closeCode === 1000);
    expect(closes).toHaveLength(4);
    for (const { socket } of frames.slice(1)) expect(socket).toBeInstanceOf(Endpoint);
    const late = await serve(local, (socket) => {
      socket.on('message', () => {});
    });
    const socket = await connect(late.url);
    const nothing = await published('sansocket:frame', async () => {
      socket.send('unseen');
      await socket.close();
    });
    expect(nothing).toEqual([]);
    await late.close();
  });
});
