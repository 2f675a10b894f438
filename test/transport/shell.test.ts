/** What the servers and clients of all runtimes share, on a virtual clock: who gets in, what is answered, and the end. */
import { expect, test } from 'vitest';
import type { Endpoint } from '../../src/endpoint/endpoint.ts';
import { HandshakeError, TimeoutError, TransportError, UsageError } from '../../src/errors.ts';
import { openClient } from '../../src/shell/client.ts';
import {
  type ShellClientOptions,
  ShellClientSettings,
  type ShellServerOptions,
  ShellServerSettings,
} from '../../src/shell/options.ts';
import { ShellServer } from '../../src/shell/server.ts';
import { memoryLink, VirtualClock } from '../../src/transport/memory.ts';
import { upgradeRequest } from '../support/sockets.ts';

const platform = { random: (into: Uint8Array) => void into.fill(7) };

function running(options: ShellServerOptions = {}) {
  const clock = new VirtualClock();
  const warnings: unknown[] = [];
  const environment = { clock, warn: (error: unknown) => void warnings.push(error) };
  const sockets: Endpoint[] = [];
  const server = new ShellServer(
    options,
    (socket) => {
      sockets.push(socket);
      socket.on('message', ({ data }) => void socket.send(data));
    },
    environment,
    platform,
    'serve',
  );
  const dial = async (client: ShellClientOptions = {}, target = '/') => {
    const settings = new ShellClientSettings(client, platform, 'connect');
    const attempt = openClient({ host: 'example.test', target }, settings, environment, async () => {
      const { left, right } = memoryLink(clock);
      server.admit(left);
      return right;
    });
    const outcome = attempt.then(
      (socket) => socket,
      (error: unknown) => error,
    );
    await clock.run(1_000);
    return outcome;
  };
  return { clock, server, sockets, warnings, environment, dial };
}

test.each<readonly [string, ShellServerOptions, object, number]>([
  ['a path that is not served', { paths: ['/a'] }, {}, 404],
  ['a page of another host', {}, { origin: 'http://evil.example' }, 403],
  ['what authorize does not want', { authorize: () => false }, {}, 403],
  ['what authorize answers itself', { authorize: async () => 401 }, {}, 401],
  ['more than maxConnections', { maxConnections: 1 }, {}, 503],
])('%s is refused', async (what, server, client, status) => {
  const { dial } = running(server as ShellServerOptions);
  if (what.startsWith('more')) await dial();
  const error = await dial(client);
  expect(error).toBeInstanceOf(HandshakeError);
  expect((error as HandshakeError).status).toBe(status);
});

test('an authorize that throws, or answers nonsense, is 500 and one warning; the next is served', async () => {
  let answers: unknown[] = [Promise.reject(new Error('database')), 'yes', true];
  const { dial, warnings } = running({
    authorize: (): boolean => {
      const [answer] = answers;
      answers = answers.slice(1);
      return answer as boolean;
    },
  });
  expect(await dial()).toMatchObject({ status: 500 });
  expect(await dial()).toMatchObject({ status: 500 });
  expect(warnings.length).toBe(2);
  expect(await dial()).toMatchObject({ readyState: 'open' });
});

test('an authorize may answer with what only resembles a promise', async () => {
  const { dial, warnings } = running({
    authorize: () =>
      ({
        // biome-ignore lint/suspicious/noThenProperty: that is what it is about
        then(settled: (verdict: boolean) => void) {
          settled(true);
        },
      }) as never,
  });
  expect(await dial()).toMatchObject({ readyState: 'open' });
  expect(warnings).toEqual([]);
});

test.each(['maxConnections', 'maxPendingHandshakes'])(
  'who was refused and lingers takes no place of %s',
  async (name) => {
    const { clock, server, dial } = running({ [name]: 1, paths: ['/a'] });
    const { left, right } = memoryLink(clock);
    server.admit(left);
    const answer: number[] = [];
    // It never ends its side.
    right.start({
      received: (bytes) => void answer.push(...bytes),
      ...{ receivedBorrowed() {}, written() {}, ended() {}, closed() {} },
    });
    right.write([Uint8Array.from(upgradeRequest('/b'), (char) => char.charCodeAt(0))]);
    await clock.run(10);
    expect(String.fromCharCode(...answer)).toContain('404');
    expect(await dial({}, '/a')).toMatchObject({ readyState: 'open' });
  },
);

test('the first subprotocol of the server that is offered is chosen', async () => {
  const { dial } = running({ subprotocols: ['b', 'a'] });
  expect(await dial({ subprotocols: ['a', 'b'] })).toMatchObject({ subprotocol: 'b' });
  expect(await dial()).toMatchObject({ subprotocol: '' });
});

test('close() gives every connection a 1001 and takes none any more', async () => {
  const { dial, server, clock } = running();
  const socket = (await dial()) as Endpoint;
  socket.resume();
  const closed = server.close();
  await clock.run(100);
  await closed;
  expect(await socket.closed).toMatchObject({ code: 1001, clean: true });
  expect(server.connections.size).toBe(0);
  expect(await dial()).toMatchObject({ status: 503 });
});

