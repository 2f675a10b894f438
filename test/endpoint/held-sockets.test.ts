/** The same over real sockets: control frames pass by a listener that is busy, and nothing is lost at the end. */
import { expect, it } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { serve } from '../../src/server/index.ts';

it('a listener may await ping(), and all that was sent before a Close is taken before the end is told', async () => {
  const seen: unknown[] = [];
  let told: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    told = resolve;
  });
  await using server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
    socket.on('message', async ({ data }) => {
      const latency = await socket.ping();
      seen.push(data, latency === null ? 'gone' : 'answered');
    });
    socket.on('close', ({ code }) => {
      seen.push('close');
      told(code);
    });
  });
  const socket = await connect(server.url);
  socket.resume();
  for (const data of ['a', 'b', 'c']) socket.send(data);
  // The pings come between the messages and the Close: the server reads on while its listener is busy.
  await new Promise<void>((resolve) => {
    let pings = 0;
    socket.on('ping', () => {
      if (++pings === 3) resolve();
    });
  });
  for (const data of ['d', 'e']) socket.send(data);
  expect(await socket.close(4000)).toMatchObject({ code: 4000, clean: true });
  expect(await ended).toBe(4000);
  expect(seen.filter((_, i) => i % 2 === 0)).toEqual(['a', 'b', 'c', 'd', 'e', 'close']);
  expect([seen[1], seen[3]]).toEqual(['answered', 'answered']);
});

it('a server that stops does not wait for a listener that never settles', async () => {
  const taken: unknown[] = [];
  const server = await serve({ port: 0, host: '127.0.0.1' }, (socket) => {
    socket.on('message', ({ data }) => {
      taken.push(data);
      return new Promise(() => {});
    });
  });
  const gone = await connect(server.url);
  gone.resume();
  const open = await connect(server.url);
  open.resume();
  gone.send('a');
  gone.send('b');
  open.send('c');
  await Promise.all([gone.close(), open.ping()]);
  // The one that has gone waits for its first listener still.
  expect(taken.toSorted()).toEqual(['a', 'c']);
  await server.close();
  expect(taken.toSorted()).toEqual(['a', 'b', 'c']);
});
