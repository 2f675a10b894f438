// Messages to compress: JSON as applications send it, each another, the same in every run; and bytes that do not compress.

const WORDS = 'order trade price status update cancel alpha beta gamma delta buy sell limit market'.split(' ');

/** @returns {Buffer[]} `count` messages of `size` bytes */
export function jsonMessages(size, count) {
  return Array.from({ length: count }, (_, i) => json(size, i + 1));
}

function json(size, seed) {
  let state = seed;
  const next = (most) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % most;
  };
  let text = '[';
  while (text.length < size) {
    const row = {
      id: next(1e9),
      type: WORDS[next(14)],
      price: next(1e7) / 100,
      open: next(2) === 1,
      note: WORDS[next(14)],
    };
    text += `${JSON.stringify(row)},`;
  }
  return Buffer.from(text.slice(0, size));
}

/** @returns {Buffer[]} `count` messages of `size` bytes */
export function noiseMessages(size, count) {
  let state = 88_172_645;
  return Array.from({ length: count }, () => {
    const bytes = Buffer.alloc(size);
    for (let i = 0; i < size; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[i] = state >>> 11;
    }
    return bytes;
  });
}
