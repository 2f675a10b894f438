import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AttemptSink, EventNumber, Reconnecting, TransportError, UsageError } from '../../src/client/index.ts';
import { seededNumbers } from '../support/random.ts';
import { Simulation } from './simulation.ts';

let world = new Simulation();
const clients: Reconnecting<object>[] = [];
afterEach(async () => {
  // Whatever a test did: a client that is stopped leaves nothing behind.
  const stopped = clients.splice(0).map((client) => client.stop());
  await world.clock.run(60_000);
  await Promise.all(stopped);
  expect([world.clock.pendingAlarms, world.holds, world.dialling, world.lines.size]).toEqual([0, 0, 0, 0]);
  world = new Simulation();
});

/** A client that writes down all that it tells. */
function watched(options: Record<string, unknown> = {}) {
  const client = world.client(options);
  clients.push(client);
  const log: string[] = [];
  client.on('open', ({ retries }) => log.push(`open ${retries}`));
  client.on('message', ({ data }) => log.push(`message ${data}`));
  client.on('error', ({ code, httpStatus, retries, waitTime }) =>
    log.push(`error ${code} ${httpStatus} ${retries} ${waitTime}`),
  );
  client.on('close', ({ code, reason, clean, waitTime }) => log.push(`close ${code} ${reason} ${clean} ${waitTime}`));
  client.on('stop', ({ error }) => log.push(`stop ${error?.code ?? null}`));
  return { client, log };
}

/** What it tells to be lost. */
function dropsOf(client: Reconnecting<object>, log: string[] = []): unknown[] {
  const dropped: unknown[] = [];
  client.on('drop', ({ data, payloadSize }) => {
    expect(payloadSize).toBe(data.length);
    dropped.push(data);
    log.push(`drop ${data}`);
  });
  return dropped;
}

const serverSide = () => [...world.lines][0]!.server;

describe('seed 36: create, start, stop, clear', () => {
  test('nothing is dialled before start, and start says how it went (seed 37)', async () => {
    const { client, log } = watched();
    await world.clock.run(60_000);
    expect([world.arrivals.length, client.state, client.socket]).toEqual([0, 'stopped', null]);
    const starting = client.start();
    expect(client.start()).toBe(starting);
    expect(client.state).toBe('connecting');
    await world.clock.run(10);
    expect(await starting).toMatchObject({
      success: true,
      url: 'ws://a.test/',
      httpStatus: 101,
      subprotocol: '',
      error: null,
      waitTime: null,
    });
    expect((await starting).headers.get('upgrade')).toBe('websocket');
    expect([client.state, log]).toEqual(['open', ['open 0']]);
  });

  test('start, stop, start: another connection, the same listeners', async () => {
    const { client, log } = watched();
    for (let round = 1; round <= 3; round++) {
      void client.start();
      await world.clock.run(10);
      serverSide().send(`round ${round}`);
      await world.clock.run(10);
      const stopping = client.stop(4000, 'bye');
      expect(client.stop()).toBe(stopping);
      await world.clock.run(10);
      expect(await stopping).toMatchObject({ code: 4000, reason: 'bye', clean: true, remote: false });
      expect(client.state).toBe('stopped');
    }
    const round = (n: number) => ['open 0', `message round ${n}`, 'close 4000 bye true null', 'stop null'];
    expect(log).toEqual([...round(1), ...round(2), ...round(3)]);
    expect(world.arrivals.length).toBe(3);
  });

  test('start during stop waits until the old connection is gone', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    world.link = { latency: 100 };
    const stopping = client.stop();
    const starting = client.start();
    await world.clock.run(2_000);
    expect(await stopping).toMatchObject({ clean: true });
    expect(await starting).toMatchObject({ success: true });
    expect(log).toEqual(['open 0', 'close 1000  true null', 'stop null', 'open 0']);
  });

  test('the last word counts: stop, start, stop', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    const stopping = client.stop();
    const starting = client.start();
    expect(client.stop()).toBe(stopping);
    await world.clock.run(10);
    expect(await starting).toMatchObject({ success: false, error: { code: 'TERMINATED' } });
    expect([client.state, log.at(-1), world.arrivals.length]).toEqual(['stopped', 'stop null', 1]);
    void client.stop();
    const again = client.start();
    await world.clock.run(10);
    expect([await again, client.state]).toMatchObject([{ success: true }, 'open']);
  });

  test('stop while it dials: nothing comes of the attempt, and start resolves', async () => {
    const { client, log } = watched();
    const starting = client.start();
    expect(await client.stop()).toBeNull();
    expect(await starting).toMatchObject({ success: false, error: { code: 'TERMINATED' }, waitTime: null });
    await world.clock.run(60_000);
    expect([client.state, log, world.lines.size]).toEqual(['stopped', ['stop null'], 0]);
  });

  test('stop of what is stopped is nothing', async () => {
    const { client, log } = watched();
    expect(await client.stop()).toBeNull();
    expect(log).toEqual([]);
    expect(() => client.stop(1005)).toThrow(UsageError);
    expect(() => client.stop(null as never)).toThrow('a close code is a number, not null');
    expect(() => client.stop('1000' as never)).toThrow(UsageError);
    expect(() => client.stop(1000, null as never)).toThrow(UsageError);
    expect(() => client.stop(1000, 'x'.repeat(124))).toThrow(UsageError);
  });

  test('what may not be sent changes nothing: it stays open, and stops when it is told properly', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    expect(() => client.stop(null as never)).toThrow('a close code is a number, not null');
    expect(() => client.stop(1000, null as never)).toThrow(UsageError);
    await world.clock.run(10);
    expect([client.state, client.socket?.readyState]).toEqual(['open', 'open']);
    const stopped = client.stop(4000, 'enough');
    await world.clock.run(10);
    expect(await stopped).toMatchObject({ code: 4000, reason: 'enough', clean: true });
    expect([client.state, log.filter((line) => line.startsWith('stop'))]).toEqual(['stopped', ['stop null']]);
  });

  test('clear forgets the listeners at once, and closes', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    const server = serverSide();
    server.send('too late');
    const cleared = client.clear();
    await world.clock.run(10);
    await cleared;
    expect([log, client.state, server.readyState]).toEqual([['open 0'], 'stopped', 'closed']);
  });

  test('options change while it is stopped, and only then; a wrong one changes nothing', async () => {
    const { client } = watched();
    expect(client.configure({ url: 'ws://b.test/', reconnect: { maxWait: 7 } }).info).toMatchObject({
      url: 'ws://b.test/',
      maxWait: 7,
    });
    expect(() => client.configure({ reconnect: { maxWait: -1 } })).toThrow('maxWait');
    expect(() => client.configure({ pingInterval: 'often' } as object)).toThrow('pingInterval');
    expect(() => client.configure({ queue: { maxBytes: 0 } })).toThrow('maxBytes');
    expect(() => client.configure({ on: {} })).toThrow('on()');
    expect(() => client.configure(null as never)).toThrow('an object');
    expect(client.info.maxWait).toBe(7);
    void client.start();
    for (const when of ['connecting', 'open'] as const) {
      expect(client.state).toBe(when);
      expect(() => client.configure({ reconnect: null })).toThrow(when);
      await world.clock.run(10);
    }
    const stopped = client.stop();
    await world.clock.run(10);
    await stopped;
    expect(client.configure({ reconnect: null }).info).toMatchObject({ reconnect: false, maxWait: null });
  });

  test.each<[string, object]>([
    ['maxWait', { reconnect: { maxWait: '1' } }],
    ['minWait', { reconnect: { minWait: -1 } }],
    ['minWait', { reconnect: { minWait: 2, maxWait: 1 } }],
    ['minWait', { reconnect: { minWait: null } }],
    ['growth', { reconnect: { growth: 0.5 } }],
    ['maxRetries', { reconnect: { maxRetries: 1.5 } }],
    ['retry', { reconnect: { retry: true } }],
    ['jitter', { reconnect: { jitter: true } }],
    ['reconnect', { reconnect: 5 }],
    ['reconnect', { reconnect: false }],
    ['queue', { queue: 5 }],
    ['signal', { signal: {} }],
    ['signal', { signal: null }],
    ['mesage', { on: { mesage: () => {} } }],
    ['listener', { on: { message: 1 } }],
    ['on: options must be an object', { on: 5 }],
    ['on: options must be an object', { on: null }],
    ["'url' is the first argument", { url: 'ws://b.test/' }],
    ["'growth' must be a number from 1", { reconnect: { growth: 'x' } }],
    ["'minWait' must be a number of milliseconds from 0", { reconnect: { minWait: '0' } }],
    ['nonsense', { nonsense: 1 }],
  ])('a wrong %s is refused when it is created: %j', (name, options) => {
    expect(() => world.client(options as Record<string, unknown>)).toThrow(UsageError);
    expect(() => world.client(options as Record<string, unknown>)).toThrow(new RegExp(name));
  });
});

