/** Both directions of a connection, read from outside: heads, frames, faults, compression and round trips. */
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FaultRecord, FrameRecord, WireRecord } from '../../src/debug/records.ts';
import { WireReader, type WireReaderOptions } from '../../src/debug/wire-reader.ts';
import { acceptKey } from '../../src/handshake/accept-key.ts';
import { closeFrame, EXAMPLE_KEY, type FrameParts, frame } from '../support/frames.ts';
import { upgradeRequest } from '../support/sockets.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const latin = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const answer = (headers = '', accept = acceptKey(KEY)) =>
  latin(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${headers}\r\n`,
  );
const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
const ANSWER_DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate\r\n';

/** A reader behind an opening handshake, and what it says from then on. */
function opened(headers = '', offer: Record<string, string> = {}, options: WireReaderOptions = {}) {
  const records: WireRecord[] = [];
  const reader = new WireReader((record) => records.push(record), options);
  reader.read('client', latin(upgradeRequest('/', offer)), 0);
  reader.read('server', answer(headers), 0);
  expect(records.map(({ type }) => type)).toEqual(['head', 'head']);
  records.length = 0;
  return { reader, records };
}

const faults = (records: readonly WireRecord[]) =>
  records.filter(({ type }) => type === 'fault').map((record) => (record as FaultRecord).code);
const frames = (records: readonly WireRecord[]) => records.filter(({ type }) => type === 'frame') as FrameRecord[];

function deflated(text: string | Uint8Array): Uint8Array {
  return new Uint8Array(deflateRawSync(text, { finishFlush: 2 }).subarray(0, -4));
}

describe('heads', () => {
  test('are told with their line and their fields', () => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record));
    reader.read('client', latin(upgradeRequest('/chat?a=1')), 1);
    expect(records).toMatchObject([{ type: 'head', from: 'client', at: 1, line: 'GET /chat?a=1 HTTP/1.1' }]);
    expect(records[0]).toMatchObject({ headers: expect.arrayContaining([['Host', 'localhost']]) });
  });

  test('seed 109: redaction of credentials, whatever their case', () => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record), { bytes: true });
    const secret = { Authorization: 'Basic hidden', cookie: 'hidden', 'PROXY-AUTHORIZATION': 'hidden' };
    reader.read('client', latin(upgradeRequest('/', secret)), 0);
    reader.read('server', answer('Set-Cookie: hidden\r\nset-cookie: hidden\r\n'), 0);
    const told = JSON.stringify(records);
    expect(told).not.toContain('hidden');
    expect(told.match(/\[redacted\]/g)).toHaveLength(5);
  });

  test('that nobody can read are told as such, and nothing of them is', () => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record), { bytes: true });
    reader.read('client', latin('GET / HTTP/1.1\r\nAuthorization : hidden\r\n\r\n'), 0);
    reader.read('client', latin('hidden'), 0);
    expect(faults(records)).toEqual(['HEADER_INVALID']);
    expect(JSON.stringify(records)).not.toContain('hidden');
  });

  test.each<[string, Record<string, string | null>, string]>([
    ['no key', { 'Sec-WebSocket-Key': null }, 'KEY_INVALID'],
    ['another version', { 'Sec-WebSocket-Version': '8' }, 'VERSION_UNSUPPORTED'],
    ['no Host', { Host: null }, 'HOST_INVALID'],
  ])('a request with %s is a violation', (_, headers, code) => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record));
    reader.read('client', latin(upgradeRequest('/', headers)), 0);
    expect(faults(records)).toEqual([code]);
  });

  test('an answer with the wrong proof is one, and the frames behind it are read', () => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record));
    reader.read('client', latin(upgradeRequest()), 0);
    reader.read('server', answer('', 'AAAA'), 0);
    reader.read('server', frame({ opcode: 1 }), 0);
    expect(faults(records)).toEqual(['ACCEPT_MISMATCH']);
    expect(frames(records)).toHaveLength(1);
  });

  test('T36: an answer with an extension that was not offered is one, whatever else was', () => {
    for (const [offered, answered, wanted] of [
      [null, 'x-foo', ['EXTENSION_UNREQUESTED']],
      ['x-bar, permessage-deflate', 'x-bar; a=1', []],
      ['x-bar', 'x-bar, x-foo', ['EXTENSION_UNREQUESTED']],
      ['permessage-deflate', 'Permessage-Deflate', ['EXTENSION_UNREQUESTED']],
      ['x-bar', 'constructor', ['EXTENSION_UNREQUESTED']],
      ['x-bar', 'x-bar;;', ['EXTENSION_UNREQUESTED']],
    ] as const) {
      const records: WireRecord[] = [];
      const reader = new WireReader((record) => records.push(record));
      reader.read('client', latin(upgradeRequest('/', { 'Sec-WebSocket-Extensions': offered })), 0);
      reader.read('server', answer(`Sec-WebSocket-Extensions: ${answered}\r\n`), 0);
      expect(faults(records), answered).toEqual(wanted);
    }
  });

  test('a form that is sent by POST breaks no rule; an upgrade by POST does', () => {
    for (const [upgrade, wanted] of [
      ['', []],
      ['Upgrade: websocket\r\nConnection: Upgrade\r\n', ['METHOD_NOT_GET']],
    ] as const) {
      const records: WireRecord[] = [];
      const reader = new WireReader((record) => records.push(record));
      reader.read('client', latin(`POST /form HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n${upgrade}\r\na=1`), 0);
      expect(faults(records)).toEqual(wanted);
    }
  });

  test('a refusal, and an ordinary request, are none; what follows is only counted', () => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record), { bytes: true });
    reader.read('client', latin('GET /page HTTP/1.1\r\nHost: a\r\n\r\n'), 0);
    reader.read('server', latin('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'), 0);
    reader.read('client', latin('more'), 0);
    reader.end('server', 2);
    expect(records.map(({ type }) => type)).toEqual(['head', 'head', 'end']);
    expect(records[2]).toMatchObject({ from: 'server', at: 2, wireSize: 43 });
  });

  test('T49: interim responses are told, and what follows them is read, however it is cut', () => {
    const interim = latin('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    const stream = Buffer.concat([interim, answer(), frame({ opcode: 1, payload: latin('hello') })]);
    for (const size of [1, 30, stream.length]) {
      const records: WireRecord[] = [];
      const reader = new WireReader((record) => records.push(record));
      reader.read('client', latin(upgradeRequest()), 0);
      for (let at = 0; at < stream.length; at += size) reader.read('server', stream.subarray(at, at + size), 0);
      reader.end('server', 0);
      const lines = records.map((record) => (record.type === 'head' ? record.line : record.type));
      expect(lines.slice(1)).toEqual([
        ...['HTTP/1.1 100 Continue', 'HTTP/1.1 103 Early Hints', 'HTTP/1.1 101 Switching Protocols', 'frame', 'end'],
      ]);
      const sizes = records.flatMap((record) => ('wireSize' in record ? [record.wireSize] : []));
      expect(sizes.at(-1)).toBe(stream.length);
      expect(sizes.slice(1, -1).reduce((sum, each) => sum + each)).toBe(stream.length);
    }
  });

  test('a request that a server of Node has read is taken from there', () => {
    const records: WireRecord[] = [];
    const rawHeaders = ['Host', 'a', 'Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Key', KEY];
    const request = { line: 'GET / HTTP/1.1', rawHeaders: [...rawHeaders, 'Sec-WebSocket-Version', '13'] };
    const reader = new WireReader((record) => records.push(record), { request });
    reader.read('server', answer(), 0);
    reader.read('client', frame({ opcode: 9, key: EXAMPLE_KEY }), 0);
    expect(records.map(({ type }) => type)).toEqual(['head', 'head', 'frame']);
  });

  test('a client that is ahead of the answer is read once it is there, and not kept without bound', () => {
    const records: WireRecord[] = [];
    const reader = new WireReader((record) => records.push(record));
    reader.read('client', latin(upgradeRequest()), 0);
    reader.read('client', frame({ opcode: 1, key: EXAMPLE_KEY, payload: latin('early') }), 0);
    expect(frames(records)).toEqual([]);
    reader.read('server', answer(), 3);
    expect(frames(records)).toMatchObject([{ payload: latin('early') }]);
    const other: WireRecord[] = [];
    const flooded = new WireReader((record) => other.push(record));
    flooded.read('client', latin(upgradeRequest()), 0);
    for (let i = 0; i < 100; i++) flooded.read('client', new Uint8Array(1_024), 0);
    flooded.read('server', answer(), 0);
    expect(other.map(({ type }) => type)).toEqual(['head', 'head']);
  });
});

describe('frames', () => {
  test('are told once, when they are whole, with what they were on the wire', () => {
    const { reader, records } = opened();
    const payload = new Uint8Array(70_000).fill(7);
    reader.read('client', frame({ opcode: 2, fin: false, key: EXAMPLE_KEY, payload }), 1);
    reader.read('client', frame({ opcode: 9, key: EXAMPLE_KEY, payload: latin('p') }), 2);
    reader.read('client', frame({ opcode: 0, key: EXAMPLE_KEY, payload: latin('end') }), 3);
    expect(frames(records)).toMatchObject([
      { at: 1, opcode: 2, fin: false, masked: true, length: 70_000, wireSize: 70_014, messageLength: null },
      { at: 2, opcode: 9, messageOpcode: 9, length: 1 },
      { at: 3, opcode: 0, messageOpcode: 2, fin: true, length: 3, messageLength: 70_003, payload: latin('end') },
    ]);
    expect(frames(records)[0]!.payload).toEqual(new Uint8Array(256).fill(7));
  });

  test('the bytes that are read are not changed, nor kept: also those of a Buffer, whose slice is no copy', () => {
    const { reader, records } = opened();
    const bytes = Buffer.from(frame({ opcode: 1, key: EXAMPLE_KEY, payload: latin('hello') }));
    const copy = Uint8Array.from(bytes);
    reader.read('client', bytes.subarray(0, 8), 0);
    expect(Uint8Array.from(bytes)).toEqual(copy);
    bytes.fill(0, 0, 8);
    reader.read('client', bytes.subarray(8), 0);
    expect(frames(records)).toMatchObject([{ payload: latin('hello') }]);
  });

  test('one that is cut off tells what is missing', () => {
    const { reader, records } = opened();
    reader.read('server', frame({ opcode: 1, payload: latin('hello') }).subarray(0, 4), 0);
    reader.end('server', 9);
    reader.end('server', 10);
    expect(records).toMatchObject([
      { type: 'frame', at: 9, length: 5, missing: 3, payload: latin('he'), messageLength: null },
      { type: 'end', at: 9 },
    ]);
  });

  test('a Close tells its code and reason, also none', () => {
    const { reader, records } = opened();
    reader.read('server', closeFrame(1001, 'bye', null), 0);
    reader.read('client', closeFrame(null, '', EXAMPLE_KEY), 0);
    expect(frames(records)).toMatchObject([
      { closeCode: 1001, closeReason: 'bye' },
      { closeCode: 1005, closeReason: '' },
    ]);
  });

  test('a pong tells how long ago its ping went by, in either direction', () => {
    const { reader, records } = opened();
    const ping = (payload: string, key: FrameParts['key'] = null) => frame({ opcode: 9, key, payload: latin(payload) });
    const pong = (payload: string, key: FrameParts['key'] = null) =>
      frame({ opcode: 10, key, payload: latin(payload) });
    reader.read('server', ping('a'), 10);
    reader.read('server', ping('b'), 12);
    reader.read('client', ping('b', EXAMPLE_KEY), 13);
    reader.read('client', pong('b', EXAMPLE_KEY), 20);
    reader.read('client', pong('a', EXAMPLE_KEY), 21);
    reader.read('server', pong('b'), 30);
    reader.read('server', pong('unasked'), 31);
    const trips = frames(records).filter(({ opcode }) => opcode === 10);
    expect(trips.map(({ roundTrip }) => roundTrip)).toEqual([8, null, 17, null]);
  });

  test.each<[string, 'client' | 'server', Uint8Array, string, boolean]>([
    ['no mask', 'client', frame({ opcode: 1 }), 'MASK_MISSING', true],
    ['a mask', 'server', frame({ opcode: 1, key: EXAMPLE_KEY }), 'MASK_UNEXPECTED', true],
    ['RSV1', 'server', frame({ opcode: 1, rsv: 0x40 }), 'RESERVED_BITS_SET', true],
    ['opcode 3', 'server', frame({ opcode: 3 }), 'RESERVED_OPCODE', true],
    ['a continuation of nothing', 'server', frame({ opcode: 0 }), 'CONTINUATION_UNEXPECTED', true],
    ['a long length', 'server', frame({ opcode: 1, lengthBits: 16 }), 'LENGTH_NOT_MINIMAL', true],
    ['a fragmented ping', 'server', frame({ opcode: 9, fin: false }), 'CONTROL_FRAGMENTED', true],
    ['bad UTF-8', 'server', frame({ opcode: 1, payload: Uint8Array.of(0xff) }), 'UTF8_INVALID', false],
    ['cut UTF-8', 'server', frame({ opcode: 1, payload: Uint8Array.of(0xc3) }), 'UTF8_INVALID', false],
    ['a Close of 1005', 'server', closeFrame(1005, '', null), 'CLOSE_CODE_INVALID', false],
    [
      'a Close of one byte',
      'server',
      frame({ opcode: 8, payload: Uint8Array.of(3) }),
      'CLOSE_PAYLOAD_TRUNCATED',
      false,
    ],
  ])('%s is a violation, told after its frame', (_, from, bytes, code, fatal) => {
    const { reader, records } = opened();
    reader.read(from, bytes, 4);
    reader.read(from, frame({ opcode: 9, key: from === 'client' ? EXAMPLE_KEY : null }), 5);
    expect(records.map(({ type }) => type)).toEqual(fatal ? ['fault'] : ['frame', 'fault', 'frame']);
    expect(records.find(({ type }) => type === 'fault')).toMatchObject({ from, at: 4, code, fatal });
  });
});

test('what is kept of payloads may be as much as one likes: memory is taken for what comes', () => {
  const { reader, records } = opened('', {}, { previewSize: Number.MAX_SAFE_INTEGER });
  const payloads = [1, 100_000, 3].map((size) => new Uint8Array(size).map((_, i) => i * size));
  for (const payload of payloads) {
    const bytes = frame({ opcode: 2, payload });
    for (let at = 0; at < bytes.length; at += 999) reader.read('server', bytes.subarray(at, at + 999), 0);
  }
  expect(frames(records).map(({ payload }) => payload)).toEqual(payloads);
  const some = opened('', {}, { previewSize: 1_500 });
  some.reader.read('server', frame({ opcode: 2, payload: payloads[1]! }), 0);
  expect(frames(some.records)).toMatchObject([{ length: 100_000, payload: payloads[1]!.slice(0, 1_500) }]);
});

describe('compression', () => {
  const compressed = (payload: Uint8Array, parts: Partial<FrameParts> = {}) =>
    frame({ opcode: 1, rsv: 0x40, payload, ...parts });

  test('sizes before and after, and the text that was in it', () => {
    const { reader, records } = opened(ANSWER_DEFLATE, DEFLATE);
    const text = 'a text that repeats, a text that repeats';
    reader.read('server', compressed(deflated(text)), 0);
    reader.read('client', compressed(deflated(text), { key: EXAMPLE_KEY }), 0);
    reader.read('server', frame({ opcode: 1, payload: latin('plain') }), 0);
    expect(frames(records)).toMatchObject([
      { rsv: 0x40, inflated: text.length, payload: latin(text) },
      { rsv: 0x40, inflated: text.length, payload: latin(text) },
      { rsv: 0, inflated: null, payload: latin('plain') },
    ]);
    expect(faults(records)).toEqual([]);
  });

  test('over fragments, and with a history that is taken over', () => {
    const { reader, records } = opened(ANSWER_DEFLATE, DEFLATE);
    // RFC 7692 section 7.2.3.2: the second "Hello" refers to the first.
    reader.read('server', compressed(Uint8Array.of(0xf2, 0x48, 0xcd), { fin: false }), 0);
    reader.read('server', frame({ opcode: 0, payload: Uint8Array.of(0xc9, 0xc9, 0x07, 0x00) }), 0);
    reader.read('server', compressed(Uint8Array.of(0xf2, 0x00, 0x11, 0x00, 0x00)), 0);
    const told = frames(records);
    expect(told.map(({ payload }) => Buffer.from(payload).toString()).join('')).toBe('HelloHello');
    expect(told.at(-1)).toMatchObject({ inflated: 5, messageLength: 5 });
    expect(faults(records)).toEqual([]);
  });

  test('what is no DEFLATE is a violation; what refers to it cannot be followed, and nothing is made up', () => {
    const { reader, records } = opened(ANSWER_DEFLATE, DEFLATE);
    reader.read('server', compressed(Uint8Array.of(0xff, 0xff)), 0);
    reader.read('server', compressed(deflated('fine')), 0);
    expect(faults(records)).toEqual(['EXTENSION_DATA_INVALID']);
    expect(frames(records)).toMatchObject([{ inflated: null }, { inflated: null, payload: new Uint8Array(0) }]);
  });

  test('text that is no UTF-8 inside of it is found', () => {
    const { reader, records } = opened(ANSWER_DEFLATE, DEFLATE);
    reader.read('server', compressed(deflated(Uint8Array.of(0xc0, 0x80))), 0);
    expect(faults(records)).toEqual(['UTF8_INVALID']);
  });

  test('an extension that nobody knows may set bits', () => {
    const { reader, records } = opened('Sec-WebSocket-Extensions: x-mine\r\n', {
      'Sec-WebSocket-Extensions': 'x-mine',
    });
    reader.read('server', compressed(latin('??'), { rsv: 0x30 }), 0);
    expect(frames(records)).toMatchObject([{ rsv: 0x30, inflated: null }]);
    expect(faults(records)).toEqual([]);
  });

  test('a bomb costs no memory, and is not followed to its end', () => {
    const { reader, records } = opened(ANSWER_DEFLATE, DEFLATE);
    const bomb = deflated(new Uint8Array(80 * 1024 * 1024));
    reader.read('server', compressed(bomb, { opcode: 2 }), 0);
    expect(frames(records)).toMatchObject([{ length: bomb.length, inflated: null }]);
  });
});

describe('properties', () => {
  const parts = fc.record({
    opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
    fin: fc.boolean(),
    rsv: fc.constantFrom(0, 0, 0, 0x40),
    payload: fc.uint8Array({ maxLength: 150 }),
  });
  const stream = fc.array(parts, { maxLength: 8 }).map((list) => Buffer.concat(list.map((each) => frame(each))));

  test('any cutting of the bytes tells the same', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.integer({ min: 1, max: 40 })), fc.boolean(), (bytes, cuts, deflate) => {
        const whole = opened(deflate ? ANSWER_DEFLATE : '', DEFLATE);
        whole.reader.read('server', bytes, 0);
        whole.reader.end('server', 0);
        const cut = opened(deflate ? ANSWER_DEFLATE : '', DEFLATE);
        let at = 0;
        for (const size of cuts) {
          cut.reader.read('server', bytes.subarray(at, at + size), 0);
          at += size;
        }
        cut.reader.read('server', bytes.subarray(at), 0);
        cut.reader.end('server', 0);
        expect(cut.records).toEqual(whole.records);
      }),
    );
  });

  test('no bytes make it throw, of either side, before or behind the handshake', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 60 }))), fc.boolean(), (chunks, ready) => {
        const reader = ready ? opened(ANSWER_DEFLATE, DEFLATE).reader : new WireReader(() => {});
        for (const [up, bytes] of chunks) reader.read(up ? 'client' : 'server', bytes, 0);
        reader.end('client', 0);
        reader.end('server', 0);
      }),
    );
  });
});
