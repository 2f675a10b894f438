/** RFC 6455 section 5.3: the masking algorithm, in both directions. */
import { describe, expect, it } from 'vitest';
import { cuts, OP, open, pattern, ROLES } from './support.ts';

for (const role of ROLES) {
  describe(`RFC 6455 section 5.3, ${role}`, () => {
    it('§5.3: the payload of a client is masked with the key in the frame, whatever its length and alignment', () => {
      for (let size = 0; size < 80; size++) {
        const subject = open(role);
        const buffer = pattern(100);
        const payload = buffer.subarray(3, 3 + size);
        subject.connection.sendBinary(payload);
        subject.connection.sendText('x'.repeat(size));
        subject.flush();
        expect(subject.frames.map((each) => each.payload)).toEqual([payload, pattern(size).fill(0x78)]);
        expect(buffer).toEqual(pattern(100));
      }
    });

    it('§5.3: any key unmasks, also one of zeros, at every cut', () => {
      if (role === 'client') return;
      for (const mask of [
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [1, 2, 3, 4],
      ]) {
        const payload = pattern(70);
        for (const cut of cuts(open(role).peer(OP.binary, payload, { mask }))) {
          expect(open(role).feed(...cut).messages).toEqual([payload]);
        }
      }
    });
  });
}
