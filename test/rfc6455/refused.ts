/** Frames that a receiver must refuse, as a table: fed at every cut, they fail the connection and nothing follows. */
import { describe, expect, it } from 'vitest';
import type { Role } from '../../src/index.ts';
import { cuts, join, OP, open, ROLES, type Subject } from './support.ts';

export interface Refused {
  readonly section: string;
  readonly title: string;
  readonly code: string;
  /** Default 1002. */
  readonly closeCode?: number;
  /** What comes before, legally. */
  readonly before?: (subject: Subject) => Uint8Array;
  readonly bytes: (subject: Subject) => Uint8Array;
  readonly roles?: readonly Role[];
}

/** One test for each row and role. */
export function describeRefused(rows: readonly Refused[]): void {
  for (const role of ROLES) {
    describe(`${role}: what fails the connection`, () => {
      for (const { section, title, code, closeCode = 1002, before, bytes, roles } of rows) {
        if (roles !== undefined && !roles.includes(role)) continue;
        it(`§${section}: ${title}`, () => {
          const probe = open(role);
          const wrong = bytes(probe);
          const later = join(probe.peer(OP.text, 'never'), probe.peer(OP.ping, 'never'), probe.peer(OP.close));
          for (const cut of wrong.length > 200 ? [[wrong]] : cuts(wrong)) {
            const subject = open(role);
            if (before !== undefined) subject.feed(before(subject));
            const known = subject.events.length;
            subject.feed(...cut, later);
            // §7.1.7: the endpoint MUST NOT continue to process data.
            expect(subject.events.length).toBe(known);
            expect(subject.connection.readyState).toBe('closing');
            expect(subject.closeCode).toBe(closeCode);
            expect(subject.connection.outgoingEnded).toBe(true);
            subject.end();
            expect(subject.closed).toMatchObject({ code: 1006, clean: false, remote: false });
            expect(subject.closed.error).toMatchObject({ name: 'ProtocolError', code, closeCode });
          }
        });
      }
    });
  }
}
