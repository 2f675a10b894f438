/** Several transforms behind each other: who takes a message, in which order, and who undoes it (RFC 6455 section 9.1). */
import { describe, expect, test } from 'vitest';
import { TransformChain } from '../../src/extension/chain.ts';
import type { PayloadTransform } from '../../src/extension/extension.ts';

/** Appends its letter to what is sent, and takes it off what is received, piece by piece; an `x` is what it cannot read. */
class Letter implements PayloadTransform {
  readonly rsvBits: number;
  corrupt = false;
  released = 0;
  takes = true;
  private readonly letter: number;
  private kept: number[] = [];
  private pieces: Uint8Array[] = [];

  constructor(rsvBits: number, letter: string) {
    this.rsvBits = rsvBits;
    this.letter = letter.charCodeAt(0);
  }

  encode(payload: Uint8Array): Uint8Array | null {
    return this.takes ? Uint8Array.of(...payload, this.letter) : null;
  }

  encodePiece(piece: Uint8Array, _first: boolean, last: boolean): Uint8Array | null {
    if (!this.takes) return null;
    return last ? Uint8Array.of(...piece, this.letter) : piece;
  }

  write(piece: Uint8Array, last: boolean): void {
    if (piece.includes(0x78)) this.corrupt = true;
    this.kept.push(...piece);
    if (last && this.kept.pop() !== this.letter) this.corrupt = true;
    // The last octet so far may be the letter. One octet a piece.
    const ready = this.kept.splice(0, last ? this.kept.length : this.kept.length - 1);
    for (const octet of ready) this.pieces.push(Uint8Array.of(octet));
  }

  read(): Uint8Array | null {
    return this.corrupt ? null : (this.pieces.shift() ?? null);
  }

  release(): void {
    this.released++;
  }
}

const bytes = (text: string) => Uint8Array.from(text, (each) => each.charCodeAt(0));
const text = (from: Uint8Array) => String.fromCharCode(...from);

function abc(): { a: Letter; b: Letter; c: Letter; chain: TransformChain } {
  const [a, b, c] = [new Letter(0x40, 'a'), new Letter(0x20, 'b'), new Letter(0x10, 'c')];
  return { a, b, c, chain: new TransformChain([a, b, c]) };
}

function decode(chain: TransformChain, rsvBits: number, pieces: readonly string[]): string | null {
  const decoder = chain.decoderFor(rsvBits)!;
  let out = '';
  for (const [i, piece] of pieces.entries()) {
    decoder.write(bytes(piece), i === pieces.length - 1);
    for (let part = decoder.read(); part !== null; part = decoder.read()) out += text(part);
    if (decoder.corrupt) return null;
  }
  return out;
}

