/** Pieces to messages (RFC 6455 sections 5.4 and 8.1): where they are kept, when they are judged, and what is given back. */
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/codec/memory.ts';
import { MessageAssembler } from '../../src/connection/message-assembler.ts';
import type { FaultCode } from '../../src/errors.ts';
import type { PayloadDecoder } from '../../src/extension/chain.ts';
import { bytesOf, join, pattern, textOf } from '../rfc6455/support.ts';

/** A memory that counts what lies in its pool. */
function pooling() {
  const memory = new Memory((size) => new Uint8Array(size));
  const out = { memory, taken: 0, returned: 0 };
  const { pooled, recycle } = memory;
  memory.pooled = (size) => {
    out.taken++;
    return pooled.call(memory, size);
  };
  memory.recycle = (buffer) => {
    out.returned++;
    recycle.call(memory, buffer);
  };
  return out;
}

/** Gives out what it is told to give out, whatever it is given; then it may be corrupt. */
class Scripted implements PayloadDecoder {
  readonly rsvBits = 0x40;
  corrupt = false;
  fault?: FaultCode;
  readonly written: [size: number, last: boolean][] = [];
  private readonly output: Uint8Array[];
  private readonly breaks: boolean;

  constructor(output: readonly (Uint8Array | string)[], breaks = false, fault?: FaultCode) {
    this.output = output.map((each) => (typeof each === 'string' ? bytesOf(each) : each));
    this.breaks = breaks;
    if (fault !== undefined) this.fault = fault;
  }

  write(piece: Uint8Array, last: boolean): void {
    this.written.push([piece.length, last]);
  }

  read(): Uint8Array | null {
    const next = this.output.shift() ?? null;
    if (next === null && this.breaks) this.corrupt = true;
    return next;
  }
}

const made = (most = 1_000_000, memory = Memory.shared) => new MessageAssembler(memory, most);
const whole = (assembler: MessageAssembler) => {
  const inChunk = assembler.finish();
  return { inChunk, data: assembler.bytes.slice(assembler.start, assembler.end) };
};

describe('pieces in one chunk', () => {
  it('are moved together where they lie, with headers in between', () => {
    const chunk = bytesOf('..abc..de....fgh.');
    const assembler = made();
    assembler.begin(true, null, false);
    expect(assembler.add(chunk, 2, 5, 3, false)).toBe(null);
    expect(assembler.add(chunk, 7, 9, 5, false)).toBe(null);
    expect(assembler.add(chunk, 9, 9, 5, false)).toBe(null);
    expect(assembler.add(chunk, 13, 16, 8, true)).toBe(null);
    expect(assembler.retained).toBe(0);
    const { inChunk, data } = whole(assembler);
    expect([inChunk, textOf(data), assembler.bytes === chunk]).toEqual([true, 'abcdefgh', true]);
  });

  it('none of them, or empty ones only, are an empty message', () => {
    const assembler = made();
    assembler.begin(true, null, false);
    assembler.add(bytesOf('xx'), 1, 1, 0, false);
    assembler.add(bytesOf('yy'), 2, 2, 0, true);
    expect(whole(assembler)).toEqual({ inChunk: true, data: new Uint8Array(0) });
  });
});

describe('pieces in several chunks', () => {
  for (const pooled of [false, true]) {
    it(`are stored, small and large, ${pooled ? 'in a buffer of the pool that is given back' : 'in memory of their own'}`, () => {
      for (const size of [1, 31, 32, 5_000]) {
        const counted = pooling();
        const assembler = made(1_000_000, counted.memory);
        assembler.begin(false, null, pooled);
        const parts = Array.from({ length: 5 }, (_, i) => pattern(size, i));
        parts.forEach((part, i) => {
          const chunk = join(bytesOf('..'), part);
          expect(assembler.add(chunk, 2, 2 + size, size * (i + 1), i === 4)).toBe(null);
          assembler.spill(size * (i + 1));
          // Whoever lent the chunk uses it again.
          chunk.fill(0xee);
        });
        expect(whole(assembler)).toEqual({ inChunk: false, data: join(...parts) });
        expect(assembler.takeStored()).toEqual(join(...parts));
        expect(counted.taken > 0).toBe(pooled);
        expect(counted.returned).toBe(counted.taken);
      }
    });
  }

  it('the run in the chunk before is stored when a piece comes in the next', () => {
    const assembler = made();
    assembler.begin(false, null, false);
    const [first, second] = [bytesOf('ab'), bytesOf('cd')];
    assembler.add(first, 0, 2, 2, false);
    assembler.add(second, 0, 2, 4, true);
    expect(textOf(whole(assembler).data)).toBe('abcd');
  });

  it('spill() without anything in the chunk stores nothing', () => {
    const assembler = made();
    assembler.begin(false, null, false);
    assembler.spill(1_000);
    expect([assembler.retained, assembler.size]).toEqual([0, 0]);
  });

  it('memory follows what came, never more than sixteen times, whatever was announced, and never beyond the limit', () => {
    const assembler = made(100_000);
    assembler.begin(false, null, false);
    assembler.add(pattern(100), 0, 100, 100_000, false);
    assembler.spill(100_000);
    expect(assembler.retained).toBe(1_600);
    let came = 100;
    while (came < 100_000) {
      assembler.add(pattern(900), 0, 900, 100_000, false);
      assembler.spill(100_000);
      came += 900;
      expect(assembler.retained).toBeLessThanOrEqual(Math.min(100_000, 16 * came));
    }
    expect(assembler.retained).toBe(100_000);
    expect(assembler.takeStored().length).toBe(came);
  });

  it('what is handed over is exactly as long as it is, and pins no more than twice that', () => {
    for (const size of [100, 600, 1_023, 1_024, 1_500]) {
      const assembler = made();
      assembler.begin(false, null, false);
      for (const part of [pattern(1), pattern(size - 1)]) {
        assembler.add(part, 0, part.length, 0, false);
        assembler.spill(0);
      }
      const taken = assembler.takeStored();
      expect([taken.length, taken.buffer.byteLength <= 2 * size]).toEqual([size, true]);
      expect([assembler.retained, assembler.size]).toEqual([0, 0]);
    }
  });
});

