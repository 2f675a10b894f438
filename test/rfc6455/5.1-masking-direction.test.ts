/** RFC 6455 section 5.1: who masks, and that nobody else does. */
import { describe, expect, it } from 'vitest';
import { describeRefused, type Refused } from './refused.ts';
import { OP, open, pattern, ROLES, type Subject } from './support.ts';

const oddMask = (subject: Subject) => ({ mask: subject.role === 'server' ? null : [1, 2, 3, 4] });

const REFUSED: Refused[] = [
  {
    section: '5.1',
    title: 'the server MUST close the connection upon receiving a frame that is not masked',
    code: 'MASK_MISSING',
    bytes: (s) => s.peer(OP.text, 'no', oddMask(s)),
    roles: ['server'],
  },
  {
    section: '5.1',
    title: 'a client MUST close a connection if it detects a masked frame',
    code: 'MASK_UNEXPECTED',
    bytes: (s) => s.peer(OP.text, 'no', oddMask(s)),
    roles: ['client'],
  },
  ...[OP.ping, OP.pong, OP.close].map((opcode) => ({
    section: '5.1',
    title: `the masking direction holds for control frames too (opcode ${opcode})`,
    code: 'MASK_MISSING',
    bytes: (s: Subject) => s.peer(opcode, '', oddMask(s)),
    roles: ['server'] as const,
  })),
];

describeRefused(REFUSED);

for (const role of ROLES) {
  describe(`RFC 6455 section 5.1, ${role}`, () => {
    it('§5.1: a client MUST mask all frames that it sends, a server MUST NOT mask any', () => {
      const subject = open(role, { maxBufferedAmount: null });
      const { connection } = subject;
      connection.sendText('text');
      connection.sendBinary(pattern(70_000));
      connection.sendText('ü'.repeat(60_000));
      connection.sendFragment('text', pattern(0), false);
      connection.ping(0, pattern(3));
      connection.pong(pattern(125));
      connection.sendFragment('text', pattern(0), true);
      connection.close(0, 1000, 'bye');
      const { frames } = subject.flush();
      expect(frames.length).toBe(8);
      for (const { mask } of frames) expect(mask === null).toBe(role === 'server');
    });
  });
}
