/** The first two octets of a frame (RFC 6455 section 5): every one of them, against the RFC's rules one by one. */
import { describe, expect, test } from 'vitest';
import { checkFrame, type FrameRules } from '../../src/codec/frame-check.ts';
import type { FaultCode } from '../../src/errors.ts';

/** Every rule that a header breaks, each judged by itself. */
function broken(first: number, second: number, rules: FrameRules, continuing: boolean): Set<FaultCode> {
  const [fin, opcode, masked, length] = [first >= 0x80, first % 16, second >= 0x80, second % 128];
  const out = new Set<FaultCode>();
  const rsv = [0x40, 0x20, 0x10].filter((bit) => (first & bit) > 0);
  const begins = [1, 2].includes(opcode);
  if (rsv.some((bit) => !begins || (rules.rsvBits & bit) === 0)) out.add('RESERVED_BITS_SET');
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) out.add('RESERVED_OPCODE');
  if (opcode >= 8 && !fin) out.add('CONTROL_FRAGMENTED');
  if (opcode >= 8 && length > 125) out.add('CONTROL_TOO_LONG');
  if (opcode === 0 && !continuing) out.add('CONTINUATION_UNEXPECTED');
  if (begins && continuing) out.add('CONTINUATION_EXPECTED');
  if (rules.masked && !masked) out.add('MASK_MISSING');
  if (!rules.masked && masked) out.add('MASK_UNEXPECTED');
  return out;
}

describe('checkFrame', () => {
  for (const masked of [true, false]) {
    for (const rsvBits of [0, 0x40, 0x20, 0x70]) {
      test(`all headers, ${masked ? 'masked' : 'bare'}, with reserved bits 0x${rsvBits.toString(16)}`, () => {
        const rules = { masked, rsvBits };
        const seen = new Set<FaultCode | null>();
        for (const continuing of [false, true]) {
          for (let first = 0; first < 256; first++) {
            for (let second = 0; second < 256; second++) {
              const fault = checkFrame(first, second, rules, continuing);
              const wrong = broken(first, second, rules, continuing);
              if (fault === null ? wrong.size > 0 : !wrong.has(fault)) {
                expect.fail(`${first.toString(16)} ${second.toString(16)}: ${fault}, not ${[...wrong].join(' or ')}`);
              }
              seen.add(fault);
            }
          }
        }
        expect(seen).toEqual(
          new Set([
            null,
            'RESERVED_BITS_SET',
            'RESERVED_OPCODE',
            'CONTROL_FRAGMENTED',
            'CONTROL_TOO_LONG',
            'CONTINUATION_UNEXPECTED',
            'CONTINUATION_EXPECTED',
            masked ? 'MASK_MISSING' : 'MASK_UNEXPECTED',
          ]),
        );
      });
    }
  }

  test('of several rules the one is told that is nearer to the front of the frame', () => {
    const rules = { masked: true, rsvBits: 0 };
    expect(checkFrame(0x4b, 0x7f, rules, false)).toBe('RESERVED_BITS_SET');
    expect(checkFrame(0x0b, 0x7f, rules, false)).toBe('RESERVED_OPCODE');
    expect(checkFrame(0x08, 0x7f, rules, false)).toBe('CONTROL_FRAGMENTED');
    expect(checkFrame(0x88, 0x7f, rules, false)).toBe('CONTROL_TOO_LONG');
    expect(checkFrame(0x80, 0x05, rules, false)).toBe('CONTINUATION_UNEXPECTED');
    expect(checkFrame(0x81, 0x05, rules, true)).toBe('CONTINUATION_EXPECTED');
    expect(checkFrame(0x81, 0x05, rules, false)).toBe('MASK_MISSING');
  });
});
