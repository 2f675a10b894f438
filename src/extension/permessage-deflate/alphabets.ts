/**
 * The alphabets of DEFLATE (RFC 1951 section 3.2.5): which symbol stands for a length or a distance, and the bits that
 * follow it. Both directions compute with the same tables.
 */

/** The symbol that ends a block. */
export const END_OF_BLOCK = 256;
/** Literals, the end of a block and 29 lengths. */
export const LITERAL_SYMBOLS = 286;
export const DISTANCE_SYMBOLS = 30;
/** Code lengths of code lengths come in this order (section 3.2.7). */
export const CODE_LENGTH_ORDER: Uint8Array = /* @__PURE__ */ Uint8Array.of(
  ...[16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15],
);

/** For each length symbol less 257: the bits that follow, and the shortest length. */
export const LENGTH_EXTRA: Uint8Array = /* @__PURE__ */ lengthExtra();
export const LENGTH_BASE: Uint16Array = /* @__PURE__ */ bases(LENGTH_EXTRA, 3, 258);
/** For each distance symbol: the bits that follow, and the shortest distance. */
export const DISTANCE_EXTRA: Uint8Array = /* @__PURE__ */ distanceExtra();
export const DISTANCE_BASE: Uint16Array = /* @__PURE__ */ bases(DISTANCE_EXTRA, 1, 0);
/** For each length less 3: its symbol less 257. */
export const LENGTH_SYMBOL: Uint8Array = /* @__PURE__ */ lengthSymbols();

/** The symbol of a distance. */
export function distanceSymbol(distance: number): number {
  if (distance <= 2) return distance - 1;
  const power = 30 - Math.clz32(distance - 1);
  return 2 * power + 2 + (((distance - 1) >>> power) & 1);
}

/** The code lengths of the fixed code (section 3.2.6): literals and lengths. */
export function fixedLiteralLengths(): Uint8Array {
  const lengths = new Uint8Array(288).fill(8);
  lengths.fill(9, 144, 256);
  lengths.fill(7, 256, 280);
  return lengths;
}

function lengthExtra(): Uint8Array {
  const extra = new Uint8Array(29);
  for (let symbol = 8; symbol < 28; symbol++) extra[symbol] = (symbol >>> 2) - 1;
  return extra;
}

function distanceExtra(): Uint8Array {
  const extra = new Uint8Array(DISTANCE_SYMBOLS);
  for (let symbol = 4; symbol < DISTANCE_SYMBOLS; symbol++) extra[symbol] = (symbol >>> 1) - 1;
  return extra;
}

/** Each symbol begins where the one before it ends; the longest length has a symbol of its own. */
function bases(extra: Uint8Array, first: number, last: number): Uint16Array {
  const base = new Uint16Array(extra.length);
  let next = first;
  for (let symbol = 0; symbol < extra.length; symbol++) {
    base[symbol] = next;
    next += 1 << extra[symbol]!;
  }
  if (last > 0) base[extra.length - 1] = last;
  return base;
}

/** The last symbol takes the longest length from the one before it. */
function lengthSymbols(): Uint8Array {
  const symbols = new Uint8Array(256);
  for (let symbol = 0; symbol < 29; symbol++) {
    const from = LENGTH_BASE[symbol]! - 3;
    symbols.fill(symbol, from, from + (1 << LENGTH_EXTRA[symbol]!));
  }
  return symbols;
}