describe('TransformChain', () => {
  test('sends through all that take a message, in order, and says which did', () => {
    const { b, chain } = abc();
    expect(chain.rsvBits).toBe(0x70);
    const all = chain.encode(bytes('12'), 'text');
    expect([text(all.payload), all.rsvBits]).toEqual(['12abc', 0x70]);
    b.takes = false;
    const some = chain.encode(bytes('12'), 'text');
    expect([text(some.payload), some.rsvBits]).toEqual(['12ac', 0x50]);
  });

  test('sends pieces through those that took the first one, whatever the others would do later', () => {
    const { b, c, chain } = abc();
    b.takes = false;
    const first = chain.encodePiece(bytes('1'), true, false);
    b.takes = true;
    const last = chain.encodePiece(bytes('2'), false, true);
    expect([text(first.payload), first.rsvBits]).toEqual(['1', 0x50]);
    expect([text(last.payload), last.rsvBits]).toEqual(['2ac', 0x50]);
    // The next message is decided anew.
    c.takes = false;
    const next = chain.encodePiece(bytes('3'), true, true);
    expect([text(next.payload), next.rsvBits]).toEqual(['3ab', 0x60]);
  });

  test('one that has nothing to change in a later piece is asked for the next one', () => {
    const { b, chain } = abc();
    expect(chain.encodePiece(bytes('1'), true, false).rsvBits).toBe(0x70);
    b.takes = false;
    expect(text(chain.encodePiece(bytes('2'), false, false).payload)).toBe('2');
    b.takes = true;
    expect(text(chain.encodePiece(bytes('3'), false, true).payload)).toBe('3abc');
  });

  test('leaves pieces alone where a transform knows none', () => {
    const whole = new Letter(0x40, 'a');
    Object.assign(whole, { encodePiece: undefined });
    const piece = new TransformChain([whole]).encodePiece(bytes('1'), true, true);
    expect([text(piece.payload), piece.rsvBits]).toEqual(['1', 0]);
  });

  test('undoes what the bits say, the last one first, however it is cut', () => {
    for (const pieces of [['12abc'], ['1', '2', 'a', 'b', 'c'], ['12a', 'bc'], ['12abc', ''], ['', '12abc']]) {
      expect(decode(abc().chain, 0x70, pieces)).toBe('12');
    }
    expect(decode(abc().chain, 0x50, ['12ac'])).toBe('12');
    expect(decode(abc().chain, 0x20, ['12b'])).toBe('12');
    expect(abc().chain.decoderFor(0)).toBe(null);
    expect(decode(abc().chain, 0x60, ['12ab'])).toBe('12');
  });

  test('serves message after message', () => {
    const { chain } = abc();
    for (const message of ['1', '', '22', '333']) expect(decode(chain, 0x70, [`${message}a`, 'bc'])).toBe(message);
  });

  test('what one of them cannot read is corrupt, with its own fault if it has one', () => {
    for (const broken of ['a', 'b', 'c'] as const) {
      const parts = abc();
      Object.assign(parts[broken], { fault: 'DEFLATE_CORRUPT' });
      const decoder = parts.chain.decoderFor(0x70)!;
      expect(decoder.corrupt).toBe(false);
      parts[broken].corrupt = true;
      expect([decoder.corrupt, decoder.fault]).toEqual([true, 'DEFLATE_CORRUPT']);
      expect(decoder.read()).toBe(null);
    }
    expect(decode(abc().chain, 0x70, ['12xbc'])).toBe(null);
    const { a, chain } = abc();
    a.corrupt = true;
    expect(chain.decoderFor(0x60)!.fault).toBe('EXTENSION_DATA_INVALID');
  });

  test('what took a message that a later one threw at takes no other: the peer never saw it', () => {
    const { a, b, c, chain } = abc();
    const fails = () => {
      throw new Error('no memory');
    };
    a.takes = false;
    Object.assign(c, { encode: fails });
    expect(() => chain.encode(bytes('1'), 'text')).toThrow('no memory');
    a.takes = true;
    Object.assign(c, { encode: Letter.prototype.encode });
    // Nothing is out of step with the one that had left it alone, nor with the one that threw.
    for (const again of ['2', '3']) {
      const next = chain.encode(bytes(again), 'text');
      expect([text(next.payload), next.rsvBits]).toEqual([`${again}ac`, 0x50]);
      const piece = chain.encodePiece(bytes(again), true, true);
      expect([text(piece.payload), piece.rsvBits]).toEqual([`${again}ac`, 0x50]);
    }
    // What the peer sends is another matter.
    expect(decode(chain, 0x70, ['12abc'])).toBe('12');
    Object.assign(b, { encode: fails, encodePiece: fails });
    expect(chain.encode(bytes('4'), 'text').rsvBits).toBe(0x50);
  });

  test('a message whose first piece was refused may begin again; behind it there is no way on', () => {
    const fails = () => {
      throw new Error('no memory');
    };
    const { a, c, chain } = abc();
    Object.assign(c, { encodePiece: fails });
    expect(() => chain.encodePiece(bytes('1'), true, false)).toThrow('no memory');
    Object.assign(c, { encodePiece: Letter.prototype.encodePiece });
    const first = chain.encodePiece(bytes('1'), true, false);
    const last = chain.encodePiece(bytes('2'), false, true);
    expect([text(first.payload), first.rsvBits, text(last.payload)]).toEqual(['1', 0x10, '2c']);

    const other = abc();
    expect(other.chain.encodePiece(bytes('1'), true, false).rsvBits).toBe(0x70);
    Object.assign(other.b, { encodePiece: fails });
    expect(() => other.chain.encodePiece(bytes('2'), false, false)).toThrow('no memory');
    Object.assign(other.b, { encodePiece: Letter.prototype.encodePiece });
    for (let i = 0; i < 2; i++) expect(() => other.chain.encodePiece(bytes('2'), false, true)).toThrow('cannot go on');
    expect(other.chain.encodePiece(bytes('3'), true, true).rsvBits).toBe(0x30);
    // The first of all loses nothing: it may be asked again.
    const lone = abc();
    expect(lone.chain.encodePiece(bytes('1'), true, false).rsvBits).toBe(0x70);
    Object.assign(lone.a, { encodePiece: fails });
    expect(() => lone.chain.encodePiece(bytes('2'), false, true)).toThrow('no memory');
    Object.assign(lone.a, { encodePiece: Letter.prototype.encodePiece });
    expect(text(lone.chain.encodePiece(bytes('2'), false, true).payload)).toBe('2abc');
    expect(a.takes).toBe(true);
  });

  test('releases all of them, once', () => {
    const { a, b, c, chain } = abc();
    chain.release();
    expect([a.released, b.released, c.released]).toEqual([1, 1, 1]);
  });

  test('has a key if all have one, and another order is another key', () => {
    const keyed = (rsvBits: number, key: string | null) =>
      Object.assign(new Letter(rsvBits, 'a'), key === null ? {} : { encodeKey: key });
    const key = (...keys: (string | null)[]) => new TransformChain(keys.map((each) => keyed(0x40, each))).encodeKey;
    expect(key('one', 'two')).toBe(key('one', 'two'));
    expect(key('one', 'two')).not.toBe(key('two', 'one'));
    expect(key('one', 'two')).not.toBe(key('onetwo'));
    expect([key('one', null), key(null)]).toEqual([null, null]);
    expect(key()).toBe('');
  });
});
