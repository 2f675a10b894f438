/** `ws` with perMessageDeflate, both ways over loopback: with and without context takeover, with all windows. */

import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type PerMessageDeflateOptions, WebSocket, WebSocketServer } from 'ws';
import { connect } from '../../src/client/index.ts';
import type { PermessageDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import { serve } from '../../src/server/index.ts';
import { json, noise } from '../extension/support.ts';
import { concat, equal } from '../support/bytes.ts';

const MESSAGES: readonly Uint8Array[] = [
  json(40),
  json(2_000),
  noise(3_000),
  json(2_000),
  new Uint8Array(0),
  json(70_000, 5),
  concat([noise(40_000), noise(40_000)]),
  json(250_000),
  json(300_000),
  new Uint8Array(200_000),
  json(2_000),
];

interface Case {
  readonly ours: PermessageDeflateOptions;
  readonly theirs: PerMessageDeflateOptions;
  /** What both must have agreed on. */
  readonly agreed: string;
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const P = 'permessage-deflate';

/** Node's zlib, and the pure code. */
const BOTH = [true, false];

describe.each(BOTH)('a ws client at our server, internals: %s', (internals) => {
  const cases: readonly Case[] = [
    { ours: {}, theirs: {}, agreed: `${P}; server_max_window_bits=12; client_max_window_bits=12` },
    { ours: { windowBits: 15 }, theirs: {}, agreed: P },
    {
      ours: { windowBits: 9, level: 9 },
      theirs: {},
      agreed: `${P}; server_max_window_bits=9; client_max_window_bits=9`,
    },
    {
      ours: { windowBits: 8, level: 1 },
      theirs: {},
      agreed: `${P}; server_max_window_bits=8; client_max_window_bits=8`,
    },
    {
      ours: { windowBits: 15 },
      theirs: { serverMaxWindowBits: 10, clientMaxWindowBits: 11 },
      agreed: `${P}; server_max_window_bits=10; client_max_window_bits=11`,
    },
    {
      ours: { memory: 'shared', windowBits: 15 },
      theirs: {},
      agreed: `${P}; server_no_context_takeover; client_no_context_takeover`,
    },
    {
      ours: { windowBits: 15 },
      theirs: { serverNoContextTakeover: true, clientNoContextTakeover: true },
      agreed: `${P}; server_no_context_takeover; client_no_context_takeover`,
    },
    {
      ours: { memory: 'none' },
      theirs: { threshold: 0 },
      agreed: `${P}; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12`,
    },
  ];
  test.each(cases)('$ours × $theirs', async ({ ours, theirs, agreed }) => {
    const server = await serve({ port: 0, host: '127.0.0.1', internals, compression: ours }, (socket) => {
      socket.on('message', ({ data }) => socket.send(data));
    });
    closers.push(() => server.close());
    const client = new WebSocket(server.url, { perMessageDeflate: { threshold: 0, ...theirs } });
    closers.push(() => client.terminate());
    await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
    const headers = new Set(client.extensions.split(', '));
    expect([...headers]).toEqual([P]);
    const { params } = (client as unknown as { _extensions: Record<string, { params: Record<string, unknown> }> })
      ._extensions[P]!;
    expect(printed(params)).toEqual(parsed(agreed));
    for (const message of MESSAGES) {
      const echoed = new Promise<Buffer>((resolve) => client.once('message', (data) => resolve(data as Buffer)));
      client.send(message);
      if (!equal(await echoed, message)) expect.fail(`${message.length} bytes`);
    }
    for (const message of MESSAGES) client.send(message);
    let at = 0;
    await new Promise<void>((resolve) => {
      client.on('message', (data) => {
        if (!equal(data as Buffer, MESSAGES[at]!)) expect.fail(`${at}`);
        if (++at === MESSAGES.length) resolve();
      });
    });
  });
});

describe.each(BOTH)('our client at a ws server, internals: %s', (internals) => {
  const cases: readonly Case[] = [
    { ours: {}, theirs: {}, agreed: P },
    { ours: { clientMaxWindowBits: 10 }, theirs: {}, agreed: `${P}; client_max_window_bits=10` },
    { ours: { windowBits: 9 }, theirs: {}, agreed: `${P}; server_max_window_bits=9; client_max_window_bits=9` },
    { ours: { windowBits: 8 }, theirs: {}, agreed: `${P}; server_max_window_bits=8; client_max_window_bits=8` },
    {
      ours: {},
      theirs: { serverMaxWindowBits: 10, clientMaxWindowBits: 11 },
      agreed: `${P}; server_max_window_bits=10; client_max_window_bits=11`,
    },
    {
      ours: {},
      theirs: { serverNoContextTakeover: true, clientNoContextTakeover: true },
      agreed: `${P}; server_no_context_takeover; client_no_context_takeover`,
    },
    { ours: { memory: 'shared' }, theirs: {}, agreed: `${P}; server_no_context_takeover; client_no_context_takeover` },
    // ws does not limit its window: it takes our second offer.
    {
      ours: { serverMaxWindowBits: 10 },
      theirs: { serverMaxWindowBits: false as unknown as number },
      agreed: `${P}; server_no_context_takeover`,
    },
  ];
  test.each(cases)('$ours × $theirs', async ({ ours, theirs, agreed }) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0, ...theirs } });
    closers.push(() => {
      for (const peer of server.clients) peer.terminate();
      server.close();
    });
    server.on('connection', (peer) => {
      peer.on('message', (data, binary) => peer.send(data, { binary }));
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const client = await connect(`ws://127.0.0.1:${port}/`, {
      internals,
      compression: { threshold: 0, ...ours },
    });
    closers.push(() => client.terminate());
    expect(parsed(client.extensions)).toEqual(parsed(agreed));
    const got: (string | Uint8Array)[] = [];
    const all = new Promise<void>((resolve) => {
      client.on('message', ({ data }) => {
        got.push(data);
        if (got.length === 2 * MESSAGES.length) resolve();
      });
    });
    for (const message of MESSAGES) client.send(message);
    for (const message of MESSAGES) client.send(message, { fragmentSize: 10_000 });
    await all;
    got.forEach((data, i) => {
      if (typeof data === 'string' || !equal(data, MESSAGES[i % MESSAGES.length]!)) expect.fail(`message ${i}`);
    });
  });
});

/** Parameters in no particular order. */
function parsed(header: string): string[] {
  return header.split('; ').slice(1).sort();
}

function printed(params: Record<string, unknown>): string[] {
  return Object.entries(params)
    .map(([name, value]) => (value === true ? name : `${name}=${value}`))
    .sort();
}
