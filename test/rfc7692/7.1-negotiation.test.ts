/** RFC 7692 section 7.1 from bytes: a server and a client of ours, and what they do with headers of others. */

import { describe, expect, test } from 'vitest';
import type { PermessageDeflateOptions } from '../../src/extension/permessage-deflate/options.ts';
import { permessageDeflate } from '../../src/extension/permessage-deflate/permessage-deflate.ts';
import { json, noise } from '../extension/support.ts';
import { client, request, response, server, textOf } from '../rfc6455/support.ts';
import { equal } from '../support/bytes.ts';
import { openPair } from './support.ts';

const HEADER = 'Sec-WebSocket-Extensions';
const WIDE: PermessageDeflateOptions = { windowBits: 15 };

/** The status and the extensions that a server answers. */
function answer(lines: readonly string[], options: PermessageDeflateOptions = WIDE): string {
  const subject = server({ extensions: [permessageDeflate(options)] });
  subject.feed(
    request(
      {},
      lines.map((line) => `${HEADER}: ${line}`),
    ),
  );
  if (subject.types.includes('request')) subject.connection.accept(0);
  subject.pull();
  const text = textOf(subject.wire);
  return `${text.slice(9, 12)} ${/Sec-WebSocket-Extensions: (.*)\r\n/.exec(text)?.[1] ?? '-'}`;
}

describe('T35: server', () => {
  test.each([
    ['permessage-deflate', '101 permessage-deflate'],
    ['permessage-deflate; client_max_window_bits', '101 permessage-deflate'],
    ['permessage-deflate; server_max_window_bits=8', '101 permessage-deflate; server_max_window_bits=8'],
    ['permessage-deflate; server_max_window_bits=7', '101 -'],
    ['permessage-deflate; server_max_window_bits=16, permessage-deflate', '101 permessage-deflate'],
    [
      'permessage-deflate; foo; bar=1, foo, permessage-deflate; server_no_context_takeover',
      '101 permessage-deflate; server_no_context_takeover',
    ],
    ['permessage-deflate; client_max_window_bits; client_max_window_bits', '101 -'],
    ['foo, bar; baz', '101 -'],
    // The whole header is malformed.
    ['permessage-deflate;;', '400 -'],
    ['permessage-deflate; server_max_window_bits="10', '400 -'],
    ['permessage-deflate; server_max_window_bits=', '400 -'],
  ])('%s → %s', (offer, expected) => {
    expect(answer([offer])).toBe(expected);
  });

  test('offers over several lines are one list', () => {
    expect(answer(['permessage-deflate; foo', 'permessage-deflate; client_no_context_takeover'])).toBe(
      '101 permessage-deflate; client_no_context_takeover',
    );
  });
});

describe('T36: client', () => {
  const lines: readonly (readonly [line: string, options?: PermessageDeflateOptions])[] = [
    ['x-foo'],
    ['permessage-deflate, permessage-deflate'],
    ['permessage-deflate; foo=1'],
    ['permessage-deflate; server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=7'],
    ['permessage-deflate; server_max_window_bits=16'],
    ['permessage-deflate; server_max_window_bits=1000'],
    ['permessage-deflate; server_max_window_bits=1e1'],
    ['permessage-deflate; server_max_window_bits=08'],
    ['permessage-deflate; server_max_window_bits=""'],
    ['permessage-deflate; client_max_window_bits'],
    ['permessage-deflate', { serverNoContextTakeover: true }],
    ['permessage-deflate; server_max_window_bits=12', { serverMaxWindowBits: 10 }],
  ];
  test.each(lines)('%s fails the connection', (line, options = {}) => {
    const subject = client({}, { extensions: [permessageDeflate(options as PermessageDeflateOptions)] });
    subject.feed(response(subject.key, {}, [`${HEADER}: ${line}`])).end();
    expect(subject.types).toEqual(['closed']);
    expect(['EXTENSION_UNREQUESTED', 'EXTENSIONS_INVALID']).toContain(subject.closed.error?.code);
  });

  test('an answer without the offer fails it, an offer without an answer does not', () => {
    const plain = client({}, {});
    plain.feed(response(plain.key, {}, [`${HEADER}: permessage-deflate`])).end();
    expect(plain.types).toEqual(['closed']);
    const offering = client({}, { extensions: [permessageDeflate()] });
    offering.feed(response(offering.key));
    expect(offering.events).toMatchObject([{ type: 'open', extensions: '' }]);
  });
});

describe('two of ours', () => {
  const choices: PermessageDeflateOptions[] = [
    {},
    { windowBits: 15 },
    { windowBits: 8 },
    { serverMaxWindowBits: 9, clientMaxWindowBits: 13 },
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true, clientMaxWindowBits: 10 },
    { memory: 'shared' },
    { memory: 'none' },
  ];
  test('always agree, and read each other', () => {
    const messages = [json(3_000), noise(3_000), json(40_000, 3), json(3_000), new Uint8Array(70_000), json(3_000)];
    for (const serverOptions of choices) {
      for (const clientOptions of choices) {
        const pair = openPair({ server: serverOptions, client: clientOptions });
        for (const message of messages) {
          pair.left.sendBinary(message);
          pair.right.sendBinary(message);
        }
        pair.rest();
        for (const side of ['left', 'right'] as const) {
          const got = pair.events[side].flatMap((event) =>
            event.type === 'message' && event.kind === 'binary' ? [event.data] : [],
          );
          const good = got.length === messages.length && got.every((each, i) => equal(each, messages[i]!));
          if (!good) expect.fail(JSON.stringify({ serverOptions, clientOptions, side }));
        }
      }
    }
  });

  test('a side without the extension has none', () => {
    for (const options of [{ server: null }, { client: null }]) {
      const pair = openPair(options);
      expect(pair.left.sendBinary(json(1_000))).toBe(1_004);
      pair.rest();
      expect(pair.events.right.length).toBe(1);
    }
  });
});
