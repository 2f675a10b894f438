/** RFC 6455 section 5.5: what is common to all control frames. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { describeRefused, type Refused } from './refused.ts';
import { closePayload, cuts, join, OP, open, pattern, ROLES, type Subject } from './support.ts';

const REFUSED: Refused[] = [
  ...[OP.close, OP.ping, OP.pong].map((opcode) => ({
    section: '5.5',
    title: `control frames MUST NOT be fragmented (opcode ${opcode})`,
    code: 'CONTROL_FRAGMENTED',
    bytes: (s: Subject) => s.peer(opcode, '', { fin: false }),
  })),
  ...[OP.close, OP.ping, OP.pong].map((opcode) => ({
    section: '5.5',
    title: `all control frames MUST have a payload of 125 bytes or less (opcode ${opcode})`,
    code: 'CONTROL_TOO_LONG',
    bytes: (s: Subject) => s.peer(opcode, pattern(126)),
  })),
  {
    section: '5.5.1',
    title: 'a Close with a body MUST begin with a 2-byte code',
    code: 'CLOSE_PAYLOAD_TRUNCATED',
    bytes: (s) => s.peer(OP.close, Uint8Array.of(3)),
  },
];

describeRefused(REFUSED);

for (const role of ROLES) {
  describe(`RFC 6455 section 5.5, ${role}`, () => {
    it('§5.5: 125 bytes are legal in each control frame, at every cut', () => {
      const probe = open(role);
      const bytes = join(
        probe.peer(OP.ping, pattern(125)),
        probe.peer(OP.pong, pattern(125)),
        probe.peer(OP.close, closePayload(1000, 'x'.repeat(123))),
      );
      for (const cut of cuts(bytes)) {
        const subject = open(role).feed(...cut);
        expect(subject.events).toEqual([
          { type: 'ping', payload: pattern(125) },
          { type: 'pong', payload: pattern(125), latency: null },
          { type: 'closing', code: 1000, reason: 'x'.repeat(123) },
        ]);
      }
    });

    it('§5.5: we send no control frame above 125 bytes', () => {
      const { connection } = open(role);
      expect(() => connection.ping(0, pattern(126))).toThrow(UsageError);
      expect(() => connection.pong(pattern(126))).toThrow(UsageError);
      expect(() => connection.close(0, 1000, 'x'.repeat(124))).toThrow(UsageError);
      expect(() => connection.close(0, 1000, 'ü'.repeat(62))).toThrow(UsageError);
      expect(connection.outgoingLength).toBe(0);
      expect(connection.readyState).toBe('open');
    });
  });
}
