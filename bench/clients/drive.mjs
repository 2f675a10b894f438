// Drives a client under test: `send` mode sends masked messages flat out, 64 a turn on each of a few connections, and
// lets at most a few MiB be unsent; `receive` mode counts what arrives. The library's part is `open(url, onMessage)`,
// which resolves with
// { send, unsent }, or { sendTurn, unsent } for a peer that has encoded a whole turn beforehand.

import { payload } from '../load/payload.mjs';
import { onCommand, say, settings } from '../servers/control.mjs';

const TURN = 64;
const UNSENT = 1 << 20;

export function drive(open) {
  const { mode, size, kind, connections } = settings;
  const bytes = payload(size, kind);
  const message = kind === 'binary' ? bytes : bytes.toString();
  let received = 0;
  const onMessage = () => {
    received++;
  };

  function flood(sockets) {
    for (const socket of sockets) {
      const unsent = socket.unsent();
      if (unsent > 0 && unsent + TURN * size > UNSENT) continue;
      if (socket.sendTurn) socket.sendTurn();
      else for (let i = 0; i < TURN; i++) socket.send(message);
    }
    setImmediate(flood, sockets);
  }

  onCommand('connect', async (port) => {
    const url = `ws://127.0.0.1:${port}`;
    const sockets = [];
    for (let i = 0; i < connections; i++) sockets.push(await open(url, onMessage, message, TURN));
    if (mode === 'send') flood(sockets);
  });
  onCommand('received', () => say({ received }));
  say({ ready: true });
}
