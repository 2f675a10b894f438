/** Payloads may share memory: handing one to a worker must not take away what lies beside it. */
import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { serve } from '../../src/server/index.ts';

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
