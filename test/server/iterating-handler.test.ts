/** A handler that iterates is the shortest there is: its loop throws what became of the connection, and that is no defect of it. */
import { expect, test } from 'vitest';
import type { Handler } from '../../src/server/index.ts';
import { MemoryServer } from './memory-server.ts';

const echo: Handler = async (socket) => {
  for await (const { data } of socket) socket.send(data);
};

test('a peer that is lost, or breaks the protocol, is no failure of the application: nobody is warned', async () => {
  const memory = new MemoryServer({ maxMessageSize: 5 }, echo);
  const lost = await memory.guest();
  lost.socket.send('hello');
  await memory.clock.settle();
  expect(lost.got).toEqual(['hello']);
  lost.link.reset();
  const tooMuch = await memory.guest();
  tooMuch.socket.send('too much');
  await memory.clock.settle();
  expect(await lost.here.closed).toMatchObject({ code: 1006, error: { code: 'TRANSPORT_FAILED' } });
  expect(await tooMuch.here.closed).toMatchObject({ error: { code: 'MESSAGE_TOO_BIG' } });
  expect(memory.warnings).toEqual([]);
});

test('nor does onListenerError hear of it; of what the loop itself throws it does, and of the end of another connection', async () => {
  const thrown: unknown[] = [];
  const other = new MemoryServer({}, () => {});
  const elsewhere = await other.guest();
  const memory = new MemoryServer({ onListenerError: (error) => void thrown.push(error) }, async (socket, { path }) => {
    if (path === '/other') for await (const _ of elsewhere.here) socket.send('more');
    for await (const { data } of socket) throw data;
  });
  const lost = await memory.guest();
  const throwing = await memory.guest();
  const relayed = await memory.guest({ path: '/other' });
  lost.link.reset();
  throwing.socket.send('what was thrown');
  await memory.clock.settle();
  elsewhere.link.reset();
  await other.clock.settle();
  expect(thrown).toEqual(['what was thrown', (await elsewhere.here.closed).error]);
  relayed.socket.terminate();
});

test('what is thrown may be nothing, and is told all the same', async () => {
  const memory = new MemoryServer({}, (socket) => {
    socket.on('message', ({ data }) => {
      throw data === 'null' ? null : undefined;
    });
  });
  for (const text of ['null', 'undefined']) {
    const { socket, here } = await memory.guest();
    socket.send(text);
    await memory.clock.settle();
    expect(await here.closed).toMatchObject({ error: { code: 'APPLICATION_FAILED' } });
  }
  expect(memory.warnings.map(({ code }) => code)).toEqual(['APPLICATION_FAILED', 'APPLICATION_FAILED']);
});