describe('seed 38, 40: connecting again', () => {
  test('a connection that is lost is made again, after a wait; listeners stay', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(1_000);
    world.random = () => 0.5;
    world.cutAll();
    await world.clock.settle();
    expect([client.state, client.socket]).toEqual(['waiting', null]);
    expect(client.info).toMatchObject({ retries: 1, waitTime: 2_500, readyState: 'connecting' });
    await world.clock.run(2_499);
    expect(client.info.waitTime).toBe(1);
    expect(world.arrivals.length).toBe(1);
    await world.clock.run(10);
    serverSide().send('again');
    await world.clock.run(10);
    expect(log).toEqual([
      'open 0',
      'error TRANSPORT_FAILED null 1 2500',
      'close 1006  false 2500',
      'open 1',
      'message again',
    ]);
  });

  test('trap 27: a first attempt that fails is tried again like any other', async () => {
    world.treatment = 'down';
    world.random = () => 0.5;
    const { client, log } = watched();
    const starting = client.start();
    await world.clock.run(100);
    expect(await starting).toMatchObject({
      success: false,
      httpStatus: null,
      error: { code: 'CONNECT_FAILED' },
      waitTime: 2_500,
    });
    await world.clock.run(2_600 + 4_000);
    world.treatment = 'accept';
    await world.clock.run(20_000);
    expect(log).toEqual([
      'error CONNECT_FAILED null 1 2500',
      'error CONNECT_FAILED null 2 4000',
      'error CONNECT_FAILED null 3 6400',
      'open 3',
    ]);
  });

  test('waits grow until a connection was stable, not merely open', async () => {
    world.random = () => 0.5;
    const { client, log } = watched();
    void client.start();
    const waits = async (openFor: number) => {
      await world.clock.run(openFor);
      world.cutAll();
      await world.clock.settle();
      const { waitTime } = client.info;
      await world.clock.run(waitTime! + 1);
      return waitTime;
    };
    const seen: (number | null)[] = [];
    for (const openFor of [5_000, 5_000, 9_900, 10_100, 5_000]) seen.push(await waits(openFor));
    expect(seen).toEqual([2_500, 4_000, 6_400, 2_500, 4_000]);
    expect(log.filter((line) => line.startsWith('open'))).toHaveLength(6);
  });

  test.each([1001, 1012, 4005])('the peer that closes with %i is asked again', async (code) => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    void serverSide().close(code, 'later');
    await world.clock.run(6_000);
    expect([client.state, world.arrivals.length]).toEqual(['open', 2]);
    expect(log[1]).toMatch(new RegExp(`^close ${code} later true \\d+$`));
  });

  test.each([1002, 1003, 1007, 1008, 1009, 1010])('the peer that closes with %i is not', async (code) => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    void serverSide().close(code, 'no');
    await world.clock.run(60_000);
    expect([client.state, world.arrivals.length]).toEqual(['stopped', 1]);
    expect(log).toEqual(['open 0', `close ${code} no true null`, 'stop null']);
  });

  test('nor is one that we failed for breaking the RFC, or for a message too big', async () => {
    const { client, log } = watched({ maxMessageSize: 4 });
    void client.start();
    await world.clock.run(10);
    serverSide().send('12345');
    await world.clock.run(60_000);
    expect([client.state, world.arrivals.length]).toEqual(['stopped', 1]);
    expect(log[1]).toMatch(/^error MESSAGE_TOO_BIG null 1 null/);
    expect(log.at(-1)).toBe('stop MESSAGE_TOO_BIG');
  });

  test('trap 27: what we closed ourselves is not made again, by stop or on the socket', async () => {
    for (const end of ['close', 'terminate'] as const) {
      const { client } = watched();
      void client.start();
      await world.clock.run(10);
      void client.socket![end]();
      await world.clock.run(60_000);
      expect(client.state, end).toBe('stopped');
    }
    expect(world.arrivals.length).toBe(2);
  });

  test('trap 27: nor when the peer goes without an answer to our Close', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    void client.socket!.close();
    world.cutAll();
    await world.clock.run(60_000);
    expect(client.state).toBe('stopped');
    expect(log).toEqual(['open 0', 'error TRANSPORT_FAILED null 0 null', 'close 1006  false null', 'stop null']);
  });

  test.each([401, 403, 404])('a refusal with %i is final', async (status) => {
    world.treatment = { status };
    const { client, log } = watched();
    const starting = client.start();
    await world.clock.run(60_000);
    expect(await starting).toMatchObject({ success: false, httpStatus: status, waitTime: null });
    expect(client.state).toBe('stopped');
    expect(log).toEqual([`error STATUS_UNEXPECTED ${status} 1 null`, 'stop STATUS_UNEXPECTED']);
  });

  test('a refusal that says when is kept to, and the wait comes on top of it', async () => {
    world.random = () => 0.5;
    world.treatment = { status: 503, headers: [['Retry-After', '60']] };
    const { client, log } = watched();
    void client.start();
    await world.clock.run(50);
    expect(client.info.waitTime).toBeGreaterThan(62_000);
    world.treatment = { status: 429, headers: [['Retry-After', '9'.repeat(400)]] };
    await world.clock.run(62_600);
    expect(log).toEqual(['error STATUS_UNEXPECTED 503 1 62500', 'error STATUS_UNEXPECTED 429 2 304000']);
    const { client: deaf, log: heard } = watched({ reconnect: { maxRetryAfter: null } });
    void deaf.start();
    await world.clock.run(50);
    expect(heard).toEqual(['error STATUS_UNEXPECTED 429 1 2500']);
  });

  test('a date to wait for, by the wall clock', async () => {
    world.random = () => 0;
    world.treatment = { status: 503, headers: [['Retry-After', new Date(world.wallClock + 9_000).toUTCString()]] };
    const { client } = watched();
    const starting = client.start();
    await world.clock.run(50);
    expect((await starting).waitTime).toBe(9_000);
  });

  test('seed 40: it gives up after maxRetries in a row', async () => {
    world.treatment = 'down';
    const { client, log } = watched({ reconnect: { maxRetries: 2 } });
    void client.start();
    await world.clock.run(120_000);
    expect([client.state, world.arrivals.length]).toEqual(['stopped', 3]);
    expect(log.slice(2)).toEqual(['error CONNECT_FAILED null 3 null', 'stop CONNECT_FAILED']);
    world.treatment = 'accept';
    void client.start();
    await world.clock.run(10);
    expect(client.state).toBe('open');
  });

  test('reconnect: null connects once', async () => {
    const { client, log } = watched({ reconnect: null });
    void client.start();
    await world.clock.run(10);
    world.cutAll();
    await world.clock.run(120_000);
    expect([client.state, world.arrivals.length]).toEqual(['stopped', 1]);
    expect(log.slice(1)).toEqual([
      'error TRANSPORT_FAILED null 1 null',
      'close 1006  false null',
      'stop TRANSPORT_FAILED',
    ]);
  });

  test('a predicate of one\u2019s own decides; one that throws stops the client and is told', async () => {
    const seen: unknown[] = [];
    const retry = (ending: { code: number; httpStatus: number | null }) => {
      seen.push([ending.code, ending.httpStatus]);
      return ending.httpStatus === 401;
    };
    world.treatment = { status: 401 };
    const { client } = watched({ reconnect: { retry } });
    void client.start();
    await world.clock.run(10);
    world.treatment = 'accept';
    await world.clock.run(6_000);
    expect(client.state).toBe('open');
    void serverSide().close(1001);
    await world.clock.run(60_000);
    expect([client.state, seen]).toEqual([
      'stopped',
      [
        [1006, 401],
        [1001, null],
      ],
    ]);
    const { client: broken, log } = watched({
      reconnect: {
        retry: () => {
          throw new Error('oh');
        },
      },
    });
    world.treatment = 'down';
    void broken.start();
    await world.clock.run(10);
    expect([broken.state, log.at(-1)]).toEqual(['stopped', 'stop CONNECT_FAILED']);
    expect(world.warnings.map(String)).toEqual([expect.stringContaining('oh')]);
  });

  test('a predicate that stops the client does not swallow the end of the connection', async () => {
    const retry = () => {
      void client.stop();
      return true;
    };
    const { client, log } = watched({ reconnect: { retry } });
    void client.start();
    await world.clock.run(10);
    void serverSide().close(1012);
    await world.clock.run(60_000);
    expect(log).toEqual(['open 0', 'close 1012  true null', 'stop null']);
  });

  test('a predicate that answers with a promise stops the client and is told: a promise is no yes', async () => {
    world.treatment = 'down';
    const { client, log } = watched({ reconnect: { retry: async () => true } });
    void client.start();
    await world.clock.run(60_000);
    expect(log.at(-1)).toBe('stop CONNECT_FAILED');
    expect(world.warnings.map(String)).toEqual([expect.stringContaining('true or false')]);
  });

  test('a predicate that tells of another network leaves one attempt at the most', async () => {
    world.treatment = 'down';
    const retry = () => {
      client.networkChanged();
      return world.arrivals.length < 4;
    };
    const { client } = watched({ reconnect: { retry } });
    void client.start();
    await world.clock.run(60_000);
    expect([client.state, world.arrivals.length]).toEqual(['stopped', 4]);
  });

  test('a predicate that stops the client, and one that starts it once more, leave one attempt at the most', async () => {
    world.treatment = 'down';
    for (const restart of [false, true]) {
      const { client } = watched({
        reconnect: {
          retry: () => {
            void client.stop();
            if (restart && world.arrivals.length < 3) void client.start();
            return true;
          },
        },
      });
      void client.start();
      await world.clock.run(60_000);
      expect([client.state, world.dialling]).toEqual(['stopped', 0]);
    }
  });
});