describe('§8.1: text', () => {
  it('is judged piece by piece, and at its end', () => {
    const euro = bytesOf('€');
    const assembler = made();
    assembler.begin(true, null, false);
    expect(assembler.add(euro, 0, 2, 2, false)).toBe(null);
    expect(assembler.add(euro, 2, 3, 3, true)).toBe(null);
    assembler.begin(true, null, false);
    expect(assembler.add(euro, 0, 2, 2, true)).toBe('UTF8_INVALID');
    assembler.begin(true, null, false);
    expect(assembler.add(Uint8Array.of(0xff), 0, 1, 1, false)).toBe('UTF8_INVALID');
    assembler.begin(false, null, false);
    expect(assembler.add(Uint8Array.of(0xff), 0, 1, 1, true)).toBe(null);
  });
});

describe('through a transform', () => {
  /** What becomes of one message whose transform gives out these pieces. */
  function expanded(isText: boolean, transform: Scripted, most: number, last = true): FaultCode | null {
    const assembler = made(most);
    assembler.begin(isText, transform, false);
    expect(assembler.add(pattern(7), 2, 5, 3, last)).toBe(null);
    expect([transform.written, assembler.expanding]).toEqual([[[3, last]], true]);
    return assembler.expand(Number.POSITIVE_INFINITY);
  }

  it('the message is what it makes, and a text is left to whoever decodes it', () => {
    const { memory } = pooling();
    const assembler = made(1_000, memory);
    assembler.begin(true, new Scripted(['ab', new Uint8Array(0), 'cd']), false);
    assembler.add(pattern(3), 0, 3, 3, true);
    expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe(null);
    expect([assembler.expanding, assembler.unjudged, assembler.size]).toEqual([false, true, 4]);
    expect(textOf(whole(assembler).data)).toBe('abcd');
    const buffer = assembler.takePooled()!;
    expect(textOf(buffer.bytes.subarray(0, 4))).toBe('abcd');
    buffer.release();
    assembler.begin(false, new Scripted([]), false);
    expect(assembler.unjudged).toBe(false);
  });

  it('a text of which a part was judged, in the middle of a letter, leaves nothing to the next', () => {
    const assembler = made();
    const [first, rest] = [Uint8Array.of(0x61, 0xe2, 0x82), Uint8Array.of(0xac)];
    assembler.begin(true, new Scripted([first]), false);
    assembler.add(pattern(3), 0, 3, 3, false);
    expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe(null);
    Object.assign(assembler, { transform: new Scripted([rest]) });
    assembler.add(pattern(3), 0, 3, 3, true);
    expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe(null);
    expect(textOf(whole(assembler).data)).toBe('a€');
    assembler.takePooled()!.release();
    assembler.begin(true, null, false);
    expect(assembler.add(bytesOf('next'), 0, 4, 4, true)).toBe(null);
  });

  it('stops when it has made more than the budget, and goes on', () => {
    const assembler = made();
    assembler.begin(false, new Scripted(Array.from({ length: 5 }, () => pattern(10))), false);
    assembler.add(pattern(3), 0, 3, 3, true);
    const sizes: [number, boolean][] = [];
    do {
      expect(assembler.expand(15)).toBe(null);
      sizes.push([assembler.size, assembler.expanding]);
    } while (assembler.expanding);
    expect(sizes).toEqual([
      [20, true],
      [40, true],
      [50, false],
    ]);
  });

  it('§8.1: a text that waits for more fails at its first bad octet, one that is complete is judged when it is decoded', () => {
    const bad = Uint8Array.of(0x61, 0xff);
    expect(expanded(true, new Scripted([bad]), 1_000, false)).toBe('UTF8_INVALID');
    expect(expanded(true, new Scripted([bad]), 1_000, true)).toBe(null);
    expect(expanded(false, new Scripted([bad]), 1_000, false)).toBe(null);
    expect(expanded(true, new Scripted(['a€']), 1_000, false)).toBe(null);
  });

  it('§8.1: of each message is judged from its first octet on, however long the one before was', () => {
    const assembler = made();
    assembler.begin(true, new Scripted(['x'.repeat(1_000)]), false);
    assembler.add(pattern(3), 0, 3, 3, false);
    expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe(null);
    whole(assembler);
    assembler.takePooled()?.release();
    assembler.begin(true, new Scripted([Uint8Array.of(0x61, 0xff)]), false);
    assembler.add(pattern(3), 0, 3, 3, false);
    expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe('UTF8_INVALID');
  });

  it('is handed over in memory of its own, also where it fills its buffer, which goes back to the pool', () => {
    for (const size of [4_095, 4_096, 4_097, 8_192]) {
      const counted = pooling();
      const assembler = made(1_000_000, counted.memory);
      assembler.begin(false, new Scripted([pattern(size)]), false);
      assembler.add(pattern(3), 0, 3, 3, true);
      expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe(null);
      assembler.finish();
      const taken = assembler.takeStored();
      expect([taken, counted.memory.lender(taken.buffer)]).toEqual([pattern(size), undefined]);
      expect([counted.taken, counted.returned]).toEqual([1, 1]);
    }
  });

  it('what it cannot read has its own fault, or the one of all extensions; bad text before that comes first', () => {
    expect(expanded(false, new Scripted(['a'], true), 1_000)).toBe('EXTENSION_DATA_INVALID');
    expect(expanded(true, new Scripted(['a'], true, 'DEFLATE_CORRUPT'), 1_000)).toBe('DEFLATE_CORRUPT');
    expect(expanded(true, new Scripted([Uint8Array.of(0xff)], true, 'DEFLATE_CORRUPT'), 1_000)).toBe('UTF8_INVALID');
  });

  it('the limit is met exactly; of what goes beyond it, only what comes before is judged', () => {
    expect(expanded(false, new Scripted([pattern(10)]), 10)).toBe(null);
    expect(expanded(false, new Scripted([pattern(10), pattern(1)]), 10)).toBe('MESSAGE_TOO_BIG');
    expect(expanded(true, new Scripted(['0123456789a']), 10)).toBe('MESSAGE_TOO_BIG');
    expect(expanded(true, new Scripted([join(bytesOf('0123456789'), Uint8Array.of(0xff))]), 10)).toBe(
      'MESSAGE_TOO_BIG',
    );
    expect(expanded(true, new Scripted([join(bytesOf('012345678'), Uint8Array.of(0xff, 0xff))]), 10)).toBe(
      'UTF8_INVALID',
    );
    expect(expanded(true, new Scripted([Uint8Array.of(0xff), '0123456789a']), 10)).toBe('UTF8_INVALID');
  });

  it('dispose() gives the memory back in the middle of a message, and the next begins with none', () => {
    const counted = pooling();
    const assembler = made(1_000_000, counted.memory);
    for (let i = 0; i < 3; i++) {
      assembler.begin(false, new Scripted([pattern(3_000), pattern(9_000)]), false);
      assembler.add(pattern(3), 0, 3, 3, false);
      assembler.expand(Number.POSITIVE_INFINITY);
      expect(assembler.retained).toBeGreaterThanOrEqual(12_000);
      assembler.dispose();
      expect([assembler.retained, assembler.size, counted.taken - counted.returned]).toEqual([0, 0, 0]);
    }
    assembler.dispose();
  });
});

