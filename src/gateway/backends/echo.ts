/** The sample server `echo`: every byte comes back. */

import type { Socket } from 'node:net';

/** What the test mode adds: it looks like a pong and a Close, and must reach the client as payload all the same. */
const PRETENCE = Uint8Array.of(0x8a, 0x00, 0x88, 0x02, 0x03, 0xea);

/** Serves one client. `test`: each answer is followed by bytes that look like frames. */
export function echo(socket: Socket, { test }: { readonly test: boolean }): void {
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    const room = socket.write(chunk);
    if (test) socket.write(PRETENCE);
    if (!room) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('end', () => socket.end());
}