describe('what interrupts a wait', () => {
  test('T85: stop, at once, and nothing is left of it', async () => {
    world.treatment = 'down';
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    expect([client.state, world.clock.pendingAlarms, world.holds]).toEqual(['waiting', 1, 1]);
    expect(await client.stop()).toBeNull();
    expect([client.state, world.clock.pendingAlarms, world.holds]).toEqual(['stopped', 0, 0]);
    await world.clock.run(120_000);
    expect([world.arrivals.length, log.at(-1)]).toEqual([1, 'stop null']);
  });

  test('another network: at once', async () => {
    world.treatment = 'down';
    world.random = () => 0.9;
    const { client } = watched();
    void client.start();
    await world.clock.run(10);
    world.treatment = 'accept';
    client.networkChanged();
    expect(client.state).toBe('connecting');
    await world.clock.run(10);
    expect([client.state, world.arrivals.length]).toEqual(['open', 2]);
    await world.clock.run(60_000);
    expect(world.arrivals.length).toBe(2);
  });

  test('T87: another network while it dials: the attempt begins anew, the old one is not heard of', async () => {
    world.dialTime = 1_000;
    const { client, log } = watched();
    void client.start();
    await world.clock.run(900);
    client.networkChanged();
    expect(world.dialling).toBe(1);
    await world.clock.run(5_000);
    expect([log, world.lines.size]).toEqual([['open 0'], 1]);
  });

  test('another network while it is open: a ping finds out whether anybody is there', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    const [line] = [...world.lines];
    line!.link.silence();
    client.networkChanged();
    await world.clock.run(26_000);
    expect(log[1]).toMatch(/^error PONG_TIMEOUT null 1/);
    await world.clock.run(6_000);
    expect(client.state).toBe('open');
  });

  test('another network when it is stopped is nothing', () => {
    const { client } = watched();
    client.networkChanged();
    expect([client.state, world.arrivals.length]).toEqual(['stopped', 0]);
  });

  test('an AbortSignal, whatever the client is doing; it is let go of when the client stops', async () => {
    for (const when of ['connecting', 'open', 'waiting'] as const) {
      world.treatment = when === 'waiting' ? 'down' : 'accept';
      const controller = new AbortController();
      const added = vi.spyOn(controller.signal, 'addEventListener');
      const removed = vi.spyOn(controller.signal, 'removeEventListener');
      const { client } = watched({ signal: controller.signal });
      const starting = client.start();
      if (when !== 'connecting') await world.clock.run(10);
      expect(client.state).toBe(when);
      controller.abort(new Error('enough'));
      await world.clock.run(10);
      expect(client.state).toBe('stopped');
      if (when === 'connecting') expect(await starting).toMatchObject({ error: { cause: { message: 'enough' } } });
      expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1]);
      const { length } = world.arrivals;
      expect(await client.start()).toMatchObject({ success: false, error: { code: 'TERMINATED' } });
      expect(world.arrivals.length).toBe(length);
    }
  });

  test('await using', async () => {
    {
      await using client = world.client();
      void client.start();
      void world.clock.run(10);
      await vi.waitFor(() => expect(client.state).toBe('open'));
      void world.clock.run(1_000);
    }
    await world.clock.run(1_000);
    expect(world.lines.size).toBe(0);
  });

  test('the process is held while it waits, unless it is not to be', async () => {
    world.treatment = 'down';
    const { client } = watched();
    void client.start();
    await world.clock.run(10);
    expect(world.holds).toBe(1);
    client.unref();
    expect(world.holds).toBe(0);
    client.ref().ref();
    expect(world.holds).toBe(1);
    client.unref();
    await world.clock.run(10_000);
    expect([client.state, world.holds]).toEqual(['waiting', 0]);
  });
});

