/** Changes to inputs: bits, octets, ranges, words of the target's language, and parts of other inputs. */

const INTERESTING = [0, 1, 2, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xfe, 0xff, 0x0a, 0x0d, 0x20];
const MOST = 1_024;

export class Mutator {
  private readonly chance: () => number;
  private readonly words: readonly Uint8Array[];

  constructor(chance: () => number, words: readonly string[]) {
    this.chance = chance;
    this.words = words.map((word) => Uint8Array.from(word, (unit) => unit.charCodeAt(0)));
  }

  /** One to several changes to `input`; `other` is another input. */
  mutate(input: Uint8Array, other: Uint8Array): Uint8Array {
    let out: Uint8Array = input.slice();
    const rounds = 1 << this.below(4);
    for (let i = 0; i < rounds; i++) out = this.once(out, other);
    return out.subarray(0, MOST);
  }

  below(limit: number): number {
    return Math.floor(this.chance() * limit);
  }

  private once(bytes: Uint8Array, other: Uint8Array): Uint8Array {
    const at = this.below(bytes.length + 1);
    switch (this.below(9)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << this.below(8);
        return bytes;
      case 1:
        if (at < bytes.length) bytes[at] = this.below(256);
        return bytes;
      case 2:
        if (at < bytes.length) bytes[at] = INTERESTING[this.below(INTERESTING.length)]!;
        return bytes;
      case 3:
        if (at < bytes.length) bytes[at]! += this.below(2) === 0 ? 1 : -1;
        return bytes;
      case 4:
        return splice(bytes, at, at + 1 + this.below(8), new Uint8Array(0));
      case 5: {
        const from = this.below(bytes.length + 1);
        return splice(bytes, at, at, bytes.slice(from, from + 1 + this.below(16)));
      }
      case 6: {
        const from = this.below(other.length + 1);
        return splice(bytes, at, at + this.below(4), other.slice(from, from + 1 + this.below(40)));
      }
      case 7:
        return splice(bytes, at, at, this.words[this.below(this.words.length)]!);
      default:
        return splice(bytes, at, at + this.below(6), this.words[this.below(this.words.length)]!);
    }
  }
}

function splice(bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(to, bytes.length));
  const out = new Uint8Array(from + put.length + tail.length);
  out.set(bytes.subarray(0, from));
  out.set(put, from);
  out.set(tail, from + put.length);
  return out;
}
