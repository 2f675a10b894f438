/** The blocks of a DEFLATE stream (RFC 1951) by hand, against zlib: codes that no compressor of ours or of others writes. */
import { describe, expect, test } from 'vitest';
import {
  CODE_LENGTH_ORDER,
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  LENGTH_EXTRA,
} from '../../src/extension/permessage-deflate/alphabets.ts';
import { Inflate } from '../../src/extension/permessage-deflate/inflate.ts';
import { concat, equal } from '../support/bytes.ts';
import { cutEvery, inflate, inflateOnce, json, noise, TAIL, zlibDeflate, zlibInflate } from './support.ts';

/** Bits in the order of the stream (RFC 1951 section 3.1.1): numbers lowest bit first, codes highest bit first. */
class Bits {
  private readonly octets: number[] = [];
  private at = 0;

  number(value: number, size: number): this {
    for (let i = 0; i < size; i++, this.at++) {
      this.octets[this.at >> 3] = (this.octets[this.at >> 3] ?? 0) | (((value >>> i) & 1) << (this.at & 7));
    }
    return this;
  }

  code(text: string): this {
    for (const bit of text) this.number(Number(bit), 1);
    return this;
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.octets);
  }
}

/** What every block here is written with: `a`, the end of the block, and the match of 3 octets have two bits each, so has `b`. */
const LITERALS = { a: '00', b: '01', end: '10', match: '11' } as const;
/** One distance of each length of code from 1 to 15, the farthest two with 15 bits. */
const DISTANCES: ReadonlyMap<number, string> = new Map(
  Array.from({ length: 16 }, (_, i) => [14 + i, i < 15 ? `${'1'.repeat(i)}0` : '1'.repeat(15)] as const),
);

/** The head of a block with codes of its own (section 3.2.7): each of their lengths is told by a code of four bits. */
function headOf(literals: Uint8Array, distances: Uint8Array): Bits {
  const bits = new Bits()
    .number(4, 3)
    .number(literals.length - 257, 5)
    .number(distances.length - 1, 5)
    .number(19 - 4, 4);
  for (const symbol of CODE_LENGTH_ORDER) bits.number(symbol < 16 ? 4 : 0, 3);
  for (const length of [...literals, ...distances]) bits.code(length.toString(2).padStart(4, '0'));
  return bits;
}

function block(): Bits {
  const literals = new Uint8Array(258);
  for (const symbol of [97, 98, 256, 257]) literals[symbol] = 2;
  return headOf(
    literals,
    Uint8Array.from({ length: 30 }, (_, symbol) => DISTANCES.get(symbol)?.length ?? 0),
  );
}

function match(bits: Bits, distance: number): void {
  let symbol = 29;
  while (DISTANCE_BASE[symbol]! > distance) symbol--;
  bits.code(LITERALS.match).code(DISTANCES.get(symbol)!);
  bits.number(distance - DISTANCE_BASE[symbol]!, DISTANCE_EXTRA[symbol]!);
}

const history = noise(32_768);

/** The flushed beginning of the message, and the block that now ends; then the message is flushed again. */
function behind(beginning: Uint8Array, bits: Bits): Uint8Array {
  return concat([zlibDeflate(beginning), TAIL, bits.code(LITERALS.end).number(0, 3).bytes]);
}

describe('distance codes of up to 15 bits, with up to 13 bits behind them', () => {
  const distances = [...DISTANCES.keys()].flatMap((symbol) => {
    const nearest = DISTANCE_BASE[symbol]!;
    const farthest = nearest + (1 << DISTANCE_EXTRA[symbol]!) - 1;
    return [nearest, farthest, (nearest + farthest) >> 1];
  });

  test('are read as zlib reads them, however the input is cut', () => {
    const bits = block();
    // Twice, so that most of them come with plenty of input behind, at every place in an octet.
    for (const [i, distance] of [...distances, ...distances.toReversed()].entries()) {
      for (let k = 0; k < i % 4; k++) bits.code(k % 2 === 0 ? LITERALS.a : LITERALS.b);
      match(bits, distance);
    }
    const compressed = behind(history, bits);
    const wanted = zlibInflate([compressed]);
    expect(wanted.length).toBeGreaterThan(history.length + 3 * 2 * distances.length);
    for (const size of [1, 2, 3, 7, 20, compressed.length]) {
      const out = inflate(new Inflate(15), cutEvery(compressed, size));
      if (out === null || !equal(out, wanted)) expect.fail(`in pieces of ${size}`);
    }
  });

  test('T76: one octet beyond what there is, or beyond the window, is corrupt; the one before is not', () => {
    // With plenty of input behind, and with none.
    for (const more of [0, 100]) {
      const message = (there: number, distance: number) => {
        const bits = block();
        match(bits, distance);
        return behind(history.subarray(0, there), bits.code(LITERALS.a.repeat(more)));
      };
      for (const [there, distance, good] of [
        [32_768, 32_768, true],
        [32_767, 32_768, false],
        [20_000, 20_000, true],
        [20_000, 20_001, false],
      ] as const) {
        const compressed = message(there, distance);
        for (const pieces of [[compressed], cutEvery(compressed, 1)]) {
          expect(inflate(new Inflate(15), pieces)?.length).toBe(good ? there + 3 + more : undefined);
        }
        if (good) expect(equal(inflateOnce(compressed)!, zlibInflate([compressed]))).toBe(true);
        else expect(() => zlibInflate([compressed])).toThrow();
      }
      const lengths = (distance: number) => [12, 13].map((bits) => inflateOnce(message(5_000, distance), bits)?.length);
      expect(lengths(4_096)).toEqual([5_003 + more, 5_003 + more]);
      expect(lengths(4_097)).toEqual([undefined, 5_003 + more]);
    }
  });
});

