/**
 * Sends one flood, as a process of its own: `attacker.ts NAME PORT MILLISECONDS`. Says `begun` when every connection has sent its first
 * bytes, and what it has sent when the time is over. Who is dropped connects again.
 */

import { connect } from 'node:net';
import { upgradeRequest } from '../test/support/sockets.ts';
import { FLOODS } from './kinds.ts';

const [name, port, duration] = process.argv.slice(2) as [string, string, string];
const flood = FLOODS[name]!();
const extension = flood.deflate ? { 'Sec-WebSocket-Extensions': 'permessage-deflate' } : {};
const opening = upgradeRequest('/', extension);
const count = { bytes: 0, connections: 0, waiting: flood.connections };

function attack(): void {
  const socket = connect({ port: Number(port), host: '127.0.0.1' });
  count.connections++;
  socket.on('error', () => {});
  // A refusal that comes at once is no reason to make connecting the flood.
  socket.on('close', () => setTimeout(attack, 5));
  if (!flood.opens) socket.once('connect', () => start());
  else {
    socket.write(opening);
    socket.once('data', () => start());
  }
  if (flood.reads) socket.on('data', () => {});

  function start(): void {
    if (!flood.reads) socket.pause();
    if (flood.first !== undefined) push(flood.first);
    if (count.waiting > 0 && --count.waiting === 0) process.stdout.write('begun\n');
    go();
  }

  function go(): void {
    const { again, pause = 0 } = flood;
    if (again === null || socket.destroyed) return;
    const next = pause > 0 ? () => setTimeout(go, pause) : go;
    push(again, next);
  }

  function push(piece: Uint8Array, then: () => void = () => {}): void {
    socket.write(piece, (error) => {
      if (error) return;
      count.bytes += piece.length;
      then();
    });
  }
}

setTimeout(() => {
  process.stdout.write(`${JSON.stringify({ bytes: count.bytes, connections: count.connections })}\n`);
  process.exit();
}, Number(duration));
for (let i = 0; i < flood.connections; i++) attack();
