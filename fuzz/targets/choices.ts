/** Reads an input as decisions: the fuzzer chooses options, operations and every cut, not only bytes of the wire. */

import type { ConnectionOptions } from '../../src/index.ts';

/** A finding: a promise of the engine that an input broke. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

/** Throws a finding unless `held`. */
export function must(held: boolean, promise: string): void {
  if (!held) throw new Finding(promise);
}

/** Throws a finding unless two prints are equal. */
export function mustEqual(actual: readonly string[], expected: readonly string[], promise: string): void {
  if (actual.length === expected.length && actual.every((line, i) => line === expected[i])) return;
  throw new Finding(`${promise}\n  one way:\n    ${expected.join('\n    ')}\n  another:\n    ${actual.join('\n    ')}`);
}

export class Choices {
  private readonly input: Uint8Array;
  private at = 0;

  constructor(input: Uint8Array) {
    this.input = input;
  }

  get over(): boolean {
    return this.at >= this.input.length;
  }

  /** The next octet, or 0 when there is none. */
  octet(): number {
    return this.input[this.at++] ?? 0;
  }

  bytes(count: number): Uint8Array {
    const out = this.input.slice(this.at, this.at + count);
    this.at += count;
    return out;
  }

  rest(): Uint8Array {
    return this.bytes(this.input.length);
  }

  /** Sizes of chunks. */
  cuts(): number[] {
    const count = this.octet() & 7;
    return Array.from(this.bytes(count), (size) => size + 1);
  }

  /** Options of a connection in two octets. */
  options(): ConnectionOptions {
    const flags = this.octet();
    const limits = this.octet();
    return {
      delivery: (flags & 1) === 0 ? 'message' : 'fragment',
      text: (flags & 2) === 0 ? 'string' : 'bytes',
      progress: (flags & 4) !== 0,
      autoPong: (flags & 8) === 0,
      ...((limits & 1) === 0 ? {} : { maxMessageSize: 1 + ((limits >> 4) << 3) }),
      ...((limits & 2) === 0 ? {} : { maxFrameSize: 100 }),
      ...((limits & 4) === 0 ? {} : { maxFragments: 3 }),
      ...((limits & 8) === 0 ? {} : { maxControlFrames: 2 }),
    };
  }
}
