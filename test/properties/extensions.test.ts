/** The extension seam (RFC 6455 section 9), with a small extension: negotiation in both roles, messages, fragments, faults. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConnectionOptions } from '../../src/index.ts';
import { bytes, cuts } from '../support/arbitraries.ts';
import { equal, utf8 } from '../support/bytes.ts';
import { frame, readFrames } from '../support/frames.ts';
import { byteByByte, cutAt, objections, observe, whole } from '../support/observe.ts';
import { drain, established, type Joined, openPair, pull } from '../support/peers.ts';
import { Scramble, ScrambleTransform } from '../support/scramble.ts';

const one = (): Scramble => new Scramble({ name: 'one', rsvBits: 0x40, octet: 0x55 });
const two = (): Scramble => new Scramble({ name: 'two', rsvBits: 0x20, octet: 0x13, pieceSize: 3 });
const key = [5, 6, 7, 8];

function opened(client: Scramble[], server: Scramble[], options: ConnectionOptions = {}): Joined {
  return openPair({ ...options, extensions: client }, { ...options, extensions: server });
}

function agreed({ events }: Joined): unknown[] {
  return [events.left, events.right].map((list) => list.find(({ type }) => type === 'open'));
}

describe('negotiation', () => {
  const rows: [string, Scramble[], Scramble[], string][] = [
    ['both have it', [one()], [one()], 'one; octet=85'],
    ['both have two', [one(), two()], [one(), two()], 'one; octet=85, two; octet=19'],
    ["the order is the server's", [two(), one()], [one(), two()], 'one; octet=85, two; octet=19'],
    ['only the client has it', [one()], [], ''],
    ['only the server has it', [], [one()], ''],
    ['the server declines', [one()], [new Scramble({ name: 'one', declines: true })], ''],
    [
      'the server declines one of two',
      [one(), two()],
      [new Scramble({ name: 'one', declines: true }), two()],
      'two; octet=19',
    ],
    [
      'two want the same bit: the first wins',
      [one(), new Scramble({ name: 'two' })],
      [one(), new Scramble({ name: 'two' })],
      'one; octet=85',
    ],
  ];

  it.each(rows)('%s', (_name, client, server, extensions) => {
    const joined = opened(client, server);
    expect(agreed(joined)).toMatchObject([{ extensions }, { extensions }]);
    joined.left.sendText('over');
    joined.right.sendText('and out');
    joined.rest();
    expect(joined.events.right.at(-1)).toMatchObject({ data: 'over' });
    expect(joined.events.left.at(-1)).toMatchObject({ data: 'and out' });
    joined.left.close(0);
    joined.rest();
    for (const each of [...client, ...server]) for (const { released } of each.made) expect(released).toBe(1);
  });

  it.each([
    ['an answer that was not offered', 'three'],
    ['a parameter that was not offered', 'one; octet=1'],
    ['an answer twice', 'one; octet=85, one; octet=85'],
    ['a claim on a bit that is taken', 'one; octet=85, clash; octet=42'],
    ['an answer that is no list of extensions', 'one; octet='],
  ])('a client refuses %s', (_name, answer) => {
    const extensions = [one(), new Scramble({ name: 'clash' })];
    const { left } = openPairTampered(extensions, answer);
    expect(left.events.left.at(-1)).toMatchObject({ type: 'closed', error: { code: 'EXTENSION_UNREQUESTED' } });
    expect(extensions.flatMap(({ made }) => made).every(({ released }) => released === 1)).toBe(true);
  });
});

/** A pair whose server's answer is replaced on the way. */
function openPairTampered(extensions: Scramble[], answer: string): { left: Joined } {
  const left = openPair({ extensions }, {}, (piece) => {
    const text = Buffer.from(piece).toString('latin1');
    if (!text.startsWith('HTTP/1.1 101')) return [piece];
    return [utf8(text.replace('\r\n\r\n', `\r\nSec-WebSocket-Extensions: ${answer}\r\n\r\n`))];
  });
  return { left };
}

