/** The shell for workerd on sockets that are made up, for what the real ones do too rarely: `npm run runtimes` has the real ones. */
import { expect, test } from 'vitest';
import { connect, type WorkerdSocket } from '../../src/transport/workerd/index.ts';

test('an abort lets go of a socket that does not open', async () => {
  let closed = 0;
  const socket: WorkerdSocket = {
    readable: new ReadableStream(),
    writable: new WritableStream(),
    opened: new Promise(() => {}),
    close: async () => void closed++,
  };
  const abort = new AbortController();
  const attempt = connect('ws://example.test/', { sockets: () => socket, signal: abort.signal });
  abort.abort(new Error('as asked'));
  await expect(attempt).rejects.toThrow('as asked');
  await Promise.resolve();
  expect(closed).toBe(1);
});
