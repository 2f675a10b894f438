import { expect, test } from 'vitest';
import { start } from '../../examples/broadcast/main.ts';
import { connect } from '../../src/client/index.ts';

test('the example relays to all others, in rooms and outside of them', async () => {
  const lines: string[] = [];
  const server = await start(0, (line) => lines.push(line));
  const guest = async (path: string) => {
    const got: unknown[] = [];
    const socket = await connect(server.url + path, { on: { message: ({ data }) => got.push(data) } });
    return { socket, got };
  };
  const [a, b, c, d] = [await guest('/'), await guest('/'), await guest('/rooms/x'), await guest('/rooms/x')];
  expect([server.topics, server.subscribers('x').length]).toEqual([['x'], 2]);
  a!.socket.send('to all outside of rooms');
  c!.socket.send(Uint8Array.of(1, 2, 3));
  while (b!.got.length + d!.got.length < 2) await new Promise(setImmediate);
  expect([a!.got, b!.got, c!.got, d!.got]).toEqual([[], ['to all outside of rooms'], [], [Uint8Array.of(1, 2, 3)]]);
  await expect(connect(`${server.url}/rooms/`)).rejects.toMatchObject({ status: 404 });
  while (server.statistics.refused === 0) await new Promise(setImmediate);
  const id = `ws://127.0.0.1:${a!.socket.localPort}`;
  expect(lines).toEqual(expect.arrayContaining([`1 open ${id}`, `0 message ${id}`]));
  expect(server.metrics()).toMatchObject({
    open: 4,
    messagesReceived: 2,
    messagesSent: 2,
    refusedByStatus: { 404: 1 },
  });
  await server.close();
  expect(lines.at(-1)).toMatch(/^2 close ws:\/\/127\.0\.0\.1:\d+$/);
  for (const { socket } of [a!, b!, c!, d!]) expect(await socket.closed).toMatchObject({ code: 1001, clean: true });
});