describe('an attempt that cannot even be begun', () => {
  /** A client whose shell throws where it should dial, in those attempts. */
  function faulty(...attempts: number[]) {
    const sinks: AttemptSink[] = [];
    const asked: unknown[] = [];
    const log: string[] = [];
    const { shell } = world;
    const client = new Reconnecting(
      'ws://a.test/',
      { reconnect: { retry: (ending) => asked.push(ending) > 0 } },
      {
        ...shell,
        prepare: (url, options) => {
          const dial = shell.prepare(url, options);
          return (sink) => {
            if (!attempts.includes(sinks.push(sink))) return dial(sink);
            throw new UsageError('INVALID_OPTION', 'not so');
          };
        },
      },
    );
    clients.push(client);
    client.on('error', ({ code, error, waitTime }) => log.push(`error ${code} ${error.cause} ${waitTime}`));
    client.on('stop', ({ error }) => log.push(`stop ${error?.code}`));
    return { client, log, sinks, asked };
  }
  const told = ['error CONNECT_FAILED UsageError: not so null', 'stop CONNECT_FAILED'];

  test('is a failure that start resolves with, and no other attempt is made', async () => {
    const { client, log, sinks, asked } = faulty(1);
    expect(await client.start()).toMatchObject({
      success: false,
      waitTime: null,
      error: { code: 'CONNECT_FAILED', message: expect.stringContaining('not so') },
    });
    await world.clock.run(60_000);
    expect([client.state, sinks.length, asked, log]).toEqual(['stopped', 1, [], told]);
    // What a shell says of it later is nobody's news.
    sinks[0]!.failed(new TransportError('CONNECT_FAILED'));
    expect([client.state, log]).toEqual(['stopped', told]);
    void client.start();
    await world.clock.run(10);
    expect(client.state).toBe('open');
  });

  test('ends the client when a wait is over, or the network has changed', async () => {
    for (const when of ['wait', 'network'] as const) {
      world.treatment = 'down';
      world.dialTime = when === 'wait' ? 1 : 1_000;
      const { client, log, sinks } = faulty(2);
      void client.start();
      await world.clock.run(10);
      if (when === 'wait') await world.clock.run(60_000);
      else client.networkChanged();
      await world.clock.settle();
      expect([client.state, sinks.length, world.dialling, world.holds]).toEqual(['stopped', 2, 0, 0]);
      expect(log.slice(-2)).toEqual(told);
    }
  });
});

