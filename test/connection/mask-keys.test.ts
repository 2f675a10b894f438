/** Masking keys (RFC 6455 section 5.3): every octet of the source is used once. */
import { describe, expect, it } from 'vitest';
import { MaskKeys } from '../../src/connection/mask-keys.ts';

describe('MaskKeys', () => {
  it('gives out every four octets of the source once, the first octet lowest', () => {
    let n = 0;
    const drawn: number[] = [];
    const keys = new MaskKeys((into) => {
      for (let i = 0; i < into.length; i++) into[i] = (n++ * 7) & 0xff;
      drawn.push(...into);
    });
    for (let i = 0; i < 3_000; i++) {
      const key = keys.next();
      const octets = [key & 0xff, (key >>> 8) & 0xff, (key >>> 16) & 0xff, key >>> 24];
      expect(octets).toEqual(drawn.slice(4 * i, 4 * i + 4));
    }
    expect(keys.bytes(16)).toEqual(Uint8Array.from(drawn.slice(-16)));
  });

  it('is shared by those with the same source, and only by them', () => {
    const random = () => {};
    expect(MaskKeys.of(random)).toBe(MaskKeys.of(random));
    expect(MaskKeys.of(random)).not.toBe(MaskKeys.of(() => {}));
  });
});
