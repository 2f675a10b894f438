/** RFC 6455 section 5.2: the frame header, as it must be read and written. */
import { describe, expect, it } from 'vitest';
import { describeRefused, type Refused } from './refused.ts';
import { OP, open, pattern, ROLES, type Subject } from './support.ts';

const REFUSED: Refused[] = [
  ...[0x40, 0x20, 0x10, 0x70].flatMap((rsv) =>
    [OP.text, OP.binary, OP.ping, OP.pong, OP.close].map((opcode) => ({
      section: '5.2',
      title: `RSV bits MUST be 0 unless an extension gives them a meaning (0x${rsv.toString(16)}, opcode ${opcode})`,
      code: 'RESERVED_BITS_SET',
      bytes: (s: Subject) => s.peer(opcode, '', { rsv }),
    })),
  ),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
    section: '5.2',
    title: `an unknown opcode MUST fail the connection (${opcode})`,
    code: 'RESERVED_OPCODE',
    bytes: (s: Subject) => s.peer(opcode, 'x'),
  })),
  ...[0, 1, 125].map((size) => ({
    section: '5.2',
    title: `the minimal number of bytes MUST be used for the length (${size} in 16 bits)`,
    code: 'LENGTH_NOT_MINIMAL',
    bytes: (s: Subject) => s.peer(OP.binary, pattern(size), { lengthBits: 16 }),
  })),
  ...[0, 125, 126, 65_535].map((size) => ({
    section: '5.2',
    title: `the minimal number of bytes MUST be used for the length (${size} in 64 bits)`,
    code: 'LENGTH_NOT_MINIMAL',
    bytes: (s: Subject) => s.peer(OP.binary, pattern(Math.min(size, 200)), { lengthBits: 64, announced: BigInt(size) }),
  })),
  {
    section: '5.2',
    title: 'the most significant bit of a 64-bit length MUST be 0',
    code: 'LENGTH_HIGH_BIT_SET',
    bytes: (s) => s.peer(OP.binary, '', { announced: 1n << 63n }),
  },
];

describeRefused(REFUSED);

for (const role of ROLES) {
  describe(`RFC 6455 section 5.2, ${role}`, () => {
    it('§5.2: the fault is told at the byte that makes it certain', () => {
      const cases: [Uint8Array, number][] = [];
      const probe = open(role);
      cases.push([probe.peer(3, 'x'), 2], [probe.peer(OP.ping, pattern(126)), 2]);
      cases.push([probe.peer(OP.binary, 'ab', { lengthBits: 16 }), 4]);
      cases.push([probe.peer(OP.binary, '', { announced: 1n << 63n }), 10]);
      for (const [bytes, decided] of cases) {
        const subject = open(role);
        subject.feed(...Array.from(bytes.subarray(0, decided - 1), (octet) => Uint8Array.of(octet)));
        expect(subject.connection.readyState).toBe('open');
        subject.feed(bytes.subarray(decided - 1, decided));
        expect(subject.connection.readyState).toBe('closing');
      }
    });

    it('§5.2: every other pair of first bytes is a frame, none of them throws', () => {
      for (let first = 0; first < 256; first++) {
        for (const second of [0, 1, 125, 126, 127, 128, 129, 253, 254, 255]) {
          const subject = open(role);
          subject.feed(Uint8Array.of(first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
          expect(['open', 'closing']).toContain(subject.connection.readyState);
          expect(subject.closeFrames.length).toBeLessThanOrEqual(1);
        }
      }
    });

    it('§5.2: reserved bits are 0, and lengths are in their shortest form, at every border', () => {
      for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 32_768, 32_769, 100_000]) {
        const subject = open(role);
        const payload = pattern(size);
        const wireSize = subject.connection.sendBinary(payload);
        subject.flush();
        expect(subject.wire.length).toBe(wireSize);
        expect(subject.frames).toEqual([
          { fin: true, rsv: 0, opcode: OP.binary, mask: role === 'server' ? null : expect.any(Array), payload },
        ]);
      }
    });
  });
}