test('RFC 1951 §3.2.4: a stored block begins at the next octet, whatever was read ahead of it', () => {
  // A block in the fixed code that ends at each place of an octet, and a stored one behind it; with little input and with plenty.
  for (const size of [1, 5, 60]) {
    const payload = noise(size);
    const stored = concat([Uint8Array.of(size, 0, ~size & 0xff, 0xff), payload]);
    for (let count = 0; count < 20; count++) {
      const fixed = new Bits().number(2, 3);
      // The literals 144 to 255 have nine bits: the first of them is 110010000.
      for (let i = 0; i < count; i++) fixed.code('110010000');
      fixed.code('0000000').number(0, 3);
      const compressed = concat([fixed.bytes, stored, Uint8Array.of(0)]);
      const wanted = Uint8Array.of(...Array<number>(count).fill(144), ...payload);
      for (let cut = 1; cut <= compressed.length; cut++) {
        expect(inflate(new Inflate(15), cutEvery(compressed, cut))).toEqual(wanted);
      }
      expect(zlibInflate([compressed])).toEqual(wanted);
    }
  }
});

/** The fixed code (RFC 1951 section 3.2.6): literals from 144 on have nine bits, lengths up to 114 have seven. */
const FIXED = { nine: '110010000', end: '0000000', three: '0000001' } as const;

function fixed(bits = new Bits()): Bits {
  return bits.number(2, 3);
}

test('RFC 1951 §3.2.4: nothing of a stored block is taken for what follows it, however much was read ahead', () => {
  for (let count = 30; count < 38; count++) {
    const before = fixed().code(FIXED.nine.repeat(count)).code(FIXED.end).number(0, 3);
    const stored = noise(40, count);
    const after = fixed().code(FIXED.nine.repeat(40)).code(FIXED.end).number(0, 3);
    const compressed = concat([before.bytes, Uint8Array.of(40, 0, 0xd7, 0xff), stored, after.bytes]);
    const wanted = concat([new Uint8Array(count).fill(144), stored, new Uint8Array(40).fill(144)]);
    expect(zlibInflate([compressed])).toEqual(wanted);
    for (const size of [1, 5, 16, 17, 33, compressed.length]) {
      expect(inflate(new Inflate(15), cutEvery(compressed, size))).toEqual(wanted);
    }
  }
});

test('T76: a message ends behind a flush or a final block, and behind no other, though its octet ends there', () => {
  // Three bits of header, six literals, the end: 64 bits.
  const whole = (final: number) =>
    new Bits()
      .number(2 | final, 3)
      .code(FIXED.nine.repeat(6))
      .code(FIXED.end).bytes;
  const flush = Uint8Array.of(0, 0, 0, 0xff, 0xff);
  for (const before of [new Uint8Array(0), flush]) {
    for (const size of [1, 100]) {
      expect(inflate(new Inflate(15), cutEvery(concat([before, whole(0)]), size))).toBeNull();
      expect(inflate(new Inflate(15), cutEvery(concat([before, whole(0), flush]), size))).toHaveLength(6);
      expect(inflate(new Inflate(15), cutEvery(concat([before, whole(1)]), size))).toHaveLength(6);
    }
  }
});

/** A code of code lengths (section 3.2.7), and the head of a block that describes its codes with it. */
const TOLD: ReadonlyMap<number, string> = new Map([
  [0, '00'],
  [1, '01'],
  [2, '100'],
  [16, '101'],
  [17, '110'],
  [18, '111'],
]);