describe('messages through transforms', () => {
  const message = fc.record({
    data: bytes(80),
    fragmentSize: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    compress: fc.boolean(),
    streamed: fc.boolean(),
  });

  it('arrive once, in order, whatever the delivery, the cuts and the fragments', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 5 }),
        cuts,
        fc.boolean(),
        fc.boolean(),
        (messages, sizes, fromClient, byFragment) => {
          const joined = openPair(
            { extensions: [one(), two()], delivery: byFragment ? 'fragment' : 'message' },
            { extensions: [one(), two()], delivery: byFragment ? 'fragment' : 'message' },
            cutAt(sizes),
          );
          const [sender, side] = fromClient ? [joined.left, 'right' as const] : [joined.right, 'left' as const];
          for (const { data, fragmentSize, compress, streamed } of messages) {
            if (streamed) sender.sendFragment('binary', data, false);
            if (streamed) sender.sendFragment('binary', data, true);
            else sender.sendBinary(data, fragmentSize === undefined ? { compress } : { compress, fragmentSize });
            sender.ping(0, Uint8Array.of(1));
          }
          joined.rest();
          const { events } = observed(joined, side);
          const wanted = messages.map(({ data, streamed }) =>
            streamed ? Buffer.concat([data, data]) : Buffer.from(data),
          );
          expect(events.map((each) => Buffer.from(each).toString('hex'))).toEqual(
            wanted.map((each) => each.toString('hex')),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('set the reserved bits on the first frame only, and are legal', () => {
    const server = established('server', {}, [new ScrambleTransform(0x40, 1, 7), new ScrambleTransform(0x20, 2, 7)]);
    server.sendText('hello world', { fragmentSize: 4 });
    server.sendText('plain', { compress: false });
    server.sendBinary(new Uint8Array(0));
    const output = drain(server);
    expect(readFrames(output).map(({ rsv }) => rsv)).toEqual([0x60, 0, 0, 0, 0, 0]);
    const transforms = [new ScrambleTransform(0x40, 1, 7), new ScrambleTransform(0x20, 2, 7)];
    expect(objections(output, 'server', transforms)).toBe('');
  });

  it.each(['message', 'fragment'] as const)('fail alike however they are cut, with delivery %s', (delivery) => {
    const wires: [string, Uint8Array, string][] = [
      ['no marker', frame({ opcode: 2, rsv: 0x40, key, payload: utf8('?') }), 'EXTENSION_DATA_INVALID'],
      ['nothing at all', frame({ opcode: 2, rsv: 0x40, key }), 'EXTENSION_DATA_INVALID'],
      ['a bit that is not claimed', frame({ opcode: 2, rsv: 0x20, key, payload: utf8('!a') }), 'RESERVED_BITS_SET'],
      ['a bit on a control frame', frame({ opcode: 9, rsv: 0x40, key }), 'RESERVED_BITS_SET'],
      ['too much', frame({ opcode: 2, rsv: 0x40, key, payload: utf8(`!${'x'.repeat(50)}`) }), 'MESSAGE_TOO_BIG'],
      ['no UTF-8', frame({ opcode: 1, rsv: 0x40, key, payload: Uint8Array.of(0x21, 0x80) }), 'UTF8_INVALID'],
      ['cut UTF-8', frame({ opcode: 1, rsv: 0x40, key, payload: Uint8Array.of(0x21, 0xc3) }), 'UTF8_INVALID'],
    ];
    for (const [name, wire, code] of wires) {
      for (const cut of [whole, byteByByte]) {
        const server = established('server', { delivery, maxMessageSize: 40, maxFrameSize: null }, [
          new ScrambleTransform(0x40, 0, 7),
        ]);
        const { events } = observe(server, [{ do: 'receive', bytes: wire }, { do: 'end' }], { cut, drain: 'early' });
        expect([name, events.at(-1)]).toEqual([name, expect.stringContaining(`error: ${code}`)]);
      }
    }
  });

  it('a continuation after the first frame must not carry the bits', () => {
    const server = established('server', {}, [new ScrambleTransform(0x40, 0, 7)]);
    server.receive(frame({ opcode: 2, rsv: 0x40, fin: false, key, payload: utf8('!a') }), 0);
    server.receive(frame({ opcode: 0, rsv: 0x40, key, payload: utf8('b') }), 0);
    expect(pull(server)).toEqual([]);
    expect(server.readyState).toBe('closing');
  });
});

/** Payloads that one side saw, fragments joined. */
function observed(joined: Joined, side: 'left' | 'right'): { events: Uint8Array[] } {
  const events: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (const event of joined.events[side]) {
    if (event.type === 'message') events.push(event.data as Uint8Array);
    if (event.type !== 'fragment') continue;
    expect(event.first).toBe(parts.length === 0);
    parts.push(event.data);
    if (!event.last) continue;
    events.push(new Uint8Array(Buffer.concat(parts)));
    parts = [];
  }
  expect(equal(Buffer.concat(parts), new Uint8Array(0))).toBe(true);
  return { events };
}
