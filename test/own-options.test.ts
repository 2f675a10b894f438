/**
 * Options are an object's own properties. What is inherited, and what a class has as a getter or a method, some would read and
 * others overlook: a `port` that holds beside an `authorize` that does not. It is refused wherever options are copied.
 */
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { connect, ReconnectingClient } from '../src/client/index.ts';
import { Settings } from '../src/connection/options.ts';
import { EndpointSettings } from '../src/endpoint/options.ts';
import { UsageError } from '../src/errors.ts';
import { adopt, createGateway } from '../src/gateway/index.ts';
import { attach, serve } from '../src/server/index.ts';
import { ShellClientSettings, ShellServerSettings } from '../src/shell/options.ts';
import { pair } from '../src/testing.ts';
import { BunServer, connect as connectBun } from '../src/transport/bun/index.ts';
import { connect as connectDeno, DenoServer } from '../src/transport/deno/index.ts';
import { clientTls, serverTls } from '../src/transport/node/tls.ts';
import { connect as connectWorkerd, socketHandler } from '../src/transport/workerd/index.ts';
import { local } from './support/certificates.ts';

const URL_OF_NOBODY = 'ws://127.0.0.1:1/';
const yes = () => true;

/** Everything that takes options, by its name. What is wrong with them is found before anything is dialled or listened on. */
const TAKERS: Record<string, (options: never) => unknown> = {
  serve: (options) => serve(options),
  attach: (options) => attach(createServer(), options),
  connect: (options) => connect(URL_OF_NOBODY, options),
  'connect: on': (on) => connect(URL_OF_NOBODY, { on }),
  'connect: tls': (tls) => connect('wss://127.0.0.1:1/', { tls }),
  ReconnectingClient: (options) => new ReconnectingClient(URL_OF_NOBODY, options),
  'ReconnectingClient: reconnect': (reconnect) => new ReconnectingClient(URL_OF_NOBODY, { reconnect }),
  'ReconnectingClient: queue': (queue) => new ReconnectingClient(URL_OF_NOBODY, { queue }),
  'ReconnectingClient: on': (on) => new ReconnectingClient(URL_OF_NOBODY, { on }),
  configure: (options) => new ReconnectingClient(URL_OF_NOBODY).configure(options),
  createGateway: (options) => createGateway(options),
  'createGateway: routes': (route) => createGateway({ port: 0, routes: [route] }),
  adopt: (options) => adopt(yes, options, new EventEmitter()),
  EndpointSettings: (options) => new EndpointSettings(options),
  'compression of endpoints': (compression) => new EndpointSettings({ compression }),
  'platform of servers': (platform) => serve({ port: 0, platform }),
  'platform of clients': (platform) => connect(URL_OF_NOBODY, { platform }),
  'platform of processes': (platform) => adopt(yes, { platform }, new EventEmitter()),
  'headers of servers': (headers) => serve({ port: 0, headers }),
  'headers of clients': (headers) => connect(URL_OF_NOBODY, { headers }),
  'tls of servers': (tls) => serverTls(tls, 'here'),
  'tls of clients': (tls) => clientTls(tls, 'localhost', 'here'),
  'pair: server': (server) => pair({ server }),
  'pair: client': (client) => pair({ client }),
  'servers of all runtimes': (options) => new ShellServerSettings(options, {}, 'here'),
  'clients of all runtimes': (options) => new ShellClientSettings(options, {}, 'here'),
  'on, of all runtimes': (on) => new ShellClientSettings({ on }, {}, 'here'),
  'platform, of all runtimes': (platform) => new ShellServerSettings({ platform }, {}, 'here'),
  DenoServer: (options) => new DenoServer(options),
  'connect of Deno': (options) => connectDeno(URL_OF_NOBODY, options),
  BunServer: (options) => new BunServer(options),
  'connect of Bun': (options) => connectBun(URL_OF_NOBODY, options),
  'socketHandler of workerd': (options) => socketHandler(options),
  'connect of workerd': (options) => connectWorkerd(URL_OF_NOBODY, options),
};

class Getters {
  get port(): number {
    return 0;
  }
  get authorize() {
    return () => false;
  }
}

class Methods {
  port = 0;
  authorize(): boolean {
    return false;
  }
}

class Child extends Methods {
  override port = 1;
}

const REFUSED: [string, object, string][] = [
  ['getters of a class', new Getters(), "'port' is inherited"],
  ['a method of a class', new Methods(), "'authorize' is inherited"],
  ['a method of the class above', new Child(), "'authorize' is inherited"],
  ['a prototype with options', Object.create({ authorize: () => false }), "'authorize' is inherited"],
  ['a prototype without a prototype', Object.create(Object.create(null, { tls: { value: 1 } })), "'tls' is inherited"],
  [
    'what is not enumerable',
    Object.create(null, { authorize: { value: () => false } }),
    "'authorize' is not enumerable",
  ],
  ['a prototype of another realm', runInNewContext('Object.create({ authorize() {} })'), "'authorize' is inherited"],
];

async function outcome(act: () => unknown): Promise<unknown> {
  try {
    return await act();
  } catch (error) {
    return error;
  }
}

describe.each(Object.keys(TAKERS))('%s', (name) => {
  // Of a record of headers any name may be there, hidden ones are left out as everywhere in the language.
  const refused = name.startsWith('headers') ? REFUSED.filter(([, , why]) => why.includes('inherited')) : REFUSED;

  test.each(refused)('refuses %s', async (_, options, why) => {
    const error = await outcome(() => TAKERS[name]!(options as never));
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toContain(why);
  });
});

class Fields {
  highWaterMark = 7;
}

test.each<[string, object]>([
  ['a literal', { highWaterMark: 7 }],
  ['a frozen one', Object.freeze({ highWaterMark: 7 })],
  ['one without a prototype', Object.assign(Object.create(null), { highWaterMark: 7 })],
  ['one of another realm', runInNewContext('({ highWaterMark: 7 })')],
  ['an instance with fields alone', new Fields()],
  ['an own getter', Object.defineProperty({}, 'highWaterMark', { get: () => 7, enumerable: true })],
  ['a proxy', new Proxy({ highWaterMark: 7 }, {})],
])('%s is taken as it is', (_, options) => {
  expect(new EndpointSettings(options).highWaterMark).toBe(7);
  expect(new ShellServerSettings(options, {}, 'here').endpoint.highWaterMark).toBe(7);
});

test('so are those of TLS', () => {
  const tls = Object.freeze(Object.assign(Object.create(null), local));
  expect(serverTls(tls, 'here')).toMatchObject(local);
});

test('the engine copies nothing, and so reads what is inherited like all else', () => {
  expect(Settings.from(Object.create({ maxMessageSize: 7, autoPong: false }))).toMatchObject({
    maxMessageSize: 7,
    maxFrameSize: 7,
    autoPong: false,
  });
});