test('a server that has refused us, and stays, keeps nobody waiting for longer than handshakeTimeout', async () => {
  const { environment, clock } = running();
  const settings = new ShellClientSettings({ handshakeTimeout: 500, closeTimeout: null }, platform, 'connect');
  const { left, right } = memoryLink(clock);
  left.start({ received() {}, receivedBorrowed() {}, written() {}, ended() {}, closed() {} });
  const refused = openClient({ host: 'a.test', target: '/' }, settings, environment, async () => right);
  const outcome = expect(refused).rejects.toMatchObject({ code: 'STATUS_UNEXPECTED', status: 401 });
  const answer = 'HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n';
  left.write([Uint8Array.from(answer, (char) => char.charCodeAt(0))]);
  await clock.run(500);
  await outcome;
  expect(clock.pendingAlarms).toBe(0);
});

test('a dial that hangs is a TimeoutError, one that fails a TransportError with its cause, an abort its reason', async () => {
  const { environment, clock } = running();
  const settings = (options: ShellClientOptions) => new ShellClientSettings(options, platform, 'connect');
  const where = { host: 'example.test', target: '/' };
  const hanging = openClient(where, settings({ handshakeTimeout: 500 }), environment, () => new Promise(() => {}));
  const refused = openClient(where, settings({}), environment, () => Promise.reject(new Error('no route')));
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = openClient(where, settings({ signal }), environment, () => new Promise(() => {}));
  const outcomes = Promise.allSettled([hanging, refused, aborted]);
  controller.abort('changed my mind');
  await clock.run(1_000);
  const [one, two, three] = (await outcomes).map((each) => (each.status === 'rejected' ? each.reason : null));
  expect(one).toBeInstanceOf(TimeoutError);
  expect(two).toBeInstanceOf(TransportError);
  expect(two.cause).toMatchObject({ message: 'no route' });
  expect(three).toBe('changed my mind');
  expect(clock.pendingAlarms).toBe(0);
});

test.each([
  [{ paths: ['a'] }, "'paths'"],
  [{ paths: 'a' }, "'paths'"],
  [{ paths: ['/é'] }, 'is percent-encoded'],
  [{ allowedOrigins: ['http://A'] }, "'allowedOrigins'"],
  [{ subprotocols: ['a b'] }, "'subprotocols'"],
  [{ maxConnections: 0 }, "'maxConnections'"],
  [{ maxMessageSize: '1' }, "'maxMessageSize'"],
  [{ nonsense: 1 }, "'nonsense'"],
  [null, 'options'],
])('wrong options of a server are named: %j', (options, name) => {
  const { environment } = running();
  const make = () => new ShellServer(options as never, undefined, environment, platform, 'serve');
  expect(make).toThrow(UsageError);
  expect(make).toThrow(name);
});

test('paths and close codes that are none are named, whatever they are, and the server lives', async () => {
  for (const path of [10n, [{}], Symbol('x'), null]) {
    const make = () => new ShellServerSettings({ paths: [path as never] }, platform, 'serve');
    expect(make).toThrow(UsageError);
    expect(make).toThrow('is no path');
  }
  const { server, dial, sockets } = running();
  expect(() => server.close(null as never)).toThrow('a close code is a number, not null');
  await dial();
  expect(sockets.length).toBe(1);
});

test('a signal that is none is named', async () => {
  const make = () => new ShellClientSettings({ signal: {} as never }, platform, 'connect');
  expect(make).toThrow(UsageError);
  expect(make).toThrow("connect: option 'signal' must be an AbortSignal");
});

test.each([null, { status: 403 }])('an authorize that answers %j is 500 and a warning that says so', async (answer) => {
  const { dial, warnings } = running({ authorize: () => answer as never });
  expect(await dial()).toMatchObject({ status: 500 });
  expect(String(warnings[0])).toContain('authorize must answer a boolean or a status');
});

test.each(['the deadline', 'an abort', 'a dial that fails'])(
  'what is dialled and no transport yet is let go after %s, once',
  async (what) => {
    const { clock, environment } = running();
    const abort = new AbortController();
    let fail: (error: Error) => void = () => {};
    let dropped = 0;
    const settings = new ShellClientSettings({ signal: abort.signal }, platform, 'connect');
    const attempt = openClient({ host: 'example.test', target: '/' }, settings, environment, (_, onGivenUp) => {
      onGivenUp(() => {
        dropped++;
      });
      return new Promise((_, reject) => {
        fail = reject;
      });
    }).catch((error: unknown) => error);
    await clock.run(1_000);
    expect(dropped).toBe(0);
    if (what === 'an abort') abort.abort(new Error('as asked'));
    if (what === 'a dial that fails') fail(new Error('refused'));
    await clock.run(60_000);
    expect(await attempt).toBeInstanceOf(Error);
    fail(new Error('too late'));
    await clock.run(1_000);
    expect(dropped).toBe(1);
  },
);

test('what is dialled too late is let go at once; what became a transport is not', async () => {
  const { clock, environment, server } = running();
  let dropped = 0;
  const settings = new ShellClientSettings({}, platform, 'connect');
  const destination = { host: 'example.test', target: '/' };
  const late = openClient(destination, settings, environment, async (_, onGivenUp) => {
    await new Promise<void>((resolve) => environment.clock.schedule({ wake: resolve }, 20_000));
    onGivenUp(() => {
      dropped++;
    });
    return new Promise(() => {});
  }).catch((error: unknown) => error);
  await clock.run(30_000);
  expect(await late).toBeInstanceOf(TimeoutError);
  expect(dropped).toBe(1);
  const opened = openClient(destination, settings, environment, async (_, onGivenUp) => {
    onGivenUp(() => {
      dropped++;
    });
    const { left, right } = memoryLink(clock);
    server.admit(left);
    return right;
  });
  await clock.run(1_000);
  (await opened).terminate();
  await clock.run(60_000);
  expect(dropped).toBe(1);
});
