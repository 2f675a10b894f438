/** RFC 6455 section 10.3: masking keys cannot be foreseen by those who provide the payload. */
import { randomFillSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { OP, open, readFrames, seeded } from './support.ts';

describe('RFC 6455 section 10.3', () => {
  it('§5.3, §10.3: the key is fresh for each frame and comes from the injected randomness alone', () => {
    const drawn: number[] = [];
    const random = (into: Uint8Array) => {
      randomFillSync(into);
      for (const octet of into) drawn.push(octet);
    };
    const subject = open('client', { platform: { random }, maxBufferedAmount: null });
    for (let i = 0; i < 3_000; i++) {
      if (i % 4 === 0) subject.connection.sendText('same payload');
      else if (i % 4 === 1) subject.connection.sendBinary(new Uint8Array(50));
      else if (i % 4 === 2) subject.connection.ping(0, new Uint8Array(4));
      else subject.connection.sendText('x'.repeat(40), { fragmentSize: 30 });
    }
    subject.flush();
    const keys = subject.frames.map(({ mask }) => mask!.join());
    // Two of 3,750 random keys are equal with a probability of 0.2 %, three times that with one in a million.
    expect(new Set(keys).size).toBeGreaterThan(keys.length - 3);
    const all = new Set<string>();
    for (let i = 0; i < drawn.length; i += 4) all.add(drawn.slice(i, i + 4).join());
    expect(keys.every((key) => all.has(key))).toBe(true);
  });

  it('§10.3: connections that share randomness share no key', () => {
    const platform = { random: seeded(5) };
    const keys = new Set<string>();
    const subjects = Array.from({ length: 40 }, () => open('client', { platform }));
    for (let round = 0; round < 50; round++) for (const each of subjects) each.connection.sendText('a');
    for (const each of subjects) for (const { mask } of readFrames(each.flush().wire)) keys.add(mask!.join());
    expect(keys.size).toBe(2_000);
  });

  it('§10.3: the payload that the application gave stays as it was', () => {
    const subject = open('client');
    for (const size of [1, 100, 40_000]) {
      const payload = new Uint8Array(size).fill(9);
      subject.connection.sendBinary(payload);
      subject.flush();
      expect(payload.every((octet) => octet === 9)).toBe(true);
      expect(subject.frames.at(-1)).toMatchObject({ opcode: OP.binary, payload });
    }
  });
});
