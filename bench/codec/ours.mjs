// sansocket's engine with Node's text codec and without a transport: two connections introduced to each other in memory, then one of them timed.
// Output is taken once in sixteen messages, as a driver takes it once a turn.

import { ClientConnection, ServerConnection } from 'sansocket';
import { nodePlatform } from 'sansocket/transport/node';
import { applyMask } from '../../dist/codec/mask.js';

const TURN = 16;

/** A server and a client connection after their opening handshake. */
function createPair() {
  const now = performance.now();
  const options = { platform: nodePlatform };
  const client = new ClientConnection({ host: 'localhost', target: '/' }, options, now);
  const server = new ServerConnection(options, now);
  pass(client, server);
  if (server.nextEvent()?.type !== 'request') throw new Error('no request');
  server.accept(now);
  pass(server, client);
  for (const side of [server, client]) if (side.nextEvent()?.type !== 'open') throw new Error('not open');
  return { client, server };
}

function pass(from, to) {
  for (const chunk of take(from)) to.receive(Uint8Array.from(chunk), performance.now());
}

function take(connection) {
  const chunks = connection.takeOutgoing();
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  connection.outgoingWritten(length, performance.now());
  return chunks;
}

export function createDecoder() {
  const { server } = createPair();
  let messages = 0;
  return {
    feed(chunk) {
      // As the Node transport does: the engine reads plain byte arrays only.
      server.receive(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length), performance.now());
      for (let event = server.nextEvent(); event !== null; event = server.nextEvent()) {
        if (event.type === 'message') messages++;
        else throw new Error(`${event.type}: ${event.error?.message}`);
      }
    },
    count: () => messages,
  };
}

export function createEncoder(mask, kind) {
  const { client, server } = createPair();
  const side = mask ? client : server;
  const text = kind === 'text';
  let pending = 0;
  return {
    send(data) {
      const sent = text ? side.sendText(data) : side.sendBinary(data);
      if (sent === 0) throw new Error('not sent');
      if (++pending === TURN) {
        pending = 0;
        take(side);
      }
    },
    flush: () => take(side),
  };
}

const KEY = 0x3d21fa37;

export function createMasker() {
  return (bytes) => applyMask(bytes, 0, bytes.length, KEY, 0);
}

export function createValidator() {
  return (bytes) => nodePlatform.text.isValid(bytes, 0, bytes.length);
}

export function createTextDecoder() {
  return (bytes) => nodePlatform.text.decode(bytes, 0, bytes.length);
}