function described(literals: number, distances: number): Bits {
  const bits = new Bits()
    .number(4, 3)
    .number(literals - 257, 5)
    .number(distances - 1, 5)
    .number(19 - 4, 4);
  for (const symbol of CODE_LENGTH_ORDER) bits.number(TOLD.get(symbol)?.length ?? 0, 3);
  return bits;
}

/** Tells lengths of codes; a number below 0 is a run of that many zeros. */
function tell(bits: Bits, ...lengths: readonly number[]): Bits {
  for (const length of lengths) {
    if (length >= 0) bits.code(TOLD.get(length)!);
    else if (length > -11) bits.code(TOLD.get(17)!).number(-length - 3, 3);
    else for (let left = -length; left > 0; left -= 138) bits.code(TOLD.get(18)!).number(Math.min(left, 138) - 11, 7);
  }
  return bits;
}

/** A message, whole and octet by octet; `null` where zlib refuses it, too. */
function read(compressed: Uint8Array): Uint8Array | null {
  const out = inflateOnce(compressed);
  const cut = inflate(new Inflate(15), cutEvery(compressed, 1));
  expect(cut).toEqual(out);
  if (out === null) expect(() => zlibInflate([compressed])).toThrow();
  else expect(zlibInflate([compressed])).toEqual(out);
  return out;
}

describe('RFC 1951 §3.2.7: runs of lengths', () => {
  // With codes of one bit for the literal and the end.
  const a = (bits: Bits) => bits.code('0').code('1').number(0, 3).bytes;

  test('may end where the lengths end, and not behind, though all that count are right', () => {
    const lengths = (distances: number, ...last: number[]) => tell(described(257, distances), -97, 1, -158, 1, ...last);
    expect(read(a(lengths(1, 0)))).toEqual(Uint8Array.of(97));
    expect(read(a(lengths(3, -3)))).toEqual(Uint8Array.of(97));
    expect(read(a(lengths(2, -3)))).toBeNull();
    expect(read(a(lengths(1, -11)))).toBeNull();
    expect(read(a(lengths(2).code(TOLD.get(16)!).number(0, 2)))).toBeNull();
  });

  test('go on from the literals to the distances', () => {
    // 256, 257 and four distances have two bits.
    const bits = tell(described(258, 4), -97, 1, -158, 2)
      .code(TOLD.get(16)!)
      .number(5 - 3, 2);
    const compressed = bits.code('0').code('11').code('00').code('10').number(0, 3).bytes;
    expect(read(compressed)).toEqual(new Uint8Array(4).fill(97));
  });

  test('may leave a code of one bit for the end of the block alone', () => {
    expect(read(tell(described(257, 1), -256, 1, 0).code('0').number(0, 3).bytes)).toHaveLength(0);
  });

  test('repeat nothing at the beginning', () => {
    const bits = described(257, 1).code(TOLD.get(16)!).number(0, 2);
    expect(read(a(tell(bits, -94, 1, -158, 1, 0)))).toBeNull();
  });
});

describe('T76: codes that mean nothing', () => {
  /** Behind some history, with much to come and with nothing, and with an end that is right. */
  function refused(bits: () => Bits, rest: string, end: string): void {
    for (const more of [0, 100]) {
      const compressed = bits().code(rest.repeat(more)).code(end).number(0, 3).bytes;
      expect(read(concat([zlibDeflate(noise(300)), TAIL, compressed]))).toBeNull();
    }
  }

  test('the lengths 286 and 287 and the distances 30 and 31 of the fixed code', () => {
    for (const length of ['11000110', '11000111'])
      refused(() => fixed().code(length).code('00000'), FIXED.nine, FIXED.end);
    for (const distance of ['11110', '11111'])
      refused(() => fixed().code(FIXED.three).code(distance), FIXED.nine, FIXED.end);
    const good = fixed().code(FIXED.three).code('00000').code(FIXED.end).number(0, 3).bytes;
    expect(read(concat([zlibDeflate(noise(300)), TAIL, good]))).toHaveLength(303);
  });

  test('286 does not end a block, though what follows would be one', () => {
    const stored = (size: number) => Uint8Array.of(size, 0, ~size, 0xff, ...noise(size), 0);
    for (const code of ['11000110', FIXED.end]) {
      for (const size of [3, 100]) {
        const compressed = concat([fixed().code(code).number(0, 3).bytes, stored(size)]);
        expect(read(compressed)?.length).toBe(code === FIXED.end ? size : undefined);
      }
    }
  });

  test('the other half of a single code of one bit, and any distance where there is none', () => {
    // The literal is 0, the end 10, a length 11.
    const block = (distance: number) => tell(described(258, 1), -97, 1, -158, 2, 2, distance);
    refused(() => block(1).code('11').code('1'), '0', '10');
    refused(() => block(0).code('11').code('0'), '0', '10');
    refused(() => block(0).code('11').code('1'), '0', '10');
    const good = block(1).code('11').code('0').code('10').number(0, 3).bytes;
    expect(read(concat([zlibDeflate(noise(300)), TAIL, good]))).toHaveLength(303);
  });
});

