/** A DEFLATE that counts, and fails where it is told to. */

import { type DeflateCodec, pureDeflate } from '../../src/index.ts';

export interface CountingDeflate extends DeflateCodec {
  /** The sizes of what was given to compress. */
  readonly deflated: number[];
  /** The sizes of what was made of compressed input. */
  readonly inflated: number[];
  /** Compressing so many bytes or more throws. */
  failsFrom: number;
  /** Is told of each piece that was inflated. */
  onInflate: () => void;
}

export function countingDeflate(): CountingDeflate {
  const counting: CountingDeflate = {
    deflated: [],
    inflated: [],
    failsFrom: Number.POSITIVE_INFINITY,
    onInflate: () => {},
    deflater(options) {
      const one = pureDeflate.deflater(options);
      return {
        deflate(piece, last, most) {
          counting.deflated.push(piece.length);
          if (piece.length >= counting.failsFrom) throw new Error('out of memory');
          return one.deflate(piece, last, most);
        },
        reset: () => one.reset(),
        release: () => one.release(),
      };
    },
    inflater(windowBits) {
      const one = pureDeflate.inflater(windowBits);
      return {
        get corrupt() {
          return one.corrupt;
        },
        write: (piece, last) => one.write(piece, last),
        read() {
          const out = one.read();
          if (out !== null) {
            counting.inflated.push(out.length);
            counting.onInflate();
          }
          return out;
        },
        reset: () => one.reset(),
        release: () => one.release(),
      };
    },
  };
  return counting;
}
