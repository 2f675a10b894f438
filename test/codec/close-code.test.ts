/** Close codes (RFC 6455 section 7.4), all of them. */

import { describe, expect, it } from 'vitest';
import { CloseCode, closeCodeText, isReceivableCloseCode, isSendableCloseCode } from '../../src/codec/close-code.ts';

const allowed = new Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]);
for (let code = 3000; code <= 4999; code++) allowed.add(code);

describe('§7.4: which codes may be on the wire', () => {
  it('T32 tells every code from 0 to 65535', () => {
    const received: number[] = [];
    const sent: number[] = [];
    for (let code = 0; code <= 0xffff; code++) {
      if (isReceivableCloseCode(code)) received.push(code);
      if (isSendableCloseCode(code)) sent.push(code);
    }
    expect(received).toEqual([...allowed]);
    expect(sent).toEqual([...allowed]);
  });

  it.each([1000.5, -1, -1000, 65536 + 1000, Number.NaN, Number.POSITIVE_INFINITY, '1000', null, undefined, {}])(
    'does not send %s',
    (value) => {
      expect(isSendableCloseCode(value as number)).toBe(false);
    },
  );

  it('names codes that may be sent, and the three that tell how a connection ended', () => {
    const local = Object.values(CloseCode).filter((code) => !isSendableCloseCode(code));
    expect(local).toEqual([CloseCode.noStatus, CloseCode.abnormal, CloseCode.tlsHandshake]);
    expect(local).toEqual([1005, 1006, 1015]);
    expect(Object.values(CloseCode).filter(isSendableCloseCode)).toEqual([...allowed].filter((code) => code < 3000));
  });
});

describe('closeCodeText', () => {
  it('has its own words for each named code', () => {
    const texts = Object.values(CloseCode).map(closeCodeText);
    expect(new Set(texts).size).toBe(texts.length);
    expect(texts).not.toContain(closeCodeText(0));
  });

  it('tells the ranges of §7.4.2 apart', () => {
    expect(closeCodeText(1001)).toBe('going away');
    expect(closeCodeText(3000)).toBe(closeCodeText(3999));
    expect(closeCodeText(4000)).toBe(closeCodeText(4999));
    expect(closeCodeText(3999)).not.toBe(closeCodeText(4000));
    for (const code of [0, 999, 1004, 1016, 2999, 5000, 65535, Number.NaN]) {
      expect(closeCodeText(code)).toBe('not a valid close code');
    }
  });
});

it('names that every object has are no codes', () => {
  for (const name of ['constructor', '__proto__', 'toString'] as unknown as number[]) {
    expect(closeCodeText(name)).toBe('not a valid close code');
  }
});