test('T76: what cannot be read is refused with the octet that shows it', () => {
  const told = (...order: readonly number[]) =>
    order.reduce((bits, length) => bits.number(length, 3), new Bits().number(4, 3).number(1 << 10, 14)).bytes;
  for (const compressed of [
    // The reserved block type in the last bits of an octet.
    fixed().code(FIXED.nine.repeat(3)).code(FIXED.end).number(6, 3).bytes,
    // Too many codes of one bit for the lengths of codes.
    told(1, 1, 1, 0, 0),
    // Only one of them.
    told(0, 0, 1, 0, 0),
    // 287 codes of literals and lengths.
    fixed().code(FIXED.nine.repeat(5)).code(FIXED.end).number(4, 3).number(30, 5).number(0, 9).bytes,
    // Lengths of codes, none of them for the end of the block.
    tell(described(257, 1), -97, 1, 1, -157, 0, 0).bytes,
    Uint8Array.of(0, 5, 0, 0xfa, 0xfe),
  ]) {
    const inflater = new Inflate(15);
    const corrupt = cutEvery(compressed, 1).map((octet) => {
      inflater.write(octet, false);
      inflater.read();
      // What came before is handed out first.
      inflater.read();
      return inflater.corrupt;
    });
    expect(corrupt).toEqual(corrupt.map((_, i) => i === compressed.length - 1));
  }
});

describe('codes of up to 15 bits for literals and lengths, with up to 5 bits behind them', () => {
  // Of 1, 2, 3, … bits, and the last two of 15. Distances have two.
  const symbols = [97, 257, 265, 269, 256, 98, 99, 100, 101, 102, 103, 104, 273, 277, 281, 284];
  const codes = symbols.map((_, i) => (i < 15 ? `${'1'.repeat(i)}0` : '1'.repeat(15)));

  test('are read as zlib reads them, however the input is cut', () => {
    const lengths = new Uint8Array(285);
    for (const [i, symbol] of symbols.entries()) lengths[symbol] = codes[i]!.length;
    const bits = headOf(lengths, new Uint8Array(4).fill(2));
    const literals = codes.filter((_, i) => symbols[i]! < 256);
    bits.code(literals[0]!.repeat(4));
    for (let before = 0; before < 64; before++) {
      for (const [i, symbol] of symbols.entries()) {
        if (symbol < 257) continue;
        // One or two literals of all sizes, so that it comes with any number of bits at hand.
        bits.code(literals[before & 7]!).code(before < 32 ? '' : literals[(before >> 3) & 7]!);
        const extra = LENGTH_EXTRA[symbol - 257]!;
        bits
          .code(codes[i]!)
          .number(before % (1 << extra), extra)
          .code('10');
      }
    }
    const compressed = bits.code(codes[symbols.indexOf(256)]!).number(0, 3).bytes;
    const wanted = zlibInflate([compressed]);
    for (const size of [1, 7, 20, compressed.length]) {
      const out = inflate(new Inflate(15), cutEvery(compressed, size));
      if (out === null || !equal(out, wanted)) expect.fail(`in pieces of ${size}`);
    }
  });
});

test('the codes of a block are those of one stream, whatever became of others', () => {
  const messages = Array.from({ length: 12 }, (_, i) => json(2_000, i + 1));
  for (let i = 0; i < 3; i++) {
    const gone = new Inflate(15);
    expect(inflate(gone, [zlibDeflate(messages[i]!)])).toEqual(messages[i]);
    gone.release();
  }
  const streams = messages.map((message) => ({ inflater: new Inflate(15), parts: [] as Uint8Array[], message }));
  for (const half of [0, 1]) {
    for (const { inflater, parts, message } of streams) {
      const compressed = zlibDeflate(message);
      const middle = compressed.length >> 1;
      inflater.write(half === 0 ? compressed.slice(0, middle) : compressed.slice(middle), half === 1);
      for (let part = inflater.read(); part !== null; part = inflater.read()) parts.push(part.slice());
    }
  }
  for (const { parts, message } of streams) expect(equal(concat(parts), message)).toBe(true);
});
