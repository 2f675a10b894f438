import { createServer } from 'node:http';
import { describe, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { createGateway, type GatewayEvents, type GatewayOptions } from '../../src/gateway/index.ts';
import { ATTACH_RULES, SERVE_RULES } from '../../src/server/options.ts';
import { attach } from '../../src/server/upgrade.ts';
import { backend, cleanUp, echo, folder, gateway } from './support.ts';

/** What creating a gateway says. */
function complaint(options: object): Promise<string> {
  return createGateway(options as GatewayOptions).then(
    async (running) => {
      await running.close();
      return 'it was taken';
    },
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

/** Nothing that any option takes. */
const WRONG = Symbol('wrong');

describe('what is wrong with the options is said of the gateway', () => {
  test.each(Object.keys(SERVE_RULES))('option %s of its own port', async (name) => {
    const said = await complaint({ docroot: folder(), port: 0, host: '127.0.0.1', [name]: WRONG });
    expect(said).toMatch(/^UsageError: gateway: /);
    expect(said).toContain(name);
  });

  test.each(Object.keys(ATTACH_RULES))("option %s on somebody's http server", async (name) => {
    const http = createServer();
    const said = await complaint({ docroot: folder(), server: http, [name]: WRONG });
    expect(said).toMatch(/^UsageError: gateway: /);
    expect(said).toContain(name);
    expect(http.listenerCount('upgrade')).toBe(0);
  });

  test.each(['port', 'host', 'path', 'tls', 'onRequest', 'backlog', 'signal'])(
    'option %s means nothing on a server that listens already',
    async (name) => {
      const said = await complaint({ docroot: folder(), server: createServer(), [name]: 1 });
      expect(said).toBe(
        `UsageError: gateway: option '${name}' means nothing with option 'server', which listens already`,
      );
    },
  );

  test.each([
    ['no place to listen', {}, "gateway: give option 'port'"],
    ['two of them', { port: 0, path: '/tmp/x' }, "gateway: give option 'port'"],
    ['a port that is none', { port: 70_000 }, "gateway: option 'port' must be a whole number from 0 to 65535"],
    ['an empty docroot', { port: 0, docroot: '' }, "gateway: option 'docroot' is empty"],
    ['an empty path', { path: '' }, "gateway: option 'path' is empty"],
    ['a server that is none', { server: {} }, "gateway: option 'server' must be a server of node:http"],
    ['TLS without a key', { port: 0, tls: {} }, "gateway: option 'tls' needs both"],
    ['a proxy that is none', { port: 0, trustedProxies: ['localhost'] }, "gateway: option 'trustedProxies': "],
  ])('%s', async (_, options, text) => {
    expect(await complaint({ docroot: folder(), ...options })).toContain(`UsageError: ${text}`);
    if ('tls' in options || 'trustedProxies' in options || 'docroot' in options) return;
    expect(await complaint({ mode: 'direct', processes: {}, ...options })).toContain(`UsageError: ${text}`);
  });

  test.each<GatewayOptions>([
    { allow: 'feed' },
    { deny: 'feed/secret' },
    { order: 'deny-first' },
    { protocolAsName: false },
  ])('row 93: %j means nothing to routes, and nobody is left to believe that it does', async (rule) => {
    const own = { port: 0, host: '127.0.0.1', routes: [{ prefix: 'feed', port: 1 }], ...rule };
    expect(await complaint(own)).toBe(
      `UsageError: gateway: option '${Object.keys(rule)[0]}' is about the names below a 'docroot', and there is none: a route is its own permission`,
    );
    expect(await complaint({ ...own, docroot: folder() })).toBe('it was taken');
  });

  test('row 99: direct mode on a UNIX socket has lists of addresses only for clients behind proxies', async () => {
    const own = {
      mode: 'direct',
      processes: {},
      path: `${folder()}/front`,
      allowedAddresses: ['192.0.2.0/24'],
    } as const;
    expect(await complaint(own)).toContain("gateway: option 'allowedAddresses' means nothing with 'path'");
    const running = await gateway({ ...own, trustedProxies: ['unix'] });
    expect(running.path).toBe(own.path);
  });

  test('row 99: direct mode, too: a port and a family that are none', async () => {
    const direct = { mode: 'direct', processes: {} };
    expect(await complaint({ ...direct, port: 'http' })).toMatch(/^UsageError: gateway: option 'port' must be/);
    expect(await complaint({ ...direct, port: 0, host: '' })).toMatch(/^UsageError: gateway: option 'host' is empty/);
  });
});

describe('row 63: beside others on one http server', () => {
  test.each([
    ['indirect', () => ({ docroot: folder() })],
    ['direct', () => ({ mode: 'direct' as const, processes: {} })],
  ])('%s: a second one that takes every request is refused', async (_, own) => {
    const http = createServer();
    const first = attach(http, {}, () => {});
    expect(await complaint({ server: http, ...own() })).toMatch(
      /^UsageError: gateway: another takes every request of this server already; give each option 'paths', or close/,
    );
    await first.close();
    const running = await gateway({ server: http, ...own() });
    expect(() => attach(http, {}, () => {})).toThrow('attach: another takes every request');
    // One with paths of its own has a place.
    await attach(http, { paths: '/chat' }, () => {}).close();
    await running.close();
    expect(http.listenerCount('upgrade')).toBe(0);
  });
});

describe('what authorize gives a client along', () => {
  test('row 20: its context comes with open and close, and the gateway keeps its own', async () => {
    const docroot = folder();
    await backend(`${docroot}/echo`, echo);
    const running = await createGateway({
      ...{ docroot, port: 0, host: '127.0.0.1' },
      authorize: ({ path }) => (path === '/echo' ? { context: { user: 'ada' } } : true),
    });
    cleanUp(() => running.close({ timeout: 50 }));
    const told: unknown[] = [];
    // Its type is that of `authorize`.
    running.on('open', ({ name, context }) => void told.push(['open', name, context?.user]));
    const closed = new Promise<GatewayEvents<{ user: string }>['close']>((resolve) => running.on('close', resolve));
    const socket = await connect(`${running.url}/echo`);
    socket.send('through');
    for await (const { data } of socket) {
      expect(data).toBe('through');
      break;
    }
    await socket.close(3000, 'bye');
    expect(await closed).toEqual({
      ...{ connection: 1, name: 'echo', remoteAddress: '127.0.0.1', code: 3000, reason: 'bye', failure: null },
      context: { user: 'ada' },
    });
    expect(told).toEqual([['open', 'echo', 'ada']]);
  });

  test('row 20: an answer with a part that there is not reaches no backend, and lets nobody in', async () => {
    const docroot = folder();
    let joined = 0;
    await backend(`${docroot}/echo`, () => joined++);
    const running = await gateway({ docroot, authorize: () => ({ statusCode: 401 }) as never });
    await expect(connect(`${running.url}/echo`)).rejects.toMatchObject({ status: 500 });
    expect(joined).toBe(0);
  });
});
