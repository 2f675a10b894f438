/** Records as text: what a line says, and that a peer cannot make it say anything else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMilliseconds, formatRecord, formatSize, opcodeName, printableText } from '../../src/debug/lines.ts';
import type { FrameRecord } from '../../src/debug/records.ts';

const frame = (fields: Partial<FrameRecord>): FrameRecord => ({
  ...{ type: 'frame', at: 0, from: 'client', opcode: 1, messageOpcode: 1, fin: true, rsv: 0, masked: true, length: 0 },
  ...{ wireSize: 0, payload: new Uint8Array(0), inflated: null, messageLength: null, roundTrip: null },
  ...{ closeCode: null, closeReason: '', missing: 0 },
  ...fields,
});
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

describe('a frame', () => {
  test.each<[string, Partial<FrameRecord>]>([
    ['text    fin  5 B  "hello"', { length: 5, payload: bytes('hello') }],
    ['text    0 B', { fin: false }],
    ['binary  fin  2 B  00 ff', { opcode: 2, messageOpcode: 2, length: 2, payload: Uint8Array.of(0, 255) }],
    ['continuation  fin  3 B  "abc"', { opcode: 0, length: 3, payload: bytes('abc') }],
    [
      'text    fin  rsv1  1.0 KiB in 310 B (-70 %)  "x"…',
      { rsv: 0x40, length: 310, inflated: 1_024, payload: bytes('x') },
    ],
    ['text    fin  rsv1  1 B in 3 B (+200 %)  "x"', { rsv: 0x40, length: 3, inflated: 1, payload: bytes('x') }],
    ['text    fin  rsv1  0 B in 1 B (0 %)', { rsv: 0x40, length: 1, inflated: 0 }],
    ['text    fin  rsv1  3 B  01 02 03', { rsv: 0x40, length: 3, payload: Uint8Array.of(1, 2, 3) }],
    ['text    fin  9 B  cut: 4 B missing  "hello"…', { length: 9, missing: 4, payload: bytes('hello') }],
    ['ping   0 B', { opcode: 9, messageOpcode: 9 }],
    ['ping   2 B  00 01', { opcode: 9, messageOpcode: 9, length: 2, payload: Uint8Array.of(0, 1) }],
    ['pong   1 B  round trip 1.50 ms  "p"', { opcode: 10, length: 1, roundTrip: 1.5, payload: bytes('p') }],
    ['close  5 B  1000 (normal closure)  "bye"', { opcode: 8, length: 5, closeCode: 1000, closeReason: 'bye' }],
    ['close  0 B  1005 (no close code received)', { opcode: 8, closeCode: 1005 }],
    ['close  1 B  03', { opcode: 8, length: 1, payload: Uint8Array.of(3) }],
  ])('%s', (line, fields) => {
    expect(formatRecord(frame(fields))).toBe(line);
  });

  test('a text that was cut within a character is still text', () => {
    expect(formatRecord(frame({ length: 9, payload: bytes('añ€').subarray(0, 5) }))).toBe('text    fin  9 B  "añ"…');
    const rest = frame({ opcode: 0, length: 3, payload: bytes('€b').subarray(1) });
    expect(formatRecord(rest)).toBe('continuation  fin  3 B  "b"');
  });
});

test('a painter is given every part, and its text', () => {
  const painted = formatRecord(frame({ length: 1, payload: bytes('x') }), (part, text) => `<${part} ${text}>`);
  expect(painted).toBe('<data text  >  fin  1 B  <dim "x">');
});

test('sizes and durations are rounded to what is read', () => {
  expect([0, 1023, 1024, 1_048_575, 1_048_576, 5e9].map(formatSize)).toEqual([
    ...['0 B', '1023 B', '1.0 KiB', '1.0 MiB', '1.0 MiB', '4.7 GiB'],
  ]);
  expect([0, 9.999, 10, 999.9, 1_000, 61_000].map(formatMilliseconds)).toEqual([
    ...['0.00 ms', '10.00 ms', '10.0 ms', '999.9 ms', '1.000 s', '61.000 s'],
  ]);
  expect([0, 1, 2, 3, 8, 9, 10, 15].map(opcodeName)).toEqual([
    ...['continuation', 'text', 'binary', 'opcode 3', 'close', 'ping', 'pong', 'opcode 15'],
  ]);
});

describe('nothing of a peer commands a terminal', () => {
  test.each([
    ['\x1b[2J', '\\x1b[2J'],
    ['\x9b2J', '\\x9b2J'],
    ['\r\n\t', '\\r\\n\\t'],
    ['\x07\x7f\x00', '\\x07\\x7f\\x00'],
    ['\u202eabc\u2066', '\\u{202e}abc\\u{2066}'],
    ['a\u200bb\u2028c\ufeff', 'a\\u{200b}b\\u{2028}c\\u{feff}'],
    ['\ud800', '\\u{d800}'],
    ['\u{e0041}', '\\u{e0041}'],
    ['čau 😀 日本', 'čau 😀 日本'],
  ])('%j is shown as %s', (text, shown) => {
    expect(printableText(text)).toBe(shown);
  });

  test('whatever a payload, a reason or a line is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.string({ unit: 'binary' }), (payload, text) => {
        const shown = [
          formatRecord(frame({ payload, length: payload.length })),
          formatRecord(frame({ opcode: 8, closeCode: 4000, closeReason: text })),
          formatRecord({ type: 'head', at: 0, from: 'client', line: text, headers: [], wireSize: 0 }),
        ].join(' ');
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
        expect(shown).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]/);
      }),
    );
  });
});
