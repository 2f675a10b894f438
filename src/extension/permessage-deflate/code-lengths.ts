/**
 * Lengths of a prefix code for given frequencies (Huffman), none longer than allowed, and the codes that follow from them
 * (RFC 1951 section 3.2.2). Works in scratch memory that all compressors share: every call is complete when it returns.
 */

const MOST_SYMBOLS = 286;

class Scratch {
  /** Symbols that occur, as `frequency << 9 | symbol`, rarest first. */
  readonly order = new Int32Array(MOST_SYMBOLS);
  /** Weights, then parents, then depths of the tree's nodes. */
  readonly nodes = new Int32Array(MOST_SYMBOLS);
  readonly counts = new Int32Array(33);
  readonly next = new Int32Array(17);
}

let scratch: Scratch | null = null;

/** Made when the first compressor needs it. */
function sharedScratch(): Scratch {
  scratch ??= new Scratch();
  return scratch;
}

/**
 * Sets `lengths[symbol]` for all symbols below `size`, 0 where the frequency is 0. At least one symbol gets a length.
 *
 * @param longest the longest code that is allowed
 */
export function codeLengths(frequencies: Int32Array, size: number, longest: number, lengths: Uint8Array): void {
  const { order, nodes, counts } = sharedScratch();
  let used = 0;
  for (let symbol = 0; symbol < size; symbol++) {
    const frequency = frequencies[symbol]!;
    lengths[symbol] = 0;
    if (frequency > 0) order[used++] = (frequency << 9) | symbol;
  }
  if (used <= 1) {
    lengths[used === 0 ? 0 : order[0]! & 0x1ff] = 1;
    return;
  }
  sort(order, used);
  for (let i = 0; i < used; i++) nodes[i] = order[i]! >>> 9;
  treeDepths(nodes, used);

  counts.fill(0);
  for (let i = 0; i < used; i++) {
    const depth = nodes[i]!;
    counts[depth < longest ? depth : longest]!++;
  }
  // Codes that were cut to the longest length take more room than there is: others become longer until all fit.
  let room = 0;
  for (let length = 1; length <= longest; length++) room += counts[length]! << (longest - length);
  for (let excess = room - (1 << longest); excess > 0; excess--) {
    let length = longest - 1;
    while (counts[length] === 0) length--;
    counts[length]!--;
    counts[length + 1]! += 2;
    counts[longest]!--;
  }
  // The rarest get the longest codes.
  let at = 0;
  for (let length = longest; length > 0; length--) {
    for (let i = counts[length]!; i > 0; i--) lengths[order[at++]! & 0x1ff] = length;
  }
}

/** The codes of `lengths`, with their bits in the order of the wire. */
export function assignCodes(lengths: Uint8Array, size: number, codes: Uint16Array): void {
  const { counts, next } = sharedScratch();
  counts.fill(0);
  for (let symbol = 0; symbol < size; symbol++) counts[lengths[symbol]!]!++;
  let code = 0;
  counts[0] = 0;
  for (let length = 1; length <= 15; length++) {
    code = (code + counts[length - 1]!) << 1;
    next[length] = code;
  }
  for (let symbol = 0; symbol < size; symbol++) {
    const length = lengths[symbol]!;
    if (length > 0) codes[symbol] = reverse(next[length]!++, length);
  }
}

/** §3.1.1: codes are packed "starting with the most-significant bit". */
function reverse(code: number, length: number): number {
  let bits = code;
  bits = ((bits & 0x5555) << 1) | ((bits >>> 1) & 0x5555);
  bits = ((bits & 0x3333) << 2) | ((bits >>> 2) & 0x3333);
  bits = ((bits & 0x0f0f) << 4) | ((bits >>> 4) & 0x0f0f);
  bits = ((bits & 0x00ff) << 8) | (bits >>> 8);
  return bits >>> (16 - length);
}

/** Shell sort, in place: numbers are few and the order of equal ones is decided by their symbols. */
function sort(values: Int32Array, size: number): void {
  for (let gap = size > 40 ? (size > 120 ? 57 : 23) : 4; ; gap = gap > 23 ? 23 : gap > 10 ? 10 : gap > 4 ? 4 : 1) {
    for (let i = gap; i < size; i++) {
      const value = values[i]!;
      let at = i;
      for (; at >= gap && values[at - gap]! > value; at -= gap) values[at] = values[at - gap]!;
      values[at] = value;
    }
    if (gap === 1) return;
  }
}

/**
 * Turns ascending weights into the depths of a Huffman tree's leaves, in place: first each inner node takes the slot of a
 * leaf that is used up and holds its weight, then its parent, then its depth; at last the depths of leaves follow from how
 * many nodes of each depth there are.
 */
function treeDepths(nodes: Int32Array, size: number): void {
  let leaf = 0;
  let inner = 0;
  for (let made = 0; made < size - 1; made++) {
    let weight = 0;
    for (let child = 0; child < 2; child++) {
      if (leaf >= size || (inner < made && nodes[inner]! < nodes[leaf]!)) {
        weight += nodes[inner]!;
        nodes[inner++] = made;
      } else {
        weight += nodes[leaf++]!;
      }
    }
    nodes[made] = weight;
  }
  // From parents to depths, beginning at the root.
  nodes[size - 2] = 0;
  for (let node = size - 3; node >= 0; node--) nodes[node] = nodes[nodes[node]!]! + 1;
  // Of the free places at each depth some are inner nodes; the others are leaves.
  let places = 1;
  let depth = 0;
  let at = size - 1;
  let node = size - 2;
  while (places > 0) {
    let inners = 0;
    while (node >= 0 && nodes[node] === depth) {
      inners++;
      node--;
    }
    for (let leaves = places - inners; leaves > 0; leaves--) nodes[at--] = depth;
    places = 2 * inners;
    depth++;
  }
}