describe('where a message lies', () => {
  it('the piece in the next chunk begins where it begins', () => {
    const assembler = made();
    assembler.begin(false, null, false);
    assembler.add(bytesOf('..ab'), 2, 4, 2, false);
    assembler.add(bytesOf('...cd'), 3, 5, 4, false);
    assembler.add(bytesOf('.ef'), 1, 3, 6, true);
    expect(textOf(whole(assembler).data)).toBe('abcdef');
  });

  it('one that was stored begins at 0, wherever the one before began', () => {
    const assembler = made();
    assembler.begin(false, null, false);
    assembler.add(bytesOf('..ab'), 2, 4, 2, true);
    expect([assembler.finish(), assembler.start, assembler.end]).toEqual([true, 2, 4]);
    assembler.begin(false, null, false);
    assembler.add(bytesOf('..ab'), 2, 4, 2, false);
    assembler.spill(2);
    assembler.add(bytesOf('..c'), 2, 3, 3, true);
    expect([assembler.finish(), assembler.start, assembler.end]).toEqual([false, 0, 3]);
  });

  it('memory is never reserved beyond the limit, also where nothing was announced', () => {
    const assembler = made(3_000);
    assembler.begin(false, null, false);
    for (let came = 0; came < 3_000; came += 100) {
      assembler.add(pattern(100), 0, 100, 0, false);
      assembler.spill(0);
      expect(assembler.retained).toBeLessThanOrEqual(3_000);
    }
  });

  it('§8.1: the first octet of what goes beyond the limit is judged, too', () => {
    const assembler = made(10);
    assembler.begin(true, new Scripted([join(Uint8Array.of(0xff), bytesOf('0123456789'))]), false);
    assembler.add(pattern(3), 0, 3, 3, false);
    expect(assembler.expand(Number.POSITIVE_INFINITY)).toBe('UTF8_INVALID');
  });
});