describe('seed 24, 41: what is told', () => {
  test('one error, then one close, each with what follows', async () => {
    world.random = () => 0.5;
    const client = world.client();
    clients.push(client);
    const events: object[] = [];
    for (const type of ['error', 'close'] as const) client.on(type, (event) => events.push(event));
    void client.start();
    await world.clock.run(10);
    world.cutAll();
    await world.clock.settle();
    expect(events).toEqual([
      {
        type: 'error',
        error: expect.objectContaining({ name: 'TransportError' }),
        code: 'TRANSPORT_FAILED',
        reason: 'the connection was lost: the link was reset',
        httpStatus: null,
        decompressionError: false,
        retries: 1,
        waitTime: 2_500,
      },
      {
        type: 'close',
        code: 1006,
        reason: '',
        clean: false,
        remote: false,
        error: expect.objectContaining({ code: 'TRANSPORT_FAILED' }),
        retries: 1,
        waitTime: 2_500,
      },
    ]);
  });

  test('seed 24, 83: a compressed message that cannot be read is told as that, and not delivered', async () => {
    world.serverOptions = { compression: true };
    const client = world.client({ compression: true });
    clients.push(client);
    const errors: object[] = [];
    const got: unknown[] = [];
    client.on('error', (event) => errors.push(event));
    client.on('message', ({ data }) => got.push(data));
    void client.start();
    await world.clock.run(10);
    const server = serverSide();
    server.connection.sendEncoded({ bytes: Uint8Array.of(0xc1, 1, 0xff), slab: null, start: 0 });
    server.wake();
    await world.clock.run(10_000);
    expect(errors).toMatchObject([
      { code: 'DEFLATE_CORRUPT', decompressionError: true, httpStatus: null, waitTime: null },
    ]);
    expect(got).toEqual([]);
  });

  test('listeners that stop, start and throw do not mix up the order', async () => {
    const { client, log } = watched();
    let times = 0;
    client.on('error', () => {
      if (++times > 1) return;
      void client.stop();
      void client.start();
      throw new Error('from a listener');
    });
    void client.start();
    await world.clock.run(10);
    world.cutAll();
    await world.clock.run(100);
    expect(log.map((line) => line.replace(/ \d+$/, ''))).toEqual([
      'open',
      'error TRANSPORT_FAILED null 1',
      'close 1006  false',
      'stop null',
      'open',
    ]);
    expect(world.warnings.map(String)).toEqual([expect.stringContaining('from a listener')]);
  });

  test('a listener that rejects is told of as one that throws', async () => {
    const { client } = watched();
    client.on('stop', () => Promise.reject(new Error('late')));
    void client.start();
    await client.stop();
    await world.clock.settle();
    expect(world.warnings.map(String)).toEqual([expect.stringContaining('late')]);
  });

  test('a message listener that throws fails the connection with 1011, and the next one is made', async () => {
    const { client, log } = watched();
    let thrown = 0;
    client.on('message', () => {
      if (thrown++ === 0) throw new Error('poison');
    });
    void client.start();
    await world.clock.run(10);
    serverSide().send('a');
    await world.clock.run(10_000);
    serverSide().send('b');
    await world.clock.run(10);
    expect(log.map((line) => line.replace(/ \d+$/, ''))).toEqual([
      'open',
      'message a',
      'error APPLICATION_FAILED null 1',
      expect.stringMatching(/^close/),
      'open',
      'message b',
    ]);
    // There is an error listener: nobody has to be warned.
    expect(world.warnings).toEqual([]);
  });

  test('a message listener that returns a promise holds the next message back, on every connection', async () => {
    const client = world.client();
    clients.push(client);
    const got: unknown[] = [];
    let proceed = () => {};
    client.on('message', ({ data }) => {
      got.push(data);
      return new Promise<void>((resolve) => {
        proceed = resolve;
      });
    });
    void client.start();
    for (const round of [1, 2]) {
      await world.clock.run(6_000);
      serverSide().send(`${round}a`);
      serverSide().send(`${round}b`);
      await world.clock.run(10);
      expect(got.at(-1)).toBe(`${round}a`);
      proceed();
      await world.clock.run(10);
      expect(got.at(-1)).toBe(`${round}b`);
      proceed();
      await world.clock.run(10);
      world.cutAll();
    }
  });

  test('listeners come and go while it is open', async () => {
    const { client } = watched();
    void client.start();
    await world.clock.run(10);
    const got: unknown[] = [];
    const off = client.on('message', ({ data }) => got.push(data));
    serverSide().send('1');
    await world.clock.run(10);
    off();
    off();
    serverSide().send('2');
    await world.clock.run(10);
    world.cutAll();
    await world.clock.run(6_000);
    serverSide().send('3');
    await world.clock.run(10);
    expect(got).toEqual(['1']);
    expect(() => client.on('mesage' as 'message', () => {})).toThrow('there is no event');
    expect(() => client.on('message', null as never)).toThrow(UsageError);
  });

  test('T87: no late event of an old socket: what it still had to say is not heard once it is over', async () => {
    const { client, log } = watched();
    void client.start();
    await world.clock.run(10);
    const [old] = [...world.lines];
    old!.server.send('on its way');
    old!.link.reset();
    await world.clock.run(6_000);
    old!.server.send('from the grave');
    await world.clock.run(100);
    expect(log.filter((line) => line.startsWith('message'))).toEqual([]);
    expect(log.filter((line) => line.startsWith('close'))).toHaveLength(1);
  });

  test('seed 27, 28: one listener for everything, with a number for each event', async () => {
    const seen: string[] = [];
    const client = world.client({
      onEvent: (from, event) => {
        expect(from).toBe(client);
        const { type } = event;
        seen.push(type === 'stop' || type === 'drop' ? type : `${EventNumber[type]} ${type}`);
      },
    });
    clients.push(client);
    void client.start();
    await world.clock.run(10);
    const server = serverSide();
    server.send('a');
    void server.ping('b');
    void client.ping('c');
    await world.clock.run(10);
    world.cutAll();
    await world.clock.run(10);
    await client.stop();
    expect(seen.sort()).toEqual(['0 message', '1 open', '2 close', '3 error', '4 ping', '5 pong', 'stop']);
    expect(() => world.client({ onEvent: 1 as never })).toThrow('onEvent');
    expect(() => client.configure({ onEvent: () => {} })).toThrow('on()');
  });

  test('seed 28, 35: fragments are told as such, each once', async () => {
    const seen: unknown[] = [];
    const client = world.client({
      delivery: 'fragment',
      onEvent: (_, event) => {
        if (event.type === 'fragment' || event.type === 'message') seen.push(event.type, event.data.length);
      },
    });
    clients.push(client);
    void client.start();
    await world.clock.run(10);
    serverSide().send('abc');
    await world.clock.run(10);
    expect(seen).toEqual(['fragment', 3]);
  });

  test('seed 35: who listens to what is not delivered hears so at once, and not at the next connection', async () => {
    const wrong = { code: 'INVALID_STATE', message: expect.stringContaining("delivery: 'fragment'") };
    expect(() => world.client({ on: { fragment() {} } })).toThrow(expect.objectContaining(wrong));
    const { client } = watched();
    expect(() => client.on('fragment', () => {})).toThrow(expect.objectContaining(wrong));
    expect(() => client.configure({ delivery: 'fragment' })).toThrow(/'delivery' .* listener for 'message'/);
    void client.start();
    await world.clock.run(10);
    expect(client.state).toBe('open');
    void client.stop();
    await world.clock.run(10_000);

    const bare = world.client({});
    clients.push(bare);
    const off = bare.on('message', () => {});
    off();
    bare.configure({ delivery: 'fragment' });
    expect(() => bare.on('message', () => {})).toThrow("delivery: 'message'");
    const pieces: number[] = [];
    bare.on('fragment', ({ data }) => pieces.push(data.length));
    void bare.start();
    await world.clock.run(10);
    serverSide().send('abc');
    await world.clock.run(10);
    expect(pieces).toEqual([3]);
  });

  test('seed 34, 111: data of the application, and counters over all connections', async () => {
    const { client } = watched();
    expect([client.context, client.statistics.messagesSent]).toEqual([undefined, 0]);
    client.context = { user: 7 };
    void client.start();
    for (let round = 1; round <= 2; round++) {
      await world.clock.run(6_000);
      client.send('a');
      serverSide().send('b');
      await world.clock.run(10);
      expect(client.statistics).toMatchObject({ messagesSent: round, messagesReceived: round });
      world.cutAll();
      await world.clock.settle();
    }
    const { bytesSent, bytesReceived } = client.statistics;
    expect(bytesSent).toBeGreaterThan(2 * 7);
    expect(bytesReceived).toBeGreaterThan(2 * 3);
    expect([client.statistics.messagesSent, client.context]).toEqual([2, { user: 7 }]);
  });

  test('seed 42, 73: what can be asked', async () => {
    const { client } = watched();
    expect(client.configure({ pingInterval: null }).info.pingInterval).toBeNull();
    expect(client.configure({ pingInterval: undefined } as object).info).toEqual({
      state: 'stopped',
      readyState: 'closed',
      url: 'ws://a.test/',
      reconnect: true,
      maxWait: 30_000,
      pingInterval: 25_000,
      extensions: '',
      retries: 0,
      waitTime: null,
      bufferedAmount: 0,
      queuedMessages: 0,
      queuedBytes: 0,
      droppedMessages: 0,
    });
    void client.start();
    client.send('héllo');
    expect(client.info).toMatchObject({
      state: 'connecting',
      readyState: 'connecting',
      queuedMessages: 1,
      queuedBytes: 6,
    });
    expect(await client.ping()).toBeNull();
    await world.clock.run(10);
    expect(client.info).toMatchObject({ state: 'open', readyState: 'open', queuedMessages: 0 });
    const ping = client.ping('x');
    await world.clock.run(10);
    expect(await ping).toBe(0);
    expect([client.latency, client.url]).toEqual([0, 'ws://a.test/']);
  });
});

