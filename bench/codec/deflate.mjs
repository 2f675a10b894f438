// Microseconds of CPU a message and compressed size: the pure DEFLATE, Node's zlib as sansocket drives it, and the synchronous
// calls of node:zlib. After a build: node bench/codec/deflate.mjs '{"duration":60}'

import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { pureDeflate } from 'sansocket';
import { nodeDeflate } from 'sansocket/transport/node';
import { jsonMessages, noiseMessages } from '../load/corpus.mjs';

const { duration = 60, level = 6, windowBits = 15 } = JSON.parse(process.argv[2] ?? '{}');
const finishFlush = constants.Z_SYNC_FLUSH;
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
const CODECS = { pure: pureDeflate, node: nodeDeflate };
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** The least CPU time of a call in several stretches, so that what else the machine does counts little. */
function microseconds(run) {
  let best = NO_LIMIT;
  for (let stretch = 0; stretch < 5; stretch++) {
    const end = performance.now() + duration;
    const start = process.cpuUsage();
    let calls = 0;
    do run(calls++);
    while (performance.now() < end);
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, (user + system) / calls);
  }
  return best;
}

function inflateAll(inflater, payload) {
  inflater.write(payload, true);
  while (inflater.read() !== null);
}

const CASES = [
  ['JSON', 128, jsonMessages],
  ['JSON', 1_024, jsonMessages],
  ['JSON', 16_384, jsonMessages],
  ['JSON', 1_048_576, jsonMessages],
  ['noise', 16_384, noiseMessages],
];
for (const [kind, size, make] of CASES) {
  const messages = make(size, size > 100_000 ? 4 : 32);
  const message = (i) => messages[i % messages.length];
  const theirs = messages.map((each) => deflateRawSync(each, { level, windowBits, finishFlush }).subarray(0, -4));
  const sum = (all) => all.reduce((total, { length }) => total + length, 0);
  const row = {
    kind,
    size,
    ratio: sum(theirs) / sum(messages),
    sync: {
      deflate: microseconds((i) => deflateRawSync(message(i), { level, windowBits, finishFlush })),
      inflate: microseconds((i) =>
        inflateRawSync(Buffer.concat([theirs[i % theirs.length], TAIL]), { windowBits, finishFlush }),
      ),
    },
  };
  for (const [name, codec] of Object.entries(CODECS)) {
    const options = { level, windowBits, memoryLevel: 8 };
    const independent = codec.deflater({ ...options, contextTakeover: false });
    const takeover = codec.deflater({ ...options, contextTakeover: true });
    const inflater = codec.inflater(windowBits);
    const out = messages.map((each) => independent.deflate(each, true, NO_LIMIT));
    row[name] = {
      /** Against zlib at the same level and window. */
      size: sum(out) / sum(theirs),
      deflate: microseconds((i) => independent.deflate(message(i), true, NO_LIMIT)),
      takeover: microseconds((i) => takeover.deflate(message(i), true, NO_LIMIT)),
      inflate: microseconds((i) => inflateAll(inflater, out[i % out.length])),
    };
    takeover.release();
    inflater.release();
  }
  process.stdout.write(`${JSON.stringify(row)}\n`);
}
