/** RFC 6455 section 7.4: close codes, all 65,536 of them, both ways. */
import { describe, expect, it } from 'vitest';
import { EstablishedConnection, Settings, UsageError } from '../../src/index.ts';
import { closePayload, OP, open, ROLES, seeded } from './support.ts';

/** Sections 7.4.1 and 7.4.2, and the three codes that IANA registered since. */
function legal(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

for (const role of ROLES) {
  describe(`RFC 6455 section 7.4, ${role}`, () => {
    it('§7.4: of all codes exactly the legal ones are taken; 1005, 1006 and 1015 MUST NOT be on the wire', () => {
      const settings = Settings.from({ platform: { random: seeded() } });
      const bytes = open(role).peer(OP.close, closePayload(0), role === 'server' ? { mask: [0, 0, 0, 0] } : {});
      const wrong: number[] = [];
      for (let code = 0; code <= 0xffff; code++) {
        const connection = new EstablishedConnection({ role }, settings, 0);
        connection.nextEvent();
        const chunk = bytes.slice();
        chunk[chunk.length - 2] = code >> 8;
        chunk[chunk.length - 1] = code & 0xff;
        connection.receive(chunk, 0);
        const event = connection.nextEvent();
        const taken = event?.type === 'closing' && event.code === code;
        if (taken !== legal(code)) wrong.push(code);
        connection.takeOutgoing();
        connection.receiveEnd(0, new Error('reset'));
        const closed = connection.nextEvent();
        if (closed?.type !== 'closed' || closed.code !== (taken ? code : 1006)) wrong.push(code);
      }
      expect(wrong).toEqual([]);
    });

    it('§7.4: an illegal code fails with 1002 and is not echoed', () => {
      for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535]) {
        const subject = open(role);
        subject.feed(subject.peer(OP.close, closePayload(code, 'why')));
        expect(subject.closeCode).toBe(1002);
        expect(subject.end().closed).toMatchObject({ code: 1006, error: { code: 'CLOSE_CODE_INVALID' } });
      }
    });

    it('§7.4: exactly the legal codes can be sent; the rest is refused and nothing changes', () => {
      const { connection } = open(role);
      for (const code of [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1e9, 1000.5, Number.NaN]) {
        expect(() => connection.close(0, code)).toThrow(UsageError);
      }
      expect(() => connection.close(0, null, 'a reason needs a code')).toThrow(UsageError);
      expect(() => connection.close(0, 1000, '\ud800')).toThrow(UsageError);
      expect(() => connection.close(0, 1000, 5 as unknown as string)).toThrow(UsageError);
      expect(() => connection.close(0, '1000' as unknown as number)).toThrow(UsageError);
      expect(connection.readyState).toBe('open');
      for (const code of [1000, 1001, 1002, 1003, 1007, 1014, 3000, 3999, 4000, 4999]) {
        const subject = open(role);
        subject.connection.close(0, code, 'r');
        expect(subject.flush().closeCode).toBe(code);
      }
    });
  });
}
