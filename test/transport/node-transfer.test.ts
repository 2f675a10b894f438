/** Payloads may share memory: handing one to a worker must not take away what lies beside it. */
import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { attach, serve } from '../../src/server/index.ts';
import { EXAMPLE_KEY, frame } from '../support/frames.ts';
import { upgradeRequest } from '../support/sockets.ts';

test.each([['static reads', true] as const, ['public reads', false] as const])(
  'a payload that is transferred to a worker takes nothing else away, %s',
  async (_, internals) => {
    const server = await serve({ port: 0, host: '127.0.0.1', internals }, (socket) => {
      const { port1, port2 } = new MessageChannel();
      socket.on('close', () => {
        port1.close();
        port2.close();
      });
      socket.on('message', ({ data }) => {
        if (typeof data === 'string') return;
        try {
          port1.postMessage(data, [data.buffer as ArrayBuffer]);
        } catch (error) {
          expect((error as Error).name).toBe('DataCloneError');
        }
        socket.send(data.length === 0 ? new Uint8Array(1) : data.slice());
      });
    });
    const socket = await connect(server.url);
    const sizes = [3, 40_000, 20, 300, 5_000, 20_000, 1, 60, 130_000, 700];
    for (const size of sizes) socket.send(new Uint8Array(size).fill(size & 0xff));
    const seen: string[] = [];
    for await (const { data } of socket) {
      seen.push(`${data.length} ${(data as Uint8Array).every((octet) => octet === (data.length & 0xff))}`);
      if (seen.length === sizes.length) break;
    }
    // A transferred payload is gone for its listener, and only that one.
    const wrong = seen.filter((line, i) => line !== `${sizes[i]} true` && line !== '1 false');
    expect(wrong).toEqual([]);
    await socket.close();
    await server.close();
  },
);

test.each(['with', 'behind'])('nor does one that came %s the request on a stream within the process', async (when) => {
  const sizes = [3_000, 300, 2_000, 10];
  const seen: string[] = [];
  const http = createServer();
  const { port1, port2 } = new MessageChannel();
  const server = attach(http, {}, (socket) => {
    socket.on('close', () => seen.push('closed'));
    socket.on('message', ({ data }) => {
      const bytes = data as Uint8Array;
      seen.push(`${bytes.length} ${bytes.every((octet) => octet === (bytes.length & 0xff))}`);
      try {
        port1.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
      } catch (error) {
        expect((error as Error).name).toBe('DataCloneError');
      }
    });
  });
  const [theirs, ours] = duplexPair();
  http.emit('connection', ours);
  const frames = sizes.map((size) =>
    frame({ opcode: 2, payload: new Uint8Array(size).fill(size & 0xff), key: EXAMPLE_KEY }),
  );
  if (when === 'behind') {
    theirs.write(upgradeRequest());
    while (server.connections.size === 0) await new Promise(setImmediate);
    theirs.write(Buffer.concat(frames));
  } else {
    theirs.write(Buffer.concat([Buffer.from(upgradeRequest()), ...frames]));
  }
  while (seen.length < sizes.length && !seen.includes('closed')) await new Promise(setImmediate);
  expect(seen).toEqual(sizes.map((size) => `${size} true`));
  theirs.destroy();
  port1.close();
  port2.close();
  await server.close();
});
