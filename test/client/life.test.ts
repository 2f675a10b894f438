/**
 * A client under anything that can be done to it, in any order, from outside and from its own listeners: never two
 * connections at once, never an event out of its place, and nothing left over in the end.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Simulation } from './simulation.ts';

const COMMANDS = [
  'start',
  'stop',
  'network',
  'cut',
  'silence',
  'server closes',
  'server refuses',
  'server says later',
  'server is down',
  'server is up',
  'send',
  'server sends',
  'a moment',
  'a while',
  'configure',
  'unref',
  'ref',
  'socket closes',
  'socket is dropped',
] as const;
type Command = (typeof COMMANDS)[number];

/** What may follow what: an attempt fails, or a connection opens, talks, perhaps fails, and closes. */
const GRAMMAR: { readonly [state: string]: { readonly [event: string]: string } } = {
  idle: { open: 'open', error: 'idle', stop: 'idle' },
  open: { message: 'open', pong: 'open', error: 'failed', close: 'idle' },
  failed: { close: 'idle' },
};

/** Half of the time something happens, so that there are connections to be lost. */
const command = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...COMMANDS) },
  { weight: 2, arbitrary: fc.constantFrom<Command>('a moment', 'start', 'server is up') },
);
const scripts = fc.record({
  outside: fc.array(command, { minLength: 1, maxLength: 60, size: 'max' }),
  // The first so many events of each type are answered with a command.
  inside: fc.record({
    open: fc.array(command, { maxLength: 3 }),
    message: fc.array(command, { maxLength: 3 }),
    error: fc.array(command, { maxLength: 3 }),
    close: fc.array(command, { maxLength: 3 }),
    stop: fc.array(command, { maxLength: 3 }),
  }),
  seed: fc.nat(),
  maxRetries: fc.option(fc.integer({ min: 1, max: 4 })),
});

test('T85, T86: any order of anything', { timeout: 120_000 }, async () => {
  const reached = new Set<string>();
  await fc.assert(
    fc.asyncProperty(scripts, async ({ outside, inside, seed, maxRetries }) => {
      const world = new Simulation(seed);
      const { clock } = world;
      const client = world.client({ reconnect: { maxRetries }, queue: { maxMessages: 4, overflow: 'drop-oldest' } });
      let state = 'idle';
      const answers = structuredClone(inside) as { [type: string]: Command[] };
      const note = (type: string): void => {
        const next = GRAMMAR[state]![type];
        expect(next, `${type} while ${state}`).toBeDefined();
        state = next!;
        reached.add(type);
        const answer = answers[type]?.shift();
        if (answer !== undefined) act(answer);
      };
      for (const type of ['open', 'message', 'pong', 'error', 'close', 'stop'] as const)
        client.on(type, () => note(type));
      let sent = 0;
      const accepted: string[] = [];
      const lines = () => [...world.lines];
      const act = (what: Command): void => {
        switch (what) {
          case 'start':
            void client.start();
            return;
          case 'stop':
            void client.stop(4000, 'enough');
            return;
          case 'network':
            client.networkChanged();
            return;
          case 'cut':
            world.cutAll();
            return;
          case 'silence':
            for (const { link } of lines()) link.silence();
            return;
          case 'server closes':
            for (const { server } of lines()) void server.close(1012, 'restart');
            return;
          case 'server refuses':
            world.treatment = { status: 503 };
            return;
          case 'server says later':
            world.treatment = { status: 429, headers: [['Retry-After', '3']] };
            return;
          case 'server is down':
            world.treatment = 'down';
            return;
          case 'server is up':
            world.treatment = 'accept';
            return;
          case 'send':
            if (client.send(String(++sent)).success) accepted.push(String(sent));
            return;
          case 'server sends':
            for (const { server } of lines()) server.send('x');
            return;
          case 'configure':
            if (client.state === 'stopped') client.configure({ reconnect: { maxRetries } });
            else expect(() => client.configure({})).toThrow(client.state);
            return;
          case 'unref':
            client.unref();
            return;
          case 'ref':
            client.ref();
            return;
          case 'socket closes':
            void client.socket?.close(1000);
            return;
          case 'socket is dropped':
            client.socket?.terminate();
            return;
          default:
            return;
        }
      };
      for (const what of outside) {
        act(what);
        if (what === 'a moment') await clock.run(3);
        if (what === 'a while') await clock.run(20_000);
        const open = lines().filter(({ client: end }) => end.readyState !== 'closed').length;
        expect(world.dialling + open).toBeLessThanOrEqual(1);
        expect(world.holds).toBeLessThanOrEqual(1);
        if (client.state === 'waiting') expect(client.info.waitTime).toBeGreaterThanOrEqual(0);
        if (client.state === 'stopped')
          expect([world.dialling, world.holds, client.info.queuedMessages]).toEqual([0, 0, 0]);
      }
      for (const list of Object.values(answers)) list.length = 0;
      const stopped = client.stop();
      await clock.run(120_000);
      await stopped;
      expect([client.state, client.socket, state]).toEqual(['stopped', null, 'idle']);
      expect([clock.pendingAlarms, world.holds, world.dialling, world.lines.size]).toEqual([0, 0, 0, 0]);
      // At most once, and never what was refused. (What open listeners send may overtake the queue.)
      expect(new Set(world.received).size).toBe(world.received.length);
      expect(world.received.filter((text) => !accepted.includes(text))).toEqual([]);
      expect(world.warnings.map(String)).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect([...reached].sort()).toEqual(['close', 'error', 'message', 'open', 'pong', 'stop']);
});