describe('T86: what is sent while there is no connection', () => {
  test('waits, goes out in order, and behind what open listeners send', async () => {
    const { client } = watched();
    void client.start();
    for (const text of ['1', '2']) {
      expect(client.send(text)).toEqual({
        success: true,
        code: null,
        payloadSize: 1,
        wireSize: 0,
        compressionError: false,
        writable: true,
      });
    }
    client.on('open', () => client.send('hello'));
    await world.clock.run(10);
    expect(client.send('3')).toMatchObject({ success: true, wireSize: 7 });
    world.cutAll();
    await world.clock.settle();
    client.send('4');
    await world.clock.run(6_000);
    // '3' was handed to a connection that lost it: it is not sent twice.
    expect(world.received).toEqual(['hello', '1', '2', 'hello', '4']);
  });

  test('is refused when it is stopped, and dropped when it stops', async () => {
    world.treatment = 'down';
    const { client } = watched();
    expect(client.send('a')).toMatchObject({ success: false, code: 'not-open' });
    void client.start();
    expect(client.send('b')).toMatchObject({ success: true });
    await client.stop();
    expect(client.info).toMatchObject({ queuedMessages: 0, droppedMessages: 1 });
    world.treatment = 'accept';
    void client.start();
    await world.clock.run(10);
    expect(world.received).toEqual([]);
  });

  test('is bounded, and says so', async () => {
    const { client } = watched({ queue: { maxMessages: 2 } });
    void client.start();
    expect(['a', 'b', 'c'].map((text) => client.send(text))).toMatchObject([
      { success: true, writable: true },
      { success: true, writable: false },
      { success: false, code: 'overflow' },
    ]);
    const { client: other } = watched({ queue: { maxMessages: 2, overflow: 'drop-oldest' } });
    void other.start();
    for (const text of ['d', 'e', 'f']) expect(other.send(text)).toMatchObject({ success: true });
    expect(other.info).toMatchObject({ queuedMessages: 2, droppedMessages: 1 });
    await world.clock.run(10);
    expect(world.received.sort()).toEqual(['a', 'b', 'e', 'f']);
  });

  test('is refused where the queue is off', async () => {
    const { client } = watched({ queue: null });
    void client.start();
    expect(client.send('a')).toMatchObject({ success: false, code: 'not-open' });
    await world.clock.run(10);
    expect(client.send('b')).toMatchObject({ success: true });
    await world.clock.run(10);
    expect(world.received).toEqual(['b']);
  });

  test('goes out before the Close when it is stopped', async () => {
    const { client } = watched({ highWaterMark: 100 });
    void client.start();
    for (let i = 0; i < 50; i++) client.send(String(i).padStart(20, '0'));
    world.link = { window: 64 };
    await world.clock.run(1);
    const stopped = client.stop();
    await world.clock.run(1_000);
    expect(await stopped).toMatchObject({ clean: true });
    expect(world.received.map(Number)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test('heeds backpressure: what one connection does not take gladly waits, and survives it', async () => {
    const { client } = watched({ highWaterMark: 100, queue: { maxMessages: 1_000 } });
    void client.start();
    for (let i = 0; i < 200; i++) client.send(`message ${i}`);
    world.link = { window: 64, latency: 5 };
    await world.clock.run(20);
    const waiting = client.info.queuedMessages;
    expect(waiting).toBeGreaterThan(150);
    // Order: what is sent now goes behind.
    client.send('last');
    expect(client.info.queuedMessages).toBe(waiting + 1);
    world.cutAll();
    await world.clock.run(60_000);
    const numbers = world.received.slice(0, -1).map((text) => Number(text.slice(8)));
    expect(world.received.at(-1)).toBe('last');
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(waiting);
  });

  test('a small maxBufferedAmount costs no message', async () => {
    for (const overflow of ['close', 'refuse']) {
      world.received.length = 0;
      const { client, log } = watched({ maxBufferedAmount: 500, overflow });
      world.link = { window: 64, latency: 5 };
      void client.start();
      for (let i = 0; i < 100; i++) client.send(`message ${i}`);
      await world.clock.run(5_000);
      expect(log).toEqual(['open 0']);
      expect(world.received).toEqual(Array.from({ length: 100 }, (_, i) => `message ${i}`));
      expect(client.info.droppedMessages).toBe(0);
    }
  });

  test.each(['close', 'refuse'])(
    'stop sends a queue beyond maxBufferedAmount as it is taken, overflow: %s',
    async (overflow) => {
      const { client, log } = watched({ maxBufferedAmount: 500, overflow });
      const dropped = dropsOf(client);
      world.link = { window: 64, latency: 5 };
      void client.start();
      for (let i = 0; i < 100; i++) client.send(`message ${i}`);
      await world.clock.run(15);
      const stopped = client.stop(4001, 'done');
      expect(client.send('late')).toMatchObject({ success: false, code: 'not-open' });
      expect(client.stop()).toBe(stopped);
      await world.clock.run(4_000);
      expect(await stopped).toMatchObject({ code: 4001, reason: 'done', clean: true });
      expect(world.received).toEqual(Array.from({ length: 100 }, (_, i) => `message ${i}`));
      expect([dropped, client.info.droppedMessages, log]).toEqual([
        [],
        0,
        ['open 0', 'close 4001 done true null', 'stop null'],
      ]);
    },
  );

  test('stop waits no longer than closeTimeout for a server that reads too slowly, or not at all: each message is told', async () => {
    for (const reads of ['slowly', 'not at all']) {
      world.received.length = 0;
      const { client, log } = watched({ highWaterMark: 50, closeTimeout: 1_000 });
      const dropped = dropsOf(client, log);
      world.link = { window: 64, latency: 200 };
      world.onLine = ({ server }) => {
        if (reads === 'not at all') server.pause();
      };
      void client.start();
      const sent = Array.from({ length: 100 }, (_, i) => `message ${i}`);
      for (const each of sent) expect(client.send(each).success).toBe(true);
      while (client.state !== 'open') await world.clock.run(10);
      const stopped = client.stop();
      await world.clock.run(900);
      expect([client.state, dropped]).toEqual(['stopping', []]);
      await world.clock.run(60_000);
      await stopped;
      const handed = client.statistics.messagesSent;
      // Handed over, in order, or told: nothing is neither, and nothing both.
      expect(dropped).toEqual(sent.slice(handed));
      expect(dropped.length).toBeGreaterThan(10);
      expect(world.received).toEqual(sent.slice(0, world.received.length));
      expect(world.received.length).toBeLessThanOrEqual(handed);
      expect([client.info.droppedMessages, log.at(-1)]).toEqual([dropped.length, 'stop null']);
      for (const { server } of [...world.lines]) server.terminate();
    }
  });

  test('a connection that is lost while stop sends takes the rest along, and that is told', async () => {
    const { client, log } = watched({ highWaterMark: 50 });
    const dropped = dropsOf(client, log);
    world.link = { window: 64, latency: 50 };
    void client.start();
    for (let i = 0; i < 50; i++) client.send(`message ${i}`);
    await world.clock.run(200);
    const stopped = client.stop();
    await world.clock.run(100);
    world.cutAll();
    await world.clock.run(1_000);
    expect(await stopped).toMatchObject({ code: 1006 });
    expect(dropped.length + client.statistics.messagesSent).toBe(50);
    expect(log.slice(0, 3)).toEqual(['open 0', 'error TRANSPORT_FAILED null 0 null', 'close 1006  false null']);
    expect([log[3], log.at(-1)]).toEqual([`drop message ${50 - dropped.length}`, 'stop null']);
  });

  test('what makes room, or waits when the client stops, is told; after clear() nothing is', async () => {
    world.treatment = 'down';
    const { client, log } = watched({ queue: { maxMessages: 2, overflow: 'drop-oldest' } });
    const dropped = dropsOf(client, log);
    void client.start();
    for (const text of ['a', 'b', 'c']) client.send(text);
    client.send(Uint8Array.of(1, 2));
    await world.clock.settle();
    expect(dropped).toEqual(['a', 'b']);
    await client.stop();
    expect(dropped).toEqual(['a', 'b', 'c', Uint8Array.of(1, 2)]);
    expect(log).toEqual(['drop a', 'drop b', 'drop c', 'drop 1,2', 'stop null']);
    void client.start();
    client.send('d');
    await client.clear();
    await world.clock.settle();
    expect([dropped.length, client.info.droppedMessages]).toEqual([4, 5]);
  });

  test('what is dropped while nobody listens is kept for nobody, and only counted', async () => {
    world.treatment = 'down';
    const { client, log } = watched({ queue: { maxMessages: 2, overflow: 'drop-oldest' } });
    void client.start();
    for (const text of ['a', 'b', 'c']) client.send(text);
    // In the same turn: it hears of what follows.
    const dropped = dropsOf(client, log);
    client.send('d');
    await world.clock.settle();
    expect([dropped, client.info.droppedMessages]).toEqual([['b'], 2]);
  });

  test('a hundred thousand that are dropped at once are told in order, and in no time worth a word', async () => {
    world.treatment = 'down';
    const count = 100_000;
    const { client } = watched({ queue: { maxMessages: count } });
    const dropped: unknown[] = [];
    client.on('drop', ({ data }) => void dropped.push(data));
    void client.start();
    const texts = Array.from({ length: count }, (_, i) => String(i));
    for (const text of texts) client.send(text);
    await client.stop();
    expect(dropped).toEqual(texts);
  });

  test('a listener that sends again what was dropped does not hold up the world', async () => {
    world.treatment = 'down';
    const { client } = watched({ queue: { maxMessages: 2, overflow: 'drop-oldest' } });
    let times = 0;
    client.on('drop', ({ data }) => void (times++ < 10 && client.send(data)));
    void client.start();
    for (const text of ['a', 'b', 'c']) client.send(text);
    await world.clock.settle();
    expect([times, client.info.queuedMessages, client.info.droppedMessages]).toEqual([11, 2, 11]);
  });

  test('what is sent when the transport is gone, and a paused socket has not told, goes to the next connection', async () => {
    const { client } = watched();
    void client.start();
    await world.clock.run(10);
    const { socket } = client;
    socket!.pause();
    world.cutAll();
    await world.clock.run(10);
    expect([client.state, socket!.readyState]).toEqual(['open', 'open']);
    expect(client.send('a')).toMatchObject({ success: true, wireSize: 0 });
    expect(client.send('b').success).toBe(true);
    socket!.resume();
    await world.clock.run(60_000);
    expect(world.received).toEqual(['a', 'b']);
    expect(client.socket).not.toBe(socket);
  });

  test('whoever is told to wait hears drain, also where the connection takes all that waited at once', async () => {
    for (const overflow of ['refuse', 'drop-oldest'] as const) {
      const { client } = watched({ queue: { maxMessages: 3, overflow } });
      let drains = 0;
      client.on('drain', () => void drains++);
      void client.start();
      for (const text of ['a', 'b']) expect(client.send(text).writable).toBe(true);
      expect(client.send('c').writable).toBe(false);
      await world.clock.run(1_000);
      expect([client.state, client.info.queuedMessages, drains]).toEqual(['open', 0, 1]);
      // Nobody has been told to wait since.
      client.send('d');
      world.cutAll();
      await world.clock.settle();
      client.send('e');
      await world.clock.run(10_000);
      expect([client.state, drains]).toEqual(['open', 1]);
    }
  });

  test('who heeds writable never waits for good, whatever becomes of its connections', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const chance = seededNumbers(seed);
      const { client } = watched({
        highWaterMark: 50 + Math.floor(chance() * 500),
        queue: { maxMessages: 1 + Math.floor(chance() * 10), overflow: chance() < 0.5 ? 'refuse' : 'drop-oldest' },
        reconnect: { firstWait: 50, maxWait: 100 },
      });
      world.link = chance() < 0.5 ? {} : { window: 64 + Math.floor(chance() * 500), latency: chance() * 20 };
      let sent = 0;
      const produce = () => {
        while (sent < 200 && client.send(`${sent++}`.padStart(chance() * 60)).writable);
      };
      client.on('drain', produce);
      void client.start();
      produce();
      for (let i = 0; i < 10; i++) {
        await world.clock.run(chance() * 80);
        world.treatment = chance() < 0.1 ? 'down' : 'accept';
        if (chance() < 0.3) world.cutAll();
      }
      world.treatment = 'accept';
      await world.clock.run(20_000);
      expect([sent, client.info.queuedMessages], `seed ${seed}`).toEqual([200, 0]);
      void client.stop();
      await world.clock.run(20_000);
    }
  });

  test('a fragmented message that an open listener begins is ended before what waits, of which nothing is lost', async () => {
    const { client } = watched();
    const dropped = dropsOf(client);
    const bytes = (text: string) => new TextEncoder().encode(text);
    client.on('open', () => void client.socket!.sendFragment('text', bytes('one '), false));
    void client.start();
    for (const text of ['a', 'b']) client.send(text);
    await world.clock.run(1_000);
    expect([client.info.queuedMessages, world.received]).toEqual([2, []]);
    // As good as sent: what is sent now goes behind.
    expect(client.send('c')).toMatchObject({ success: true, wireSize: 0 });
    client.socket!.sendFragment('text', bytes('message'), true);
    await world.clock.run(1_000);
    expect([world.received, dropped, world.warnings]).toEqual([['one message', 'a', 'b', 'c'], [], []]);
  });

  test('what cannot be sent is refused at once, open or not', async () => {
    const { client } = watched();
    const wrong = () => {
      expect(() => client.send('\ud800')).toThrow(UsageError);
      expect(() => client.send(7 as never)).toThrow(UsageError);
      expect(() => client.send('a', { binary: 1 } as never)).toThrow(UsageError);
    };
    wrong();
    void client.start();
    wrong();
    await world.clock.run(10);
    wrong();
    expect(client.state).toBe('open');
  });
});
