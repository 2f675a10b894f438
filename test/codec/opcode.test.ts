/** Opcodes (RFC 6455 section 5.2), all sixteen. */

import { expect, it } from 'vitest';
import { isControl, isReserved, Opcode } from '../../src/codec/opcode.ts';

it('§5.2: the six opcodes have their values', () => {
  expect(Opcode).toEqual({ continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 });
});

it('§5.2: all but the six are reserved', () => {
  const reserved = Array.from({ length: 16 }, (_, opcode) => opcode).filter(isReserved);
  expect(reserved).toEqual([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]);
});

it('§5.5: the highest bit tells control frames, reserved ones too', () => {
  const control = Array.from({ length: 16 }, (_, opcode) => opcode).filter(isControl);
  expect(control).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
});
