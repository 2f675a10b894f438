/**
 * Finding repetitions (LZ77): chains of earlier places with the same four octets, and lazy evaluation. What the tables say is
 * only ever a hint that the octets themselves confirm, so they need neither be cleared nor corrected when history is
 * dropped or taken back.
 */

import { type BlockWriter, MOST_TOKENS } from './block-writer.ts';

/** How hard a level tries. */
interface Effort {
  /** A match is given up for a longer one at the next octet only if it is shorter than this; 0 takes the first that is found. */
  readonly lazy: number;
  /** The octets inside of a match that is longer than this begin no other match. */
  readonly insert: number;
  /** From this length on only a quarter of the chain is searched for a longer one. */
  readonly good: number;
  /** A match that is long enough. */
  readonly enough: number;
  /** The most places that are looked at. */
  readonly chain: number;
}

/** By level, from 1 to 9 (measured on JSON of 100 B to 64 KiB). */
const EFFORTS: readonly Effort[] = [
  { lazy: 0, insert: 4, good: 4, enough: 8, chain: 4 },
  { lazy: 0, insert: 4, good: 4, enough: 8, chain: 4 },
  { lazy: 0, insert: 6, good: 5, enough: 16, chain: 6 },
  { lazy: 0, insert: 16, good: 6, enough: 32, chain: 8 },
  { lazy: 4, insert: 258, good: 4, enough: 16, chain: 12 },
  { lazy: 12, insert: 258, good: 8, enough: 32, chain: 24 },
  { lazy: 16, insert: 258, good: 8, enough: 128, chain: 96 },
  { lazy: 32, insert: 258, good: 8, enough: 128, chain: 192 },
  { lazy: 128, insert: 258, good: 32, enough: 258, chain: 768 },
  { lazy: 258, insert: 258, good: 32, enough: 258, chain: 2_048 },
];

/** DEFLATE knows matches of three octets; in JSON their distance mostly takes more bits than three literals (measured). */
const SHORTEST = 4;
const LONGEST = 258;
/** The tables of one compressor, and the search. Places are counted through all messages, without gaps or repetition. */
export class Matcher {
  private readonly effort: Effort;
  private readonly window: number;
  private readonly shift: number;
  /** By hash: the last place with it. */
  private readonly head: Int32Array;
  /** By place, modulo the window: how far back the place before it with the same hash is; 0 if that is too far. */
  private readonly back: Uint16Array;

  /** Both tables have powers of two as sizes; `window` also bounds the distances. */
  constructor(level: number, window: number, hashBits: number) {
    this.effort = EFFORTS[level]!;
    this.window = window;
    this.shift = 32 - hashBits;
    this.head = new Int32Array(1 << hashBits).fill(-1);
    this.back = new Uint16Array(window);
  }

  get retained(): number {
    return this.head.byteLength + this.back.byteLength;
  }

  /** Forgets all places. */
  clear(): void {
    this.head.fill(-1);
  }

  /** Takes `bytes[from, to)` as history without looking for anything. */
  learn(bytes: Uint8Array, from: number, to: number, base: number): void {
    this.enter(wordsOf(bytes), from, to - SHORTEST + 1, base);
  }

  /**
   * Writes the tokens of `bytes[from, to)` as blocks. What is before `from` may be referred to.
   *
   * @param base the place of `bytes[0]`
   */
  run(bytes: Uint8Array, from: number, to: number, base: number, writer: BlockWriter): void {
    const { head, back, window, shift } = this;
    const { lazy, insert, good, enough, chain } = this.effort;
    const patience = lazy === 0 ? 1 : lazy;
    const { tokens } = writer;
    const words = wordsOf(bytes);
    const mask = window - 1;
    const hashEnd = to - SHORTEST;
    let count = 0;
    let blockStart = from;
    let i = from;
    /** The match that begins one octet earlier, if there is one that may still be given up. */
    let held = 0;
    let heldDistance = 0;
    while (i < to) {
      let length = 0;
      let distance = 0;
      if (i <= hashEnd) {
        const word = words.getInt32(i, true);
        const hash = hashOf(word, shift);
        const place = i + base;
        let step = place - head[hash]!;
        head[hash] = place;
        if (step > window || step <= 0) step = 0;
        back[place & mask] = step;
        const reach = i < window ? i : window;
        if (step !== 0 && step <= reach && held < patience) {
          // What is held must be beaten.
          length = held > SHORTEST - 1 ? held : SHORTEST - 1;
          const most = to - i < LONGEST ? to - i : LONGEST;
          const nice = enough < most ? enough : most;
          let tries = held >= good ? chain >> 2 : chain;
          let far = step;
          if (length < most) {
            let tail = bytes[i + length]!;
            do {
              const at = i - far;
              if (bytes[at + length] === tail && words.getInt32(at, true) === word) {
                let same = SHORTEST;
                while (same + 4 <= most && words.getInt32(at + same, true) === words.getInt32(i + same, true))
                  same += 4;
                while (same < most && bytes[at + same] === bytes[i + same]) same++;
                if (same > length) {
                  length = same;
                  distance = far;
                  if (same >= nice) break;
                  tail = bytes[i + same]!;
                }
              }
              if (far === window) break;
              step = back[(place - far) & mask]!;
              far += step;
            } while (step !== 0 && far <= reach && --tries > 0);
          }
        }
      }

      if (held !== 0 && distance === 0) {
        // Nothing better: the match that was held. Its first two octets are in the tables.
        tokens[count++] = (held << 16) | heldDistance;
        const end = i - 1 + held;
        const last = end <= hashEnd + 1 ? end : hashEnd + 1;
        this.enter(words, i + 1, last, base);
        i = end;
        held = 0;
      } else if (distance !== 0 && lazy !== 0) {
        if (held !== 0) tokens[count++] = bytes[i - 1]!;
        held = length;
        heldDistance = distance;
        i++;
      } else if (distance !== 0) {
        tokens[count++] = (length << 16) | distance;
        const end = i + length;
        const last = length > insert ? 0 : end <= hashEnd + 1 ? end : hashEnd + 1;
        this.enter(words, i + 1, last, base);
        i = end;
      } else {
        tokens[count++] = bytes[i++]!;
      }
      if (count === MOST_TOKENS) {
        const blockEnd = held === 0 ? i : i - 1;
        writer.block(count, bytes, blockStart, blockEnd);
        blockStart = blockEnd;
        count = 0;
      }
    }
    if (count > 0) writer.block(count, bytes, blockStart, to);
  }

  /** Enters the places from index `from` up to, not including, `end`. */
  private enter(words: DataView, from: number, end: number, base: number): void {
    const { head, back, window, shift } = this;
    const mask = window - 1;
    for (let i = from; i < end; i++) {
      const hash = hashOf(words.getInt32(i, true), shift);
      const place = i + base;
      const step = place - head[hash]!;
      back[place & mask] = step <= window && step > 0 ? step : 0;
      head[hash] = place;
    }
  }
}

/** Four octets, spread over the bits of the table. */
function hashOf(word: number, shift: number): number {
  return Math.imul(word, 0x9e3779b1) >>> shift;
}

function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
